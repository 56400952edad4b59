//! What makes a flow surprising, as numbers.

use crate::feature::FactKind;

/// A kind of surprise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Evidence {
    /// The device was never seen.
    NewDevice,
    /// The device never used this service.
    NewService,
    /// The device never used this service of this peer.
    NewPeer,
    /// The device never used this name, title or command.
    NewFact(FactKind),
    /// The responder never had this client.
    NewClient,
    /// The responder never offered this service.
    NewOffer,
    /// The device never behaved like this on this service.
    NewShape,
    /// The flow is far from every behaviour; the feature that stands out most.
    OddShape(u8),
    /// More bytes or time than this device's flows of the service have; the feature.
    Volume(u8),
    /// More flows to one target in a minute than usual.
    FlowRate,
    /// More targets in a minute than usual.
    TargetRate,
    /// More failed attempts in a minute than usual.
    FailedRate,
    /// More failed logins in a minute than usual.
    LoginFailures,
    /// More files changed on shares in a minute than usual.
    FileChanges,
    /// More targets in an hour than usual.
    SlowTargets,
    /// More failed attempts and logins in an hour than usual.
    SlowFailures,
    /// More flows to a service in a minute than it usually gets.
    ServedRate,
    /// More clients of a service in a minute than it usually has.
    ClientRate,
    /// New conversations that come like a clock.
    Rhythm,
    /// An address that two interfaces claim in turn.
    AddressDispute,
    /// A conversation that never stopped for long has stopped.
    Silence,
    /// The same new thing in many devices.
    Population,
}

impl Evidence {
    /// Is it something new that the initiator does: a service, a peer, a name?
    #[must_use]
    pub const fn is_by_initiator(self) -> bool {
        matches!(self, Self::NewService | Self::NewPeer | Self::NewFact(_))
    }

    /// Is it a fact about the device or its whole minute, shared by all flows that took part?
    #[must_use]
    pub const fn is_shared(self) -> bool {
        matches!(
            self,
            Self::NewDevice
                | Self::TargetRate
                | Self::FailedRate
                | Self::LoginFailures
                | Self::FileChanges
                | Self::SlowTargets
                | Self::SlowFailures
                | Self::ServedRate
                | Self::ClientRate
        )
    }

    /// Does it speak of the responder that got too much, rather than of one initiator?
    #[must_use]
    pub const fn is_crowd(self) -> bool {
        matches!(self, Self::ServedRate | Self::ClientRate)
    }
}

/// Whose usual range an observation is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// The device's own.
    Device,
    /// That of devices of its role, or of the network, where the device is not known well.
    Network,
    /// The behaviour's that the flow resembles most.
    Behaviour,
}

impl Of {
    /// As written in alerts.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Device => "this device",
            Self::Network => "devices like it",
            Self::Behaviour => "flows of this kind",
        }
    }
}

/// One part of a flow's surprise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Contribution {
    /// What was surprising.
    pub evidence: Evidence,
    /// What was observed, in the evidence's own unit (new: how many minutes of the device's life were without it).
    pub observed: f64,
    /// The usual range.
    pub usual: (f64, f64),
    /// Whose.
    pub of: Of,
    /// What is new, as a hash, where the same may be new in several conversations; 0 for what each has by itself.
    pub about: u64,
    /// Those of the bits that are prior odds, for what is touched, rather than rarity.
    pub prior_bits: f64,
    /// Surprise in bits.
    pub bits: f64,
}

impl Contribution {
    /// The one with more bits.
    #[must_use]
    pub fn stronger(self, other: Option<Self>) -> Self {
        other.filter(|other| other.bits > self.bits).unwrap_or(self)
    }
}

/// Takes the stronger of two contributions that may be missing.
pub(super) fn strongest(a: Option<Contribution>, b: Option<Contribution>) -> Option<Contribution> {
    a.map(|a| a.stronger(b)).or(b)
}
