//! Versions 2 and 3 (MS-SMB2, 2.2).

use super::{SmbFacts, pipe, u16_at, u32_at};
use crate::app::count::{bump, hash};
use crate::app::ntlm::narrow;

const HEADER_BYTES: usize = 64;
/// Longest name that is looked at, in bytes of UTF-16.
const MOST_NAME_BYTES: usize = 1024;
/// Control code that writes to a pipe and reads from it.
const PIPE_TRANSCEIVE: u32 = 0x0011_c017;
/// Of a session: nobody's, though a name was given (MS-SMB2, 2.2.6).
const IS_GUEST: u16 = 1;
const DELETE_ON_CLOSE: u32 = 0x1000;

/// Reads one request or response. Returns where the next one of the same message starts, 0 for none.
pub(super) fn message(facts: &mut SmbFacts, bytes: &[u8]) -> Option<u32> {
    let [0xfe, b'S', b'M', b'B', 64, 0, ..] = bytes else { return None };
    let (command, flags, next) = (u16_at(bytes, 12)?, u32_at(bytes, 16)?, u32_at(bytes, 20)?);
    let own = if next == 0 { bytes } else { bytes.get(..next as usize).unwrap_or(bytes) };
    facts.signed |= flags & 8 != 0;
    if flags & 1 == 0 {
        request(facts, command, own);
    } else {
        response(facts, command, flags, own);
    }
    Some(next)
}

fn request(facts: &mut SmbFacts, command: u16, bytes: &[u8]) {
    let commands = &mut facts.commands;
    let counter = match command {
        0 => &mut commands.negotiate,
        1 => &mut commands.session_setup,
        2 => &mut commands.logoff,
        3 => &mut commands.tree_connect,
        4 => &mut commands.tree_disconnect,
        5 => &mut commands.create,
        6 => &mut commands.close,
        8 => &mut commands.read,
        9 => &mut commands.write,
        11 => &mut commands.ioctl,
        14 => &mut commands.query_directory,
        16 => &mut commands.query_info,
        17 => match bytes.get(HEADER_BYTES + 2..HEADER_BYTES + 4) {
            Some([1, 10 | 65]) => &mut commands.rename,
            Some([1, 13 | 64]) => &mut commands.delete,
            _ => &mut commands.set_info,
        },
        _ => &mut commands.other,
    };
    bump(counter);
    let _ = match command {
        1 => {
            facts.token(bytes);
            None
        }
        3 => share(facts, bytes),
        5 => create(facts, bytes),
        9 => write(facts, bytes),
        11 => control(facts, bytes, 88),
        17 => rename(facts, bytes),
        _ => None,
    };
}

fn response(facts: &mut SmbFacts, command: u16, flags: u32, bytes: &[u8]) {
    let status = u32_at(bytes, 8).unwrap_or_default();
    facts.status(status);
    // A response that says only that the real one is to come has no body of its own.
    if flags & 2 != 0 && status == 0x103 {
        return;
    }
    let _ = match command {
        0 if status == 0 => negotiated(facts, bytes),
        1 => {
            facts.token(bytes);
            facts.answered(status, u16_at(bytes, HEADER_BYTES + 2).is_some_and(|flags| flags & IS_GUEST != 0));
            None
        }
        5 if status == 0 => created(facts, bytes),
        8 => read(facts, bytes),
        11 => control(facts, bytes, 96),
        _ => None,
    };
}

fn negotiated(facts: &mut SmbFacts, bytes: &[u8]) -> Option<()> {
    facts.signing_required = u16_at(bytes, HEADER_BYTES + 2)? & 2 != 0;
    facts.dialect = Some(match u16_at(bytes, HEADER_BYTES + 4)? {
        0x0202 => "2.0.2",
        0x0210 => "2.1",
        0x0300 => "3.0",
        0x0302 => "3.0.2",
        0x0311 => "3.1.1",
        // Version 2 or later, to be told in a second exchange.
        0x02ff => return None,
        _ => "other",
    });
    Some(())
}

fn share(facts: &mut SmbFacts, bytes: &[u8]) -> Option<()> {
    let path = part(bytes, u16_at(bytes, HEADER_BYTES + 4)?.into(), u16_at(bytes, HEADER_BYTES + 6)?.into())?;
    facts.share(&narrow(path));
    Some(())
}

fn create(facts: &mut SmbFacts, bytes: &[u8]) -> Option<()> {
    if u32_at(bytes, HEADER_BYTES + 40)? & DELETE_ON_CLOSE != 0 {
        bump(&mut facts.commands.delete);
    }
    let name = part(bytes, u16_at(bytes, HEADER_BYTES + 44)?.into(), u16_at(bytes, HEADER_BYTES + 46)?.into())?;
    facts.file(u32_at(bytes, 36)?, &narrow(name), u32_at(bytes, HEADER_BYTES + 24)?);
    Some(())
}

/// Another name for an open file (MS-SMB2, 2.2.39; MS-FSCC, 2.4.42.2).
fn rename(facts: &mut SmbFacts, bytes: &[u8]) -> Option<()> {
    let [1, 10 | 65] = bytes.get(HEADER_BYTES + 2..HEADER_BYTES + 4)? else { return None };
    let from = usize::from(u16_at(bytes, HEADER_BYTES + 8)?);
    let name = part(bytes, from + 20, u32_at(bytes, from + 16)? as usize)?;
    facts.renamed(&narrow(name));
    Some(())
}

fn created(facts: &mut SmbFacts, bytes: &[u8]) -> Option<()> {
    match u32_at(bytes, HEADER_BYTES + 4)? {
        2 => bump(&mut facts.files_created),
        0 | 3 => bump(&mut facts.files_overwritten),
        _ => {}
    }
    Some(())
}

fn write(facts: &mut SmbFacts, bytes: &[u8]) -> Option<()> {
    let length = u32_at(bytes, HEADER_BYTES + 4)?;
    facts.write_bytes = facts.write_bytes.saturating_add(length.into());
    let data = bytes.get(u16_at(bytes, HEADER_BYTES + 2)?.into()..)?;
    let handle = handle(bytes, HEADER_BYTES + 16)?;
    facts.written(data, handle, handle);
    Some(())
}

fn read(facts: &mut SmbFacts, bytes: &[u8]) -> Option<()> {
    let length = u32_at(bytes, HEADER_BYTES + 4).filter(|_| u16_at(bytes, HEADER_BYTES) == Some(17))?;
    facts.read_bytes = facts.read_bytes.saturating_add(length.into());
    let data = bytes.get((*bytes.get(HEADER_BYTES + 2)?).into()..)?;
    // A response does not say which pipe it comes from, and nothing that it carries needs it.
    pipe::call(&mut facts.dcerpc, data, 0);
    Some(())
}

/// What a control code carries; `at` is where its place and length stand.
fn control(facts: &mut SmbFacts, bytes: &[u8], at: usize) -> Option<()> {
    if u32_at(bytes, HEADER_BYTES + 4)? == PIPE_TRANSCEIVE {
        let data = part(bytes, u32_at(bytes, at)? as usize, u32_at(bytes, at + 4)? as usize)?;
        pipe::call(&mut facts.dcerpc, data, handle(bytes, HEADER_BYTES + 8)?);
    }
    Some(())
}

/// A part of a message by its place and length, as far as it is there.
fn part(bytes: &[u8], from: usize, length: usize) -> Option<&[u8]> {
    let rest = bytes.get(from..).filter(|_| from >= HEADER_BYTES)?;
    // A name is only taken whole.
    if length <= MOST_NAME_BYTES { rest.get(..length) } else { Some(rest.get(..length).unwrap_or(rest)) }
}

/// The number of an open file as one value.
fn handle(bytes: &[u8], at: usize) -> Option<u64> {
    Some(hash(bytes.get(at..at + 16)?.iter().copied()))
}
