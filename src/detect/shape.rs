//! What is odd about the shape of a flow: how far it is from what was learned, and how much more it is than usual.

use super::classify::is_talk;
use super::config::{Part, Without};
use super::evidence::{Contribution, Detail, Evidence, Of, keep};
use super::newness::Newness;
use super::range::{Range, VOLUMES};
use super::surprise::MOST_BITS;
use crate::feature::Observation;
use crate::model::{Baselines, Edge, HostBaseline, Kind, Match, Shape, Vocabulary, bits};

/// Bits that a conversation of an old pair of devices can bring at the most by lasting long, without more data.
pub(super) const MOST_LINGERING_BITS: f64 = 8.0;
/// An odd shape of which it is not known yet which feature stands out.
const UNNAMED: Evidence = Evidence::OddShape(0);
/// Minutes in which a service must have been used before a new shape on it counts.
const SERVICE_MINUTES: u32 = 3;

/// The strongest of: far from every behaviour, more than usual, a behaviour new to the device.
pub(super) fn shape(
    seen: &Observation,
    found: Match,
    orig: Option<&HostBaseline>,
    (vocabulary, baselines): (&Vocabulary, &Baselines),
    without: Without,
) -> Option<Contribution> {
    let volume = volume(seen, orig, baselines, without);
    // The first packets of a conversation that was under way were not heard: its shape says nothing. Nor does that of a tunnel: it is what goes through;
    // nor of what a device of which nothing is known says to a group: each greets in its own way.
    let is_used = || !seen.service.is_web() && orig.is_some_and(|host| host.services.contains(seen.service));
    let is_tunnel = || seen.app.is_tunnel() && is_used();
    let greets = || seen.is_to_group() && orig.is_none_or(HostBaseline::is_hardly_known);
    if seen.under_way || greets() || is_tunnel() {
        return volume;
    }
    let is_known = usize::from(found.behaviour) < vocabulary.behaviours.len();
    let odd = Contribution {
        of: Of::Behaviour,
        detail: Detail::Distance(found.ratio),
        ..Contribution::of(UNNAMED, 0.0, bits(vocabulary.tail(found.ratio)).min(MOST_BITS))
    };
    let odd = Some(odd).filter(|part| is_known && !without.has_kind(part.evidence));
    let mut shape = odd;
    keep(&mut shape, volume);
    keep(&mut shape, new_shape(seen, found, orig, (baselines, without)));
    shape
}

/// A behaviour new to the device.
fn new_shape(
    seen: &Observation,
    found: Match,
    orig: Option<&HostBaseline>,
    (baselines, without): (&Baselines, Without),
) -> Option<Contribution> {
    let value = Shape { service: seen.service, behaviour: found.behaviour };
    let host = orig.filter(|host| host.services.get(seen.service) >= SERVICE_MINUTES);
    let part = match host {
        Some(host) if !seen.continued => {
            Newness { host: Some(host), baselines, without }.of(Evidence::NewShape, Kind::Shape, |host| &host.shapes, value)
        }
        _ => None,
    };
    part.map(|part| Contribution { detail: Detail::Behaviour(found.behaviour), ..part })
}

/// More than usual.
pub(super) fn volume(
    seen: &Observation,
    orig: Option<&HostBaseline>,
    baselines: &Baselines,
    without: Without,
) -> Option<Contribution> {
    // A meeting brings as much as there is to see.
    if without.has(Part::Volume) || is_talk(seen) {
        return None;
    }
    let edge = Edge { service: seen.service, peer: seen.resp };
    let is_known_edge = || orig.is_some_and(|host| host.edges.contains(edge));
    let own = Range::own_use(orig, seen.service, seen.continued);
    let mut strongest_yet = None;
    let roles = Range::roles_by_volume(orig, edge, baselines);
    // Without connections there is no end: two exchanges from one port would be a long one.
    let features = if seen.service.connects() { &VOLUMES[..] } else { &VOLUMES[1..] };
    for &feature in features {
        let value = f64::from(seen.vector[feature]);
        let (value, scale) = if feature == 0 { (value * 1e3, 1e-3) } else { (value, 1.0) };
        let range = Range::of_volume((feature, value), seen.continued, (orig, seen.service, own), (baselines, roles));
        // Most flows end here; the quantiles are only for those that stand out.
        let is_stronger = |p: &f64| strongest_yet.is_none_or(|strongest: Contribution| bits(*p) > strongest.bits);
        let Some(p) = range.rare(value).filter(is_stronger) else { continue };
        let Some((low, high)) = range.usual().filter(|&(_, high)| value > high) else { continue };
        let most = if feature == 0 && is_known_edge() { MOST_LINGERING_BITS } else { MOST_BITS };
        let contribution = Contribution {
            usual: (low * scale, high * scale),
            of: range.whose(),
            detail: if seen.continued { Detail::Later } else { Detail::Nothing },
            ..Contribution::of(Evidence::Volume(feature as u8), value * scale, bits(p).min(most))
        };
        keep(&mut strongest_yet, Some(contribution));
    }
    strongest_yet
}

/// Says of an odd shape which feature stands out; of other evidence nothing.
pub(super) fn name_shape(part: &mut Contribution, seen: &Observation, found: Match, vocabulary: &Vocabulary) {
    if !matches!(part.evidence, Evidence::OddShape(_)) {
        return;
    }
    if let Some((feature, low, high)) = vocabulary.most_unusual(seen, found) {
        part.evidence = Evidence::OddShape(feature as u8);
        part.observed = f64::from(seen.vector[feature]);
        part.usual = (low, high);
    }
}

#[cfg(test)]
mod tests {
    use super::super::memory::Earlier;
    use super::super::surprise::Surprise;
    use super::super::testing::{LATER_MS, flow, taught_by};
    use super::*;
    use crate::app::App;

    #[test]
    fn what_goes_through_a_tunnel_has_any_shape() {
        let knowledge = taught_by((0..120).map(|minute| flow(minute * 60_000, 1, 100, 51_820, true).1).collect(), 1e-6);
        let is_odd = |from: u8, app: App| {
            let (_, mut seen) = flow(LATER_MS, from, 100, 51_820, true);
            seen.app = app;
            // As far from all that was learned as can be; volumes as they were.
            (VOLUMES.len()..seen.vector.len())
                .filter(|place| !VOLUMES.contains(place))
                .for_each(|place| seen.vector[place] = 9e9);
            let found = knowledge.vocabulary.matches(&seen);
            Surprise::of((&seen, Earlier::default()), found, &knowledge, Without::default()).shape.is_some()
        };
        assert_eq!([is_odd(1, App::WireGuard), is_odd(1, App::Unknown), is_odd(7, App::WireGuard)], [false, true, true]);
    }

    #[test]
    fn a_part_of_a_long_flow_is_compared_with_whole_ones_where_no_long_one_is_known() {
        use crate::feature::BYTES_ORIG;
        // Device 1 copies a million bytes each night to device 100, on whose service device 2 holds a connection over which little is said.
        let sent = |at_ms, from: u8, bytes: f32, continued| {
            let (_, mut seen) = flow(at_ms, from, 100, 445, true);
            (seen.vector[BYTES_ORIG], seen.continued) = (bytes, continued);
            seen
        };
        let night_ms = 86_400_000;
        let minutes = (0..120_i64)
            .flat_map(|minute| [sent(minute * 60_000, 2, 300.0, true), flow(minute * 60_000 + 7, 1, 100, 80, true).1]);
        let mut flows: Vec<Observation> = minutes.chain((1..5).map(|night| sent(night * night_ms, 1, 1e6, false))).collect();
        flows.sort_by_key(|seen| seen.seen);
        let knowledge = taught_by(flows, 1e-6);
        let bits = |bytes: f32, continued: bool| {
            let seen = sent(LATER_MS + 5 * night_ms, 1, bytes, continued);
            volume(&seen, knowledge.host(seen.orig), knowledge.baselines(seen.seen), Without::default())
                .map_or(0.0, |part| part.bits)
        };
        assert!(bits(1e6, true) < 4.0 && bits(1.2e6, true) < 8.0, "{} {}", bits(1e6, true), bits(1.2e6, true));
        assert!(bits(1e9, true) > bits(1.2e6, true) + 6.0, "a part that is more than any whole: {}", bits(1e9, true));
    }

    #[test]
    fn a_meeting_brings_as_much_as_there_is_to_see() {
        use crate::feature::{BYTES_ORIG, BYTES_RESP};
        let knowledge = taught_by((0..120).map(|minute| flow(minute * 60_000, 1, 100, 8801, true).1).collect(), 1e-6);
        let is_much = |app: App, sent: f32, fetched: f32| {
            let (_, mut seen) = flow(LATER_MS, 1, 100, 8801, true);
            (seen.app, seen.vector[BYTES_ORIG], seen.vector[BYTES_RESP]) = (app, sent, fetched);
            volume(&seen, knowledge.host(seen.orig), knowledge.baselines(seen.seen), Without::default()).is_some()
        };
        assert_eq!([is_much(App::Unknown, 1e6, 2e6), is_much(App::Stun, 1e6, 2e6)], [true, false]);
        assert!(is_much(App::Stun, 9e6, 1e6), "what is sent without being answered");
    }
}
