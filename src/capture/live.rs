//! Frames from a live interface, over libpcap.

use core::ops::Range;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use pcap::{Active, Capture, Precision, TimestampType};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::presence::{has_clock, mtu, names};
use super::reader::BLOCK_BYTES;
use super::{Block, CaptureError, FrameSpan, Source};
use crate::time::{Span, Timestamp};
use crate::wire::LinkType;

/// A ring is there so long before it shares frames with others, at the most.
const JUST_BEFORE: Span = Span::from_nanos(10_000_000_000);
/// What is being done when something fails.
const OPENING: &str = "opening";
const LISTENING: &str = "listening";

/// A call waits so long for the first frame, in milliseconds.
pub(super) const TIMEOUT_MS: i32 = 100;
/// Frames of a block at most.
pub(super) const MAX_FRAMES: usize = 4096;
/// Frames taken from libpcap in one go; bounds how far a block may grow beyond [`BLOCK_BYTES`].
const BATCH_FRAMES: usize = 64;
/// The kernel's counters are 32 bits wide and have to be looked at before they have gone round.
const FRAMES_PER_LOOK: u64 = 1 << 24;
/// What an Ethernet header with two VLAN tags adds to the interface's largest packet, in bytes.
const HEADER_BYTES: u32 = 22;

/// How to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveOptions {
    /// Bytes kept of a frame; default 262,144, which is all of any.
    pub snap_bytes: u32,
    /// Also take frames that are not for this machine; default true, since a SPAN port carries no others.
    pub promiscuous: bool,
    /// Bytes of the kernel's ring; default 64 MiB, half a second of 1 Gbit/s.
    pub buffer_bytes: u32,
    /// Only frames that this takes, in the language of pcap-filter(7); default all.
    pub filter: Option<String>,
    /// Who says when a frame came; default the kernel.
    pub clock: Clock,
    /// Rings of an interface, each read by a thread of its own where there are several; default 1.
    pub rings: usize,
}

/// Who says when a frame came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Clock {
    /// The kernel, when it takes the frame over from the card: later by the time that the frame waited.
    #[default]
    Kernel,
    /// The card, when the frame came; something else (ptp4l, phc2sys) keeps its clock at the system's time, UTC.
    Card,
}

impl Default for LiveOptions {
    fn default() -> Self {
        Self { snap_bytes: 262_144, promiscuous: true, buffer_bytes: 64 << 20, filter: None, clock: Clock::Kernel, rings: 1 }
    }
}

/// What became of the frames on an interface since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LiveStatistics {
    /// Frames that came by the filter, whether they were kept or dropped for lack of room.
    pub received: u64,
    /// Frames that the kernel dropped since its ring was full.
    pub dropped_kernel: u64,
    /// Frames that the interface or its driver dropped; 0 where they do not count.
    pub dropped_interface: u64,
}

/// A live interface. While it is down nothing is heard; only when it is removed is that an error.
pub struct Live {
    interface: String,
    /// Frames longer than this were joined from several on their way here.
    longest: u32,
    joined: u64,
    capture: Capture<Active>,
    link: LinkType,
    nanos_per_fraction: i64,
    statistics: LiveStatistics,
    counters: [u32; 3],
    frames_since_look: u64,
    /// Frames of this time, before any other, are another ring's.
    earlier: Option<Range<Timestamp>>,
    failed: bool,
}

impl Live {
    /// Listens on `interface`.
    ///
    /// # Errors
    /// No such interface, no permission, a filter that libpcap does not understand, or what it says otherwise.
    pub fn open(interface: &str, options: &LiveOptions) -> Result<Self, CaptureError> {
        let explain = |error| failure(interface, OPENING, &error);
        let bounded = |bytes: u32| i32::try_from(bytes).unwrap_or(i32::MAX);
        let nanos = offers_nanoseconds(interface);
        // Without a clock libpcap would go on with the kernel's and say nothing.
        if options.clock == Clock::Card && !has_clock(interface) {
            let reason = "its card has no clock for time stamps (see ethtool -T)".to_owned();
            return Err(CaptureError::Interface { interface: interface.to_owned(), action: OPENING, reason });
        }
        let mut capture = Capture::from_device(interface).map_err(explain)?;
        if options.clock == Clock::Card {
            capture = capture.tstamp_type(TimestampType::AdapterUnsynced);
        }
        let mut capture = capture
            .snaplen(bounded(options.snap_bytes))
            .promisc(options.promiscuous)
            .buffer_size(bounded(options.buffer_bytes))
            .timeout(TIMEOUT_MS)
            .precision(if nanos { Precision::Nano } else { Precision::Micro })
            .open()
            .and_then(Capture::setnonblock)
            .map_err(explain)?;
        if let Some(filter) = &options.filter {
            let refused = |error| CaptureError::BadFilter { filter: filter.clone(), reason: in_words(&error) };
            capture.filter(filter, true).map_err(refused)?;
        }
        let link = link_type(capture.get_datalink().0);
        Ok(Self {
            interface: interface.to_owned(),
            longest: mtu(interface).map_or(u32::MAX, |bytes| bytes.saturating_add(HEADER_BYTES)),
            joined: 0,
            capture,
            link,
            nanos_per_fraction: if nanos { 1 } else { 1000 },
            statistics: LiveStatistics::default(),
            counters: [0; 3],
            frames_since_look: 0,
            earlier: None,
            failed: false,
        })
    }

    /// The interface's name.
    #[must_use]
    pub fn interface(&self) -> &str {
        &self.interface
    }

    /// What its frames begin with.
    #[must_use]
    pub fn link(&self) -> LinkType {
        self.link
    }

    /// Frames so far that were longer than the interface can carry: the driver or the kernel joined several (GRO, LRO).
    #[must_use]
    pub fn joined(&self) -> u64 {
        self.joined
    }

    /// What became of the frames so far.
    ///
    /// # Errors
    /// When the kernel does not tell.
    pub fn statistics(&mut self) -> Result<LiveStatistics, CaptureError> {
        let now = self.capture.stats().map_err(|error| failure(&self.interface, "counting", &error))?;
        let now = [now.received, now.dropped, now.if_dropped];
        let [received, kernel, interface] = core::array::from_fn(|i| now[i].wrapping_sub(self.counters[i]));
        // The driver's own counter may be set back.
        let interface = interface.cast_signed().max(0).cast_unsigned();
        let [received, kernel, interface] = [received, kernel, interface].map(u64::from);
        self.counters = now;
        self.frames_since_look = 0;
        self.statistics.received += received;
        self.statistics.dropped_kernel += kernel;
        self.statistics.dropped_interface += interface;
        Ok(self.statistics)
    }

    /// Passes over what came just before `since`, and counts from here on.
    pub(super) fn begin_at(&mut self, since: Timestamp) {
        // Not of any time before: the clock may be set back.
        self.earlier = Some(Timestamp::from_nanos(since.nanos().saturating_sub(JUST_BEFORE.nanos()))..since);
        let _ = self.statistics();
        self.statistics = LiveStatistics::default();
    }

    /// The same; when the kernel does not tell any more, what it told last.
    pub(super) fn counted(&mut self) -> LiveStatistics {
        self.statistics().unwrap_or(self.statistics)
    }
}

impl Live {
    /// What tells that there are frames.
    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.capture.as_fd()
    }

    /// Adds to `block` what there is, without waiting, until the block is full; says whether that was all.
    pub(super) fn read(&mut self, block: &mut Block) -> Result<bool, CaptureError> {
        let (link, nanos, longest) = (self.link, self.nanos_per_fraction, self.longest);
        let earlier = &mut self.earlier;
        let (had, mut joined, mut last) = (block.frames.len(), 0, BATCH_FRAMES);
        // A batch that is not full is all that there was.
        while last == BATCH_FRAMES && block.frames.len() < MAX_FRAMES && block.bytes.len() < BLOCK_BYTES {
            let taken = self.capture.dispatch(Some(BATCH_FRAMES), |packet| {
                let time = time_of(&packet, nanos);
                if earlier.as_ref().is_some_and(|earlier| earlier.contains(&time)) {
                    return;
                }
                *earlier = None;
                joined += u64::from(packet.header.len > longest);
                push(block, &packet, link, time);
            });
            last = taken.map_err(|error| {
                self.failed = true;
                failure(&self.interface, LISTENING, &error)
            })?;
        }
        self.joined += joined;
        self.frames_since_look += (block.frames.len() - had) as u64;
        if self.frames_since_look >= FRAMES_PER_LOOK {
            self.statistics()?;
        }
        Ok(last < BATCH_FRAMES)
    }

    /// Adds what the kernel took and has not handed over yet, as far as a block holds it. It waits twice as long as the kernel keeps frames
    /// back, and is meant for an interface that is let go.
    pub(super) fn drain(&mut self, block: &mut Block) {
        for _ in 0..4 {
            // That it is gone may be told once more; its ring is still there.
            let read = self.read(block);
            if block.frames.len() >= MAX_FRAMES || block.bytes.len() >= BLOCK_BYTES {
                break;
            }
            if !matches!(read, Ok(false)) {
                std::thread::sleep(std::time::Duration::from_millis(TIMEOUT_MS as u64 / 2));
            }
        }
    }

    /// Waits for frames here, since libpcap waits for the first one without end. What comes of it is told by reading.
    pub(super) fn wait(&mut self) -> Result<(), CaptureError> {
        let timeout = Timespec { tv_sec: 0, tv_nsec: i64::from(TIMEOUT_MS) * 1_000_000 };
        let mut ready = [PollFd::from_borrowed_fd(self.capture.as_fd(), PollFlags::IN)];
        match poll(&mut ready, Some(&timeout)) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => {
                self.failed = true;
                let (interface, reason) = (self.interface.clone(), error.to_string());
                Err(CaptureError::Interface { interface, action: LISTENING, reason })
            }
        }
    }
}

impl Source for Live {
    fn fill(&mut self, block: &mut Block) -> Result<bool, CaptureError> {
        block.clear();
        if self.failed {
            return Ok(false);
        }
        self.wait()?;
        self.read(block)?;
        Ok(true)
    }
}

fn push(block: &mut Block, packet: &pcap::Packet<'_>, link: LinkType, time: Timestamp) {
    let start = block.bytes.len() as u32;
    block.bytes.extend_from_slice(packet.data);
    let bytes = start..block.bytes.len() as u32;
    block.frames.push(FrameSpan { time, link, wire_bytes: packet.header.len, bytes });
}

#[allow(clippy::useless_conversion, reason = "the width of the system's time fields differs")]
fn time_of(packet: &pcap::Packet<'_>, nanos_per_fraction: i64) -> Timestamp {
    let fraction = i64::from(packet.header.ts.tv_usec) * nanos_per_fraction;
    Timestamp::from_parts(i64::from(packet.header.ts.tv_sec), fraction)
}

/// libpcap does not say through the crate whether it took the request, so it is made only where it is always granted:
/// network interfaces of Linux.
fn offers_nanoseconds(interface: &str) -> bool {
    cfg!(target_os = "linux") && (interface == "any" || Path::new("/sys/class/net").join(interface).exists())
}

/// An open capture tells the system's number (`DLT_…`), which for some types is not the registry's (`LINKTYPE_…`).
fn link_type(dlt: i32) -> LinkType {
    LinkType(match dlt {
        11 => 100,
        12 | 14 => 101,
        13 => 102,
        other => u16::try_from(other).unwrap_or(u16::MAX),
    })
}

fn in_words(error: &pcap::Error) -> String {
    match error {
        pcap::Error::PcapError(text) => text.trim().to_owned(),
        other => other.to_string(),
    }
}

/// libpcap tells its errors in words only.
fn failure(interface: &str, action: &'static str, error: &pcap::Error) -> CaptureError {
    let reason = in_words(error);
    let says = |words: &[&str]| words.iter().any(|word| reason.contains(word));
    let no_permission = says(&["permi", "CAP_NET_RAW"]);
    let interface = interface.to_owned();
    if action == OPENING && (no_permission || says(&["No such device", "no such device", "doesn't exist"])) {
        let known = names();
        // Without permission libpcap does not get as far as to miss it.
        if !known.is_empty() && !known.contains(&interface) {
            return CaptureError::NoSuchInterface { interface, known };
        }
    }
    if no_permission {
        return CaptureError::NotPermitted { interface, reason };
    }
    if says(&["went down", "disappeared", "is not up"]) {
        return CaptureError::InterfaceDown { interface, reason };
    }
    CaptureError::Interface { interface, action, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raw_ip_has_the_number_of_the_registry() {
        assert_eq!(link_type(1), LinkType::ETHERNET);
        assert_eq!((link_type(12), link_type(14), link_type(276)), (LinkType(101), LinkType(101), LinkType(276)));
    }

    #[test]
    fn tells_libpcaps_words_apart() {
        let error = |text: &str| failure("eth9", LISTENING, &pcap::Error::PcapError(text.to_owned()));
        let permission = "eth9: You don't have permission to perform this capture on that device";
        assert!(matches!(error(permission), CaptureError::NotPermitted { .. }));
        assert!(matches!(error("The interface went down"), CaptureError::InterfaceDown { .. }));
        assert!(matches!(error("The interface disappeared"), CaptureError::InterfaceDown { .. }));
        assert!(matches!(error("out of memory"), CaptureError::Interface { action: LISTENING, .. }));
    }
}
