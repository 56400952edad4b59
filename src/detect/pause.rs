//! When an incident has paused, with what it goes on then, and when it is over.

use std::mem::discriminant;

use super::class::Class;
use super::evidence::{Contribution, Detail, Evidence};
use super::exhibit::Exhibit;
use super::incident::{Cause, Incident};
use super::reaches::reach_bits;
use crate::feature::Host;
use crate::flow::Service;
use crate::time::{Span, Timestamp};

/// After this long without evidence an incident goes on only with what it was about …
const PAUSE: Span = Span::from_secs(300);
/// … and after this long it is closed.
const QUIET: Span = Span::from_secs(900);
/// The same of one that several devices share, or many: an update comes to one after the other.
const QUIET_SHARED: Span = Span::from_secs(8 * 3600);
/// The same of one in which an administrator's device reaches servers that it never did, and of a slow scan: it goes from one to the next.
const QUIET_ROUND: Span = Span::from_secs(3600);
/// Flows with which a scan may begin and be a slow one.
const FEW_FLOWS: f64 = 8.0;

impl Incident {
    /// Pauses where nothing has come for so long. Returns whether it begins to: what it told is told then, and goes on only as [`has_told`](Self::has_told) says.
    pub(super) fn pause(&mut self, now: Timestamp) -> bool {
        let begins = !self.has_paused && now >= self.quiet_from();
        self.has_paused |= begins;
        begins
    }

    /// Was the strongest of an exhibit told of this conversation before? What is pushed to one device at home after the other (firmware, a copy of data) is one
    /// thing, too, and so is what is unusual or was never served and goes from one device to the next in the same way: somebody who looks after them.
    pub(super) fn has_told(&self, with: (Host, Service), exhibit: &Exhibit, is_at_home: bool) -> bool {
        let is_push = || is_at_home && self.class == Class::Exfiltration && self.services.first() == Some(&with.1);
        let strongest = exhibit.parts.iter().flatten().max_by(|a, b| a.bits.total_cmp(&b.bits));
        // Of a volume or a shape which feature it was says little.
        let is_kind = |of: Evidence| move |cause: &Cause| discriminant(&cause.part.evidence) == discriminant(&of);
        let is_told = |part: &Contribution| self.reasons.iter().any(is_kind(part.evidence));
        let is_round = |part: &Contribution| {
            // What touches more than what was told is another thing; but that it is one of several is what a round is.
            let apart = |of: &Contribution| match of.detail {
                Detail::Reaches(devices) => of.prior_bits - reach_bits(devices),
                _ => of.prior_bits,
            };
            let is_less = |cause: &Cause| apart(part) <= apart(&cause.part);
            let is_new =
                |of: Evidence| matches!(of, Evidence::NewService | Evidence::NewPeer | Evidence::NewOffer | Evidence::NewClient);
            let is_step = |of: Evidence| of == part.evidence || is_new(of) && is_new(part.evidence);
            let is_same = |cause: &Cause| is_step(cause.part.evidence) && cause.service == with.1 && is_less(cause);
            let may_be = matches!(self.class, Class::Unusual | Class::NewService | Class::CriticalAccess);
            is_at_home && may_be && self.reasons.first().is_some_and(is_same)
        };
        let goes_on = self.conversations.contains_key(&with) || is_push();
        strongest.is_some_and(|part| goes_on && is_told(part) || is_round(part))
    }

    /// Has nothing come for long?
    #[must_use]
    pub fn is_quiet(&self, now: Timestamp) -> bool {
        now >= self.latest_evidence + self.waits().1
    }

    /// From when on it pauses, or is quiet once it has, if nothing more comes.
    #[must_use]
    pub fn quiet_from(&self) -> Timestamp {
        let (pause, quiet) = self.waits();
        self.latest_evidence + if self.has_paused { quiet } else { pause }
    }

    /// How long it waits for more until it pauses, and until it is quiet.
    fn waits(&self) -> (Span, Span) {
        match () {
            () if self.is_shared || self.class == Class::PopulationChange => (QUIET_SHARED, QUIET_SHARED),
            () if self.is_of_administrator && self.class.is_access() || self.is_slow_scan() => (QUIET_ROUND, QUIET_ROUND),
            // It lasts for hours: whatever else calls home meanwhile would be told as part of it.
            () if self.class == Class::Beaconing => (PAUSE, PAUSE),
            () => (PAUSE, QUIET),
        }
    }

    /// Is it a scan of hardly more than a flow a minute? One that is faster is over when nothing comes.
    fn is_slow_scan(&self) -> bool {
        let minutes = self.latest_evidence.since(self.first).as_seconds() / 60.0;
        self.class == Class::Scan && self.flows as f64 <= FEW_FLOWS + minutes
    }

    /// Nobody listened for this long.
    pub fn skip(&mut self, pause: Span) {
        self.latest_evidence = self.latest_evidence + pause;
    }
}

#[cfg(test)]
mod tests {
    use super::super::flow_ref::FlowRef;
    use super::super::testing::host;
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_parts(seconds, 0)
    }

    fn incident(class: Class) -> Incident {
        Incident::new(class, host(1), FlowRef::of_link(host(1), host(2)), at(0))
    }

    #[test]
    fn it_is_quiet_some_time_after_its_latest_evidence() {
        let mut incident = incident(Class::Flood);
        incident.touch(at(100));
        incident.touch(at(50));
        assert!(!incident.pause(at(399)) && incident.pause(at(400)) && !incident.pause(at(401)), "once");
        assert!(!incident.is_quiet(at(999)) && incident.is_quiet(at(1000)));
        incident.skip(Span::from_secs(3600));
        assert!(!incident.is_quiet(at(4599)) && incident.is_quiet(at(4600)), "nobody listened for an hour");
        (incident.class, incident.flows) = (Class::Scan, 40);
        assert!(!incident.is_quiet(at(7299)) && incident.is_quiet(at(7300)), "40 flows in an hour");
        incident.flows = 400;
        assert!(incident.is_quiet(at(4600)), "a fast one");
        incident.class = Class::PopulationChange;
        assert!(!incident.is_quiet(at(32_499)) && incident.is_quiet(at(32_500)), "one device comes after the other");
        incident.class = Class::Beaconing;
        assert!(!incident.is_quiet(at(3999)) && incident.is_quiet(at(4000)), "what calls home lasts for hours");
    }

    #[test]
    fn what_is_pushed_to_one_after_the_other_is_one_thing() {
        let (http, flow) = (Service { protocol: 6, port: 80 }, FlowRef::of_link(host(1), host(2)));
        let part = Contribution::of(Evidence::Volume(3), 9e5, 14.0);
        let mut incident = incident(Class::Exfiltration);
        incident.services.push(http);
        incident.reasons.push(Cause { part, host: host(1), peer: host(2), service: http, flow: flow.clone() });
        let exhibit = Exhibit::of_itself(Class::Exfiltration, part, flow.clone(), (at(9), at(9), at(9)));
        let goes_on = |incident: &Incident, port: u16, is_at_home| {
            incident.has_told((host(3), Service { port, ..http }), &exhibit, is_at_home)
        };
        assert_eq!(
            [goes_on(&incident, 80, true), goes_on(&incident, 80, false), goes_on(&incident, 22, true)],
            [true, false, false]
        );
        incident.class = Class::LateralMovement;
        assert!(!goes_on(&incident, 80, true));
        for class in [Class::Unusual, Class::NewService, Class::CriticalAccess] {
            incident.class = class;
            let round = [goes_on(&incident, 80, true), goes_on(&incident, 80, false), goes_on(&incident, 22, true)];
            assert_eq!(round, [true, false, false], "whoever looks after devices goes from one to the next");
            let writes = Contribution { prior_bits: 12.0, ..part };
            let third = Contribution { detail: Detail::Reaches(6), ..writes };
            let again = Exhibit::of_itself(class, third, flow.clone(), (at(9), at(9), at(9)));
            assert!(incident.has_told((host(3), http), &again, true), "that it is one of several is no more");
            let escalates = Exhibit::of_itself(class, writes, flow.clone(), (at(9), at(9), at(9)));
            assert!(!incident.has_told((host(3), http), &escalates, true), "what touches more is another thing");
        }
    }

    #[test]
    fn it_goes_on_with_what_it_told_of_the_same_conversation() {
        let mut incident = incident(Class::LateralMovement);
        let part = |evidence, bits| Contribution::of(evidence, 1.0, bits);
        let flow = FlowRef::of_link(host(1), host(2));
        let (part_told, ssh) = (part(Evidence::NewPeer, 12.0), Service { protocol: 6, port: 22 });
        incident.conversations.insert((host(2), ssh), (12.0, 0.0));
        incident.reasons.push(Cause { part: part_told, host: host(1), peer: host(2), service: ssh, flow: flow.clone() });
        let goes_on = |peer: u8, parts: [Option<Contribution>; 3]| {
            let exhibit = Exhibit::of_itself(Class::LateralMovement, part_told, flow.clone(), (at(9), at(9), at(9)));
            incident.has_told((host(peer), ssh), &Exhibit { parts, ..exhibit }, true)
        };
        let (new, guessed) = (Some(part(Evidence::NewPeer, 11.0)), Some(part(Evidence::LoginFailures, 13.0)));
        assert!(goes_on(2, [new, None, None]));
        assert!(!goes_on(3, [new, None, None]), "another device");
        assert!(!goes_on(2, [new, None, guessed]), "passwords are guessed now");
    }
}
