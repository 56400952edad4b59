//! What the model and the detector learn from and judge: a flow without its bytes, its ports and its protocol's details.

use core::fmt;
use core::net::IpAddr;
use core::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::fact::{Fact, FactKind, facts};
use super::{COUNT, extract};
use crate::app::{Accounts, App, Events, FIRST_DRAWN, Facts, Family};
use crate::flow::{DirectionBasis, FlowRecord, HomeNets, Service, Sight, is_group, is_own_group};
use crate::time::Timestamp;
use crate::wire::{Addr, Mac};

/// A device as baselines know it: its address, or the one that stands for all of its addresses, or its interface (MAC address) where others have had
/// its addresses, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Host(pub Addr);

/// What stands before an interface in a [`Host`]: a prefix that nobody sends from or to (RFC 6666).
const OF_INTERFACE: u128 = 0x0100 << 112;

/// As text: the address, or the interface.
impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.interface() {
            Some(mac) => mac.fmt(f),
            None => self.0.fmt(f),
        }
    }
}

impl Host {
    /// The device with this interface, whatever its address.
    #[must_use]
    pub fn of_interface(mac: Mac) -> Self {
        let number = mac.0.iter().fold(0_u128, |number, &byte| number << 8 | u128::from(byte));
        Self(Addr::v6((OF_INTERFACE | number).to_be_bytes()))
    }

    /// Its interface, where that is what it is known by.
    #[must_use]
    pub fn interface(self) -> Option<Mac> {
        let bits = self.0.bits();
        let [_, _, mac @ ..] = ((bits & ((1 << 48) - 1)) as u64).to_be_bytes();
        (bits >> 48 == OF_INTERFACE >> 48).then_some(Mac(mac))
    }

    /// Is it one device's address, rather than a group's, none, or a link-local one beside the device's real address?
    #[must_use]
    pub fn is_device(self) -> bool {
        let special = match self.0.ip() {
            IpAddr::V4(ip) => ip.is_unspecified() || ip.is_link_local(),
            IpAddr::V6(ip) => ip.is_unspecified() || ip.is_unicast_link_local(),
        };
        !special && !is_group(self.0)
    }
}

impl FromStr for Host {
    type Err = core::net::AddrParseError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // An address in text is longer or shorter, or has other parts.
        text.parse().map_or_else(|_| text.parse().map(Self), |mac| Ok(Self::of_interface(mac)))
    }
}

impl Serialize for Host {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() { serializer.collect_str(self) } else { self.0.serialize(serializer) }
    }
}

impl<'de> Deserialize<'de> for Host {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
        } else {
            Addr::deserialize(deserializer).map(Self)
        }
    }
}

/// Index of the feature `duration_s`.
pub const DURATION: usize = 0;
/// Index of the feature `packets_orig`.
pub const PACKETS_ORIG: usize = 1;
/// Index of the feature `packets_resp`.
pub const PACKETS_RESP: usize = 2;
/// Index of the feature `payload_bytes_orig`.
pub const BYTES_ORIG: usize = 3;
/// Index of the feature `payload_bytes_resp`.
pub const BYTES_RESP: usize = 4;
const TCP: u8 = 6;
const UDP: u8 = 17;
/// Where TFTP is asked for, and the port from which an FTP server connects.
const TFTP: u16 = 69;
const FTP_DATA: u16 = 20;
/// Applications whose log-ins that fail are counted since which rules of counting: earlier models know nothing of them.
const LOGINS_BY: [(App, u32); 3] = [(App::Ssh, 2), (App::Radius, 3), (App::Http, 6)];
/// The rules since which requests by OPC UA are facts.
const OPC_UA_SINCE: u32 = 4;
/// What carries out sends so many times what it gets.
const MORE_SENT: f32 = 2.0;
/// Index of the feature `turns`.
pub const TURNS: usize = 19;
/// Index of the feature `answered`.
const ANSWERED: usize = 26;
/// Index of the feature `dns_queries`.
pub const DNS_QUERIES: usize = 39;
/// Index of the feature `dns_name_mean_bytes`.
pub const DNS_NAME_BYTES: usize = 40;
/// Index of the feature `dns_odd_type_share`.
pub const DNS_ODD_TYPES: usize = 43;

/// One flow, or a first look at one, as a baseline sees it.
#[derive(Clone, Debug)]
pub struct Observation {
    /// The tick at which it could be known.
    pub seen: Timestamp,
    /// The tick at which it was first known, earlier than `seen` when it was looked at while open.
    pub first_seen: Timestamp,
    /// First packet.
    pub start: Timestamp,
    /// Last packet.
    pub end: Timestamp,
    /// Initiator.
    pub orig: Host,
    /// Responder.
    pub resp: Host,
    /// Interfaces of initiator and responder, or of the routers before them; none where the link layer does not say.
    pub macs: [Mac; 2],
    /// Are these the interfaces to which the addresses were leased (DHCP), whatever the link layer says?
    pub leased: [bool; 2],
    /// Is the initiator at home?
    pub orig_local: bool,
    /// Is the responder at home?
    pub resp_local: bool,
    /// What was asked for.
    pub service: Service,
    /// Application.
    pub app: App,
    /// What its application said of itself.
    pub facts: Vec<Fact>,
    /// Whether the detector has met it before.
    pub sight: Sight,
    /// Did the attempt to connect fail?
    pub failed: bool,
    /// What happened within its application, and was not told by an earlier look.
    pub events: Events,
    /// Was it under way at its first packet?
    pub under_way: bool,
    /// What was asked for if its ends are the other way round; none where something told who began it.
    pub turned: Option<Service>,
    /// Is it a later segment of a long flow?
    pub continued: bool,
    /// Did the responder pass it on to who was named, as proxies do?
    pub passed_on: bool,
    /// Has one router lowered the hop limit of its initiator's first packet? Systems begin with 64, 128 or 255.
    pub crossed_router: bool,
    /// Its features.
    pub vector: [f32; COUNT],
}

/// Names that a flow asked a resolver for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NamesAsked {
    /// The domain of the first.
    pub domain: Fact,
    /// Their mean length.
    pub mean_bytes: f32,
    /// The bytes of all; of a flow that lasted longer than a minute, in one.
    pub bytes_per_minute: f64,
    /// Share of questions for records that clients do not ask for (TXT, NULL, CNAME, MX).
    pub odd_share: f64,
}

impl Observation {
    /// What a record tells, known at `seen`.
    #[must_use]
    pub fn of(record: &FlowRecord, seen: Timestamp, home: &HomeNets) -> Self {
        Self::with_room(record, seen, home, Vec::new())
    }

    /// The same in the place of one that nobody needs any more.
    pub fn renew(&mut self, record: &FlowRecord, seen: Timestamp, home: &HomeNets) {
        let room = std::mem::take(&mut self.facts);
        *self = Self::with_room(record, seen, home, room);
    }

    /// Its facts take the room of others.
    fn with_room(record: &FlowRecord, seen: Timestamp, home: &HomeNets, room: Vec<Fact>) -> Self {
        let (orig, resp) = (record.orig_addr(), record.resp_addr());
        Self {
            seen,
            first_seen: record.looked_at.unwrap_or(seen),
            start: record.start,
            end: record.end,
            orig: Host(orig),
            resp: Host(resp),
            macs: record.macs.map(Mac),
            leased: [false; 2],
            orig_local: home.contains(orig),
            resp_local: home.contains(resp) || is_group(resp),
            service: service(record),
            app: record.app.0,
            facts: facts(record, room),
            sight: record.sight,
            failed: record.failed(),
            events: record.events.since(record.told_events),
            under_way: record.under_way,
            turned: turned(record),
            continued: record.segment > 0,
            passed_on: record.facts.as_deref().is_some_and(Facts::passes_on),
            crossed_router: matches!(record.orig.ttl, 63 | 127 | 254),
            vector: extract(record).map(|value| value as f32),
        }
    }

    /// Names its ends, their interfaces and its facts as `record` does, whose names were replaced.
    pub fn rename(&mut self, record: &FlowRecord) {
        (self.orig, self.resp) = (Host(record.orig_addr()), Host(record.resp_addr()));
        (self.macs, self.leased) = (record.macs.map(Mac), [false; 2]);
        self.facts = facts(record, std::mem::take(&mut self.facts));
    }

    /// Was anything of its initiator heard, rather than of its responder alone?
    #[must_use]
    pub fn is_heard_of_initiator(&self) -> bool {
        self.vector[PACKETS_ORIG] > 0.0
    }

    /// Was only kept alive what began before, for which an end repeats at most one byte (RFC 9293, 3.8.4)?
    #[must_use]
    pub fn is_only_kept_alive(&self) -> bool {
        let [packets, bytes] = [PACKETS_ORIG, BYTES_ORIG].map(|of_orig| self.vector[of_orig] + self.vector[of_orig + 1]);
        self.continued && self.service.protocol == TCP && bytes <= packets
    }

    /// The names that it asked a resolver for, where their domain is known.
    #[must_use]
    pub fn names_asked(&self) -> Option<NamesAsked> {
        let domain = self.facts.iter().copied().find(|fact| fact.kind == FactKind::Domain)?;
        let mean_bytes = self.vector[DNS_NAME_BYTES];
        let bytes_per_minute = f64::from(mean_bytes * self.vector[DNS_QUERIES]) / self.minutes();
        let odd_share = f64::from(self.vector[DNS_ODD_TYPES]);
        (self.app == App::Dns).then_some(NamesAsked { domain, mean_bytes, bytes_per_minute, odd_share })
    }

    /// How long it lasted, in minutes, at least one.
    #[must_use]
    pub fn minutes(&self) -> f64 {
        (self.end.since(self.start).as_seconds() / 60.0).max(1.0)
    }

    /// Does it ask by a connection and bring about as much as it takes? Whoever types has no answer to each key, a study has as many images as it
    /// has, what a proxy is asked for is asked of others, and who hands in results, mail or images is answered with a word for each.
    #[must_use]
    pub fn asks(&self) -> bool {
        let is_other = matches!(self.app, App::Dicom | App::Rdp | App::Rfb | App::Ssh | App::Telnet);
        let brings = 2.0 * self.vector[BYTES_RESP] >= self.vector[BYTES_ORIG];
        self.service.connects() && !self.passed_on && !is_other && brings
    }

    /// Bytes that it carries out of the network, being complete and sending more than it brings. Over datagrams people talk and meet, but for what
    /// carries pages.
    #[must_use]
    pub fn carries_out(&self) -> Option<f32> {
        let [sent, got] = [self.vector[BYTES_ORIG], self.vector[BYTES_RESP]];
        let leaves = self.goes_out() && self.orig.is_device() && self.is_complete();
        let is_kind = self.service.connects() || self.app == App::Quic;
        (leaves && is_kind && sent > 0.0 && sent >= MORE_SENT * got).then_some(sent)
    }

    /// How often its initiator said something and was answered, about.
    #[must_use]
    pub fn exchanges(&self) -> u32 {
        (self.vector[TURNS] as u32).div_ceil(2)
    }

    /// Is it met for the first time?
    #[must_use]
    pub fn is_first_sight(&self) -> bool {
        !matches!(self.sight, Sight::Again | Sight::Between) && !self.continued
    }

    /// Is it said to a group of devices, or to all of a link?
    #[must_use]
    pub fn is_to_group(&self) -> bool {
        is_group(self.resp.0) || self.macs[1].is_group()
    }

    /// Is it between devices at home, in a language that nobody knows, as makers have their own? What is said to all is none; what is said to a group that the
    /// network made for it may be.
    #[must_use]
    pub fn is_of_unknown_kind(&self) -> bool {
        self.app == App::Unknown && self.stays_home() && (!self.is_to_group() || is_own_group(self.resp.0))
    }

    /// Is it care of patients or control of machines?
    #[must_use]
    pub const fn is_critical(&self) -> bool {
        matches!(self.app.family(), Family::Clinical | Family::Industrial)
    }

    /// Is it between devices at home, and no question for a name, which is the first step of a way out?
    #[must_use]
    pub const fn stays_home(&self) -> bool {
        self.orig_local && self.resp_local && !matches!(self.app, App::Dns)
    }

    /// Does it leave home by something else than a name: is what is new about it none, and is it no question for one?
    #[must_use]
    pub const fn leads_out(&self, is_named: bool) -> bool {
        self.goes_out() && !is_named && !matches!(self.app, App::Dns)
    }

    /// Takes away what a model by these rules of counting (0 and up; see `RULES` of the model) does not count yet.
    pub fn forget_since(&mut self, rules: u32) {
        if LOGINS_BY.iter().any(|&(app, since)| self.app == app && rules < since) {
            (self.events.login_failures, self.events.accounts) = (0, Accounts::default());
        }
        if self.app == App::OpcUa && rules < OPC_UA_SINCE {
            self.facts.retain(|fact| !matches!(fact.kind, FactKind::ControllerRequest | FactKind::ControllerChange));
        }
    }

    /// Does it come from behind the interface of one device, which has its address leased, rather than from that device: does that hide others?
    #[must_use]
    pub const fn is_from_behind(&self) -> bool {
        self.crossed_router && self.leased[0] && self.orig_local
    }

    /// Does it come from outside?
    #[must_use]
    pub const fn comes_in(&self) -> bool {
        !self.orig_local && self.resp_local
    }

    /// Does it go from home to the outside?
    #[must_use]
    pub const fn goes_out(&self) -> bool {
        self.orig_local && !self.resp_local
    }

    /// Is it a whole connection from outside by which a password may have been tried, unseen: one that is encrypted, or by which one logs in?
    #[must_use]
    pub fn may_try(&self) -> bool {
        let hides = self.app == App::Tls || self.app.family() == Family::Access;
        hides && self.comes_in() && self.service.protocol == TCP && self.is_complete() && !self.continued && self.answered()
    }

    /// Did the responder send anything but a refusal?
    #[must_use]
    pub fn answered(&self) -> bool {
        self.vector[ANSWERED] > 0.0 && !self.failed
    }

    /// Did the responder refuse it?
    #[must_use]
    pub fn refused(&self) -> bool {
        self.vector[ANSWERED] > 0.0 && self.failed
    }

    /// Are its events all that came since it was told of before? Of a first look they will come again.
    #[must_use]
    pub fn counts_events(&self) -> bool {
        self.sight != Sight::Early
    }

    /// Is it complete, so that its shape can be judged?
    #[must_use]
    pub fn is_complete(&self) -> bool {
        !matches!(self.sight, Sight::Early | Sight::Between)
    }
}

/// The service of a conversation: that of its responder's port, but the one that was asked for where a server draws a port, or connects from its own, for
/// each transfer (TFTP, RFC 1350, 4; FTP, RFC 959, 3.3).
fn service(record: &FlowRecord) -> Service {
    let service = record.service();
    match (record.app.0, service.protocol, record.orig_port()) {
        (App::Tftp, UDP, FIRST_DRAWN..) if service.port >= FIRST_DRAWN => Service { port: TFTP, ..service },
        (_, TCP, FTP_DATA) if service.port >= FIRST_DRAWN && !record.failed() => Service { port: FTP_DATA, ..service },
        _ => service,
    }
}

/// The service of a conversation, were its ends the other way round, where nothing tells who began it: between two high ports when it was under way, and between
/// the same port of both ends (BACnet, NTP) when what was heard first may be the answer to a question that was lost, as an echo is.
fn turned(record: &FlowRecord) -> Option<Service> {
    let is_guess = matches!(record.direction, DirectionBasis::FirstPacket | DirectionBasis::HomeNet);
    let is_of_one_port = record.key.protocol == 17 && record.key.low_port == record.key.high_port;
    if let Some(request) = record.service().echo_request() {
        return Some(request);
    }
    (is_guess && (record.under_way || is_of_one_port)).then(|| Service { port: record.orig_port(), ..record.service() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::testing::{packet, payload, tcp};
    use crate::flow::{FlowKey, FlowLimits, Shard};

    #[test]
    fn a_device_that_is_known_by_its_interface_is_written_so_and_read_again() {
        let host = Host::of_interface(Mac([0xa4, 0xbb, 0x6d, 0, 1, 0xff]));
        assert_eq!(host.to_string(), "a4:bb:6d:00:01:ff");
        assert_eq!(host.to_string().parse(), Ok(host));
        assert!(host.is_device() && !host.0.is_v4());
        for address in ["10.0.0.1", "::1", "100:0:0:1::2", "fd00::a4bb:6d00:1ff"] {
            let host: Host = address.parse().unwrap();
            assert_eq!((host.interface(), host.to_string().as_str()), (None, address));
        }
        assert!("a4:bb:6d:00:01".parse::<Host>().is_err());
    }

    #[test]
    fn a_transfer_over_a_drawn_port_is_of_the_service_that_was_asked_for() {
        let service = |ports: (u16, u16), protocol: u8, said: &[u8]| {
            let (limits, home) = (FlowLimits::default().check().unwrap(), HomeNets::default());
            let (mut shard, mut out) = (Shard::default(), Vec::<Box<FlowRecord>>::new());
            let ends = [(1, ports.0), (2, ports.1)];
            for (from, to, flags) in [(0, 1, 0x02), (1, 0, 0x12), (0, 1, 0x18)] {
                let sent = packet(0, ends[from].0, ends[from].1, ends[to].0, ends[to].1, protocol);
                let sent = if protocol == TCP { tcp(sent, 1, 1, flags) } else { payload(sent, said.len() as u32) };
                let (key, from_low) = FlowKey::of(&sent);
                shard.packet((key, from_low, key.hash()), &sent, said, (&limits, &home), &mut out);
            }
            shard.finish(&limits, Timestamp::from_nanos(0), &mut out);
            Observation::of(&out[0], Timestamp::from_nanos(0), &home).service.port
        };
        let acknowledged = [0, 4, 0, 0];
        assert_eq!(service((50_000, 50_001), UDP, &acknowledged), TFTP);
        assert_eq!([service((50_000, 50_001), UDP, &[9; 4]), service((50_000, 514), UDP, &acknowledged)], [50_001, 514]);
        assert_eq!([service((20, 50_001), TCP, &[]), service((21, 50_001), TCP, &[])], [FTP_DATA, 50_001]);
    }

    #[test]
    fn ends_may_be_the_other_way_round_where_nothing_tells_who_began() {
        let may_be = |ports: (u16, u16), protocol: u8| {
            let (limits, home) = (FlowLimits::default().check().unwrap(), HomeNets::default());
            let (mut shard, mut out) = (Shard::default(), Vec::<Box<FlowRecord>>::new());
            let seen = packet(0, 1, ports.0, 2, ports.1, protocol);
            let (key, from_low) = FlowKey::of(&seen);
            shard.packet((key, from_low, key.hash()), &seen, &[], (&limits, &home), &mut out);
            shard.finish(&limits, seen.time, &mut out);
            turned(&out[0]).map(|service| (service.protocol, service.port))
        };
        assert_eq!(may_be((47_808, 47_808), 17), Some((17, 47_808)), "what was heard first may be the answer");
        assert_eq!([may_be((50_000, 47_808), 17), may_be((50_000, 123), 17)], [None; 2]);
        assert_eq!((may_be((0, 0), 1), may_be((129, 0), 58)), (Some((1, 8)), Some((58, 128))), "an echo without its request");
        assert_eq!([may_be((8, 0), 1), may_be((3, 1), 1)], [None; 2]);
    }

    #[test]
    fn the_index_is_the_feature() {
        let names = [ANSWERED, PACKETS_ORIG, TURNS, BYTES_ORIG, BYTES_RESP].map(|place| crate::feature::SCHEMA[place].name);
        assert_eq!(names, ["answered", "packets_orig", "turns", "payload_bytes_orig", "payload_bytes_resp"]);
    }
}
