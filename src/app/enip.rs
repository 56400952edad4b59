//! EtherNet/IP: sessions, and what their messages of the common industrial protocol read, write and control (ODVA, volume 2,
//! 2-3; volume 1, A-3). Names of tags and values are not looked at.

use serde::Serialize;

use super::heads;
use super::listed::count;
use super::listen::{Heard, Listen, Place};
use super::reader::Reader;

/// Bytes of an encapsulation header.
const HEADER_BYTES: usize = 24;
/// Bytes of a message that are looked at.
const HEAD_BYTES: usize = 192;
/// The path to the connection manager: class 6, instance 1.
const CONNECTION_MANAGER: [u8; 4] = [0x20, 6, 0x24, 1];

/// Facts of a conversation in EtherNet/IP.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct EnipFacts {
    /// Requests and answers that register a session.
    pub register_session: u32,
    /// Requests that end one.
    pub unregister_session: u32,
    /// Requests and answers that list identities, services or interfaces: who is there?
    pub list: u32,
    /// Messages without a connection (`SendRRData`).
    pub send_rr_data: u32,
    /// Messages on a connection (`SendUnitData`).
    pub send_unit_data: u32,
    /// Any other command.
    pub other_commands: u32,
    /// Answers of the encapsulation with an error.
    pub errors: u32,
    /// Requests to read attributes or tags.
    pub cip_read: u32,
    /// Requests to write attributes or tags.
    pub cip_write: u32,
    /// Requests to reset, start, stop, create, delete, save or restore an object.
    pub cip_control: u32,
    /// Requests to open or close a connection.
    pub cip_connection: u32,
    /// Requests of any other service.
    pub cip_other: u32,
    /// Answers.
    pub cip_responses: u32,
    /// Answers with an error.
    pub cip_errors: u32,
}

impl Listen for EnipFacts {
    const MOST_LOOKS: Option<u8> = None;

    fn hear(&mut self, heard: &Heard<'_>, place: &mut Place) -> bool {
        heads::messages(place, &heard.payload, head, |message| self.message(message));
        true
    }
}

impl EnipFacts {
    fn message(&mut self, message: &[u8]) -> Option<u32> {
        let header = Header::read(message)?;
        let data = message.get(HEADER_BYTES..header.whole_bytes.min(message.len())).unwrap_or_default();
        count(match header.command {
            4 | 0x63 | 0x64 => &mut self.list,
            0x65 => &mut self.register_session,
            0x66 => &mut self.unregister_session,
            0x6f => &mut self.send_rr_data,
            0x70 => &mut self.send_unit_data,
            _ => &mut self.other_commands,
        });
        if header.status != 0 {
            count(&mut self.errors);
        }
        if matches!(header.command, 0x6f | 0x70)
            && let Some(cip) = packet(data)
        {
            self.service(cip, true);
        }
        u32::try_from(header.whole_bytes).ok()
    }

    /// Counts a message by its service; one that another carries to a further device counts instead of it.
    fn service(&mut self, message: &[u8], may_carry: bool) -> Option<()> {
        let mut reader = Reader(message);
        let service = reader.u8()?;
        let words = reader.u8()?;
        if service & 0x80 != 0 {
            count(&mut self.cip_responses);
            if reader.u8()? != 0 {
                count(&mut self.cip_errors);
            }
            return Some(());
        }
        let path = reader.take(2 * usize::from(words))?;
        let is_manager = path == CONNECTION_MANAGER;
        if service == 0x52 && is_manager && may_carry {
            reader.take(2)?;
            let bytes = u16::from_le_bytes(reader.array()?);
            let carried = reader.0.get(..bytes.into()).unwrap_or(reader.0);
            return self.service(carried, false);
        }
        count(match service {
            1 | 3 | 0x0e | 0x4c | 0x52 => &mut self.cip_read,
            // Reading and writing back has the number of closing a connection.
            0x4e | 0x54 | 0x5b if is_manager => &mut self.cip_connection,
            2 | 4 | 0x10 | 0x4d | 0x4e | 0x53 => &mut self.cip_write,
            5..=9 | 0x15 | 0x16 => &mut self.cip_control,
            _ => &mut self.cip_other,
        });
        Some(())
    }
}

/// The message of the common industrial protocol among the items of a command's data.
fn packet(data: &[u8]) -> Option<&[u8]> {
    let mut reader = Reader(data);
    // The interface's handle and a timeout.
    reader.take(6)?;
    let items = u16::from_le_bytes(reader.array()?);
    for _ in 0..items.min(4) {
        let kind = u16::from_le_bytes(reader.array()?);
        let bytes = usize::from(u16::from_le_bytes(reader.array()?));
        let item = reader.0.get(..bytes).unwrap_or(reader.0);
        match kind {
            0xb2 => return Some(item),
            // A sequence count stands in front on a connection.
            0xb1 => return item.get(2..),
            _ => drop(reader.take(bytes)?),
        }
    }
    None
}

/// A header of the encapsulation.
struct Header {
    command: u16,
    status: u32,
    whole_bytes: usize,
}

impl Header {
    fn read(message: &[u8]) -> Option<Self> {
        let mut reader = Reader(message);
        let command = u16::from_le_bytes(reader.array()?);
        let bytes = u16::from_le_bytes(reader.array()?);
        reader.take(4)?;
        let status = u32::from_le_bytes(reader.array()?);
        reader.take(8)?;
        let options = reader.u32()?;
        let is_known = matches!(command, 0 | 4 | 0x63..=0x66 | 0x6f | 0x70 | 0x72 | 0x73);
        let is_sound = is_known && options == 0 && status <= 0xffff;
        is_sound.then_some(Self { command, status, whole_bytes: HEADER_BYTES + usize::from(bytes) })
    }
}

/// How much of a message has to be seen.
fn head(message: &[u8]) -> Option<usize> {
    if message.len() < HEADER_BYTES {
        return Some(HEADER_BYTES);
    }
    Header::read(message).map(|header| header.whole_bytes.min(HEAD_BYTES))
}

/// Does a payload start with a whole message? Without the port (`is_port`) only what registers a session is sure.
pub(super) fn is_message(payload: &[u8], is_port: bool) -> bool {
    let Some(header) = Header::read(payload) else { return false };
    if is_port {
        // What does nothing may be anything: a command of 0 has no mark of its own.
        return header.command != 0 && header.whole_bytes <= payload.len() && header.status <= 0x69;
    }
    let is_whole = header.whole_bytes == payload.len() && header.status == 0;
    header.command == 0x65 && is_whole && payload.get(HEADER_BYTES..) == Some(&[1, 0, 0, 0])
}
