//! What the tests of `wire` and `app` share: captures in memory, and frames by hand.

use std::io::Read;
use std::path::{Path, PathBuf};

use auscult::time::Timestamp;
use auscult::wire::{Frame, LinkType};

/// One frame of a capture.
pub struct Captured {
    pub time: Timestamp,
    pub wire_bytes: u32,
    pub data: Vec<u8>,
}

/// A whole capture in memory.
pub struct Capture {
    pub link: LinkType,
    pub frames: Vec<Captured>,
}

impl Capture {
    pub fn frames(&self) -> impl Iterator<Item = Frame<'_>> {
        let link = self.link;
        self.frames.iter().map(move |f| Frame { time: f.time, link, wire_bytes: f.wire_bytes, data: &f.data })
    }
}

/// A frame of Ethernet that was captured whole.
pub fn ethernet(data: &[u8]) -> Frame<'_> {
    frame(LinkType::ETHERNET, data)
}

/// A frame that was captured whole.
pub fn frame(link: LinkType, data: &[u8]) -> Frame<'_> {
    Frame { time: Timestamp::from_nanos(7), link, wire_bytes: data.len() as u32, data }
}

/// The file `name` among the development captures; says so and returns nothing when it is not there.
pub fn data_file(name: &str) -> Option<PathBuf> {
    let root = std::env::var_os("AUSCULT_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"), PathBuf::from);
    let path = root.join(name);
    if path.exists() {
        return Some(path);
    }
    println!("skipped: {name} is missing (AUSCULT_DATA names the folder of the captures)");
    None
}

/// Reads a classic pcap file, compressed with gzip or not; stops at a record that is cut.
pub fn read_pcap(path: &Path) -> Capture {
    let mut bytes = std::fs::read(path).expect("a readable capture");
    if bytes.starts_with(&[0x1f, 0x8b]) {
        let mut plain = Vec::new();
        flate2::read::GzDecoder::new(bytes.as_slice()).read_to_end(&mut plain).expect("a whole gzip file");
        bytes = plain;
    }
    let magic: [u8; 4] = bytes[..4].try_into().unwrap();
    let (little, nanos) = match magic {
        [0xd4, 0xc3, 0xb2, 0xa1] => (true, false),
        [0xa1, 0xb2, 0xc3, 0xd4] => (false, false),
        [0x4d, 0x3c, 0xb2, 0xa1] => (true, true),
        [0xa1, 0xb2, 0x3c, 0x4d] => (false, true),
        other => panic!("{}: no classic pcap: {other:02x?}", path.display()),
    };
    let word = |at: usize| {
        let four: [u8; 4] = bytes[at..at + 4].try_into().unwrap();
        if little { u32::from_le_bytes(four) } else { u32::from_be_bytes(four) }
    };
    let mut frames = Vec::new();
    let mut at = 24;
    while at + 16 <= bytes.len() {
        let fraction = i64::from(word(at + 4)) * if nanos { 1 } else { 1000 };
        let (captured, wire_bytes) = (word(at + 8) as usize, word(at + 12));
        let Some(data) = bytes.get(at + 16..at + 16 + captured) else { break };
        frames.push(Captured { time: Timestamp::from_parts(i64::from(word(at)), fraction), wire_bytes, data: data.to_vec() });
        at += 16 + captured;
    }
    Capture { link: LinkType(word(20) as u16), frames }
}
