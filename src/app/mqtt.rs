//! MQTT: how many packets of which kind (OASIS MQTT 3.1.1 and 5.0, chapter 2). Topics, names and payloads are not looked at.

use serde::Serialize;

use super::framing::{self, Skip};
use super::listen::{Heard, Listen, Place};
use super::reader::Reader;

/// Facts of an MQTT connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MqttFacts {
    /// Protocol level of the CONNECT packet: 3 is MQTT 3.1, 4 is 3.1.1, 5 is 5.0; 0 when it was not seen.
    pub level: u8,
    /// Does the client name a user?
    pub has_user: bool,
    /// CONNECT packets.
    pub connect: u32,
    /// CONNACK packets that refuse.
    pub refused: u32,
    /// PUBLISH packets.
    pub publish: u32,
    /// SUBSCRIBE packets.
    pub subscribe: u32,
    /// PINGREQ packets.
    pub ping: u32,
    /// DISCONNECT packets.
    pub disconnect: u32,
    /// All other packets: acknowledgements, answers, UNSUBSCRIBE, AUTH.
    pub other: u32,
}

impl Listen for MqttFacts {
    const MOST_LOOKS: Option<u8> = None;

    fn hear(&mut self, heard: &Heard<'_>, place: &mut Place) -> bool {
        self.segment(&mut place.skip, heard.payload.bytes, heard.payload.wire_bytes);
        true
    }
}

impl MqttFacts {
    /// Counts the packets that start in this segment.
    fn segment(&mut self, skip: &mut Skip, payload: &[u8], payload_bytes: u32) {
        framing::messages(skip, payload, payload_bytes, |rest| self.packet(rest));
    }

    fn packet(&mut self, packet: &[u8]) -> Option<u32> {
        let (kind, bytes, body) = header(packet)?;
        let counter = match kind {
            1 => {
                self.connect_options(body);
                &mut self.connect
            }
            2 if body.get(1).is_some_and(|code| *code != 0) => &mut self.refused,
            3 => &mut self.publish,
            8 => &mut self.subscribe,
            12 => &mut self.ping,
            14 => &mut self.disconnect,
            _ => &mut self.other,
        };
        *counter = counter.saturating_add(1);
        Some(bytes)
    }

    fn connect_options(&mut self, body: &[u8]) {
        if let Some([level, flags]) = connect(body) {
            self.level = level;
            self.has_user = flags & 0x80 != 0;
        }
    }
}

/// Kind, whole length and body of a packet, if one can start so.
fn header(packet: &[u8]) -> Option<(u8, u32, &[u8])> {
    let mut reader = Reader(packet);
    let first = reader.u8()?;
    let (kind, flags) = (first >> 4, first & 0x0f);
    let is_sound = match kind {
        3 => flags & 0x06 != 0x06,
        6 | 8 | 10 => flags == 2,
        0 => false,
        _ => flags == 0,
    };
    let mut bytes = 0;
    for place in 0..4 {
        let byte = reader.u8()?;
        bytes |= u32::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return is_sound.then_some((kind, bytes + 2 + place, reader.0));
        }
    }
    None
}

/// Level and flags of a CONNECT packet's body.
fn connect(body: &[u8]) -> Option<[u8; 2]> {
    let mut reader = Reader(body);
    let name = reader.vec16()?;
    matches!(name, b"MQTT" | b"MQIsdp").then(|| reader.array()).flatten()
}

/// Does a client connect here?
pub(super) fn is_connect(payload: &[u8]) -> bool {
    matches!(header(payload), Some((1, _, body)) if connect(body).is_some())
}

/// Is this payload whole packets and nothing else? For connections that began before the capture, on MQTT's port.
pub(super) fn is_packets(mut payload: &[u8]) -> bool {
    while !payload.is_empty() {
        match header(payload).and_then(|(_, bytes, _)| payload.get(bytes as usize..)) {
            Some(rest) => payload = rest,
            None => return false,
        }
    }
    true
}
