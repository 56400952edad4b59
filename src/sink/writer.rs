//! From a target to something that takes alert lines.

use std::io::{self, IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use sha2::{Digest as _, Sha256};

use super::SinkError;
use super::deliver::{Delivery, Shared, Tell, Worker};
use super::file::{AlertFile, Rotation};
use super::gauge::{Local, SinkGauge};
use super::retention::Retention;
use super::send::{Sender, Tcp, Udp};
use super::spool::Spool;
use super::stdout::Stdout;
use super::target::{Place, Target};
use crate::alert::{Format, Formatter};

/// What all targets share.
pub struct SinkOptions {
    /// Name of the sensor, for formats and syslog.
    pub sensor: String,
    /// When files make room.
    pub rotation: Rotation,
    /// When old files of alerts are removed; none: by their number alone.
    pub retention: Option<Retention>,
    /// Files go on behind what stands in them.
    pub goes_on: bool,
    /// EVE without the object `auscult`.
    pub strict_eve: bool,
    /// Folder of the spools, each in a folder of its own.
    pub spool: PathBuf,
    /// Bytes of each spool at the most.
    pub spool_bytes: u64,
    /// May what is for people be coloured, where it goes to a terminal?
    pub colour: bool,
    /// The token for Splunk's collectors that name no file of one. Not for web hooks: a token goes to whom it is for alone.
    pub hec_token: Option<String>,
    /// The token for web hooks that name no file of one.
    pub hook_token: Option<String>,
    /// Told what happens to targets on the network.
    pub tell: Tell,
}

/// A target that takes alert lines.
pub struct Opened {
    /// Takes EVE alert lines.
    pub writer: Writer,
    /// For targets on the network: what waits, and how to end.
    pub delivery: Option<Delivery>,
    /// Looks at it while it is in use.
    pub gauge: SinkGauge,
}

/// Takes EVE alert lines, each ended by a newline, and passes them on in the target's format. A line that failed is to come again
/// before any other: what went out of it already does not go out again.
pub struct Writer {
    to: To,
    /// A line that has not ended.
    begun: Vec<u8>,
}

enum To {
    Stdout(Lines, Arc<Local>),
    File(Formatter, AlertFile, Arc<Local>),
    Spool(Arc<Shared>),
}

/// Lines on stdout. Nothing that went out can be taken back there, so what is left of a line goes on where it stopped.
struct Lines {
    formatter: Formatter,
    to: Stdout,
    has_head: bool,
    left: Vec<u8>,
}

/// Opens a target; `reopen` is set when files are to be opened again.
///
/// # Errors
/// When a file cannot be created, a spool cannot be used, or a certificate, key or token cannot be read.
pub fn open(target: &Target, name: &str, options: &SinkOptions, reopen: Arc<AtomicBool>) -> Result<Opened, SinkError> {
    let format = if options.strict_eve && target.format == Format::Eve { Format::StrictEve } else { target.format };
    let formatter = Formatter::new(format, &options.sensor);
    let done = Arc::<Local>::default();
    let local = |to| {
        let gauge = SinkGauge::local(target, Arc::clone(&done));
        Opened { writer: Writer { to, begun: Vec::new() }, delivery: None, gauge }
    };
    let sender: Box<dyn Sender> = match &target.place {
        Place::Stdout => {
            let formatter = formatter.coloured(options.colour && io::stdout().is_terminal());
            let to = Stdout::open().map_err(|error| SinkError::io("standard output", error))?;
            return Ok(local(To::Stdout(Lines { formatter, to, has_head: false, left: Vec::new() }, Arc::clone(&done))));
        }
        Place::File(path) => {
            let file = AlertFile::open(
                path,
                formatter.clone(),
                (options.rotation, options.retention.clone()),
                (options.goes_on, reopen),
                Arc::clone(&options.tell),
            )?;
            return Ok(local(To::File(formatter, file, Arc::clone(&done))));
        }
        Place::Udp(endpoint) => Box::new(Udp { endpoint: endpoint.clone(), sensor: options.sensor.clone() }),
        Place::Tcp(endpoint) => Box::new(Tcp { endpoint: endpoint.clone(), sensor: options.sensor.clone() }),
        Place::Tls(_) | Place::Http(_) | Place::Hec(_) => secure(target, options)?,
        #[cfg(feature = "nats")]
        Place::Nats(address) => Box::new(super::jetstream::JetStream::new(address, &target.options, &options.sensor)?),
        #[cfg(not(feature = "nats"))]
        Place::Nats(_) => return Err(SinkError::Usage("nats is not in this build: build with --features nats".to_owned())),
    };
    let spool = Spool::open(&spool_folder(&options.spool, name), options.spool_bytes)?;
    let worker = Worker { sender, formatter: formatter.alone(), tell: Arc::clone(&options.tell), number: 0 };
    let shown = name.split('#').next().unwrap_or(name).to_owned();
    let delivery = Delivery::start(shown, spool, worker)?;
    let gauge = SinkGauge::remote(target, delivery.shared());
    let writer = Writer { to: To::Spool(delivery.shared()), begun: Vec::new() };
    Ok(Opened { writer, delivery: Some(delivery), gauge })
}

#[cfg(feature = "tls")]
fn secure(target: &Target, options: &SinkOptions) -> Result<Box<dyn Sender>, SinkError> {
    use super::http::{Body, Http};
    use super::tls::Tls;
    Ok(match &target.place {
        Place::Tls(endpoint) => Box::new(Tls::new(endpoint, &target.options, &options.sensor)?),
        Place::Http(address) => Box::new(Http::new(address, Body::of_hook(target.format), target, options)?),
        Place::Hec(address) => Box::new(Http::new(address, Body::of_hec(target, &options.sensor), target, options)?),
        _ => return Err(SinkError::Usage("no TLS here".to_owned())),
    })
}

#[cfg(not(feature = "tls"))]
fn secure(_: &Target, _: &SinkOptions) -> Result<Box<dyn Sender>, SinkError> {
    Err(SinkError::Usage("tls, https, http and hec are not in this build: build with --features tls".to_owned()))
}

/// A folder of the target's own, named so that a person knows it: its letters, and a digest of all of it but its options.
fn spool_folder(spools: &Path, name: &str) -> PathBuf {
    let name = name.split('#').next().unwrap_or(name);
    let letters: String = name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' }).take(60).collect();
    let digest = crate::feature::hex(&Sha256::digest(name.as_bytes()));
    spools.join(format!("{letters}-{}", &digest[..8]))
}

impl Writer {
    fn line(&mut self, line: &str) -> io::Result<()> {
        match &mut self.to {
            To::Spool(shared) => shared.put(line),
            To::File(formatter, file, done) => match formatter.message(line)? {
                Some(message) => counted(done, file.put(&message)),
                None => Ok(()),
            },
            To::Stdout(lines, done) => {
                if lines.left.is_empty() {
                    lines.begin(line)?;
                }
                if lines.left.is_empty() { Ok(()) } else { counted(done, lines.go_on()) }
            }
        }
    }
}

impl Lines {
    fn begin(&mut self, line: &str) -> io::Result<()> {
        let Some(message) = self.formatter.message(line)? else { return Ok(()) };
        if !std::mem::replace(&mut self.has_head, true)
            && let Some(head) = self.formatter.head(message.raised)
        {
            self.left.extend(head.bytes().chain([b'\n']));
        }
        self.left.extend(message.text.bytes().chain([b'\n']));
        Ok(())
    }

    fn go_on(&mut self) -> io::Result<()> {
        while !self.left.is_empty() {
            match self.to.write(&self.left) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => drop(self.left.drain(..written)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

fn counted(done: &Local, written: io::Result<()>) -> io::Result<()> {
    done.count(&written);
    written
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.begun.extend_from_slice(bytes);
        while let Some(end) = self.begun.iter().position(|&byte| byte == b'\n') {
            let line: Vec<u8> = self.begun.drain(..=end).collect();
            self.line(&String::from_utf8_lossy(&line[..end]))?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spool_is_the_targets_own_and_not_its_options() {
        let folder = |name| spool_folder(Path::new("/s"), name);
        assert_eq!(folder("cef:tls://siem:6514"), folder("cef:tls://siem:6514#ca=other.pem"));
        assert_ne!(folder("cef:tls://siem:6514"), folder("eve:tls://siem:6514"));
        assert!(folder("cef:tls://siem:6514").to_str().unwrap().starts_with("/s/cef-tls---siem-6514-"));
    }
}
