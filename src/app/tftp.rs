//! Trivial file transfer: how many reads and writes were asked for (RFC 1350, 5). File names are not kept. The transfer itself goes over
//! a port of its own.

use serde::Serialize;

use super::Ports;
use super::count::bump;
use super::listen::{Heard, Listen, Place};

/// Bytes of a block, where no other size was agreed on.
const BLOCK_BYTES: usize = 512;
/// Options of a transfer (RFC 2348, 2349 and 7440).
const OPTIONS: [&[u8]; 4] = [b"blksize", b"timeout", b"tsize", b"windowsize"];

/// Does a transfer begin so, between two ports that were drawn for it: by the first block, by an acknowledgement of the request to write, or by one of
/// its options (RFC 1350, 4 and 5, RFC 2347)?
pub(super) fn begins_transfer(ports: Ports, payload: &[u8]) -> bool {
    let is_option = |name: &[u8]| OPTIONS.iter().any(|option| option.eq_ignore_ascii_case(name));
    ports.are_drawn()
        && match payload {
            [0, 3, 0, 1, block @ ..] => block.len() <= BLOCK_BYTES,
            [0, 4, 0, 0] => true,
            [0, 6, options @ ..] => options.split(|byte| *byte == 0).next().is_some_and(is_option),
            _ => false,
        }
}

/// Facts of a flow of TFTP.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TftpFacts {
    /// Requests to read a file.
    pub read: u32,
    /// Requests to write a file.
    pub write: u32,
    /// Errors.
    pub errors: u32,
}

impl Listen for TftpFacts {
    const MOST_LOOKS: Option<u8> = None;

    fn hear(&mut self, heard: &Heard<'_>, _: &mut Place) -> bool {
        match heard.payload.bytes {
            [0, 1, ..] => bump(&mut self.read),
            [0, 2, ..] => bump(&mut self.write),
            [0, 5, ..] => bump(&mut self.errors),
            _ => {}
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transfer_is_known_by_its_first_message_between_drawn_ports() {
        let begins = |orig, payload: &[u8]| begins_transfer(Ports { protocol: 17, orig, resp: 50_001 }, payload);
        let block = [&[0, 3, 0, 1][..], &[7; BLOCK_BYTES]].concat();
        assert!(begins(50_000, &block) && begins(50_000, &[0, 4, 0, 0]) && begins(50_000, b"\0\x06BlkSize\x001428\0"));
        assert!(!begins(69, &block), "a port of its own");
        assert!(!begins(50_000, &[&block[..], &[7]].concat()) && !begins(50_000, &[0, 3, 0, 2, 7]));
        assert!(!begins(50_000, &[0, 4, 0, 0, 0]) && !begins(50_000, b"\0\x06other\0"));
    }
}
