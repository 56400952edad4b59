//! Who calls itself by another's name, or publishes what another does: systems of care let in whom they know by it, and take what they get for the other's
//! (DICOM titles, senders of HL7, topics of MQTT; MITRE ATT&CK T1036, T1565).

use super::evidence::Evidence;
use crate::feature::{Fact, FactKind, Observation};
use crate::model::{Baselines, HostBaseline, Kind, value_key};

/// A topic that was published in as many minutes is one device's own; what somebody did now and then, another may do, too.
const OWN_MINUTES: u32 = 10;
/// So many names are those of others.
const SEVERAL_NAMES: usize = 3;

/// Does a known device call itself, to another at home, by the name by which one other alone did while it was learned? What comes in the place of
/// another is seldom known.
pub(super) fn takes_name_of_another(
    seen: &Observation,
    orig: Option<&HostBaseline>,
    (evidence, about): (Evidence, u64),
    baselines: &Baselines,
) -> bool {
    let Evidence::NewFact(kind @ (FactKind::CallingAe | FactKind::Hl7Sender | FactKind::MqttTopic)) = evidence else {
        return false;
    };
    // What passes on what others send has their names. Of topics, most have several of their own.
    let has_several = |host: &HostBaseline| host.facts.range(&Fact::all(kind)).take(SEVERAL_NAMES).count() == SEVERAL_NAMES;
    let passes_on = |host: &HostBaseline| kind != FactKind::MqttTopic && has_several(host);
    let is_known = orig.is_some_and(|host| host.local && !host.is_hardly_known() && !passes_on(host));
    let name = seen.facts.iter().copied().find(|&fact| fact.kind == kind && value_key(Kind::Fact(kind), fact) == about);
    let commons = &baselines.commons;
    let is_own = |name| kind != FactKind::MqttTopic || commons.minutes_with(Kind::Fact(kind), name) >= OWN_MINUTES;
    name.is_some_and(|name| is_known && seen.resp_local && commons.devices_with(Kind::Fact(kind), name) == 1 && is_own(name))
}

#[cfg(test)]
mod tests {
    use super::super::testing::flow;
    use super::*;
    use crate::model::BaselinesBuilder;

    #[test]
    fn a_name_that_one_other_had_is_taken_and_one_that_several_have_or_nobody_is_not() {
        let says = |device: u8, at_ms: i64, kind: FactKind, name: &str| {
            let (_, mut seen) = flow(at_ms, device, 100, 104, true);
            seen.facts = vec![Fact::new(kind, name)];
            seen
        };
        let title = FactKind::CallingAe;
        let mut builder = BaselinesBuilder::default();
        for minute in 0..30 {
            for (device, name) in
                [(1, "PLANNING"), (2, "STORESCU"), (3, "STORESCU"), (4, "CT1"), (5, "ROUTER"), (5, "A"), (5, "B")]
            {
                builder.add(&says(device, minute * 60_000 + i64::from(device) * 100, title, name), 0);
            }
        }
        let mut baselines = builder.finish();
        baselines.pool(1);
        let takes = |device: u8, kind: FactKind, name: &str, to_home: bool| {
            let mut seen = says(device, 40 * 60_000, kind, name);
            seen.resp_local = to_home;
            let about = value_key(Kind::Fact(kind), seen.facts[0]);
            takes_name_of_another(&seen, baselines.host(seen.orig), (Evidence::NewFact(kind), about), &baselines)
        };
        assert!(takes(4, title, "PLANNING", true));
        assert!(!takes(4, title, "STORESCU", true), "several have it");
        assert!(!takes(5, title, "PLANNING", true), "what passes on has the names of others");
        assert!(!takes(4, title, "CT2", true), "nobody has it");
        assert!(!takes(9, title, "PLANNING", true), "nothing is known of the device: it may stand for the other");
        assert!(!takes(4, title, "PLANNING", false) && !takes(4, FactKind::CalledAe, "PLANNING", true));
    }

    #[test]
    fn a_topic_that_one_other_publishes_is_taken_by_who_has_several_too() {
        let publishes = |device: u8, at_ms: i64, topic: &str| {
            let (_, mut seen) = flow(at_ms, device, 100, 1883, true);
            seen.facts = vec![Fact::new(FactKind::MqttTopic, topic)];
            seen
        };
        let mut builder = BaselinesBuilder::default();
        for (minute, (device, topic)) in (0..30).flat_map(|minute| {
            [(1, "a"), (2, "b"), (2, "c"), (2, "d"), (3, "e"), (2, "e"), (3, "now and then")].map(|one| (minute, one))
        }) {
            if topic == "now and then" && minute % 6 > 0 {
                continue;
            }
            builder.add(&publishes(device, minute * 60_000 + i64::from(device), topic), 0);
        }
        let mut baselines = builder.finish();
        baselines.pool(1);
        let takes = |device: u8, topic: &str| {
            let seen = publishes(device, 40 * 60_000, topic);
            let about = value_key(Kind::Fact(FactKind::MqttTopic), seen.facts[0]);
            let new = (Evidence::NewFact(FactKind::MqttTopic), about);
            takes_name_of_another(&seen, baselines.host(seen.orig), new, &baselines)
        };
        assert_eq!([takes(2, "a"), takes(1, "e"), takes(1, "f"), takes(9, "a")], [true, false, false, false]);
        assert!(!takes(1, "now and then"));
    }
}
