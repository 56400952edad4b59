//! LLDP (IEEE 802.1AB-2016, 8 and 9): a device tells its neighbours what it is.

use super::announcement::{Announcement, Capabilities, line};
use crate::wire::{Addr, Mac};

/// Fields that are read at the most; a real frame has some 20.
const MOST_FIELDS: usize = 64;

/// Reads a frame's fields as far as they were captured; nothing unless it begins with the identifier of the device and of the
/// port, as it must.
pub(super) fn read(data: &[u8]) -> Option<Announcement> {
    let mut announcement = Announcement::default();
    let (kind, chassis, rest) = field(data)?;
    if kind != 1 {
        return None;
    }
    match chassis {
        [4, mac @ ..] if mac.len() == 6 => announcement.chassis_mac = mac.first_chunk().map(|mac| Mac(*mac)),
        [subtype, id @ ..] => announcement.chassis = identifier(*subtype == 5, *subtype == 4, id),
        [] => return None,
    }
    let (2, [subtype, port @ ..], mut rest) = field(rest)? else { return None };
    announcement.port = identifier(*subtype == 4, *subtype == 3, port);
    for _ in 0..MOST_FIELDS {
        let Some((kind, value, next)) = field(rest) else { break };
        match kind {
            0 => break,
            5 => announcement.name = line(value),
            6 => announcement.description = line(value),
            7 => announcement.capabilities = capabilities(value),
            8 => announcement.address = announcement.address.or_else(|| management(value)),
            _ => {}
        }
        rest = next;
    }
    Some(announcement)
}

/// Type, value and what follows: seven bits of type, nine of length.
fn field(data: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (head, rest) = data.split_first_chunk::<2>()?;
    let head = u16::from_be_bytes(*head);
    let (value, rest) = rest.split_at_checked(usize::from(head & 0x1ff))?;
    Some(((head >> 9) as u8, value, rest))
}

/// An identifier as text: a network address, a MAC address, or a name.
fn identifier(is_address: bool, is_mac: bool, id: &[u8]) -> Option<Box<str>> {
    if is_address && let Some(addr) = address(id) {
        return Some(addr.to_string().into());
    }
    match id.first_chunk() {
        Some(mac) if is_mac && id.len() == 6 => Some(Mac(*mac).to_string().into()),
        _ => line(id),
    }
}

/// An address behind the number of its family (IANA address family numbers: 1 is IPv4, 2 is IPv6).
fn address(bytes: &[u8]) -> Option<Addr> {
    match bytes {
        [1, v4 @ ..] if v4.len() == 4 => v4.first_chunk().map(|v4| Addr::v4(*v4)),
        [2, v6 @ ..] if v6.len() == 16 => v6.first_chunk().map(|v6| Addr::v6(*v6)),
        _ => None,
    }
}

fn management(value: &[u8]) -> Option<Addr> {
    let (length, rest) = value.split_first()?;
    address(rest.get(..usize::from(*length))?)
}

/// What the device has enabled (8.5.8).
fn capabilities(value: &[u8]) -> Capabilities {
    let [_, _, high, low, ..] = *value else { return Capabilities::default() };
    let enabled = u16::from_be_bytes([high, low]);
    let bits = [
        (1, Capabilities::REPEATER),
        (2, Capabilities::BRIDGE),
        (3, Capabilities::ACCESS_POINT),
        (4, Capabilities::ROUTER),
        (5, Capabilities::TELEPHONE),
        (7, Capabilities::STATION),
    ];
    bits.into_iter().fold(Capabilities::default(), |all, (bit, one)| all.with(one, enabled >> bit & 1 == 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tlv(kind: u16, value: &[u8]) -> Vec<u8> {
        [&(kind << 9 | value.len() as u16).to_be_bytes()[..], value].concat()
    }

    fn frame() -> Vec<u8> {
        let ids = [tlv(1, &[4, 0, 9, 0x5c, 1, 2, 3]), tlv(2, b"\x05Gi1/0/7"), tlv(3, &[0, 120])].concat();
        let texts = [tlv(5, b"ward-switch"), tlv(6, b"Example OS 1.2\nbuilt on a Monday")].concat();
        let address = tlv(8, &[5, 1, 10, 0, 0, 3, 2, 0, 0, 0, 1, 0]);
        [ids, texts, tlv(7, &[0, 0x14, 0, 0x14]), address, tlv(0, &[])].concat()
    }

    #[test]
    fn a_switch_tells_what_it_is() {
        let told = read(&frame()).unwrap();
        assert_eq!(told.chassis_mac, Some(Mac([0, 9, 0x5c, 1, 2, 3])));
        assert_eq!((told.port.as_deref(), told.name.as_deref()), (Some("Gi1/0/7"), Some("ward-switch")));
        assert_eq!((told.description.as_deref(), told.address), (Some("Example OS 1.2"), Some(Addr::v4([10, 0, 0, 3]))));
        assert_eq!(told.capabilities.names().collect::<Vec<_>>(), ["bridge", "router"]);
    }

    #[test]
    fn what_is_cut_says_less_and_nothing_wrong() {
        let (whole, want) = (frame(), read(&frame()).unwrap());
        for end in 0..whole.len() {
            let Some(got) = read(&whole[..end]) else { continue };
            assert!(got.name.is_none() || got.name == want.name);
            assert!(got.address.is_none() || got.address == want.address);
        }
        assert_eq!(read(&tlv(2, b"\x05Gi1/0/7")), None);
        let by_address = [tlv(1, &[5, 1, 10, 0, 0, 8]), tlv(2, &[3, 0, 9, 0x5c, 1, 2, 3])].concat();
        let told = read(&by_address).unwrap();
        assert_eq!((told.chassis.as_deref(), told.port.as_deref()), (Some("10.0.0.8"), Some("00:09:5c:01:02:03")));
    }
}
