//! What the judge's thread tells the board.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use crate::alert::AlertContext;
use crate::detect::{Notice, ScoredFlow};
use crate::flow::FlowRecord;
use crate::model::{Model, Vocabulary};
use crate::pipeline::{Consumer, Emitted, Progress};
use crate::replay::Output;
use crate::sighting::Sighting;
use crate::time::Timestamp;

/// Events that wait for the board at the most, some 1 kB each.
const MOST_WAITING: usize = 16_384;
/// What may not be lost waits here when the board has no room.
const MOST_HELD: usize = 1024;

/// What happened.
#[derive(Debug)]
pub(super) enum Event {
    Sighting(Sighting),
    /// A flow, with its bits where it was judged, and the behaviour that it resembles.
    Flow(Box<FlowRecord>, Option<f64>, Box<str>),
    /// An incident; hidden by an answer, or told.
    Notice(Box<Notice>, bool),
    Begin(Box<AlertContext>),
    Vocabulary(Box<Vocabulary>),
    Model(Arc<Model>),
}

/// What happens when the board has no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overload {
    /// Flows are missed and counted: live, nothing waits for a page.
    Drop,
    /// The judge waits: a replay has time.
    Wait,
}

/// Hands on to the board what the judge finds. It stands where the judge's results and its records come by.
#[derive(Debug)]
pub struct Tap {
    to: SyncSender<Event>,
    overload: Overload,
    missed: Arc<AtomicU64>,
    held: VecDeque<Event>,
}

impl Tap {
    pub(super) fn new(overload: Overload) -> (Self, Receiver<Event>) {
        let (to, from) = sync_channel(MOST_WAITING);
        (Self { to, overload, missed: Arc::default(), held: VecDeque::new() }, from)
    }

    /// Another one to the same board.
    #[must_use]
    pub fn beside(&self) -> Self {
        Self { to: self.to.clone(), overload: self.overload, missed: Arc::clone(&self.missed), held: VecDeque::new() }
    }

    pub(super) fn missed(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.missed)
    }

    /// What may be missed.
    fn send(&mut self, event: Event) {
        match self.overload {
            // It fails when the board is gone, and then nobody looks.
            Overload::Wait => drop(self.to.send(event)),
            Overload::Drop => {
                self.let_go();
                if !self.held.is_empty() || matches!(self.to.try_send(event), Err(TrySendError::Full(_))) {
                    self.missed.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    }

    /// What may not: it waits until there is room.
    fn keep(&mut self, event: Event) {
        match self.overload {
            Overload::Wait => drop(self.to.send(event)),
            Overload::Drop if self.held.len() < MOST_HELD => {
                self.held.push_back(event);
                self.let_go();
            }
            Overload::Drop => _ = self.missed.fetch_add(1, Ordering::Relaxed),
        }
    }

    fn let_go(&mut self) {
        while let Some(event) = self.held.pop_front() {
            if let Err(TrySendError::Full(event)) = self.to.try_send(event) {
                self.held.push_front(event);
                return;
            }
        }
    }
}

impl Output for Tap {
    fn begin(&mut self, context: &AlertContext) {
        self.keep(Event::Begin(Box::new(context.clone())));
    }

    fn vocabulary(&mut self, vocabulary: &Vocabulary) {
        self.keep(Event::Vocabulary(Box::new(vocabulary.clone())));
    }

    fn model(&mut self, model: &Arc<Model>) {
        self.keep(Event::Model(Arc::clone(model)));
    }

    fn notice(&mut self, notice: &Notice) {
        self.keep(Event::Notice(Box::new(notice.clone()), false));
    }

    fn hidden(&mut self, notice: &Notice) {
        self.keep(Event::Notice(Box::new(notice.clone()), true));
    }

    fn flow(&mut self, flow: &ScoredFlow, behaviour: &str) {
        self.send(Event::Flow(flow.record.clone(), Some(flow.bits), behaviour.into()));
    }

    fn unjudged(&mut self, record: &FlowRecord) {
        self.send(Event::Flow(Box::new(record.clone()), None, "".into()));
    }

    fn progress(&mut self, _progress: Progress) {
        self.let_go();
    }
}

/// Records come by as results; only sightings do not.
impl Consumer for Tap {
    fn sighting(&mut self, sighting: Sighting) {
        self.send(Event::Sighting(sighting));
    }

    fn record(&mut self, _emitted: Emitted) {}

    fn tick(&mut self, _now: Timestamp) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sighting::Seen;
    use crate::wire::Mac;

    #[test]
    fn a_full_board_misses_flows_and_no_incident_and_nobody_waits() {
        let (mut tap, from) = Tap::new(Overload::Drop);
        let mut notes = tap.beside();
        let context = AlertContext::default();
        let what = Seen::Announcement(Box::default());
        let sighting = Sighting { time: Timestamp::MIN, src_mac: Mac([2; 6]), src: None, dst: None, vlans: [0; 2], what };
        (0..MOST_WAITING + 10).for_each(|_| tap.sighting(sighting.clone()));
        assert_eq!(tap.missed.load(Ordering::Relaxed), 10);
        notes.begin(&context);
        assert!(from.try_iter().all(|event| matches!(event, Event::Sighting(_))));
        Output::progress(&mut notes, Progress { read_bytes: 0 });
        assert!(matches!(from.try_recv(), Ok(Event::Begin(_))));
    }
}
