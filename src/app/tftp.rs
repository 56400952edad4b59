//! Trivial file transfer: how many reads and writes were asked for (RFC 1350, 5). File names are not kept. The transfer itself goes over
//! a port of its own.

use serde::Serialize;

use super::count::bump;
use super::listen::{Heard, Listen, Place};

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
