//! A live page in this process, incidents made up for it, and a client that says what a browser would, or would not.

#![allow(dead_code, reason = "each test program uses its own part")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use auscult::alert::AlertContext;
use auscult::app::App;
use auscult::detect::{Answer, Answers, Class, FlowRef, Incident, IncidentState, Notice};
use auscult::feature::{FactKind, Host};
use auscult::flow::{FlowKey, Service};
use auscult::model::Calibration;
use auscult::pipeline::{Gauges, Stopwatch};
use auscult::replay::Output as _;
use auscult::serve::{Answering, BoardConfig, Histogram, Overload, ServeOptions, Server, Tap, Vitals};
use auscult::sink::SinkGauge;
use auscult::time::{Span, Timestamp};
use serde_json::Value;

/// Nothing that is waited for may take longer.
pub const PATIENCE: Duration = Duration::from_secs(10);

pub fn host(n: u32) -> Host {
    let [_, a, b, c] = n.to_be_bytes();
    format!("10.{a}.{b}.{c}").parse().unwrap()
}

/// The n-th incident of a day; `name` is what its flow calls itself.
pub fn notice(n: u32, state: IncidentState, name: &str) -> Notice {
    let (device, peer) = (host(n % 5000 + 1), host(900_000 + n % 77));
    let first = Timestamp::from_parts(1_780_000_000 + i64::from(n), 0);
    let (low, high) = if device.0 < peer.0 { (device.0, peer.0) } else { (peer.0, device.0) };
    let key = FlowKey { low, high, low_port: 40_000, high_port: 443, protocol: 6, one_way: false, vlans: [0; 2] };
    let facts = vec![(FactKind::Name, name.into())];
    let flow =
        FlowRef { key, id: u64::from(n), orig_port: 40_000, resp_port: 443, orig: device, resp: peer, app: App::Tls, facts };
    let class = Class::ALL[n as usize % Class::ALL.len()];
    let mut incident = Incident::new(class, device, flow, first);
    let flow = incident.flow.clone();
    incident.add_peer(peer, 3.0);
    incident.add_service(Service { protocol: 6, port: 443 }, Some(&flow));
    (incident.flows, incident.bits) = (u64::from(n % 100) + 1, 10.0 + f64::from(n % 40));
    incident.last = first + Span::from_secs(30);
    Notice {
        raised: first + Span::from_secs(60),
        state,
        incident,
        is_degraded: false,
        present: std::collections::BTreeMap::new(),
    }
}

pub fn context() -> AlertContext {
    AlertContext {
        model_digest: Some("sha256:0123".to_owned()),
        trained_until: "2026-05-01T00:00:00Z".to_owned(),
        calibration: Calibration::default(),
        pseudonyms: None,
    }
}

/// Answers that are written to memory.
#[derive(Default)]
pub struct Written(pub Mutex<Answers>);

impl Answering for Written {
    fn append(&self, answer: Answer) -> Result<(u64, Arc<Answers>), String> {
        let mut all = self.0.lock().unwrap();
        let number = all.len() as u64;
        all.add(number, answer).map_err(|error| error.to_string())?;
        Ok((number, Arc::new(all.clone())))
    }
}

/// A page that is served.
pub struct Live {
    pub server: Server,
    pub tap: Tap,
    pub gauges: Arc<Gauges>,
    pub written: Arc<Written>,
}

impl Live {
    pub fn start(options: ServeOptions, can_answer: bool) -> Self {
        Self::with(options, can_answer, (Vec::new(), Vec::new()))
    }

    /// A page that is told of these targets, and begins with these lines of earlier runs.
    pub fn with(options: ServeOptions, can_answer: bool, (sinks, told): (Vec<SinkGauge>, Vec<String>)) -> Self {
        let (gauges, written) = (Arc::<Gauges>::default(), Arc::<Written>::default());
        let (judged, interface) = (Arc::<Histogram>::default(), Some("eth9".to_owned()));
        let vitals = Vitals {
            gauges: Arc::clone(&gauges),
            judged,
            interface,
            sinks,
            guarded: vec![("landlock", true), ("seccomp", false)],
        };
        let answering = can_answer.then(|| Arc::clone(&written) as Arc<dyn Answering>);
        let board = BoardConfig { title: "Test".to_owned(), told, ..BoardConfig::default() };
        let address = "127.0.0.1:0".parse().unwrap();
        // Tests fill it faster than any network would.
        let (server, tap) = Server::start(address, options, board, (Overload::Wait, vitals), answering).unwrap();
        Self { server, tap, gauges, written }
    }

    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    pub fn tell(&mut self, notices: impl IntoIterator<Item = Notice>) {
        self.tap.begin(&context());
        notices.into_iter().for_each(|notice| self.tap.notice(&notice));
    }

    /// Asks until the answer is as wanted.
    pub fn until(&self, path: &str, wanted: impl Fn(&Reply) -> bool) -> Reply {
        let start = Stopwatch::start();
        loop {
            let reply = ask(self.address(), "GET", path, &[], b"");
            if wanted(&reply) {
                return reply;
            }
            assert!(start.seconds() < PATIENCE.as_secs_f64(), "{path}: {reply:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn get(&self, path: &str) -> Reply {
        ask(self.address(), "GET", path, &[], b"")
    }

    pub fn json(&self, path: &str) -> Value {
        let reply = self.get(path);
        assert_eq!(reply.status, 200, "{path}: {reply:?}");
        reply.json()
    }
}

/// What was answered.
#[derive(Debug, Default)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

/// The text of a question; the headers given come in place of those of the same name.
pub fn question(address: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut text = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        text.push_str(&format!("Host: {address}\r\n"));
    }
    headers.iter().for_each(|(name, value)| text.push_str(&format!("{name}: {value}\r\n")));
    [text.as_bytes(), b"\r\n", body].concat()
}

pub fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect_timeout(&address, PATIENCE).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

pub fn ask(address: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
    exchange(&mut connect(address), &question(address, method, path, headers, body))
}

/// Sends a question and reads the answer to its end.
pub fn exchange(stream: &mut (impl Read + Write), question: &[u8]) -> Reply {
    // A server that has refused may have closed already.
    let _ = stream.write_all(question);
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return Reply { body: text, ..Reply::default() } };
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines.filter_map(|line| line.split_once(": ")).map(|(name, value)| (name.to_lowercase(), value.to_owned()));
    Reply { status, headers: headers.collect(), body: body.to_owned() }
}

/// A stream of events.
pub struct Events(BufReader<TcpStream>);

impl Events {
    pub fn of(address: SocketAddr, path: &str) -> Self {
        let mut stream = connect(address);
        stream.write_all(&question(address, "GET", path, &[], b"")).unwrap();
        Self(BufReader::new(stream))
    }

    /// The next event of this kind: its identifier and its data.
    pub fn next(&mut self, kind: &str) -> (String, Value) {
        let (mut name, mut id) = (String::new(), String::new());
        let start = Stopwatch::start();
        loop {
            assert!(start.seconds() < PATIENCE.as_secs_f64(), "no event {kind}");
            let mut line = String::new();
            assert!(self.0.read_line(&mut line).unwrap() > 0, "the stream has ended");
            let line = line.trim_end();
            if let Some(value) = line.strip_prefix("event: ") {
                value.clone_into(&mut name);
            } else if let Some(value) = line.strip_prefix("id: ") {
                value.clone_into(&mut id);
            } else if let Some(data) = line.strip_prefix("data: ").filter(|_| name == kind) {
                return (id, serde_json::from_str(data).unwrap());
            }
        }
    }
}
