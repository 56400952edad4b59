//! What has to be known before behaviours and baselines can be learned.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::material::{Material, Phase};
use super::together::{ROUNDS, Statistic};
use crate::feature::{Observation, pack, unpack};
use crate::model::{IdentitiesBuilder, Vocabulary};
use crate::time::Timestamp;

/// Which addresses are one device, a sample of the flows, and of what time they are.
#[derive(Serialize, Deserialize)]
pub(super) struct Survey {
    pub identities: IdentitiesBuilder,
    /// An even sample of the complete flows, as large as behaviours are learned from.
    #[serde(with = "packed")]
    pub sample: Vec<Observation>,
    /// When the first and the last observation were seen; none where there is none.
    pub span: Option<(Timestamp, Timestamp)>,
}

impl Survey {
    /// Goes through the material, and adds what others found.
    pub fn of<M: Material>(material: &mut M) -> Result<Self, M::Error> {
        let mut survey = Self { identities: IdentitiesBuilder::default(), sample: Vec::new(), span: None };
        let (step, mut flows) = (Vocabulary::sampled(material.tally().flows), 0_u64);
        material.each(Phase::Behaviours, &mut |seen, _| {
            survey.identities.add(seen);
            survey.span = Some((survey.span.map_or(seen.seen, |(first, _)| first), seen.seen));
            if seen.is_complete() {
                if flows.is_multiple_of(step) {
                    survey.sample.push(seen.clone());
                }
                flows += 1;
            }
        })?;
        let mut survey = material.sum(survey)?;
        // Each of several rounds up.
        let (all, most) = (survey.sample.len(), Vocabulary::MOST_FLOWS as usize);
        if all > most {
            let mut place = 0;
            survey.sample.retain(|_| {
                place += 1;
                place * most / all > (place - 1) * most / all
            });
        }
        Ok(survey)
    }
}

impl Statistic for Survey {
    const ROUND: &'static str = ROUNDS[1];

    fn join(&mut self, other: Self) {
        self.identities.join(other.identities);
        self.sample.extend(other.sample);
        self.sample.sort_by_key(|seen| seen.seen);
        self.span = joined(self.span, other.span);
    }
}

/// The time from the earlier beginning to the later end.
pub(super) fn joined(
    one: Option<(Timestamp, Timestamp)>,
    other: Option<(Timestamp, Timestamp)>,
) -> Option<(Timestamp, Timestamp)> {
    match (one, other) {
        (Some((first, last)), Some((theirs, their_last))) => Some((first.min(theirs), last.max(their_last))),
        (one, other) => one.or(other),
    }
}

/// Observations as a spool holds them.
mod packed {
    use super::{Deserialize as _, Deserializer, Observation, Serialize as _, Serializer, pack, unpack};

    pub fn serialize<S: Serializer>(sample: &[Observation], serializer: S) -> Result<S::Ok, S::Error> {
        let mut bytes = Vec::new();
        sample.iter().for_each(|seen| pack(seen, &mut bytes));
        bytes.serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Observation>, D::Error> {
        use serde::de::Error as _;
        let bytes = Vec::<u8>::deserialize(deserializer)?;
        let (mut rest, mut sample) = (bytes.as_slice(), Vec::new());
        while !rest.is_empty() {
            sample.push(unpack(&mut rest).ok_or_else(|| D::Error::custom("no observation"))?);
        }
        Ok(sample)
    }
}
