//! Traffic, what was lost of it, and unusual flows over time.

use maud::{Markup, html};

use super::Page;
use super::svg::{Axis, percent, pixels};
use crate::feature::size_in_words;
use crate::report::text::{clock_short, counted, number, span};
use crate::report::traffic::Step;
use crate::time::Timestamp;

const BYTES_HEIGHT: f64 = 120.0;
const STRIP_HEIGHT: f64 = 44.0;
const HEAD: f64 = 20.0;

/// A strip of bars.
struct Strip<'a> {
    name: &'static str,
    class: &'static str,
    height: f64,
    value: fn(&Step) -> f64,
    most: String,
    top: f64,
    steps: &'a [(Timestamp, Step)],
}

/// The plot; nothing where no flow is known.
pub fn section(page: &Page<'_>) -> Option<Markup> {
    let gather = &page.report.gather;
    let steps = gather.traffic.steps();
    let (from, to) = gather.traffic.span?;
    let length = gather.traffic.length();
    let (first, last) = (steps.first()?.0, steps.last()?.0 + length);
    let most = |value: fn(&Step) -> f64| steps.iter().map(|(_, step)| value(step)).fold(0.0, f64::max);
    let per_second = |bytes: f64| format!("{} a second", size_in_words(bytes / length.as_seconds().max(1.0)));
    let mut strips = vec![Strip {
        name: "Traffic",
        class: "bytes",
        height: BYTES_HEIGHT,
        value: |step| step.bytes,
        most: per_second(most(|step| step.bytes)),
        top: 0.0,
        steps: &steps,
    }];
    if gather.tells_bits {
        let most = format!("{} in {}", number(most(|step| step.unusual as f64)), span(length));
        strips.push(Strip {
            name: "Unusual flows",
            class: "unusual",
            height: STRIP_HEIGHT,
            value: |step| step.unusual as f64,
            most,
            top: 0.0,
            steps: &steps,
        });
    }
    if gather.tells_loss {
        let most = format!("{} in {}", size_in_words(most(|step| step.missing_bytes)), span(length));
        strips.push(Strip {
            name: "Sent but not seen",
            class: "missing",
            height: STRIP_HEIGHT,
            value: |step| step.missing_bytes,
            most,
            top: 0.0,
            steps: &steps,
        });
    }
    let mut top = 0.0;
    for strip in &mut strips {
        strip.top = top;
        top += HEAD + strip.height + 10.0;
    }
    let axis = Axis::new(first, last);
    let quiet = steps.iter().filter(|(_, step)| step.bytes <= 0.0).count();
    Some(html! {
        p {
            (size_in_words(gather.traffic.sum.bytes)) " in " (counted(gather.traffic.packets, "packet")) " and "
            (counted(gather.flows, "flow record")) " within " (span(to.since(from))) "; each bar is " (span(length)) ". "
            @if quiet > 0 { (quiet) " of " (steps.len()) " such steps were without any traffic. " }
            @if gather.tells_loss { (loss(&gather.traffic.sum)) }
        }
        figure {
            svg class="plot traffic" width="100%" height=(pixels(top + 20.0)) role="img" aria-labelledby="traffic-title" {
                title id="traffic-title" { "Traffic over time, and below it unusual flows and bytes that were sent but not seen" }
                (axis.draw(0.0, top))
                @for strip in &strips { (draw(strip)) }
            }
        }
        details { summary { "The busiest steps in figures" } (busiest(&steps)) }
    })
}

fn loss(sum: &Step) -> String {
    if sum.missing_bytes <= 0.0 {
        return String::from("By the sequence numbers of TCP nothing that was sent was missed.");
    }
    let share = 100.0 * sum.missing_bytes / (sum.bytes + sum.missing_bytes);
    format!(
        "By the sequence numbers of TCP {} ({}\u{a0}%) were sent and not seen: lost at the mirror port, or cut out of the capture.",
        size_in_words(sum.missing_bytes),
        number(share)
    )
}

fn draw(strip: &Strip<'_>) -> Markup {
    let most = strip.steps.iter().map(|(_, step)| (strip.value)(step)).fold(0.0, f64::max);
    let count = strip.steps.len().max(1) as f64;
    let ground = strip.top + HEAD + strip.height;
    html! {
        g {
            text class="row-label" x="0" y=(pixels(strip.top + 13.0)) { (strip.name) }
            text class="muted small" x="100%" y=(pixels(strip.top + 13.0)) text-anchor="end" { @if most > 0.0 { "highest: " (strip.most) } @else { "none" } }
            @for (place, (_, step)) in strip.steps.iter().enumerate() {
                @let value = (strip.value)(step);
                @if value > 0.0 && most > 0.0 {
                    @let height = (strip.height * value / most).max(1.0);
                    rect class=(strip.class) x=(percent(place as f64 / count)) width=(percent(0.86 / count)) y=(pixels(ground - height)) height=(pixels(height)) {}
                }
            }
            line class="rule" x1="0" x2="100%" y1=(pixels(ground)) y2=(pixels(ground)) {}
        }
    }
}

fn busiest(steps: &[(Timestamp, Step)]) -> Markup {
    const MOST_ROWS: usize = 12;
    let mut ranked: Vec<_> = steps.iter().filter(|(_, step)| step.bytes > 0.0).collect();
    ranked.sort_by(|a, b| b.1.bytes.total_cmp(&a.1.bytes).then(a.0.cmp(&b.0)));
    ranked.truncate(MOST_ROWS);
    ranked.sort_by_key(|(at, _)| *at);
    let rows: Vec<_> = ranked
        .iter()
        .map(|(at, step)| {
            let day = crate::report::text::day(*at);
            vec![
                super::table::text(format!("{day}, {}", clock_short(*at))),
                super::table::figure(size_in_words(step.bytes)),
                super::table::figure(step.flows),
                super::table::figure(step.unusual),
                super::table::figure(size_in_words(step.missing_bytes)),
            ]
        })
        .collect();
    super::table::table("Steps with most traffic", &["From", "Traffic", "Flow records", "Unusual", "Sent but not seen"], &rows)
}
