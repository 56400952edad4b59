//! DNP3: what a master does to its outstations (IEEE 1815, 4.2 and 9.2). Objects and values are not looked at.

use serde::Serialize;

use super::heads;
use super::listed::{count, note};
use super::listen::{Heard, Listen, Place};

/// Bytes of a link header with its checksum.
const LINK_BYTES: usize = 10;
/// Bytes up to the function code: link, transport, control of the application, function.
const HEAD_BYTES: usize = 13;
/// Bytes of user data to a checksum.
const BLOCK_BYTES: u32 = 16;
/// Link addresses that are kept on each side.
const MAX_ADDRESSES: usize = 8;

/// Facts of a conversation in DNP3.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Dnp3Facts {
    /// Requests to read.
    pub read: u32,
    /// Requests to write.
    pub write: u32,
    /// Requests to select a control, which an operation is to follow.
    pub select: u32,
    /// Requests to operate what was selected.
    pub operate: u32,
    /// Requests to operate at once, with or without an answer.
    pub direct_operate: u32,
    /// Requests to restart, cold or warm.
    pub restart: u32,
    /// Requests to initialise, start or stop an application.
    pub control_application: u32,
    /// Requests to save or activate a configuration.
    pub configure: u32,
    /// Requests to send unasked no longer: an outstation that is to be quiet.
    pub disable_unsolicited: u32,
    /// Requests to open, read about, close or delete files.
    pub file: u32,
    /// Confirmations.
    pub confirm: u32,
    /// Requests of any other function.
    pub other_requests: u32,
    /// Responses.
    pub responses: u32,
    /// Responses that nobody asked for.
    pub unsolicited_responses: u32,
    /// Link addresses of masters, in the order in which they were first seen; 8 at most.
    pub masters: Vec<u16>,
    /// Link addresses of outstations, in the order in which they were first seen; 8 at most.
    pub outstations: Vec<u16>,
}

impl Listen for Dnp3Facts {
    const MOST_LOOKS: Option<u8> = None;

    fn hear(&mut self, heard: &Heard<'_>, place: &mut Place) -> bool {
        heads::messages(place, &heard.payload, head, |frame| self.frame(frame));
        true
    }
}

impl Dnp3Facts {
    fn frame(&mut self, frame: &[u8]) -> Option<u32> {
        let link = Link::read(frame)?;
        let (master, outstation) = if link.is_from_master { (link.from, link.to) } else { (link.to, link.from) };
        note(&mut self.masters, master, MAX_ADDRESSES);
        note(&mut self.outstations, outstation, MAX_ADDRESSES);
        // The first segment of a fragment has the header of the application.
        if link.data_bytes >= 3
            && let Some([transport, _, function]) = frame.get(LINK_BYTES..HEAD_BYTES)
            && transport & 0x40 != 0
        {
            self.function(*function);
        }
        Some(link.frame_bytes())
    }

    const fn function(&mut self, function: u8) {
        count(match function {
            0 => &mut self.confirm,
            1 => &mut self.read,
            2 => &mut self.write,
            3 => &mut self.select,
            4 => &mut self.operate,
            5 | 6 => &mut self.direct_operate,
            13 | 14 => &mut self.restart,
            15..=18 => &mut self.control_application,
            19 | 31 => &mut self.configure,
            21 => &mut self.disable_unsolicited,
            25..=28 | 30 => &mut self.file,
            129 => &mut self.responses,
            130 => &mut self.unsolicited_responses,
            _ => &mut self.other_requests,
        });
    }
}

/// The header of a link frame.
struct Link {
    is_from_master: bool,
    to: u16,
    from: u16,
    /// Bytes of user data: up to 250.
    data_bytes: u32,
}

impl Link {
    /// Reads a header of which the checksum is right.
    fn read(frame: &[u8]) -> Option<Self> {
        let [5, 0x64, length @ 5..=255, control, to_low, to_high, from_low, from_high, crc_low, crc_high, ..] = *frame else {
            return None;
        };
        let is_sound = crc(frame.get(..8)?) == u16::from_le_bytes([crc_low, crc_high]);
        is_sound.then_some(Self {
            is_from_master: control & 0x80 != 0,
            to: u16::from_le_bytes([to_low, to_high]),
            from: u16::from_le_bytes([from_low, from_high]),
            data_bytes: u32::from(length) - 5,
        })
    }

    const fn frame_bytes(&self) -> u32 {
        LINK_BYTES as u32 + self.data_bytes + 2 * self.data_bytes.div_ceil(BLOCK_BYTES)
    }
}

/// The checksum of a block: polynomial 0x3d65, reflected, complemented.
fn crc(bytes: &[u8]) -> u16 {
    let bit = |crc: u16, _| if crc & 1 == 1 { crc >> 1 ^ 0xa6bc } else { crc >> 1 };
    !bytes.iter().fold(0, |crc, byte| (0..8).fold(crc ^ u16::from(*byte), bit))
}

/// How much of a frame has to be seen.
fn head(frame: &[u8]) -> Option<usize> {
    if frame.len() < LINK_BYTES {
        let may_start = matches!(frame, [] | [5] | [5, 0x64, ..]);
        return may_start.then_some(LINK_BYTES);
    }
    let link = Link::read(frame)?;
    Some(if link.data_bytes >= 3 { HEAD_BYTES } else { LINK_BYTES })
}

/// Does a frame start here? Its checksum makes that sure on any port.
pub(super) fn is_frame(payload: &[u8]) -> bool {
    Link::read(payload).is_some()
}
