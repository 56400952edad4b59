//! `auscult eval`.

use std::collections::BTreeSet;
use std::io::Write as _;

use anyhow::Context as _;
use serde_json::json;

use super::args::EvalArgs;
use super::exit::Outcome;
use super::judge::judge;
use super::plan::mode;
use super::progress::Bar;
use super::setup;
use crate::alert::AlertContext;
use crate::dataset::{self, FlowTuple, Truth};
use crate::detect::{DetectorConfig, Notice, ScoredFlow};
use crate::eval::{AlertLine, Judged, addresses_in, episodes, flow_auc};
use crate::pipeline::Progress;
use crate::replay::Output;
use crate::wire::Addr;

/// Judges captures or flow records and scores the result against ground truth.
///
/// # Errors
/// Files, a model or a truth that cannot be read; nothing to score.
pub fn run(args: &EvalArgs) -> anyhow::Result<Outcome> {
    let mode = mode(&args.judge)?;
    let truth = truth(args)?;
    let mut source = setup::opened(&args.inputs, &args.flow, &args.time)?;
    let mut scores = Scores { flows: Vec::new(), alerts: Vec::new(), bar: Bar::of(source.size()) };
    let (_, damage, verdict) = judge(source.feed(), mode, DetectorConfig { score_flows: true }, (&mut scores, None))?;
    scores.bar.clear();
    verdict?;
    // Without an attack there is nothing to rank flows against, but false alerts there may be.
    let flows = truth.first_attack().map(|first| flow_auc(scores.flows.into_iter(), &truth, Some(first))).transpose();
    let flows = flows.context("scoring flows")?;
    let hosts = args.hosts.as_deref().map(addresses_in).transpose().context("--hosts")?;
    let judged = Judged { from: args.time.from, to: args.time.to, hosts, ..Judged::default() };
    let alerts = episodes(&scores.alerts, &truth, &judged);
    let page = match &flows {
        _ if args.json => format!("{:#}\n", json!({"flows": flows, "alerts": alerts})),
        Some(flows) => format!("{flows}\n{alerts}\n"),
        None => format!("no attack in the ground truth: flows are not scored\n{alerts}\n"),
    };
    std::io::stdout().write_all(page.as_bytes()).context("standard output")?;
    let mut outcome = Outcome::default();
    outcome.add_damage(&damage);
    Ok(outcome)
}

fn truth(args: &EvalArgs) -> anyhow::Result<Truth> {
    let name = args.truth.display().to_string();
    let file = dataset::open(&args.truth).with_context(|| name.clone())?;
    Ok(match &args.file {
        Some(capture) => Truth::read_for(file, &name, capture)?,
        None => Truth::read(file, &name)?,
    })
}

struct Scores {
    flows: Vec<(FlowTuple, f64)>,
    alerts: Vec<AlertLine>,
    bar: Bar,
}

impl Output for Scores {
    fn begin(&mut self, _context: &AlertContext) {}

    fn notice(&mut self, notice: &Notice) {
        let incident = &notice.incident;
        let subjects: BTreeSet<Addr> = [incident.flow.orig.0, incident.host.0].into();
        let others: BTreeSet<Addr> = incident.peers.keys().map(|peer| peer.0).chain([incident.flow.resp.0]).collect();
        self.alerts.push(AlertLine {
            incident: format!("{:016x}", incident.id),
            raised: notice.raised,
            first: incident.first,
            last: incident.last,
            subjects: subjects.into_iter().collect(),
            others: others.into_iter().collect(),
        });
    }

    fn flow(&mut self, flow: &ScoredFlow, _behaviour: &str) {
        let record = &flow.record;
        let tuple = FlowTuple {
            src: record.orig_addr(),
            dst: record.resp_addr(),
            src_port: record.orig_port(),
            dst_port: record.resp_port(),
            protocol: record.key.protocol,
            start: record.start,
            end: record.end,
        };
        self.flows.push((tuple, flow.bits));
    }

    fn progress(&mut self, progress: Progress) {
        self.bar.set(progress);
    }
}
