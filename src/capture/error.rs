//! What can go wrong with a capture, and where.

use std::fmt;
use std::io;
use std::path::PathBuf;

use super::Input;
use super::magic::{Compression, Magic};

/// Where in a capture something was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The capture.
    pub input: Input,
    /// The packet's number from 1; in front of the first packet and between packets, that of the next.
    pub record: u64,
    /// Where its record begins: bytes from the start of the capture, counted after decompression.
    pub offset: u64,
    /// How the capture is compressed, so that `offset` is not looked for in the file itself.
    pub compression: Option<Compression>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: packet {}, byte {}", self.input, self.record, self.offset)?;
        self.compression.map_or(Ok(()), |how| write!(f, " of the {how} data decompressed"))
    }
}

/// Why a source gave no more frames.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// Nothing has that name.
    #[error("{}: no such file or folder", path.display())]
    NoSuchFile {
        /// What was named.
        path: PathBuf,
    },
    /// The system refused to open or to read it.
    #[error("{input}: cannot be read: {source}")]
    Unreadable {
        /// What was to be read.
        input: Input,
        /// What the system said.
        source: io::Error,
    },
    /// A folder, and none of its files begins as a capture does.
    #[error("{}: a folder without captures ({files} other files): looked in it and its subfolders for {}", path.display(), Magic::WANTED)]
    NoCaptures {
        /// The folder.
        path: PathBuf,
        /// Files that were looked at.
        files: usize,
    },
    /// The first bytes are no capture's.
    #[error("{input}: not a capture: {}begins with {}; wanted {}", inside(*.compression), hex(.seen), Magic::WANTED)]
    NotACapture {
        /// What was read.
        input: Input,
        /// Its first bytes, at most four.
        seen: Vec<u8>,
        /// What it was decompressed from, if it was.
        compression: Option<Compression>,
    },
    /// There is not one byte in it.
    #[error("{input}: empty: {}has no bytes; wanted {}", inside(*.compression), Magic::WANTED)]
    Empty {
        /// What was read.
        input: Input,
        /// What it was decompressed from, if it was.
        compression: Option<Compression>,
    },
    /// It ends inside a record or a header.
    #[error("{place}: the file ends inside a record: wanted {wanted} bytes, had {had}")]
    Truncated {
        /// Where the record begins.
        place: Place,
        /// Bytes from there to the record's end, or to the end of its header where that is cut already.
        wanted: u64,
        /// Bytes that there are.
        had: u64,
    },
    /// The compressed stream ends before its end mark.
    #[error("{place}: the compressed data end early")]
    CutCompression {
        /// The first packet that could not be read whole.
        place: Place,
    },
    /// The file became shorter while it was read.
    #[error("{place}: the file shrank while it was read: wanted {wanted} bytes, had {had}")]
    Shrank {
        /// The packet that would have been next.
        place: Place,
        /// The file's size when it was opened, in bytes.
        wanted: u64,
        /// Bytes that could be read.
        had: u64,
    },
    /// A record or block says what cannot be.
    #[error("{place}: damaged: {damage}")]
    Damaged {
        /// Where the record begins.
        place: Place,
        /// What it says.
        damage: Damage,
    },
    /// The compressed stream is damaged.
    #[error("{place}: damaged compression: {reason}")]
    Compression {
        /// The first packet that could not be read whole.
        place: Place,
        /// What the decompressor said.
        reason: String,
    },
    /// More captures overlap in time than may be open at once. The one named was not read.
    #[error(
        "{input}: not read: it overlaps in time with {limit} other captures; merge some of them first, or read fewer at once"
    )]
    TooManyAtOnce {
        /// The capture that was left out.
        input: Input,
        /// Captures that may be open at once.
        limit: usize,
    },
    /// No interface has that name.
    #[error("{interface}: no such interface; there are {}", known.join(", "))]
    NoSuchInterface {
        /// What was named.
        interface: String,
        /// The interfaces that there are, at least one.
        known: Vec<String>,
    },
    /// libpcap does not understand a filter.
    #[error("filter {filter:?}: {reason}; wanted an expression as in pcap-filter(7), such as \"not port 873\"")]
    BadFilter {
        /// What was given.
        filter: String,
        /// What libpcap said.
        reason: String,
    },
    /// Capturing needs a privilege.
    #[error("{interface}: not permitted to capture: wants CAP_NET_RAW (setcap cap_net_raw=eip on the program) or root: {reason}")]
    NotPermitted {
        /// The interface.
        interface: String,
        /// What libpcap said.
        reason: String,
    },
    /// The interface is down, or went down or away while it was listened to.
    #[error("{interface}: the interface is down: {reason}")]
    InterfaceDown {
        /// The interface.
        interface: String,
        /// What libpcap said.
        reason: String,
    },
    /// Anything else that went wrong with an interface.
    #[error("{interface}: {action} failed: {reason}")]
    Interface {
        /// The interface.
        interface: String,
        /// What was being done.
        action: &'static str,
        /// What libpcap said.
        reason: String,
    },
}

impl CaptureError {
    /// Did the capture merely end too early (exit status 4), with all frames before the cut given out? Otherwise it is a
    /// failure (exit status 1).
    #[must_use]
    pub fn is_truncation(&self) -> bool {
        matches!(self, Self::Truncated { .. } | Self::CutCompression { .. } | Self::Shrank { .. })
    }
}

/// What a record or block says that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// A length outside its range.
    #[error("{what} is {length} bytes; wanted {min} to {max}")]
    Length {
        /// Which length.
        what: &'static str,
        /// What it says.
        length: u64,
        /// The least that it can be.
        min: u64,
        /// The most that it can be here.
        max: u64,
    },
    /// A pcapng block's length is not a multiple of four.
    #[error("block length is {length} bytes; wanted a multiple of 4")]
    Unaligned {
        /// What it says.
        length: u32,
    },
    /// A pcapng block's two lengths differ.
    #[error("block length is {start} at the block's start and {end} at its end")]
    Trailer {
        /// The length at its start.
        start: u32,
        /// The length at its end.
        end: u32,
    },
    /// A packet names an interface that no block described.
    #[error("packet of interface {id}; only {known} interfaces were described")]
    UnknownInterface {
        /// The interface's number, from 0.
        id: u32,
        /// Interfaces described so far in this section.
        known: usize,
    },
    /// More interfaces than the reader keeps.
    #[error("more than {limit} interfaces in one section")]
    TooManyInterfaces {
        /// The most that are kept.
        limit: usize,
    },
    /// A version of the format that is not known.
    #[error("version {major}.{minor}; wanted {wanted}")]
    Version {
        /// What it says.
        major: u16,
        /// What it says.
        minor: u16,
        /// What can be read.
        wanted: &'static str,
    },
    /// A section's byte-order magic in neither order.
    #[error("byte-order magic is {}; wanted 1a2b3c4d or 4d3c2b1a", hex(.seen))]
    ByteOrder {
        /// What it says.
        seen: [u8; 4],
    },
}

/// `"gzip data "` and the like, in front of what is said of the bytes inside.
fn inside(compression: Option<Compression>) -> String {
    compression.map_or_else(String::new, |how| format!("the {how} data "))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(compression: Option<Compression>) -> Place {
        Place { input: Input::Path("a.pcap".into()), record: 7, offset: 512, compression }
    }

    #[test]
    fn says_where_and_what_was_wanted() {
        let error = CaptureError::Truncated { place: place(None), wanted: 76, had: 40 };
        assert_eq!(error.to_string(), "a.pcap: packet 7, byte 512: the file ends inside a record: wanted 76 bytes, had 40");
        let error =
            CaptureError::NotACapture { input: Input::Stdin, seen: vec![0x89, 0x50], compression: Some(Compression::Gzip) };
        assert!(
            error.to_string().starts_with("standard input: not a capture: the gzip data begins with 8950; wanted pcap"),
            "{error}"
        );
    }

    #[test]
    fn a_cut_is_no_failure_and_damage_is() {
        assert!(CaptureError::CutCompression { place: place(Some(Compression::Zstd)) }.is_truncation());
        let damage = Damage::Trailer { start: 32, end: 36 };
        assert!(!CaptureError::Damaged { place: place(None), damage }.is_truncation());
    }
}
