//! Live interfaces as one source, in the order of time. Each may go away and come back.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::live::{Live, LiveOptions, LiveStatistics, MAX_FRAMES, TIMEOUT_MS};
use super::presence::{Presence, look};
use super::reader::BLOCK_BYTES;
use super::{Block, CaptureError, FrameSpan, Source};
use crate::time::{Span, Timestamp};

/// The kernel hands frames over [`TIMEOUT_MS`] after they came at the latest. So long one interface waits for older frames of
/// another; there is nothing to wait for with one interface.
const HOLD: Span = Span::from_nanos(200_000_000);

/// What became of the frames of an interface, and how long it was not heard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InterfaceAccount {
    /// Its name.
    pub interface: String,
    /// Frames read.
    pub frames: u64,
    /// What the kernel counted, over all the times that it was opened.
    pub kernel: LiveStatistics,
    /// Frames longer than the interface can carry: the driver or the kernel joined several (GRO, LRO).
    pub joined: u64,
    /// How often it went down or away.
    pub outages: u64,
    /// How long it was down or away, that which still lasts included.
    pub unheard: Span,
    /// Is it down or away?
    pub is_away: bool,
}

impl InterfaceAccount {
    /// Frames that were lost before they could be read.
    #[must_use]
    pub const fn dropped(&self) -> u64 {
        self.kernel.dropped_kernel + self.kernel.dropped_interface
    }
}

/// An interface was lost or is back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is not heard from now on.
    Lost {
        /// Its name.
        interface: String,
        /// When that was noticed.
        at: Timestamp,
        /// Why.
        reason: String,
    },
    /// It is heard again.
    Back {
        /// Its name.
        interface: String,
        /// When that was noticed.
        at: Timestamp,
        /// How long it was not heard.
        unheard: Span,
    },
    /// It is there again and cannot be opened; it is tried on once a second. Told once.
    Refused {
        /// Its name.
        interface: String,
        /// Why.
        reason: String,
    },
}

/// What is told of changes. Called on the thread that reads.
pub type OnChange = Box<dyn FnMut(&Change) + Send>;

struct Interface {
    live: Option<Live>,
    /// The kernel's number: another interface may come under the same name.
    index: Option<u32>,
    /// Does the system tell of it by this name? Not of another name of it, nor of what is no network interface.
    is_told_of: bool,
    /// Without the counters of `live`.
    account: InterfaceAccount,
    away_since: Option<Timestamp>,
    was_refused: bool,
    /// Frames that wait for older ones of another interface.
    held: Block,
    /// Was that all that the kernel had?
    is_drained: bool,
}

/// Live interfaces. It never ends by itself: when all are gone it waits for one to come back.
pub struct Interfaces {
    options: LiveOptions,
    clock: fn() -> Timestamp,
    on_change: OnChange,
    each: Vec<Interface>,
    /// The second at which it was looked how they stand.
    looked_at: i64,
    /// Waiting has failed: it is over.
    failed: bool,
}

impl Interfaces {
    /// Listens on all of these, with a clock that shows the system's time. One into which nothing is plugged is heard when there is.
    ///
    /// # Errors
    /// As [`Live::open`]; each must be there and switched on at the start.
    pub fn open(
        names: &[String],
        options: LiveOptions,
        clock: fn() -> Timestamp,
        on_change: OnChange,
    ) -> Result<Self, CaptureError> {
        let each = names.iter().map(|name| Interface::open(name, &options)).collect::<Result<_, _>>()?;
        let mut opened = Self { options, clock, on_change, each, looked_at: i64::MIN, failed: false };
        opened.look(clock());
        Ok(opened)
    }

    /// Once a second: who is there, who is away.
    fn look(&mut self, now: Timestamp) {
        if now.seconds() == self.looked_at {
            return;
        }
        self.looked_at = now.seconds();
        for interface in &mut self.each {
            interface.look(now, &self.options, &mut self.on_change);
        }
    }

    /// Until one has frames, or for a while.
    fn wait(&self) -> Result<(), CaptureError> {
        let timeout = Timespec { tv_sec: 0, tv_nsec: i64::from(TIMEOUT_MS) * 1_000_000 };
        let open = self.each.iter().filter_map(|interface| interface.live.as_ref());
        let mut ready: Vec<_> = open.map(|live| PollFd::from_borrowed_fd(live.descriptor(), PollFlags::IN)).collect();
        match poll(&mut ready, Some(&timeout)) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => {
                let (interface, reason) = (self.names(), error.to_string());
                Err(CaptureError::Interface { interface, action: "waiting", reason })
            }
        }
    }

    fn names(&self) -> String {
        self.each.iter().map(|interface| interface.account.interface.as_str()).collect::<Vec<_>>().join(", ")
    }
}

impl Source for Interfaces {
    fn fill(&mut self, block: &mut Block) -> Result<bool, CaptureError> {
        block.clear();
        if self.failed {
            return Ok(false);
        }
        self.look((self.clock)());
        self.wait().inspect_err(|_| self.failed = true)?;
        // Before reading: what came before it and is not read now was read before.
        let now = (self.clock)();
        if let [only] = self.each.as_mut_slice() {
            // What it had when it was lost.
            core::mem::swap(block, &mut only.held);
            only.read(now, &mut self.on_change, Some(block));
            return Ok(true);
        }
        for interface in &mut self.each {
            interface.read(now, &mut self.on_change, None);
        }
        let limit = due(&self.each, now);
        merge(&mut self.each, limit, block);
        Ok(true)
    }

    fn rest(&mut self, block: &mut Block) {
        block.clear();
        merge(&mut self.each, Timestamp::MAX, block);
    }

    fn interfaces(&mut self) -> Vec<InterfaceAccount> {
        let now = (self.clock)();
        self.each.iter_mut().map(|interface| interface.account(now)).collect()
    }
}

impl Interface {
    fn open(name: &str, options: &LiveOptions) -> Result<Self, CaptureError> {
        // Before it is opened, so that another that comes in between is noticed.
        let (index, is_told_of) = match look(name) {
            Presence::Up(index) => (index, true),
            Presence::Down(index) => (Some(index), true),
            Presence::Gone => (None, false),
        };
        let live = Some(Live::open(name, options)?);
        let account = InterfaceAccount { interface: name.to_owned(), ..InterfaceAccount::default() };
        let (away_since, was_refused, held, is_drained) = (None, false, Block::default(), true);
        Ok(Self { live, index, is_told_of, account, away_since, was_refused, held, is_drained })
    }

    fn look(&mut self, now: Timestamp, options: &LiveOptions, on_change: &mut OnChange) {
        let presence = if self.is_told_of { look(&self.account.interface) } else { Presence::Up(None) };
        match presence {
            Presence::Gone => self.lose(now, "there is no such interface any more", on_change),
            // It cannot be opened now; one that is open hears again when it is up.
            Presence::Down(index) if self.index == Some(index) => self.lose_sight(now, "it is down", on_change),
            Presence::Down(_) => self.lose(now, "it is down", on_change),
            Presence::Up(index) => {
                self.reopen(now, index, options, on_change);
                if self.live.is_some() {
                    self.find(now, on_change);
                }
            }
        }
    }

    /// Opens it when it is not, or when another has come under its name.
    fn reopen(&mut self, now: Timestamp, index: Option<u32>, options: &LiveOptions, on_change: &mut OnChange) {
        if self.live.is_some() && index.is_none_or(|index| self.index == Some(index)) {
            return;
        }
        self.close();
        match Live::open(&self.account.interface, options) {
            Ok(live) => (self.live, self.index, self.was_refused) = (Some(live), index, false),
            Err(_) if self.was_refused => {}
            Err(error) => {
                self.was_refused = true;
                // Where another came at once, nothing was told of the one before.
                if self.away_since.is_none() {
                    self.away_since = Some(now);
                    self.account.outages += 1;
                }
                on_change(&Change::Refused { interface: self.account.interface.clone(), reason: error.to_string() });
            }
        }
    }

    /// Takes what the kernel has of it yet, and its counters, and lets go of it. What nobody has read then is lost.
    fn close(&mut self) {
        let Some(mut live) = self.live.take() else { return };
        let held = self.held.frames.len();
        live.drain(&mut self.held);
        self.account.frames += (self.held.frames.len() - held) as u64;
        add(&mut self.account, &mut live);
        let LiveStatistics { received, dropped_kernel, .. } = self.account.kernel;
        self.account.kernel.dropped_kernel += received.saturating_sub(dropped_kernel + self.account.frames);
        self.is_drained = true;
    }

    fn lose(&mut self, now: Timestamp, reason: &str, on_change: &mut OnChange) {
        self.close();
        self.lose_sight(now, reason, on_change);
    }

    fn lose_sight(&mut self, now: Timestamp, reason: &str, on_change: &mut OnChange) {
        if self.away_since.is_none() {
            self.away_since = Some(now);
            self.account.outages += 1;
            let (interface, reason) = (self.account.interface.clone(), reason.to_owned());
            on_change(&Change::Lost { interface, at: now, reason });
        }
    }

    fn find(&mut self, now: Timestamp, on_change: &mut OnChange) {
        if let Some(since) = self.away_since.take() {
            let unheard = now.since(since).max(Span::ZERO);
            self.account.unheard = self.account.unheard + unheard;
            on_change(&Change::Back { interface: self.account.interface.clone(), at: now, unheard });
        }
    }

    /// Takes what there is into `block`, or holds it. When that fails the interface is lost; what was read before counts.
    fn read(&mut self, now: Timestamp, on_change: &mut OnChange, block: Option<&mut Block>) {
        let Some(live) = &mut self.live else { return };
        let block = block.unwrap_or(&mut self.held);
        let had = block.frames.len();
        let read = live.read(block);
        self.account.frames += (block.frames.len() - had) as u64;
        match read {
            Ok(drained) => self.is_drained = drained,
            Err(error) => self.lose(now, &error.to_string(), on_change),
        }
    }

    fn account(&mut self, now: Timestamp) -> InterfaceAccount {
        let mut account = self.account.clone();
        if let Some(live) = &mut self.live {
            add(&mut account, live);
        }
        if let Some(since) = self.away_since {
            account.is_away = true;
            account.unheard = account.unheard + now.since(since).max(Span::ZERO);
        }
        account
    }

    /// No frame older than this will come, as far as can be known.
    fn reached(&self, now: Timestamp) -> Timestamp {
        let last = self.held.frames.last().map_or(Timestamp::MIN, |frame| frame.time);
        let quiet = Timestamp::from_nanos(now.nanos().saturating_sub(HOLD.nanos()));
        if self.is_drained { last.max(quiet) } else { last }
    }

    fn is_full(&self) -> bool {
        self.held.frames.len() >= MAX_FRAMES || self.held.bytes.len() >= BLOCK_BYTES
    }

    /// Forgets frames that were given out.
    fn forget(&mut self, frames: usize) {
        let Block { bytes, frames: spans } = &mut self.held;
        spans.drain(..frames);
        let start = spans.first().map_or(bytes.len() as u32, |span| span.bytes.start);
        bytes.drain(..start as usize);
        for span in spans {
            span.bytes = span.bytes.start - start..span.bytes.end - start;
        }
    }
}

/// The kernel's last words are kept where it does not tell any more.
fn add(account: &mut InterfaceAccount, live: &mut Live) {
    account.joined += live.joined();
    let LiveStatistics { received, dropped_kernel, dropped_interface } = live.counted();
    account.kernel.received += received;
    account.kernel.dropped_kernel += dropped_kernel;
    account.kernel.dropped_interface += dropped_interface;
}

/// Until when no older frame can come any more. Where there is no room to wait, what was held longest is due.
fn due(each: &[Interface], now: Timestamp) -> Timestamp {
    let reached = each.iter().map(|interface| interface.reached(now)).min().unwrap_or(Timestamp::MAX);
    let full = each.iter().filter(|interface| interface.is_full());
    // Not the last one: behind a clock that was set back older frames stand after newer ones.
    let pressed = full.filter_map(|interface| interface.held.frames.iter().map(|frame| frame.time).max()).min();
    reached.max(pressed.unwrap_or(Timestamp::MIN))
}

/// Gives out the frames until `limit`, in the order of time.
fn merge(each: &mut [Interface], limit: Timestamp, out: &mut Block) {
    let mut next = vec![0; each.len()];
    loop {
        let head = |(rank, interface): (usize, &Interface)| Some((interface.held.frames.get(next[rank])?.time, rank));
        let Some((time, rank)) = each.iter().enumerate().filter_map(head).min() else { break };
        if time > limit {
            break;
        }
        let held = &each[rank].held;
        if let Some(span) = held.frames.get(next[rank]) {
            let start = out.bytes.len() as u32;
            out.bytes.extend_from_slice(held.frame(span).data);
            out.frames.push(FrameSpan { bytes: start..out.bytes.len() as u32, ..span.clone() });
        }
        next[rank] += 1;
    }
    for (interface, given) in each.iter_mut().zip(next) {
        interface.forget(given);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::LinkType;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_nanos(millis * 1_000_000)
    }

    /// An interface that holds frames of these times, each with its time as its one byte.
    fn holding(times: &[u8], is_drained: bool) -> Interface {
        let mut held = Block::default();
        for (place, &time) in (0..).zip(times) {
            held.bytes.push(time);
            let bytes = place..place + 1;
            held.frames.push(FrameSpan { time: at(time.into()), link: LinkType::ETHERNET, wire_bytes: 1, bytes });
        }
        let account = InterfaceAccount::default();
        Interface { live: None, index: None, is_told_of: true, account, away_since: None, was_refused: false, held, is_drained }
    }

    fn give(each: &mut [Interface], now: Timestamp, out: &mut Block) {
        let limit = due(each, now);
        merge(each, limit, out);
    }

    #[test]
    fn frames_wait_for_older_ones_of_another_interface_and_no_longer() {
        let mut each = [holding(&[1, 4, 9], true), holding(&[2, 5], false)];
        let mut out = Block::default();
        give(&mut each, at(10), &mut out);
        assert_eq!(out.bytes, [1, 2, 4, 5], "what the second has yet to give may come before 9");
        assert_eq!((each[0].held.bytes.as_slice(), each[0].held.frames[0].bytes.clone()), (&[9][..], 0..1));
        out.clear();
        each[1].is_drained = true;
        give(&mut each, at(208), &mut out);
        assert!(out.bytes.is_empty(), "the second may still bring a frame of 8");
        give(&mut each, at(209), &mut out);
        assert_eq!(out.bytes, [9]);
    }

    #[test]
    fn what_cannot_be_held_goes() {
        let mut each = [holding(&[3; MAX_FRAMES], false), holding(&[1, 7], false)];
        let mut out = Block::default();
        // The clock of the second was set back, or its time stamps are another clock's.
        each[1].is_drained = true;
        give(&mut each, at(-1_000_000), &mut out);
        assert_eq!((out.frames.len(), out.bytes[0], each[1].held.bytes.as_slice()), (MAX_FRAMES + 1, 1, &[7][..]));
    }

    #[test]
    fn a_clock_that_is_set_back_stops_nothing() {
        let mut times = [2; MAX_FRAMES];
        times[0] = 9;
        let mut each = [holding(&times, false), holding(&[1], true)];
        let mut out = Block::default();
        give(&mut each, at(3), &mut out);
        assert_eq!((out.frames.len(), each[0].held.frames.len()), (MAX_FRAMES + 1, 0));
    }

    #[test]
    fn one_that_cannot_be_opened_again_is_away_and_told_once() {
        let (tell, told) = std::sync::mpsc::channel();
        let mut on_change: OnChange = Box::new(move |change| tell.send(change.clone()).unwrap());
        let mut interface = holding(&[], true);
        // Another device came under its name between two looks, so that nobody saw it gone.
        interface.account.interface = "no interface".to_owned();
        for millis in [1000, 2000] {
            interface.reopen(at(millis), Some(7), &LiveOptions::default(), &mut on_change);
        }
        let account = interface.account(at(3000));
        assert_eq!((account.is_away, account.outages, account.unheard), (true, 1, at(3000).since(at(1000))));
        assert!(matches!(told.try_iter().collect::<Vec<_>>().as_slice(), [Change::Refused { .. }]));
    }

    #[test]
    fn time_away_adds_up_and_is_told_once() {
        let (tell, told) = std::sync::mpsc::channel();
        let mut on_change: OnChange = Box::new(move |change| tell.send(change.clone()).unwrap());
        let mut interface = holding(&[], true);
        interface.account.interface = "eth9".to_owned();
        for (lost, back) in [(1000, 3500), (9000, 9500)] {
            interface.lose(at(lost), "it is down", &mut on_change);
            interface.lose(at(lost + 1), "there is no such interface any more", &mut on_change);
            assert_eq!(
                interface.account(at(back)).unheard.nanos(),
                at(back).nanos() - if lost == 1000 { at(1000) } else { at(6500) }.nanos()
            );
            interface.find(at(back), &mut on_change);
            interface.find(at(back + 1), &mut on_change);
        }
        let account = interface.account(at(20_000));
        assert_eq!((account.outages, account.unheard, account.is_away), (2, at(3000).since(at(0)), false));
        assert_eq!(told.try_iter().count(), 4);
    }
}
