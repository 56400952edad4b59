//! A flow record as it crosses the network.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::FormError;
use crate::app::Facts;
use crate::feature::{Fact, Observation};
use crate::flow::{FlowRecord, HomeNets, SideStats};
use crate::pipeline::Emitted;
use crate::time::{Span, Timestamp};

/// Times further from the epoch than this, some 73 years either way, are damage.
const MOST_NANOS: i64 = 1 << 61;
/// Counters above this are damage: sums of many must not overflow.
const MOST_COUNT: u64 = 1 << 48;

/// Sums over the names that DNS was asked for: count, characters, bits.
type Sums = (u32, u64, f64);

/// Whose partition a copy of a record went to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Side {
    /// The initiator's.
    Initiator,
    /// The responder's.
    Responder,
    /// Of both: they share it, and this is the only copy.
    Both,
}

/// A record with its times relative to one another: small numbers take fewer bytes.
///
/// Of what the application said there are the hashes that are judged, and of the words those that a file of records gives back, too
/// ([`Facts::from_told`]); the behaviour that it resembles is found again, by the model of who judges.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct RecordForm {
    side: Side,
    /// Are initiator and responder at home, as the sensor knows it?
    is_local: [bool; 2],
    /// The tick at which it was known, from the batch's first on, in ns.
    seen: i64,
    record: FlowRecord,
    /// `auscult.facts` in JSON, without what is empty.
    told: Option<String>,
    /// Of DNS.
    dns: Option<Sums>,
    /// Hashes of facts, where the words do not give them back.
    facts: Option<Vec<Fact>>,
}

/// A record as it came.
#[derive(Clone, Debug)]
pub struct Received {
    /// Whose partition it came from.
    pub side: Side,
    /// What a consumer takes; the behaviour is not known yet.
    pub emitted: Emitted,
}

impl RecordForm {
    /// The form of a record of the tick `at` in a batch that begins at `base`.
    pub fn of(emitted: &mut Emitted, side: Side, (at, base): (Timestamp, Timestamp)) -> Self {
        let facts = emitted.record.facts.take();
        let mut record = FlowRecord::clone(&emitted.record);
        let reduced = facts.as_deref().and_then(|facts| reduce(record.app.0, facts));
        let seen = &emitted.observation;
        record.facts = reduced.as_ref().and_then(|(told, dns)| restored(record.app.0, told, *dns));
        let again = Observation::of(&record, seen.seen, &HomeNets::default()).facts;
        record.facts = None;
        emitted.record.facts = facts;
        let (told, dns) = reduced.unzip();
        let form = Self {
            side,
            is_local: [seen.orig_local, seen.resp_local],
            seen: at.nanos().wrapping_sub(base.nanos()),
            told,
            dns: dns.flatten(),
            facts: (again != seen.facts).then(|| seen.facts.clone()),
            record,
        };
        form.moved(at, i64::wrapping_sub)
    }

    /// The same for the other end's partition.
    pub fn for_side(&self, side: Side) -> Self {
        Self { side, ..self.clone() }
    }

    /// Times by or without the moments that they are told from.
    fn moved(mut self, seen: Timestamp, by: fn(i64, i64) -> i64) -> Self {
        let record = &mut self.record;
        let shift = |time: &mut Timestamp, from: Timestamp| *time = Timestamp::from_nanos(by(time.nanos(), from.nanos()));
        let relative = record.start;
        shift(&mut record.start, seen);
        // Whole times are told from the start as it is.
        let start = if by(1, 1) == 0 { relative } else { record.start };
        shift(&mut record.end, start);
        for side in [&mut record.orig, &mut record.resp] {
            shift(&mut side.first, start);
            shift(&mut side.last, start);
        }
        record.looked_at.iter_mut().for_each(|at| shift(at, seen));
        self
    }

    /// The record again, of a batch that begins at `base`.
    ///
    /// # Errors
    /// Times and counters that no sensor measures.
    pub fn receive(self, base: Timestamp, hosts: &HomeNets) -> Result<Received, FormError> {
        let seen = Timestamp::from_nanos(base.nanos().wrapping_add(self.seen));
        let Self { side, is_local: [orig_local, resp_local], mut record, told, dns, facts, .. } =
            self.moved(seen, i64::wrapping_add);
        record.facts = told.and_then(|told| restored(record.app.0, &told, dns));
        check(&record, seen)?;
        let mut observation = Observation::of(&record, seen, hosts);
        (observation.orig_local, observation.resp_local) = (orig_local, resp_local);
        observation.facts = facts.unwrap_or(observation.facts);
        let emitted = Emitted { record: Box::new(record), observation: Box::new(observation), found: None };
        Ok(Received { side, emitted })
    }
}

/// Are all numbers such as can be added up?
fn check(record: &FlowRecord, seen: Timestamp) -> Result<(), FormError> {
    let at_rest = |side: &SideStats| side.packets == 0;
    let of_side = |side: &SideStats| if at_rest(side) { [seen; 2] } else { [side.first, side.last] };
    let times =
        [[record.start, record.end], [seen, record.looked_at.unwrap_or(seen)], of_side(&record.orig), of_side(&record.resp)];
    if times.iter().flatten().any(|time| !(-MOST_NANOS..MOST_NANOS).contains(&time.nanos())) {
        return Err(FormError::Damaged("a time that is none".to_owned()));
    }
    let counts = |side: &SideStats| [side.packets, side.ip_bytes, side.wire_bytes, side.payload_bytes, side.missing_bytes];
    if [counts(&record.orig), counts(&record.resp)].iter().flatten().any(|&count| count > MOST_COUNT) {
        return Err(FormError::Damaged("a counter that is too large".to_owned()));
    }
    let sums = |side: &SideStats| [side.payload_square_sum, side.gap_square_sum];
    if [sums(&record.orig), sums(&record.resp)].iter().flatten().any(|sum| !sum.is_finite() || *sum < 0.0) {
        return Err(FormError::Damaged("a sum that is none".to_owned()));
    }
    let spans = [record.orig.gap_max, record.resp.gap_max, record.response_delay.unwrap_or(Span::ZERO)];
    if spans.iter().any(|span| !(-MOST_NANOS..MOST_NANOS).contains(&span.nanos())) {
        return Err(FormError::Damaged("a length of time that is none".to_owned()));
    }
    Ok(())
}

/// What crosses of facts: those words that come back, and the sums that no words tell.
fn reduce(app: crate::app::App, facts: &Facts) -> Option<(String, Option<Sums>)> {
    let Ok(Value::Object(all)) = serde_json::to_value(facts) else { return None };
    let dns = if let Facts::Dns(dns) = facts { Some((dns.names, dns.qname_chars, dns.label_entropy_bits)) } else { None };
    let known = Facts::from_told(app, &all)?;
    let mut told = serde_json::to_value(&known).ok()?;
    prune(&mut told);
    Some((told.to_string(), dns))
}

/// Removes what says nothing.
fn prune(value: &mut Value) {
    let Value::Object(members) = value else { return };
    members.values_mut().for_each(prune);
    members.retain(|_, value| match value {
        Value::Null => false,
        Value::Bool(yes) => *yes,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(members) => !members.is_empty(),
    });
}

fn restored(app: crate::app::App, told: &str, dns: Option<Sums>) -> Option<Box<Facts>> {
    let told = serde_json::from_str(told).ok()?;
    let mut facts = Facts::from_told(app, &told)?;
    if let (Facts::Dns(facts), Some((names, chars, bits))) = (&mut facts, dns) {
        (facts.names, facts.qname_chars, facts.label_entropy_bits) = (names, chars, if bits.is_finite() { bits } else { 0.0 });
    }
    Some(Box::new(facts))
}
