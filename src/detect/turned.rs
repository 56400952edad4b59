//! Conversations whose ends were taken for each other.

use crate::feature::Observation;
use crate::model::{Edge, HostBaseline};

/// Was a conversation that was under way when it was first heard known with its ends the other way round, and not as it was taken?
pub(super) fn is_known_turned(seen: &Observation, orig: Option<&HostBaseline>, resp: Option<&HostBaseline>) -> bool {
    let Some(service) = seen.turned else { return false };
    let is_known =
        |host: Option<&HostBaseline>, service, peer| host.is_some_and(|host| host.edges.contains(Edge { service, peer }));
    is_known(resp, service, seen.orig) && !is_known(orig, seen.service, seen.resp)
}

#[cfg(test)]
mod tests {
    use super::super::Evidence;
    use super::super::config::Without;
    use super::super::memory::Earlier;
    use super::super::surprise::Surprise;
    use super::super::testing::{LATER_MS, flow, taught_by};
    use super::*;
    use crate::app::App;
    use crate::feature::{Fact, FactKind};
    use crate::flow::Service;

    #[test]
    fn an_old_conversation_heard_from_its_middle_is_nothing_new() {
        // Device 1 speaks to port 7050 of device 100 all day.
        let knowledge = taught_by((0..120).map(|minute| flow(minute * 60_000, 1, 100, 7050, true).1).collect(), 1e-6);
        let is_new = |to: u8, port: u16, turned: Option<u16>| {
            let (_, mut seen) = flow(LATER_MS, 100, to, port, true);
            seen.turned = turned.map(|port| Service { protocol: 6, port });
            seen.under_way = turned.is_some();
            let found = knowledge.vocabulary.matches(&seen);
            Surprise::of((&seen, Earlier::default()), found, &knowledge, Without::default()).new.is_some()
        };
        assert!(!is_new(1, 2212, Some(7050)), "a client's port taken for a server's");
        assert!(is_new(1, 2212, None), "its beginning was heard");
        assert!(is_new(1, 2212, Some(7051)) && is_new(2, 2212, Some(7050)), "another service, and another client");
    }

    #[test]
    fn an_answer_without_its_question_is_nothing_new_and_what_nobody_asked_for_is() {
        // Device 1 reads from port 47808 of device 100 all day, from that port, and pings it.
        let over = |service: Service, (_, seen): (_, Observation)| Observation { service, app: App::Bacnet, ..seen };
        let [bacnet, echo, answer] = [(17, 47_808), (1, 8), (1, 0)].map(|(protocol, port)| Service { protocol, port });
        let asks = |asked: &str, seen| Observation { facts: vec![Fact::new(FactKind::ControllerRequest, asked)], ..seen };
        let minutes = (0..120_i64).flat_map(|minute| {
            let at = |service, ms| over(service, flow(minute * 60_000 + ms, 1, 100, 80, true));
            [asks("read", at(bacnet, 0)), at(echo, 9)]
        });
        let knowledge = taught_by(minutes.collect(), 1e-6);
        let new = |seen: Observation| {
            let found = knowledge.vocabulary.matches(&seen);
            Surprise::of((&seen, Earlier::default()), found, &knowledge, Without::default()).new.map(|part| part.evidence)
        };
        let back = |from: u8, to: u8, service, turned| Observation {
            turned: Some(turned),
            ..over(service, flow(LATER_MS, from, to, 80, true))
        };
        assert_eq!(new(asks("read", back(100, 1, bacnet, bacnet))), None);
        assert_eq!(new(back(100, 1, answer, echo)), None);
        let written = new(asks("write", back(100, 1, bacnet, bacnet)));
        assert_eq!(written, Some(Evidence::NewFact(FactKind::ControllerRequest)));
        assert!(new(asks("read", back(100, 2, bacnet, bacnet))).is_some(), "whom it never answered");
    }
}
