//! What applications say of themselves, as values that can be known or new: names, titles, commands.

use core::fmt;
use core::net::IpAddr;
use core::ops::RangeInclusive;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{controller, tool};
use crate::app::{
    App, Basis, DceRpcFacts, DicomFacts, Facts, Family, HEARTBLEED, Hl7Facts, KerberosFacts, MqttFacts, Ports, SHORT_LABEL,
    SmbFacts,
};
use crate::flow::{FlowRecord, Service};
use crate::wire::Addr;

/// What a fact speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum FactKind {
    /// The registrable part of a name that was asked for: the last two labels, three where the last but one is short.
    Domain,
    /// The whole name that was asked for (DNS, TLS, HTTP).
    Name,
    /// Title of the calling DICOM application entity.
    CallingAe,
    /// Title of the called DICOM application entity.
    CalledAe,
    /// Kind of a DICOM command.
    DicomCommand,
    /// Type and trigger of an HL7 message.
    Hl7Type,
    /// Application that sends HL7 messages.
    Hl7Sender,
    /// Method of an HTTP request.
    HttpMethod,
    /// Kind of an MQTT packet.
    MqttPacket,
    /// Software of an SSH client.
    SshSoftware,
    /// Protocol inside TLS.
    Alpn,
    /// Remote procedure call that takes control of another device or of a domain.
    RemoteControl,
    /// Interface for remote procedure calls, by the name of its service or pipe, or a share for administration.
    RemoteInterface,
    /// What a controller is asked to do: to read, to write, to stop (Modbus, S7, DNP3, IEC 104, CIP, BACnet, OPC UA).
    ControllerRequest,
    /// The same of one controller, where it changes that.
    ControllerChange,
    /// An application on the well-known port of another.
    Application,
    /// What a Kerberos ticket is sealed with or asked for by, as far as it gives passwords away.
    Ticket,
    /// A tool that lets others in, hides where traffic goes or turns a server against others, known by the name of its server or by what it does.
    Tool,
    /// A country that is called by telephone.
    CountryCalled,
    /// What a device publishes over MQTT, by a hash.
    MqttTopic,
    /// A program that hides traffic, works for others or gives a command line away, known by how it speaks.
    Program,
}

impl FactKind {
    const ALL: [(Self, &'static str, &'static str); 21] = [
        (Self::Domain, "domain", "domain"),
        (Self::Name, "name", "name"),
        (Self::CallingAe, "calling_ae", "calling AE title"),
        (Self::CalledAe, "called_ae", "called AE title"),
        (Self::DicomCommand, "dicom_command", "DICOM command"),
        (Self::Hl7Type, "hl7_type", "HL7 message type"),
        (Self::Hl7Sender, "hl7_sender", "HL7 sending application"),
        (Self::HttpMethod, "http_method", "HTTP method"),
        (Self::MqttPacket, "mqtt_packet", "MQTT packet"),
        (Self::SshSoftware, "ssh_software", "SSH software"),
        (Self::Alpn, "alpn", "protocol inside TLS"),
        (Self::RemoteControl, "remote_control", "remote call"),
        (Self::RemoteInterface, "remote_interface", "remote interface"),
        (Self::ControllerRequest, "controller_request", "request to a controller"),
        (Self::ControllerChange, "controller_change", "request to this controller"),
        (Self::Application, "application", "application on this port"),
        (Self::Ticket, "ticket", "kind of ticket"),
        (Self::Tool, "tool", "tool"),
        (Self::CountryCalled, "country_called", "country called"),
        (Self::MqttTopic, "mqtt_topic", "MQTT topic"),
        (Self::Program, "program", "program"),
    ];

    /// All kinds.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::ALL.iter().map(|&(kind, ..)| kind)
    }

    /// Is it what is asked of the other end, rather than a name that is looked up, a way of speaking, or what a device calls itself?
    #[must_use]
    pub const fn is_asked(self) -> bool {
        matches!(
            self,
            Self::CalledAe
                | Self::DicomCommand
                | Self::Hl7Type
                | Self::MqttPacket
                | Self::RemoteControl
                | Self::RemoteInterface
                | Self::ControllerRequest
                | Self::ControllerChange
                | Self::Ticket
                | Self::CountryCalled
        )
    }

    /// Its name in a record.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL[self as usize].1
    }

    /// The same in words.
    #[must_use]
    pub fn phrase(self) -> &'static str {
        Self::ALL[self as usize].2
    }
}

/// An MQTT packet that asks for every topic.
pub const SUBSCRIBE_ALL: &str = "subscribe to all";
/// Opening files of a domain's policies to change them, by which all its computers are controlled.
pub const POLICY_CHANGE: &str = "change of a domain's policies";

/// The texts of a [`FactKind::Ticket`] that let a password be guessed: of the service's account from its ticket, of the client's from an answer that
/// anybody gets.
pub const WEAK_TICKETS: [&str; 2] = ["weak cipher", "without proof"];

/// The text of a [`FactKind::ControllerRequest`] that every station gives all day. All others change the controller, or give away its program.
pub const READ_REQUEST: &str = "read";
/// The texts of those that stop what a controller does, or make it begin anew or fall silent.
pub const HALTING_REQUESTS: [&str; 3] = [STOP_REQUEST, RESTART_REQUEST, SILENCE_REQUEST];
pub(super) const STOP_REQUEST: &str = "stop";
pub(super) const RESTART_REQUEST: &str = "restart";
pub(super) const SILENCE_REQUEST: &str = "silence";
/// The text of one that asks for a controller's program.
pub const UPLOAD_REQUEST: &str = "upload";

/// A fact as a baseline keeps it: its kind and a hash of its text, enough to tell known from new, not enough to read it.
/// In 12 bytes, because devices keep many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(Rust, packed(4))]
pub struct Fact {
    /// What it speaks of.
    pub kind: FactKind,
    /// FNV-1a of the text in lower case, 64 bits; where it speaks of the responder or its port, of that too.
    pub hash: u64,
}

impl Fact {
    /// The first and the last fact of a kind in their order.
    #[must_use]
    pub const fn all(kind: FactKind) -> RangeInclusive<Self> {
        Self { kind, hash: 0 }..=Self { kind, hash: u64::MAX }
    }

    /// The fact of a text, of a kind that does not speak of the responder or its port.
    #[must_use]
    pub fn new(kind: FactKind, text: &str) -> Self {
        Self { kind, hash: fnv(0xcbf2_9ce4_8422_2325, text.bytes().map(|byte| byte.to_ascii_lowercase())) }
    }

    /// The fact of a text that was said to this responder on this service.
    #[must_use]
    pub fn of(kind: FactKind, text: &str, (resp, service): (Addr, Service)) -> Self {
        let fact = Self::new(kind, text);
        let hash = match kind {
            FactKind::ControllerChange => fnv(fact.hash, resp.bits().to_be_bytes()),
            FactKind::Application => fnv(fact.hash, [service.protocol].into_iter().chain(service.port.to_be_bytes())),
            _ => fact.hash,
        };
        Self { hash, ..fact }
    }
}

fn fnv(start: u64, bytes: impl IntoIterator<Item = u8>) -> u64 {
    bytes.into_iter().fold(start, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// `domain 00c0ffee00c0ffee`.
impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:016x}", self.kind.name(), { self.hash })
    }
}

/// A text that is no fact.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no fact such as domain 00c0ffee00c0ffee")]
pub struct ParseFactError(String);

impl FromStr for Fact {
    type Err = ParseFactError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed = text.split_once(' ').and_then(|(name, hash)| {
            let (kind, ..) = FactKind::ALL.iter().find(|(_, known, _)| *known == name)?;
            Some(Self { kind: *kind, hash: u64::from_str_radix(hash, 16).ok()? })
        });
        parsed.ok_or_else(|| ParseFactError(text.to_owned()))
    }
}

/// All facts of a flow, in the order in which they tell most, with their texts.
#[must_use]
pub fn fact_texts(record: &FlowRecord) -> Vec<(FactKind, &str)> {
    let mut found = record.facts.as_deref().map_or_else(Vec::new, said);
    found.extend(tool::seen_in(record).map(|tool| (FactKind::Tool, tool)));
    let (app, basis) = record.app;
    found.extend((basis == Basis::Content && app.family() == Family::Covert).then(|| (FactKind::Program, app.name())));
    let usual = Ports { protocol: record.key.protocol, orig: 0, resp: record.resp_port() }.app();
    let is_known = !matches!(usual, App::Unknown | App::Icmp);
    // What was heard on the port of an application and is something else.
    let is_other = basis == Basis::Content && usual != app || (app, basis) == (App::Unknown, Basis::None);
    found.extend((is_known && is_other).then(|| (FactKind::Application, app.name())));
    found
}

pub(super) fn said(facts: &Facts) -> Vec<(FactKind, &str)> {
    let mut found = Vec::new();
    if let Some(name) = facts.name() {
        found.push((FactKind::Domain, domain(name)));
        found.push((FactKind::Name, name));
        // Whoever asks what its address is does not use it yet.
        let tool = if matches!(facts, Facts::Dns(_)) { None } else { tool::of(name, domain(name)) };
        found.extend(tool.map(|tool| (FactKind::Tool, tool)));
    }
    match facts {
        Facts::Dicom(dicom) => of_dicom(dicom, &mut found),
        Facts::Hl7(hl7) => of_hl7(hl7, &mut found),
        Facts::Mqtt(mqtt) => of_mqtt(mqtt, &mut found),
        Facts::Http(http) => {
            // What is done tells more than with what.
            let tools = http.injected().into_iter().chain(http.user_agent.as_deref().and_then(tool::called));
            found.extend(tools.map(|tool| (FactKind::Tool, tool)));
            found.extend(http.method.map(|method| (FactKind::HttpMethod, method)));
        }
        Facts::Ssh(ssh) => found.extend(ssh.software_orig.as_deref().map(|text| (FactKind::SshSoftware, text))),
        Facts::Tls(tls) => {
            found.extend(tls.heartbleed.then_some((FactKind::Tool, HEARTBLEED)));
            found.extend(tls.alpn.as_deref().map(|text| (FactKind::Alpn, text)));
        }
        Facts::DceRpc(calls) => of_calls(calls, &mut found),
        Facts::Smb(smb) => of_smb(smb, &mut found),
        Facts::Kerberos(kerberos) => of_kerberos(kerberos, &mut found),
        Facts::Sip(sip) => found.extend(sip.countries_called.iter().map(|&country| (FactKind::CountryCalled, country))),
        _ => controller::of(facts, &mut found),
    }
    found
}

/// The same as a baseline keeps them, in the room of others.
pub(super) fn facts(record: &FlowRecord, mut room: Vec<Fact>) -> Vec<Fact> {
    let to = (record.resp_addr(), Service { protocol: record.key.protocol, port: record.resp_port() });
    room.clear();
    room.extend(fact_texts(record).into_iter().map(|(kind, text)| Fact::of(kind, text, to)));
    room
}

/// Does the application's metadata name the service itself, so that its address matters less?
#[must_use]
pub const fn names_service(app: App) -> bool {
    matches!(app, App::Tls | App::Quic | App::Http)
}

fn of_dicom<'f>(dicom: &'f DicomFacts, found: &mut Vec<(FactKind, &'f str)>) {
    found.extend(dicom.calling_ae.as_deref().map(|title| (FactKind::CallingAe, title)));
    found.extend(dicom.called_ae.as_deref().map(|title| (FactKind::CalledAe, title)));
    let commands =
        [(dicom.echo, "echo"), (dicom.store, "store"), (dicom.find, "find"), (dicom.get, "get"), (dicom.moves, "move")];
    found.extend(seen(&commands).map(|command| (FactKind::DicomCommand, command)));
}

fn of_hl7<'f>(hl7: &'f Hl7Facts, found: &mut Vec<(FactKind, &'f str)>) {
    found.extend(hl7.types.iter().map(|kind| (FactKind::Hl7Type, &*kind.name)));
    found.extend(hl7.sending.as_deref().map(|text| (FactKind::Hl7Sender, text)));
}

fn of_mqtt<'f>(mqtt: &'f MqttFacts, found: &mut Vec<(FactKind, &'f str)>) {
    let packets = [
        (mqtt.connect, "connect"),
        (mqtt.publish, "publish"),
        (mqtt.subscribe, "subscribe"),
        (mqtt.subscribe_all, SUBSCRIBE_ALL),
    ];
    found.extend(seen(&packets).map(|packet| (FactKind::MqttPacket, packet)));
    found.extend(mqtt.topics_sha256.iter().map(|topic| (FactKind::MqttTopic, topic)));
}

fn of_calls<'f>(calls: &'f DceRpcFacts, found: &mut Vec<(FactKind, &'f str)>) {
    found.extend(calls.controls().map(|call| (FactKind::RemoteControl, call)));
    found.extend(calls.interfaces.iter().map(|&interface| (FactKind::RemoteInterface, interface)));
}

fn of_smb<'f>(smb: &'f SmbFacts, found: &mut Vec<(FactKind, &'f str)>) {
    found.extend((smb.policies_changed > 0).then_some((FactKind::RemoteControl, POLICY_CHANGE)));
    found.extend((smb.endings_appended >= tool::MANY_ENDINGS).then_some((FactKind::Tool, tool::ENDINGS)));
    if let Some(calls) = &smb.dcerpc {
        of_calls(calls, found);
    }
    let shares = [(smb.admin_share, "ADMIN$"), (smb.drive_share, "C$")];
    let pipes = smb.named_pipes.iter().copied().chain(shares.iter().filter(|(opened, _)| *opened).map(|&(_, name)| name));
    // A pipe and the interface behind it have one name, mostly.
    for pipe in pipes.map(|pipe| (FactKind::RemoteInterface, pipe)) {
        if !found.contains(&pipe) {
            found.push(pipe);
        }
    }
}

fn of_kerberos(kerberos: &KerberosFacts, found: &mut Vec<(FactKind, &str)>) {
    let messages = &kerberos.messages;
    let [weak_cipher, without_proof] = WEAK_TICKETS;
    let tickets = [
        (messages.as_req.saturating_add(messages.tgs_req).saturating_sub(kerberos.rc4_only_requests), "usual"),
        (kerberos.rc4_only_requests.saturating_add(kerberos.weak_tickets), weak_cipher),
        // Where only the answers are seen, the proof may have been among what is not.
        (messages.as_rep.min(messages.as_req).saturating_sub(kerberos.preauthenticated), without_proof),
    ];
    found.extend(seen(&tickets).map(|ticket| (FactKind::Ticket, ticket)));
}

pub(super) fn seen<'c>(counts: &'c [(u32, &'static str)]) -> impl Iterator<Item = &'static str> + 'c {
    counts.iter().filter(|(count, _)| *count > 0).map(|&(_, name)| name)
}

pub(super) fn domain(name: &str) -> &str {
    let name = name.trim_end_matches('.');
    // An address (a request may be for one) has no part of its own that is registered.
    if name.parse::<IpAddr>().is_ok() {
        return name;
    }
    let mut labels = name.rsplit('.');
    let (Some(last), Some(second)) = (labels.next(), labels.next()) else { return name };
    let mut bytes = last.len() + 1 + second.len();
    if last.len() <= 2
        && is_short(second)
        && let Some(third) = labels.next()
    {
        bytes += 1 + third.len();
    }
    &name[name.len() - bytes..]
}

/// Is it as short as what stands for a kind of organisation under a country's code, or the pseudonym of such a label?
fn is_short(label: &str) -> bool {
    label.len() <= 3 || label.get(..SHORT_LABEL.len()).is_some_and(|start| start.eq_ignore_ascii_case(SHORT_LABEL))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::testing::{packet, payload, tcp};
    use crate::flow::{FlowKey, FlowLimits, HomeNets, Shard};
    use crate::time::Timestamp;

    #[test]
    fn domains_keep_their_registrable_part() {
        for (name, want) in [
            ("www.example.com", "example.com"),
            ("a.b.example.co.uk.", "example.co.uk"),
            ("localhost", "localhost"),
            ("10.30.5.13", "10.30.5.13"),
            ("x.de", "x.de"),
            ("a.b.S-x.de", "b.S-x.de"),
            ("", ""),
        ] {
            assert_eq!(domain(name), want);
        }
    }

    #[test]
    fn a_tool_is_known_where_it_is_used_and_not_where_its_name_is_looked_up() {
        use crate::app::{DnsFacts, TlsFacts};
        let name = Some("relay-1.net.anydesk.com".into());
        let tls = Facts::Tls(TlsFacts { server_name: name.clone(), ..TlsFacts::default() });
        let dns = Facts::Dns(DnsFacts { first_qname: name, ..DnsFacts::default() });
        let tool = (FactKind::Tool, "AnyDesk");
        assert_eq!([said(&tls).contains(&tool), said(&dns).contains(&tool)], [true, false]);
        assert!([tls, dns].iter().all(|facts| said(facts).contains(&(FactKind::Domain, "anydesk.com"))));
    }

    #[test]
    fn an_attacker_s_program_is_known_where_it_asks_a_server_of_pages() {
        use crate::app::HttpFacts;
        let asks = |user_agent: &str| Facts::Http(HttpFacts { user_agent: Some(user_agent.into()), ..HttpFacts::default() });
        assert!(said(&asks("gobuster/3.6")).contains(&(FactKind::Tool, "Gobuster")));
        assert!(said(&asks("curl/8.5.0")).iter().all(|(kind, _)| *kind != FactKind::Tool));
    }

    #[test]
    fn a_pipe_and_the_interface_behind_it_are_one_fact() {
        let mut calls = DceRpcFacts::default();
        (calls.interfaces, calls.operations) = (vec!["srvsvc"], vec!["winreg.SetValue"]);
        let smb = SmbFacts {
            named_pipes: vec!["srvsvc", "svcctl"],
            admin_share: true,
            dcerpc: Some(Box::new(calls)),
            ..SmbFacts::default()
        };
        let of = |name| (FactKind::RemoteInterface, name);
        let wanted = [(FactKind::RemoteControl, "winreg.SetValue"), of("srvsvc"), of("svcctl"), of("ADMIN$")];
        assert_eq!(said(&Facts::Smb(smb)), wanted);
    }

    #[test]
    fn kinds_are_in_their_order() {
        for (place, (kind, name, _)) in FactKind::ALL.iter().enumerate() {
            assert_eq!((*kind as usize, kind.name()), (place, *name));
        }
    }

    #[test]
    fn facts_survive_a_round_trip() {
        let fact = Fact::new(FactKind::CallingAe, "CT_1");
        assert_eq!(fact.to_string().parse(), Ok(fact));
        assert_eq!(Fact::new(FactKind::CallingAe, "ct_1"), fact);
        assert!("nonsense 12".parse::<Fact>().is_err());
    }

    #[test]
    fn a_change_of_one_controller_is_none_of_another() {
        let service = Service { protocol: 6, port: 502 };
        let at = |kind, last| Fact::of(kind, "write", (Addr::v4([10, 0, 0, last]), service));
        assert_ne!(at(FactKind::ControllerChange, 1), at(FactKind::ControllerChange, 2));
        assert_eq!(at(FactKind::ControllerRequest, 1), at(FactKind::ControllerRequest, 2));
        assert_eq!(at(FactKind::ControllerRequest, 1), Fact::new(FactKind::ControllerRequest, "write"));
    }

    #[test]
    fn what_is_not_what_its_port_is_for_is_a_fact_where_all_of_it_was_heard() {
        let talk = |begins: bool, lost: u32| {
            let (limits, home) = (FlowLimits::default().check().unwrap(), HomeNets::default());
            let (mut shard, mut out, said) = (Shard::default(), Vec::<Box<FlowRecord>>::new(), [0x99; 10]);
            let ends =
                |ms: i64, back: bool| if back { packet(ms, 2, 443, 1, 40_000, 6) } else { packet(ms, 1, 40_000, 2, 443, 6) };
            let opening = [tcp(ends(0, false), 1, 0, 0x02), tcp(ends(1, true), 1, 2, 0x12)].map(|seen| (seen, &said[..0]));
            let data = (0..4_u32).map(|n| {
                let place = 2 + n / 2 * 10 + if n == 0 { 0 } else { lost };
                (payload(tcp(ends(2 + i64::from(n), n % 2 == 1), place, 2, 0x18), 10), &said[..])
            });
            for (seen, bytes) in opening.into_iter().filter(|_| begins).chain(data) {
                let (key, from_low) = FlowKey::of(&seen);
                shard.packet((key, from_low, key.hash()), &seen, bytes, (&limits, &home), &mut out);
            }
            shard.finish(&limits, Timestamp::from_parts(1, 0), &mut out);
            (out[0].app, fact_texts(&out[0]).len())
        };
        assert_eq!(talk(true, 0), ((App::Unknown, Basis::None), 1));
        assert_eq!(talk(false, 0), ((App::Tls, Basis::Port), 0), "it was under way");
        assert_eq!(talk(true, 500), ((App::Tls, Basis::Port), 0), "a part was lost");
    }

    #[test]
    fn an_application_on_the_port_of_another_is_a_fact() {
        let on = |port: u16, app: App, basis: Basis| {
            let (limits, home) = (FlowLimits::default().check().unwrap(), HomeNets::default());
            let (mut shard, mut out) = (Shard::default(), Vec::<Box<FlowRecord>>::new());
            let syn = tcp(packet(0, 1, 40_000, 2, port, 6), 1, 0, 0x02);
            let (key, from_low) = FlowKey::of(&syn);
            shard.packet((key, from_low, key.hash()), &syn, &[], (&limits, &home), &mut out);
            shard.finish(&limits, syn.time, &mut out);
            let mut record = out.remove(0);
            record.app = (app, basis);
            let to = |service| (record.resp_addr(), service);
            let fact = Fact::of(FactKind::Application, app.name(), to(Service { protocol: 6, port }));
            (fact_texts(&record) == [(FactKind::Application, app.name())], facts(&record, Vec::new()).contains(&fact))
        };
        assert_eq!(on(443, App::Ssh, Basis::Content), (true, true));
        assert_eq!(on(443, App::Tls, Basis::Content), (false, false), "its own port");
        assert_eq!(on(443, App::Ssh, Basis::Port), (false, false));
        assert_eq!(on(443, App::Unknown, Basis::None), (true, true), "what was said is not what the port is for");
        assert_eq!(on(4444, App::Unknown, Basis::None), (false, false));
        assert_eq!(on(4444, App::Ssh, Basis::Content), (false, false), "the port of none");
    }

    #[test]
    fn tickets_that_give_passwords_away_are_told_apart() {
        let tickets = |(as_req, as_rep, tgs_req): (u32, u32, u32), preauthenticated: u32, (rc4_only_requests, weak_tickets)| {
            let mut facts = KerberosFacts { preauthenticated, rc4_only_requests, weak_tickets, ..KerberosFacts::default() };
            (facts.messages.as_req, facts.messages.as_rep, facts.messages.tgs_req) = (as_req, as_rep, tgs_req);
            let facts = Facts::Kerberos(facts);
            let texts = said(&facts);
            assert!(texts.iter().all(|(kind, _)| *kind == FactKind::Ticket));
            texts.iter().map(|(_, text)| (*text).to_owned()).collect::<Vec<_>>()
        };
        let [weak, bare] = WEAK_TICKETS;
        assert_eq!(tickets((2, 1, 1), 1, (0, 0)), ["usual"], "the first request is sent away for a proof");
        assert_eq!(tickets((0, 0, 2), 0, (2, 2)), [weak]);
        assert_eq!(tickets((0, 0, 2), 0, (0, 1)), ["usual", weak], "offered what is stronger, and got what is not");
        assert_eq!(tickets((1, 1, 0), 0, (0, 0)), ["usual", bare]);
        assert_eq!(tickets((0, 1, 0), 0, (0, 0)), Vec::<String>::new(), "only the answer was heard");
    }
}
