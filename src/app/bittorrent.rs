//! BitTorrent: peers (BEP 3), the distributed hash table (BEP 5), trackers over UDP (BEP 15), local discovery (BEP 14), and
//! peers over uTP (BEP 29).

use super::reader::Reader;

const HANDSHAKE: &[u8] = b"\x13BitTorrent protocol";
/// How a query, an answer and an answer with the client's address start, and an error.
const DHT_STARTS: [&[u8]; 4] = [b"d1:ad2:id20:", b"d1:rd2:id20:", b"d2:ip6:", b"d1:eli20"];
/// The number with which a client greets a tracker.
const TRACKER: [u8; 8] = [0, 0, 4, 0x17, 0x27, 0x10, 0x19, 0x80];
const UTP_HEADER_BYTES: usize = 20;

/// Does a peer start a stream so?
pub(super) fn is_handshake(payload: &[u8]) -> bool {
    payload.starts_with(HANDSHAKE)
}

/// Is this a datagram of BitTorrent's?
pub(super) fn is_datagram(payload: &[u8]) -> bool {
    is_dht(payload) || is_tracker(payload) || is_utp_handshake(payload) || payload.starts_with(b"BT-SEARCH * HTTP/1.1\r\n")
}

/// A dictionary that ends, with the kind of message in it.
fn is_dht(payload: &[u8]) -> bool {
    let starts = DHT_STARTS.iter().any(|start| payload.starts_with(start));
    let has_kind = || payload.windows(5).any(|window| matches!(window, [b'1', b':', b'y', b'1', b':']));
    starts && payload.ends_with(b"e") && has_kind()
}

/// A client's first request: the number, action 0 and an identifier.
fn is_tracker(payload: &[u8]) -> bool {
    matches!(payload, [number @ .., 0, 0, 0, 0, _, _, _, _] if *number == TRACKER)
}

/// A peer's handshake in uTP's data, behind at most one extension.
fn is_utp_handshake(payload: &[u8]) -> bool {
    let Some((header, rest)) = payload.split_at_checked(UTP_HEADER_BYTES) else { return false };
    let data = match header {
        // Data of version 1.
        [0x01, 0, ..] => Some(rest),
        [0x01, 1..=3, ..] => {
            let mut reader = Reader(rest);
            (reader.u8() == Some(0) && reader.vec8().is_some()).then_some(reader.0)
        }
        _ => None,
    };
    data.is_some_and(is_handshake)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datagrams_of_each_kind() {
        let utp = [&[1, 0][..], &[7; 18], HANDSHAKE, &[0; 48]].concat();
        let behind = [&[1, 1][..], &[7; 18], &[0, 4, 1, 2, 3, 4], HANDSHAKE].concat();
        let cases: [&[u8]; 7] = [
            b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe",
            b"d1:rd2:id20:mnopqrstuvwxyz123456e1:t2:aa1:y1:re",
            b"d1:eli201e23:A Generic Error Ocurrede1:t2:aa1:y1:ee",
            b"BT-SEARCH * HTTP/1.1\r\nHost: 239.192.152.143:6771\r\n",
            &[&TRACKER[..], &[0, 0, 0, 0, 1, 2, 3, 4]].concat(),
            &utp,
            &behind,
        ];
        for datagram in cases {
            assert!(is_datagram(datagram), "{:?}", String::from_utf8_lossy(datagram));
        }
    }

    #[test]
    fn what_only_looks_like_it() {
        let cases: [&[u8]; 5] = [
            b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa",
            b"d3:cow3:moo1:y1:qe",
            &[&TRACKER[..], &[0, 0, 0, 1, 1, 2, 3, 4]].concat(),
            &[&[1, 0][..], &[7; 18], b"\x13BitTorrent protocal"].concat(),
            &[1; 20],
        ];
        for datagram in cases {
            assert!(!is_datagram(datagram), "{:?}", String::from_utf8_lossy(datagram));
        }
    }
}
