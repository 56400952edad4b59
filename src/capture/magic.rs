//! What a capture begins with. Names of files are never looked at.

use std::fmt;

/// How a capture is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// RFC 1952, of any number of members.
    Gzip,
    /// RFC 8878, of any number of frames.
    Zstd,
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        })
    }
}

/// What the first four bytes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Magic {
    Pcap,
    Pcapng,
    Compressed(Compression),
    /// The bytes are the beginning of a magic, but too few to tell.
    Cut,
    Unknown,
}

/// Bytes that a magic has.
pub(super) const MAGIC_BYTES: usize = 4;

const KNOWN: [([u8; MAGIC_BYTES], Magic); 9] = [
    ([0xd4, 0xc3, 0xb2, 0xa1], Magic::Pcap),
    ([0xa1, 0xb2, 0xc3, 0xd4], Magic::Pcap),
    ([0x4d, 0x3c, 0xb2, 0xa1], Magic::Pcap),
    ([0xa1, 0xb2, 0x3c, 0x4d], Magic::Pcap),
    ([0x34, 0xcd, 0xb2, 0xa1], Magic::Pcap),
    ([0xa1, 0xb2, 0xcd, 0x34], Magic::Pcap),
    ([0x0a, 0x0d, 0x0d, 0x0a], Magic::Pcapng),
    ([0x1f, 0x8b, 0x08, 0x00], Magic::Compressed(Compression::Gzip)),
    ([0x28, 0xb5, 0x2f, 0xfd], Magic::Compressed(Compression::Zstd)),
];

impl Magic {
    /// What a person is told when it is none of these.
    pub(super) const WANTED: &'static str =
        "pcap (a1b2c3d4, a1b23c4d or a1b2cd34 in either byte order), pcapng (0a0d0d0a), gzip (1f8b08) or zstd (28b52ffd)";

    /// Judges the first bytes of a stream; those behind the fourth do not matter.
    pub(super) fn of(bytes: &[u8]) -> Self {
        let seen = bytes.get(..MAGIC_BYTES).unwrap_or(bytes);
        match *seen {
            // The fourth byte of gzip holds flags.
            [0x1f, 0x8b, 0x08, _] => return Self::Compressed(Compression::Gzip),
            // A skippable frame, which parallel compressors put in front (RFC 8878, 3.1.2).
            [0x50..=0x5f, 0x2a, 0x4d, 0x18] => return Self::Compressed(Compression::Zstd),
            _ => {}
        }
        let known = KNOWN.iter().find(|(magic, _)| magic.starts_with(seen));
        match known {
            Some((_, magic)) if seen.len() == MAGIC_BYTES => *magic,
            Some(_) => Self::Cut,
            None => Self::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_magic_is_known_and_so_is_its_beginning() {
        for (bytes, magic) in KNOWN {
            assert_eq!(Magic::of(&bytes), magic);
            assert!((1..MAGIC_BYTES).all(|n| Magic::of(&bytes[..n]) == Magic::Cut), "{bytes:02x?}");
        }
    }

    #[test]
    fn tells_what_is_no_capture() {
        assert_eq!(Magic::of(b"\x89PNG"), Magic::Unknown);
        assert_eq!(Magic::of(&[0x1f, 0x8b, 0x07, 0]), Magic::Unknown);
        assert_eq!(Magic::of(&[0x1f, 0x8b, 0x08, 0x08]), Magic::Compressed(Compression::Gzip));
        assert_eq!(Magic::of(&[0x53, 0x2a, 0x4d, 0x18, 9]), Magic::Compressed(Compression::Zstd));
    }
}
