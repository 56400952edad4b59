//! Evidence of one conversation.

use serde::{Deserialize, Serialize};

use super::assessment::{own_bits, rate_bits};
use super::class::Class;
use super::evidence::{Contribution, Evidence};
use super::flow_ref::FlowRef;
use super::row::{is_odd, row};
use crate::feature::{FactKind, Host, Observation};
use crate::model::{Kind, value_key};
use crate::time::Timestamp;

/// Evidence of one conversation: its strongest flow.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Exhibit {
    /// What it speaks of.
    pub class: Class,
    /// The flow's own bits beyond what ordinary flows have, 0 or more.
    pub own_bits: f64,
    /// The bits that were taken off for that.
    pub ordinary_bits: f64,
    /// Bits that it shares with others of its minute: a crowd counts once, however many are in it.
    pub shared_bits: f64,
    /// What the bits are made of.
    pub parts: [Option<Contribution>; 3],
    /// The flow, where its record was at hand.
    pub flow: Option<FlowRef>,
    /// Another device that it is about.
    pub also: Option<Host>,
    /// First packet of the conversation's first flow with evidence.
    pub first: Timestamp,
    /// Last packet of its latest flow with evidence.
    pub last: Timestamp,
    /// Tick of its latest evidence.
    pub seen: Timestamp,
    /// Flows, or parts of a long one, whose shape alone is odd, none more than [`WINDOW`](super::WINDOW) after other evidence of the conversation.
    pub odd_flows: u32,
    /// Flows with evidence; one that was looked at while open and again at its end counts once.
    pub flows: u64,
    /// Is it with a server at home of which nothing was learned?
    pub is_of_new_server: bool,
    /// Of which class an incident has all of this by now.
    pub(super) reported: Option<Class>,
}

/// What is worked out of a flow only where its evidence is kept.
#[derive(Clone, Copy)]
pub(super) struct Later<'f> {
    /// The flow, where its record is at hand.
    pub flow: &'f dyn Fn() -> Option<FlowRef>,
    /// Says of an odd shape which feature stands out, where that is not known yet.
    pub shape: &'f dyn Fn(&mut Contribution),
}

/// Index of the feature of the bytes that came back.
const BYTES_RESP: u8 = 4;

impl Later<'_> {
    /// Works it out.
    pub(super) fn complete(&self, exhibit: &mut Exhibit) {
        exhibit.flow = (self.flow)();
        exhibit.parts.iter_mut().flatten().for_each(self.shape);
    }
}

impl Exhibit {
    /// What is new and may be so in other devices, too: as hashes of values, with the name that was asked for and, where that is merely unusual, its domain.
    pub(super) fn news(&self) -> impl Iterator<Item = u64> {
        let about = self.parts.iter().flatten().filter(|part| part.is_news()).map(|part| part.about);
        let kinds =
            if matches!(self.class, Class::Unusual) { &[FactKind::Name, FactKind::Domain][..] } else { &[FactKind::Name] };
        let said = |&kind: &FactKind| {
            let flow = self.flow.as_ref()?;
            Some(value_key(Kind::Fact(kind), flow.fact_of(kind, flow.said(kind)?)))
        };
        about.chain(kinds.iter().filter_map(said))
    }

    /// What an observation of this class shows, of which an ordinary one shows so many bits too.
    pub fn of(seen: &Observation, class: Class, parts: [Option<Contribution>; 3], ordinary_bits: f64) -> Self {
        let shared = parts.iter().flatten().filter(|part| part.evidence.is_shared());
        let (own_bits, rate_bits) = (own_bits(&parts), rate_bits(&parts));
        // Nothing is taken off the rate at which something is done that ordinary life does not do.
        let ordinary_bits = if class.recurs() { ordinary_bits.min(own_bits - rate_bits) } else { ordinary_bits };
        // Nor off what a tool is for, however much else is new.
        let of_tool = parts.iter().flatten().filter(|part| part.is_of_tool());
        let ordinary_bits = ordinary_bits.min((own_bits - of_tool.map(|part| part.prior_bits).sum::<f64>()).max(0.0));
        Self {
            class,
            own_bits: (own_bits - ordinary_bits).max(0.0),
            ordinary_bits,
            shared_bits: shared.map(|part| part.bits).sum(),
            parts,
            flow: None,
            also: None,
            first: seen.start,
            last: seen.end,
            seen: seen.seen,
            odd_flows: u32::from(seen.is_complete() && is_odd(parts[1])),
            flows: u64::from(seen.is_first_sight()),
            is_of_new_server: false,
            reported: None,
        }
    }

    /// Does it count for what a tool, or a call that takes control, is made for?
    pub(super) fn is_of_tool(&self) -> bool {
        self.parts.iter().flatten().any(Contribution::is_of_tool)
    }

    /// Is it that much was fetched? Only what comes from a server at home is looked at for that.
    pub(super) fn fetches(&self) -> bool {
        self.parts.iter().flatten().any(|part| part.evidence == Evidence::Volume(BYTES_RESP))
    }

    /// An exhibit of one reason that needs no comparison with ordinary flows: first and last packet, and the tick.
    pub fn of_itself(
        class: Class,
        part: Contribution,
        flow: FlowRef,
        (first, last, seen): (Timestamp, Timestamp, Timestamp),
    ) -> Self {
        let (own_bits, ordinary_bits, shared_bits) = (0.0, 0.0, part.bits);
        let parts = [Some(part), None, None];
        let (flow, also, odd_flows, flows, is_of_new_server, reported) = (Some(flow), None, 0, 1, false, None);
        Self {
            class,
            own_bits,
            ordinary_bits,
            shared_bits,
            parts,
            flow,
            also,
            first,
            last,
            seen,
            odd_flows,
            flows,
            is_of_new_server,
            reported,
        }
    }

    /// Takes further evidence; says whether a score may change by it.
    pub(super) fn merge(&mut self, new: &mut Self, complete: impl Fn(&mut Self)) -> bool {
        let before = (self.class, self.odd_flows);
        self.reported = None;
        self.first = self.first.min(new.first);
        self.last = self.last.max(new.last);
        self.seen = self.seen.max(new.seen);
        self.flows += new.flows;
        self.is_of_new_server |= new.is_of_new_server;
        self.odd_flows = self.odd_flows.saturating_add(new.odd_flows);
        let stronger = new.bits() > self.bits();
        // The class that tells most among flows of like strength: what belongs to a tunnel is no mere flood.
        let is_alike = new.bits().min(self.bits()) >= 0.5 * new.bits().max(self.bits());
        self.class = match (is_alike, stronger) {
            (true, _) => self.class.or(new.class),
            (false, true) => new.class,
            (false, false) => self.class,
        };
        if stronger {
            self.own_bits = new.own_bits;
            self.ordinary_bits = new.ordinary_bits;
            self.shared_bits = new.shared_bits;
            complete(new);
            self.parts = new.parts;
            self.flow = new.flow.take().or(self.flow.take());
        }
        stronger || before != (self.class, self.odd_flows)
    }

    /// What it adds that several of its flows are odd.
    pub(super) fn row(&self) -> Option<Contribution> {
        row(self.odd_flows, self.class)
    }

    /// All its bits.
    pub(super) const fn bits(&self) -> f64 {
        self.own_bits + self.shared_bits
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::flow;
    use super::*;

    #[test]
    fn what_a_tool_is_for_is_not_taken_for_ordinary() {
        let (_, seen) = flow(0, 1, 9, 443, true);
        let own_bits = |evidence: Evidence, prior_bits: f64| {
            let part = Contribution { prior_bits, ..Contribution::of(evidence, 1.0, 18.0) };
            Exhibit::of(&seen, Class::CovertApplication, [Some(part), None, None], 15.0).own_bits
        };
        assert_eq!(own_bits(Evidence::NewFact(FactKind::Tool), 12.0), 12.0);
        assert_eq!([own_bits(Evidence::NewFact(FactKind::Tool), 0.0), own_bits(Evidence::NewService, 12.0)], [3.0; 2]);
    }
}
