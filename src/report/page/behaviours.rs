//! The behaviours that flows are told by, as a map, with the unusual flows on it.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::Page;
use super::svg::{percent, pixels};
use super::table::{figure, table, text};
use crate::feature::Host;
use crate::model::{Axis, Plane};
use crate::report::text::{Shown, counted, grouped, listed};
use crate::report::unusual::Group;

/// Groups of unusual flows that are looked at for the map.
const MOST_GROUPS: usize = 4000;
/// Dots drawn.
const MOST_DOTS: usize = 160;
/// Groups listed.
const MOST_ROWS: usize = 25;
/// Behaviours that are named on the map: the most frequent.
const MOST_NAMED: usize = 6;
/// Features named of an axis.
const MOST_FEATURES: usize = 3;
const HEIGHT: f64 = 420.0;
const MARGIN: f64 = 26.0;

/// Unusual flows of a device that resemble a behaviour.
type Entry<'a> = (Host, &'a Shown, &'a Group);
/// And their place.
type Placed<'a> = (&'a Entry<'a>, [f64; 2]);

/// The map; nothing where behaviours or flows are not known.
pub fn section(page: &Page<'_>) -> Option<Markup> {
    let gather = &page.report.gather;
    let plane = gather.plane.as_ref()?;
    let groups = gather.unusual.strongest(MOST_GROUPS);
    let placed: Vec<Placed<'_>> =
        groups.iter().filter_map(|group| Some((group, group.2.place.or_else(|| centre_of(page, plane, group.1))?))).collect();
    let frame = Frame::around(plane, &placed);
    let (dots, more) = dots(&frame, &placed);
    let exact = placed.iter().any(|((.., group), _)| group.place.is_some());
    Some(html! {
        p {
            "A behaviour is a kind of flow that was learned. Each circle is one, the larger the more flows taught it; what is alike lies "
            "close together. " (axis_words("To the right", &plane.axes[0])) " " (axis_words("Upwards", &plane.axes[1]))
            " These two directions show " (format!("{:.0}", 100.0 * (plane.axes[0].share + plane.axes[1].share)))
            "\u{a0}% of how behaviours differ."
        }
        @if gather.tells_bits {
            p {
                "A filled dot stands for unusual flows, those of 8 bits or more, of one device or of several at the same place"
                @if !exact && !dots.is_empty() { ", which is that of the behaviour: the flow file holds no features" }
                ". There were " (counted(gather.unusual.flows, "such flow record"))
                @if more > 0 { "; " (counted(more as u64, "weaker dot")) " are not drawn" }
                "."
            }
        }
        figure { (draw(page, plane, &frame, &dots)) (legend(!dots.is_empty())) }
        @if !groups.is_empty() { details { summary { "The unusual flows as a table" } (rows(page, &groups)) } }
        details { summary { "All behaviours" } (list(page)) }
    })
}

fn centre_of(page: &Page<'_>, plane: &Plane, name: &Shown) -> Option<[f64; 2]> {
    let place = page.report.gather.behaviours.iter().position(|behaviour| behaviour.name == *name)?;
    plane.centres.get(place).copied()
}

/// What grows along an axis, and what shrinks.
fn axis_words(direction: &str, axis: &Axis) -> String {
    let strongest = axis.strongest(2 * MOST_FEATURES);
    let words = |grows: bool| -> Vec<String> {
        let of_sign = strongest.iter().filter(|(_, sign)| *sign == grows);
        of_sign.take(MOST_FEATURES).map(|(feature, _)| feature.phrase.to_owned()).collect()
    };
    let (more, less) = (words(true), words(false));
    // The heaviest weight of an axis is positive, so that something grows.
    if less.is_empty() {
        format!("{direction} grow {}.", listed(&more))
    } else {
        format!("{direction} grow {}, and shrink {}.", listed(&more), listed(&less))
    }
}

/// Unusual flows at one place.
struct Dot<'a> {
    x: f64,
    y: f64,
    flows: u64,
    /// Groups beside the strongest.
    others: usize,
    strongest: &'a Entry<'a>,
}

/// Groups that would lie upon one another made one, the strongest first; and how many dots there are beyond.
fn dots<'a>(frame: &Frame, placed: &[Placed<'a>]) -> (Vec<Dot<'a>>, usize) {
    let mut dots: Vec<Dot<'a>> = Vec::new();
    let mut cells = BTreeMap::<(i64, i64), usize>::new();
    for (group, place) in placed {
        let (x, y) = frame.put(*place);
        let cell = ((x * 90.0) as i64, (y / 7.0) as i64);
        match cells.get(&cell).and_then(|&known| dots.get_mut(known)) {
            Some(dot) => (dot.flows, dot.others) = (dot.flows + group.2.flows, dot.others + 1),
            None => {
                cells.insert(cell, dots.len());
                dots.push(Dot { x, y, flows: group.2.flows, others: 0, strongest: group });
            }
        }
    }
    let more = dots.len().saturating_sub(MOST_DOTS);
    dots.truncate(MOST_DOTS);
    (dots, more)
}

/// The part of the plane that is drawn.
struct Frame {
    least: [f64; 2],
    most: [f64; 2],
}

impl Frame {
    fn around(plane: &Plane, placed: &[Placed<'_>]) -> Self {
        let all = plane.centres.iter().chain(placed.iter().map(|(_, place)| place));
        let mut frame = Self { least: [f64::INFINITY; 2], most: [f64::NEG_INFINITY; 2] };
        for place in all {
            let place = place.map(squeezed);
            frame.least = [0, 1].map(|n| frame.least[n].min(place[n]));
            frame.most = [0, 1].map(|n| frame.most[n].max(place[n]));
        }
        frame
    }

    /// Share of the width and pixels from the top.
    fn put(&self, place: [f64; 2]) -> (f64, f64) {
        let share = |n: usize| {
            let room = self.most[n] - self.least[n];
            if room > 0.0 { (squeezed(place[n]) - self.least[n]) / room } else { 0.5 }
        };
        (0.05 + 0.9 * share(0), HEIGHT - MARGIN - (HEIGHT - 2.0 * MARGIN) * share(1))
    }
}

/// Far places are drawn nearer (the inverse hyperbolic sine), so that one wild flow does not press all others together.
fn squeezed(value: f64) -> f64 {
    (value / 4.0).clamp(-1e12, 1e12).asinh()
}

fn draw(page: &Page<'_>, plane: &Plane, frame: &Frame, dots: &[Dot<'_>]) -> Markup {
    let behaviours = &page.report.gather.behaviours;
    let most_flows = f64::from(behaviours.iter().map(|behaviour| behaviour.flows).max().unwrap_or(1).max(1));
    let size = |flows: u32| 5.0 + 19.0 * (f64::from(flows) / most_flows).sqrt();
    let grade = |bits: f64| {
        if bits >= 30.0 {
            1
        } else if bits >= 15.0 {
            2
        } else {
            3
        }
    };
    html! {
        svg class="plot map" width="100%" height=(pixels(HEIGHT)) role="img" aria-labelledby="map-title" {
            title id="map-title" { "Behaviours in the plane in which they differ most, and unusual flows; the tables below say the same" }
            rect class="ground" width="100%" height=(pixels(HEIGHT)) rx="6" {}
            @for (behaviour, place) in behaviours.iter().zip(&plane.centres) {
                @let (x, y) = frame.put(*place);
                circle class="behaviour" cx=(percent(x)) cy=(pixels(y)) r=(pixels(size(behaviour.flows))) {
                    title { (behaviour.name) ": " (counted(u64::from(behaviour.flows), "flow")) " taught it" }
                }
            }
            @for dot in dots.iter().rev() {
                @let (host, behaviour, group) = dot.strongest;
                circle class={ "flow sev" (grade(group.bits)) } cx=(percent(dot.x)) cy=(pixels(dot.y)) r=(pixels((3.0 + (dot.flows as f64).log10()).min(8.0))) {
                    title {
                        (counted(dot.flows, "flow")) ", up to " (format!("{:.1}", group.bits)) " bits: " (page.label(*host)) " to " (group.peer) ", "
                        (group.service) ", like " (behaviour)
                        @if dot.others > 0 { "; and " (dot.others) " more of other devices or behaviours" }
                    }
                }
            }
            (names(page, plane, frame))
        }
    }
}

/// Names of the most frequent behaviours, where they do not lie upon one another.
fn names(page: &Page<'_>, plane: &Plane, frame: &Frame) -> Markup {
    let mut placed: Vec<(f64, f64, &Shown)> = Vec::new();
    for (behaviour, place) in page.report.gather.behaviours.iter().zip(&plane.centres) {
        let (x, y) = frame.put(*place);
        let (left, right) = reach(x, &behaviour.name);
        let is_free = placed.iter().all(|(other_x, other_y, other)| {
            let (other_left, other_right) = reach(*other_x, other);
            (other_y - y).abs() > 16.0 || other_right < left || other_left > right
        });
        if placed.len() < MOST_NAMED && is_free {
            placed.push((x, y, &behaviour.name));
        }
    }
    html! {
        @for (x, y, name) in placed {
            @let (anchor, aside) = if is_to_the_left(x) { ("end", "-14") } else { ("start", "14") };
            text class="halo small" x=(percent(x)) y=(pixels(y + 4.0)) dx=(aside) text-anchor=(anchor) { (name) }
        }
    }
}

/// A name stands on the side where there is room.
fn is_to_the_left(x: f64) -> bool {
    x > 0.6
}

/// From where to where a name reaches on a phone, where a letter takes a fiftieth of the width.
fn reach(x: f64, name: &Shown) -> (f64, f64) {
    let width = 0.04 + 0.02 * name.as_str().chars().count() as f64;
    if is_to_the_left(x) { (x - width, x) } else { (x, x + width) }
}

fn legend(has_flows: bool) -> Markup {
    html! {
        figcaption class="legend" {
            span { svg width="14" height="14" aria-hidden="true" { circle class="behaviour" cx="7" cy="7" r="6" {} } " behaviour" }
            @if has_flows {
                @for (grade, name) in [(1, "30 bits or more"), (2, "15 to 30 bits"), (3, "8 to 15 bits")] {
                    span { svg width="12" height="14" aria-hidden="true" { circle class={ "flow sev" (grade) } cx="6" cy="7" r="5" {} } " " (name) }
                }
            }
        }
    }
}

fn rows(page: &Page<'_>, groups: &[Entry<'_>]) -> Markup {
    let row = |(host, behaviour, group): &Entry<'_>| {
        vec![
            (page.device(*host), false),
            text(behaviour.as_str()),
            text(html! { (page.device(group.peer)) ", " (group.service) }),
            figure(grouped(group.flows)),
            figure(format!("{:.1}", group.bits)),
        ]
    };
    let listed: Vec<_> = groups.iter().take(MOST_ROWS).map(row).collect();
    let more = page.report.gather.unusual.len().saturating_sub(listed.len());
    html! {
        (table("Unusual flows by device and behaviour, most bits first", &["Device", "Resembles", "The strongest to", "Flow records", "Bits"], &listed))
        @if more > 0 { p class="more" { "and " (grouped(more as u64)) " more." } }
    }
}

fn list(page: &Page<'_>) -> Markup {
    let rows: Vec<_> = page
        .report
        .gather
        .behaviours
        .iter()
        .map(|behaviour| vec![text(behaviour.name.as_str()), figure(grouped(u64::from(behaviour.flows)))])
        .collect();
    table("Behaviours and the flows that taught them", &["Behaviour", "Flows"], &rows)
}
