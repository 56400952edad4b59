//! Partitions that a detector owns: an assessor of each, and how far it is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::findings::{FORM, Findings};
use crate::detect::{Assessor, DetectorConfig, Knowledge, Lately, Submission};
use crate::feature::Observation;
use crate::fleet::envelope::Envelope;
use crate::fleet::merge::{Came, Taker};
use crate::fleet::{FormError, Side};
use crate::pipeline::{Condition, Emitted};
use crate::sighting::Sighting;
use crate::state::FORMAT;
use crate::time::Timestamp;

/// Findings of one message at the most, some 500 bytes each before they are packed.
const MOST_FOUND: usize = 1000;
/// Findings of a partition that wait for the end of their tick or for being published, at the most; the rest are counted.
const MOST_WAITING: usize = 200_000;

/// Of the form of what is remembered.
const STATE: Envelope = Envelope { magic: *b"AUSP", version: FORMAT as u16, most_bytes: 1 << 30, most_unpacked_bytes: 1 << 32 };

/// How far a partition was judged, and from where on its messages are still needed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    /// All up to this tick was judged, and its findings were published.
    pub through: Option<Timestamp>,
    /// The first message of the partition that holds more, by its number in the stream.
    pub flows_from: u64,
    /// How many came before it, of each run of a sensor.
    pub came: Came,
    /// The first message of the clock.
    pub clock_from: u64,
}

/// What is kept of a partition, for its next owner.
#[derive(Deserialize)]
struct Stored {
    place: Place,
    lately: Lately,
}

/// The same, to be written. The order of the fields is their form.
#[derive(Serialize)]
struct Storing<'a> {
    place: &'a Place,
    lately: &'a Lately,
}

struct Partition {
    assessor: Assessor,
    /// All up to this tick was judged.
    through: Option<Timestamp>,
    /// Tick of its latest published findings.
    published: Option<Timestamp>,
    /// Found since, by tick.
    found: Vec<(Timestamp, Submission)>,
    waiting: usize,
    records: u64,
}

/// Judges the records of some partitions, each by itself.
pub(super) struct Partitions {
    knowledge: Arc<Knowledge>,
    config: DetectorConfig,
    of: u16,
    owned: BTreeMap<u16, Partition>,
    /// Records that were judged: once for each end that is owned.
    pub records: u64,
    /// Findings that found no room.
    pub lost: u64,
}

impl Partitions {
    /// None yet, of so many.
    pub const fn new(knowledge: Arc<Knowledge>, config: DetectorConfig, of: u16) -> Self {
        Self { knowledge, config, of, owned: BTreeMap::new(), records: 0, lost: 0 }
    }

    /// Those that are owned.
    pub fn names(&self) -> BTreeSet<u16> {
        self.owned.keys().copied().collect()
    }

    /// Owns a partition from now on, from where this checkpoint is; none begins with the first message that there is.
    ///
    /// Returns that place, and why a checkpoint could not be read: then the partition is owned from the beginning.
    pub fn own(&mut self, partition: u16, checkpoint: Option<&[u8]>) -> (Place, Result<(), FormError>) {
        let read = checkpoint.map(|bytes| STATE.read::<Stored>(bytes)).transpose();
        let mut assessor = Assessor::new(Arc::clone(&self.knowledge), self.config);
        let (place, outcome) = match read {
            Ok(Some(Stored { place, lately })) => {
                assessor.remember(lately);
                (place, Ok(()))
            }
            Ok(None) => (Place::default(), Ok(())),
            Err(error) => (Place::default(), Err(error)),
        };
        let (through, published, found, waiting, records) = (place.through, place.through, Vec::new(), 0, 0);
        self.owned.insert(partition, Partition { assessor, through, published, found, waiting, records });
        (place, outcome)
    }

    /// Owns it no longer.
    pub fn leave(&mut self, partition: u16) {
        self.owned.remove(&partition);
    }

    /// The tick through which a partition was judged.
    pub fn through(&self, partition: u16) -> Option<Timestamp> {
        self.owned.get(&partition)?.through
    }

    /// What the next owner goes on from, and the messages that are still needed of the partition and of the clock; only once all findings
    /// were published.
    ///
    /// # Errors
    /// When it is too much.
    pub fn checkpoint(
        &self,
        partition: u16,
        (flows_from, came): (u64, &Came),
        clock_from: u64,
    ) -> Option<Result<Vec<u8>, FormError>> {
        let owned = self.owned.get(&partition).filter(|owned| owned.published == owned.through)?;
        let place = Place { through: owned.through, flows_from, came: came.clone(), clock_from };
        Some(STATE.write(&Storing { place: &place, lately: owned.assessor.lately() }))
    }

    /// Messages of what was found since the last time, with their partitions and identifiers. `is_last` says that nothing comes after it.
    pub fn messages(&mut self, group: &str, model: &str, is_last: bool) -> Vec<(u16, String, Vec<u8>)> {
        let mut messages = Vec::new();
        for (&partition, owned) in &mut self.owned {
            let Some(through) = owned.through.or(is_last.then_some(Timestamp::MIN)) else { continue };
            if owned.published == Some(through) && !is_last {
                continue;
            }
            let parts = in_parts(std::mem::take(&mut owned.found));
            let count = parts.len();
            for (place, found) in parts.into_iter().enumerate() {
                let is_whole = place + 1 == count;
                let after = owned.published;
                // Only the last says that the ticks are whole.
                let until = if is_whole { through } else { after.unwrap_or(Timestamp::MIN) };
                let records = if is_whole { std::mem::take(&mut owned.records) } else { 0 };
                let is_last = is_last && is_whole;
                let findings = Findings {
                    partition: (partition, self.of),
                    after,
                    through: until,
                    found,
                    records,
                    model: model.to_owned(),
                    is_last,
                };
                match FORM.write(&findings) {
                    Ok(payload) => messages.push((partition, findings.id(group, place), payload)),
                    Err(_) => self.lost += findings.found.iter().map(|(_, _, piece)| piece.len() as u64).sum::<u64>(),
                }
            }
            (owned.published, owned.waiting) = (Some(through), 0);
        }
        messages
    }

    /// Judges by other knowledge from now on.
    pub fn judge_by(&mut self, knowledge: &Arc<Knowledge>) {
        self.knowledge = Arc::clone(knowledge);
        self.owned.values_mut().for_each(|owned| owned.assessor.judge_by(Arc::clone(knowledge)));
    }

    /// Findings that wait to be published.
    pub fn waiting(&self) -> usize {
        self.owned.values().map(|owned| owned.waiting).sum()
    }
}

/// What was found, in parts of one message each: at least one, be it empty.
fn in_parts(found: Vec<(Timestamp, Submission)>) -> Vec<Vec<(Timestamp, u32, Submission)>> {
    let (mut parts, mut last, mut room) = (Vec::new(), Vec::new(), MOST_FOUND);
    for (tick, submission) in found {
        for (number, piece) in (0..).zip(submission.split(MOST_FOUND)) {
            if piece.len() > room {
                parts.push(std::mem::take(&mut last));
                room = MOST_FOUND;
            }
            room -= piece.len();
            last.push((tick, number, piece));
        }
    }
    parts.push(last);
    parts
}

impl Taker for Partitions {
    fn record(&mut self, (partition, side): (u16, Side), mut emitted: Emitted) {
        let Some(owned) = self.owned.get_mut(&partition) else { return };
        let seen: &mut Observation = &mut emitted.observation;
        if owned.through.is_some_and(|through| seen.seen <= through) {
            return;
        }
        self.knowledge.baselines(seen.seen).identify(seen);
        let found = self.knowledge.vocabulary.matches(seen);
        owned.assessor.observe(seen, found, &emitted.record, (side != Side::Responder, side != Side::Initiator));
        owned.records += 1;
        self.records += 1;
    }

    fn sighting(&mut self, _sighting: Sighting) {}

    fn condition(&mut self, _condition: Condition) {}

    fn tick(&mut self, now: Timestamp) {
        for owned in self.owned.values_mut() {
            if owned.through.is_some_and(|through| now <= through) {
                continue;
            }
            owned.through = Some(now);
            let submission = owned.assessor.submit(now, false);
            if submission.is_empty() {
                continue;
            }
            if owned.waiting >= MOST_WAITING {
                self.lost += submission.len() as u64;
                continue;
            }
            owned.waiting += submission.len();
            owned.found.push((now, submission));
        }
    }
}
