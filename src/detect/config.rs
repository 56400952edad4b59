//! What the detector shall do, and what it shall leave out where that is to be measured.

use super::evidence::Evidence;
use crate::time::Span;

/// What the detector shall do.
#[derive(Clone, Copy, Debug, Default)]
pub struct DetectorConfig {
    /// Hand out every flow with its bits (costs memory for the flows of five minutes).
    pub score_flows: bool,
    /// Where ticks come every second, as live, a longer time between two of them is time in which nobody listened: the clock was set
    /// forward, or the computer slept. None (the default) where time is that of packets, which may be far apart.
    pub most_pause: Option<Span>,
    /// What it leaves out: nothing but in measurements of what each part is worth.
    pub without: Without,
}

/// A part of the evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Devices that were never seen.
    NewDevice,
    /// Services, peers, clients and offers that a device never had; names, titles and commands too.
    Newness,
    /// Behaviours that a device never showed on a service.
    NewShape,
    /// Who else has what is new to a device.
    Shares,
    /// Roles: without them all devices are of one.
    Roles,
    /// What weighs more than its rarity for what it touches.
    Prior,
    /// Odd flows in a row.
    Row,
    /// Flows far from every behaviour.
    OddShape,
    /// More data or time than usual.
    Volume,
    /// Flows, targets, clients and failed attempts of a minute.
    Minute,
    /// Failed logins and changed files of a minute.
    Events,
    /// Targets, failures, exchanges and what is sent out of an hour.
    Hour,
    /// Conversations like a clock.
    Rhythm,
    /// How seldom a flow is where nothing about it is new.
    Rarity,
    /// What was told of its two ends.
    Incident,
    /// The same new thing in many devices.
    Population,
    /// Conversations that stopped.
    Silence,
    /// Addresses that two interfaces claim.
    AddressDispute,
    /// Addresses asked for that nobody has.
    AddressesAsked,
}

/// Parts that are left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Without(u32);

impl Without {
    /// Leaves these out.
    #[must_use]
    pub fn parts(parts: &[Part]) -> Self {
        Self(parts.iter().fold(0, |set, &part| set | 1 << part as u32))
    }

    /// Is this part left out?
    #[must_use]
    pub const fn has(self, part: Part) -> bool {
        self.0 & 1 << part as u32 != 0
    }

    /// Is evidence of this kind left out?
    pub(super) const fn has_kind(self, evidence: Evidence) -> bool {
        self.0 != 0 && self.has(part_of(evidence))
    }
}

const fn part_of(evidence: Evidence) -> Part {
    match evidence {
        Evidence::NewDevice => Part::NewDevice,
        Evidence::NewService | Evidence::NewPeer | Evidence::NewFact(_) | Evidence::NewClient | Evidence::NewOffer => {
            Part::Newness
        }
        Evidence::NewShape => Part::NewShape,
        Evidence::OddFlows => Part::Row,
        Evidence::OddShape(_) => Part::OddShape,
        Evidence::Volume(_) => Part::Volume,
        Evidence::FlowRate | Evidence::TargetRate | Evidence::FailedRate | Evidence::ServedRate | Evidence::ClientRate => {
            Part::Minute
        }
        Evidence::LoginFailures
        | Evidence::FileChanges
        | Evidence::NamesMissing
        | Evidence::Refusals
        | Evidence::RemoteControl
        | Evidence::NameBytes => Part::Events,
        Evidence::SlowTargets
        | Evidence::SlowFailures
        | Evidence::AccountsRefused
        | Evidence::SentOut
        | Evidence::Asking
        | Evidence::Asked
        | Evidence::Repeats => Part::Hour,
        Evidence::Rhythm | Evidence::NameRhythm | Evidence::LongConnection => Part::Rhythm,
        Evidence::AddressDispute | Evidence::Leases | Evidence::Routes | Evidence::NamesGiven => Part::AddressDispute,
        Evidence::AddressesAsked => Part::AddressesAsked,
        Evidence::Silence => Part::Silence,
        Evidence::Population => Part::Population,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feature::FactKind;

    #[test]
    fn what_is_left_out_is_that_alone() {
        let without = Without::parts(&[Part::Minute, Part::Rarity]);
        assert!(without.has(Part::Rarity) && without.has_kind(Evidence::TargetRate) && !without.has_kind(Evidence::SlowTargets));
        assert!(!Without::default().has_kind(Evidence::TargetRate) && !Without::default().has(Part::NewDevice));
        assert!(Without::parts(&[Part::Newness]).has_kind(Evidence::NewFact(FactKind::Name)));
    }
}
