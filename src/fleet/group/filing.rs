//! Files what was found of all partitions, tick by tick: the one of a group who tells.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::GroupAccount;
use super::findings::{FORM, Findings};
use super::positions::Positions;
use crate::detect::Submission;
use crate::fleet::envelope::Envelope;
use crate::fleet::merge::{Came, Merge, MergeConfig, Taker};
use crate::fleet::{FormError, Side};
use crate::nats::{Followed, Follower};
use crate::pipeline::{Condition, Consumer, Emitted};
use crate::sighting::Sighting;
use crate::state::FORMAT;
use crate::time::Timestamp;

/// Of the form of what is remembered.
const STATE: Envelope = Envelope { magic: *b"AUSD", version: FORMAT as u16, most_bytes: 1 << 30, most_unpacked_bytes: 1 << 32 };

/// Ticks that wait for findings, at the most; then the clock waits at the server.
const MOST_TICKS: usize = 20_000;

/// Messages of a subject, one after the other.
pub trait Letters {
    /// The next one; none has come by now.
    fn take(&mut self) -> Option<Followed>;
    /// Was everything taken that there is?
    fn is_dry(&mut self) -> bool;
    /// Why nothing comes, where something is wrong.
    fn error(&self) -> Option<String>;
}

impl Letters for Follower {
    fn take(&mut self) -> Option<Followed> {
        Self::take(self)
    }

    fn is_dry(&mut self) -> bool {
        Self::is_dry(self)
    }

    fn error(&self) -> Option<String> {
        Self::error(self)
    }
}

/// What the next one who files goes on from.
#[derive(Serialize, Deserialize)]
struct Stored {
    partitions: u16,
    /// All up to this tick was told.
    through: Option<Timestamp>,
    /// The first message of each partition's findings that holds more.
    findings_from: Vec<u64>,
    /// The first message of the clock.
    clock_from: u64,
    /// What the judge remembers, in its own form.
    memory: Option<Vec<u8>>,
}

/// What belongs to a tick.
#[derive(Default)]
struct Tick {
    found: BTreeMap<(u16, u32), Submission>,
    sightings: Vec<Sighting>,
    condition: Option<Condition>,
}

/// One partition's findings.
struct Row<L> {
    findings: L,
    /// Messages that hold more than was told: their numbers, and the latest tick that they hold something of.
    held: VecDeque<(u64, Timestamp)>,
    from: u64,
    through: Option<Timestamp>,
    is_last: bool,
}

/// Reads all findings and the clock, and hands on what belongs to a tick when all of it is there.
pub struct Filing<L> {
    rows: Vec<Row<L>>,
    clock: L,
    clock_places: Positions,
    /// Messages of the clock whose ticks wait for findings, with the latest of these.
    clock_held: VecDeque<(Option<Timestamp>, u64)>,
    merge: Merge<u64>,
    clocks: Clocks,
    /// The latest tick that was handed on.
    handed: Option<Timestamp>,
}

/// What the clock says, by tick.
#[derive(Default)]
struct Clocks {
    ticks: BTreeMap<Timestamp, Tick>,
    fresh: Tick,
    until: Option<Timestamp>,
    handed: Option<Timestamp>,
}

impl Taker for Clocks {
    fn record(&mut self, _copy: (u16, Side), _emitted: Emitted) {}

    fn sighting(&mut self, sighting: Sighting) {
        self.fresh.sightings.push(sighting);
    }

    fn condition(&mut self, condition: Condition) {
        self.fresh.condition = Some(condition);
    }

    fn tick(&mut self, now: Timestamp) {
        let Tick { sightings, condition, .. } = std::mem::take(&mut self.fresh);
        self.until = self.until.max(Some(now));
        if self.handed.is_none_or(|handed| now > handed) {
            let tick = self.ticks.entry(now).or_default();
            tick.sightings.extend(sightings);
            tick.condition = condition.or(tick.condition);
        }
    }
}

impl<L: Letters> Filing<L> {
    /// Goes on from a checkpoint, where there is one that fits. `follow` reads the findings of a partition, or the clock, from a message on.
    /// Returns what the judge remembered then, and why a checkpoint could not be read.
    pub fn open(
        mut follow: impl FnMut(Option<u16>, u64) -> L,
        (partitions, merge): (u16, MergeConfig),
        checkpoint: Option<&[u8]>,
    ) -> (Self, Option<Vec<u8>>, Result<(), FormError>) {
        let (stored, outcome) = match checkpoint.map(|bytes| STATE.read::<Stored>(bytes)).transpose() {
            Ok(stored) => (stored, Ok(())),
            Err(error) => (None, Err(error)),
        };
        let stored = stored.filter(|stored| stored.partitions == partitions).unwrap_or(Stored {
            partitions,
            through: None,
            findings_from: Vec::new(),
            clock_from: 0,
            memory: None,
        });
        let clock = follow(None, stored.clock_from);
        let row = |partition: u16| {
            let from = stored.findings_from.get(usize::from(partition)).copied().unwrap_or_default();
            let findings = follow(Some(partition), from);
            Row { findings, held: VecDeque::new(), from, through: stored.through, is_last: false }
        };
        let merge = MergeConfig { goes_on: stored.through.is_some(), ..merge };
        let filing = Self {
            rows: (0..partitions).map(row).collect(),
            clock,
            clock_places: Positions::from(stored.clock_from, Came::new()),
            clock_held: VecDeque::new(),
            merge: Merge::of_partitions(merge, BTreeMap::new()),
            clocks: Clocks { handed: stored.through, ..Clocks::default() },
            handed: stored.through,
        };
        (filing, stored.memory, outcome)
    }

    /// Takes what has come and hands on what is whole. Says whether anything came.
    pub fn step(&mut self, now_s: f64, consumer: &mut dyn Consumer, account: &mut GroupAccount, model: &str) -> bool {
        let mut has_come = false;
        while let Some(message) = self.clock.take() {
            has_come = true;
            self.clock_places.came(message.sequence, None);
            self.merge.take(&message.payload, message.sequence, (now_s, Timestamp::from_nanos(message.stored)));
            if self.clocks.ticks.len() > MOST_TICKS {
                break;
            }
        }
        self.merge.advance(now_s, &mut self.clocks);
        account.merge.off = account.merge.off.max(self.merge.account.off);
        self.clock_held.extend(self.merge.confirm.drain(..).map(|sequence| (self.clocks.until, sequence)));
        // Only of who is behind: the others wait at the server.
        let going_on = self.rows.iter().filter(|row| !row.is_last);
        let behind = going_on.map(|row| row.through).min();
        for (partition, row) in (0..).zip(&mut self.rows) {
            // One that is over stays behind for good, where others had a tick more: of what came late.
            while behind.is_none_or(|behind| row.through <= behind)
                && let Some(message) = row.findings.take()
            {
                has_come = true;
                account.findings_messages += 1;
                match FORM.read::<Findings>(&message.payload) {
                    Ok(findings) if findings.partition == (partition, account.partitions) => {
                        Self::take(row, &mut self.clocks, (message.sequence, findings), (self.handed, model), account);
                    }
                    _ => {
                        account.findings_unreadable += 1;
                        row.from = if row.held.is_empty() { message.sequence + 1 } else { row.from };
                    }
                }
            }
        }
        let through = self.rows.iter().map(|row| row.through).chain([self.clocks.until]).min().flatten();
        self.hand_on(through, consumer, account);
        has_come
    }

    fn take(
        row: &mut Row<L>,
        clocks: &mut Clocks,
        (sequence, findings): (u64, Findings),
        (handed, model): (Option<Timestamp>, &str),
        account: &mut GroupAccount,
    ) {
        let Findings { partition: (partition, _), after, through, found, records, model: by, is_last } = findings;
        if after > row.through {
            // What came between was let go before it was read.
            account.gaps += 1;
        }
        let is_news = Some(through) > row.through;
        account.findings_doubles += u64::from(!is_news && !is_last);
        account.records_found += if is_news { records } else { 0 };
        account.foreign += u64::from(by != model);
        // The first parts of what is in several messages are of ticks that only the last makes whole.
        let needed = found.iter().fold(through, |latest, (tick, ..)| latest.max(*tick));
        for (tick, number, submission) in found {
            // What was whole before is here again.
            if Some(tick) > row.through && Some(tick) > handed {
                let place = clocks.ticks.entry(tick).or_default();
                if place.found.insert((partition, number), submission).is_none() {
                    account.findings += 1;
                }
            }
        }
        row.through = row.through.max(Some(through));
        row.held.push_back((sequence, needed));
        row.from = row.from.max(row.held.front().map_or(0, |held| held.0));
        row.is_last |= is_last;
    }

    fn hand_on(&mut self, limit: Option<Timestamp>, consumer: &mut dyn Consumer, account: &mut GroupAccount) {
        let Some(limit) = limit else { return };
        while let Some((&tick, _)) = self.clocks.ticks.first_key_value().filter(|(tick, _)| **tick <= limit) {
            let Some((_, Tick { found, sightings, condition })) = self.clocks.ticks.pop_first() else { return };
            sightings.into_iter().for_each(|sighting| consumer.sighting(sighting));
            condition.into_iter().for_each(|condition| consumer.condition(condition));
            consumer.findings(found.into_values().collect(), tick);
            consumer.tick(tick);
            self.handed = Some(tick);
            account.ticks += 1;
        }
        self.clocks.handed = self.handed;
        while let Some(&(_, sequence)) = self.clock_held.front().filter(|(until, _)| *until <= self.handed) {
            self.clock_held.pop_front();
            self.clock_places.done(sequence);
        }
        for row in &mut self.rows {
            while let Some(&(sequence, _)) = row.held.front().filter(|(_, through)| Some(*through) <= self.handed) {
                row.held.pop_front();
                row.from = sequence + 1;
            }
        }
    }

    /// Have all partitions told their last, and was all handed on?
    pub fn is_done(&mut self, consumer: &mut dyn Consumer, account: &mut GroupAccount) -> bool {
        let is_last = self.rows.iter_mut().all(|row| row.is_last && row.findings.is_dry()) && self.clock.is_dry();
        if is_last {
            self.merge.finish(&mut self.clocks);
            self.hand_on(Some(Timestamp::MAX), consumer, account);
        }
        is_last
    }

    /// What the next one goes on from.
    ///
    /// # Errors
    /// When it is too much.
    pub fn checkpoint(&self, memory: Option<Vec<u8>>) -> Result<Vec<u8>, FormError> {
        let findings_from = self.rows.iter().map(|row| row.from).collect();
        let clock_from = self.clock_places.first().0;
        STATE.write(&Stored { partitions: self.rows.len() as u16, through: self.handed, findings_from, clock_from, memory })
    }

    /// What is to be told of sensors: by the one who files alone.
    pub fn remarks(&mut self) -> Vec<String> {
        self.merge.clock_remarks.take()
    }

    /// Why nothing comes, where something is wrong.
    pub fn error(&self) -> Option<String> {
        self.clock.error().or_else(|| self.rows.iter().find_map(|row| row.findings.error()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Messages of a partition.
    struct Queue(VecDeque<Followed>);

    impl Letters for Queue {
        fn take(&mut self) -> Option<Followed> {
            self.0.pop_front()
        }

        fn is_dry(&mut self) -> bool {
            self.0.is_empty()
        }

        fn error(&self) -> Option<String> {
            None
        }
    }

    #[derive(Default)]
    struct Ticks(Vec<Timestamp>);

    impl Consumer for Ticks {
        fn record(&mut self, _emitted: Emitted) {}

        fn tick(&mut self, now: Timestamp) {
            self.0.push(now);
        }
    }

    fn message(partition: u16, sequence: u64, (after, through): (i64, i64), is_last: bool) -> Followed {
        let [after, through] = [after, through].map(Timestamp::from_nanos);
        let found = vec![(through, 0, Submission::default())];
        let model = "m".to_owned();
        let findings = Findings { partition: (partition, 2), after: Some(after), through, found, records: 0, model, is_last };
        Followed { payload: FORM.write(&findings).unwrap(), sequence, stored: 0 }
    }

    #[test]
    fn a_partition_that_ends_before_the_others_does_not_hold_them_up() {
        // The owner of the second had something late, which is found with a tick of its own.
        let mut queues = vec![
            Queue(VecDeque::new()),
            Queue(VecDeque::from([message(0, 1, (0, 10), true)])),
            Queue(VecDeque::from([message(1, 2, (0, 10), false), message(1, 3, (10, 11), false), message(1, 4, (11, 11), true)])),
        ];
        let follow = |_, _| queues.remove(0);
        let merge = MergeConfig { sensors: 1, patience_s: 30.0, most_held: 1000, goes_on: false };
        let (mut filing, memory, outcome) = Filing::open(follow, (2, merge), None);
        assert!(memory.is_none() && outcome.is_ok());
        let (mut ticks, mut account) = (Ticks::default(), GroupAccount { partitions: 2, ..GroupAccount::default() });
        for _ in 0..4 {
            filing.step(0.0, &mut ticks, &mut account, "m");
        }
        assert!(filing.is_done(&mut ticks, &mut account), "all was read");
        assert_eq!((ticks.0, account.findings), ([10, 11].map(Timestamp::from_nanos).to_vec(), 3));
    }
}
