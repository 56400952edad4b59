//! Which devices were seen.

use maud::{Markup, html};

use super::table::{Cell, figure, table};
use super::{Page, role};
use crate::feature::{Host, size_in_words};
use crate::report::devices::Device;
use crate::report::text::{Shown, counted, listed};

/// Devices listed.
const MOST_ROWS: usize = 120;
/// Services, names and texts in a cell.
const MOST_IN_CELL: usize = 4;
const HEADS: [&str; 8] = ["Address", "Name and maker", "Roles", "Services", "Software", "Sent", "Received", "Incidents"];

/// The table; nothing without an inventory.
pub fn section(page: &Page<'_>) -> Option<Markup> {
    let devices = page.report.devices.as_ref()?;
    let incidents = |device: &Device| -> usize {
        let own = |host: &Host| device.addresses().any(|address| address == *host);
        page.hosts.iter().filter(|(host, _)| own(host)).map(|(_, told)| told.len()).sum()
    };
    let mut ranked: Vec<(usize, &Device)> = devices.kept().iter().map(|device| (incidents(device), device)).collect();
    // Those kept are in the order of their traffic already.
    ranked.sort_by_key(|(incidents, device)| {
        (
            std::cmp::Reverse(*incidents),
            device.mac.is_empty(),
            std::cmp::Reverse(device.bytes_sent.saturating_add(device.bytes_received)),
        )
    });
    let rows: Vec<_> = ranked.iter().take(MOST_ROWS).map(|(incidents, device)| row(device, *incidents)).collect();
    let more = devices.count.saturating_sub(rows.len() as u64);
    let outside = devices.count - devices.with_mac;
    Some(html! {
        p {
            (counted(devices.with_mac, "device")) " were seen with an own network interface"
            @if outside > 0 { ", " (counted(outside, "further address")) " only from beyond a router" }
            ". Devices with incidents come first, then those that moved most."
        }
        (table("Devices that were seen", &HEADS, &rows))
        @if more > 0 { p class="more" { "and " (counted(more, "more device")) ": they are in the inventory." } }
    })
}

fn row(device: &Device, incidents: usize) -> Vec<Cell> {
    let address = device.address().map_or_else(|| device.id.to_string(), |host| host.to_string());
    let roles: Vec<String> = device.roles().iter().map(|told| role(told.as_str())).collect();
    let (offers, uses) = (device.services(true), device.services(false));
    vec![
        (html! { code { (address) } @if !device.mac.is_empty() { br; code class="muted small" { (device.mac) } } }, false),
        (
            html! {
                @if !device.names().is_empty() { b { (some_of(&device.names(), MOST_IN_CELL)) } " " }
                @if !device.maker().is_empty() { span class="muted" { (device.maker()) } }
            },
            false,
        ),
        (html! { (listed(&roles)) }, false),
        (
            html! {
                @if !offers.is_empty() { "offers " (some_of(&offers, MOST_IN_CELL)) }
                @if !offers.is_empty() && !uses.is_empty() { "; " }
                @if !uses.is_empty() { "uses " (some_of(&uses, MOST_IN_CELL)) }
            },
            false,
        ),
        (html! { (some_of(&device.software(), 2)) }, false),
        figure(size_in_words(device.bytes_sent as f64)),
        figure(size_in_words(device.bytes_received as f64)),
        figure(incidents),
    ]
}

/// The first of some texts, and how many more there are.
fn some_of(texts: &[&Shown], most: usize) -> String {
    let shown: Vec<&str> = texts.iter().take(most).map(|text| text.as_str()).collect();
    let more = texts.len().saturating_sub(most);
    if more > 0 { format!("{} and {more} more", shown.join(", ")) } else { shown.join(", ") }
}
