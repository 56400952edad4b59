//! MQTT: who connects how, and how many packets of which kind (OASIS MQTT 3.1.1 and 5.0, chapters 2 and 3). User names and payloads are not
//! kept; of the client's identifier, and of the topics that it publishes, hashes are.

use serde::{Serialize, Serializer};
use sha2::{Digest as _, Sha256};

use super::count::hash as number_of;
use super::heads;
use super::listed::count;
use super::listen::{Heard, Listen, Place};
use super::reader::Reader;

/// Where brokers listen, so that who publishes is told in a connection from before the capture, too.
const PORT: u16 = 1883;
/// Longest CONNECT packet that is put together, in bytes.
const MAX_CONNECT_BYTES: usize = 4096;
/// Bytes of a packet whose topic filters are looked at.
const MAX_SUBSCRIBE_BYTES: usize = 512;
/// Longest topic of which a hash is kept, in bytes.
const MAX_TOPIC_BYTES: usize = 256;
/// Topics of which hashes are kept.
const MAX_TOPICS: usize = 8;
/// Distinct return codes that are counted.
const MAX_CODES: usize = 8;
/// Hexadecimal digits of a client's hash.
const HASH_DIGITS: usize = 16;

/// Facts of an MQTT connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MqttFacts {
    /// Protocol level of the CONNECT packet: 3 is MQTT 3.1, 4 is 3.1.1, 5 is 5.0; 0 when it was not seen.
    pub level: u8,
    /// Does the client name a user?
    pub has_user: bool,
    /// Does it send a password?
    pub has_password: bool,
    /// The first 16 hexadecimal digits of SHA-256 over the client's identifier. No one can compute the identifier from it, but
    /// one who guesses an identifier can tell whether it is the one: the hash tells clients apart and hides none. Nothing when
    /// the client leaves the identifier to the server.
    pub client_id_sha256: Option<Box<str>>,
    /// Does it begin anew, without what the server may have kept for it (clean session, clean start)?
    pub clean_session: bool,
    /// Longest silence that it announces, in seconds; 0 is without limit.
    pub keep_alive_s: u16,
    /// Does it leave a message to be published should it be lost (a will)?
    pub will: bool,
    /// CONNECT packets.
    pub connect: u32,
    /// CONNACK packets that refuse.
    pub refused: u32,
    /// CONNACK packets by return code or reason code (0 is accepted), in the order in which they were first seen; 8 codes at
    /// most.
    #[serde(serialize_with = "by_code")]
    pub connack_codes: Vec<(u8, u32)>,
    /// The first 8 topics that the client publishes, as hashes in the same way. None is kept that is longer than 256 bytes, or of which version 5 has an
    /// alias in its place.
    pub topics_sha256: Topics,
    /// PUBLISH packets.
    pub publish: u32,
    /// PUBLISH packets by quality of service: at most once, at least once, exactly once.
    pub publish_qos: MqttQos,
    /// PUBLISH packets that the server is to keep, or kept.
    pub retained: u32,
    /// SUBSCRIBE packets.
    pub subscribe: u32,
    /// SUBSCRIBE packets that ask for every topic (`#`).
    pub subscribe_all: u32,
    /// UNSUBSCRIBE packets.
    pub unsubscribe: u32,
    /// PINGREQ packets.
    pub ping: u32,
    /// DISCONNECT packets.
    pub disconnect: u32,
    /// All other packets: acknowledgements, answers, AUTH.
    pub other: u32,
}

/// PUBLISH packets by quality of service (MQTT 3.1.1, 4.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MqttQos {
    /// At most once.
    #[serde(rename = "0")]
    pub at_most_once: u32,
    /// At least once.
    #[serde(rename = "1")]
    pub at_least_once: u32,
    /// Exactly once.
    #[serde(rename = "2")]
    pub exactly_once: u32,
}

/// Hashes of topics, in the order in which they came. Serialized as these.
#[derive(Clone, Debug, Default, Eq)]
pub struct Topics {
    hashes: Vec<Box<str>>,
    /// Numbers of the same topics, so that what is published again and again is not hashed again and again.
    numbers: Vec<u64>,
}

impl Topics {
    fn note(&mut self, topic: &[u8]) {
        if self.numbers.len() >= MAX_TOPICS {
            return;
        }
        let number = number_of(topic.iter().copied());
        if !self.numbers.contains(&number) {
            self.numbers.push(number);
            self.hashes.push(hash(topic));
        }
    }

    /// The hashes.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.hashes.iter().map(|hash| &**hash)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Box<str>> {
        self.hashes.iter_mut()
    }
}

impl FromIterator<Box<str>> for Topics {
    fn from_iter<I: IntoIterator<Item = Box<str>>>(hashes: I) -> Self {
        Self { hashes: hashes.into_iter().collect(), numbers: Vec::new() }
    }
}

impl PartialEq for Topics {
    fn eq(&self, other: &Self) -> bool {
        self.hashes == other.hashes
    }
}

impl Serialize for Topics {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(&self.hashes)
    }
}

fn by_code<S: Serializer>(codes: &[(u8, u32)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(codes.iter().copied())
}

impl Listen for MqttFacts {
    const MOST_LOOKS: Option<u8> = None;

    fn hear(&mut self, heard: &Heard<'_>, place: &mut Place) -> bool {
        heads::messages(place, &heard.payload, head, |packet| self.packet(packet, heard.is_for(PORT)));
        true
    }
}

impl MqttFacts {
    fn packet(&mut self, packet: &[u8], is_of_client: bool) -> Option<u32> {
        let (first, bytes, body) = header(packet)?;
        count(match first >> 4 {
            1 => {
                self.connect_options(body);
                &mut self.connect
            }
            2 => {
                self.answer(body);
                return Some(bytes);
            }
            3 => {
                self.published(first);
                if is_of_client {
                    self.topic(body);
                }
                &mut self.publish
            }
            8 => {
                self.subscribed(body);
                &mut self.subscribe
            }
            10 => &mut self.unsubscribe,
            12 => &mut self.ping,
            14 => &mut self.disconnect,
            _ => &mut self.other,
        });
        Some(bytes)
    }

    fn connect_options(&mut self, body: &[u8]) {
        let Some([level, flags]) = connect(body) else { return };
        self.level = level;
        self.has_user = flags & 0x80 != 0;
        self.has_password = flags & 0x40 != 0;
        self.will = flags & 0x04 != 0;
        self.clean_session = flags & 0x02 != 0;
        let mut reader = Reader(body);
        let mut behind_flags = || {
            reader.vec16()?;
            reader.take(2)?;
            self.keep_alive_s = reader.u16()?;
            if level >= 5 {
                let bytes = variable(&mut reader)?;
                reader.take(bytes as usize)?;
            }
            reader.vec16().filter(|id| !id.is_empty())
        };
        self.client_id_sha256 = behind_flags().map(hash);
    }

    /// Counts an answer to a CONNECT packet.
    fn answer(&mut self, body: &[u8]) {
        let Some(code) = body.get(1) else {
            count(&mut self.other);
            return;
        };
        if *code != 0 {
            count(&mut self.refused);
        }
        if let Some((_, times)) = self.connack_codes.iter_mut().find(|(known, _)| known == code) {
            count(times);
        } else if self.connack_codes.len() < MAX_CODES {
            self.connack_codes.push((*code, 1));
        }
    }

    const fn published(&mut self, first: u8) {
        count(match first >> 1 & 3 {
            0 => &mut self.publish_qos.at_most_once,
            1 => &mut self.publish_qos.at_least_once,
            _ => &mut self.publish_qos.exactly_once,
        });
        if first & 1 == 1 {
            count(&mut self.retained);
        }
    }

    /// Keeps a hash of what a PUBLISH packet is about.
    fn topic(&mut self, body: &[u8]) {
        if let Some(topic) = Reader(body).vec16().filter(|topic| (1..=MAX_TOPIC_BYTES).contains(&topic.len())) {
            self.topics_sha256.note(topic);
        }
    }

    /// Looks whether one of the filters is the one for everything. A packet with all its filters is looked at, but no more.
    fn subscribed(&mut self, body: &[u8]) {
        let mut reader = Reader(body);
        let is_v5 = self.level >= 5;
        let mut asks_for_all = || {
            reader.take(2)?;
            if is_v5 {
                let bytes = variable(&mut reader)?;
                reader.take(bytes as usize)?;
            }
            loop {
                let filter = reader.vec16()?;
                reader.u8()?;
                if filter == b"#" {
                    return Some(());
                }
            }
        };
        if asks_for_all().is_some() {
            count(&mut self.subscribe_all);
        }
    }
}

/// The first digits of a hash.
fn hash(id: &[u8]) -> Box<str> {
    let digits = Sha256::digest(id).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    digits.get(..HASH_DIGITS).unwrap_or_default().into()
}

/// A number of up to four bytes with seven bits each.
fn variable(reader: &mut Reader<'_>) -> Option<u32> {
    let mut number = 0;
    for place in 0..4 {
        let byte = reader.u8()?;
        number |= u32::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// How much of a packet has to be seen: what is behind its header only where that is read.
fn head(packet: &[u8]) -> Option<usize> {
    let Some((first, bytes, body)) = header(packet) else {
        // The first byte alone, or a length that goes on.
        let is_cut = packet.len() < 5 && packet.iter().skip(1).all(|byte| byte & 0x80 != 0);
        return (is_cut && packet.first().is_none_or(|first| is_sound(*first))).then_some(packet.len() + 1);
    };
    let (bytes, fixed) = (bytes as usize, packet.len() - body.len());
    Some(match first >> 4 {
        1 if bytes <= MAX_CONNECT_BYTES => bytes,
        2 => bytes.min(fixed + 2),
        3 => match body {
            [high, low, ..] => bytes.min(fixed + 2 + usize::from(u16::from_be_bytes([*high, *low])).min(MAX_TOPIC_BYTES)),
            _ => bytes.min(fixed + 2),
        },
        8 if bytes <= MAX_SUBSCRIBE_BYTES => bytes,
        _ => fixed,
    })
}

/// Can a packet start with this byte?
const fn is_sound(first: u8) -> bool {
    let (kind, flags) = (first >> 4, first & 0x0f);
    match kind {
        3 => flags & 0x06 != 0x06,
        6 | 8 | 10 => flags == 2,
        0 => false,
        _ => flags == 0,
    }
}

/// First byte, whole length and body of a packet, if one can start so.
fn header(packet: &[u8]) -> Option<(u8, u32, &[u8])> {
    let mut reader = Reader(packet);
    let first = reader.u8()?;
    let bytes = variable(&mut reader)?;
    let fixed = u32::try_from(packet.len() - reader.0.len()).ok()?;
    let body = reader.0.get(..bytes as usize).unwrap_or(reader.0);
    is_sound(first).then_some((first, bytes + fixed, body))
}

/// Level and flags of a CONNECT packet's body.
fn connect(body: &[u8]) -> Option<[u8; 2]> {
    let mut reader = Reader(body);
    let name = reader.vec16()?;
    matches!(name, b"MQTT" | b"MQIsdp").then(|| reader.array()).flatten()
}

/// Does a client connect here?
pub(super) fn is_connect(payload: &[u8]) -> bool {
    matches!(header(payload), Some((0x10, _, body)) if connect(body).is_some())
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
