//! What makes a flow surprising, as numbers.

use serde::{Deserialize, Serialize};

use crate::feature::{BYTES_ORIG, FactKind, SCHEMA};

/// A kind of surprise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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
    /// Several odd flows of one conversation in a row.
    OddFlows,
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
    /// More names in a minute that do not exist than usual.
    NamesMissing,
    /// More requests turned down in a minute than usual.
    Refusals,
    /// A remote call that takes control of another device or of a domain, where nothing is known of who does so.
    RemoteControl,
    /// Many long names asked for in one domain, where nothing is known of who does so.
    NameBytes,
    /// Many addresses that nobody has, asked for by address resolution.
    AddressesAsked,
    /// More targets in an hour than usual.
    SlowTargets,
    /// More failed attempts and logins in an hour than usual.
    SlowFailures,
    /// More accounts in an hour than usual for which log-ins failed and that did not get in.
    AccountsRefused,
    /// More bytes carried out of the network in an hour than usual.
    SentOut,
    /// More exchanges with a service at home in an hour than usual.
    Asking,
    /// More exchanges from outside with a service in an hour than it usually has.
    Asked,
    /// More connections by strangers in an hour than usual that are as long as an earlier one of theirs.
    Repeats,
    /// More flows to a service in a minute than it usually gets.
    ServedRate,
    /// More clients of a service in a minute than it usually has.
    ClientRate,
    /// New conversations that come like a clock.
    Rhythm,
    /// What a device does about a name that is new to it comes like a clock.
    NameRhythm,
    /// An address that two interfaces claim in turn.
    AddressDispute,
    /// A conversation that never stopped for long has stopped.
    Silence,
    /// A device hands out addresses that never did.
    Leases,
    /// The same new thing in many devices.
    Population,
    /// A device says that it is a router of IPv6, and never did.
    Routes,
    /// A device answers for names as if they were its own.
    NamesGiven,
    /// A connection to one of whom nobody knows anything has gone on for long.
    LongConnection,
}

/// Evidence that is of one kind only, and its name in an alert.
const NAMES: [(Evidence, &str); 35] = [
    (Evidence::NewDevice, "new_device"),
    (Evidence::NewService, "new_service"),
    (Evidence::NewPeer, "new_peer"),
    (Evidence::NewClient, "new_client"),
    (Evidence::NewOffer, "new_service_offered"),
    (Evidence::NewShape, "new_behaviour"),
    (Evidence::OddFlows, "odd_flows"),
    (Evidence::FlowRate, "flows_to_target_per_min"),
    (Evidence::TargetRate, "targets_per_min"),
    (Evidence::FailedRate, "failed_per_min"),
    (Evidence::LoginFailures, "login_failures_per_min"),
    (Evidence::FileChanges, "file_changes_per_min"),
    (Evidence::NamesMissing, "names_missing_per_min"),
    (Evidence::Refusals, "refusals_per_min"),
    (Evidence::RemoteControl, "remote_control_calls"),
    (Evidence::NameBytes, "dns_name_bytes_per_min"),
    (Evidence::AddressesAsked, "addresses_asked_per_min"),
    (Evidence::SlowTargets, "targets_per_hour"),
    (Evidence::SlowFailures, "failed_per_hour"),
    (Evidence::AccountsRefused, "accounts_refused_per_hour"),
    (Evidence::SentOut, "bytes_sent_out_per_hour"),
    (Evidence::Asking, "exchanges_per_hour"),
    (Evidence::Asked, "exchanges_served_per_hour"),
    (Evidence::Repeats, "repeats_served_per_hour"),
    (Evidence::ServedRate, "flows_served_per_min"),
    (Evidence::ClientRate, "clients_per_min"),
    (Evidence::Rhythm, "period_s"),
    (Evidence::NameRhythm, "name_period_s"),
    (Evidence::AddressDispute, "address_changes"),
    (Evidence::Silence, "silence_min"),
    (Evidence::Leases, "devices_that_hand_out_addresses"),
    (Evidence::Population, "devices_with_the_same_news"),
    (Evidence::Routes, "devices_that_advertise_routes"),
    (Evidence::NamesGiven, "names_answered_for"),
    (Evidence::LongConnection, "connection_h"),
];

impl Evidence {
    /// What was looked at: a feature of the schema, or the name of a comparison.
    #[must_use]
    pub fn feature(self) -> &'static str {
        match self {
            Self::NewFact(_) => "new_fact",
            Self::OddShape(index) | Self::Volume(index) => SCHEMA[usize::from(index)].name,
            other => NAMES.iter().find(|(known, _)| *known == other).map_or("", |(_, name)| name),
        }
    }

    /// The evidence of a [`feature`](Self::feature), with the fact that it is about, if any; of a feature of the schema it is an
    /// odd shape where a distance was told, else a volume. None of an unknown name.
    #[must_use]
    pub fn of_feature(feature: &str, fact: Option<FactKind>, has_distance: bool) -> Option<Self> {
        if feature == "new_fact" {
            return fact.map(Self::NewFact);
        }
        let index = || SCHEMA.iter().position(|known| known.name == feature).map(|index| index as u8);
        let named = NAMES.iter().find(|(_, name)| *name == feature).map(|(evidence, _)| *evidence);
        named.or_else(|| index().map(if has_distance { Self::OddShape } else { Self::Volume }))
    }

    /// MITRE ATT&CK technique and tactic, where it tells more than the class of its incident.
    #[must_use]
    pub const fn attack(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Leases => Some(("T1557.003", "TA0006")),
            Self::Routes => Some(("T1557", "TA0006")),
            Self::NamesGiven => Some(("T1557.001", "TA0006")),
            Self::AccountsRefused => Some(("T1110.003", "TA0006")),
            Self::NewFact(FactKind::Application) => Some(("T1571", "TA0011")),
            _ => None,
        }
    }

    /// Is it something new that the initiator does: a service, a peer, a name?
    #[must_use]
    pub const fn is_by_initiator(self) -> bool {
        matches!(self, Self::NewService | Self::NewPeer | Self::NewFact(_))
    }

    /// Is it new about one flow, or odd about its shape?
    #[must_use]
    pub const fn is_of_flow(self) -> bool {
        self.is_by_initiator()
            || matches!(self, Self::NewClient | Self::NewOffer | Self::NewShape | Self::OddShape(_) | Self::Volume(_))
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
                | Self::NamesMissing
                | Self::Refusals
                | Self::SlowTargets
                | Self::SlowFailures
                | Self::AccountsRefused
                | Self::SentOut
                | Self::Asking
                | Self::Asked
                | Self::Repeats
                | Self::ServedRate
                | Self::ClientRate
        )
    }

    /// Is it a name that was asked for?
    #[must_use]
    pub const fn is_name(self) -> bool {
        matches!(self, Self::NewFact(FactKind::Domain | FactKind::Name))
    }

    /// Is it that something comes like a clock, or goes on for long?
    #[must_use]
    pub const fn is_rhythm(self) -> bool {
        matches!(self, Self::Rhythm | Self::NameRhythm | Self::LongConnection)
    }

    /// Does it tell of passwords that are tried?
    #[must_use]
    pub const fn is_of_trying(self) -> bool {
        matches!(
            self,
            Self::LoginFailures | Self::AccountsRefused | Self::FlowRate | Self::FailedRate | Self::Refusals | Self::Repeats
        )
    }

    /// Does it speak of the responder that got too much, rather than of one initiator?
    #[must_use]
    pub const fn is_crowd(self) -> bool {
        matches!(self, Self::ServedRate | Self::ClientRate | Self::Asked | Self::Repeats)
    }
}

/// Whose usual range an observation is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Of {
    /// The device's own.
    Device,
    /// That of devices of its role, or of the network, where the device is not known well.
    Network,
    /// The behaviour's that the flow resembles most.
    Behaviour,
    /// That of ordinary devices of any network.
    AnyNetwork,
    /// Of a device of which little is known, or that has just been switched on: that of the busiest minute or hour of each device of its role, or of the network.
    Busiest,
}

impl Of {
    const ALL: [Self; 5] = [Self::Device, Self::Network, Self::Behaviour, Self::AnyNetwork, Self::Busiest];

    /// That of this text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|of| of.text() == text)
    }

    /// As written in alerts.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Device => "this device",
            Self::Network => "devices like it",
            Self::Behaviour => "flows of this kind",
            Self::AnyNetwork => "any network",
            Self::Busiest => "busiest of its kind",
        }
    }
}

/// One part of a flow's surprise.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
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
    /// What else the bits were drawn from.
    pub detail: Detail,
    /// Surprise in bits.
    pub bits: f64,
}

/// What bits were drawn from where it is not what was observed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Detail {
    /// Nothing else.
    #[default]
    Nothing,
    /// How far a flow is from its behaviour, in radii of it.
    Distance(f32),
    /// The behaviour that is new, by its place in the vocabulary.
    Behaviour(u16),
    /// A later segment of a long flow, compared with such; of a device that never had any, with its whole flows.
    Later,
    /// Something new at an hour at which the device was never at work, on so many days.
    OddHour(u32),
    /// Something new with one outside that the device served before.
    CallBack,
    /// A burst by who reads pages: no more than such bursts count.
    Pages,
    /// Something new that answers with many times what it is asked.
    Amplified,
    /// Something new that sends packets without end, of which none is answered.
    Flooding,
    /// A name by which another device alone called itself.
    NameOfAnother,
    /// A call by a server that called nobody outside but by the web.
    CallsOut,
    /// One of so many devices at home that were reached within an hour by a service that was never used, or by which one logs in.
    Reaches(u32),
    /// A conversation that stopped while the device that begins it goes on.
    GoesOn,
    /// A new device behind whose one interface others are: hop limits are lowered.
    Hides,
}

impl Contribution {
    /// So many bits for what was observed, with no usual range, about nothing that others share, of the device's own.
    #[must_use]
    pub const fn of(evidence: Evidence, observed: f64, bits: f64) -> Self {
        let (usual, of, detail) = ((0.0, 0.0), Of::Device, Detail::Nothing);
        Self { evidence, observed, usual, of, about: 0, prior_bits: 0.0, detail, bits }
    }

    /// Does it count for what it is made for: a tool, an application on the port of another, a domain whose names carry data, a call that takes control? That is no question of how
    /// seldom it comes, so that what is ordinary says nothing of it.
    pub(super) const fn is_of_tool(&self) -> bool {
        let is_one = matches!(
            self.evidence,
            Evidence::NewFact(FactKind::Tool | FactKind::Application | FactKind::Domain | FactKind::RemoteControl)
        );
        is_one && self.prior_bits > 0.0
    }

    /// Is it of the bytes that its flow sent?
    pub(super) const fn is_of_bytes_sent(&self) -> bool {
        matches!(self.evidence, Evidence::Volume(feature) if feature as usize == BYTES_ORIG)
    }

    /// Is it something new that other devices may begin at the same time?
    pub(super) const fn is_news(&self) -> bool {
        self.about != 0 && self.evidence.is_by_initiator()
    }
}

/// Keeps the stronger of what was found so far and what came next, of those that are as strong the first: little is copied where the next is no
/// stronger.
pub(super) fn keep(kept: &mut Option<Contribution>, next: Option<Contribution>) {
    if let Some(next) = next
        && kept.as_ref().is_none_or(|kept| next.bits > kept.bits)
    {
        *kept = Some(next);
    }
}
