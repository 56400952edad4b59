//! Modbus over TCP: how much is read, written and diagnosed (Modbus application protocol 1.1b3, 5 and 6; Modbus messaging on
//! TCP/IP 1.0b, 3.1). Addresses and values are not looked at.

use serde::{Serialize, Serializer};

use super::heads;
use super::listed::count;
use super::listen::{Heard, Listen, Place};

/// The port of Modbus.
const PORT: u16 = 502;
/// Bytes up to the function code.
const HEAD_BYTES: usize = 8;

/// Facts of a Modbus connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ModbusFacts {
    /// Requests to read coils, inputs, registers, files and queues (functions 1 to 4, 20 and 24).
    pub read_requests: u32,
    /// Requests to write coils, registers and files (5, 6, 15, 16, 21 to 23; 23 reads too).
    pub write_requests: u32,
    /// Requests for state, diagnosis and identification (7, 8, 11, 12, 17 and 43).
    pub diagnostic_requests: u32,
    /// Requests of any other function: some makers' load and start programs.
    pub other_requests: u32,
    /// Responses without an error.
    pub responses: u32,
    /// Responses with an error.
    pub exceptions: u32,
    /// Units that requests were for, by their number; serialized as how many there are.
    pub unit_ids: ModbusUnits,
}

/// A set of unit numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ModbusUnits([u64; 4]);

impl ModbusUnits {
    /// How many units there are: 0 to 256.
    #[must_use]
    pub fn count(self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }

    fn insert(&mut self, unit: u8) {
        if let Some(word) = self.0.get_mut(usize::from(unit >> 6)) {
            *word |= 1 << (unit & 63);
        }
    }
}

impl Serialize for ModbusUnits {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(self.count())
    }
}

impl Listen for ModbusFacts {
    const MOST_LOOKS: Option<u8> = None;

    fn hear(&mut self, heard: &Heard<'_>, place: &mut Place) -> bool {
        let is_request = heard.is_for(PORT);
        heads::messages(place, &heard.payload, head, |message| {
            let (bytes, unit, function) = header(message)?;
            if is_request {
                self.unit_ids.insert(unit);
            }
            count(match (is_request, function) {
                (true, 1..=4 | 20 | 24) => &mut self.read_requests,
                (true, 5 | 6 | 15 | 16 | 21..=23) => &mut self.write_requests,
                (true, 7 | 8 | 11 | 12 | 17 | 43) => &mut self.diagnostic_requests,
                (true, _) => &mut self.other_requests,
                (false, 0x80..) => &mut self.exceptions,
                (false, _) => &mut self.responses,
            });
            Some(bytes)
        });
        true
    }
}

/// How much of a message has to be seen.
fn head(message: &[u8]) -> Option<usize> {
    (message.len() < HEAD_BYTES || header(message).is_some()).then_some(HEAD_BYTES)
}

/// Whole length, unit and function of a message, if one can start so.
fn header(message: &[u8]) -> Option<(u32, u8, u8)> {
    let [_, _, 0, 0, high, low, unit, function, ..] = *message else { return None };
    let bytes = u32::from(u16::from_be_bytes([high, low]));
    ((2..=254).contains(&bytes) && function & 0x7f != 0).then_some((bytes + 6, unit, function))
}

/// Does a payload start with a whole message?
pub(super) fn is_message(payload: &[u8]) -> bool {
    header(payload).is_some_and(|(bytes, ..)| bytes as usize <= payload.len())
}
