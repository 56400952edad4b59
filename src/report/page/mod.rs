//! The page. Each section is a function from what was gathered to markup; all text goes through `maud`, which escapes it.

mod audit;
mod behaviours;
mod devices;
mod incidents;
mod limits;
mod model;
mod svg;
mod table;
mod talk;
mod techniques;
mod timeline;
mod traffic;
mod words;

use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

use self::incidents::Selection;
use super::Report;
use super::event::Told;
use super::incidents::key;
use super::text::{clock, counted, grouped, machine, number, period, span};
use crate::feature::Host;
use crate::time::Timestamp;

/// How pages look.
pub const STYLE: &str = include_str!("style.css");

/// A page that is being written.
struct Page<'a> {
    report: &'a Report,
    /// Incidents by device, the device with the strongest first.
    hosts: Vec<(Host, Vec<&'a Told>)>,
    /// Which of them are told how.
    selection: Selection<'a>,
}

/// A section: its place, its heading and what it shows; or what would bring it.
struct Section {
    id: &'static str,
    heading: &'static str,
    content: Result<Markup, &'static str>,
}

/// Writes the page.
///
/// # Errors
/// When the target cannot be written.
pub fn write(report: &Report, mut to: impl Write) -> io::Result<()> {
    let page = Page::of(report);
    let sections = sections(&page);
    // The one style sheet is named by its digest: nothing else may give styles, and nothing at all may be loaded or run.
    let digest = STANDARD.encode(Sha256::digest(STYLE));
    let policy = format!("default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'");
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                meta name="generator" content={ "auscult " (env!("CARGO_PKG_VERSION")) };
                title { (report.title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                a class="skip" href="#words" { "To the text" }
                (masthead(&page))
                div class="columns" {
                    (contents(&sections))
                    main {
                        @for section in &sections {
                            @if let Ok(content) = &section.content {
                                section class="part" id=(section.id) aria-labelledby={ (section.id) "-heading" } {
                                    h2 id={ (section.id) "-heading" } { (section.heading) }
                                    (content)
                                }
                            }
                        }
                        (left_out(&sections))
                    }
                }
                footer {
                    p { "Made by auscult " (env!("CARGO_PKG_VERSION")) " of what is named under “For auditors”. All times are UTC, taken from the traffic." }
                }
            }
        }
    };
    to.write_all(markup.into_string().as_bytes())?;
    to.flush()
}

/// A section of a page by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The name of its place.
    pub id: &'static str,
    /// What stands above it.
    pub heading: &'static str,
    /// What it shows, as HTML.
    pub html: String,
}

/// The sections of which the report holds enough, for a page of another's.
#[must_use]
pub fn parts(report: &Report) -> Vec<Part> {
    let page = Page::of(report);
    let part = |Section { id, heading, content }| Some(Part { id, heading, html: content.ok()?.into_string() });
    sections(&page).into_iter().filter_map(part).collect()
}

/// The incident of an alert line with its reasons, as HTML; nothing where the line is no such.
#[must_use]
pub fn article(report: &Report, line: &str) -> Option<String> {
    let told = Told::of(serde_json::from_str(line).ok()?).ok()?;
    Some(incidents::incident(&Page::of(report), &told, told.bits.max(1.0)).into_string())
}

fn sections(page: &Page<'_>) -> Vec<Section> {
    const FLOWS: &str = "--flows FILE, the flow events that replay, watch or detect wrote, or name captures instead of alerts";
    const INVENTORY: &str =
        "--inventory FILE, the list of devices in JSON that replay or watch wrote, or name captures instead of alerts";
    const MODEL: &str = "--model MODEL, the model that judged";
    let has_incidents = !page.hosts.is_empty();
    let section = |id, heading, content| Section { id, heading, content };
    let mut sections = vec![section("words", "What happened", Ok(words::section(page)))];
    if has_incidents {
        sections.extend(timeline::section(page).map(|plot| section("timeline", "When", Ok(plot))));
        sections.push(section("incidents", "Incidents", Ok(incidents::section(page))));
        sections.extend(techniques::section(page).map(|table| section("attack", "ATT&CK", Ok(table))));
        sections.push(section("talk", "Who talks to whom", Ok(talk::section(page))));
    }
    sections.push(section("devices", "Devices", devices::section(page).ok_or(INVENTORY)));
    let map = behaviours::section(page).ok_or(if page.report.gather.flows > 0 {
        MODEL
    } else {
        "--model MODEL, the model that judged, and --flows FILE"
    });
    sections.push(section("behaviours", "Behaviours", map));
    sections.push(section("traffic", "Traffic and loss", traffic::section(page).ok_or(FLOWS)));
    let known = model::section(page).ok_or(MODEL);
    sections.push(section("model", "What it was judged by", known));
    sections.push(section("audit", "For auditors", Ok(audit::section(page))));
    sections.push(section("limits", "What could not be seen", Ok(limits::section(page))));
    sections
}

fn masthead(page: &Page<'_>) -> Markup {
    let report = page.report;
    let [high, medium, low] = report.gather.incidents.by_severity();
    html! {
        header class="masthead" {
            p class="brand" { "auscult" }
            h1 { (report.title) }
            @if let Some((from, to)) = page.span() {
                p class="period" { time datetime=(machine(from)) { (period(from, to)) } " UTC" }
            }
            dl class="figures" {
                div {
                    dt { "Incidents" }
                    dd { (grouped(report.gather.incidents.count())) }
                    dd class="note" { (grouped(high)) " high, " (grouped(medium)) " medium, " (grouped(low)) " low" }
                }
                div {
                    dt { "Devices with incidents" }
                    dd { @if !page.has_all() { "≥ " } (grouped(page.hosts.len() as u64)) }
                    @if let Some(devices) = &report.devices { dd class="note" { "of " (grouped(devices.count)) " seen" } }
                }
                @if let Some((from, to)) = page.span() {
                    div {
                        dt { "Time" }
                        dd { (span(to.since(from))) }
                        dd class="note" {
                            @if report.gather.flows > 0 { (counted(report.gather.flows, "flow record")) } @else { "of the alerts" }
                        }
                    }
                }
                @if let Some(account) = &report.account {
                    div {
                        dt { "Lost before it was read" }
                        dd { (number(100.0 * account.lost_share())) "\u{a0}%" }
                        dd class="note" { "of " (counted(account.all(), if account.of_records { "line" } else { "frame" })) }
                    }
                }
            }
        }
    }
}

fn contents(sections: &[Section]) -> Markup {
    html! {
        nav class="contents" aria-label="Contents" {
            ol {
                @for section in sections.iter().filter(|section| section.content.is_ok()) {
                    li { a href={ "#" (section.id) } { (section.heading) } }
                }
            }
        }
    }
}

fn left_out(sections: &[Section]) -> Markup {
    let missing: Vec<_> =
        sections.iter().filter_map(|section| section.content.as_ref().err().map(|option| (section.heading, option))).collect();
    html! {
        @if !missing.is_empty() {
            section class="part" id="left-out" aria-labelledby="left-out-heading" {
                h2 id="left-out-heading" { "Not on this page" }
                p { "These parts need what was not given:" }
                dl class="facts" {
                    @for (heading, option) in missing { div { dt { (heading) } dd { "give " (option) } } }
                }
            }
        }
    }
}

impl<'a> Page<'a> {
    fn of(report: &'a Report) -> Self {
        let hosts = report.gather.incidents.by_host();
        Self { report, selection: Selection::of(&hosts, report.gather.incidents.count()), hosts }
    }

    /// The time that the page is about: that of flows, else that of incidents.
    fn span(&self) -> Option<(Timestamp, Timestamp)> {
        let gather = &self.report.gather;
        let (of_flows, of_incidents) = (gather.traffic.span, gather.incidents.spoken_of);
        match (of_flows, of_incidents) {
            (Some((a, b)), Some((c, d))) => Some((a.min(c), b.max(d))),
            (a, b) => a.or(b),
        }
    }

    /// Are all incidents kept, rather than the strongest?
    fn has_all(&self) -> bool {
        self.hosts.iter().map(|(_, told)| told.len() as u64).sum::<u64>() == self.report.gather.incidents.count()
    }

    /// Until when what judged had learned, where it is a model.
    fn trained_until(&self) -> Option<Timestamp> {
        let of_model = self.report.model.as_ref().map(|known| known.model().provenance.until());
        let mut told = self.report.gather.incidents.models.keys().filter(|model| model.digest.is_some());
        let of_alerts = told.next_back().map(|model| model.trained_until.as_str());
        crate::time::parse(of_model.or(of_alerts)?).ok()
    }

    /// A device as it is told in text: its address, and its name or who made it.
    fn label(&self, host: Host) -> String {
        match self.name(host).or_else(|| self.maker(host)) {
            Some(name) => format!("{host} {name}"),
            None => host.to_string(),
        }
    }

    /// What a device is called.
    fn name(&self, host: Host) -> Option<String> {
        self.report.devices.as_ref()?.name_of(host).map(|name| cut(name.as_str()))
    }

    /// Who made it.
    fn maker(&self, host: Host) -> Option<String> {
        let maker = self.report.devices.as_ref()?.of(host)?.maker();
        (!maker.is_empty()).then(|| cut(maker))
    }

    /// A device, marked up: its address and its name.
    fn device(&self, host: Host) -> Markup {
        host_and(host, self.name(host))
    }

    /// The same where it stands alone: with its maker when it has no name.
    fn subject(&self, host: Host) -> Markup {
        host_and(host, self.name(host).or_else(|| self.maker(host)))
    }
}

fn host_and(host: Host, name: Option<String>) -> Markup {
    html! { span class="host" { code { (host) } @if let Some(name) = name { " " span class="name" { (name) } } } }
}

/// A name as long as fits beside an address.
fn cut(name: &str) -> String {
    const MOST_CHARS: usize = 28;
    if name.chars().count() <= MOST_CHARS {
        return name.to_owned();
    }
    format!("{}…", name.chars().take(MOST_CHARS).collect::<String>().trim_end())
}

/// A role as people write it: `DICOM server` of `dicom-server`.
fn role(role: &str) -> String {
    const LETTERS: [&str; 11] = ["dicom", "hl7", "mqtt", "dns", "ntp", "dhcp", "sip", "snmp", "smb", "ldap", "plc"];
    let word = |word: &str| if LETTERS.contains(&word) { word.to_uppercase() } else { word.to_owned() };
    role.split('-').map(word).collect::<Vec<_>>().join(" ")
}

/// The name of an incident's place in the page.
fn anchor(told: &Told) -> String {
    format!("i-{:016x}", key(told.id.as_str()))
}

/// A moment, for people and for programs.
fn time(at: Timestamp) -> Markup {
    html! { time datetime=(machine(at)) { (clock(at)) } }
}

/// A severity in words.
fn severity(severity: u8) -> Markup {
    let name = match severity {
        1 => "high",
        2 => "medium",
        _ => "low",
    };
    html! { span class={ "tag sev" (severity) } { "severity " (name) } }
}
