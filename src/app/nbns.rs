//! NetBIOS names: queries and registrations by kind, and the name that a host registers (RFC 1002, 4.2).

use serde::Serialize;

use super::count::bump;
use super::listen::{Heard, Listen, Place};
use super::reader::Reader;
use super::text::printable;

/// Facts of a flow of the NetBIOS name service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct NbnsFacts {
    /// Questions for a name's address.
    pub queries: u32,
    /// Questions for all names of a host: scanners send them.
    pub node_status: u32,
    /// Registrations and refreshes of names.
    pub registrations: u32,
    /// Releases of names.
    pub releases: u32,
    /// Responses.
    pub responses: u32,
    /// Responses that report an error: the name is taken, or not known.
    pub errors: u32,
    /// Name that the host registers for itself, up to 15 characters.
    #[serde(rename = "hostname")]
    pub name: Option<Box<str>>,
    /// What that name stands for, as in `workstation` or `file_server`.
    pub name_kind: Option<&'static str>,
    /// Group (domain or workgroup) that it registers with, up to 15 characters.
    pub group: Option<Box<str>>,
}

impl Listen for NbnsFacts {
    const MOST_LOOKS: Option<u8> = None;

    fn hear(&mut self, heard: &Heard<'_>, _: &mut Place) -> bool {
        let _ = self.message(heard.payload.bytes);
        true
    }
}

impl NbnsFacts {
    fn message(&mut self, message: &[u8]) -> Option<()> {
        let mut reader = Reader(message);
        reader.take(2)?;
        let [high, low] = reader.array()?;
        let questions = reader.u16()?;
        reader.take(6)?;
        if high & 0x80 != 0 {
            bump(&mut self.responses);
            if low & 0x0f != 0 {
                bump(&mut self.errors);
            }
            return None;
        }
        if questions == 0 {
            return None;
        }
        let (name, suffix) = name(&mut reader)?;
        let kind = reader.u16()?;
        match high >> 3 & 0x0f {
            0 if kind == 0x21 => bump(&mut self.node_status),
            0 => bump(&mut self.queries),
            // Registration, refresh (two numbers of it) and several registrations at once.
            5 | 8 | 9 | 15 => {
                bump(&mut self.registrations);
                self.register(&name, suffix, reader);
            }
            6 => bump(&mut self.releases),
            _ => {}
        }
        Some(())
    }

    /// Keeps the name if it is the host's own, which the record behind the question tells: its flags have a bit for groups.
    fn register(&mut self, name: &[u8], suffix: u8, mut reader: Reader<'_>) -> Option<()> {
        reader.take(2)?;
        // A pointer to the name, type, class, time to live and length.
        reader.take(2 + 2 + 2 + 4 + 2)?;
        let is_group = reader.u8()? & 0x80 != 0;
        let text = printable(name.trim_ascii_end(), 15);
        match (is_group, suffix) {
            (true, 0x00) => self.group = Some(text),
            (false, 0x00 | 0x20) => {
                self.name = Some(text);
                self.name_kind = Some(if suffix == 0 { "workstation" } else { "file_server" });
            }
            _ => {}
        }
        Some(())
    }
}

/// The name for which a host answers (RFC 1002, 4.2.13): its own, no group's, and not by a server that can be asked for all.
pub(super) fn answered(message: &[u8]) -> Option<Vec<u8>> {
    const RECURSION: u8 = 0x80;
    let mut reader = Reader(message);
    reader.take(2)?;
    let [high, low] = reader.array()?;
    let (questions, answers) = (reader.u16()?, reader.u16()?);
    reader.take(4)?;
    let is_query = high & 0xf8 == 0x80 && low & (RECURSION | 0x0f) == 0;
    let (name, suffix) = name(&mut reader).filter(|_| is_query && questions == 0 && answers > 0)?;
    let kind = reader.u16()?;
    // Class, time to live and length.
    reader.take(2 + 4 + 2)?;
    let is_group = reader.u8()? & 0x80 != 0;
    (kind == 0x20 && !is_group && matches!(suffix, 0x00 | 0x20)).then(|| name.to_vec())
}

/// A name of 15 characters and its suffix: each half of a byte is a letter from A on.
fn name(reader: &mut Reader<'_>) -> Option<([u8; 15], u8)> {
    let label = reader.vec8().filter(|label| label.len() == 32)?;
    // The scope behind it, up to its end.
    while !reader.vec8()?.is_empty() {}
    let mut bytes = [0; 16];
    for (to, [high, low]) in bytes.iter_mut().zip(label.as_chunks().0) {
        let (high, low) = (high.checked_sub(b'A')?, low.checked_sub(b'A')?);
        if high > 15 || low > 15 {
            return None;
        }
        *to = high << 4 | low;
    }
    let [name @ .., suffix] = bytes;
    Some((name, suffix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(flags: u16, name: &str, suffix: u8, kind: u16) -> Vec<u8> {
        let coded =
            format!("{name:<15}").bytes().chain([suffix]).flat_map(|b| [b'A' + (b >> 4), b'A' + (b & 15)]).collect::<Vec<_>>();
        [&[1, 2][..], &flags.to_be_bytes(), &[0, 1, 0, 0, 0, 0, 0, 1, 32], &coded, &[0], &kind.to_be_bytes(), &[0, 1]].concat()
    }

    fn registration(name: &str, suffix: u8, group: bool) -> Vec<u8> {
        let record = [0xc0, 12, 0, 0x20, 0, 1, 0, 4, 0x93, 0xe0, 0, 6, u8::from(group) << 7, 0, 10, 0, 0, 7];
        [question(0x2910, name, suffix, 0x20), record.to_vec()].concat()
    }

    #[test]
    fn a_host_registers_and_others_ask() {
        let mut nbns = NbnsFacts::default();
        for message in [
            registration("WARD", 0, true),
            registration("CT-ROOM-2", 0, false),
            registration("WARD", 0x1c, true),
            question(0x0110, "PACS", 0x20, 0x20),
            question(0x0000, "*", 0, 0x21),
            vec![1, 2, 0x85, 0x03, 0, 0, 0, 0, 0, 0, 0, 0],
        ] {
            nbns.message(&message);
        }
        assert_eq!((nbns.registrations, nbns.queries, nbns.node_status, nbns.responses, nbns.errors), (3, 1, 1, 1, 1));
        assert_eq!(
            (nbns.name.as_deref(), nbns.name_kind, nbns.group.as_deref()),
            (Some("CT-ROOM-2"), Some("workstation"), Some("WARD"))
        );
    }

    #[test]
    fn what_is_cut_names_nobody() {
        let whole = registration("CT-ROOM-2", 0, false);
        for end in 0..whole.len() - 5 {
            let mut nbns = NbnsFacts::default();
            nbns.message(&whole[..end]);
            assert_eq!(nbns.name, None, "cut at {end}");
        }
    }
}
