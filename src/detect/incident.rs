//! An incident and its life.

use std::collections::{BTreeMap, BTreeSet};

use super::class::Class;
use super::evidence::Contribution;
use super::score::Score;
use crate::app::App;
use crate::feature::{Fact, FactKind, Host, fact_texts};
use crate::flow::{FlowKey, FlowRecord, Service};
use crate::model::{Kind, value_key};
use crate::time::{Span, Timestamp};

/// Peers named in an incident at the most: those with the most bits.
const MAX_PEERS: usize = 64;
/// Services named in an incident at the most: the first ones.
pub const MAX_SERVICES: usize = 64;
/// An update is told at most this often, and only when flows, bits or peers have grown by half.
const UPDATE_EVERY: Span = Span::from_secs(60);
/// An incident is closed after this long without evidence.
const QUIET: Span = Span::from_secs(300);

/// Where an incident is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IncidentState {
    /// Told for the first time.
    Open,
    /// It goes on.
    Update,
    /// Nothing more came, or the capture ended.
    Closed,
}

impl IncidentState {
    /// As written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Update => "update",
            Self::Closed => "closed",
        }
    }
}

/// Stands for address resolution where an IP protocol's number stands else: no packet's last header has it.
pub(super) const ARP: u8 = 0;

/// The flow that shows an incident best.
#[derive(Clone, Debug)]
pub struct FlowRef {
    /// Its key.
    pub key: FlowKey,
    /// Its identifier.
    pub id: u64,
    /// Initiator's port.
    pub orig_port: u16,
    /// Responder's port.
    pub resp_port: u16,
    /// Initiator.
    pub orig: Host,
    /// Responder.
    pub resp: Host,
    /// Application.
    pub app: App,
    /// What its application said of itself, in words.
    pub facts: Vec<(FactKind, Box<str>)>,
}

impl FlowRef {
    /// What two devices said to each other below IP.
    #[must_use]
    pub const fn of_link(orig: Host, resp: Host) -> Self {
        let key = FlowKey { low: orig.0, high: resp.0, low_port: 0, high_port: 0, protocol: ARP, one_way: true, vlans: [0; 2] };
        Self { key, id: 0, orig_port: 0, resp_port: 0, orig, resp, app: App::Unknown, facts: Vec::new() }
    }

    /// Is it such?
    #[must_use]
    pub const fn is_link(&self) -> bool {
        self.key.protocol == ARP
    }

    /// The text of the fact of a kind whose hash among values is `about`.
    #[must_use]
    pub fn fact(&self, kind: FactKind, about: u64) -> Option<&str> {
        let mut of_kind = self.facts.iter().filter(|(known, _)| *known == kind).map(|(_, text)| &**text);
        of_kind.find(|text| value_key(Kind::Fact(kind), Fact::new(kind, text)) == about)
    }

    /// The flow of a record.
    #[must_use]
    pub fn of(record: &FlowRecord) -> Self {
        Self {
            key: record.key,
            id: record.id,
            orig_port: record.orig_port(),
            resp_port: record.resp_port(),
            orig: Host(record.orig_addr()),
            resp: Host(record.resp_addr()),
            app: record.app.0,
            facts: fact_texts(record.facts.as_deref()).into_iter().map(|(kind, text)| (kind, text.into())).collect(),
        }
    }
}

/// A reason and the flow that gave it.
#[derive(Clone, Debug)]
pub struct Cause {
    /// What was surprising.
    pub part: Contribution,
    /// Of which device.
    pub host: Host,
    /// With whom: a device, whatever its address in the flow.
    pub peer: Host,
    /// On which service.
    pub service: Service,
    /// About which flow.
    pub flow: FlowRef,
}

/// What was seen of a device that is worth a person's time.
#[derive(Clone, Debug)]
pub struct Incident {
    /// The same for all its lines and in every run.
    pub id: u64,
    /// What kind.
    pub class: Class,
    /// The device that it is about.
    pub host: Host,
    /// Other devices that it is about: the one whose address was claimed.
    pub also: BTreeSet<Host>,
    /// The devices at the other end and the bits that each brought; at most 64.
    pub peers: BTreeMap<Host, f64>,
    /// Services involved.
    pub services: Vec<Service>,
    /// Conversations (peer and service) involved and their own and shared bits; bounded as those of a case.
    pub conversations: BTreeMap<(Host, Service), (f64, f64)>,
    /// First packet of its first flow.
    pub first: Timestamp,
    /// Last packet of its latest flow.
    pub last: Timestamp,
    /// Flows with evidence.
    pub flows: u64,
    /// Score, in bits: the highest so far.
    pub bits: f64,
    /// What the score is made of.
    pub score: Score,
    /// Its strongest reasons, one of a kind.
    pub reasons: Vec<Cause>,
    /// The flow that shows it best.
    pub flow: FlowRef,
    told: Option<Told>,
    latest_evidence: Timestamp,
}

#[derive(Clone, Copy, Debug)]
struct Told {
    at: Timestamp,
    flows: u64,
    bits: f64,
    peers: usize,
}

/// An incident at the moment when it was told.
#[derive(Clone, Debug)]
pub struct Notice {
    /// When.
    pub raised: Timestamp,
    /// Where in its life.
    pub state: IncidentState,
    /// What was known then.
    pub incident: Incident,
}

impl Incident {
    /// A new one.
    #[must_use]
    pub fn new(class: Class, host: Host, flow: FlowRef, first: Timestamp) -> Self {
        let seed = (host.0.bits() as u64) ^ (host.0.bits() >> 64) as u64;
        let id = (seed ^ (first.nanos() as u64).rotate_left(17) ^ (class as u64) << 57).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Self {
            id: id ^ id >> 29,
            class,
            host,
            also: BTreeSet::new(),
            peers: BTreeMap::new(),
            services: Vec::new(),
            conversations: BTreeMap::new(),
            first,
            last: first,
            flows: 0,
            bits: 0.0,
            score: Score::default(),
            reasons: Vec::new(),
            flow,
            told: None,
            latest_evidence: first,
        }
    }

    /// Is this what `class` tells of by its strongest conversation? A scan and what looks merely unusual with its peers are
    /// one thing.
    #[must_use]
    pub fn is_same(&self, class: Class, strongest: (Host, Service)) -> bool {
        let is_vague = |class: Class| matches!(class, Class::Unusual | Class::NewDevice);
        let is_scan = |class: Class| matches!(class, Class::Scan | Class::Sweep);
        let of_scan = is_vague(self.class) && is_scan(class) || is_scan(self.class) && is_vague(class);
        self.conversations.contains_key(&strongest) || of_scan && self.peers.contains_key(&strongest.0)
    }

    /// Names a peer, in place of the weakest where there are too many.
    pub fn add_peer(&mut self, peer: Host, bits: f64) {
        if self.peers.len() >= MAX_PEERS && !self.peers.contains_key(&peer) {
            let weakest = self.peers.iter().min_by(|a, b| a.1.total_cmp(b.1)).map(|(&peer, &bits)| (peer, bits));
            match weakest {
                Some((weakest, least)) if least < bits => self.peers.remove(&weakest),
                _ => return,
            };
        }
        let most = self.peers.entry(peer).or_default();
        *most = most.max(bits);
    }

    /// Notes the moment of evidence, so that quiet can be told.
    pub fn touch(&mut self, now: Timestamp) {
        self.latest_evidence = self.latest_evidence.max(now);
    }

    /// Is it worth telling at `now`, and as what? Telling is remembered.
    pub fn tell(&mut self, now: Timestamp) -> Option<Notice> {
        let state = match self.told {
            None => IncidentState::Open,
            Some(told) => {
                let grown = |now: f64, then: f64| now >= 1.5 * then;
                let worth = grown(self.flows as f64, told.flows as f64)
                    || grown(self.bits, told.bits)
                    || grown(self.peers.len() as f64, told.peers as f64);
                if now.since(told.at) < UPDATE_EVERY || !worth {
                    return None;
                }
                IncidentState::Update
            }
        };
        Some(self.notice(now, state))
    }

    /// Its last line.
    pub fn close(&mut self, now: Timestamp) -> Notice {
        self.notice(now, IncidentState::Closed)
    }

    /// Has nothing come for long?
    #[must_use]
    pub fn is_quiet(&self, now: Timestamp) -> bool {
        now.since(self.latest_evidence) >= QUIET
    }

    fn notice(&mut self, raised: Timestamp, state: IncidentState) -> Notice {
        self.told = Some(Told { at: raised, flows: self.flows, bits: self.bits, peers: self.peers.len() });
        Notice { raised, state, incident: self.clone() }
    }
}

/// The service of a flow as a person says it: `dns`, `tls (tcp/8443)`, `tcp/9999`.
pub(super) fn service_in_words(flow: &FlowRef) -> String {
    let port = if matches!(flow.key.protocol, 1 | 58) { flow.orig_port } else { flow.resp_port };
    let service = Service { protocol: flow.key.protocol, port };
    match flow.app.name() {
        "unknown" | "failed" => service.to_string(),
        app => format!("{app} ({service})"),
    }
}
