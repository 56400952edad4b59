//! Reasons in words.

use super::evidence::{Contribution, Detail, Evidence, Of};
use super::flow_ref::FlowRef;
use super::incident::Cause;
use super::prior::{self, hour_bits};
use super::reaches::reach_bits;
use crate::app::{AT_HOME, App, Family, INJECTIONS};
use crate::feature::{FactKind, POLICY_CHANGE, SCHEMA, size_in_words};
use crate::flow::Service;

/// One reason of an incident, in numbers and in words.
#[derive(Clone, Debug, PartialEq)]
pub struct Reason {
    /// What was looked at: a feature of the schema, or the name of a comparison.
    pub feature: &'static str,
    /// What was observed, in `unit`.
    pub observed: f64,
    /// The usual range, in `unit`; none for what is new.
    pub usual: Option<(f64, f64)>,
    /// Whose usual range.
    pub of: Of,
    /// Unit of the numbers.
    pub unit: &'static str,
    /// Surprise in bits.
    pub bits: f64,
    /// The same in words.
    pub text: String,
}

/// Puts a reason into words.
#[must_use]
pub fn reason(cause: &Cause) -> Reason {
    let part = &cause.part;
    let (unit, range) = kind(part.evidence);
    Reason {
        feature: part.evidence.feature(),
        observed: part.observed,
        usual: range.then_some(part.usual),
        of: part.of,
        unit,
        bits: part.bits,
        text: text(part, &cause.flow) + &prior(part, &cause.flow),
    }
}

/// Unit, and whether there is a usual range.
fn kind(evidence: Evidence) -> (&'static str, bool) {
    match evidence {
        Evidence::NewDevice => ("new devices a day while learning", false),
        Evidence::NewService
        | Evidence::NewPeer
        | Evidence::NewFact(_)
        | Evidence::NewClient
        | Evidence::NewOffer
        | Evidence::NewShape => ("minutes known without it", false),
        Evidence::OddFlows => ("flows in a row", false),
        Evidence::OddShape(index) | Evidence::Volume(index) => (SCHEMA[usize::from(index)].unit, true),
        Evidence::FlowRate | Evidence::ServedRate => ("flows/min", true),
        Evidence::TargetRate => ("targets/min", true),
        Evidence::FailedRate => ("failed attempts/min", true),
        Evidence::LoginFailures => ("failed logins/min", true),
        Evidence::FileChanges => ("files/min", true),
        Evidence::NamesMissing => ("names/min", true),
        Evidence::Refusals => ("requests/min", true),
        Evidence::RemoteControl => ("calls", true),
        Evidence::SlowTargets => ("targets/h", true),
        Evidence::SlowFailures => ("failed attempts/h", true),
        Evidence::AccountsRefused => ("accounts/h", true),
        Evidence::SentOut => ("bytes/h", true),
        Evidence::Asking | Evidence::Asked => ("exchanges/h", true),
        Evidence::Repeats => ("connections/h", true),
        Evidence::ClientRate => ("clients/min", true),
        Evidence::Rhythm | Evidence::NameRhythm => ("s", true),
        Evidence::LongConnection => ("h", true),
        Evidence::AddressDispute => ("changes of owner in ten minutes", true),
        Evidence::AddressesAsked => ("addresses/min", true),
        Evidence::NameBytes => ("bytes/min", true),
        Evidence::Silence => ("min", true),
        Evidence::NamesGiven => ("names/day", true),
        Evidence::Leases | Evidence::Routes => ("devices that did so while learning", false),
        Evidence::Population => ("devices", true),
    }
}

fn text(part: &Contribution, flow: &FlowRef) -> String {
    let service = super::incident::service_in_words(flow);
    let life = life(part.observed);
    let whose = whose(part.of);
    let (low, high) = part.usual;
    match part.evidence {
        Evidence::NewDevice if part.observed < 0.1 => format!("{} was never seen before; new devices are rare here", flow.orig),
        Evidence::NewDevice => {
            format!("{} was never seen before; up to {:.1} new devices a day came while learning", flow.orig, part.observed)
        }
        Evidence::NewService => format!("first use of {service} by {}{life}", flow.orig),
        Evidence::NewPeer => format!("first {service} from {} to {}{life}", flow.orig, flow.resp),
        Evidence::NewFact(kind) => fact_text(kind, part, flow),
        Evidence::NewClient => format!("{} never served {service} to {} before{life}", flow.resp, flow.orig),
        Evidence::NewOffer => format!("nobody was heard to get {service} from {} before{life}", flow.resp),
        Evidence::NewShape => format!("{} never used {service} in this way before{life}", flow.orig),
        Evidence::OddFlows => {
            format!(
                "{:.0} flows of {service} between {} and {} were odd, never more than five minutes apart",
                part.observed, flow.orig, flow.resp
            )
        }
        Evidence::OddShape(index) => {
            let feature = &SCHEMA[usize::from(index)];
            if feature.unit == "0 or 1" {
                let not = if part.observed < 0.5 { "not " } else { "" };
                return format!("{not}{}, unlike flows of this kind", feature.phrase);
            }
            let value = |value| in_words(value, feature.unit);
            format!("{} of {}; flows of this kind have {} to {}", feature.phrase, value(part.observed), value(low), value(high))
        }
        Evidence::Volume(index) => {
            let feature = &SCHEMA[usize::from(index)];
            let high = in_words(high, feature.unit);
            format!("{} of {} over {service}; {whose} up to {high}", feature.phrase, in_words(part.observed, feature.unit))
        }
        Evidence::RemoteControl => format!(
            "{} made the remote call {} of {}, which takes control of another device or of a domain; ordinary devices make none",
            flow.orig,
            flow.fact(FactKind::RemoteControl, part.about).unwrap_or_default(),
            flow.resp
        ),
        Evidence::NamesGiven => names_text(part, flow),
        Evidence::Leases | Evidence::Routes => giver_text(part, flow),
        Evidence::AddressDispute => format!(
            "{} was claimed in turn by two interfaces, {:.0} changes within ten minutes; an address that moves changes once",
            flow.resp, part.observed
        ),
        Evidence::Silence => format!(
            "{} has not spoken {service} to {} for {:.0} min; its longest silence was {high:.0} min",
            flow.orig, flow.resp, part.observed
        ),
        Evidence::Population => {
            format!("{:.0} devices did the same for the first time within a day: {service} to {}", part.observed, flow.resp)
        }
        Evidence::LongConnection => {
            let whom = flow.said(FactKind::Name).map_or_else(|| flow.resp.to_string(), str::to_owned);
            format!("{} has held a connection to {whom} for {:.1} h, and nobody here knew it before", flow.orig, part.observed)
        }
        Evidence::Rhythm | Evidence::NameRhythm => rhythm_text(part, flow),
        evidence => count_text(evidence, part, flow),
    }
}

/// Of one that hands out addresses or routes.
fn giver_text(part: &Contribution, flow: &FlowRef) -> String {
    let does = match part.evidence {
        Evidence::Routes => "says that it is a router (IPv6)",
        _ => "hands out addresses and routes (DHCP)",
    };
    let others = match part.observed {
        none if none < 0.5 => "no other device does".to_owned(),
        others => in_number(others, "other device does", "other devices do"),
    };
    format!("{} {does}, which it never did; {others}", flow.orig)
}

/// Of one that answers for names.
fn names_text(part: &Contribution, flow: &FlowRef) -> String {
    match part.observed {
        one if one < 1.5 => {
            format!("{} answers for the name wpad (LLMNR, NetBIOS), by which programs look for a proxy", flow.orig)
        }
        names => format!("{} answers for {names:.0} different names (LLMNR, NetBIOS); a device has one", flow.orig),
    }
}

fn rhythm_text(part: &Contribution, flow: &FlowRef) -> String {
    let (period, jitter) = (in_words(part.observed, "s"), in_words(part.usual.1, "s"));
    let of_name = || flow.said(if flow.app == App::Dns { FactKind::Domain } else { FactKind::Name });
    match of_name().filter(|_| part.evidence == Evidence::NameRhythm) {
        Some(name) => format!("{} turns to {name} every {period} (± {jitter}), a name that it never used before", flow.orig),
        None => format!("{} calls {} every {period} (± {jitter}), a conversation that it never had before", flow.orig, flow.resp),
    }
}

const fn whose(of: Of) -> &'static str {
    match of {
        Of::Network => "devices like it usually have",
        Of::AnyNetwork => "ordinary devices of any network have",
        Of::Busiest => "at its busiest a device like it has",
        Of::Device | Of::Behaviour => "this device usually has",
    }
}

/// A name, title or command that is new.
fn fact_text(kind: FactKind, part: &Contribution, flow: &FlowRef) -> String {
    let (text, life) = (flow.fact(kind, part.about).unwrap_or_default(), life(part.observed));
    match kind {
        FactKind::ControllerChange => format!("{} never changed {} ({text}) before{life}", flow.orig, flow.resp),
        FactKind::Application => {
            let on = Service { protocol: flow.key.protocol, port: flow.resp_port };
            let text = if text == App::Unknown.name() { "an application that is not known" } else { text };
            format!("{} never spoke {text} on {on} before{life}", flow.orig)
        }
        FactKind::Tool if flow.app == App::Smb => {
            format!("{} never gave files on {} their name with another ending behind it before{life}", flow.orig, flow.resp)
        }
        FactKind::Tool if INJECTIONS.contains(&text) => {
            format!("{} never sent {} a request with an attack inside ({text}) before{life}", flow.orig, flow.resp)
        }
        FactKind::Tool => format!("{} never used {text} before{life}", flow.orig),
        FactKind::RemoteControl if text == POLICY_CHANGE => {
            format!("{} never changed the policies of a domain ({}) before{life}", flow.orig, flow.resp)
        }
        FactKind::MqttTopic => format!("{} never published to the topic with the hash {text} before{life}", flow.orig),
        FactKind::CountryCalled => format!("{} never called a number {} before{life}", flow.orig, where_called(text)),
        FactKind::Ticket => format!("{} never asked {} for a ticket of this kind ({text}) before{life}", flow.orig, flow.resp),
        _ => format!("{} never used the {} {text} before{life}", flow.orig, kind.phrase()),
    }
}

/// Where a number is that was called.
fn where_called(country: &str) -> String {
    if country == AT_HOME { "within the country".to_owned() } else { format!("of {country}") }
}

/// What was counted in a minute or an hour.
fn count_text(evidence: Evidence, part: &Contribution, flow: &FlowRef) -> String {
    let service = super::incident::service_in_words(flow);
    let whose = whose(part.of);
    let (observed, high) = (part.observed, part.usual.1);
    match evidence {
        Evidence::FlowRate => {
            format!("{:.0} {service} flows to {} within a minute; {whose} up to {high:.0}", observed, flow.resp)
        }
        Evidence::TargetRate => {
            format!("{} tried {:.0} different targets within a minute; {whose} up to {high:.0}", flow.orig, observed)
        }
        Evidence::FailedRate => format!("{observed:.0} attempts to connect failed within a minute; {whose} up to {high:.0}"),
        Evidence::LoginFailures => format!("{observed:.0} logins failed within a minute; {whose} up to {high:.0}"),
        Evidence::FileChanges => format!(
            "{} created, overwrote, renamed or deleted {:.0} files on shares within a minute; {whose} up to {high:.0}",
            flow.orig, observed
        ),
        Evidence::NamesMissing => {
            format!("{} asked for {observed:.0} names that do not exist within a minute; {whose} up to {high:.0}", flow.orig)
        }
        Evidence::Refusals => {
            format!("{observed:.0} {service} requests were turned down within a minute; {whose} up to {high:.0}")
        }
        Evidence::SlowTargets => {
            format!("{} tried some {:.0} different targets within an hour; {whose} up to {high:.0}", flow.orig, observed)
        }
        Evidence::SentOut => format!(
            "{} carried {} out of the network within an hour, most of it to {}; {whose} up to {}",
            flow.orig,
            in_words(observed, "bytes"),
            flow.resp,
            in_words(high, "bytes")
        ),
        Evidence::Asking => format!(
            "{} had {observed:.0} {service} exchanges with {} within an hour; {whose} up to {high:.0}",
            flow.orig, flow.resp
        ),
        Evidence::Asked => format!(
            "{} had {observed:.0} {service} exchanges with clients outside within an hour; {whose} up to {high:.0}",
            flow.resp
        ),
        Evidence::Repeats => repeats_text(part, flow),
        Evidence::AccountsRefused => {
            format!("{} failed to log in to {observed:.0} different accounts within an hour; {whose} up to {high:.0}", flow.orig)
        }
        Evidence::SlowFailures => {
            format!("{observed:.0} attempts to connect or to log in failed within an hour; {whose} up to {high:.0}")
        }
        Evidence::ServedRate => {
            format!("{} got {:.0} {service} flows within a minute; {whose} up to {high:.0}", flow.resp, observed)
        }
        Evidence::ClientRate => {
            format!("{} got {service} from {:.0} clients within a minute; {whose} up to {high:.0}", flow.resp, observed)
        }
        Evidence::AddressesAsked => {
            format!(
                "{} asked for {observed:.0} addresses that nobody has within a minute (ARP); {whose} up to {high:.0}",
                flow.orig
            )
        }
        Evidence::NameBytes => {
            let domain = flow.facts.iter().find(|(kind, _)| *kind == FactKind::Domain).map_or("one domain", |(_, text)| text);
            let (observed, high) = (in_words(observed, "bytes"), in_words(high, "bytes"));
            format!(
                "{} asked {} for names of {domain} with {observed} in all within a minute; {whose} up to {high}",
                flow.orig, flow.resp
            )
        }
        _ => String::new(),
    }
}

/// What is said of strangers who come with the same again and again.
fn repeats_text(part: &Contribution, flow: &FlowRef) -> String {
    let (observed, usual, service) = (part.observed, part.usual.1, super::incident::service_in_words(flow));
    format!(
        "{observed:.0} {service} connections of strangers to {} within an hour were as long as an earlier one of theirs; it had no more than {usual:.0} an hour while it was learned, in the mean",
        flow.resp
    )
}

/// Why something counts more than its rarity says.
fn prior(part: &Contribution, flow: &FlowRef) -> String {
    let (circumstance, bits) = circumstance(part, flow);
    circumstance + if part.prior_bits <= bits { "" } else { touched(part, flow) }
}

/// What is said of when and how it came about, and the bits of that.
fn circumstance(part: &Contribution, flow: &FlowRef) -> (String, f64) {
    match part.detail {
        Detail::OddHour(days) => {
            (format!("; it counts more at an hour at which {} did nothing on {days} days", flow.orig), hour_bits(days))
        }
        Detail::CallBack => {
            (format!("; it counts more, since {} had called {} before and was answered", flow.resp, flow.orig), prior::BITS)
        }
        Detail::Amplified => {
            let why = "; it counts more, since the answer is many times as long as the question, which may bear a forged address";
            (why.to_owned(), prior::MORE_BITS)
        }
        Detail::Flooding => {
            ("; it counts more, since it sends packets without end, and none is answered".to_owned(), prior::MORE_BITS)
        }
        Detail::NameOfAnother if part.evidence == Evidence::NewFact(FactKind::MqttTopic) => {
            ("; it counts more, since another device alone published that".to_owned(), prior::MORE_BITS)
        }
        Detail::NameOfAnother => ("; it counts more, since another device alone called itself so".to_owned(), prior::MORE_BITS),
        Detail::CallsOut => {
            let why =
                format!("; it counts more, since {} serves others and called nobody outside before but for pages", flow.orig);
            (why, prior::TOOL_BITS)
        }
        Detail::Reaches(devices) => {
            let why =
                format!("; it counts more, being one of at least {devices} devices that {} reached so within an hour", flow.orig);
            (why, reach_bits(devices))
        }
        Detail::Hides => {
            ("; it counts more, since others are behind it: a router has lowered their hop limits".to_owned(), prior::MORE_BITS)
        }
        Detail::GoesOn => (format!("; it counts more, since {} itself goes on", flow.orig), prior::BITS),
        _ => (String::new(), 0.0),
    }
}

/// What is said of what it touches.
fn touched(part: &Contribution, flow: &FlowRef) -> &'static str {
    match flow.app.family() {
        _ if part.evidence == Evidence::Silence => "; it counts more, being clinical or control traffic",
        _ if part.evidence == Evidence::NewFact(FactKind::RemoteControl) => {
            "; it counts more, since it takes control of another device or of a domain"
        }
        _ if part.evidence == Evidence::NewFact(FactKind::RemoteInterface) => {
            "; it counts more, being for the administration of devices, by a device whose kind does none"
        }
        _ if matches!(part.evidence, Evidence::NewFact(FactKind::ControllerRequest | FactKind::ControllerChange)) => {
            "; it counts more, since it changes what a controller does, or gives away its program"
        }
        _ if part.evidence == Evidence::NewFact(FactKind::CountryCalled) => {
            "; it counts more, since hardly anybody here calls there, and such calls may be made for what they cost"
        }
        _ if part.evidence == Evidence::NewFact(FactKind::Ticket) => {
            "; it counts more, since passwords can be guessed from such tickets"
        }
        _ if part.evidence == Evidence::NewFact(FactKind::Application) => {
            "; it counts more, since that is the port of another application"
        }
        _ if part.evidence == Evidence::NewFact(FactKind::Tool) && flow.app == App::Ntp => {
            "; it counts more, since the answer is many times as long as the question, which may bear a forged address"
        }
        _ if part.evidence == Evidence::NewFact(FactKind::Tool) && flow.app == App::Icmp => {
            "; it counts more, since the answers do not bring back what was sent, as those of an echo do"
        }
        _ if part.evidence == Evidence::NewFact(FactKind::Tool)
            && flow.fact(FactKind::Tool, part.about).is_some_and(|text| INJECTIONS.contains(&text)) =>
        {
            "; it counts more, since no page asks for such, and the server did not turn it down"
        }
        _ if part.evidence == Evidence::NewFact(FactKind::Tool) && flow.app == App::Smb => {
            "; it counts more, since encrypted files are named so"
        }
        _ if part.evidence == Evidence::NewFact(FactKind::Tool) => {
            "; it counts more, since such tools let others in or hide where traffic goes"
        }
        _ if matches!(part.evidence, Evidence::NewFact(FactKind::Domain) | Evidence::NewPeer) && flow.app == App::Dns => {
            "; it counts more, since its names are as long as those that carry data"
        }
        Family::Clinical => "; it counts more, being clinical traffic of a device whose kind has none, or leaving home",
        Family::Industrial => "; it counts more, being control traffic of a device whose kind has none, or leaving home",
        Family::Covert if flow.app == App::Shell => "; it counts more, being a command line that is given away",
        Family::Covert => "; it counts more, being made to hide traffic or to work for others",
        _ => {
            "; it counts more, being for log-in or administration, by a service that few devices of its kind use, by a device of which little is known, or of one that cares for patients or controls machines"
        }
    }
}

/// How long the device was known without the new thing.
fn life(minutes: f64) -> String {
    match minutes {
        m if m < 5.0 => String::from("; little is known of it, so it is judged by the network"),
        m if m < 120.0 => format!(" in {m:.0} active minutes of learning"),
        m if m < 2880.0 => format!(" in {:.0} active hours of learning", m / 60.0),
        m => format!(" in {:.0} active days of learning", m / 1440.0),
    }
}

fn in_number(count: f64, one: &str, many: &str) -> String {
    format!("{count:.0} {}", if count < 1.5 { one } else { many })
}

fn in_words(value: f64, unit: &str) -> String {
    match unit {
        // Payloads of the responder are counted below zero.
        "bytes" if value < 0.0 => format!("{} in answer", size_in_words(-value)),
        "bytes" => size_in_words(value),
        "s" if value < 0.0005 => "0 s".to_owned(),
        "s" if value < 1.0 => format!("{:.0} ms", value * 1e3),
        "s" if value < 120.0 => format!("{value:.1} s"),
        "s" => format!("{:.0} min", value / 60.0),
        "ms" => format!("{value:.1} ms"),
        "share" => format!("{:.0} %", value * 100.0),
        unit if value >= 10.0 => format!("{value:.0} {unit}"),
        unit => format!("{value:.1} {unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_like_a_colleague_says_them() {
        assert_eq!(in_words(41_230_112.0, "bytes"), "41 MB");
        assert_eq!(in_words(-120.0, "bytes"), "120 bytes in answer");
        assert_eq!(in_words(0.25, "s"), "250 ms");
        assert_eq!(in_words(600.0, "s"), "10 min");
        assert_eq!(in_words(0.5, "share"), "50 %");
    }

    #[test]
    fn every_kind_of_evidence_has_a_name() {
        for evidence in [Evidence::NewService, Evidence::OddShape(3), Evidence::Rhythm, Evidence::ClientRate] {
            assert!(!kind(evidence).0.is_empty() && !evidence.feature().is_empty());
        }
    }
}
