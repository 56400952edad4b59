//! WS-Discovery: devices that come, go and are looked for (OASIS WS-Discovery 1.1; the draft of 2005), as printers use it and
//! medical devices do (IEEE 11073-20701). Of a message its action and the types of devices are read; addresses, scopes and
//! identifiers are not kept.

use serde::Serialize;

use super::listed::{count, note};
use super::listen::{Heard, Listen, Place};
use super::reader::holds;
use super::text::printable;

/// Bytes of a message that are looked at.
const MAX_BYTES: usize = 8192;
/// Types of devices that are kept, and the longest name of one, in bytes.
const MAX_TYPES: usize = 8;
const TYPE_BYTES: usize = 32;
/// The namespaces of the protocol: the draft's and the standard's.
const NAMESPACES: [&[u8]; 2] = [b"schemas.xmlsoap.org/ws/2005/04/discovery", b"docs.oasis-open.org/ws-dd/ns/discovery/2009/01"];

/// Facts of a conversation in WS-Discovery.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct WsDiscoveryFacts {
    /// Devices that come.
    pub hello: u32,
    /// Devices that go.
    pub bye: u32,
    /// Searches for devices by type or scope.
    pub probe: u32,
    /// Answers to these.
    pub probe_matches: u32,
    /// Searches for the address of a device.
    pub resolve: u32,
    /// Answers to these.
    pub resolve_matches: u32,
    /// Messages of any other action, or of none that could be read.
    pub other_actions: u32,
    /// Types of the devices that came, were looked for or answered, without what stands before the colon, as in
    /// `MedicalDevice`; 8 at most, up to 32 characters each.
    pub types: Vec<Box<str>>,
    /// Does a message speak of medical devices (a namespace of IEEE 11073)?
    pub sdc: bool,
}

impl Listen for WsDiscoveryFacts {
    const MOST_LOOKS: Option<u8> = None;

    fn hear(&mut self, heard: &Heard<'_>, _: &mut Place) -> bool {
        let bytes = heard.payload.bytes;
        self.message(bytes.get(..MAX_BYTES).unwrap_or(bytes));
        true
    }
}

impl WsDiscoveryFacts {
    fn message(&mut self, message: &[u8]) {
        let action = element(message, b"Action").and_then(|action| action.rsplit(|b| *b == b'/').next());
        count(match action {
            Some(b"Hello") => &mut self.hello,
            Some(b"Bye") => &mut self.bye,
            Some(b"Probe") => &mut self.probe,
            Some(b"ProbeMatches") => &mut self.probe_matches,
            Some(b"Resolve") => &mut self.resolve,
            Some(b"ResolveMatches") => &mut self.resolve_matches,
            _ => &mut self.other_actions,
        });
        self.sdc |= holds(message, b"ieee.org/") && holds(message, b"/11073/");
        let types = element(message, b"Types").unwrap_or_default();
        for name in types.split(u8::is_ascii_whitespace).filter_map(|name| name.rsplit(|b| *b == b':').next()) {
            let is_name = (1..=TYPE_BYTES).contains(&name.len()) && name.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_');
            if is_name {
                note(&mut self.types, printable(name, TYPE_BYTES), MAX_TYPES);
            }
        }
    }
}

/// The text of the first element with this name in any namespace; nothing when it has elements of its own or goes on beyond the
/// message.
fn element<'a>(message: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let mut rest = message;
    while let Some(start) = rest.iter().position(|b| *b == b'<') {
        rest = rest.get(start + 1..)?;
        let end = rest.iter().position(|b| *b == b'>')?;
        let tag = rest.get(..end)?;
        let qualified = tag.split(|b| b.is_ascii_whitespace() || *b == b'/').next()?;
        if qualified.rsplit(|b| *b == b':').next() == Some(name) && !tag.ends_with(b"/") {
            let text = rest.get(end + 1..)?;
            let end = text.iter().position(|b| *b == b'<')?;
            return text.get(end..)?.starts_with(b"</").then(|| text.get(..end).unwrap_or_default().trim_ascii());
        }
        rest = rest.get(end + 1..)?;
    }
    None
}

/// Is this text in XML of the protocol? On its port (`is_port`) any XML is.
pub(super) fn is_message(payload: &[u8], is_port: bool) -> bool {
    if !payload.trim_ascii_start().starts_with(b"<") {
        return false;
    }
    let front = payload.get(..1024).unwrap_or(payload);
    is_port || NAMESPACES.iter().any(|namespace| holds(front, namespace))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_found_in_any_namespace() {
        let text = b"<?xml version='1.0'?><a:Envelope><b:Action must='1'> urn:x/Hello </b:Action><Types/><Deep><In/></Deep>";
        assert_eq!(element(text, b"Action"), Some(&b"urn:x/Hello"[..]));
        for none in [&b"Types"[..], b"Deep", b"Actio", b"In"] {
            assert_eq!(element(text, none), None, "{}", String::from_utf8_lossy(none));
        }
        assert_eq!(element(b"<Action>urn:x/Hel", b"Action"), None, "cut");
    }
}
