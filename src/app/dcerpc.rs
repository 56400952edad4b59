//! Remote procedure calls of DCE as Windows uses them: which services a client binds to and how often it calls (C706, 12.6;
//! MS-RPCE, 2.2.2). Of arguments only the class of an object is read that is made on another device.

mod tables;

pub use tables::REPLICATES;

use serde::Serialize;

use super::count::{bump, note};
use super::frames::{Frames, Span};
use super::listen::{Heard, Listen, Place};
use super::ntlm::NtlmFacts;
use super::reader::Reader;

/// Bindings of a connection that calls are matched with; a client has few.
const MOST_BINDINGS: usize = 16;
/// Interfaces that a bind request may list.
const MOST_CONTEXTS: u8 = 16;
/// As much of a message is waited for: the longest bind request with its tokens.
const WANTED_BYTES: u32 = 2048;
const HEADER_BYTES: usize = 16;

const FRAMES: Frames = Frames { head_bytes: 10, span };

/// Facts of remote procedure calls.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DceRpcFacts {
    /// Interfaces that were bound, by name, out of a fixed table (`svcctl`, `samr`, `drsuapi`); `other` for any that is not in it.
    pub interfaces: Vec<&'static str>,
    /// Calls that are known for their use in attacks, out of a fixed table, as `interface.Operation`.
    pub operations: Vec<&'static str>,
    /// Requests to bind or to change the context.
    pub binds: u32,
    /// Binds that were refused as a whole.
    pub bind_naks: u32,
    /// Requests, by fragments.
    pub requests: u32,
    /// Responses, by fragments.
    pub responses: u32,
    /// Faults: the call failed.
    pub faults: u32,
    /// Faults that say that access is denied.
    pub access_denied: u32,
    /// NTLM inside the binds.
    #[serde(flatten)]
    pub ntlm: NtlmFacts,
    /// Context number, pipe, and place in the table of interfaces.
    #[serde(skip)]
    bindings: Vec<(u16, u64, usize)>,
}

impl Listen for DceRpcFacts {
    const MOST_LOOKS: Option<u8> = None;

    fn hear(&mut self, heard: &Heard<'_>, place: &mut Place) -> bool {
        FRAMES.walk(place, &heard.payload, |message| self.message(message, 0));
        true
    }
}

impl DceRpcFacts {
    /// Those of the calls that take control of another device or of a domain, by [`operations`](Self::operations)' names.
    pub fn controls(&self) -> impl Iterator<Item = &'static str> {
        self.operations.iter().copied().filter(|operation| tables::controls(operation))
    }

    /// Counts a message. `pipe` tells the pipes of one connection apart.
    pub(super) fn message(&mut self, message: &[u8], pipe: u64) {
        let Some(header) = Header::read(message) else { return };
        match header.kind {
            0 => {
                bump(&mut self.requests);
                self.call(&header, message, pipe);
            }
            2 => bump(&mut self.responses),
            3 => {
                bump(&mut self.faults);
                if message.get(24..28).is_some_and(|status| header.u32(status) == 5) {
                    bump(&mut self.access_denied);
                }
            }
            11 | 14 => {
                bump(&mut self.binds);
                self.bind(&header, message, pipe);
                self.ntlm.search(message);
            }
            13 => bump(&mut self.bind_naks),
            12 | 15 | 16 => self.ntlm.search(message),
            _ => {}
        }
    }

    fn bind(&mut self, header: &Header, message: &[u8], pipe: u64) -> Option<()> {
        let mut reader = Reader(message.get(24..)?);
        let contexts = reader.u8()?.min(MOST_CONTEXTS);
        reader.take(3)?;
        for _ in 0..contexts {
            let context = header.u16(reader.take(2)?);
            let [syntaxes, _] = reader.array()?;
            let mut uuid: [u8; 16] = reader.array()?;
            if !header.is_little {
                uuid.get_mut(..4)?.reverse();
                uuid.get_mut(4..6)?.reverse();
                uuid.get_mut(6..8)?.reverse();
            }
            reader.take(4 + 20 * usize::from(syntaxes))?;
            let interface = tables::interface(&uuid);
            note(&mut self.interfaces, interface.map_or("other", |(_, name)| name));
            if let Some((place, _)) = interface {
                self.bindings.retain(|(known, on, _)| (*known, *on) != (context, pipe));
                if self.bindings.len() >= MOST_BINDINGS {
                    self.bindings.remove(0);
                }
                self.bindings.push((context, pipe, place));
            }
        }
        Some(())
    }

    fn call(&mut self, header: &Header, message: &[u8], pipe: u64) -> Option<()> {
        let context = header.u16(message.get(20..22)?);
        let operation = header.u16(message.get(22..24)?);
        let bound = self.bindings.iter().find(|(known, on, _)| (*known, *on) == (context, pipe));
        // Of a conversation that was under way nobody heard what it is bound to.
        let creates = match bound {
            Some((_, _, interface)) => {
                let name = tables::operation(*interface, operation)?;
                note(&mut self.operations, name);
                tables::CREATES.iter().any(|(_, creates)| *creates == name)
            }
            None => tables::CREATES.iter().any(|(creates, _)| *creates == operation),
        };
        if creates {
            // The object's class is one of several properties, most often in the same segment: what is not is not waited for.
            note(&mut self.operations, message.windows(16).find_map(|at| tables::remote_object(at.first_chunk()?))?);
        }
        Some(())
    }
}

/// What each message starts with.
struct Header {
    kind: u8,
    is_little: bool,
    bytes: u16,
}

impl Header {
    /// Reads a header of version 5.0 or 5.1 with characters in ASCII and numbers of IEEE.
    fn read(message: &[u8]) -> Option<Self> {
        let [5, 0 | 1, kind @ 0..=19, _, order @ (0 | 0x10), 0, 0, 0, length @ ..] = message else { return None };
        let mut header = Self { kind: *kind, is_little: *order == 0x10, bytes: 0 };
        header.bytes = header.u16(length.first_chunk::<2>()?);
        (usize::from(header.bytes) >= HEADER_BYTES).then_some(header)
    }

    fn u16(&self, bytes: &[u8]) -> u16 {
        let Some(bytes) = bytes.first_chunk() else { return 0 };
        if self.is_little { u16::from_le_bytes(*bytes) } else { u16::from_be_bytes(*bytes) }
    }

    fn u32(&self, bytes: &[u8]) -> u32 {
        let Some(bytes) = bytes.first_chunk() else { return 0 };
        if self.is_little { u32::from_le_bytes(*bytes) } else { u32::from_be_bytes(*bytes) }
    }
}

fn span(bytes: &[u8]) -> Option<Span> {
    let header = Header::read(bytes)?;
    let wanted = if matches!(header.kind, 11..=16) { WANTED_BYTES } else { 28 };
    Some(Span { bytes: header.bytes.into(), wanted })
}

/// Does a message start here?
pub(super) fn is_message(payload: &[u8]) -> bool {
    Header::read(payload).is_some_and(|header| header.bytes as usize <= 16_384 && header.is_little)
}

#[cfg(test)]
mod tests {
    use super::super::{Payload, Ports, Side};
    use super::*;

    const SAMR: [u8; 16] = [0x78, 0x57, 0x34, 0x12, 0x34, 0x12, 0xcd, 0xab, 0xef, 0, 1, 0x23, 0x45, 0x67, 0x89, 0xac];

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let bytes = (16 + body.len()) as u16;
        [&[5, 0, kind, 3, 0x10, 0, 0, 0][..], &bytes.to_le_bytes(), &[0, 0, 1, 0, 0, 0], body].concat()
    }

    fn bind(context: u8, uuid: [u8; 16]) -> Vec<u8> {
        let list = [&[context, 0, 1, 0][..], &uuid, &[1, 0, 0, 0], &[4; 20]].concat();
        message(11, &[&[0xb8, 0x10, 0xb8, 0x10, 0, 0, 0, 0, 1, 0, 0, 0][..], &list, b"NTLMSSP\0\x01\0\0\0"].concat())
    }

    fn exchange() -> Vec<u8> {
        [
            bind(1, SAMR),
            message(0, &[0, 0, 0, 0, 1, 0, 13, 0, 9, 9]),
            message(0, &[0, 0, 0, 0, 1, 0, 1, 0]),
            bind(2, [7; 16]),
            message(3, &[0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0]),
            message(2, &[0; 8]),
        ]
        .concat()
    }

    fn hear(payloads: &[&[u8]]) -> DceRpcFacts {
        let (mut facts, mut place) = (DceRpcFacts::default(), Place::default());
        for bytes in payloads {
            let payload = Payload::new(Side::Orig, bytes, bytes.len() as u32);
            facts.hear(&Heard { ports: Ports::default(), asks: true, payload }, &mut place);
        }
        facts
    }

    #[test]
    fn binds_and_calls_wherever_the_stream_is_split() {
        let stream = exchange();
        let whole = hear(&[&stream]);
        assert_eq!(whole.interfaces, ["samr", "other"]);
        assert_eq!(whole.operations, ["samr.EnumDomainUsers"]);
        assert_eq!((whole.binds, whole.requests, whole.responses, whole.faults, whole.access_denied), (2, 2, 1, 1, 1));
        assert_eq!(whole.ntlm.negotiate, 2);
        for split in 0..stream.len() {
            assert_eq!(hear(&[&stream[..split], &stream[split..]]), whole, "split at {split}");
        }
    }

    #[test]
    fn numbers_in_the_other_order() {
        let mut uuid = SAMR;
        uuid[..4].reverse();
        uuid[4..6].reverse();
        uuid[6..8].reverse();
        let list = [&[1, 0, 0, 0, 0, 1, 1, 0][..], &uuid, &[0; 24]].concat();
        let message = [&[5, 0, 11, 3, 0, 0, 0, 0, 0, 72, 0, 0, 0, 0, 0, 1][..], &[0; 8], &list].concat();
        assert_eq!(hear(&[&message]).interfaces, ["samr"]);
    }

    #[test]
    fn an_object_that_runs_programs_is_told_by_its_class() {
        let activator = [0xa0, 1, 0, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0x46];
        let mmc = [0x1a, 0x79, 0xb2, 0x49, 0xae, 0xb1, 0x90, 0x4c, 0x9b, 0x8e, 0xe8, 0x60, 0xba, 7, 0xf8, 0x89];
        let called = |operation: u8, class: &[u8]| {
            let call = message(0, &[&[0, 0, 0, 0, 1, 0, operation, 0][..], &[3; 77], class, &[9; 5]].concat());
            let facts = hear(&[&bind(1, activator), &call]);
            (facts.operations.clone(), facts.controls().count())
        };
        let [(_, gets), (_, creates)] = tables::CREATES;
        assert_eq!(called(4, &mmc), (vec![creates, "IRemoteSCMActivator(MMC20.Application)"], 1));
        assert_eq!(called(3, &mmc), (vec![gets, "IRemoteSCMActivator(MMC20.Application)"], 1));
        assert_eq!(called(4, &mmc[..15]), (vec![creates], 0));
        assert_eq!(called(5, &mmc), (vec![], 0));
        let under_way = message(0, &[&[0, 0, 0, 0, 1, 0, 4, 0][..], &mmc].concat());
        assert_eq!(hear(&[&under_way]).controls().count(), 1);
    }

    #[test]
    fn what_only_looks_like_a_message() {
        assert!(!is_message(&[5, 0, 11, 3, 0x10, 0, 0, 0, 9, 0, 0, 0]), "shorter than its header");
        assert!(!is_message(&[5, 2, 11, 3, 0x10, 0, 0, 0, 72, 0]));
        assert!(is_message(&bind(0, SAMR)));
    }
}
