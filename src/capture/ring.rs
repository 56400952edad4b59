//! One of the kernel's rings, read in the reader's own thread, or in one of its own where an interface has several.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use crossbeam::channel::{Receiver, SendTimeoutError, Sender, TryRecvError, bounded};

use super::held::Held;
use super::live::{Live, LiveStatistics, TIMEOUT_MS};
use super::{Block, CaptureError};

/// Blocks that a thread may be ahead.
const AHEAD: usize = 8;

/// What a ring's thread is given.
#[derive(Clone)]
pub(super) struct Crew {
    /// Rung when a block was read.
    pub(super) bell: Sender<()>,
    /// Called in each thread with the number of its ring.
    pub(super) place: Arc<dyn Fn(usize) + Send + Sync>,
}

/// A ring, and what was read of it and not given out.
#[derive(Default)]
pub(super) struct Ring {
    ear: Option<Ear>,
    pub(super) held: Held,
    /// Was what was read last all that the kernel had?
    pub(super) is_drained: bool,
    /// Frames read, over all the times that it was opened.
    pub(super) frames: u64,
}

enum Ear {
    Here(Box<Live>),
    Apart(Apart),
}

/// A thread that reads.
struct Apart {
    told: Receiver<Told>,
    spare: Sender<Block>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<(Live, Option<Told>)>>,
    counted: LiveStatistics,
    joined: u64,
}

/// What a thread tells.
struct Told {
    block: Block,
    is_drained: bool,
    counted: LiveStatistics,
    joined: u64,
    failed: Option<CaptureError>,
}

impl Ring {
    /// Reads from here on.
    pub(super) fn open(&mut self, live: Live) {
        (self.ear, self.is_drained) = (Some(Ear::Here(Box::new(live))), true);
    }

    pub(super) const fn is_open(&self) -> bool {
        self.ear.is_some()
    }

    /// What is listened to in the thread that reads.
    pub(super) fn here(&self) -> Option<&Live> {
        match &self.ear {
            Some(Ear::Here(live)) => Some(live),
            Some(Ear::Apart(_)) | None => None,
        }
    }

    /// Reads in a thread of its own from now on, when it does not yet.
    ///
    /// # Errors
    /// When the system refuses the thread; the ring is closed then.
    pub(super) fn set_apart(&mut self, number: usize, crew: &Crew) -> Result<(), CaptureError> {
        if let Some(Ear::Here(live)) = self.ear.take_if(|ear| matches!(ear, Ear::Here(_))) {
            self.ear = Some(Ear::Apart(Apart::start(*live, number, crew)?));
        }
        Ok(())
    }

    /// Takes what there is, as far as there is room.
    pub(super) fn take(&mut self) -> Result<(), CaptureError> {
        if self.held.is_full() {
            self.is_drained = false;
            return Ok(());
        }
        match &mut self.ear {
            None => Ok(()),
            Some(Ear::Here(live)) => {
                let mut block = self.held.spare();
                let read = live.read(&mut block);
                self.frames += block.frames.len() as u64;
                self.held.push(block);
                self.is_drained = read?;
                Ok(())
            }
            Some(Ear::Apart(apart)) => {
                while !self.held.is_full() {
                    match apart.told.try_recv() {
                        Ok(told) => {
                            let _ = apart.spare.try_send(self.held.spare());
                            (apart.counted, apart.joined, self.is_drained) = (told.counted, told.joined, told.is_drained);
                            self.frames += told.block.frames.len() as u64;
                            self.held.push(told.block);
                            if let Some(failed) = told.failed {
                                return Err(failed);
                            }
                        }
                        // Without a word it is over only when it was asked to end.
                        Err(TryRecvError::Empty | TryRecvError::Disconnected) => return Ok(()),
                    }
                }
                self.is_drained = false;
                Ok(())
            }
        }
    }

    /// What the kernel counted, and frames that were joined, since it was opened.
    pub(super) fn counted(&mut self) -> (LiveStatistics, u64) {
        match &mut self.ear {
            None => (LiveStatistics::default(), 0),
            Some(Ear::Here(live)) => (live.counted(), live.joined()),
            Some(Ear::Apart(apart)) => (apart.counted, apart.joined),
        }
    }

    /// Ends its thread, if it has one, and takes what that has read.
    pub(super) fn stop(&mut self) {
        let Some(Ear::Apart(mut apart)) = self.ear.take_if(|ear| matches!(ear, Ear::Apart(_))) else { return };
        let Some((live, rest)) = apart.stop() else { return };
        for told in apart.told.try_iter().chain(rest) {
            self.frames += told.block.frames.len() as u64;
            self.held.push(told.block);
        }
        self.ear = Some(Ear::Here(Box::new(live)));
    }

    /// Takes what the kernel has of it yet, and lets go of it; what was counted since it was opened.
    pub(super) fn close(&mut self) -> (LiveStatistics, u64) {
        self.stop();
        let Some(Ear::Here(live)) = &mut self.ear else { return Default::default() };
        let mut block = self.held.spare();
        live.drain(&mut block);
        self.frames += block.frames.len() as u64;
        self.held.push(block);
        let counted = self.counted();
        (self.ear, self.is_drained) = (None, true);
        counted
    }
}

impl Apart {
    fn start(live: Live, number: usize, crew: &Crew) -> Result<Self, CaptureError> {
        let (tell, told) = bounded(AHEAD);
        let (spare, spares) = bounded(AHEAD);
        let stop = Arc::new(AtomicBool::new(false));
        let (interface, crew, until) = (live.interface().to_owned(), crew.clone(), Arc::clone(&stop));
        let work = move || {
            (crew.place)(number);
            read(live, &until, (&tell, &spares), &crew.bell)
        };
        let failed = |error: std::io::Error| CaptureError::Interface {
            interface,
            action: "starting a thread for its ring",
            reason: error.to_string(),
        };
        let thread = Builder::new().name(format!("ring-{number}")).spawn(work).map_err(failed)?;
        let (counted, joined) = (LiveStatistics::default(), 0);
        Ok(Self { told, spare, stop, thread: Some(thread), counted, joined })
    }

    fn stop(&mut self) -> Option<(Live, Option<Told>)> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take()?.join().ok()
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// Reads until it is told to stop, or until that fails. What could not be told is given back with what was read from.
fn read(
    mut live: Live,
    stop: &AtomicBool,
    (tell, spares): (&Sender<Told>, &Receiver<Block>),
    bell: &Sender<()>,
) -> (Live, Option<Told>) {
    let within = Duration::from_millis(TIMEOUT_MS.unsigned_abs().into());
    let mut was_drained = true;
    while !stop.load(Ordering::Relaxed) {
        let mut block = spares.try_recv().unwrap_or_default();
        block.clear();
        let read = live.wait().and_then(|()| live.read(&mut block));
        let is_drained = matches!(read, Ok(true));
        if block.frames.is_empty() && is_drained && was_drained {
            continue;
        }
        was_drained = is_drained;
        let failed = read.err();
        let is_over = failed.is_some();
        let mut told = Told { block, is_drained, counted: live.counted(), joined: live.joined(), failed };
        loop {
            match tell.send_timeout(told, within) {
                Ok(()) => break,
                Err(SendTimeoutError::Timeout(back)) if !stop.load(Ordering::Relaxed) => told = back,
                Err(SendTimeoutError::Timeout(back) | SendTimeoutError::Disconnected(back)) => return (live, Some(back)),
            }
        }
        let _ = bell.try_send(());
        if is_over {
            break;
        }
    }
    (live, None)
}
