//! DNS over UDP and TCP, multicast DNS and LLMNR: running figures over the messages of a flow (RFC 1035, 4).

mod records;

use serde::Serialize;

use super::count::{Distinct, hash};
use super::frames::{Frames, Span};
use super::listen::{Heard, Listen, Place};
use super::reader::Reader;
use super::text::{HOST_BYTES, printable};

/// As much of a message of a stream is waited for; zone transfers are longer.
const WANTED_BYTES: u32 = 2048;

const FRAMES: Frames = Frames { head_bytes: 2, span };

/// Types of services that are listed.
const MOST_SERVICES: usize = 16;

/// Figures over all DNS messages of a flow. Name figures are over queries, so that an answer does not count a name twice.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct DnsFacts {
    /// Queries.
    pub queries: u32,
    /// Responses.
    pub responses: u32,
    /// Responses that say that the name does not exist.
    pub nxdomain: u32,
    /// Responses with any other error code.
    pub errors: u32,
    /// Of these, responses that say that the server failed.
    pub servfail: u32,
    /// Of these, responses that say that the server refuses.
    pub refused: u32,
    /// Lowest time to live of an answer, in seconds.
    pub ttl_min: Option<u32>,
    /// Different names that were asked for; exact up to 32, then an estimate.
    pub distinct_names: Distinct,
    /// Different names of which an answer says that they do not exist, counted in the same way.
    pub missing_names: Distinct,
    /// Types of services that multicast DNS asks for or announces, as in `_ipp._tcp`; 16 at most.
    pub services: Vec<Box<str>>,
    /// Messages that were captured whole and of which the header or the first question could not be read.
    pub malformed: u32,
    /// Sum of the answer counts that responses state.
    pub answers: u64,
    /// Queries whose name was read: the divisor for the means of the name figures.
    #[serde(skip)]
    pub names: u32,
    /// Sum of the lengths of the names asked for, in characters, dots included.
    #[serde(skip)]
    pub qname_chars: u64,
    /// Length of the longest name asked for, in characters, 0 to 253.
    #[serde(rename = "longest_name")]
    pub qname_chars_max: u16,
    /// Length of the longest label asked for, in characters, 0 to 63.
    #[serde(rename = "longest_label")]
    pub label_chars_max: u8,
    /// Sum over queries of the entropy of the name without its last two labels (of a shorter name: of its first label), in
    /// bits per character, case ignored (Shannon 1948). A query adds 0 to about 5.3.
    #[serde(skip)]
    pub label_entropy_bits: f64,
    /// Queries by their type.
    pub types: QueryTypes,
    /// The first name asked for, up to 253 characters.
    #[serde(rename = "first_name")]
    pub first_qname: Option<Box<str>>,
}

/// How many queries asked for which type (the first question of each).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct QueryTypes {
    /// Addresses: A and AAAA.
    pub address: u32,
    /// TXT.
    pub txt: u32,
    /// NULL.
    pub null: u32,
    /// CNAME.
    pub cname: u32,
    /// MX.
    pub mx: u32,
    /// Any other.
    pub other: u32,
}

impl QueryTypes {
    fn count(&mut self, kind: u16) {
        let counter = match kind {
            1 | 28 => &mut self.address,
            5 => &mut self.cname,
            10 => &mut self.null,
            15 => &mut self.mx,
            16 => &mut self.txt,
            _ => &mut self.other,
        };
        *counter = counter.saturating_add(1);
    }
}

impl Listen for DnsFacts {
    const MOST_LOOKS: Option<u8> = None;

    fn hear(&mut self, heard: &Heard<'_>, place: &mut Place) -> bool {
        let payload = &heard.payload;
        if heard.ports.is_tcp() {
            FRAMES.walk(place, payload, |message| self.counted(message));
        } else {
            self.datagram(payload.bytes, payload.is_whole());
            if heard.ports.has(5353) {
                self.services(payload.bytes);
            }
        }
        true
    }
}

impl DnsFacts {
    /// Counts a message, or what was captured of it.
    fn datagram(&mut self, message: &[u8], is_whole: bool) {
        if self.message(message).is_none() && is_whole {
            self.malformed = self.malformed.saturating_add(1);
        }
    }

    /// Counts a message of a stream, which stands behind its length (RFC 7766, 8).
    fn counted(&mut self, counted: &[u8]) {
        let is_whole = span(counted).is_some_and(|span| span.bytes as usize == counted.len());
        self.datagram(counted.get(2..).unwrap_or_default(), is_whole);
    }

    fn message(&mut self, message: &[u8]) -> Option<()> {
        let mut reader = Reader(message);
        let header = Header::read(&mut reader)?;
        if header.is_response {
            self.responses = self.responses.saturating_add(1);
            self.answers = self.answers.saturating_add(header.answers.into());
            match header.code {
                0 => {}
                3 => self.missing(&mut reader, header.questions),
                code => self.error(code),
            }
            if let Some(ttl) = records::answers(message, None) {
                self.ttl_min = Some(self.ttl_min.map_or(ttl, |lowest| lowest.min(ttl)));
            }
            return Some(());
        }
        self.queries = self.queries.saturating_add(1);
        if header.questions > 0 {
            let name = Name::read(&mut reader)?;
            self.types.count(reader.u16()?);
            self.name(&name);
        }
        Some(())
    }

    /// Counts an answer that a name does not exist; it repeats the question, as a rule.
    fn missing(&mut self, reader: &mut Reader<'_>, questions: u16) {
        self.nxdomain = self.nxdomain.saturating_add(1);
        if let Some(name) = Some(()).filter(|()| questions > 0).and_then(|()| Name::read(reader)) {
            self.missing_names.note_hash(hash(name.text().iter().copied()));
        }
    }

    fn error(&mut self, code: u8) {
        self.errors = self.errors.saturating_add(1);
        match code {
            2 => self.servfail = self.servfail.saturating_add(1),
            5 => self.refused = self.refused.saturating_add(1),
            _ => {}
        }
    }

    fn services(&mut self, message: &[u8]) {
        let services = &mut self.services;
        let mut note = |service| {
            if services.len() < MOST_SERVICES && !services.contains(&service) {
                services.push(service);
            }
        };
        records::answers(message, Some(&mut note));
    }

    fn name(&mut self, name: &Name) {
        self.distinct_names.note_hash(hash(name.text().iter().copied()));
        self.names = self.names.saturating_add(1);
        self.qname_chars = self.qname_chars.saturating_add(name.text().len() as u64);
        self.qname_chars_max = self.qname_chars_max.max(name.text().len() as u16);
        self.label_chars_max = self.label_chars_max.max(name.longest_label);
        self.label_entropy_bits += entropy(name.varying());
        self.first_qname.get_or_insert_with(|| printable(without_instance(name.text()), HOST_BYTES));
    }
}

/// The name for whose address a message of LLMNR answers (RFC 4795, 2.1).
pub(super) fn answered(message: &[u8]) -> Option<Vec<u8>> {
    let mut reader = Reader(message);
    let header = Header::read(&mut reader)?;
    let is_answer = header.is_response && header.opcode == 0 && header.code == 0 && header.questions == 1 && header.answers > 0;
    let name = Name::read(&mut reader).filter(|_| is_answer)?;
    // Addresses, or all that there is.
    matches!(reader.u16()?, 1 | 28 | 255).then(|| name.text().to_vec())
}

/// A message behind its length.
fn span(bytes: &[u8]) -> Option<Span> {
    let length = Reader(bytes).u16().filter(|length| *length >= 12)?;
    Some(Span { bytes: u32::from(length) + 2, wanted: WANTED_BYTES })
}

struct Header {
    is_response: bool,
    opcode: u8,
    reserved: bool,
    code: u8,
    questions: u16,
    answers: u16,
}

impl Header {
    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let [_, _, high, low] = reader.array()?;
        let (questions, answers) = (reader.u16()?, reader.u16()?);
        reader.take(4)?;
        let (opcode, code) = (high >> 3 & 0x0f, low & 0x0f);
        Some(Self { is_response: high & 0x80 != 0, opcode, reserved: low & 0x40 != 0, code, questions, answers })
    }
}

/// A name with dots, in lower case, as bytes.
struct Name {
    text: [u8; 256],
    chars: usize,
    /// Where the part ends that a site chooses freely: before the last two labels, or behind the first of two or one.
    varying: usize,
    longest_label: u8,
}

impl Name {
    /// Reads a name without compression, as it stands in a question.
    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let mut name = Self { text: [0; 256], chars: 0, varying: 0, longest_label: 0 };
        let mut ends = [0; 3];
        let mut first_end = 0;
        loop {
            let label = match reader.u8()? {
                0 => break,
                bytes @ 1..=63 => reader.take(bytes.into())?,
                _ => return None,
            };
            let dot = usize::from(name.chars > 0);
            let place = name.text.get_mut(name.chars..name.chars + dot + label.len())?;
            place.fill(b'.');
            for (to, from) in place.iter_mut().skip(dot).zip(label) {
                *to = from.to_ascii_lowercase();
            }
            name.chars += dot + label.len();
            name.longest_label = name.longest_label.max(label.len() as u8);
            ends = [ends[1], ends[2], name.chars];
            if first_end == 0 {
                first_end = name.chars;
            }
        }
        // Of one or two labels the register's first place is still 0.
        name.varying = ends[0].max(first_end);
        (name.chars <= HOST_BYTES).then_some(name)
    }

    fn text(&self) -> &[u8] {
        self.text.get(..self.chars).unwrap_or_default()
    }

    fn varying(&self) -> &[u8] {
        self.text.get(..self.varying).unwrap_or_default()
    }
}

/// A name without the instance of a service before it, which often names a person (RFC 6763, 4.1.1).
fn without_instance(name: &[u8]) -> &[u8] {
    let is_service = name.windows(6).any(|window| matches!(window, b"._tcp." | b"._udp."));
    let start = name.windows(2).position(|window| window == b"._").filter(|_| is_service && name.first() != Some(&b'_'));
    start.and_then(|start| name.get(start + 1..)).unwrap_or(name)
}

/// Shannon's entropy of the characters of a name without its dots, in bits per character.
fn entropy(name: &[u8]) -> f64 {
    let mut counts = [0u8; 256];
    let (mut chars, mut least, mut most) = (0u32, usize::MAX, 0);
    for byte in name.iter().filter(|byte| **byte != b'.') {
        let place = usize::from(*byte);
        counts[place] = counts[place].saturating_add(1);
        (least, most) = (least.min(place), most.max(place));
        chars += 1;
    }
    if chars == 0 {
        return 0.0;
    }
    // Characters that stand alone add log2(1) = 0.
    let repeated = counts[least..=most].iter().filter(|count| **count > 1).map(|count| f64::from(*count));
    let sum: f64 = repeated.map(|count| count * count.log2()).sum();
    (f64::from(chars).log2() - sum / f64::from(chars)).max(0.0)
}

/// Could this be a DNS message? Strict enough for any port when `strict`, else for the ports of DNS.
pub(super) fn is_message(message: &[u8], strict: bool) -> bool {
    let mut reader = Reader(message);
    let Some(header) = Header::read(&mut reader) else { return false };
    // Opcodes up to 6 are assigned, and a real message has few questions.
    let plausible = header.opcode <= 6 && header.questions <= 16;
    if !strict {
        return plausible;
    }
    let question = |reader: &mut Reader<'_>| -> Option<bool> {
        let name = Name::read(reader)?;
        let (kind, class) = (reader.u16()?, reader.u16()?);
        Some(name.chars > 0 && kind != 0 && matches!(class & 0x7fff, 1 | 255))
    };
    plausible && !header.reserved && header.opcode == 0 && header.questions == 1 && question(&mut reader) == Some(true)
}

/// Could this segment start with a DNS message behind its length?
pub(super) fn is_segment(payload: &[u8], strict: bool) -> bool {
    let mut reader = Reader(payload);
    match reader.u16() {
        Some(bytes) if bytes >= 12 => is_message(reader.0.get(..bytes.into()).unwrap_or(reader.0), strict),
        _ => false,
    }
}
