//! A flow's own surprise: what is new about it, and what is odd about its shape.

use super::evidence::{Contribution, Evidence, Of, strongest};
use super::knowledge::Knowledge;
use crate::feature::{Fact, FactKind, Observation, names_service};
use crate::model::{Baselines, Counts, Edge, HostBaseline, Match, Shape, Vocabulary, bits};

/// Bits that one part can bring at the most.
const MOST_BITS: f64 = 30.0;
/// The weight of the network's rate of new things, in minutes of a device's life.
const PRIOR_MINUTES: f64 = 5.0;
/// Flows of a service that a device needs before its own histogram is used rather than the network's.
const OWN_FLOWS: u32 = 20;
/// Minutes in which a service must have been used before a new shape on it counts.
const SERVICE_MINUTES: u32 = 3;

/// A flow's own surprise.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Surprise {
    /// The strongest thing that is new.
    pub new: Option<Contribution>,
    /// The strongest oddity of the shape.
    pub shape: Option<Contribution>,
    /// Is the (initiator, service, peer) edge unknown to both ends?
    pub unknown_edge: bool,
    /// Has the responder never had this client?
    pub unknown_client: bool,
    /// The behaviour that it resembles.
    pub behaviour: u16,
}

impl Surprise {
    /// Bits in all.
    #[must_use]
    pub fn bits(&self) -> f64 {
        self.new.map_or(0.0, |part| part.bits) + self.shape.map_or(0.0, |part| part.bits)
    }

    /// Judges an observation by what is known.
    #[must_use]
    pub fn of(seen: &Observation, found: Match, knowledge: &Knowledge) -> Self {
        let baselines = knowledge.baselines(seen.seen);
        let orig = baselines.hosts.get(&seen.orig);
        let resp = baselines.hosts.get(&seen.resp);
        let edge = Edge { service: seen.service, peer: seen.resp };
        let client = Edge { service: seen.service, peer: seen.orig };
        let unknown_client = !resp.is_some_and(|host| host.clients.contains(client));
        // What keeps the link up says nothing of the device but that it is there; how much of it there is counts still.
        if seen.service.maintains_link() {
            let unknown_edge = unknown_client && !orig.is_some_and(|host| host.edges.contains(edge));
            return Self { unknown_edge, unknown_client, behaviour: found.behaviour, ..Self::default() };
        }
        let shape = if seen.is_complete() { shape(seen, found, orig, baselines, &knowledge.vocabulary) } else { None };
        Self {
            new: newness(seen, orig, resp, baselines),
            shape,
            unknown_edge: unknown_client && !orig.is_some_and(|host| host.edges.contains(edge)),
            unknown_client,
            behaviour: found.behaviour,
        }
    }
}

/// The strongest of: new service, new peer, new name, title or command, new client, new offer.
fn newness(
    seen: &Observation,
    orig: Option<&HostBaseline>,
    resp: Option<&HostBaseline>,
    baselines: &Baselines,
) -> Option<Contribution> {
    // Errors answer somebody else's packet: whoever sends them is not new for that.
    if seen.service.is_icmp_error() {
        return None;
    }
    let rates = &baselines.pooled.newness;
    let edge = Edge { service: seen.service, peer: seen.resp };
    let client = Edge { service: seen.service, peer: seen.orig };
    let service = unseen(Evidence::NewService, orig, |host| &host.services, seen.service, rates.service);
    // A known name behind a new address is the same service, moved.
    let is_known = |fact: &Fact| orig.is_some_and(|host| host.facts.contains(*fact));
    let moved = names_service(seen.app) && seen.facts.iter().any(|fact| fact.kind == FactKind::Name && is_known(fact));
    let peer = if moved { None } else { unseen(Evidence::NewPeer, orig, |host| &host.edges, edge, rates.edge) };
    let mut new = strongest(service, peer);
    for &fact in &seen.facts {
        new = strongest(new, unseen(Evidence::NewFact(fact.kind), orig, |host| &host.facts, fact, rates.fact));
    }
    if resp.is_some_and(|host| host.local) {
        new = strongest(new, unseen(Evidence::NewClient, resp, |host| &host.clients, client, rates.client));
        if seen.answered() {
            new = strongest(new, unseen(Evidence::NewOffer, resp, |host| &host.offers, seen.service, rates.offer));
        }
    }
    new
}

/// Surprise about a value that a device never showed; none when it has.
fn unseen<K: Ord + Copy>(
    evidence: Evidence,
    host: Option<&HostBaseline>,
    counts: impl Fn(&HostBaseline) -> &Counts<K>,
    value: K,
    prior: f64,
) -> Option<Contribution> {
    let (p, minutes) = match host {
        Some(host) if counts(host).contains(value) => return None,
        Some(host) => (counts(host).tail(value, prior, PRIOR_MINUTES, f64::from(host.minutes)), f64::from(host.minutes)),
        None => (prior, 0.0),
    };
    let of = if minutes > PRIOR_MINUTES { Of::Device } else { Of::Network };
    Some(Contribution { evidence, observed: minutes, usual: (0.0, 0.0), of, bits: bits(p).min(MOST_BITS) })
}

/// The strongest of: far from every behaviour, more than usual, a behaviour new to the device.
fn shape(
    seen: &Observation,
    found: Match,
    orig: Option<&HostBaseline>,
    baselines: &Baselines,
    vocabulary: &Vocabulary,
) -> Option<Contribution> {
    let volume = volume(seen, orig, baselines);
    // The first packets of a conversation that was under way were not heard: its shape says nothing.
    if seen.under_way {
        return volume;
    }
    let odd_bits = bits(vocabulary.tail(found.ratio)).min(MOST_BITS);
    let odd = vocabulary.most_unusual(seen, found).map(|(feature, low, high)| Contribution {
        evidence: Evidence::OddShape(feature as u8),
        observed: f64::from(seen.vector[feature]),
        usual: (low, high),
        of: Of::Behaviour,
        bits: odd_bits,
    });
    strongest(strongest(odd, volume), new_shape(seen, found, orig, baselines))
}

fn new_shape(seen: &Observation, found: Match, orig: Option<&HostBaseline>, baselines: &Baselines) -> Option<Contribution> {
    let value = Shape { service: seen.service, behaviour: found.behaviour };
    let host = orig.filter(|host| host.services.get(seen.service) >= SERVICE_MINUTES);
    match host {
        Some(host) if !seen.continued => {
            unseen(Evidence::NewShape, Some(host), |host| &host.shapes, value, baselines.pooled.newness.shape)
        }
        _ => None,
    }
}

/// Values at least this probable are never told.
const STANDS_OUT: f64 = 0.25;

/// Features whose size is compared with the device's own flows of the service: duration, payload sent and received.
const VOLUMES: [usize; 3] = [0, 3, 4];

fn volume(seen: &Observation, orig: Option<&HostBaseline>, baselines: &Baselines) -> Option<Contribution> {
    let pooled = if seen.continued { &baselines.pooled.any_continued } else { &baselines.pooled.any_service };
    let own =
        orig.and_then(|host| if seen.continued { host.continued.get(&seen.service) } else { host.asked.get(&seen.service) });
    let own = own.filter(|own| own.bytes_orig.total() >= OWN_FLOWS);
    let (asked, of) = own.map_or((pooled, Of::Network), |own| (own, Of::Device));
    let mut strongest_yet = None;
    // Without connections there is no end: two exchanges from one port would be a long one.
    let features = if seen.service.connects() { &VOLUMES[..] } else { &VOLUMES[1..] };
    for &feature in features {
        let value = f64::from(seen.vector[feature]);
        let (histogram, value, scale) = match feature {
            0 => (&asked.duration_ms, value * 1e3, 1e-3),
            3 => (&asked.bytes_orig, value, 1.0),
            _ => (&asked.bytes_resp, value, 1.0),
        };
        let p = histogram.tail(value, 0.0);
        // Most flows end here; the quantiles are only for those that stand out.
        if p > STANDS_OUT || strongest_yet.is_some_and(|strongest: Contribution| bits(p) <= strongest.bits) {
            continue;
        }
        let (Some(low), Some(high)) = (histogram.quantile(0.05), histogram.quantile(0.95)) else { continue };
        if value <= high {
            continue;
        }
        let contribution = Contribution {
            evidence: Evidence::Volume(feature as u8),
            observed: value * scale,
            usual: (low * scale, high * scale),
            of,
            bits: bits(p).min(MOST_BITS),
        };
        strongest_yet = strongest(strongest_yet, Some(contribution));
    }
    strongest_yet
}
