//! Detectors of a group, without a server between them and the sensors.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

use auscult::detect::{DetectorConfig, Docket, Knowledge, Notice, Submission};
use auscult::feature::Host;
use auscult::fleet::{self, Filing, GroupAccount, Letters, MergeConfig, Share};
use auscult::nats::Followed;
use auscult::pipeline::{Consumer, Emitted};
use auscult::time::{Span, Timestamp};

use super::fleet_run::Meter;
use super::sensors::{Letter, PARTITIONS};

/// As `detect` has it.
pub const MERGE: MergeConfig = MergeConfig { sensors: 1, patience_s: 30.0, most_held: 200_000, goes_on: false };
pub const GROUP: &str = "main";
pub const MODEL: &str = "the model's digest";

/// Keeps cases and incidents, as who files does.
pub struct Judge {
    docket: Docket,
    notices: Vec<Notice>,
    pub incidents: BTreeSet<(Host, &'static str)>,
}

impl Judge {
    pub fn new(knowledge: &Arc<Knowledge>) -> Self {
        let docket = Docket::new(Arc::clone(knowledge), DetectorConfig::default());
        Self { docket, notices: Vec::new(), incidents: BTreeSet::new() }
    }

    fn note(&mut self) {
        let told = self.notices.drain(..).map(|notice| (notice.incident.host, notice.incident.class.info().name));
        self.incidents.extend(told);
    }

    pub fn finish(&mut self, now: Timestamp) {
        self.docket.finish(now, &mut self.notices);
        self.note();
    }
}

impl Consumer for Judge {
    fn record(&mut self, _emitted: Emitted) {}

    fn findings(&mut self, found: Vec<Submission>, now: Timestamp) {
        self.docket.take(found, now, &mut self.notices);
        self.note();
    }

    fn tick(&mut self, _now: Timestamp) {}
}

/// What lies in a stream for who files.
#[derive(Clone, Default)]
struct Queue(Rc<RefCell<VecDeque<Followed>>>);

impl Letters for Queue {
    fn take(&mut self) -> Option<Followed> {
        self.0.borrow_mut().pop_front()
    }

    fn is_dry(&mut self) -> bool {
        self.0.borrow().is_empty()
    }

    fn error(&self) -> Option<String> {
        None
    }
}

/// Processor time of what a detector does, in seconds.
#[derive(Clone, Copy, Default)]
pub struct Spent {
    /// Reading messages alone; reading them and holding their records is `taking`.
    pub reading: f64,
    pub taking: f64,
    pub judging: f64,
    pub writing: f64,
    pub filing: f64,
    /// The longest second of all these without `reading`.
    pub worst: f64,
}

/// Who files, and what it reads: findings of each partition, and the clock.
type Files = (Filing<Queue>, BTreeMap<Option<u16>, Queue>, Judge);

/// One of a group.
pub struct Detector<'m> {
    share: Share,
    owned: BTreeSet<u16>,
    filing: Option<Files>,
    account: GroupAccount,
    sequence: u64,
    now_s: f64,
    meter: &'m dyn Meter,
    pub spent: Spent,
    pub messages: u64,
    pub bytes: u64,
    /// Findings that were published: messages, and their bytes.
    pub found: (u64, u64),
    pub seconds: u64,
}

impl<'m> Detector<'m> {
    /// One that owns the first so many partitions, and files where it is to.
    pub fn new(knowledge: &Arc<Knowledge>, owned: u16, files: bool, meter: &'m dyn Meter) -> Self {
        let owned: BTreeSet<u16> = (0..owned).collect();
        let mut share = Share::new(Arc::clone(knowledge), PARTITIONS, MERGE);
        let _ = share.own(&owned, &BTreeMap::new());
        let filing = files.then(|| {
            let mut queues = BTreeMap::new();
            let follow = |place: Option<u16>, _| queues.entry(place).or_insert_with(Queue::default).clone();
            let (filing, _, _) = Filing::open(follow, (PARTITIONS, MERGE), None);
            (filing, queues, Judge::new(knowledge))
        });
        let account = GroupAccount { partitions: PARTITIONS, ..GroupAccount::default() };
        let (sequence, now_s, spent, messages, bytes, found, seconds) = (0, 0.0, Spent::default(), 0, 0, (0, 0), 0);
        Self { share, owned, filing, account, sequence, now_s, meter, spent, messages, bytes, found, seconds }
    }

    /// Takes what was published at a tick.
    pub fn second(&mut self, now: Timestamp, letters: Vec<Letter>) {
        let is_ours = |letter: &Letter| letter.place.is_none_or(|place| self.owned.contains(&place));
        let ours: Vec<Letter> = letters.into_iter().filter(is_ours).collect();
        self.now_s += 1.0;
        self.seconds += 1;
        let stored = now + Span::from_nanos(300_000_000);
        let mut at = vec![self.meter.cpu_s()];
        ours.iter().for_each(|letter| drop(std::hint::black_box(fleet::read(&letter.payload))));
        at.push(self.meter.cpu_s());
        for (place, Letter { payload, .. }) in ours.iter().map(|letter| (letter.place, letter)) {
            self.sequence += 1;
            self.messages += 1;
            self.bytes += payload.len() as u64;
            self.share.take((place, self.sequence), payload, (self.now_s, stored));
        }
        at.push(self.meter.cpu_s());
        self.share.advance(self.now_s);
        at.push(self.meter.cpu_s());
        let made = self.share.messages(GROUP, MODEL, false);
        at.push(self.meter.cpu_s());
        self.found.0 += made.len() as u64;
        self.found.1 += made.iter().map(|(_, _, payload)| payload.len() as u64).sum::<u64>();
        if let Some((filing, queues, judge)) = &mut self.filing {
            let clock = ours.into_iter().filter(|letter| letter.place.is_none()).map(|letter| (None, letter.payload));
            for (place, payload) in clock.chain(made.into_iter().map(|(partition, _, payload)| (Some(partition), payload))) {
                self.sequence += 1;
                let Some(queue) = queues.get(&place) else { continue };
                queue.0.borrow_mut().push_back(Followed { payload, sequence: self.sequence, stored: stored.nanos() });
            }
            let begun = self.meter.cpu_s();
            while filing.step(self.now_s, judge, &mut self.account, MODEL) {}
            self.spent.filing += self.meter.cpu_s() - begun;
            at.push(at[4] + self.meter.cpu_s() - begun);
        }
        let took: Vec<f64> = at.windows(2).map(|pair| pair[1] - pair[0]).collect();
        for (sum, took) in [&mut self.spent.reading, &mut self.spent.taking, &mut self.spent.judging, &mut self.spent.writing]
            .into_iter()
            .zip(&took)
        {
            *sum += took;
        }
        self.spent.worst = self.spent.worst.max(took.iter().skip(1).sum());
    }

    /// What a look without a message takes, in seconds of processor time.
    pub fn idle(&mut self) -> f64 {
        const LOOKS: u32 = 200;
        let begun = self.meter.cpu_s();
        (0..LOOKS).for_each(|_| self.share.advance(self.now_s));
        (self.meter.cpu_s() - begun) / f64::from(LOOKS)
    }

    /// Bytes of all checkpoints, and the processor time of writing them.
    pub fn keep(&self) -> (u64, f64) {
        let begun = self.meter.cpu_s();
        let kept = self.owned.iter().filter_map(|&partition| self.share.checkpoint(partition)?.ok());
        let bytes = kept.map(|bytes| bytes.len() as u64).sum();
        (bytes, self.meter.cpu_s() - begun)
    }

    pub fn judged(&self) -> u64 {
        self.share.judged().0
    }

    pub fn account(&self) -> (&fleet::MergeAccount, &GroupAccount) {
        (self.share.account(), &self.account)
    }

    /// What came of it, where it files.
    pub fn incidents(mut self, now: Timestamp) -> Option<BTreeSet<(Host, &'static str)>> {
        let (_, _, judge) = self.filing.as_mut()?;
        judge.finish(now);
        Some(std::mem::take(&mut judge.incidents))
    }
}
