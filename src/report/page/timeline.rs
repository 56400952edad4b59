//! Incidents over time, a row per device.

use maud::{Markup, html};

use super::svg::{Axis, percent, pixels};
use super::{Page, anchor};
use crate::feature::Host;
use crate::report::event::Told;
use crate::report::text::{clock, counted};
use crate::time::Timestamp;

/// Rows at the most: devices with the strongest incidents.
const MOST_ROWS: usize = 16;
/// Incidents drawn in a row at the most: the strongest.
const MOST_IN_ROW: usize = 60;
/// Lanes of a row at the most; what overlaps more lies upon another.
const MOST_LANES: usize = 5;
const LABEL: f64 = 22.0;
const LANE: f64 = 14.0;
const GAP: f64 = 12.0;

struct Row<'a> {
    host: Host,
    marks: Vec<(&'a Told, usize)>,
    left_out: usize,
    top: f64,
    lanes: usize,
}

/// The plot.
pub fn section(page: &Page<'_>) -> Option<Markup> {
    let (from, to) = page.span()?;
    let axis = Axis::new(from, to);
    let rows = rows(page, axis);
    if rows.is_empty() {
        return None;
    }
    let bottom = rows.last().map_or(0.0, |row| row.top + LABEL + LANE * row.lanes as f64 + GAP);
    let more = page.hosts.len() - rows.len();
    Some(html! {
        p { "Each mark is an incident, from its first to its last packet; it leads to what is told of it. Times are UTC." }
        figure {
            svg class="plot timeline" width="100%" height=(pixels(bottom + 24.0)) role="group" aria-labelledby="timeline-title" {
                title id="timeline-title" { "Incidents over time, a row per device" }
                (axis.draw(0.0, bottom))
                @for row in &rows { (draw(page, row, axis)) }
            }
            (legend())
        }
        @if more > 0 { p class="more" { "and " (counted(more as u64, "more device")) "." } }
    })
}

fn rows<'a>(page: &'a Page<'_>, axis: Axis) -> Vec<Row<'a>> {
    let mut top = 0.0;
    let mut rows = Vec::new();
    for (host, told) in page.hosts.iter().take(MOST_ROWS) {
        let mut strongest: Vec<&Told> = told.clone();
        strongest.sort_by(|a, b| b.bits.total_cmp(&a.bits).then(a.first.cmp(&b.first)).then(a.id.cmp(&b.id)));
        strongest.truncate(MOST_IN_ROW);
        strongest.sort_by(|a, b| a.first.cmp(&b.first).then(a.id.cmp(&b.id)));
        let mut ends: Vec<f64> = Vec::new();
        let mut marks = Vec::new();
        for told in strongest {
            let (start, end) = ends_of(axis, told.first, told.last);
            let free = ends.iter().position(|&last| last + 0.004 <= start);
            let lane = free.unwrap_or_else(|| ends.len().min(MOST_LANES - 1));
            if lane == ends.len() {
                ends.push(end);
            } else {
                ends[lane] = ends[lane].max(end);
            }
            marks.push((told, lane));
        }
        let lanes = ends.len().max(1);
        rows.push(Row { host: *host, left_out: told.len() - marks.len(), marks, top, lanes });
        top += LABEL + LANE * lanes as f64 + GAP;
    }
    rows
}

/// Where a mark begins and ends: wide enough to be seen and hit.
fn ends_of(axis: Axis, first: Timestamp, last: Timestamp) -> (f64, f64) {
    const LEAST: f64 = 0.03;
    let start = axis.share(first).min(1.0 - LEAST);
    (start, axis.share(last).max(start + LEAST))
}

fn draw(page: &Page<'_>, row: &Row<'_>, axis: Axis) -> Markup {
    let label = page.label(row.host);
    html! {
        g {
            line class="rule" x1="0" x2="100%" y1=(pixels(row.top)) y2=(pixels(row.top)) {}
            text class="row-label" x="0" y=(pixels(row.top + 15.0)) {
                (label)
                @if row.left_out > 0 { tspan class="muted" { "  and " (row.left_out) " weaker" } }
            }
            @for (told, lane) in &row.marks {
                @let (start, end) = ends_of(axis, told.first, told.last);
                @if page.selection.has_place(told) {
                    a href={ "#" (anchor(told)) } { (mark(told, &label, start, end, row.top + LABEL + LANE * *lane as f64)) }
                } @else {
                    g { (mark(told, &label, start, end, row.top + LABEL + LANE * *lane as f64)) }
                }
            }
        }
    }
}

fn mark(told: &Told, label: &str, start: f64, end: f64, y: f64) -> Markup {
    html! {
        title { (told.title) ", " (clock(told.first)) " to " (clock(told.last)) ", " (format!("{:.1}", told.bits)) " bits: " (label) }
        rect class={ "mark sev" (told.severity) } x=(percent(start)) width=(percent(end - start)) y=(pixels(y)) height="10" rx="5" {}
    }
}

/// What the colours mean.
pub fn legend() -> Markup {
    html! {
        figcaption class="legend" {
            @for (severity, name) in [(1, "high"), (2, "medium"), (3, "low")] {
                span {
                    svg width="18" height="10" aria-hidden="true" { rect class={ "mark sev" (severity) } width="18" height="10" rx="5" {} }
                    " severity " (name)
                }
            }
        }
    }
}
