//! The inventory as JSON and as CSV.

use std::fmt::Display;
use std::io::{self, Write};

use super::device::Device;
use super::keep::InventoryCounters;
use super::usage::ServiceUse;

/// Version of the form, raised when a field changes its meaning.
const VERSION: u32 = 1;

/// Writes one JSON object: `version`, `left_out`, and `devices`, each on a line of its own.
///
/// # Errors
/// When the target cannot be written.
pub fn write_json(mut to: impl Write, devices: &[Device], counters: InventoryCounters) -> io::Result<()> {
    write!(to, "{{\"version\":{VERSION},\"left_out\":")?;
    serde_json::to_writer(&mut to, &counters)?;
    to.write_all(b",\"devices\":[")?;
    for (place, device) in devices.iter().enumerate() {
        to.write_all(if place == 0 { b"\n" } else { b",\n" })?;
        serde_json::to_writer(&mut to, device)?;
    }
    to.write_all(b"\n]}\n")?;
    to.flush()
}

const COLUMNS: &str = "id,mac,vendor,locally_administered,addresses,names,dhcp_fingerprint,dhcp_vendor_class,roles,serves,uses,\
                       ae_titles,hl7_applications,software,switch_port,vlans,first,last,packets_sent,bytes_sent,packets_received,\
                       bytes_received";

/// Writes a line per device with the fields that fit one; several values of one field stand in it with `; ` between (RFC 4180).
///
/// Text from the network that a spreadsheet would take for a formula has an apostrophe in front.
///
/// # Errors
/// When the target cannot be written.
pub fn write_csv(mut to: impl Write, devices: &[Device]) -> io::Result<()> {
    write!(to, "{COLUMNS}\r\n")?;
    for device in devices {
        let dhcp = device.dhcp.clone().unwrap_or_default();
        let port = device.announced.as_ref().and_then(|told| told.port.as_deref());
        let fields = [
            device.id.clone(),
            device.mac.clone().unwrap_or_default(),
            device.vendor.clone().unwrap_or_default(),
            device.locally_administered.to_string(),
            joined(device.addresses.iter().map(|address| address.ip)),
            joined(device.names.iter().map(|name| &name.name)),
            dhcp.fingerprint.unwrap_or_default().into_string(),
            dhcp.vendor_class.unwrap_or_default().into_string(),
            joined(device.roles.iter().map(|role| role.role)),
            joined(device.serves.iter().map(service)),
            joined(device.uses.iter().map(service)),
            joined(device.ae_titles.iter().map(|title| &title.title)),
            joined(device.hl7_applications.iter().map(|application| &application.name)),
            joined(device.software.iter().map(|software| &software.text)),
            port.unwrap_or_default().to_owned(),
            joined(device.vlans.iter()),
            device.first.to_string(),
            device.last.to_string(),
            device.packets_sent.to_string(),
            device.bytes_sent.to_string(),
            device.packets_received.to_string(),
            device.bytes_received.to_string(),
        ];
        let line: Vec<String> = fields.into_iter().map(|field| cell(&field)).collect();
        write!(to, "{}\r\n", line.join(","))?;
    }
    to.flush()
}

fn joined<T: Display>(values: impl Iterator<Item = T>) -> String {
    let mut values: Vec<String> = values.map(|value| value.to_string()).collect();
    // A title by which a device both calls and is called.
    values.dedup();
    values.join("; ")
}

fn service(told: &ServiceUse) -> String {
    match told.app {
        Some(app) => format!("{} {app}", told.service),
        None => told.service.clone(),
    }
}

fn cell(text: &str) -> String {
    let guarded = if text.starts_with(['=', '+', '-', '@']) { format!("'{text}") } else { text.to_owned() };
    if guarded.contains([',', '"', '\r', '\n']) { format!("\"{}\"", guarded.replace('"', "\"\"")) } else { guarded }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_neither_torn_nor_a_formula() {
        assert_eq!(cell("a,\"b\""), "\"a,\"\"b\"\"\"");
        assert_eq!(cell("=1+1"), "'=1+1");
        assert_eq!(cell("02:00"), "02:00");
    }
}
