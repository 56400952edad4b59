//! Incidents and why they are told, by device.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::words::{bounds, deeds};
use super::{Page, anchor, role, svg, time};
use crate::feature::Host;
use crate::report::attack_name;
use crate::report::event::{Stage, Told, Why};
use crate::report::text::{clock, counted, grouped, listed, number, period, value};

/// Incidents told in full.
const MOST_FULL: usize = 60;
/// Incidents that stand in the table of the others.
const MOST_LISTED: usize = 200;
/// Reasons shown at once; the others unfold.
const MOST_REASONS: usize = 3;
/// Peers and services named.
const MOST_NAMED: usize = 6;

/// Which incidents are told in full, which in a table.
pub struct Selection<'a> {
    /// By device: those told in full, in the order of their time, and how many the device has.
    full: Vec<(Host, Vec<&'a Told>, usize)>,
    /// Those in the table, most bits first.
    listed: Vec<&'a Told>,
    /// Those that are only counted.
    more: u64,
    /// Identifiers of those that have a place in the page.
    places: BTreeSet<&'a str>,
}

impl<'a> Selection<'a> {
    /// Chooses among the incidents of devices; there are `count` in all.
    pub fn of(hosts: &[(Host, Vec<&'a Told>)], count: u64) -> Self {
        let mut left = MOST_FULL;
        let mut full = Vec::new();
        let mut places = BTreeSet::new();
        for (host, told) in hosts {
            let taken = strongest_in_order(told, told.len().min(left));
            left -= taken.len();
            places.extend(taken.iter().map(|told| told.id.as_str()));
            if !taken.is_empty() {
                full.push((*host, taken, told.len()));
            }
        }
        let mut listed: Vec<&Told> = hosts.iter().flat_map(|(_, told)| told).copied().collect();
        listed.retain(|told| !places.contains(told.id.as_str()));
        listed.sort_by(|a, b| b.bits.total_cmp(&a.bits).then(a.id.cmp(&b.id)));
        listed.truncate(MOST_LISTED);
        places.extend(listed.iter().map(|told| told.id.as_str()));
        let more = count.saturating_sub(places.len() as u64);
        Self { full, listed, more, places }
    }

    /// Does it have a place in the page that can be led to?
    pub fn has_place(&self, told: &Told) -> bool {
        self.places.contains(told.id.as_str())
    }
}

/// Everything about incidents.
pub fn section(page: &Page<'_>) -> Markup {
    let Selection { full, listed, more, .. } = &page.selection;
    let most = page.hosts.iter().flat_map(|(_, told)| told).map(|told| told.bits).fold(1.0, f64::max);
    html! {
        p class="hint" {
            "Surprise is counted in bits: every bit halves how often such a thing is expected. What an ordinary conversation shows is "
            "taken off before."
        }
        @for (host, told, all) in full { (of_device(page, *host, told, *all, most)) }
        @if !listed.is_empty() { (the_others(page, listed)) }
        @if *more > 0 { p class="more" { "and " (counted(*more, "more incident")) ", weaker than these: they are in the alert files." } }
    }
}

/// The strongest `count` of them, in the order of time.
fn strongest_in_order<'a>(told: &[&'a Told], count: usize) -> Vec<&'a Told> {
    let mut ranked = told.to_vec();
    ranked.sort_by(|a, b| b.bits.total_cmp(&a.bits).then(a.id.cmp(&b.id)));
    ranked.truncate(count);
    ranked.sort_by(|a, b| a.first.cmp(&b.first).then(a.raised.cmp(&b.raised)).then(a.id.cmp(&b.id)));
    ranked
}

fn of_device(page: &Page<'_>, host: Host, told: &[&Told], all: usize, most: f64) -> Markup {
    let (first, last) = bounds(told);
    let device = page.report.devices.as_ref().and_then(|devices| devices.of(host));
    html! {
        section class="device" {
            h3 { (page.subject(host)) }
            p class="muted" {
                @if let Some(device) = device {
                    @let roles: Vec<String> = device.roles().iter().map(|told| role(told.as_str())).collect();
                    @if page.name(host).is_some() && !device.maker().is_empty() { (device.maker()) ". " }
                    @if !roles.is_empty() { "Roles: " (listed(&roles)) ". " }
                }
                (counted(all as u64, "incident")) ", " (period(first, last)) " UTC. It " (listed(&deeds(told))) "."
            }
            @for told in told { (incident(page, told, most)) }
        }
    }
}

/// An incident and why it is told; the bars of its bits are shares of `most`.
pub fn incident(page: &Page<'_>, told: &Told, most: f64) -> Markup {
    let (shown, more) = told.why.split_at(told.why.len().min(MOST_REASONS));
    html! {
        article class={ "incident sev" (told.severity) } id=(anchor(told)) {
            header {
                h4 { (told.title) }
                p class="when" {
                    (super::severity(told.severity)) " "
                    @if told.stage == Stage::Open { span class="tag" { "still open" } " " }
                    (time(told.first)) @if clock(told.first) != clock(told.last) { " to " (time(told.last)) }
                }
            }
            p class="score" { span { b { (format!("{:.1}", told.bits)) } " bits" } (svg::bar(told.bits / most, "total")) }
            div class="body" {
                div {
                    @if !shown.is_empty() {
                        h5 { "Why" }
                        ol class="why" { @for why in shown { (reason(why, most)) } }
                    }
                    @if !more.is_empty() {
                        details {
                            summary { (counted(more.len() as u64, "more reason")) }
                            ol class="why" start=(shown.len() + 1) { @for why in more { (reason(why, most)) } }
                        }
                    }
                }
                div {
                    @if !told.check.is_empty() {
                        h5 { "What to check" }
                        ul class="check" { @for check in &told.check { li { (check) } } }
                    }
                    (facts(page, told))
                }
            }
        }
    }
}

fn reason(why: &Why, most: f64) -> Markup {
    let unit = why.unit.as_str();
    html! {
        li {
            p { (why.text) }
            @match &why.usual {
                Some(usual) => {
                    @if let (Some(low), Some(high)) = (usual.low, usual.high) {
                        p class="measure" {
                            span { "observed " b { (value(why.observed, unit)) } }
                            span { "usual " b { (number_or_value(low, unit)) " to " (value(high, unit)) } " of " (usual.of) }
                        }
                        (svg::range(low, high, why.observed))
                    } @else {
                        p class="measure" { span { "never seen before of " (usual.of) } }
                    }
                }
                None => {}
            }
            p class="bits" { span { (format!("{:.1}", why.bits)) " bits" } (svg::bar(why.bits / most, "reason")) }
        }
    }
}

/// The low end of a range: without its unit where the high end says it.
fn number_or_value(low: f64, unit: &str) -> String {
    if matches!(unit, "bytes" | "s" | "share" | "0 or 1") { value(low, unit) } else { number(low) }
}

fn facts(page: &Page<'_>, told: &Told) -> Markup {
    let attack: Vec<String> = told
        .attack
        .iter()
        .map(|attack| match attack_name(attack.technique.as_str()) {
            Some(name) => format!("{name} ({})", attack.technique),
            None => attack.technique.to_string(),
        })
        .collect();
    let services: Vec<String> = told.services.iter().take(MOST_NAMED).map(ToString::to_string).collect();
    let more_services = told.services.len().saturating_sub(MOST_NAMED);
    html! {
        dl class="facts" {
            @if !told.peers.is_empty() {
                div {
                    dt { "Other ends" }
                    dd {
                        @for (place, peer) in told.peers.iter().take(MOST_NAMED).enumerate() {
                            @if place > 0 { ", " }
                            (page.device(*peer))
                        }
                        @let more = told.peers.len().saturating_sub(MOST_NAMED);
                        @if more > 0 { " and " (more) " more" @if told.peers.len() == 64 { " or further ones" } }
                    }
                }
            }
            @if !services.is_empty() {
                div {
                    dt { "Asked for" }
                    dd { (services.join(", ")) @if more_services > 0 { " and " (more_services) " more" } }
                }
            }
            div { dt { "Flows" } dd { (grouped(told.flows)) } }
            @if !attack.is_empty() { div { dt { "ATT&CK" } dd { (attack.join(", ")) } } }
            @if let Some(p_value) = told.p_value {
                div { dt { "In normal time" } dd { (chance(p_value)) } }
            }
            div { dt { "Incident" } dd { code { (told.id) } } }
        }
    }
}

/// A p-value of a device's five minutes, in words.
fn chance(p_value: f64) -> String {
    if p_value > 0.0 && p_value < 1.0 {
        let once_in = 1.0 / p_value;
        if once_in < 1e6 {
            format!("of so many times five minutes of a device, one is as unusual: {}", grouped(once_in.round() as u64))
        } else {
            String::from("of a million times five minutes of a device, not one is as unusual (extrapolated)")
        }
    } else {
        format!("p = {}", number(p_value))
    }
}

fn the_others(page: &Page<'_>, listed: &[&Told]) -> Markup {
    html! {
        h3 { "Weaker incidents" }
        div class="scroll" tabindex="0" role="region" aria-label="Weaker incidents" {
            table class="stack" {
                caption { "Incidents that are not told in full, most bits first" }
                thead {
                    tr {
                        th scope="col" { "What" }
                        th scope="col" { "First packet" }
                        th scope="col" { "Device" }
                        th scope="col" class="number" { "Bits" }
                    }
                }
                tbody {
                    @for told in listed {
                        tr id=(anchor(told)) {
                            th scope="row" { (told.title) }
                            td data-label="First packet" { div { (time(told.first)) } }
                            td data-label="Device" { div { (page.subject(told.host())) } }
                            td data-label="Bits" class="number" { div { (format!("{:.1}", told.bits)) } }
                        }
                    }
                }
            }
        }
    }
}
