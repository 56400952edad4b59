//! The consumer that publishes what it hands on.

use std::collections::{BTreeMap, BTreeSet};

use super::batch::{Clock, Origin, write_clock, write_records};
use super::form::{RecordForm, Side};
use super::send::OutgoingState;
use crate::detect::{Submission, share_of};
use crate::evidence::Slices;
use crate::model::Names;
use crate::pipeline::{Condition, Consumer, Emitted, Gauges, Progress, PublishGauge, Spent};
use crate::sighting::Sighting;
use crate::time::{Span, Timestamp};

/// Partitions where nobody says otherwise; sensors and detectors of one stream agree on the number. A device's is its share of so many
/// ([`share_of`]).
pub const PARTITIONS: u16 = 64;
/// Partitions at the most.
pub const MOST_PARTITIONS: u16 = 1024;
/// Records of a partition that are written in one message.
const MOST_RECORDS: usize = 512;
/// Records of all partitions that wait for their message, some 1.3 kB each.
const MOST_WAITING: usize = 2048;
/// Claims of addresses that wait for their message.
const MOST_SIGHTINGS: usize = 2000;
/// Ticks that wait for a clock message that the spool does not take; the oldest go.
const MOST_TICKS: usize = 20_000;

/// Takes what is to be published.
pub trait Outbox {
    /// Takes a message for `flows.SITE.` and this place; `id` tells it from all others. Says whether it was taken.
    fn put(&mut self, place: &str, id: String, payload: Vec<u8>) -> bool;

    /// How what it took is getting on.
    fn standing(&self) -> OutgoingState {
        OutgoingState::default()
    }
}

/// How time passes for what is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Do its ticks pass as they are told, by this machine's clock? Else it is a replay.
    pub is_live: bool,
    /// Ticks of one message.
    pub most_ticks: usize,
}

/// What was made to be published.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PublishedAccount {
    /// Records that came.
    pub records: u64,
    /// Copies of them that were put into messages: one or two each.
    pub copies: u64,
    /// Copies that were not taken: the spool was full.
    pub lost: u64,
    /// Messages that were taken, those of the clock included.
    pub messages: u64,
    /// Bytes of these.
    pub bytes: u64,
}

impl PublishedAccount {
    /// What was made and what became of it, for who looks while it goes on.
    #[must_use]
    pub const fn gauge(&self, state: &OutgoingState) -> PublishGauge {
        let Self { records, copies, lost, messages, bytes } = *self;
        let OutgoingState { acknowledged, waiting, spool_bytes, failures, is_away, .. } = *state;
        PublishGauge { records, copies, lost, messages, bytes, acknowledged, waiting, spool_bytes, failures, is_away }
    }
}

/// Makes messages of records and ticks.
pub struct Batching<O> {
    outbox: O,
    origin: Origin,
    partitions: u16,
    /// Which addresses are one device, where that is known.
    names: Names,
    pace: Pace,
    waiting: BTreeMap<u16, (Timestamp, Vec<RecordForm>)>,
    records_waiting: usize,
    /// Messages of each partition so far.
    ends: Vec<u64>,
    changed: BTreeSet<u16>,
    clock: Clock,
    clock_seq: u64,
    /// The latest tick.
    told: Option<Timestamp>,
    /// What was seen before the coming tick.
    fresh: (Vec<Sighting>, Option<Condition>),
    account: PublishedAccount,
}

impl<O: Outbox> Batching<O> {
    /// Publishes as this origin into so many partitions, to those of the devices by these names. A message is written when so many ticks have
    /// passed, or enough has come.
    pub fn new(outbox: O, origin: Origin, (partitions, names): (u16, Names), pace: Pace) -> Self {
        let (waiting, changed) = (BTreeMap::new(), BTreeSet::new());
        let (clock, account) = (Clock::default(), PublishedAccount::default());
        let (ends, fresh) = (vec![0; usize::from(partitions)], (Vec::new(), None));
        Self {
            outbox,
            origin,
            partitions,
            names,
            pace,
            waiting,
            records_waiting: 0,
            ends,
            changed,
            clock,
            clock_seq: 0,
            told: None,
            fresh,
            account,
        }
    }

    fn record(&mut self, emitted: &mut Emitted) {
        self.account.records += 1;
        let (orig, resp) = self.names.of(&emitted.observation);
        let (of_orig, of_resp) = (share_of(orig, self.partitions), share_of(resp, self.partitions));
        let seen = self.behind_told(emitted.observation.seen);
        let side = if of_orig == of_resp { Side::Both } else { Side::Initiator };
        let base = self.base(of_orig, seen);
        let form = RecordForm::of(emitted, side, (seen, base));
        if side == Side::Initiator {
            // Both copies are alike where their messages begin alike.
            let theirs = self.base(of_resp, seen);
            let copy = if theirs == base {
                form.for_side(Side::Responder)
            } else {
                RecordForm::of(emitted, Side::Responder, (seen, theirs))
            };
            self.push((of_resp, theirs), copy);
        }
        self.push((of_orig, base), form);
    }

    /// At the end of a capture there are more records of the latest tick: they are those of one that is the least bit later.
    fn behind_told(&self, tick: Timestamp) -> Timestamp {
        self.told.map_or(tick, |told| tick.max(told + Span::from_nanos(1)))
    }

    /// Where the message begins that a record of this tick would be in.
    fn base(&self, partition: u16, seen: Timestamp) -> Timestamp {
        self.waiting.get(&partition).map_or(seen, |&(base, _)| base)
    }

    fn push(&mut self, (partition, base): (u16, Timestamp), form: RecordForm) {
        self.account.copies += 1;
        self.records_waiting += 1;
        let (_, forms) = self.waiting.entry(partition).or_insert_with(|| (base, Vec::new()));
        forms.push(form);
        if forms.len() >= MOST_RECORDS {
            self.write(partition);
        }
        if self.records_waiting >= MOST_WAITING {
            self.write_all();
        }
    }

    fn write_all(&mut self) {
        let partitions: Vec<u16> = self.waiting.keys().copied().collect();
        partitions.into_iter().for_each(|partition| self.write(partition));
    }

    fn write(&mut self, partition: u16) {
        let Some((base, forms)) = self.waiting.remove(&partition) else { return };
        self.records_waiting -= forms.len();
        self.put_records(partition, base, &forms);
    }

    /// What is too much for one message goes in two.
    fn put_records(&mut self, partition: u16, base: Timestamp, forms: &[RecordForm]) {
        let place = usize::from(partition);
        let seq = self.ends.get(place).copied().unwrap_or_default();
        match write_records((&self.origin, seq, self.pace.is_live), (partition, base), forms) {
            Ok(payload) => {
                if self.put(&partition.to_string(), seq, payload) {
                    self.ends.iter_mut().skip(place).take(1).for_each(|end| *end += 1);
                    self.changed.insert(partition);
                } else {
                    self.account.lost += forms.len() as u64;
                }
            }
            Err(_) if forms.len() > 1 => {
                let (first, second) = forms.split_at(forms.len() / 2);
                self.put_records(partition, base, first);
                self.put_records(partition, base, second);
            }
            Err(_) => self.account.lost += forms.len() as u64,
        }
    }

    fn put(&mut self, place: &str, seq: u64, payload: Vec<u8>) -> bool {
        let Origin { site, sensor, epoch } = &self.origin;
        let bytes = payload.len() as u64;
        let is_taken = self.outbox.put(place, format!("{site}.{sensor}.{epoch}.{place}.{seq}"), payload);
        self.account.messages += u64::from(is_taken);
        self.account.bytes += if is_taken { bytes } else { 0 };
        is_taken
    }

    fn tick(&mut self, now: Timestamp) {
        let now = self.behind_told(now);
        self.told = Some(now);
        let (sightings, condition) = std::mem::take(&mut self.fresh);
        sightings.iter().for_each(|sighting| self.clock.add_sighting(now, sighting));
        self.clock.conditions.extend(condition.map(|condition| (now, condition)));
        self.clock.ticks.push(now);
        if self.clock.ticks.len() >= self.pace.most_ticks
            || self.clock.sightings.len() >= MOST_SIGHTINGS
            || self.records_waiting >= MOST_WAITING / 2
        {
            self.write_clock();
        }
    }

    /// Everything so far, and how far it is. A clock that is not taken goes with the next one.
    fn write_clock(&mut self) {
        self.write_all();
        let ends = self.changed.iter().filter_map(|&partition| Some((partition, *self.ends.get(usize::from(partition))?)));
        self.clock.ends = ends.collect();
        (self.clock.lost, self.clock.messages) = (self.account.lost, self.account.messages);
        let seq = self.clock_seq;
        let written = write_clock((&self.origin, seq, self.pace.is_live), &self.clock);
        let is_taken = written.is_ok_and(|payload| self.put("clock", seq, payload));
        if is_taken {
            (self.clock, self.clock_seq) = (Clock::default(), seq + 1);
            self.changed.clear();
        } else if self.clock.ticks.len() > MOST_TICKS || self.clock.sightings.len() > MOST_SIGHTINGS {
            // Where the spool is full for long, what is known of the time without records matters least.
            let surplus = self.clock.ticks.len().saturating_sub(MOST_TICKS);
            self.clock.ticks.drain(..surplus);
            self.clock.take_sightings().for_each(drop);
        }
    }

    /// How it goes.
    fn gauge(&self) -> PublishGauge {
        self.account.gauge(&self.outbox.standing())
    }

    /// Publishes the rest: nothing comes after it.
    pub fn finish(mut self) -> (PublishedAccount, O) {
        self.clock.is_last = true;
        self.write_clock();
        (self.account, self.outbox)
    }
}

/// Hands everything on, having published it, where that is wanted.
pub struct Published<'a, O> {
    /// What takes it.
    pub consumer: &'a mut dyn Consumer,
    /// What publishes it before.
    pub batching: Option<&'a mut Batching<O>>,
    /// Where it is told how publishing goes, if anybody asks.
    pub gauges: Option<&'a Gauges>,
}

impl<O: Outbox> Consumer for Published<'_, O> {
    fn sighting(&mut self, sighting: Sighting) {
        if let Some(batching) = &mut self.batching {
            batching.fresh.0.push(sighting.clone());
        }
        self.consumer.sighting(sighting);
    }

    fn record(&mut self, mut emitted: Emitted) {
        if let Some(batching) = &mut self.batching {
            batching.record(&mut emitted);
        }
        self.consumer.record(emitted);
    }

    fn packets(&mut self, packets: Slices) {
        // Packets do not leave the sensor.
        self.consumer.packets(packets);
    }

    fn condition(&mut self, condition: Condition) {
        if let Some(batching) = &mut self.batching {
            batching.fresh.1 = Some(condition);
        }
        self.consumer.condition(condition);
    }

    fn findings(&mut self, found: Vec<Submission>, now: Timestamp) {
        self.consumer.findings(found, now);
    }

    fn tick(&mut self, now: Timestamp) {
        if let Some(batching) = &mut self.batching {
            batching.tick(now);
            if let Some(gauges) = self.gauges {
                gauges.renew_published(batching.gauge());
            }
        }
        self.consumer.tick(now);
    }

    fn give_back(&mut self, to: &mut Vec<Spent>) {
        self.consumer.give_back(to);
    }

    fn progress(&mut self, progress: Progress) {
        self.consumer.progress(progress);
    }
}
