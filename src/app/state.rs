//! What is known of a flow's application so far.

use super::framing::Skip;
use super::http;
use super::recognise::recognise;
use super::tls::{self, Rest};
use super::{App, Basis, DicomFacts, DnsFacts, Facts, Hl7Facts, HttpFacts, MqttFacts, Ports, SshFacts, TlsFacts};

/// Payloads that are looked at before a flow counts as not recognised.
const MAX_TRIES: u8 = 4;
/// The same on the ports of long-lived connections of which every message counts, and which may have begun before the capture.
const MAX_TRIES_LONG_LIVED: u8 = 64;
/// Payloads in which the rest of a handshake is waited for.
const MAX_HANDSHAKE: u8 = 8;
/// The same for an HTTP response, which comes after all of the request's body.
const MAX_EXCHANGE: u8 = 200;

/// Who sent a payload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Side {
    /// The initiator.
    #[default]
    Orig,
    /// The responder.
    Resp,
}

impl Side {
    const fn other(self) -> Self {
        match self {
            Self::Orig => Self::Resp,
            Self::Resp => Self::Orig,
        }
    }
}

/// A flow's application as far as it was told. At most 48 bytes; the facts are allocated when there are any.
#[derive(Clone, Debug, Default)]
pub struct AppState {
    facts: Option<Box<Facts>>,
    /// For each side, bytes until its next message.
    skip: [Skip; 2],
    /// For each side, bytes still to come of a client's hello, or of a command of DICOM.
    pending: [u16; 2],
    app: App,
    /// Who sends the requests of HTTP or the client's hello of TLS. Only heads from the right side are read, so that no body
    /// is taken for one.
    asks: Side,
    /// Payloads looked at, up to the maximum that counts.
    looks: u8,
    done: bool,
}

impl AppState {
    /// Looks at a payload, in the order of the capture and, where the caller can tell, without those sent again.
    ///
    /// `payload` is the captured part; `payload_bytes` the length on the wire, which keeps the place in a stream of which the
    /// capture cut the packets.
    pub fn observe(&mut self, ports: Ports, side: Side, payload: &[u8], payload_bytes: u32) {
        if self.done || payload_bytes == 0 && payload.is_empty() {
            return;
        }
        self.looks = self.looks.saturating_add(1);
        if self.app == App::Unknown {
            match recognise(ports, payload) {
                Some(app) => {
                    self.start(app);
                    let is_answer = http::is_response(payload) || tls::is_server_hello(payload);
                    self.asks = if is_answer { side.other() } else { side };
                }
                None => self.done = self.looks >= max_tries(ports),
            }
        }
        self.read(ports, side, payload, payload_bytes);
    }

    /// Can a further payload tell more? Once this is false it stays so, and [`observe`](Self::observe) does nothing.
    #[must_use]
    pub const fn wants_more(&self) -> bool {
        !self.done
    }

    /// The application and how it was told: by what was said, else by the port.
    #[must_use]
    pub fn app(&self, ports: Ports) -> (App, Basis) {
        match (self.app, ports.app()) {
            (App::Unknown, App::Unknown) => (App::Unknown, Basis::None),
            (App::Unknown, App::Icmp) => (App::Icmp, Basis::Content),
            (App::Unknown, app) => (app, Basis::Port),
            (app, _) => (app, Basis::Content),
        }
    }

    /// What is kept of the application's metadata, for the applications that have any.
    #[must_use]
    pub fn facts(&self) -> Option<&Facts> {
        self.facts.as_deref()
    }

    fn start(&mut self, app: App) {
        self.app = app;
        self.looks = 1;
        let facts = match app {
            App::Tls => Facts::Tls(TlsFacts::default()),
            App::Http => Facts::Http(HttpFacts::default()),
            App::Ssh => Facts::Ssh(SshFacts::default()),
            App::Dns | App::Mdns | App::Llmnr => Facts::Dns(DnsFacts::default()),
            App::Dicom => Facts::Dicom(DicomFacts::default()),
            App::Hl7 => Facts::Hl7(Hl7Facts::default()),
            App::Mqtt => Facts::Mqtt(MqttFacts::default()),
            _ => {
                self.done = true;
                return;
            }
        };
        self.facts = Some(Box::new(facts));
    }

    fn read(&mut self, ports: Ports, side: Side, payload: &[u8], payload_bytes: u32) {
        let Some(facts) = self.facts.as_deref_mut() else { return };
        let (skip, pending) = match side {
            Side::Orig => (&mut self.skip[0], &mut self.pending[0]),
            Side::Resp => (&mut self.skip[1], &mut self.pending[1]),
        };
        let is_complete = match facts {
            Facts::Dns(dns) if ports.is_tcp() => return dns.segment(skip, payload, payload_bytes),
            Facts::Dns(dns) => return dns.datagram(payload, payload.len() as u64 >= u64::from(payload_bytes)),
            Facts::Dicom(dicom) => return dicom.segment(skip, pending, payload, payload_bytes),
            Facts::Hl7(hl7) => return hl7.segment(payload),
            Facts::Mqtt(mqtt) => return mqtt.segment(skip, payload, payload_bytes),
            Facts::Tls(tls) if side == self.asks => {
                read_client_hello(tls, pending, skip, payload);
                false
            }
            Facts::Tls(tls) => {
                tls::is_server_hello(payload) && {
                    tls.hello(payload);
                    true
                }
            }
            Facts::Http(http) => {
                if side == self.asks {
                    http.ask(payload);
                } else {
                    http.answer(payload);
                }
                self.done = http.is_complete() || self.looks >= MAX_EXCHANGE;
                return;
            }
            Facts::Ssh(ssh) => {
                ssh.banner(side, payload);
                ssh.is_complete()
            }
        };
        self.done = is_complete || self.looks >= MAX_HANDSHAKE;
    }
}

/// Reads a client's hello, or goes on with one that did not fit the payloads before.
fn read_client_hello(tls: &mut TlsFacts, left: &mut u16, skip: &mut Skip, payload: &[u8]) {
    let rest = if *left > 0 {
        tls.go_on(payload, Rest { left: *left, skip: *skip })
    } else if tls::is_hello(payload) {
        tls.hello(payload)
    } else {
        return;
    };
    (*left, *skip) = rest.map_or((0, 0), |rest| (rest.left, rest.skip));
}

const fn max_tries(ports: Ports) -> u8 {
    match ports.app() {
        App::Dicom | App::Hl7 | App::Mqtt => MAX_TRIES_LONG_LIVED,
        _ => MAX_TRIES,
    }
}
