//! Makes captures of every format for the tests of the capture module.

use std::io::Write;
use std::path::{Path, PathBuf};

use auscult::capture::{Block, CaptureError, Source};

/// A packet: nanoseconds since the epoch, length on the wire, captured bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    pub nanos: i64,
    pub wire_bytes: u32,
    pub data: Vec<u8>,
}

/// `count` packets of growing length, a second and a bit apart, with microseconds only.
pub fn packets(count: usize) -> Vec<Made> {
    let packet = |i: usize| {
        let data: Vec<u8> = (0..20 + i % 90).map(|at| (at * 7 + i) as u8).collect();
        Made { nanos: 1_700_000_000_000_000_000 + i as i64 * 1_000_321_000, wire_bytes: data.len() as u32 + i as u32 % 3, data }
    };
    (0..count).map(packet).collect()
}

/// Writes numbers in one of the byte orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endian {
    Little,
    Big,
}

pub const BOTH: [Endian; 2] = [Endian::Little, Endian::Big];

impl Endian {
    pub fn u16(self, n: u16) -> [u8; 2] {
        if self == Self::Little { n.to_le_bytes() } else { n.to_be_bytes() }
    }

    pub fn u32(self, n: u32) -> [u8; 4] {
        if self == Self::Little { n.to_le_bytes() } else { n.to_be_bytes() }
    }

    pub fn u64(self, n: u64) -> [u8; 8] {
        if self == Self::Little { n.to_le_bytes() } else { n.to_be_bytes() }
    }

    pub fn words(self, words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|word| self.u32(*word)).collect()
    }
}

/// The pcap variants by their magic.
pub const MICRO: u32 = 0xa1b2_c3d4;
pub const NANO: u32 = 0xa1b2_3c4d;
pub const KUZNETZOV: u32 = 0xa1b2_cd34;

pub fn pcap_header(endian: Endian, magic: u32, link: u32) -> Vec<u8> {
    let version = if endian == Endian::Little { 2 | 4 << 16 } else { 2 << 16 | 4 };
    endian.words(&[magic, version, 0, 0, 65_535, link])
}

pub fn pcap_record(endian: Endian, magic: u32, packet: &Made) -> Vec<u8> {
    let nanos = packet.nanos % 1_000_000_000;
    let fraction = if magic == NANO { nanos } else { nanos / 1000 };
    let fields = [(packet.nanos / 1_000_000_000) as u32, fraction as u32, packet.data.len() as u32, packet.wire_bytes];
    let mut bytes = endian.words(&fields);
    if magic == KUZNETZOV {
        bytes.extend_from_slice(&[0, 0, 0, 2, 8, 0, 4, 0]);
    }
    bytes.extend_from_slice(&packet.data);
    bytes
}

pub fn pcap(endian: Endian, magic: u32, packets: &[Made]) -> Vec<u8> {
    let mut bytes = pcap_header(endian, magic, 1);
    packets.iter().for_each(|packet| bytes.extend(pcap_record(endian, magic, packet)));
    bytes
}

/// The plainest capture.
pub fn plain(packets: &[Made]) -> Vec<u8> {
    pcap(Endian::Little, MICRO, packets)
}

pub fn padded(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

pub fn block(endian: Endian, kind: u32, body: &[u8]) -> Vec<u8> {
    let length = endian.u32(body.len() as u32 + 12);
    [&endian.u32(kind)[..], &length, body, &length].concat()
}

/// A section header that does not say how long the section is.
pub fn section(endian: Endian) -> Vec<u8> {
    let body = [endian.u32(0x1a2b_3c4d).to_vec(), endian.u16(1).to_vec(), endian.u16(0).to_vec(), vec![0xff; 8]].concat();
    block(endian, 0x0a0d_0d0a, &body)
}

pub fn option(endian: Endian, code: u16, value: &[u8]) -> Vec<u8> {
    padded([&endian.u16(code)[..], &endian.u16(value.len() as u16), value].concat())
}

pub fn interface(endian: Endian, link: u16, snap_bytes: u32, options: &[u8]) -> Vec<u8> {
    block(endian, 1, &[&endian.u16(link)[..], &[0, 0], &endian.u32(snap_bytes), options].concat())
}

/// An Enhanced Packet Block whose time is `units` of the interface's clock.
pub fn enhanced(endian: Endian, id: u32, units: u64, packet: &Made) -> Vec<u8> {
    let fields = [id, (units >> 32) as u32, units as u32, packet.data.len() as u32, packet.wire_bytes];
    let body = [endian.words(&fields), padded(packet.data.clone()), option(endian, 1, b"note"), vec![0; 4]].concat();
    block(endian, 6, &body)
}

pub fn simple(endian: Endian, packet: &Made) -> Vec<u8> {
    block(endian, 3, &[&endian.u32(packet.wire_bytes)[..], &padded(packet.data.clone())].concat())
}

pub fn obsolete(endian: Endian, id: u16, units: u64, packet: &Made) -> Vec<u8> {
    let fields = [(units >> 32) as u32, units as u32, packet.data.len() as u32, packet.wire_bytes];
    let front = [endian.u16(id), endian.u16(0xffff)].concat();
    block(endian, 2, &[front, endian.words(&fields), padded(packet.data.clone())].concat())
}

/// One section, one Ethernet interface that counts microseconds.
pub fn pcapng(endian: Endian, packets: &[Made]) -> Vec<u8> {
    let mut bytes = [section(endian), interface(endian, 1, 0, &[])].concat();
    packets.iter().for_each(|packet| bytes.extend(enhanced(endian, 0, packet.nanos as u64 / 1000, packet)));
    bytes
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub fn zstd(bytes: &[u8]) -> Vec<u8> {
    ::zstd::encode_all(bytes, 1).unwrap()
}

/// A folder that goes away at the end, and writing into it.
pub struct Folder(tempfile::TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn put(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }
}

/// All that a source gives: packets with the numbers of their link types, and the errors between them.
pub fn drain(source: &mut dyn Source) -> (Vec<(Made, u16)>, Vec<CaptureError>) {
    let (mut all, mut errors, mut block) = (Vec::new(), Vec::new(), Block::default());
    loop {
        let result = source.fill(&mut block);
        all.extend(block.frames.iter().map(|span| {
            let frame = block.frame(span);
            assert_eq!(frame.data.len(), span.bytes.len(), "the frame lies in the block");
            (Made { nanos: frame.time.nanos(), wire_bytes: frame.wire_bytes, data: frame.data.to_vec() }, frame.link.0)
        }));
        match result {
            Ok(true) => {}
            Ok(false) => return (all, errors),
            Err(error) => errors.push(error),
        }
        assert!(errors.len() < 1000, "a source that never ends");
    }
}
