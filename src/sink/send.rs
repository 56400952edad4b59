//! Senders: they give a batch to a target and say whether it took it.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream, ToSocketAddrs as _, UdpSocket};
use std::time::Duration;

use super::syslog::{counted, frame};
use super::target::Endpoint;
use crate::alert::Message;

/// How long a connection may take to stand.
pub(super) const CONNECT: Duration = Duration::from_secs(5);
/// How long a target may take to read or to answer.
pub(super) const ANSWER: Duration = Duration::from_secs(10);

/// How long the end of a program takes at the most to close its port behind its connections.
const DEATH: Duration = Duration::from_millis(50);

/// Why a batch did not arrive.
#[derive(Debug)]
pub(super) enum SendError {
    /// The target is away or will not have it now: it is sent again later.
    Later(String),
    /// The target will never take it.
    Never(String),
}

/// A way to a target. A batch is sent as a whole, and is confirmed as a whole.
pub(super) trait Sender: Send {
    /// Gives the messages to the target; `number` counts the first of them.
    fn send(&mut self, messages: &[Message], number: u64) -> Result<(), SendError>;
}

pub(super) fn later(what: &str, error: &impl ToString) -> SendError {
    SendError::Later(format!("{what}: {}", error.to_string()))
}

/// Syslog in datagrams (RFC 5426): nobody confirms them, so what the network loses is lost.
pub(super) struct Udp {
    pub endpoint: Endpoint,
    pub sensor: String,
}

impl Sender for Udp {
    fn send(&mut self, messages: &[Message], number: u64) -> Result<(), SendError> {
        let address = resolve(&self.endpoint)?[0];
        let here = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let socket = UdpSocket::bind(here).map_err(|error| later("no socket", &error))?;
        socket.connect(address).map_err(|error| later("no way there", &error))?;
        for (number, message) in (number..).zip(messages) {
            let text = frame(message, &self.sensor, number);
            match socket.send(text.as_bytes()) {
                Ok(_) => {}
                // EMSGSIZE has no name of its own in the standard library.
                Err(error) if error.raw_os_error() == Some(90) => {
                    return Err(SendError::Never(format!("{} bytes are more than a datagram holds", text.len())));
                }
                Err(error) => return Err(later("sending", &error)),
            }
        }
        Ok(())
    }
}

/// Syslog over TCP (RFC 6587).
pub(super) struct Tcp {
    pub endpoint: Endpoint,
    pub sensor: String,
}

impl Sender for Tcp {
    fn send(&mut self, messages: &[Message], number: u64) -> Result<(), SendError> {
        let mut stream = connect(&self.endpoint)?;
        stream.write_all(&frames(messages, &self.sensor, number)).map_err(|error| later("sending", &error))?;
        stream.shutdown(Shutdown::Write).map_err(|error| later("sending", &error))?;
        ended(&mut stream)?;
        lives(|| connect(&self.endpoint)).map(drop)
    }
}

/// All messages in counted frames.
pub(super) fn frames(messages: &[Message], sensor: &str, number: u64) -> Vec<u8> {
    (number..).zip(messages).flat_map(|(number, message)| counted(&frame(message, sensor, number))).collect()
}

fn resolve(endpoint: &Endpoint) -> Result<Vec<SocketAddr>, SendError> {
    let found = (endpoint.host.as_str(), endpoint.port).to_socket_addrs().map_err(|error| later("no such host", &error))?;
    let found: Vec<SocketAddr> = found.collect();
    if found.is_empty() { Err(SendError::Later("no such host".to_owned())) } else { Ok(found) }
}

/// A connection to the first address that answers.
pub(super) fn connect(endpoint: &Endpoint) -> Result<TcpStream, SendError> {
    let mut last = SendError::Later("no such host".to_owned());
    for address in resolve(endpoint)? {
        match TcpStream::connect_timeout(&address, CONNECT) {
            Ok(stream) => {
                let limited = stream.set_read_timeout(Some(ANSWER)).and_then(|()| stream.set_write_timeout(Some(ANSWER)));
                limited.map_err(|error| later("no connection", &error))?;
                return Ok(stream);
            }
            Err(error) => last = later("no connection", &error),
        }
    }
    Err(last)
}

/// Syslog has no answer. But who closes in order has read all that came before our end: a system whose program ends with bytes unread
/// sends a reset instead of an end. Who neither ends nor resets within the time is believed.
pub(super) fn ended(stream: &mut impl Read) -> Result<(), SendError> {
    let mut rest = [0; 1024];
    loop {
        match stream.read(&mut rest) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => return Ok(()),
                io::ErrorKind::Interrupted => {}
                // rsyslog ends TLS by ending the connection below it.
                io::ErrorKind::UnexpectedEof => return Ok(()),
                _ => return Err(later("not confirmed", &error)),
            },
        }
    }
}

/// A program that was killed ends its connections as one that ends them in order, but it takes no new ones. This says whether one that
/// follows shortly stands.
pub(super) fn lives<T>(again: impl FnOnce() -> Result<T, SendError>) -> Result<T, SendError> {
    std::thread::sleep(DEATH);
    again().map_err(|(SendError::Later(error) | SendError::Never(error))| later("not confirmed", &error))
}
