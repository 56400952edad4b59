//! One incident's file.

use std::sync::Arc;

use super::slice::Slice;
use crate::capture::PcapngBlocks;
use crate::detect::Incident;
use crate::time::Timestamp;
use crate::wire::LinkType;

/// Packets of one incident at the most.
pub const MOST_PACKETS: u64 = 50_000;
/// Bytes of one incident's file at the most.
pub const MOST_BYTES: u64 = 32 << 20;

/// More than what a block, and all that may have to stand before it, has beside its packet.
const AROUND_PACKET: u64 = 1024;

/// What is to be written to an incident's file, and what has been.
#[derive(Debug)]
pub(super) struct File {
    /// Its name in the folder.
    pub name: Arc<str>,
    /// What the file says of itself.
    about: String,
    /// What each packet says.
    comment: String,
    blocks: PcapngBlocks,
    /// Packets in `blocks`.
    pub waiting: u64,
    /// Link types of the interfaces that the file and `blocks` describe, and how many of them are in the file.
    links: Vec<LinkType>,
    links_written: usize,
    /// Packets in the file, and its length.
    pub packets: u64,
    pub bytes: u64,
    /// The latest time of its packets.
    latest: Timestamp,
    /// Did they come in the order of their time?
    pub is_in_order: bool,
    /// The folder had no room for it: nothing more is written.
    pub is_over: bool,
    /// Were packets of it gone from the ring?
    pub lacks_beginning: bool,
}

impl File {
    pub fn new(name: Arc<str>, incident: &Incident, what: &str) -> Self {
        let comment = format!("incident {:016x}", incident.id);
        let about = format!("{comment}: {}, {} ({what})", incident.class.info().title, incident.host);
        Self {
            name,
            about,
            comment,
            blocks: PcapngBlocks::default(),
            waiting: 0,
            links: Vec::new(),
            links_written: 0,
            packets: 0,
            bytes: 0,
            latest: Timestamp::MIN,
            is_in_order: true,
            is_over: false,
            lacks_beginning: false,
        }
    }

    /// Takes a packet, if there is room for it in `most_bytes` of the file.
    pub fn push(&mut self, slice: &Slice<'_>, most_bytes: u64) -> bool {
        let length = self.bytes + self.blocks.bytes().len() as u64;
        let longest = length + slice.frame.data.len() as u64 + AROUND_PACKET;
        if self.packets + self.waiting >= MOST_PACKETS || longest > most_bytes.min(MOST_BYTES) {
            return false;
        }
        if length == 0 {
            self.blocks.section(&self.about);
        }
        let link = slice.frame.link;
        let interface = self.links.iter().position(|&known| known == link).unwrap_or_else(|| {
            self.blocks.interface(link);
            self.links.push(link);
            self.links.len() - 1
        });
        self.is_in_order &= slice.frame.time >= self.latest;
        self.latest = self.latest.max(slice.frame.time);
        self.blocks.packet(interface as u32, &slice.frame, &self.comment);
        self.waiting += 1;
        true
    }

    /// Blocks that are to be written.
    pub fn blocks(&self) -> &[u8] {
        self.blocks.bytes()
    }

    /// They were written. Returns how many packets.
    pub fn written(&mut self) -> u64 {
        self.bytes += self.blocks.bytes().len() as u64;
        self.links_written = self.links.len();
        self.packets += self.waiting;
        self.forget()
    }

    /// They cannot be written. Returns how many packets.
    pub fn not_written(&mut self) -> u64 {
        self.links.truncate(self.links_written);
        self.forget()
    }

    fn forget(&mut self) -> u64 {
        self.blocks.clear();
        std::mem::take(&mut self.waiting)
    }
}
