//! RADIUS: requests and decisions by kind (RFC 2865, 3; RFC 2866; RFC 5176). Attributes, which name users, are not read.

use serde::Serialize;

use super::count::bump;
use super::listen::{Heard, Listen, Place};

/// Facts of a flow of RADIUS.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RadiusFacts {
    /// Requests for access.
    pub access_request: u32,
    /// Access was granted.
    pub access_accept: u32,
    /// Access was refused: log-ins that failed.
    pub access_reject: u32,
    /// A further proof was asked for.
    pub access_challenge: u32,
    /// Reports of use.
    pub accounting_request: u32,
    /// Their acknowledgements.
    pub accounting_response: u32,
    /// Orders to end a session or to change it, and what became of them.
    pub dynamic: u32,
    /// Any other, such as signs of life.
    pub other: u32,
}

impl Listen for RadiusFacts {
    const MOST_LOOKS: Option<u8> = None;

    fn hear(&mut self, heard: &Heard<'_>, _: &mut Place) -> bool {
        if let [code, _, high, low, ..] = heard.payload.bytes
            && (20..=4096).contains(&u16::from_be_bytes([*high, *low]))
        {
            bump(match code {
                1 => &mut self.access_request,
                2 => &mut self.access_accept,
                3 => &mut self.access_reject,
                4 => &mut self.accounting_request,
                5 => &mut self.accounting_response,
                11 => &mut self.access_challenge,
                40..=45 => &mut self.dynamic,
                _ => &mut self.other,
            });
        }
        true
    }
}
