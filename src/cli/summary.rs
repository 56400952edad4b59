//! What is said at the end of a run.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::alerts::plain;
use super::evidence::EvidenceReport;
use super::feed::Account;
use super::output::Written;
use crate::detect::{Counted, Gate, Notice, Standing, reason};
use crate::replay::Verdict;
use crate::report::text::counted;
use crate::sink::Report;

/// Devices told at the most.
const MOST: usize = 10;

/// The summary for people.
#[must_use]
pub fn text(accounting: &Account, verdict: &Verdict, (written, gate): (&Written, &Gate), seconds: f64) -> String {
    let mut page = String::new();
    let _ = writeln!(page, "{accounting}");
    let baseline = match (&verdict.trained_until, verdict.self_taught_flows) {
        (Some(until), _) => format!("a model trained until {until}"),
        (None, Some(flows)) => {
            let what = if accounting.noun() == "capture" { "this capture taught itself" } else { "these records taught" };
            format!("what {what} ({flows} records; give --model to judge by the past)")
        }
        (None, None) => match &verdict.too_little {
            Some(why) => format!("what is an attack on any network alone: {why}; give --model to judge by the past"),
            None => "nothing: no judging".to_owned(),
        },
    };
    let _ = writeln!(page, "judged   by {baseline}");
    if let (Some(threshold), Some(unusual)) = (verdict.threshold, verdict.unusual_threshold) {
        let how = if verdict.resolved { "" } else { "; the learning time is too short to show that, so the tail was extended" };
        let budget = verdict.budget_per_day;
        let loud = verdict
            .loud
            .map(|(class, bits)| format!(", {bits:.1} for {}, which was frequent while it learned", class.info().title));
        let _ = writeln!(
            page,
            "budget   {budget:.2} incidents a day, threshold {threshold:.1} bits, {unusual:.1} for what is merely unusual{}{how}",
            loud.unwrap_or_default()
        );
    }
    if let Some((learned, beyond)) = verdict.learned {
        let more = if beyond > 0 { format!("; {beyond} beyond these were not") } else { String::new() };
        let _ = writeln!(page, "learned  from {learned} observations before it judged{more}");
    }
    if verdict.versions > 0 {
        let _ = writeln!(page, "adapted  {} new versions of the model", verdict.versions);
    }
    if let Some((known, unknown)) = verdict.misfit {
        let _ = writeln!(
            page,
            "warning  the model does not fit: of the devices at home in the last hours it knows {known} and does not know {unknown}; \
             what is new to it is told of these only where much more speaks for it ({} times held back); train a model of this network",
            verdict.counters.held_back
        );
    }
    let (incidents, lines) = (counted(verdict.counters.incidents, "incident"), counted(verdict.counters.notices, "line"));
    let _ = writeln!(page, "alerts   {incidents} in {lines}");
    page.push_str(&hidden_lines(gate));
    for notice in &written.foremost {
        page.push_str(&incident_line(notice));
    }
    let others = gate.told.incidents.saturating_sub(written.foremost.len() as u64);
    if others > 0 {
        let _ = writeln!(page, "         … and {others} more, less severe or with fewer bits");
    }
    if !verdict.ranks.is_empty() {
        let _ = writeln!(page, "devices by their most unusual five minutes:");
        for rank in verdict.ranks.iter().take(MOST) {
            let _ = writeln!(page, "  {:8.1} bits  {:<39}  {}", rank.bits, rank.host.to_string(), rank.class.info().name);
        }
    }
    page.push_str(&written.evidence.as_ref().map(EvidenceReport::text).unwrap_or_default());
    let _ = writeln!(page, "took     {seconds:.2} s ({})", accounting.rate(seconds));
    page
}

/// What answers hid: all of it, then by answer and class.
#[must_use]
pub fn hidden_lines(gate: &Gate) -> String {
    let mut page = String::new();
    let all = gate.all_hidden();
    if all.lines == 0 {
        return page;
    }
    let _ = writeln!(
        page,
        "hidden   {} of these incidents and {} of these lines by answers; told {} in {}",
        all.incidents, all.lines, gate.told.incidents, gate.told.lines
    );
    for (&(number, class), counted) in &gate.hidden {
        let Some(Standing { answer, .. }) = gate.answers().get(number) else { continue };
        let reason = if answer.reason.is_empty() { String::new() } else { format!(": {}", answer.reason) };
        let (kind, by, class) = (answer.answer.name(), &answer.by, class.info().name);
        let Counted { incidents, lines } = counted;
        page.push_str(&plain(&format!("         answer {number}, {kind} by {by}{reason}: {incidents} {class} in {lines} lines")));
    }
    page
}

/// The same for programs.
#[must_use]
pub fn hidden_stats(gate: &Gate) -> Value {
    let of = |counted: Counted| json!({"incidents": counted.incidents, "lines": counted.lines});
    let by_answer = gate.hidden.iter().map(|(&(number, class), counted)| {
        let kind = gate.answers().get(number).map(|standing| standing.answer.answer.name());
        json!({"answer": number, "kind": kind, "class": class.info().name, "incidents": counted.incidents, "lines": counted.lines})
    });
    json!({"answers": gate.answers().len(), "told": of(gate.told), "hidden": of(gate.all_hidden()), "by_answer": by_answer.collect::<Vec<_>>()})
}

fn incident_line(notice: &Notice) -> String {
    let incident = &notice.incident;
    let peers = incident.ranked_peers();
    let first = peers.first().map(|&peer| notice.shown(peer).to_string()).unwrap_or_default();
    let more = if peers.len() > 1 { format!(" and {} more", peers.len() - 1) } else { String::new() };
    let info = incident.class.info();
    let severity = match info.severity {
        1 => "high",
        2 => "medium",
        _ => "low",
    };
    // What is told of ARP and neighbour discovery is of no flow.
    let seen = counted(incident.flows, if incident.flow.is_link() { "packet" } else { "flow" });
    let (bits, title, host) = (incident.bits, info.title, notice.shown(incident.host));
    let mut line = format!("  {severity:<6} {bits:7.1} bits  {title}: {host} <> {first}{more}, {seen}\n");
    if let Some(cause) = incident.reasons.first() {
        let _ = writeln!(line, "                       {}", reason(cause).text);
    }
    line
}

/// The accounting for programs.
#[must_use]
pub fn stats(accounting: &Account, verdict: &Verdict, gate: &Gate, written: &Written) -> Value {
    let counters = &verdict.counters;
    let delivery = |to: &Report| json!({"target": to.target, "delivered": to.delivered, "waiting": to.waiting, "dropped": to.dropped, "refused": to.refused});
    let mut stats = json!({
        accounting.noun(): accounting.json(),
        "detector": {
            "observations": counters.observations, "incidents": counters.incidents, "alert_lines": counters.notices,
            "repeats": counters.repeats, "held_back": counters.held_back, "cases_refused": counters.cases_refused, "stories_refused": counters.stories_refused, "flows_released_early": counters.released_early,
            "threshold_bits": verdict.threshold, "unusual_threshold_bits": verdict.unusual_threshold,
            "loud_class": verdict.loud.map(|(class, bits)| json!({"class": class.info().name, "threshold_bits": bits})), "budget_per_day": verdict.budget_per_day,
            "budget_resolved": verdict.resolved, "model_fits": verdict.misfit.is_none(), "self_taught_records": verdict.self_taught_flows,
        },
        "deliveries": written.deliveries.iter().map(delivery).collect::<Vec<_>>(),
        "answers": hidden_stats(gate),
    });
    if let Some(evidence) = &written.evidence {
        stats["evidence"] = json!(evidence.account);
    }
    stats
}
