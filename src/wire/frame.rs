//! A frame as it was captured.

use crate::time::Timestamp;

/// A link-layer type by its number in the pcap registry (`LINKTYPE_…`, <https://www.tcpdump.org/linktypes.html>).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkType(pub u16);

impl LinkType {
    /// Ethernet (`LINKTYPE_ETHERNET`).
    pub const ETHERNET: Self = Self(1);
}

/// One captured frame, borrowed from the buffer that it was read into.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// When it was captured.
    pub time: Timestamp,
    /// What its first header is.
    pub link: LinkType,
    /// Bytes that it had on the wire; `data` may hold fewer when the capture cut it, and holds more only in damaged files.
    pub wire_bytes: u32,
    /// The captured bytes.
    pub data: &'a [u8],
}
