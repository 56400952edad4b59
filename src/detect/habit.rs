//! What was told already.

use super::class::Class;
use super::incident::Incident;
use crate::feature::Host;
use crate::flow::Service;
use crate::model::Map;
use crate::time::{Span, Timestamp};

/// How long a conversation that was told is not told again for the same surprise: at the most, and at first where it was told as
/// what only attacks do; then twice as long every time.
const LONGEST: Span = Span::from_secs(86_400);
const FIRST: Span = Span::from_secs(600);
/// Conversations remembered for that at the most; beyond, they may be told again.
const MAX_CONVERSATIONS: usize = 100_000;

/// Who was told about, with whom.
type Told = (Host, Host, Service);

/// What was told of a conversation.
#[derive(Clone, Copy, Debug)]
struct Habit {
    /// As what: classes that tell more are told anew.
    class: Class,
    own_bits: f64,
    shared_bits: f64,
    /// How long it holds, and until when.
    holds: Span,
    until: Timestamp,
}

/// Conversations told in incidents that are closed. Bounded.
#[derive(Debug, Default)]
pub(super) struct Habits {
    told: Map<Told, Habit>,
    /// Devices of which an incident was told, and until when they are watched for it.
    suspects: Map<Host, Timestamp>,
}

impl Habits {
    /// Own and shared bits of a conversation that were told as this class, or as one that tells more, and still hold.
    pub fn told(&self, host: Host, peer: Host, service: Service, class: Class, now: Timestamp) -> Option<(f64, f64)> {
        let habit = self.told.get(&(host, peer, service)).filter(|habit| now < habit.until && class >= habit.class)?;
        Some((habit.own_bits, habit.shared_bits))
    }

    /// Was an incident of this device closed within the last day?
    pub fn is_suspect(&self, host: Host, now: Timestamp) -> bool {
        self.suspects.get(&host).is_some_and(|&until| now < until)
    }

    /// Remembers what was told in an incident.
    pub fn remember(&mut self, incident: &Incident, now: Timestamp) {
        if self.suspects.len() >= MAX_CONVERSATIONS {
            self.suspects.retain(|_, until| now < *until);
        }
        if self.suspects.len() < MAX_CONVERSATIONS {
            self.suspects.insert(incident.host, now + LONGEST);
        }
        if self.told.len() + incident.conversations.len() > MAX_CONVERSATIONS {
            // How long it held decides how long the next one holds.
            self.told.retain(|_, habit| now < habit.until + habit.holds);
        }
        for (&(peer, service), &(own_bits, shared_bits)) in &incident.conversations {
            let key = (incident.host, peer, service);
            if self.told.len() >= MAX_CONVERSATIONS && !self.told.contains_key(&key) {
                continue;
            }
            let last = self.told.get(&key);
            let holds = match last {
                _ if !incident.class.recurs() => LONGEST,
                Some(last) => Span::from_nanos(last.holds.nanos() * 2).min(LONGEST),
                None => FIRST,
            };
            // What is told now came on top of what was told before.
            let old = last.filter(|habit| now < habit.until && incident.class >= habit.class);
            let (own, shared) = old.map_or((0.0, 0.0), |old| (old.own_bits, old.shared_bits));
            let class = old.map_or(incident.class, |old| old.class);
            let (own_bits, shared_bits) = (own + own_bits, shared + shared_bits);
            self.told.insert(key, Habit { class, own_bits, shared_bits, holds, until: now + holds });
        }
    }
}
