//! Flows that flood somebody: answers many times as long as the questions, and packets without end that nobody answers.

use super::classify::TRANSFER_BYTES;
use super::evidence::{Contribution, Detail, Evidence};
use super::prior::MORE_BITS;
use super::surprise::MOST_BITS;
use crate::app::{App, Family};
use crate::feature::{BYTES_ORIG, BYTES_RESP, DURATION, Observation, PACKETS_ORIG, PACKETS_RESP};

/// Answers are that many times as long as the questions.
const AMPLIFIED_TIMES: f64 = 5.0;
/// Packets that get no answer, of a kind that nobody knows, and that many a second to somebody outside: at home more than sound, curves and counters have, which go
/// one way, too.
const FLOOD_PACKETS: f32 = 1000.0;
const FLOOD_PACKETS_PER_S: f32 = 10.0;
const FLOOD_PACKETS_PER_S_AT_HOME: f32 = 100.0;

/// Does it answer somebody outside with many times what it is asked, by datagrams? The question may bear a forged address, to which the answer goes.
pub(super) fn amplifies(seen: &Observation) -> bool {
    let [asked, answered] = [BYTES_ORIG, BYTES_RESP].map(|feature| f64::from(seen.vector[feature]));
    // What sets up a connection first has seen that the address is no forged one.
    let connects = matches!(seen.app, App::Quic | App::Dtls | App::Rtp) || seen.app.family() == Family::Covert;
    seen.comes_in()
        && seen.service.protocol == 17
        && !connects
        && answered >= TRANSFER_BYTES
        && answered >= AMPLIFIED_TIMES * asked
}

/// Does a service answer that is used to reflect what is asked (US-CERT TA14-017A), rather than one for sound or pictures?
pub(super) const fn reflects(seen: &Observation) -> bool {
    matches!(
        seen.app,
        App::Dns | App::Ntp | App::Ldap | App::Snmp | App::Ssdp | App::Mdns | App::Tftp | App::WsDiscovery | App::NbtNs
    )
}

/// So much that was answered counts more, where what was asked for it may bear a forged address.
pub(super) fn amplified(part: Contribution) -> Contribution {
    // Of later segments of a flow it was told.
    if part.evidence != Evidence::Volume(BYTES_RESP as u8) || part.detail != Detail::Nothing {
        return part;
    }
    let bits = (part.bits + MORE_BITS).min(MOST_BITS);
    Contribution { bits, prior_bits: bits - part.bits, detail: Detail::Amplified, ..part }
}

/// Does it send one device datagrams of no known kind, one after the other, of which none is answered?
pub(super) fn floods(seen: &Observation) -> bool {
    let [seconds, sent, answers] = [DURATION, PACKETS_ORIG, PACKETS_RESP].map(|feature| seen.vector[feature]);
    let per_s = if seen.goes_out() { FLOOD_PACKETS_PER_S } else { FLOOD_PACKETS_PER_S_AT_HOME };
    seen.service.protocol == 17
        && seen.app == App::Unknown
        && seen.resp.is_device()
        && answers == 0.0
        && sent >= FLOOD_PACKETS.max(per_s * seconds)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::assessor::Finding;
    use super::super::class::Class;
    use super::super::classify::Around;
    use super::super::config::{DetectorConfig, Without};
    use super::super::docket::Docket;
    use super::super::memory::Earlier;
    use super::super::surprise::Surprise;
    use super::super::testing::{LATER_MS, flow, taught};
    use super::*;
    use crate::flow::Service;

    #[test]
    fn a_flood_that_is_new_counts_more_and_is_told_as_one() {
        let knowledge = taught();
        let told = |packets: f32| {
            let (_, mut seen) = flow(LATER_MS, 1, 55, 9999, false);
            (seen.app, seen.service, seen.resp_local) = (App::Unknown, Service { protocol: 17, port: 9999 }, false);
            (seen.vector[DURATION], seen.vector[PACKETS_ORIG], seen.vector[PACKETS_RESP]) = (48.0, packets, 0.0);
            let found = knowledge.vocabulary.matches(&seen);
            let surprise = Surprise::of((&seen, Earlier::default()), found, &knowledge, Without::default());
            let (context, around) = (Default::default(), Around::default());
            let finding = Finding { surprise, context, around, anywhere: None, is_known: true };
            let class = Docket::new(Arc::clone(&knowledge), DetectorConfig::default()).weigh(&seen, &finding, 0.0).class;
            (surprise.new.map(|new| (new.detail, new.prior_bits)), class)
        };
        assert_eq!(told(14_000.0), (Some((Detail::Flooding, MORE_BITS)), Class::Flood));
        let (new, class) = told(999.0);
        assert!(
            new.is_some_and(|(detail, bits)| detail == Detail::Nothing && bits == 0.0) && class != Class::Flood,
            "{new:?} {class:?}"
        );
    }

    /// A flow by which device 1 asked device 2.
    fn moved(udp: bool, app: App) -> Observation {
        let (_, mut seen) = flow(0, 1, 2, 389, true);
        (seen.app, seen.service, seen.resp_local) = (app, Service { protocol: if udp { 17 } else { 6 }, port: 389 }, true);
        seen
    }

    #[test]
    fn long_answers_to_strangers_amplify() {
        let answers = |udp: bool, asked: f32, answered: f32| {
            let mut seen = Observation { orig_local: false, ..moved(udp, App::Ldap) };
            (seen.vector[BYTES_ORIG], seen.vector[BYTES_RESP]) = (asked, answered);
            amplifies(&seen)
        };
        assert!(answers(true, 2e4, 6e5) && !answers(false, 2e4, 6e5) && !answers(true, 2e5, 6e5) && !answers(true, 1e2, 9e3));
    }

    #[test]
    fn packets_that_nobody_answers_flood_where_they_are_many_and_nobody_knows_what_they_are() {
        let sends = |udp: bool, app: App, packets: [f32; 2], seconds: f32| {
            let mut seen = moved(udp, app);
            (seen.vector[DURATION], seen.vector[PACKETS_ORIG], seen.vector[PACKETS_RESP]) = (seconds, packets[0], packets[1]);
            floods(&seen)
        };
        assert!(sends(true, App::Unknown, [14_000.0, 0.0], 48.0) && sends(true, App::Unknown, [1000.0, 0.0], 0.1));
        assert!(!sends(true, App::Unknown, [999.0, 0.0], 1.0), "a burst");
        assert!(!sends(true, App::Unknown, [5000.0, 0.0], 100.0), "sound");
        let mut abroad = Observation { resp_local: false, ..moved(true, App::Unknown) };
        (abroad.vector[DURATION], abroad.vector[PACKETS_ORIG], abroad.vector[PACKETS_RESP]) = (59.0, 1109.0, 0.0);
        assert!(floods(&abroad), "one of nine flows of a flood");
        assert!(!sends(true, App::Unknown, [14_000.0, 1.0], 48.0), "it is answered");
        assert!(!sends(false, App::Unknown, [14_000.0, 0.0], 48.0) && !sends(true, App::Syslog, [14_000.0, 0.0], 48.0));
        let to_group = Observation { resp: "239.1.2.3".parse().unwrap(), ..moved(true, App::Unknown) };
        assert!(!floods(&to_group));
    }
}
