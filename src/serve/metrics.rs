//! What Prometheus asks for. No label holds an address or a name from the network.

use std::fmt::{Display, Write as _};

use super::board::Board;
use super::health::Pulse;
use super::histogram::BOUNDS_S;
use crate::pipeline::{Accounting, PublishGauge, now};
use crate::sink::SinkState;

/// A page of metrics that is being written.
#[derive(Default)]
struct Page(String);

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = write!(self.0, "# HELP auscult_{name} {help}\n# TYPE auscult_{name} {kind}\n");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let escaped = |value: &str| value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let labels: Vec<String> = labels.iter().map(|(label, value)| format!("{label}=\"{}\"", escaped(value))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.0, "auscult_{name}{labels} {value}");
    }

    fn one(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.family(name, kind, help);
        self.sample(name, &[], value);
    }
}

/// All metrics in the text format of Prometheus.
pub(super) fn text(board: &Board, pulse: &Pulse) -> String {
    let mut page = Page::default();
    page.family("build_info", "gauge", "The program's version.");
    page.sample("build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
    capture(&mut page, pulse);
    page.family("alerts_total", "counter", "Alert lines that were told, by class and severity (1 is the highest).");
    for (class, count) in &board.told {
        let info = class.info();
        page.sample("alerts_total", &[("class", info.name), ("severity", &info.severity.to_string())], count);
    }
    page.family("alerts_hidden_total", "counter", "Alert lines that an answer hid, by class.");
    for (class, count) in &board.hidden {
        page.sample("alerts_hidden_total", &[("class", class.info().name)], count);
    }
    page.family("incidents_open", "gauge", "Incidents that are told and not closed, by severity.");
    for (severity, count) in ["1", "2", "3"].into_iter().zip(board.open_by_severity()) {
        page.sample("incidents_open", &[("severity", severity)], count);
    }
    page.one("learning", "gauge", "1 while nothing is judged yet.", u8::from(!board.is_judging()));
    let trained = board.context.as_ref().and_then(|context| crate::time::parse(&context.trained_until).ok());
    if let Some(trained) = trained {
        let age = now().since(trained).as_seconds().max(0.0);
        page.one("model_age_seconds", "gauge", "Since the last packet that the model learned from.", age);
    }
    scores(&mut page, pulse);
    sinks(&mut page, pulse);
    published(&mut page, pulse);
    page.family("guard_in_force", "gauge", "1 where a part of what guards the program holds, 0 where it does not.");
    for (part, holds) in &pulse.vitals().guarded {
        page.sample("guard_in_force", &[("part", part)], u8::from(*holds));
    }
    page.one("page_missed_total", "counter", "Flows and sightings that the live page missed; they were judged.", board.missed());
    page.0
}

fn capture(page: &mut Page, pulse: &Pulse) {
    let vitals = pulse.vitals();
    let (account, now) = vitals.gauges.account();
    let interface = vitals.interface.as_deref().unwrap_or("files");
    page.family("capture_packets_total", "counter", "Packets taken, by interface.");
    page.sample("capture_packets_total", &[("iface", interface)], account.packets);
    page.family("capture_bytes_total", "counter", "Bytes of these on the wire.");
    page.sample("capture_bytes_total", &[("iface", interface)], account.wire_bytes);
    drops(page, &account);
    hearing(page, pulse, &account);
    page.family("capture_skipped_total", "counter", "Frames passed over, by reason.");
    for (reason, count) in account.skips() {
        page.sample("capture_skipped_total", &[("reason", reason)], count);
    }
    if let Some(now) = now {
        page.one("capture_time_seconds", "gauge", "The capture's clock, as seconds since 1970.", now.nanos() as f64 / 1e9);
    }
    page.one("flows_active", "gauge", "Flows open.", account.flows.open);
    page.family("flow_evictions_total", "counter", "Flows ended early, by reason.");
    page.sample("flow_evictions_total", &[("reason", "table_full")], account.flows.evicted);
}

/// What was lost before it could be judged. What is let go under overload is let go of all interfaces' flows together.
fn drops(page: &mut Page, account: &Accounting) {
    page.family(
        "capture_received_total",
        "counter",
        "Frames that the kernel had for this program, dropped ones included, by interface.",
    );
    for of in &account.interfaces {
        page.sample("capture_received_total", &[("iface", &of.interface)], of.kernel.received);
    }
    page.family(
        "capture_drops_total",
        "counter",
        "Frames lost before they could be judged, by reason, and by interface where it has one.",
    );
    for of in &account.interfaces {
        for (reason, count) in [("kernel", of.kernel.dropped_kernel), ("interface", of.kernel.dropped_interface)] {
            page.sample("capture_drops_total", &[("iface", &of.interface), ("reason", reason)], count);
        }
    }
    page.sample("capture_drops_total", &[("reason", "shed")], account.shed);
}

/// How well the network is heard.
fn hearing(page: &mut Page, pulse: &Pulse, account: &Accounting) {
    let condition = pulse.vitals().gauges.condition();
    page.one(
        "capture_degraded",
        "gauge",
        "1 while loss is above the limit or an interface is away.",
        u8::from(condition.is_degraded),
    );
    page.one("capture_tcp_bytes_total", "counter", "Bytes of payload of TCP that were captured.", account.tcp.bytes);
    let help = "Bytes of TCP that were acknowledged and never captured.";
    page.one("capture_tcp_missing_bytes_total", "counter", help, account.tcp.missing_bytes);
    page.family("capture_frames_total", "counter", "Frames read, by interface.");
    for of in &account.interfaces {
        page.sample("capture_frames_total", &[("iface", &of.interface)], of.frames);
    }
    page.family("capture_unheard_seconds_total", "counter", "How long an interface was down or away.");
    for of in &account.interfaces {
        page.sample("capture_unheard_seconds_total", &[("iface", &of.interface)], of.unheard.as_seconds());
    }
    page.family("capture_up", "gauge", "0 while an interface is down or away.");
    for of in &account.interfaces {
        page.sample("capture_up", &[("iface", &of.interface)], u8::from(!of.is_away));
    }
}

fn scores(page: &mut Page, pulse: &Pulse) {
    let (counts, sum) = pulse.vitals().judged.cumulative();
    page.family("score_seconds", "histogram", "How long judging what came between two ticks took.");
    for (bound, count) in BOUNDS_S.iter().map(ToString::to_string).chain(["+Inf".to_owned()]).zip(counts) {
        page.sample("score_seconds_bucket", &[("le", &bound)], count);
    }
    page.sample("score_seconds_sum", &[], sum);
    page.sample("score_seconds_count", &[], counts[BOUNDS_S.len()]);
}

/// Takes one figure of publishing.
type Published = fn(&PublishGauge) -> u64;

/// Flow records on their way to a stream, where they are published.
fn published(page: &mut Page, pulse: &Pulse) {
    let gauge = pulse.vitals().gauges.published();
    let families: [(&str, &str, &str, Published); 10] = [
        ("records_total", "counter", "Flow records that were to be published.", |gauge| gauge.records),
        ("copies_total", "counter", "Copies of them that went into messages, one or two each.", |gauge| gauge.copies),
        ("lost_total", "counter", "Copies of them that were lost, since the spool was full.", |gauge| gauge.lost),
        ("messages_total", "counter", "Messages that the spool took.", |gauge| gauge.messages),
        ("bytes_total", "counter", "Bytes of these messages.", |gauge| gauge.bytes),
        ("acknowledged_total", "counter", "Messages that a stream keeps.", |gauge| gauge.acknowledged),
        ("waiting", "gauge", "Messages that wait in the spool.", |gauge| gauge.waiting),
        ("spool_bytes", "gauge", "Bytes of the spool.", |gauge| gauge.spool_bytes),
        ("failures_total", "counter", "How often a server did not take messages.", |gauge| gauge.failures),
        ("up", "gauge", "0 while the latest attempt has failed.", |gauge| u64::from(!gauge.is_away)),
    ];
    for (name, kind, help, value) in families {
        let name = format!("publish_{name}");
        page.family(&name, kind, help);
        gauge.iter().for_each(|gauge| page.sample(&name, &[], value(gauge)));
    }
}

/// Takes one figure of a target.
type Figure = fn(&SinkState) -> u64;

fn sinks(page: &mut Page, pulse: &Pulse) {
    let sinks: Vec<_> = pulse.vitals().sinks.iter().map(|gauge| (gauge, gauge.state())).collect();
    let families: [(&str, &str, &str, Figure); 7] = [
        ("sent_total", "counter", "Alerts that a target took, by target: confirmed, or written.", |state| state.sent),
        ("waiting", "gauge", "Alerts that wait in a target's spool.", |state| state.waiting),
        ("spool_bytes", "gauge", "Bytes of a target's spool.", |state| state.spool_bytes),
        ("dropped_total", "counter", "Alerts that went unsent to make room in the spool.", |state| state.dropped),
        ("refused_total", "counter", "Alerts that a target will never take.", |state| state.refused),
        ("failures_total", "counter", "How often writing or sending failed.", |state| state.failures),
        ("up", "gauge", "0 while the latest attempt of a target has failed.", |state| u64::from(!state.is_away)),
    ];
    for (name, kind, help, value) in families {
        let name = format!("sink_{name}");
        page.family(&name, kind, help);
        for (number, (gauge, state)) in (1_usize..).zip(&sinks) {
            let number = number.to_string();
            page.sample(&name, &[("sink", &number), ("format", gauge.format), ("kind", gauge.kind)], value(state));
        }
    }
}
