//! CDP, Cisco's discovery protocol: a device tells its neighbours what it is.

use super::announcement::{Announcement, Capabilities, line};
use crate::wire::Addr;

/// Fields that are read at the most; a real frame has some 20.
const MOST_FIELDS: usize = 64;

/// Reads a frame's fields as far as they were captured; nothing unless it is of version 1 or 2 and names the device.
pub(super) fn read(data: &[u8]) -> Option<Announcement> {
    let (&[1 | 2, _, _, _], mut rest) = data.split_first_chunk::<4>()? else { return None };
    let mut announcement = Announcement { is_cdp: true, ..Announcement::default() };
    for _ in 0..MOST_FIELDS {
        let Some((kind, value, next)) = field(rest) else { break };
        match kind {
            1 => announcement.name = line(value),
            3 => announcement.port = line(value),
            4 => announcement.capabilities = capabilities(value),
            5 => announcement.description = line(value),
            6 => announcement.platform = line(value),
            10 => announcement.native_vlan = value.first_chunk().map_or(0, |vlan| u16::from_be_bytes(*vlan) & 0x0fff),
            2 | 22 => announcement.address = announcement.address.or_else(|| address(value)),
            _ => {}
        }
        rest = next;
    }
    announcement.name.is_some().then_some(announcement)
}

/// Type, value and what follows; the length counts the four bytes before the value.
fn field(data: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let (&[a, b, c, d], rest) = data.split_first_chunk::<4>()?;
    let bytes = usize::from(u16::from_be_bytes([c, d])).checked_sub(4)?;
    let (value, rest) = rest.split_at_checked(bytes)?;
    Some((u16::from_be_bytes([a, b]), value, rest))
}

/// The first address of a list, when it is an IP address: IPv4 by its NLPID, IPv6 by its EtherType in 802.2.
fn address(value: &[u8]) -> Option<Addr> {
    match value.get(4..)? {
        [1, 1, 0xcc, 0, 4, v4 @ ..] => v4.first_chunk().map(|v4| Addr::v4(*v4)),
        [2, 8, 0xaa, 0xaa, 3, 0, 0, 0, 0x86, 0xdd, 0, 16, v6 @ ..] => v6.first_chunk().map(|v6| Addr::v6(*v6)),
        _ => None,
    }
}

fn capabilities(value: &[u8]) -> Capabilities {
    let Some(bits) = value.first_chunk().map(|bits| u32::from_be_bytes(*bits)) else { return Capabilities::default() };
    Capabilities::default()
        .with(Capabilities::ROUTER, bits & 1 != 0)
        // Transparent and source-route bridges, and switches.
        .with(Capabilities::BRIDGE, bits & (2 | 4 | 8) != 0)
        .with(Capabilities::STATION, bits & 0x10 != 0)
        .with(Capabilities::REPEATER, bits & 0x40 != 0)
        .with(Capabilities::TELEPHONE, bits & 0x80 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tlv(kind: u16, value: &[u8]) -> Vec<u8> {
        [&kind.to_be_bytes()[..], &(value.len() as u16 + 4).to_be_bytes(), value].concat()
    }

    #[test]
    fn a_telephone_tells_what_it_is() {
        let address = tlv(2, &[0, 0, 0, 1, 1, 1, 0xcc, 0, 4, 10, 0, 0, 61]);
        let fields = [tlv(1, b"SEP0015652800"), address, tlv(3, b"Port 1"), tlv(4, &[0, 0, 0, 0x90]), tlv(6, b"Example Phone 7")];
        let whole = [&[2, 180, 0, 0][..], &fields.concat(), &tlv(5, b"P00.1\nmore"), &tlv(10, &[0, 5])].concat();
        let told = read(&whole).unwrap();
        assert_eq!((told.name.as_deref(), told.port.as_deref()), (Some("SEP0015652800"), Some("Port 1")));
        assert_eq!((told.platform.as_deref(), told.description.as_deref()), (Some("Example Phone 7"), Some("P00.1")));
        assert_eq!((told.address, told.native_vlan), (Some(Addr::v4([10, 0, 0, 61])), 5));
        assert_eq!(told.capabilities.names().collect::<Vec<_>>(), ["telephone", "station"]);
        for end in 0..whole.len() {
            let Some(got) = read(&whole[..end]) else { continue };
            assert!(got.name == told.name && (got.address.is_none() || got.address == told.address));
        }
        let v6 = [&[0, 0, 0, 1, 2, 8, 0xaa, 0xaa, 3, 0, 0, 0, 0x86, 0xdd, 0, 16, 0xfe, 0x80][..], &[0; 13], &[7]].concat();
        let whole = [&[2, 180, 0, 0][..], &tlv(1, b"x"), &tlv(22, &v6)].concat();
        assert_eq!(read(&whole).unwrap().address.unwrap().to_string(), "fe80::7");
        assert_eq!(read(&[&[3, 180, 0, 0][..], &tlv(1, b"x")].concat()), None);
    }
}
