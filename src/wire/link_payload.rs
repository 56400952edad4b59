//! What a frame without an IP packet carries: for the few protocols below IP in which devices speak of themselves.

use super::{Frame, LinkType, Mac};

/// VLAN tags that are passed at the most.
const MAX_VLAN_TAGS: usize = 8;

/// Below this the field behind the MAC addresses is a length and not a type (IEEE 802.3, 3.2.6).
const MIN_ETHER_TYPE: u16 = 0x0600;

/// Which protocol follows the link layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkProtocol {
    /// By its EtherType, also where SNAP names it.
    EtherType(u16),
    /// A maker's own by SNAP: the maker's identifier and its number (IEEE 802, 9.2).
    Snap([u8; 3], u16),
}

/// The payload of a link layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkPayload<'a> {
    /// Who sent the frame; none where the link layer does not say.
    pub src_mac: Mac,
    /// Outermost and next VLAN identifiers; 0 where there is no tag.
    pub vlans: [u16; 2],
    /// What follows.
    pub protocol: LinkProtocol,
    /// Its captured bytes, padding included.
    pub data: &'a [u8],
}

impl<'a> Frame<'a> {
    /// What an Ethernet or Linux cooked frame carries behind VLAN tags and SNAP; nothing for other link layers, for LLC without
    /// SNAP, and for frames that end before.
    #[must_use]
    pub fn link_payload(&self) -> Option<LinkPayload<'a>> {
        let (src_mac, field, mut data) = match self.link {
            LinkType::ETHERNET => {
                let (header, rest) = self.data.split_first_chunk::<14>()?;
                let [.., a, b, c, d, e, f, high, low] = *header;
                (Mac([a, b, c, d, e, f]), [high, low], rest)
            }
            LinkType::LINUX_SLL => {
                let (header, rest) = self.data.split_first_chunk::<16>()?;
                let [_, _, _, _, _, bytes, mac @ .., _, _, high, low] = *header;
                (cooked(bytes, mac), [high, low], rest)
            }
            LinkType::LINUX_SLL2 => {
                let (header, rest) = self.data.split_first_chunk::<20>()?;
                let [high, low, _, _, _, _, _, _, _, _, _, bytes, mac @ .., _, _] = *header;
                (cooked(bytes, mac), [high, low], rest)
            }
            _ => return None,
        };
        let mut vlans = [0; 2];
        let mut slot = 0;
        let mut number = u16::from_be_bytes(field);
        for _ in 0..=MAX_VLAN_TAGS {
            match number {
                0x8100 | 0x88a8 | 0x9100 => {
                    let (&[high, low, next @ ..], rest) = data.split_first_chunk::<4>()?;
                    let id = u16::from_be_bytes([high, low]) & 0x0fff;
                    if let (true, Some(place)) = (id != 0, vlans.get_mut(slot)) {
                        *place = id;
                        slot += 1;
                    }
                    (number, data) = (u16::from_be_bytes(next), rest);
                }
                length if length < MIN_ETHER_TYPE => {
                    let (&[0xaa, 0xaa, 3, oui @ .., high, low], rest) = data.split_first_chunk::<8>()? else { return None };
                    let number = u16::from_be_bytes([high, low]);
                    let protocol = if oui == [0; 3] { LinkProtocol::EtherType(number) } else { LinkProtocol::Snap(oui, number) };
                    return Some(LinkPayload { src_mac, vlans, protocol, data: rest });
                }
                number => return Some(LinkPayload { src_mac, vlans, protocol: LinkProtocol::EtherType(number), data }),
            }
        }
        None
    }
}

fn cooked(bytes: u8, mac: [u8; 6]) -> Mac {
    if bytes == 6 { Mac(mac) } else { Mac::NONE }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    fn payload(link: LinkType, data: &[u8]) -> Option<(Mac, [u16; 2], LinkProtocol, Vec<u8>)> {
        let frame = Frame { time: Timestamp::MIN, link, wire_bytes: data.len() as u32, data };
        frame.link_payload().map(|found| (found.src_mac, found.vlans, found.protocol, found.data.to_vec()))
    }

    const MACS: [u8; 12] = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 9];
    const SENDER: Mac = Mac([2, 0, 0, 0, 0, 9]);

    #[test]
    fn tags_and_snap_are_passed() {
        let arp = LinkProtocol::EtherType(0x0806);
        let tagged = [&MACS[..], &[0x81, 0, 0xe0, 7, 8, 6, 1, 2]].concat();
        assert_eq!(payload(LinkType::ETHERNET, &tagged), Some((SENDER, [7, 0], arp, vec![1, 2])));
        let snap = [&MACS[..], &[0, 10, 0xaa, 0xaa, 3, 0, 0, 0, 8, 6, 1, 2]].concat();
        assert_eq!(payload(LinkType::ETHERNET, &snap), Some((SENDER, [0, 0], arp, vec![1, 2])));
        let cdp = [&MACS[..], &[0, 10, 0xaa, 0xaa, 3, 0, 0, 0x0c, 0x20, 0, 2]].concat();
        let own = LinkProtocol::Snap([0, 0, 0x0c], 0x2000);
        assert_eq!(payload(LinkType::ETHERNET, &cdp), Some((SENDER, [0, 0], own, vec![2])));
        for cut in 0..cdp.len() - 1 {
            assert_eq!(payload(LinkType::ETHERNET, &cdp[..cut]), None);
        }
    }

    #[test]
    fn cooked_frames_have_the_sender_alone() {
        let arp = LinkProtocol::EtherType(0x0806);
        let first = [&[0, 1, 0, 1, 0, 6, 2, 0, 0, 0, 0, 9, 0, 0, 8, 6][..], &[5]].concat();
        assert_eq!(payload(LinkType::LINUX_SLL, &first), Some((SENDER, [0, 0], arp, vec![5])));
        let second = [&[8, 6, 0, 0, 0, 0, 0, 3, 0, 1, 1, 6, 2, 0, 0, 0, 0, 9, 0, 0][..], &[5]].concat();
        assert_eq!(payload(LinkType::LINUX_SLL2, &second), Some((SENDER, [0, 0], arp, vec![5])));
        assert_eq!(payload(LinkType::RAW, &first), None);
    }
}
