//! SNMP: versions, operations and errors (RFC 3416, 3; RFC 1157; RFC 3412). No community, user, object or value is kept.

use serde::Serialize;

use super::ber::{element, find, inside, number};
use super::count::bump;
use super::listen::{Heard, Listen, Place};
use super::reader::Reader;

/// Facts of a flow of SNMP.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SnmpFacts {
    /// Version of the last message: `1`, `2c` or `3`.
    pub version: Option<&'static str>,
    /// Get requests.
    pub get: u32,
    /// Get-next requests: walking a table.
    pub get_next: u32,
    /// Get-bulk requests.
    pub get_bulk: u32,
    /// Set requests: changing a device.
    pub set: u32,
    /// Responses.
    pub response: u32,
    /// Traps of either kind.
    pub trap: u32,
    /// Inform requests.
    pub inform: u32,
    /// Reports: what version 3 says of its own state.
    pub report: u32,
    /// Messages whose operation is encrypted (version 3).
    pub encrypted: u32,
    /// Responses that report an error.
    pub errors: u32,
    /// Did a request use the community that devices come with, `public`?
    pub community_public: bool,
    /// Did a request use the community that devices come with for changes, `private`?
    pub community_private: bool,
    /// Are messages of version 3 without proof of who sent them?
    pub unauthenticated: bool,
}

impl Listen for SnmpFacts {
    const MOST_LOOKS: Option<u8> = None;

    fn hear(&mut self, heard: &Heard<'_>, _: &mut Place) -> bool {
        let _ = self.message(heard.payload.bytes);
        true
    }
}

impl SnmpFacts {
    fn message(&mut self, message: &[u8]) -> Option<()> {
        let mut fields = Reader(inside(message, 0x30)?);
        let (0x02, version) = element(&mut fields)? else { return None };
        let (tag, second) = element(&mut fields)?;
        match (number(version)?, tag) {
            (0, 0x04) => self.version = Some("1"),
            (1, 0x04) => self.version = Some("2c"),
            (3, 0x30) => return self.version_3(second, fields),
            _ => return None,
        }
        self.community_public |= second == b"public";
        self.community_private |= second == b"private";
        let (kind, body) = element(&mut fields)?;
        self.operation(kind, body)
    }

    fn version_3(&mut self, header: &[u8], mut fields: Reader<'_>) -> Option<()> {
        self.version = Some("3");
        let flags = find(header, 0x04).and_then(|flags| flags.first().copied())?;
        self.unauthenticated |= flags & 1 == 0;
        // Parameters of the security.
        element(&mut fields)?;
        match element(&mut fields)? {
            (0x30, scoped) => {
                let mut scoped = Reader(scoped);
                // The engine and the context.
                element(&mut scoped)?;
                element(&mut scoped)?;
                let (kind, body) = element(&mut scoped)?;
                self.operation(kind, body)
            }
            (0x04, _) => {
                bump(&mut self.encrypted);
                None
            }
            _ => None,
        }
    }

    fn operation(&mut self, kind: u8, body: &[u8]) -> Option<()> {
        let counter = match kind {
            0xa0 => &mut self.get,
            0xa1 => &mut self.get_next,
            0xa2 => &mut self.response,
            0xa3 => &mut self.set,
            0xa4 | 0xa7 => &mut self.trap,
            0xa5 => &mut self.get_bulk,
            0xa6 => &mut self.inform,
            0xa8 => &mut self.report,
            _ => return None,
        };
        bump(counter);
        if kind == 0xa2 {
            let mut fields = Reader(body);
            // The number of the request.
            element(&mut fields)?;
            let (0x02, status) = element(&mut fields)? else { return None };
            if number(status)? != 0 {
                bump(&mut self.errors);
            }
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(tag: u8, bytes: &[u8]) -> Vec<u8> {
        [&[tag, bytes.len() as u8][..], bytes].concat()
    }

    fn version_2(community: &[u8], kind: u8, status: u8) -> Vec<u8> {
        let pdu = [value(2, &[7]), value(2, &[status]), value(2, &[0]), value(0x30, &[])].concat();
        value(0x30, &[value(2, &[1]), value(4, community), value(kind, &pdu)].concat())
    }

    #[test]
    fn operations_errors_and_default_communities() {
        let mut snmp = SnmpFacts::default();
        for (kind, status) in [(0xa0, 0), (0xa1, 0), (0xa5, 0), (0xa2, 2), (0xa2, 0), (0xa7, 0), (0xa3, 0)] {
            snmp.message(&version_2(b"public", kind, status));
        }
        assert_eq!((snmp.get, snmp.get_next, snmp.get_bulk, snmp.response, snmp.errors), (1, 1, 1, 2, 1));
        assert_eq!((snmp.trap, snmp.set, snmp.version), (1, 1, Some("2c")));
        assert!(snmp.community_public && !snmp.community_private);
        let kept = serde_json::to_string(&snmp).unwrap();
        snmp.message(&version_2(b"s3cret", 0xa0, 0));
        assert!(!serde_json::to_string(&snmp).unwrap().contains("s3cret"), "{kept}");
    }

    #[test]
    fn version_3_in_the_clear_and_encrypted() {
        let global = |flags| value(0x30, &[value(2, &[1]), value(2, &[5, 0xdc]), value(4, &[flags]), value(2, &[3])].concat());
        let scoped = value(0x30, &[value(4, b"engine"), value(4, b""), value(0xa0, &value(2, &[9]))].concat());
        let message =
            |flags, data: &[u8]| value(0x30, &[value(2, &[3]), global(flags), value(4, b"security"), data.to_vec()].concat());
        let mut snmp = SnmpFacts::default();
        snmp.message(&message(4, &scoped));
        assert!((snmp.get, snmp.unauthenticated) == (1, true));
        snmp.message(&message(3, &value(4, b"sealed")));
        assert_eq!((snmp.encrypted, snmp.version), (1, Some("3")));
        for end in 0..60 {
            let _ = SnmpFacts::default().message(message(4, &scoped).get(..end).unwrap_or_default());
        }
    }
}
