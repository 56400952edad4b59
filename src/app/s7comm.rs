//! S7 communication of Siemens controllers over ISO on TCP (RFC 1006; the rest from what dissectors of it agree on): what is
//! read and written, and what is done to programs. Addresses, values and blocks are not looked at.

use serde::Serialize;

use super::heads;
use super::listed::count;
use super::listen::{Heard, Listen, Place};
use super::reader::Reader;

/// Bytes of a message that are looked at: the name of a service is the last of them.
const HEAD_BYTES: usize = 64;
/// The service that starts a program; stopping has a function of its own.
const START: &[u8] = b"P_PROGRAM";

/// Facts of an S7 connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct S7Facts {
    /// Requests to set communication up.
    pub setup: u32,
    /// Requests to read variables.
    pub read: u32,
    /// Requests to write variables.
    pub write: u32,
    /// Requests to start the controller's program.
    pub plc_start: u32,
    /// Requests to stop it.
    pub plc_stop: u32,
    /// Requests for any other service of the controller: inserting and deleting blocks, compressing, copying to ROM.
    pub plc_control: u32,
    /// Requests to load a block into the controller.
    pub download: u32,
    /// Requests to fetch a block from it.
    pub upload: u32,
    /// Requests of any other function.
    pub other_requests: u32,
    /// Requests for user data about the controller: its state, its alarms, lists of its system.
    pub userdata_cpu: u32,
    /// Requests for user data about its blocks.
    pub userdata_blocks: u32,
    /// Requests for user data that set or clear a password.
    pub userdata_security: u32,
    /// Requests for user data that read or set its clock.
    pub userdata_time: u32,
    /// Requests for any other user data.
    pub userdata_other: u32,
    /// Answers.
    pub responses: u32,
    /// Answers with an error.
    pub errors: u32,
    /// Messages of S7comm-plus, the protocol of later controllers, which are not told apart.
    pub plus_messages: u32,
}

impl Listen for S7Facts {
    const MOST_LOOKS: Option<u8> = None;

    fn hear(&mut self, heard: &Heard<'_>, place: &mut Place) -> bool {
        heads::messages(place, &heard.payload, head, |message| {
            let bytes = tpkt_bytes(message)?;
            let unit = message.get(..bytes as usize).unwrap_or(message);
            match data(unit) {
                Some([0x32, message @ ..]) => drop(self.message(message)),
                Some([0x72, 1..=3, ..]) => count(&mut self.plus_messages),
                _ => {}
            }
            Some(bytes)
        });
        true
    }
}

impl S7Facts {
    fn message(&mut self, message: &[u8]) -> Option<()> {
        let mut reader = Reader(message);
        let kind = reader.u8()?;
        reader.take(4)?;
        reader.take(4)?;
        match kind {
            1 => self.request(reader.0),
            2 | 3 => {
                count(&mut self.responses);
                if reader.u16()? != 0 {
                    count(&mut self.errors);
                }
            }
            7 => self.user_data(reader.0),
            _ => {}
        }
        Some(())
    }

    fn request(&mut self, parameters: &[u8]) {
        let Some(function) = parameters.first() else { return };
        count(match function {
            0xf0 => &mut self.setup,
            4 => &mut self.read,
            5 => &mut self.write,
            0x1a => &mut self.download,
            0x1d => &mut self.upload,
            // These go on with what 0x1a and 0x1d began.
            0x1b | 0x1c | 0x1e | 0x1f => return,
            0x28 if service(parameters) == Some(START) => &mut self.plc_start,
            0x28 => &mut self.plc_control,
            0x29 => &mut self.plc_stop,
            _ => &mut self.other_requests,
        });
    }

    const fn user_data(&mut self, parameters: &[u8]) {
        let [0, 1, 0x12, _, _, group, ..] = *parameters else { return };
        // The first half says whether it is a request, an answer, or sent unasked.
        if group >> 4 != 4 {
            if group >> 4 == 8 {
                count(&mut self.responses);
            }
            return;
        }
        count(match group & 0x0f {
            3 => &mut self.userdata_blocks,
            4 => &mut self.userdata_cpu,
            5 => &mut self.userdata_security,
            7 => &mut self.userdata_time,
            _ => &mut self.userdata_other,
        });
    }
}

/// The name of the service that is asked for, behind the function, seven bytes, and a block of parameters.
fn service(parameters: &[u8]) -> Option<&[u8]> {
    let mut reader = Reader(parameters);
    reader.take(8)?;
    reader.vec16()?;
    reader.vec8()
}

/// Whole length of a packet of ISO transport over TCP.
fn tpkt_bytes(packet: &[u8]) -> Option<u32> {
    let [3, 0, high, low, ..] = *packet else { return None };
    let bytes = u32::from(u16::from_be_bytes([high, low]));
    (bytes >= 7).then_some(bytes)
}

/// What a data unit of the transport carries.
fn data(packet: &[u8]) -> Option<&[u8]> {
    let [_, _, _, _, 2, 0xf0, _, data @ ..] = packet else { return None };
    Some(data)
}

/// How much of a packet has to be seen.
fn head(packet: &[u8]) -> Option<usize> {
    match packet {
        [] | [3] | [3, 0] | [3, 0, _] => Some(4),
        _ => tpkt_bytes(packet).map(|bytes| (bytes as usize).min(HEAD_BYTES)),
    }
}

/// Is this a data unit with a message of S7, or of S7comm-plus? The connection's set-up is that of other protocols too.
pub(super) fn is_message(payload: &[u8]) -> bool {
    let Some(bytes) = tpkt_bytes(payload) else { return false };
    let (carried, room) = (data(payload).unwrap_or_default(), bytes as usize - 7);
    match carried {
        [0x32, 1..=3 | 7, 0, 0, _, _, high, low, data_high, data_low, ..] => {
            let lengths = [[*high, *low], [*data_high, *data_low]].map(|bytes| usize::from(u16::from_be_bytes(bytes)));
            lengths.iter().sum::<usize>() + 10 <= room
        }
        [0x72, 1..=3, high, low, ..] => usize::from(u16::from_be_bytes([*high, *low])) + 4 <= room,
        _ => false,
    }
}
