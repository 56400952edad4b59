//! One minute of the network: who did what how often. Baselines are made of these, and the present is compared by them.

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use crate::feature::{Fact, FactKind, Host, Observation};
use crate::flow::Service;
use crate::time::Timestamp;

/// Conversations followed within one minute; those beyond are not counted in it. Some 300 bytes each with what belongs to it,
/// half of that once the minute is over.
const MAX_CONVERSATIONS: usize = 131_072;

/// Mean length of names that can carry data, in bytes.
pub const TUNNEL_NAME_BYTES: f32 = 25.0;
/// Mean length of names of which a few are enough to carry data, in bytes: ordinary names with odd records have some 30.
pub const CARRIER_NAME_BYTES: f32 = 50.0;

/// Share of questions for records that clients do not ask for above which a flow is one of such.
pub const ODD_SHARE: f64 = 0.5;

/// A flow in which so many names do not exist is of a client that asks for all names from one port, and each counts. In one with fewer the first
/// stands for all: a name is asked for again with each domain of a search list.
const SEVERAL_NAMES: u32 = 8;

/// A table with room for fewer entries than some eight times this is never too large.
const FEW: usize = 64;

/// A service of a peer: what a device uses, or whom it serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Edge {
    /// What was asked for.
    pub service: Service,
    /// The other end.
    pub peer: Host,
}

/// A behaviour on a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Shape {
    /// What was asked for.
    pub service: Service,
    /// Index of the behaviour in the vocabulary.
    pub behaviour: u16,
}

/// A map whose hash is the same in every run.
pub type Map<K, V> = HashMap<K, V, FixedState>;

/// A conversation: initiator, responder, service.
pub type Conversation = (Host, Host, Service);

/// What one device began within the minute.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Initiated {
    /// Different targets (device and service).
    pub targets: u32,
    /// Different devices among them.
    pub peers: u32,
    /// Attempts to connect that failed.
    pub failed: u32,
    /// Pings without an answer, which count as no failed attempt: nobody has to answer.
    pub unanswered_pings: u32,
    /// Logins that failed.
    pub login_failures: u32,
    /// Files that were changed on shares.
    pub file_changes: u32,
    /// Different names asked for that do not exist; of a flow that asks for fewer than eight, one.
    pub names_missing: u32,
    /// Requests, other than log-ins, that were turned down.
    pub refusals: u32,
    /// Is the device at home?
    pub local: bool,
}

/// What one device served within the minute, by service.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Served {
    /// New flows; 0 where one only went on.
    pub flows: u32,
    /// Different clients.
    pub clients: u32,
    /// Did the device answer any?
    pub answered: bool,
    /// Is the device at home?
    pub local: bool,
}

/// Long names, and records that clients do not ask for (TXT, NULL, CNAME, MX), that a device asked for in one domain within the minute: their bytes,
/// of a long flow those of a minute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Carried {
    /// Flows that asked for such, mostly.
    pub flows: u32,
    /// Of names of 50 bytes and more.
    pub bytes: f64,
    /// Of names of 25 bytes and more, with records that clients do not ask for.
    pub odd_bytes: f64,
}

/// What was counted of an observation's ends within the minute, itself included.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counted {
    /// New flows of its conversation.
    pub flows: u32,
    /// What its initiator began.
    pub initiated: Initiated,
    /// What its responder served of its service.
    pub served: Served,
}

impl Counted {
    /// The same, with what happened within flows as far as a later minute counted more of it: that is known once they are complete.
    #[must_use]
    pub fn with_events_of(mut self, later: &Self) -> Self {
        let (mine, theirs) = (&mut self.initiated, &later.initiated);
        mine.login_failures = mine.login_failures.max(theirs.login_failures);
        mine.file_changes = mine.file_changes.max(theirs.file_changes);
        mine.names_missing = mine.names_missing.max(theirs.names_missing);
        mine.refusals = mine.refusals.max(theirs.refusals);
        self
    }
}

/// A conversation whose silence may be missed.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Lasts {
    /// Is it a clinical or a control one?
    pub is_critical: bool,
    /// When it was heard last.
    pub until: Timestamp,
}

/// Counts of one minute.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Minute {
    /// New flows by conversation; 0 for one that only went on.
    pub conversations: Map<Conversation, u32>,
    /// By initiator.
    pub initiated: Map<Host, Initiated>,
    /// Different services tried, by initiator and responder.
    pub services_by_peer: Map<(Host, Host), u32>,
    /// Different devices tried, by initiator and service.
    pub peers_by_service: Map<(Host, Service), u32>,
    /// By responder and service.
    pub served: Map<(Host, Service), Served>,
    /// Long names for DNS, by initiator and domain.
    pub carried: Map<(Host, Fact), Carried>,
    /// Names that do not exist, by initiator.
    pub missing: Map<(Host, Fact), ()>,
    /// What applications said, by initiator.
    pub facts: Map<(Host, Fact), ()>,
    /// Conversations whose silence may be missed: clinical and control ones, and at home those of which nobody knows what they speak.
    pub lasting: Map<Conversation, Lasts>,
    /// Behaviours shown, by initiator.
    pub shapes: Map<(Host, Shape), ()>,
}

impl Minute {
    /// Counts an observation and what it looked like: its `behaviour`, once complete, and its facts.
    pub fn add(&mut self, seen: &Observation, behaviour: u16) {
        if self.count(seen).is_some() {
            let is_heard = seen.is_heard_of_initiator() && !seen.is_only_kept_alive() && !seen.failed;
            if is_heard && (seen.is_critical() || seen.is_of_unknown_kind()) {
                let lasts = self.lasting.entry((seen.orig, seen.resp, seen.service)).or_default();
                lasts.is_critical |= seen.is_critical();
                lasts.until = lasts.until.max(seen.end);
            }
            self.add_looks(seen, behaviour);
        }
    }

    /// What was counted of the ends of an observation.
    #[must_use]
    pub fn counted(&self, seen: &Observation) -> Counted {
        Counted {
            flows: self.conversations.get(&(seen.orig, seen.resp, seen.service)).copied().unwrap_or(0),
            initiated: self.initiated.get(&seen.orig).copied().unwrap_or_default(),
            served: self.served.get(&(seen.resp, seen.service)).copied().unwrap_or_default(),
        }
    }

    /// Counts an observation, where its conversation is one of those followed. Returns what was counted of its ends by now.
    pub fn count(&mut self, seen: &Observation) -> Option<Counted> {
        let new_flow = seen.is_first_sight();
        let key = (seen.orig, seen.resp, seen.service);
        if self.conversations.len() >= MAX_CONVERSATIONS && !self.conversations.contains_key(&key) {
            return None;
        }
        let flows = self.conversations.entry(key).or_default();
        // One that only went on so far becomes a target with its first new flow.
        let new_conversation = new_flow && *flows == 0;
        *flows += u32::from(new_flow);
        let flows = *flows;
        let initiated = self.initiated.entry(seen.orig).or_default();
        initiated.local = seen.orig_local;
        if new_conversation {
            initiated.targets += 1;
            let services = self.services_by_peer.entry((seen.orig, seen.resp)).or_default();
            initiated.peers += u32::from(*services == 0);
            *services += 1;
            *self.peers_by_service.entry((seen.orig, seen.service)).or_default() += 1;
        }
        initiated.failed += u32::from(new_flow && seen.failed);
        if seen.is_complete() {
            initiated.unanswered_pings += u32::from(seen.service.is_ping() && !seen.answered());
        }
        if seen.counts_events() {
            initiated.login_failures += seen.events.login_failures;
            initiated.file_changes += seen.events.file_changes;
            initiated.refusals = initiated.refusals.saturating_add(seen.events.refusals);
            if seen.events.names_missing >= SEVERAL_NAMES {
                initiated.names_missing += (f64::from(seen.events.names_missing) / seen.minutes()) as u32;
            } else if seen.events.names_missing > 0
                && let Some(&name) = seen.facts.iter().find(|fact| fact.kind == FactKind::Name)
                && self.missing.len() < MAX_CONVERSATIONS
            {
                initiated.names_missing += u32::from(self.missing.insert((seen.orig, name), ()).is_none());
            }
        }
        let initiated = *initiated;
        let served = self.served.entry((seen.resp, seen.service)).or_default();
        served.flows += u32::from(new_flow);
        served.clients += u32::from(new_conversation);
        served.answered |= seen.answered();
        served.local = seen.resp_local;
        let served = *served;
        self.count_names(seen);
        Some(Counted { flows, initiated, served })
    }

    fn count_names(&mut self, seen: &Observation) {
        let Some(asked) = seen.names_asked().filter(|_| seen.is_complete()) else { return };
        let is_long = asked.mean_bytes >= TUNNEL_NAME_BYTES;
        if !is_long && asked.odd_share <= ODD_SHARE {
            return;
        }
        let carried = self.carried.entry((seen.orig, asked.domain)).or_default();
        carried.flows += 1;
        if !is_long {
            return;
        }
        carried.bytes += if asked.mean_bytes < CARRIER_NAME_BYTES { 0.0 } else { asked.bytes_per_minute };
        carried.odd_bytes += asked.bytes_per_minute * asked.odd_share;
    }

    /// Forgets what is asked of the present minute only. Returns the next minute, in the tables of one that nobody asks for any more: tables
    /// that grow are filled again and again, and new ones are cleared by the kernel.
    #[must_use]
    pub fn end(&mut self, over: Self) -> Self {
        Self {
            conversations: emptied(over.conversations, self.conversations.len()),
            initiated: emptied(over.initiated, self.initiated.len()),
            served: emptied(over.served, self.served.len()),
            services_by_peer: emptied(std::mem::take(&mut self.services_by_peer), 0),
            peers_by_service: emptied(std::mem::take(&mut self.peers_by_service), 0),
            ..Self::default()
        }
    }

    fn add_looks(&mut self, seen: &Observation, behaviour: u16) {
        if self.facts.len() < MAX_CONVERSATIONS {
            self.facts.extend(seen.facts.iter().map(|&fact| ((seen.orig, fact), ())));
        }
        if seen.is_complete() && !seen.continued && self.shapes.len() < MAX_CONVERSATIONS {
            self.shapes.insert((seen.orig, Shape { service: seen.service, behaviour }), ());
        }
    }
}

/// A table, emptied, with room for so many entries; another where it is too small or was needed for a much busier minute.
fn emptied<K, V>(mut map: Map<K, V>, entries: usize) -> Map<K, V> {
    let used = entries.max(map.len());
    if map.capacity() < used || map.capacity() / 8 > used.max(FEW) {
        return Map::with_capacity_and_hasher(used, FixedState::default());
    }
    map.clear();
    map
}

/// The entries of a map in the order of their keys, where the order matters.
pub fn sorted<K: Ord + Copy, V: Copy>(map: &Map<K, V>) -> Vec<(K, V)> {
    let mut entries: Vec<(K, V)> = map.iter().map(|(&key, &value)| (key, value)).collect();
    entries.sort_unstable_by_key(|&(key, _)| key);
    entries
}
