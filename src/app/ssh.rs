//! SSH: the identification strings (RFC 4253, 4.2).

use serde::Serialize;

use super::Side;
use super::listen::{Heard, Listen, Place};
use super::reader::first_line;
use super::text::{NAME_BYTES, printable};

/// Facts of an SSH connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SshFacts {
    /// Software of the initiator as it names itself (`OpenSSH_9.2p1 Debian-2`), up to 64 characters.
    pub software_orig: Option<Box<str>>,
    /// Software of the responder.
    pub software_resp: Option<Box<str>>,
}

impl Listen for SshFacts {
    const MOST_LOOKS: Option<u8> = Some(8);

    fn hear(&mut self, heard: &Heard<'_>, _: &mut Place) -> bool {
        self.banner(heard.payload.side, heard.payload.bytes);
        !self.is_complete()
    }
}

impl SshFacts {
    /// Reads an identification string; anything else is passed over.
    fn banner(&mut self, side: Side, payload: &[u8]) {
        let software = payload.strip_prefix(b"SSH-").and_then(|rest| {
            let line = first_line(rest);
            let dash = line.iter().position(|b| *b == b'-')?;
            line.get(dash + 1..)
        });
        let place = match side {
            Side::Orig => &mut self.software_orig,
            Side::Resp => &mut self.software_resp,
        };
        if let (Some(software), None) = (software, &place) {
            *place = Some(printable(software, NAME_BYTES));
        }
    }

    /// Have both sides named themselves?
    const fn is_complete(&self) -> bool {
        self.software_orig.is_some() && self.software_resp.is_some()
    }
}
