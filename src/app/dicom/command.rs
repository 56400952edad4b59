//! Command sets (PS3.7, E.1): what is asked for, and how it went.

use super::super::reader::Reader;

/// Elements of a command set that are passed; the status of a response is the seventh or eighth.
const MAX_ELEMENTS: usize = 16;

/// The elements that are read of a command set.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Command<'a> {
    /// Command field, (0000,0100).
    pub field: Option<u16>,
    /// Affected SOP class UID, (0000,0002).
    pub class: Option<&'a [u8]>,
    /// Move destination, (0000,0600).
    pub destination: Option<&'a [u8]>,
    /// Status, (0000,0900).
    pub status: Option<u16>,
}

impl<'a> Command<'a> {
    /// Reads a command set, which is always in implicit VR, little endian (PS3.7, 6.3.1), as far as it goes.
    pub fn read(set: &'a [u8]) -> Self {
        let (mut command, mut reader) = (Self::default(), Reader(set));
        for _ in 0..MAX_ELEMENTS {
            let Some((element, value)) = element(&mut reader) else { break };
            match element {
                0x0002 => command.class = Some(value),
                0x0100 => command.field = number(value),
                0x0600 => command.destination = Some(value),
                0x0900 => command.status = number(value),
                _ => {}
            }
        }
        command
    }
}

/// The next element of group 0: its number and its value.
fn element<'a>(reader: &mut Reader<'a>) -> Option<(u16, &'a [u8])> {
    let [0, 0, low, high] = reader.array()? else { return None };
    let bytes = u32::from_le_bytes(reader.array()?);
    Some((u16::from_le_bytes([low, high]), reader.take(usize::try_from(bytes).ok()?)?))
}

fn number(value: &[u8]) -> Option<u16> {
    value.try_into().ok().map(u16::from_le_bytes)
}
