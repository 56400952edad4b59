//! What plots share. Places along the page are shares of its width, so that neither text nor dots are stretched on a phone or in
//! print; heights are pixels. Colours are classes, so that the style sheet gives them for light, dark and print.

use maud::{Markup, html};

use crate::report::text::{clock_short, day};
use crate::time::{Span, Timestamp};

/// Lengths between two marks of an axis of time, in seconds.
const STEPS_S: [i64; 17] =
    [1, 5, 15, 60, 300, 600, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400, 172_800, 604_800, 2_592_000, 31_536_000];
/// Marks of an axis of time at the most: what has room on a phone.
const MOST_MARKS: i64 = 5;

/// A share of the width, in percent, to a hundredth.
pub fn percent(share: f64) -> String {
    format!("{:.2}%", (100.0 * share).clamp(0.0, 100.0))
}

/// A place in pixels, to a tenth.
pub fn pixels(value: f64) -> String {
    format!("{value:.1}")
}

/// Time from left to right.
#[derive(Clone, Copy, Debug)]
pub struct Axis {
    from: Timestamp,
    to: Timestamp,
}

impl Axis {
    /// From the one to the other, at least a second.
    pub fn new(from: Timestamp, to: Timestamp) -> Self {
        Self { from, to: to.max(from + Span::from_secs(1)) }
    }

    /// Where a moment is, 0 to 1.
    pub fn share(&self, at: Timestamp) -> f64 {
        (at.since(self.from).as_seconds() / self.to.since(self.from).as_seconds()).clamp(0.0, 1.0)
    }

    /// Moments to mark, whole hours or minutes.
    pub fn marks(&self) -> Vec<Timestamp> {
        let seconds = self.to.since(self.from).nanos() / 1_000_000_000;
        let step = STEPS_S.into_iter().find(|step| seconds / step < MOST_MARKS).unwrap_or(seconds / MOST_MARKS + 1);
        let first = self.from.seconds().div_euclid(step).saturating_add(1).saturating_mul(step);
        let marks = (0..MOST_MARKS).map(|n| first.saturating_add(n * step));
        marks.take_while(|&second| second <= self.to.seconds()).map(|second| Timestamp::from_parts(second, 0)).collect()
    }

    /// Lines at the marks from `top` to `bottom`, and their times below.
    pub fn draw(&self, top: f64, bottom: f64) -> Markup {
        let is_long = self.to.since(self.from) > Span::from_secs(3 * 86_400);
        let text = |at: Timestamp| {
            if is_long { day(at).rsplit_once(' ').map(|(day, _)| day.to_owned()).unwrap_or_default() } else { clock_short(at) }
        };
        // A text at an edge is not cut.
        let anchor = |share: f64| {
            if share < 0.04 {
                "start"
            } else if share > 0.96 {
                "end"
            } else {
                "middle"
            }
        };
        html! {
            g class="axis" aria-hidden="true" {
                @for at in self.marks() {
                    @let share = self.share(at);
                    line x1=(percent(share)) x2=(percent(share)) y1=(pixels(top)) y2=(pixels(bottom)) {}
                    text x=(percent(share)) y=(pixels(bottom + 15.0)) text-anchor=(anchor(share)) { (text(at)) }
                }
            }
        }
    }
}

/// A bar that is filled to a share; said in words by what stands beside it.
pub fn bar(share: f64, class: &str) -> Markup {
    html! {
        svg class={ "bar " (class) } width="100%" height="6" aria-hidden="true" focusable="false" {
            rect class="track" width="100%" height="6" rx="3" {}
            rect class="fill" width=(percent(share)) height="6" rx="3" {}
        }
    }
}

/// Something observed beside the range that is usual, on a scale of orders of magnitude; said in words by what stands beside it.
pub fn range(low: f64, high: f64, observed: f64) -> Markup {
    let log = |value: f64| value.signum() * value.abs().ln_1p();
    let (low, high, observed) = (log(low), log(high), log(observed));
    let (least, most) = (low.min(observed).min(0.0), high.max(observed));
    let room = (most - least).max(1e-9) * 1.04;
    let share = |value: f64| ((value - least) / room).clamp(0.0, 1.0);
    html! {
        svg class="range" width="100%" height="12" aria-hidden="true" focusable="false" {
            rect class="track" y="4" width="100%" height="4" rx="2" {}
            rect class="usual" x=(percent(share(low))) y="2" width=(percent((share(high) - share(low)).max(0.012))) height="8" rx="3" {}
            circle class="seen" cx=(percent(share(observed).clamp(0.012, 0.988))) cy="6" r="5" {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_whole_and_few_for_any_span() {
        let from = Timestamp::from_parts(1_780_469_749, 0);
        for seconds in [1, 30, 400, 7000, 19_500, 90_000, 700_000, 40_000_000, 4_000_000_000] {
            let axis = Axis::new(from, from + Span::from_secs(seconds));
            let marks = axis.marks();
            assert!(marks.len() <= 5 && (seconds < 2 || !marks.is_empty()), "{seconds} s: {marks:?}");
            assert!(marks.iter().all(|&at| (0.0..=1.0).contains(&axis.share(at))));
        }
        assert!(Axis::new(Timestamp::MIN, Timestamp::MAX).marks().len() <= 5);
        assert_eq!(Axis::new(from, from + Span::from_secs(19_500)).marks()[0].to_string(), "2026-06-03T08:00:00.000000+0000");
    }
}
