//! What happened, in words that a person without the field's terms understands.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::{Page, role};
use crate::detect::Class;
use crate::feature::Host;
use crate::report::event::Told;
use crate::report::text::{clock_short, counted, day, grouped, listed, period};

/// Devices told beside the one with the strongest incident.
const MOST_OTHERS: usize = 5;
/// An alert names no more peers.
const MOST_PEERS: usize = 64;

/// What a device of an incident of this class did, after its name.
fn deed(class: Option<Class>) -> &'static str {
    match class {
        Some(Class::Scan) => "tried many services of other devices",
        Some(Class::Sweep) => "searched the network for other devices",
        Some(Class::BruteForce) => "took part in many attempts to log in",
        Some(Class::Tunnel) => "took part in what looks like data hidden in another protocol",
        Some(Class::Dga) => "asked for many names that do not exist",
        Some(Class::Flood) => "took part in a flood of connections",
        Some(Class::ArpSpoofing) => "claimed an address that another device claims too",
        Some(Class::FileActivity) => "changed many files on shared folders",
        Some(Class::WebAttack) => "took part in an attack on a server of web pages",
        Some(Class::CovertApplication) => "ran a program that hides its traffic or works for others",
        Some(Class::Beaconing) => "called the same address again and again like a clock",
        Some(Class::Exfiltration) => "moved an unusual amount of data",
        Some(Class::Collection) => "asked a server for far more than usual, or was asked for it",
        Some(Class::CredentialAccess) => "asked for tickets from which passwords can be guessed",
        Some(Class::CriticalAccess) => "reached clinical or control systems in a way it had not before",
        Some(Class::LateralMovement) => "used administrative access to other devices for the first time",
        Some(Class::NewWayOut) => "reached the outside by a service that it had never used",
        Some(Class::SilentChannel) => "fell silent where another usually hears from it",
        Some(Class::PopulationChange) => "began something new together with many other devices",
        Some(Class::NewService) => "showed a service that it had never used or offered",
        Some(Class::NewDevice) => "was never seen before and did something unusual",
        Some(Class::Unusual) | None => "behaved unlike itself",
    }
}

/// What a device did, each kind once, in the order of time.
pub fn deeds(told: &[&Told]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let all = told.iter().map(|told| deed(Class::named(told.class.as_str())));
    all.filter(|deed| seen.insert(*deed)).map(str::to_owned).collect()
}

/// The paragraphs.
pub fn section(page: &Page<'_>) -> Markup {
    html! {
        div class="words" {
            p { (watched(page)) " " (found(page)) }
            @if let Some((host, told)) = page.hosts.first() {
                p { (strongest(page, *host, told)) }
                @if page.hosts.len() > 1 { (others(page)) }
                @if let Some(first) = told.iter().max_by(|a, b| a.bits.total_cmp(&b.bits)) {
                    p class="first-step" {
                        b { "Where to begin. " }
                        "Find out who is responsible for " (page.subject(*host)) ", and ask: "
                        @for check in first.check.iter().take(2) { (check) " " }
                        "Unusual is not the same as harmful: new equipment, maintenance and moved devices look unusual too."
                    }
                }
            }
        }
    }
}

fn watched(page: &Page<'_>) -> String {
    let span = page.span();
    let when = span.map_or_else(String::new, |(from, to)| format!("From {} UTC ", period(from, to)));
    let who = match &page.report.devices {
        Some(devices) => format!("the traffic of {}", counted(devices.count, "device")),
        None => String::from("this network's traffic"),
    };
    let taught_itself = page.report.of_captures || page.report.gather.incidents.models.keys().any(|model| model.digest.is_none());
    let by = match page.trained_until() {
        Some(until) => format!("with what it had learned until {}", day(until)),
        None if taught_itself => String::from("with what the same traffic shows at other times"),
        None => String::from("with what it had learned"),
    };
    let subject = if when.is_empty() { "Auscult" } else { "auscult" };
    format!("{when}{subject} compared {who} {by}.")
}

fn found(page: &Page<'_>) -> String {
    let count = page.report.gather.incidents.count();
    if count == 0 {
        return String::from("Nothing was unusual enough to be told.");
    }
    let [high, ..] = page.report.gather.incidents.by_severity();
    let severe = match high {
        0 => String::from("none of them of high severity"),
        high if high == count => String::from("all of high severity"),
        high => format!("{} of them of high severity", grouped(high)),
    };
    let devices = counted(page.hosts.len() as u64, "device");
    let at_least = if page.has_all() { "" } else { "at least " };
    format!("It tells {}, {severe}, about {at_least}{devices}.", counted(count, "incident"))
}

fn strongest(page: &Page<'_>, host: Host, told: &[&Told]) -> Markup {
    let (first, last) = bounds(told);
    let peers: BTreeSet<Host> = told.iter().flat_map(|told| &told.peers).copied().collect();
    let when = if day(first) != day(last) {
        format!("Between {}, {} and {}, {}", day(first), clock_short(first), day(last), clock_short(last))
    } else if clock_short(first) == clock_short(last) {
        format!("At {}", clock_short(first))
    } else {
        format!("Between {} and {}", clock_short(first), clock_short(last))
    };
    let lead = if page.hosts.len() > 1 { "What stands out most is about " } else { "It is about " };
    html! {
        (lead) (page.subject(host)) ". " (when) " it " (listed(&deeds(told))) ". "
        @if !peers.is_empty() {
            @if peers.len() == 1 {
                "The other end was one address"
            } @else {
                "The other ends were " @if told.iter().any(|told| told.peers.len() >= MOST_PEERS) { "at least " }
                (counted(peers.len() as u64, "address"))
            }
            @let known = known(page, &peers);
            @if !known.is_empty() { ", among them " (listed(&known)) }
            "."
        }
    }
}

/// Those of the peers that people know by name or role.
fn known(page: &Page<'_>, peers: &BTreeSet<Host>) -> Vec<String> {
    let known = |host: &Host| {
        let device = page.report.devices.as_ref()?.of(*host)?;
        let role = device.roles().first().map(|told| role(told.as_str()));
        match (page.name(*host), role) {
            (Some(name), Some(role)) => Some((0, format!("{name} ({role})"))),
            (Some(name), None) => Some((1, name)),
            (None, Some(role)) => Some((2, format!("{host} ({role})"))),
            (None, None) => None,
        }
    };
    let ranked: BTreeSet<(u8, String)> = peers.iter().filter_map(known).collect();
    ranked.into_iter().take(4).map(|(_, text)| text).collect()
}

fn others(page: &Page<'_>) -> Markup {
    let rest = &page.hosts[1..];
    html! {
        p { "Beside it:" }
        ul {
            @for (host, told) in rest.iter().take(MOST_OTHERS) {
                li { (page.subject(*host)) " " (listed(&deeds(&gravest(told)))) }
            }
            @if rest.len() > MOST_OTHERS { li { (counted((rest.len() - MOST_OTHERS) as u64, "more device")) ", told below" } }
        }
    }
}

/// The two incidents that matter most, in the order of time.
fn gravest<'a>(told: &[&'a Told]) -> Vec<&'a Told> {
    let mut ranked = told.to_vec();
    ranked.sort_by(|a, b| a.severity.cmp(&b.severity).then(b.bits.total_cmp(&a.bits)).then(a.id.cmp(&b.id)));
    ranked.truncate(2);
    ranked.sort_by(|a, b| a.first.cmp(&b.first).then(a.id.cmp(&b.id)));
    ranked
}

/// First and last moment of incidents.
pub fn bounds(told: &[&Told]) -> (crate::time::Timestamp, crate::time::Timestamp) {
    let first = told.iter().map(|told| told.first).min().unwrap_or_default();
    let last = told.iter().map(|told| told.last).max().unwrap_or_default();
    (first, last)
}
