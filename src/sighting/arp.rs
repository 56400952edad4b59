//! Address resolution (RFC 826): who says that an IPv4 address is theirs.

use serde::{Deserialize, Serialize};

use crate::wire::{Addr, Mac};

/// An ARP packet for IPv4 over Ethernet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arp {
    /// 1 asks, 2 answers; any other is kept as it came.
    pub operation: u16,
    /// Interface of the sender.
    pub sender_mac: Mac,
    /// Address that the sender says it has; 0.0.0.0 while it asks whether anybody else has the one it wants (RFC 5227).
    pub sender: Addr,
    /// Interface of the target: asked for in a request, and then most often zeros.
    pub target_mac: Mac,
    /// Address that is asked for; that of the asker in an answer.
    pub target: Addr,
}

impl Arp {
    /// Does the sender tell all others of its own address unasked (RFC 5227, 3)?
    #[must_use]
    pub fn is_gratuitous(&self) -> bool {
        self.sender == self.target
    }
}

/// Reads an ARP packet for Ethernet's addresses, by either of its hardware types (RFC 1042), and IPv4; nothing when it is for
/// others or cut.
pub(super) fn read(data: &[u8]) -> Option<Arp> {
    let (&[0, 1 | 6, 8, 0, 6, 4, high, low, ref addresses @ ..], _) = data.split_first_chunk::<28>()? else { return None };
    let [a, b, c, d, e, f, s0, s1, s2, s3, g, h, i, j, k, l, t0, t1, t2, t3] = *addresses;
    Some(Arp {
        operation: u16::from_be_bytes([high, low]),
        sender_mac: Mac([a, b, c, d, e, f]),
        sender: Addr::v4([s0, s1, s2, s3]),
        target_mac: Mac([g, h, i, j, k, l]),
        target: Addr::v4([t0, t1, t2, t3]),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_names_its_sender_and_whom_it_looks_for() {
        let request =
            [&[0, 1, 8, 0, 6, 4, 0, 1][..], &[2, 0, 0, 0, 0, 9, 10, 0, 0, 9], &[0; 6], &[10, 0, 0, 1], &[0; 18]].concat();
        let arp = read(&request).unwrap();
        assert_eq!((arp.operation, arp.sender_mac, arp.sender), (1, Mac([2, 0, 0, 0, 0, 9]), Addr::v4([10, 0, 0, 9])));
        assert_eq!((arp.target_mac, arp.target, arp.is_gratuitous()), (Mac::NONE, Addr::v4([10, 0, 0, 1]), false));
        assert!((0..28).all(|end| read(&request[..end]).is_none()));
        let infiniband = [&[0, 32, 8, 0, 20, 4, 0, 1][..], &[0; 48]].concat();
        assert_eq!(read(&infiniband), None);
        let in_snap = [&[0, 6][..], &request[2..]].concat();
        assert_eq!(read(&in_snap), Some(arp));
    }
}
