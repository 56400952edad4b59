//! What has to be known before behaviours and baselines can be learned.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::material::{Material, Phase};
use super::together::{ROUNDS, Statistic};
use crate::feature::{pack, unpack};
use crate::model::{FlowSample, IdentitiesBuilder};
use crate::time::Timestamp;

/// Which addresses are one device, a sample of the flows, and of what time they are.
#[derive(Serialize, Deserialize)]
pub(super) struct Survey {
    pub identities: IdentitiesBuilder,
    /// Complete flows, as many as behaviours are learned from.
    #[serde(with = "packed")]
    pub sample: FlowSample,
    /// When the first and the last observation were seen; none where there is none.
    pub span: Option<(Timestamp, Timestamp)>,
}

impl Survey {
    /// Goes through the material, and adds what others found.
    pub fn of<M: Material>(material: &mut M) -> Result<Self, M::Error> {
        let mut survey = Self { identities: IdentitiesBuilder::default(), sample: FlowSample::default(), span: None };
        material.each(Phase::Behaviours, &mut |seen, _| {
            survey.identities.add(seen);
            survey.sample.add(seen);
            survey.span = Some((survey.span.map_or(seen.seen, |(first, _)| first), seen.seen));
        })?;
        material.sum(survey)
    }
}

impl Statistic for Survey {
    const ROUND: &'static str = ROUNDS[1];

    fn join(&mut self, other: Self) {
        self.identities.join(other.identities);
        other.sample.flows().for_each(|flow| self.sample.add(flow));
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

/// Flows as a spool holds observations.
mod packed {
    use super::{Deserialize as _, Deserializer, FlowSample, Serialize as _, Serializer, pack, unpack};

    pub fn serialize<S: Serializer>(sample: &FlowSample, serializer: S) -> Result<S::Ok, S::Error> {
        let mut bytes = Vec::new();
        sample.flows().for_each(|flow| pack(flow, &mut bytes));
        bytes.serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<FlowSample, D::Error> {
        use serde::de::Error as _;
        let bytes = Vec::<u8>::deserialize(deserializer)?;
        let (mut rest, mut sample) = (bytes.as_slice(), FlowSample::default());
        while !rest.is_empty() {
            sample.add(&unpack(&mut rest).ok_or_else(|| D::Error::custom("no observation"))?);
        }
        Ok(sample)
    }
}
