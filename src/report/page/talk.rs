//! Devices with incidents and whom they talked to: a drawing, and the same as a table.

use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, html};

use super::Page;
use super::svg::pixels;
use super::table::{Cell, figure, table};
use crate::feature::{Host, size_in_words};
use crate::report::text::{Shown, grouped};

/// Devices with incidents drawn on the left.
const MOST_LEFT: usize = 8;
/// Other ends drawn on the right.
const MOST_RIGHT: usize = 18;
/// Rows of the table.
const MOST_ROWS: usize = 60;
/// Services named in a row.
const MOST_SERVICES: usize = 4;
const ROW: f64 = 26.0;

/// What lies between a device with incidents and another end.
#[derive(Default)]
struct Edge<'a> {
    /// The strongest incident that names it; 0 when none does.
    bits: f64,
    severity: u8,
    incidents: u64,
    flows: u64,
    bytes: u64,
    services: BTreeSet<&'a Shown>,
}

type Edges<'a> = BTreeMap<(Host, Host), Edge<'a>>;

/// Drawing and table.
pub fn section(page: &Page<'_>) -> Markup {
    let edges = edges(page);
    let lefts: Vec<Host> = page.hosts.iter().take(MOST_LEFT).map(|(host, _)| *host).collect();
    let rights = rights(&edges, &lefts);
    let all: BTreeSet<Host> = edges.keys().filter(|(left, _)| lefts.contains(left)).map(|(_, right)| *right).collect();
    let more = all.len() - rights.len();
    let has_flows = page.report.gather.flows > 0;
    html! {
        p {
            "Left the devices with incidents, right whom they talked to. A coloured line is part of an incident"
            @if has_flows { ", a grey one is not; the thicker, the more bytes." } @else { "." }
        }
        figure {
            (draw(page, &edges, &lefts, &rights))
            @if more > 0 || page.hosts.len() > lefts.len() {
                figcaption {
                    "Not drawn: "
                    @if more > 0 { (more) " further other ends" }
                    @if more > 0 && page.hosts.len() > lefts.len() { " and " }
                    @if page.hosts.len() > lefts.len() { (page.hosts.len() - lefts.len()) " further devices with incidents" }
                    "."
                }
            }
        }
        details { summary { "The same as a table" } (rows(page, &edges)) }
    }
}

fn edges<'a>(page: &'a Page<'_>) -> Edges<'a> {
    let mut edges = Edges::new();
    for (host, told) in page.hosts.iter().flat_map(|(host, told)| told.iter().map(move |told| (*host, told))) {
        for &peer in told.peers.iter().filter(|peer| **peer != host) {
            let edge = edges.entry((host, peer)).or_default();
            edge.incidents += 1;
            edge.services.extend(told.services.iter().take(MOST_SERVICES));
            if told.bits > edge.bits {
                (edge.bits, edge.severity) = (told.bits, told.severity);
            }
        }
    }
    let hosts: Vec<Host> = page.hosts.iter().take(MOST_ROWS).map(|(host, _)| *host).collect();
    for (host, peers) in page.report.gather.talks.peers_of(&hosts) {
        for (place, (peer, talk)) in peers.into_iter().enumerate() {
            // Of those that no incident names, the ones with most bytes are enough.
            if place < MOST_ROWS || edges.contains_key(&(host, peer)) {
                let edge = edges.entry((host, peer)).or_default();
                (edge.flows, edge.bytes) = (talk.flows, talk.bytes);
                edge.services.extend(&talk.services);
            }
        }
    }
    edges
}

/// The other ends of these devices: those with most bits first, then those with most bytes.
fn rights(edges: &Edges<'_>, lefts: &[Host]) -> Vec<Host> {
    let mut weights = BTreeMap::<Host, (f64, u64)>::new();
    for ((left, right), edge) in edges {
        if lefts.contains(left) {
            let weight = weights.entry(*right).or_default();
            weight.0 += edge.bits;
            weight.1 = weight.1.saturating_add(edge.bytes);
        }
    }
    let mut ranked: Vec<_> = weights.into_iter().collect();
    ranked.sort_by(|a, b| b.1.0.total_cmp(&a.1.0).then(b.1.1.cmp(&a.1.1)).then(a.0.cmp(&b.0)));
    ranked.into_iter().take(MOST_RIGHT).map(|(host, _)| host).collect()
}

fn draw(page: &Page<'_>, edges: &Edges<'_>, lefts: &[Host], rights: &[Host]) -> Markup {
    let height = ROW * lefts.len().max(rights.len()).max(1) as f64;
    let place = |index: usize, of: usize| height * (index as f64 + 0.5) / of.max(1) as f64;
    let thickness = |bytes: u64| ((bytes as f64 + 1.0).log10() / 2.0).clamp(1.0, 4.5);
    html! {
        svg class="plot talk" width="100%" height=(pixels(height)) role="img" aria-labelledby="talk-title" {
            title id="talk-title" { "Devices with incidents and whom they talked to; the table below says the same" }
            // Grey lines lie below the coloured ones.
            @for is_incident in [false, true] {
                @for (a, left) in lefts.iter().enumerate() {
                    @for (b, right) in rights.iter().enumerate() {
                        @if let Some(edge) = edges.get(&(*left, *right)).filter(|edge| (edge.incidents > 0) == is_incident) {
                            line class={ "edge sev" (edge.severity) } x1="40%" x2="60%" y1=(pixels(place(a, lefts.len())))
                                y2=(pixels(place(b, rights.len()))) stroke-width=(pixels(thickness(edge.bytes))) {}
                        }
                    }
                }
            }
            @for (index, host) in lefts.iter().enumerate() { (node(page, *host, true, place(index, lefts.len()))) }
            @for (index, host) in rights.iter().enumerate() { (node(page, *host, false, place(index, rights.len()))) }
        }
    }
}

fn node(page: &Page<'_>, host: Host, is_left: bool, y: f64) -> Markup {
    let (x, anchor, dot) = if is_left { ("38%", "end", "40%") } else { ("62%", "start", "60%") };
    let name = page.name(host).or_else(|| page.maker(host));
    html! {
        circle class="node" cx=(dot) cy=(pixels(y)) r="4" {}
        text x=(x) y=(pixels(y + if name.is_some() { -1.0 } else { 4.0 })) text-anchor=(anchor) { (short(&host.to_string())) }
        @if let Some(name) = name {
            text class="muted small" x=(x) y=(pixels(y + 11.0)) text-anchor=(anchor) { (short(&name)) }
        }
    }
}

/// What fits beside a drawing on a phone.
fn short(text: &str) -> String {
    const MOST_CHARS: usize = 19;
    if text.chars().count() <= MOST_CHARS {
        return text.to_owned();
    }
    format!("{}…", text.chars().take(MOST_CHARS - 1).collect::<String>())
}

fn rows(page: &Page<'_>, edges: &Edges<'_>) -> Markup {
    let mut ranked: Vec<_> = edges.iter().collect();
    ranked.sort_by(|a, b| b.1.bits.total_cmp(&a.1.bits).then(b.1.bytes.cmp(&a.1.bytes)).then(a.0.cmp(b.0)));
    let more = ranked.len().saturating_sub(MOST_ROWS);
    let has_flows = page.report.gather.flows > 0;
    let row = |((left, right), edge): &(&(Host, Host), &Edge<'_>)| -> Vec<Cell> {
        let services: Vec<&str> = edge.services.iter().take(MOST_SERVICES).map(|service| service.as_str()).collect();
        let mut cells =
            vec![(page.subject(*left), false), (page.device(*right), false), (html! { (services.join(", ")) }, false)];
        if has_flows {
            cells.push(figure(grouped(edge.flows)));
            cells.push(figure(size_in_words(edge.bytes as f64)));
        }
        cells.push(figure(edge.incidents));
        cells
    };
    let rows: Vec<_> = ranked.iter().take(MOST_ROWS).map(row).collect();
    let heads: &[&str] = if has_flows {
        &["Device", "Other end", "Services", "Flow records", "Bytes", "Incidents"]
    } else {
        &["Device", "Other end", "Services", "Incidents"]
    };
    html! {
        (table("Devices with incidents and whom they talked to", heads, &rows))
        @if more > 0 { p class="more" { "and " (grouped(more as u64)) " more pairs." } }
    }
}
