//! Version 1 (MS-CIFS, 2.2.3 and 2.2.4; MS-SMB, 2.2.4).

use std::borrow::Cow;

use super::{SmbFacts, pipe, u16_at, u32_at};
use crate::app::count::{bump, hash};
use crate::app::ntlm::narrow;

const HEADER_BYTES: usize = 32;
/// Commands in one message.
const MOST_CHAINED: usize = 8;

/// What the header says that the commands need.
#[derive(Clone, Copy)]
struct Header {
    is_response: bool,
    is_unicode: bool,
    tree: u32,
}

/// Reads a message with its chain of commands.
pub(super) fn message(facts: &mut SmbFacts, bytes: &[u8]) {
    let _ = chain(facts, bytes);
}

fn chain(facts: &mut SmbFacts, bytes: &[u8]) -> Option<()> {
    let (flags, flags2) = (*bytes.get(9)?, u16_at(bytes, 10)?);
    let tree = u32::from(u16_at(bytes, 24)?);
    let header = Header { is_response: flags & 0x80 != 0, is_unicode: flags2 & 0x8000 != 0, tree };
    let mut command = *bytes.get(4)?;
    facts.signed |= flags2 & 4 != 0 && bytes.get(14..22)? != [0; 8];
    if header.is_response {
        match (flags2 & 0x4000 != 0, u32_at(bytes, 5)?) {
            (true, status) => facts.status(status),
            // Errors of the old kind: a class and a number.
            (false, 0) => {}
            (false, status) => facts.status(match (status & 0xff, status >> 16) {
                (1, 5) => 0xc000_0022,
                (2, 2) => 0xc000_006d,
                (1, 2 | 3) => 0xc000_0034,
                _ => 0xc000_0001,
            }),
        }
    }
    let mut block = HEADER_BYTES;
    for _ in 0..MOST_CHAINED {
        if header.is_response {
            response(facts, command, bytes, block);
        } else {
            request(facts, command, header, bytes, block);
        }
        let is_chained = matches!(command, 0x24 | 0x2d | 0x2e | 0x2f | 0x73 | 0x74 | 0x75 | 0xa2);
        let next = *bytes.get(block + 1).filter(|next| is_chained && **next != 0xff)?;
        let words = *bytes.get(block).filter(|words| **words >= 2)?;
        let offset = usize::from(u16_at(bytes, block + 3)?);
        if offset <= block + 2 * usize::from(words) {
            return None;
        }
        (command, block) = (next, offset);
    }
    Some(())
}

fn request(facts: &mut SmbFacts, command: u8, header: Header, bytes: &[u8], block: usize) {
    let commands = &mut facts.commands;
    let counter = match command {
        0x72 => &mut commands.negotiate,
        0x73 => &mut commands.session_setup,
        0x74 => &mut commands.logoff,
        0x70 | 0x75 => &mut commands.tree_connect,
        0x71 => &mut commands.tree_disconnect,
        0x00 | 0x02 | 0x03 | 0x0e | 0x0f | 0x2d | 0xa2 => &mut commands.create,
        0x04 => &mut commands.close,
        0x0a | 0x14 | 0x1a | 0x2e => &mut commands.read,
        0x0b | 0x0c | 0x1d | 0x2c | 0x2f => &mut commands.write,
        0x07 | 0xa5 => &mut commands.rename,
        0x01 | 0x06 => &mut commands.delete,
        0x09 | 0x22 => &mut commands.set_info,
        0x08 | 0x23 | 0x80 => &mut commands.query_info,
        0x81 | 0x82 => &mut commands.query_directory,
        0x25 | 0xa0 => &mut commands.ioctl,
        // The subcommand is the first word of the setup, behind 14 words and its count.
        0x32 => match u16_at(bytes, block + 29) {
            Some(1 | 2) => &mut commands.query_directory,
            Some(5 | 7 | 3) => &mut commands.query_info,
            Some(6 | 8) => match level(bytes, block) {
                Some(0x0102 | 1013) => &mut commands.delete,
                Some(1010) => &mut commands.rename,
                _ => &mut commands.set_info,
            },
            _ => &mut commands.other,
        },
        _ => &mut commands.other,
    };
    bump(counter);
    let _ = match command {
        0x73 => {
            facts.token(bytes);
            None
        }
        0x75 => share(facts, header, bytes, block),
        0xa2 => create(facts, header, bytes, block),
        0x2f => write(facts, bytes, block),
        0x25 => data(facts, bytes, u16_at(bytes, block + 25)),
        _ => None,
    };
}

fn response(facts: &mut SmbFacts, command: u8, bytes: &[u8], block: usize) {
    let words = bytes.get(block).copied().unwrap_or_default();
    let _ = match command {
        0x72 if words >= 13 => {
            facts.dialect = Some(if words == 17 { "NT LM 0.12" } else { "other" });
            facts.signing_required = bytes.get(block + 3).is_some_and(|mode| words == 17 && mode & 8 != 0);
            None
        }
        0x73 => {
            facts.token(bytes);
            // What was done stands behind the chain (MS-CIFS, 2.2.4.53.2).
            let is_guest = words >= 3 && u16_at(bytes, block + 1 + 4).is_some_and(|action| action & 1 != 0);
            u32_at(bytes, 5).map(|status| facts.answered(status, is_guest))
        }
        // What was done stands behind the chain, the kind of lock and the file's number.
        0xa2 if words >= 34 => created(facts, u32_at(bytes, block + 1 + 4 + 1 + 2)),
        0x2e if words == 12 => read(facts, bytes, block),
        0x25 if words >= 10 => data(facts, bytes, u16_at(bytes, block + 15)),
        _ => None,
    };
}

/// Which property of an open file is set: behind the file's number in the parameters.
fn level(bytes: &[u8], block: usize) -> Option<u16> {
    u16_at(bytes, usize::from(u16_at(bytes, block + 21)?) + 2)
}

fn share(facts: &mut SmbFacts, header: Header, bytes: &[u8], block: usize) -> Option<()> {
    let password = usize::from(u16_at(bytes, block + 7)?);
    let path = text(bytes.get(block + 11 + password..)?, block + 11 + password, header)?;
    let end = path.iter().position(|b| *b == 0)?;
    facts.share(path.get(..end)?);
    Some(())
}

fn create(facts: &mut SmbFacts, header: Header, bytes: &[u8], block: usize) -> Option<()> {
    if u32_at(bytes, block + 40)? & 0x1000 != 0 {
        bump(&mut facts.commands.delete);
    }
    let length = usize::from(u16_at(bytes, block + 6)?);
    let from = block + 51;
    let aligned = from + usize::from(header.is_unicode && !from.is_multiple_of(2));
    let name = text(bytes.get(aligned..aligned + length)?, aligned, header)?;
    let end = name.iter().position(|b| *b == 0).unwrap_or(name.len());
    facts.file(header.tree, name.get(..end)?, u32_at(bytes, block + 16)?);
    Some(())
}

fn created(facts: &mut SmbFacts, action: Option<u32>) -> Option<()> {
    match action? {
        2 => bump(&mut facts.files_created),
        0 | 3 => bump(&mut facts.files_overwritten),
        _ => {}
    }
    Some(())
}

fn write(facts: &mut SmbFacts, bytes: &[u8], block: usize) -> Option<()> {
    let length = u32::from(u16_at(bytes, block + 21)?) | u32::from(u16_at(bytes, block + 19)?) << 16;
    facts.write_bytes = facts.write_bytes.saturating_add(length.into());
    let data = bytes.get(u16_at(bytes, block + 23)?.into()..)?;
    facts.written(data, hash(bytes.get(block + 5..block + 7)?.iter().copied()), 1);
    Some(())
}

fn read(facts: &mut SmbFacts, bytes: &[u8], block: usize) -> Option<()> {
    facts.read_bytes = facts.read_bytes.saturating_add(u16_at(bytes, block + 11)?.into());
    data(facts, bytes, u16_at(bytes, block + 13))
}

/// What goes through a pipe. Its number is left out: few clients of version 1 open two at once.
fn data(facts: &mut SmbFacts, bytes: &[u8], from: Option<u16>) -> Option<()> {
    pipe::call(&mut facts.dcerpc, bytes.get(from?.into()..)?, 1);
    Some(())
}

/// Text in one byte per character; UTF-16 starts at an even place of the message.
fn text(bytes: &[u8], at: usize, header: Header) -> Option<Cow<'_, [u8]>> {
    if !header.is_unicode {
        return Some(Cow::Borrowed(bytes));
    }
    let bytes = if at.is_multiple_of(2) { bytes } else { bytes.get(1..)? };
    Some(Cow::Owned(narrow(bytes)))
}
