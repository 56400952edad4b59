//! What the incidents are in the terms of MITRE ATT&CK.

use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, html};

use super::Page;
use super::table::{figure, table, text};
use crate::feature::Host;
use crate::report::attack::{tactic, technique};
use crate::report::event::Attack;

/// Rows, and devices named in one.
const MOST_ROWS: usize = 40;
const MOST_DEVICES: usize = 4;

/// The table; nothing when no incident has a technique.
pub fn section(page: &Page<'_>) -> Option<Markup> {
    let mut found = BTreeMap::<(&str, &Attack), (u64, BTreeSet<Host>)>::new();
    for (host, told) in page.hosts.iter().flat_map(|(host, told)| told.iter().map(move |told| (*host, told))) {
        for attack in &told.attack {
            let (count, hosts) = found.entry((attack.tactic.as_str(), attack)).or_default();
            *count += 1;
            hosts.insert(host);
        }
    }
    if found.is_empty() {
        return None;
    }
    let rows: Vec<_> = found
        .iter()
        .take(MOST_ROWS)
        .map(|((_, attack), (count, hosts))| {
            let named = |number: &str, name: Option<&'static str>| {
                html! { @if let Some(name) = name { (name) " " } span class="muted" { (number) } }
            };
            let devices = html! {
                @for (place, host) in hosts.iter().take(MOST_DEVICES).enumerate() { @if place > 0 { ", " } (page.subject(*host)) }
                @if hosts.len() > MOST_DEVICES { " and " (hosts.len() - MOST_DEVICES) " more" }
            };
            vec![
                (named(attack.technique.as_str(), technique(attack.technique.as_str())), false),
                (named(attack.tactic.as_str(), tactic(attack.tactic.as_str())), false),
                figure(*count),
                text(devices),
            ]
        })
        .collect();
    Some(html! {
        p { "What these incidents could be part of, by MITRE ATT&CK. It says what they look like, not that there was an attack." }
        (table("Techniques that incidents look like", &["Technique", "Tactic", "Incidents", "Devices"], &rows))
    })
}
