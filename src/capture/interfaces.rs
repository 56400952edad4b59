//! Live interfaces as one source, in the order of time. Each may go away and come back.

use std::sync::Arc;
use std::time::Duration;

use crossbeam::channel::{Receiver, RecvTimeoutError, bounded};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::live::{LiveOptions, TIMEOUT_MS};
use super::port::{InterfaceAccount, OnChange, Port};
use super::ring::{Crew, Ring};
use super::{Block, CaptureError, Source};
use crate::time::{Span, Timestamp};

/// The kernel hands frames over [`TIMEOUT_MS`] after they came at the latest. So long one ring waits for older frames of
/// another; there is nothing to wait for with one.
const HOLD: Span = Span::from_nanos(200_000_000);

/// Live interfaces. It never ends by itself: when all are gone it waits for one to come back.
pub struct Interfaces {
    options: LiveOptions,
    clock: fn() -> Timestamp,
    on_change: OnChange,
    each: Vec<Port>,
    /// Where interfaces have several rings: the threads that read these.
    crew: Option<(Crew, Receiver<()>)>,
    /// The second at which it was looked how they stand.
    looked_at: i64,
    /// Waiting has failed: it is over.
    failed: bool,
}

impl Interfaces {
    /// Listens on all of these, with a clock that shows the system's time. One into which nothing is plugged is heard when there is.
    ///
    /// # Errors
    /// As [`Live::open`](super::Live::open); each must be there and switched on at the start. A kernel that does not share an interface's
    /// frames among rings.
    pub fn open(
        names: &[String],
        options: LiveOptions,
        clock: fn() -> Timestamp,
        on_change: OnChange,
    ) -> Result<Self, CaptureError> {
        let each = names.iter().map(|name| Port::open(name, &options, clock)).collect::<Result<_, _>>()?;
        let (bell, rung) = bounded(1);
        let crew = (options.rings > 1).then(|| (Crew { bell, place: Arc::new(|_| {}) }, rung));
        let mut opened = Self { options, clock, on_change, each, crew, looked_at: i64::MIN, failed: false };
        opened.look(clock());
        Ok(opened)
    }

    /// Has this called in each thread that reads a ring, with the ring's number from 0 on, over all interfaces.
    #[must_use]
    pub fn place(mut self, place: Arc<dyn Fn(usize) + Send + Sync>) -> Self {
        if let Some((crew, _)) = &mut self.crew {
            crew.place = place;
        }
        self
    }

    /// Once a second: who is there, who is away.
    fn look(&mut self, now: Timestamp) {
        if now.seconds() == self.looked_at {
            return;
        }
        self.looked_at = now.seconds();
        for port in &mut self.each {
            port.look(self.clock, &self.options, &mut self.on_change);
        }
    }

    /// Until one has frames, or for a while.
    fn wait(&self) -> Result<(), CaptureError> {
        if let Some((_, rung)) = &self.crew {
            let within = Duration::from_millis(TIMEOUT_MS.unsigned_abs().into());
            return match rung.recv_timeout(within) {
                Ok(()) | Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => Ok(()),
            };
        }
        let timeout = Timespec { tv_sec: 0, tv_nsec: i64::from(TIMEOUT_MS) * 1_000_000 };
        let open = self.rings().filter_map(Ring::here);
        let mut ready: Vec<_> = open.map(|live| PollFd::from_borrowed_fd(live.descriptor(), PollFlags::IN)).collect();
        match poll(&mut ready, Some(&timeout)) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => {
                let (interface, reason) = (self.names(), error.to_string());
                Err(CaptureError::Interface { interface, action: "waiting", reason })
            }
        }
    }

    fn rings(&self) -> impl Iterator<Item = &Ring> {
        self.each.iter().flat_map(|port| &port.rings)
    }

    fn names(&self) -> String {
        self.each.iter().map(Port::name).collect::<Vec<_>>().join(", ")
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
        let mut first = 0;
        for port in &mut self.each {
            port.take(now, self.crew.as_ref().map(|(crew, _)| crew), first, &mut self.on_change);
            first += port.rings.len();
        }
        let mut rings: Vec<&mut Ring> = self.each.iter_mut().flat_map(|port| &mut port.rings).collect();
        if let [only] = rings.as_mut_slice() {
            only.held.give_block(block);
        } else {
            let limit = due(&rings, now);
            merge(&mut rings, limit, block);
        }
        Ok(true)
    }

    fn rest(&mut self, block: &mut Block) {
        block.clear();
        let mut rings: Vec<&mut Ring> = self.each.iter_mut().flat_map(|port| &mut port.rings).collect();
        rings.iter_mut().for_each(|ring| ring.stop());
        merge(&mut rings, Timestamp::MAX, block);
    }

    fn interfaces(&mut self) -> Vec<InterfaceAccount> {
        let now = (self.clock)();
        self.each.iter_mut().map(|port| port.account(now)).collect()
    }
}

/// No frame of this ring that is older will come, as far as can be known.
fn reached(ring: &Ring, now: Timestamp) -> Timestamp {
    let last = ring.held.last().unwrap_or(Timestamp::MIN);
    let quiet = Timestamp::from_nanos(now.nanos().saturating_sub(HOLD.nanos()));
    if ring.is_drained { last.max(quiet) } else { last }
}

/// Until when no older frame can come any more. Where there is no room to wait, what was held longest is due.
fn due(rings: &[&mut Ring], now: Timestamp) -> Timestamp {
    let reached = rings.iter().map(|ring| reached(ring, now)).min().unwrap_or(Timestamp::MAX);
    let pressed = rings.iter().filter(|ring| ring.held.is_full()).filter_map(|ring| ring.held.latest()).min();
    reached.max(pressed.unwrap_or(Timestamp::MIN))
}

/// Gives out the frames until `limit`, in the order of time.
fn merge(rings: &mut [&mut Ring], limit: Timestamp, out: &mut Block) {
    loop {
        let first = |(rank, ring): (usize, &&mut Ring)| Some((ring.held.first()?, rank));
        let Some((_, rank)) = rings.iter().enumerate().filter_map(first).min().filter(|(time, _)| *time <= limit) else { return };
        rings[rank].held.give(out);
    }
}

#[cfg(test)]
mod tests {
    use super::super::held::tests::block;
    use super::super::live::MAX_FRAMES;
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_nanos(millis * 1_000_000)
    }

    /// A ring that holds frames of these times, each with its time in milliseconds as its one byte.
    fn holding(times: &[u8], is_drained: bool) -> Ring {
        let mut ring = Ring::default();
        ring.is_drained = is_drained;
        ring.held.push(block(times));
        ring
    }

    fn give(rings: &mut [Ring], now: Timestamp, out: &mut Block) {
        let mut rings: Vec<&mut Ring> = rings.iter_mut().collect();
        let limit = due(&rings, now);
        merge(&mut rings, limit, out);
    }

    #[test]
    fn frames_wait_for_older_ones_of_another_ring_and_no_longer() {
        let mut rings = [holding(&[1, 4, 9], true), holding(&[2, 5], false)];
        let mut out = Block::default();
        give(&mut rings, at(10), &mut out);
        assert_eq!(out.bytes, [1, 2, 4, 5], "what the second has yet to give may come before 9");
        assert_eq!(rings[0].held.first(), Some(at(9)));
        out.clear();
        rings[1].is_drained = true;
        give(&mut rings, at(208), &mut out);
        assert!(out.bytes.is_empty(), "the second may still bring a frame of 8");
        give(&mut rings, at(209), &mut out);
        assert_eq!(out.bytes, [9]);
    }

    #[test]
    fn what_cannot_be_held_goes() {
        let mut rings = [holding(&[3; MAX_FRAMES], false), holding(&[1, 7], false)];
        let mut out = Block::default();
        // The clock of the second was set back, or its time stamps are another clock's.
        rings[1].is_drained = true;
        give(&mut rings, at(-1_000_000), &mut out);
        assert_eq!((out.frames.len(), out.bytes[0], rings[1].held.first()), (MAX_FRAMES + 1, 1, Some(at(7))));
    }

    #[test]
    fn a_clock_that_is_set_back_stops_nothing() {
        let mut times = [2; MAX_FRAMES];
        times[0] = 9;
        let mut rings = [holding(&times, false), holding(&[1], true)];
        let mut out = Block::default();
        give(&mut rings, at(3), &mut out);
        assert_eq!((out.frames.len(), rings[0].held.first()), (MAX_FRAMES + 1, None));
    }
}
