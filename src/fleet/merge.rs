//! Puts what many sensors published into the order of one.

use std::collections::{BTreeMap, VecDeque};

use super::FormError;
use super::account::MergeAccount;
use super::batch::{Clock, Content, Message, Origin, read};
use super::form::{Received, Side};
use super::seen::Row;
use super::skew::{Offset, Remarks, believed};
use crate::flow::FlowKey;
use crate::pipeline::{Condition, Consumer, Emitted};
use crate::sighting::Sighting;
use crate::time::{Span, Timestamp};

/// Runs of sensors followed at the most; further ones are counted as unreadable.
const MOST_RUNS: usize = 10_000;
/// Clocks of a run that wait for one before them.
const MOST_CLOCKS: usize = 1024;

/// How sensors are waited for.
#[derive(Clone, Copy, Debug)]
pub struct MergeConfig {
    /// Nothing is judged before so many sensors were heard.
    pub sensors: usize,
    /// Seconds, of the wall clock, that a sensor that is not heard or far behind, or a message that does not come, holds the others back.
    pub patience_s: f64,
    /// Records held for their order at the most, some 1.5 kB each; then the earliest are judged.
    pub most_held: usize,
    /// Was the stream read before, so that runs are met in their middle?
    pub goes_on: bool,
}

/// Takes what comes, in order.
pub(super) trait Taker {
    /// A record, and whose copy it is: the partition and whose side that is.
    fn record(&mut self, copy: (u16, Side), emitted: Emitted);
    /// Who claims an address.
    fn sighting(&mut self, sighting: Sighting);
    /// How well the network is heard.
    fn condition(&mut self, condition: Condition);
    /// All that is known at `now` was handed on.
    fn tick(&mut self, now: Timestamp);
}

impl<C: Consumer + ?Sized> Taker for C {
    fn record(&mut self, _copy: (u16, Side), emitted: Emitted) {
        Consumer::record(self, emitted);
    }

    fn sighting(&mut self, sighting: Sighting) {
        Consumer::sighting(self, sighting);
    }

    fn condition(&mut self, condition: Condition) {
        Consumer::condition(self, condition);
    }

    fn tick(&mut self, now: Timestamp) {
        Consumer::tick(self, now);
    }
}

/// How many messages of a partition came of each run of a sensor.
pub(super) type Came = BTreeMap<Origin, u64>;

/// What one run of a sensor has said.
#[derive(Default)]
struct Run {
    rows: BTreeMap<u16, Row>,
    clocks: BTreeMap<u64, Clock>,
    /// The number of the next clock; none before the first.
    next: Option<u64>,
    /// Was it met in its middle?
    is_joined: bool,
    watermark: Option<Timestamp>,
    heard_s: f64,
    /// How far its clock is from the server's, where it is live.
    offset: Offset,
    /// Seconds from its latest tick until a server took that, where it is live.
    behind_s: f64,
    /// Since when a clock waits for messages before it.
    stuck_s: Option<f64>,
    condition: Condition,
    lost: u64,
    is_over: bool,
}

/// What belongs to a tick.
struct Held<T> {
    records: Vec<HeldRecord>,
    sightings: Vec<Sighting>,
    conditions: Vec<(Origin, Condition)>,
    confirm: Vec<T>,
}

impl<T> Default for Held<T> {
    fn default() -> Self {
        Self { records: Vec::new(), sightings: Vec::new(), conditions: Vec::new(), confirm: Vec::new() }
    }
}

struct HeldRecord {
    order: (Timestamp, Timestamp, FlowKey, u32),
    origin: Origin,
    seq: u64,
    place: usize,
    copy: (u16, Side),
    emitted: Emitted,
}

impl HeldRecord {
    fn key(&self) -> (&(Timestamp, Timestamp, FlowKey, u32), &Origin, u64, usize) {
        (&self.order, &self.origin, self.seq, self.place)
    }
}

/// Holds what came until all sensors have told their time beyond it; then it is handed on tick by tick, as one process would. `T` is what
/// a message is confirmed by.
pub(super) struct Merge<T> {
    config: MergeConfig,
    /// The partitions that are read, where it is not all of them, each with what came of it before: then every copy counts.
    partitions: Option<BTreeMap<u16, Came>>,
    runs: BTreeMap<Origin, Run>,
    held: BTreeMap<Timestamp, Held<T>>,
    records_held: usize,
    late: VecDeque<((u16, Side), Emitted)>,
    /// Since when these wait for a tick.
    late_since_s: Option<f64>,
    /// The latest tick that was handed on.
    handed: Option<Timestamp>,
    condition: Condition,
    /// Messages that can be confirmed.
    pub confirm: Vec<T>,
    pub account: MergeAccount,
    /// What is to be told of sensors' clocks.
    pub clock_remarks: Remarks,
    /// What is to be told, once each.
    pub remark: Option<FormError>,
}

impl<T> Merge<T> {
    /// Of all partitions.
    pub fn new(config: MergeConfig) -> Self {
        Self {
            config,
            partitions: None,
            runs: BTreeMap::new(),
            held: BTreeMap::new(),
            records_held: 0,
            late: VecDeque::new(),
            late_since_s: None,
            handed: None,
            condition: Condition::default(),
            confirm: Vec::new(),
            account: MergeAccount::default(),
            clock_remarks: Remarks::default(),
            remark: None,
        }
    }

    /// Of some partitions, each with all of its copies, and what came of it before.
    pub fn of_partitions(config: MergeConfig, partitions: BTreeMap<u16, Came>) -> Self {
        Self { partitions: Some(partitions), ..Self::new(config) }
    }

    /// Takes a message that came at this second of the wall clock and that a server took then, and how it is confirmed. Returns whose it is
    /// and its number.
    pub fn take(&mut self, payload: &[u8], confirm: T, (now_s, stored): (f64, Timestamp)) -> Option<(Origin, u64)> {
        self.account.messages += 1;
        match read(payload) {
            Ok(message) if self.runs.len() < MOST_RUNS || self.runs.contains_key(&message.origin) => {
                let about = (message.origin.clone(), message.seq);
                self.take_message(message, confirm, (now_s, stored));
                Some(about)
            }
            other => {
                self.account.unreadable += 1;
                self.account.other_version += u64::from(matches!(other, Err(FormError::Version { .. })));
                self.remark = self.remark.take().or(other.err());
                // It would come again for ever.
                self.confirm.push(confirm);
                None
            }
        }
    }

    /// Follows a run from its first message on.
    fn begin(&mut self, origin: &Origin) {
        if self.runs.contains_key(origin) {
            return;
        }
        self.account.runs += 1;
        // Its spool was sent before: nothing of an earlier run comes any more.
        let first = Origin { epoch: 0, ..origin.clone() };
        let earlier: Vec<Origin> = self.runs.range(first..origin.clone()).map(|(other, _)| other.clone()).collect();
        earlier.iter().for_each(|origin| self.end(origin));
        self.runs.insert(origin.clone(), Run::default());
    }

    /// Notes how far a live sensor's clock is off; what is of a time to come is of the time when it came, so that nobody waits for that.
    fn set_right(&mut self, Message { origin, content, .. }: &mut Message, stored: Timestamp) {
        match content {
            Content::Records { records, .. } => {
                for Received { emitted, .. } in records {
                    let (seen, is_other) = believed(emitted.observation.seen, stored);
                    emitted.observation.seen = seen;
                    self.account.ahead += u64::from(is_other);
                }
            }
            Content::Clock(clock) => {
                if let (Some(run), Some(&tick)) = (self.runs.get_mut(origin), clock.ticks.last()) {
                    run.behind_s = stored.since(tick).as_seconds();
                    if let Some(off_s) = run.offset.hear(tick, stored) {
                        self.account.off += 1;
                        self.clock_remarks.note(origin, off_s);
                    }
                }
                clock.each_tick(|tick| *tick = believed(*tick, stored).0);
            }
        }
    }

    fn take_message(&mut self, mut message: Message, confirm: T, (now_s, stored): (f64, Timestamp)) {
        self.begin(&message.origin);
        if message.is_live {
            self.set_right(&mut message, stored);
        }
        let Message { origin, seq, content, .. } = message;
        let run = self.runs.entry(origin.clone()).or_default();
        run.heard_s = now_s;
        match content {
            Content::Records { partition, records } => {
                let row = run.rows.entry(partition).or_insert_with(|| Self::row(self.partitions.as_ref(), partition, &origin));
                let is_double = row.is_double(seq);
                self.account.doubles += u64::from(is_double);
                let mut latest = None;
                for (place, received) in records.into_iter().enumerate() {
                    let seen = received.emitted.observation.seen;
                    latest = latest.max(Some(seen));
                    if !is_double {
                        self.hold((partition, received.side), received.emitted, (&origin, seq, place));
                    }
                }
                self.confirm_after(latest, confirm);
            }
            Content::Clock(mut clock) => {
                if let Some(partitions) = &self.partitions {
                    clock.ends.retain(|(partition, _)| partitions.contains_key(partition));
                }
                let is_known = run.next.is_some_and(|next| seq < next) || run.clocks.contains_key(&seq);
                let latest = clock.ticks.last().copied();
                if is_known {
                    self.account.doubles += 1;
                } else {
                    run.clocks.insert(seq, clock);
                    self.follow(&origin, now_s);
                }
                self.confirm_after(latest, confirm);
            }
        }
    }

    fn row(partitions: Option<&BTreeMap<u16, Came>>, partition: u16, origin: &Origin) -> Row {
        Row::from(partitions.and_then(|all| all.get(&partition)?.get(origin)).copied().unwrap_or_default())
    }

    fn hold(&mut self, copy: (u16, Side), emitted: Emitted, (origin, seq, place): (&Origin, u64, usize)) {
        if copy.1 == Side::Responder && self.partitions.is_none() {
            self.account.copies += 1;
            return;
        }
        let seen = emitted.observation.seen;
        self.records_held += 1;
        if self.handed.is_some_and(|handed| seen <= handed) {
            self.account.late += 1;
            self.late.push_back((copy, emitted));
            return;
        }
        let held = HeldRecord { order: emitted.record.order(), origin: origin.clone(), seq, place, copy, emitted };
        self.held.entry(seen).or_default().records.push(held);
    }

    /// A message is confirmed when its last tick was judged.
    fn confirm_after(&mut self, tick: Option<Timestamp>, confirm: T) {
        match tick.filter(|tick| self.handed.is_none_or(|handed| *tick > handed)) {
            Some(tick) => self.held.entry(tick).or_default().confirm.push(confirm),
            None => self.confirm.push(confirm),
        }
    }

    /// Takes the clocks of a run whose records have all come.
    fn follow(&mut self, origin: &Origin, now_s: f64) {
        let Some(run) = self.runs.get_mut(origin) else { return };
        while let Some((&seq, clock)) = run.clocks.first_key_value() {
            let is_too_much = run.clocks.len() > MOST_CLOCKS || run.is_over;
            let is_patient = !is_too_much && run.stuck_s.is_none_or(|since| now_s - since < self.config.patience_s);
            let is_begun = run.next.is_some() || seq == 0 || self.config.goes_on;
            if !is_begun && is_patient {
                run.stuck_s.get_or_insert(now_s);
                return;
            }
            let next = *run.next.get_or_insert_with(|| {
                run.is_joined = seq > 0;
                if run.is_joined && !self.config.goes_on && self.partitions.is_none() {
                    // All of its ends that came, too, lie in this clock: a stream lets go the oldest, whatever it is.
                    let came = clock.ends.iter().filter_map(|(partition, end)| Some(run.rows.get(partition)?.below(*end)));
                    self.account.missing += clock.messages.saturating_sub(came.sum());
                }
                seq
            });
            // Of each, and not only up to the first that is missing.
            let has = clock.ends.iter().map(|&(partition, end)| {
                let row = run.rows.entry(partition).or_insert_with(|| Self::row(self.partitions.as_ref(), partition, origin));
                if run.is_joined && self.partitions.is_none() {
                    // What came before this reading began is none of its business.
                    row.begin(end);
                }
                row.reaches(end)
            });
            let has_all = has.fold(true, |all, has| all & has);
            if !(seq == next && has_all) {
                if is_patient {
                    run.stuck_s.get_or_insert(now_s);
                    return;
                }
                let ends = clock.ends.iter();
                let give_up = |(partition, end): &(u16, u64)| run.rows.get_mut(partition).map_or(0, |row| row.give_up(*end));
                let of_rows = ends.map(give_up).sum::<u64>();
                self.account.missing += seq - next + of_rows;
            }
            let Some((_, clock)) = run.clocks.pop_first() else { return };
            (run.next, run.stuck_s) = (Some(seq + 1), None);
            run.watermark = clock.ticks.last().copied().max(run.watermark);
            run.is_over |= clock.is_last;
            self.account.lost += clock.lost.saturating_sub(std::mem::replace(&mut run.lost, clock.lost));
            Self::take_clock(&mut self.held, self.handed, origin, clock);
        }
    }

    fn take_clock(held: &mut BTreeMap<Timestamp, Held<T>>, handed: Option<Timestamp>, origin: &Origin, mut clock: Clock) {
        let is_to_come = |tick: &Timestamp| handed.is_none_or(|handed| *tick > handed);
        for &tick in clock.ticks.iter().filter(|tick| is_to_come(tick)) {
            held.entry(tick).or_default();
        }
        for (tick, sighting) in clock.take_sightings().filter(|(tick, _)| is_to_come(tick)) {
            held.entry(tick).or_default().sightings.push(sighting);
        }
        for (tick, condition) in clock.conditions.into_iter().filter(|(tick, _)| is_to_come(tick)) {
            held.entry(tick).or_default().conditions.push((origin.clone(), condition));
        }
    }

    /// Nothing more of a run comes.
    fn end(&mut self, origin: &Origin) {
        if let Some(run) = self.runs.get_mut(origin) {
            run.is_over = true;
        }
        self.follow(origin, f64::INFINITY);
    }

    /// Hands on what all sensors have told their time beyond.
    pub fn advance(&mut self, now_s: f64, taker: &mut (impl Taker + ?Sized)) {
        let waiting: Vec<Origin> =
            self.runs.iter().filter(|(_, run)| !run.clocks.is_empty()).map(|(origin, _)| origin.clone()).collect();
        waiting.iter().for_each(|origin| self.follow(origin, now_s));
        if self.runs.len() >= self.config.sensors {
            let patience_s = self.config.patience_s;
            let is_followed = |run: &&Run| !run.is_over && now_s - run.heard_s < patience_s && run.behind_s <= patience_s;
            let followed = self.runs.values().filter(is_followed).map(|run| run.watermark);
            let until = match followed.min() {
                Some(watermark) => watermark,
                // Nobody is heard: what is known is all there is to know.
                None => self.runs.values().filter_map(|run| run.watermark).max(),
            };
            while let Some((&tick, _)) =
                self.held.first_key_value().filter(|(tick, _)| until.is_some_and(|until| **tick <= until))
            {
                self.hand_on(tick, taker);
            }
        }
        while self.records_held > self.config.most_held
            && let Some((&tick, _)) = self.held.first_key_value()
        {
            self.account.hurried += 1;
            self.hand_on(tick, taker);
        }
        // The next tick may be far: that of a sensor whose clock was ahead lies behind all others.
        let since_s = if self.late.is_empty() { None } else { Some(self.late_since_s.unwrap_or(now_s)) };
        self.late_since_s = since_s;
        let is_long = since_s.is_some_and(|since_s| now_s - since_s >= self.config.patience_s);
        if is_long || self.records_held > self.config.most_held {
            self.hand_on_late(taker);
        }
        if self.runs.len() > MOST_RUNS / 2 {
            self.runs.retain(|_, run| !run.is_over || now_s - run.heard_s < self.config.patience_s);
        }
    }

    /// Nothing more comes: hands on the rest.
    pub fn finish(&mut self, taker: &mut (impl Taker + ?Sized)) {
        let all: Vec<Origin> = self.runs.keys().cloned().collect();
        all.iter().for_each(|origin| self.end(origin));
        while let Some((&tick, _)) = self.held.first_key_value() {
            self.hand_on(tick, taker);
        }
        self.hand_on_late(taker);
    }

    /// Hands on what was late with a tick of its own, the least bit after the latest.
    fn hand_on_late(&mut self, taker: &mut (impl Taker + ?Sized)) {
        if let (false, Some(handed)) = (self.late.is_empty(), self.handed) {
            let tick = handed + Span::from_nanos(1);
            self.held.entry(tick).or_default();
            self.hand_on(tick, taker);
        }
    }

    /// Too much is held: hands on what is known, whoever is waited for.
    pub fn hurry(&mut self, taker: &mut (impl Taker + ?Sized)) {
        while let Some((&tick, _)) = self.held.first_key_value() {
            self.account.hurried += 1;
            self.hand_on(tick, taker);
        }
    }

    fn hand_on(&mut self, tick: Timestamp, taker: &mut (impl Taker + ?Sized)) {
        let Some(Held { mut records, mut sightings, conditions, confirm }) = self.held.remove(&tick) else { return };
        self.handed = Some(tick);
        sightings.sort_by_key(|sighting| sighting.time);
        sightings.into_iter().for_each(|sighting| taker.sighting(sighting));
        records.sort_by(|a, b| a.key().cmp(&b.key()));
        self.records_held -= records.len() + self.late.len();
        self.account.records += (records.len() + self.late.len()) as u64;
        self.late_since_s = None;
        for (copy, mut emitted) in self.late.drain(..) {
            emitted.observation.seen = tick;
            taker.record(copy, emitted);
        }
        records.into_iter().for_each(|held| taker.record(held.copy, held.emitted));
        if !conditions.is_empty() {
            for (origin, condition) in conditions {
                if let Some(run) = self.runs.get_mut(&origin) {
                    run.condition = condition;
                }
            }
            let all = self.runs.values().filter(|run| !run.is_over).map(|run| run.condition).fold(Condition::default(), worse);
            if all != std::mem::replace(&mut self.condition, all) {
                taker.condition(all);
            }
        }
        taker.tick(tick);
        self.confirm.extend(confirm);
    }

    /// Has every run that was heard said its last, did all come that it said it had published, and were as many heard as are to be, where any was?
    pub fn is_whole(&self) -> bool {
        let has_enough = self.runs.is_empty() || self.runs.len() >= self.config.sensors;
        has_enough && self.runs.values().all(|run| run.is_over)
    }

    /// Messages that wait to be confirmed.
    pub fn unconfirmed(&self) -> usize {
        self.held.values().map(|held| held.confirm.len()).sum()
    }
}

/// What is wrong with either.
fn worse(one: Condition, other: Condition) -> Condition {
    Condition {
        is_degraded: one.is_degraded || other.is_degraded,
        lost: one.lost.max(other.lost),
        missing: one.missing.max(other.missing),
        is_deaf: one.is_deaf || other.is_deaf,
        is_one_way: one.is_one_way || other.is_one_way,
    }
}
