//! What an auditor asks for: what was covered, for how long, what was lost, what was told, by what, and is the record whole.

use maud::{Markup, html};

use super::table::{figure, table, text};
use super::{Page, model};
use crate::report::account::Account;
use crate::report::chain::Chain;
use crate::report::text::{Shown, counted, grouped, listed, number, span};

/// Models named.
const MOST_MODELS: usize = 12;
/// Virtual networks named.
const MOST_VLANS: usize = 24;

/// All of it.
pub fn section(page: &Page<'_>) -> Markup {
    html! {
        p {
            "Evidence for the NHS's Data Security and Protection Toolkit (in the form of the Cyber Assessment Framework: A3 assets, C1 monitoring, "
            "C2 abnormalities) and for IEC 62443-3-3 (SR 6.2 continuous monitoring). It shows what this program saw and told; it is no "
            "statement that a requirement is met."
        }
        dl class="audit" {
            (entry("Coverage", "A3, C1.a", coverage(page)))
            (entry("Span and gaps", "C1.a, SR 6.2", gaps(page)))
            (entry("Loss", "C1.a", loss(page.report.account.as_ref(), page)))
            (entry("Alerts", "C1.c, C2.a", alerts(page)))
            (entry("Answers", "C1.c, SR 6.2", answers(page)))
            (entry("The record", "C1.b", record(page.report.gather.chain.as_ref(), page)))
        }
        (classes(page))
        (models(page))
        (files(page))
    }
}

fn entry(name: &str, clause: &str, content: Markup) -> Markup {
    html! { div { dt { (name) " " span class="muted small" { (clause) } } dd { (content) } } }
}

fn coverage(page: &Page<'_>) -> Markup {
    html! {
        @match &page.report.devices {
            Some(devices) => {
                (counted(devices.count, "device")) " were seen, " (grouped(devices.with_mac)) " of them by their own network interface. "
                @if devices.vlans.is_empty() {
                    "Frames carried no VLAN tags."
                } @else {
                    @let named: Vec<String> = devices.vlans.iter().take(MOST_VLANS).map(ToString::to_string).collect();
                    "VLANs seen: " (listed(&named))
                    @if devices.vlans.len() > MOST_VLANS { " and " (devices.vlans.len() - MOST_VLANS) " more" }
                    "."
                }
            }
            None => { "Not known: no inventory was given (" code { "--inventory" } ")." }
        }
        " What a mirror port does not mirror is not covered, and no file can show that it is missing."
    }
}

fn gaps(page: &Page<'_>) -> Markup {
    let steps = page.report.gather.traffic.steps();
    let length = page.report.gather.traffic.length();
    let (mut longest, mut current, mut quiet) = (0u32, 0u32, 0u32);
    for (_, step) in &steps {
        current = if step.bytes <= 0.0 { current + 1 } else { 0 };
        quiet += u32::from(step.bytes <= 0.0);
        longest = longest.max(current);
    }
    html! {
        @match page.report.gather.traffic.span {
            Some((from, to)) => {
                (super::period(from, to)) " UTC, " (span(to.since(from))) ". "
                @if quiet == 0 {
                    "There was traffic in every one of the " (steps.len()) " steps of " (span(length)) "."
                } @else {
                    "There was traffic in " (steps.len() as u32 - quiet) " of " (steps.len()) " steps of " (span(length)) " ("
                    (number(100.0 * f64::from(steps.len() as u32 - quiet) / steps.len() as f64)) "\u{a0}%); the longest time without any was "
                    (span(crate::time::Span::from_nanos(length.nanos().saturating_mul(i64::from(longest))))) "."
                }
            }
            None => {
                @if let Some((from, to)) = page.span() { "Alerts speak of " (super::period(from, to)) " UTC. " }
                "How long was listened is not in the alerts (" code { "--flows" } ")."
            }
        }
    }
}

fn loss(account: Option<&Account>, page: &Page<'_>) -> Markup {
    let sum = &page.report.gather.traffic.sum;
    html! {
        @match account {
            Some(account) => {
                @let noun = if account.of_records { "line" } else { "frame" };
                (counted(account.read, noun)) " read, " (grouped(account.used)) " used, " (grouped(account.dropped)) " dropped before they could be read ("
                (number(100.0 * account.lost_share())) "\u{a0}%). "
                @if account.balanced { "The account balances. " } @else { b { "The account does not balance. " } }
                @if account.evicted > 0 { (counted(account.evicted, "flow")) " were ended early, since the table was full. " }
            }
            None => { "What was dropped is not known (" code { "--stats" } "). " }
        }
        @if page.report.gather.tells_loss {
            "By TCP's sequence numbers " (crate::feature::size_in_words(sum.missing_bytes)) " were sent and not seen."
        }
    }
}

fn alerts(page: &Page<'_>) -> Markup {
    let incidents = &page.report.gather.incidents;
    html! {
        (counted(incidents.count(), "incident")) " in " (counted(incidents.lines, "line")) "; " (grouped(incidents.open())) " not closed. "
        @if let Some((middle, longest)) = incidents.time_to_tell() {
            "From an incident's first packet to its first line it took " (span(middle)) " (the middle of all), at the longest " (span(longest)) ". "
        }
        @if incidents.degraded_lines > 0 { (counted(incidents.degraded_lines, "line")) " were written in a degraded state. " }
        @if incidents.uncounted_lines > 0 { (counted(incidents.uncounted_lines, "line")) " are of incidents beyond the first million, which are not counted. " }
    }
}

fn answers(page: &Page<'_>) -> Markup {
    let Some(answers) = &page.report.answers else {
        return html! { "Not known: no file of answers was given (" code { "--answers" } ")." };
    };
    let answered = page.report.gather.incidents.answered(answers);
    html! {
        (counted(answered.count, "incident")) @if answered.count == 1 { " was" } @else { " were" } " answered"
        @if let Some((middle, longest)) = answered.times {
            ": it took " (span(middle)) " from an incident's first line (the middle of all), at the longest " (span(longest))
        }
        ". " (grouped(answered.without)) " have no answer"
        @if answered.high_without > 0 { ", " b { (grouped(answered.high_without)) " of them of high severity" } }
        ". The file holds " (counted(answers.len() as u64, "answer")) ", those that were taken back included."
    }
}

fn record(chain: Option<&Chain>, page: &Page<'_>) -> Markup {
    let passed = &page.report.gather.passed_over;
    html! {
        @match chain {
            None => { "No alert file was read: the page was made by what judged." }
            Some(chain) if chain.linked == 0 && chain.unlinked == 0 => { "The alert files hold no alert." }
            Some(chain) => {
                @if chain.is_whole() {
                    b { "The chain is whole: " } "each of " (counted(chain.linked, "line")) " carries the digest of the one before"
                    @if chain.begun > 1 { ", in " (chain.begun) " chains" } ". "
                } @else {
                    b class="bad" { "The chain is not whole. " }
                    @if chain.broken > 0 { "It is broken at " (counted(chain.broken, "place")) ": " }
                    @for (place, (file, line, what)) in chain.breaks.iter().enumerate() {
                        @if place > 0 { "; " } (Shown::new(file)) ", line " (line) ": " (what)
                    }
                    @if chain.broken > 0 { ". " }
                    @if chain.unlinked > 0 { (counted(chain.unlinked, "line")) " carry no place in a chain. " }
                }
                @for first in &chain.headless { "A chain begins with its line " (first) ": what came before is not here. " }
                @if let Some(end) = chain.end() { "Lines cut off at the end would not show; the last one's digest is " code class="digest" { (end) } "." }
            }
        }
        @if passed.unreadable > 0 {
            " " b class="bad" { (counted(passed.unreadable, "line")) " could not be read" } ": "
            @for (place, (file, line, what)) in passed.told.iter().enumerate() {
                @if place > 0 { "; " } (Shown::new(file)) ", line " (line) ": " (Shown::new(what))
            }
            "."
        }
        @if passed.others > 0 { " " (counted(passed.others, "event")) " of other kinds were passed over." }
    }
}

fn classes(page: &Page<'_>) -> Markup {
    let name = |severity: u8| match severity {
        1 => "high",
        2 => "medium",
        _ => "low",
    };
    let rows: Vec<_> = page
        .report
        .gather
        .incidents
        .by_class()
        .iter()
        .map(|class| {
            vec![
                text(class.title.as_str()),
                text(name(class.severity)),
                figure(grouped(class.count)),
                figure(grouped(class.open)),
            ]
        })
        .collect();
    html! { @if !rows.is_empty() { (table("Incidents by class", &["Class", "Severity", "Incidents", "Not closed"], &rows)) } }
}

fn models(page: &Page<'_>) -> Markup {
    let models = &page.report.gather.incidents.models;
    let rows: Vec<_> = models
        .iter()
        .take(MOST_MODELS)
        .map(|(model, lines)| {
            let digest = html! {
                @match &model.digest { Some(digest) => { code class="digest" { (digest) } } None => { "none: the traffic taught itself" } }
            };
            vec![(digest, false), text(model::until(model.trained_until.as_str())), figure(grouped(*lines))]
        })
        .collect();
    html! {
        @if !rows.is_empty() { (table("Models that judged", &["Model", "Had learned until", "Alert lines"], &rows)) }
        @if models.len() > MOST_MODELS { p class="more" { "and " (models.len() - MOST_MODELS) " more models." } }
    }
}

fn files(page: &Page<'_>) -> Markup {
    const MOST_FILES: usize = 60;
    let rows: Vec<_> = page
        .report
        .sources
        .iter()
        .take(MOST_FILES)
        .map(|file| {
            let digest = html! { @match &file.sha256 { Some(sha256) => { code class="digest" { (sha256) } } None => { "came through a pipe" } } };
            vec![text(file.name.as_str()), text(file.role), figure(grouped(file.bytes)), (digest, false)]
        })
        .collect();
    html! {
        @if !rows.is_empty() { (table("What this page was made of", &["File", "Read as", "Bytes", "SHA-256"], &rows)) }
        @if page.report.sources.len() > MOST_FILES { p class="more" { "and " (page.report.sources.len() - MOST_FILES) " more files." } }
    }
}
