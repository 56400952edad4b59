//! What is known of a flow's application so far.

use super::listen::{Heard, Payload, Place};
use super::recognise::recognise;
use super::rtp::{self, Trace};
use super::{App, Basis, Events, Facts, Ports, http, tls};

/// Payloads that are looked at before a flow counts as not recognised.
const MAX_TRIES: u8 = 4;
/// The same on the ports of long-lived connections of which every message counts, and which may have begun before the capture.
const MAX_TRIES_LONG_LIVED: u8 = 64;

/// The same while datagrams look like media, of which several have to fit.
const MAX_TRIES_MEDIA: u8 = 16;

/// The bit of the looks that says, until an application is told, that it is not known how the flow began, or that it was answered that it is not understood.
const UNSURE: u8 = 0x80;
/// Bytes of a payload without which nothing can be said of it.
const LEAST_BYTES: usize = 8;
/// Ports on which nothing else than SSH, HTTP and TLS is at home.
const EXCLUSIVE: [u16; 9] = [22, 80, 443, 636, 853, 990, 993, 995, 8443];

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

/// A flow's application as far as it was told. At most 16 bytes; what it said is allocated when there is any.
#[derive(Clone, Debug, Default)]
pub struct AppState {
    listener: Option<Box<Listener>>,
    app: App,
    /// Who sends the requests. Only heads from the right side are read, so that no body is taken for one.
    asks: Side,
    /// Payloads looked at, up to the maximum that counts.
    looks: u8,
    done: bool,
    /// Media that may have begun.
    trace: Trace,
}

/// What was told so far and where the two streams stand.
#[derive(Clone, Debug)]
struct Listener {
    facts: Facts,
    /// What was counted in earlier segments of the flow.
    counted: Events,
    /// What of the current one was told while it was under way.
    told: Events,
    orig: Place,
    resp: Place,
}

impl AppState {
    /// Looks at a payload, in the order of the capture and, where the caller can tell, without those sent again.
    pub fn observe(&mut self, ports: Ports, payload: &Payload<'_>) {
        if self.done || payload.wire_bytes == 0 && payload.bytes.is_empty() {
            return;
        }
        if self.app == App::Unknown && (payload.missing_bytes > 0 || tls::is_alert(payload.bytes)) {
            self.looks |= UNSURE;
        }
        if self.app == App::Unknown && payload.bytes.len() < LEAST_BYTES.min(payload.wire_bytes as usize) {
            // The capture cut it off, and will cut off the next ones.
            (self.looks, self.done) = (0, true);
            return;
        }
        self.looks = self.looks.saturating_add(1);
        if self.app == App::Unknown {
            match recognise(ports, payload.bytes).or_else(|| self.media(ports, payload)) {
                Some(app) => self.start(app, payload),
                None => {
                    let most = if self.trace.is_open() { MAX_TRIES_MEDIA } else { max_tries(ports) };
                    self.done = self.looks & !UNSURE >= most;
                }
            }
        } else if payload.late {
            // Its bytes were passed over when they were missed.
            return;
        }
        self.hear(ports, payload);
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

    /// Is it not what the port is for: did what was said begin as TLS, HTTP and SSH never do? Of a flow that was heard from its beginning, and once enough was
    /// looked at.
    #[must_use]
    pub fn is_refuted(&self, ports: Ports) -> bool {
        let is_exclusive = ports.protocol == 6 && EXCLUSIVE.contains(&ports.resp);
        self.app == App::Unknown && self.done && (1..UNSURE).contains(&self.looks) && is_exclusive
    }

    /// What is kept of the application's metadata, for the applications that have any.
    #[must_use]
    pub fn facts(&self) -> Option<&Facts> {
        self.listener.as_deref().map(|listener| &listener.facts)
    }

    /// The flow is over: what was counted in its last segment, those of them that were told, and the metadata, taken out. A connection that
    /// `is_closed` answers nothing any more.
    #[must_use]
    pub fn finish(&mut self, is_closed: bool) -> ([Events; 2], Option<Facts>) {
        if let Some(Facts::Ssh(ssh)) = self.listener.as_deref_mut().map(|listener| &mut listener.facts).filter(|_| is_closed) {
            ssh.end();
        }
        let events = [self.events(), self.told_events()];
        (events, self.listener.take().map(|listener| listener.facts))
    }

    /// What was counted in the current segment of the flow.
    #[must_use]
    pub fn events(&self) -> Events {
        self.listener.as_deref().map_or_else(Events::default, |listener| Events::of(&listener.facts).since(listener.counted))
    }

    /// Those of them that were told while the segment was under way.
    #[must_use]
    pub fn told_events(&self) -> Events {
        self.listener.as_deref().map_or_else(Events::default, |listener| listener.told)
    }

    /// Notes that all of them by now are told.
    pub fn mark_told(&mut self) {
        let events = self.events();
        if let Some(listener) = self.listener.as_deref_mut() {
            listener.told = events;
        }
    }

    /// Begins the next segment of the flow.
    pub fn begin_segment(&mut self) {
        if let Some(listener) = self.listener.as_deref_mut() {
            (listener.counted, listener.told) = (Events::of(&listener.facts), Events::default());
        }
    }

    /// Bytes of messages that wait for their rest.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.listener.as_deref().map_or(0, |listener| listener.orig.held.len() + listener.resp.held.len())
    }

    /// Media, on ports that belong to nobody.
    fn media(&mut self, ports: Ports, payload: &Payload<'_>) -> Option<App> {
        if !ports.is_udp() || ports.app() != App::Unknown {
            return None;
        }
        let is_media = payload.side == Side::Orig && self.trace.follow(payload.bytes);
        (is_media || rtp::is_control(payload.bytes)).then_some(App::Rtp)
    }

    fn start(&mut self, app: App, payload: &Payload<'_>) {
        self.app = app;
        self.looks = 1;
        let is_answer = http::is_response(payload.bytes) || tls::is_server_hello(payload.bytes);
        self.asks = if is_answer { payload.side.other() } else { payload.side };
        match Facts::of(app) {
            Some(facts) => {
                let (counted, told) = (Events::default(), Events::default());
                self.listener = Some(Box::new(Listener { facts, counted, told, orig: Place::default(), resp: Place::default() }));
            }
            None => self.done = true,
        }
    }

    fn hear(&mut self, ports: Ports, payload: &Payload<'_>) {
        let Some(listener) = self.listener.as_deref_mut() else { return };
        let place = match payload.side {
            Side::Orig => &mut listener.orig,
            Side::Resp => &mut listener.resp,
        };
        if payload.missing_bytes > 0 {
            place.pass_over(payload.missing_bytes);
        }
        let heard = Heard { ports, asks: payload.side == self.asks, payload: *payload };
        let wants_more = listener.facts.hear(&heard, place);
        if !wants_more || listener.facts.most_looks().is_some_and(|most| self.looks >= most) {
            self.done = true;
            (listener.orig, listener.resp) = (Place::default(), Place::default());
        }
    }
}

const fn max_tries(ports: Ports) -> u8 {
    match ports.app() {
        App::Dicom
        | App::Dnp3
        | App::EthernetIp
        | App::Hl7
        | App::Iec104
        | App::Ldap
        | App::Modbus
        | App::Mqtt
        | App::OpcUa
        | App::S7Comm
        | App::Smb => MAX_TRIES_LONG_LIVED,
        _ => MAX_TRIES,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_told_once_however_often_a_segment_is_looked_at() {
        let mut state = AppState::default();
        let ports = Ports { protocol: 17, orig: 50_000, resp: 53 };
        let misses = |state: &mut AppState, name: u8| {
            // A question, and an answer that there is no such name.
            for (side, flags) in [(Side::Orig, [1, 0]), (Side::Resp, [0x81, 0x83])] {
                let bytes = [&[7, name][..], &flags, &[0, 1, 0, 0, 0, 0, 0, 0, 1, name, 0, 0, 1, 0, 1]].concat();
                let payload = Payload::new(side, &bytes, bytes.len() as u32);
                state.observe(ports, &payload);
            }
        };
        (b'a'..=b'c').for_each(|name| misses(&mut state, name));
        state.mark_told();
        misses(&mut state, b'd');
        let names = |state: &AppState| (state.events().names_missing, state.told_events().names_missing);
        assert_eq!(names(&state), (4, 3));
        state.begin_segment();
        misses(&mut state, b'e');
        assert_eq!(names(&state), (1, 0));
    }
}
