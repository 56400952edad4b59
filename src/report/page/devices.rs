//! Which devices were seen.

use maud::{Markup, html};

use super::table::{Cell, figure, table};
use super::Page;
use crate::feature::{Host, size_in_words};
use crate::report::devices::Device;
use crate::report::text::{counted, listed};

/// Devices listed.
const MOST_ROWS: usize = 120;
/// Services, names and texts in a cell.
const MOST_IN_CELL: usize = 3;

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
        (std::cmp::Reverse(*incidents), device.mac.is_empty(), std::cmp::Reverse(device.bytes_sent.saturating_add(device.bytes_received)))
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
        (table("Devices that were seen", &["Address", "Name", "Maker", "Roles", "Offers", "Uses", "Software", "Sent", "Received", "Incidents"], &rows))
        @if more > 0 { p class="more" { "and " (counted(more, "more device")) ": they are in the inventory." } }
    })
}

fn row(device: &Device, incidents: usize) -> Vec<Cell> {
    let joined = |texts: Vec<String>| {
        let more = texts.len().saturating_sub(MOST_IN_CELL);
        html! { (texts[..texts.len().min(MOST_IN_CELL)].join(", ")) @if more > 0 { " and " (more) " more" } }
    };
    let texts = |all: Vec<&crate::report::text::Shown>| all.into_iter().map(ToString::to_string).collect::<Vec<_>>();
    let address = device.address().map_or_else(|| device.id.to_string(), |host| host.to_string());
    let roles: Vec<String> = device.roles().iter().map(|role| role.as_str().replace('-', " ")).collect();
    vec![
        (html! { code { (address) } @if !device.mac.is_empty() { br; code class="muted small" { (device.mac) } } }, false),
        (joined(texts(device.names())), false),
        (html! { (device.vendor) }, false),
        (html! { (listed(&roles)) }, false),
        (joined(device.services(true)), false),
        (joined(device.services(false)), false),
        (joined(texts(device.software())), false),
        figure(size_in_words(device.bytes_sent as f64)),
        figure(size_in_words(device.bytes_received as f64)),
        figure(incidents),
    ]
}
