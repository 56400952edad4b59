//! `auscult eval`.

use std::io::Write as _;

use anyhow::Context as _;
use serde_json::json;

use super::args::EvalArgs;
use super::exit::Outcome;
use super::judge::judge;
use super::plan::{Plan, mode};
use super::progress::Bar;
use super::setup;
use crate::alert::AlertContext;
use crate::dataset::{self, FlowTuple, Truth};
use crate::detect::{DetectorConfig, Notice, ScoredFlow};
use crate::eval::{AlertLine, Judged, addresses_in, episodes, flow_auc};
use crate::pipeline::Progress;
use crate::replay::Output;

/// Judges captures or flow records and scores the result against ground truth.
///
/// # Errors
/// Files, a model or a truth that cannot be read; nothing to score.
pub fn run(args: &EvalArgs) -> anyhow::Result<Outcome> {
    let mode = mode(&args.judge, None)?;
    let truth = truth(args)?;
    let mut source = setup::opened(&args.inputs, &args.flow, &args.time)?;
    let mut scores = Scores { flows: Vec::new(), alerts: Vec::new(), bar: Bar::of(source.size()) };
    let detector = DetectorConfig { score_flows: true, ..DetectorConfig::default() };
    let (_, damage, verdict) = judge(source.feed(), &mut Plan::only(mode, None), detector, (&mut scores, None))?;
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
        self.alerts.push(AlertLine::of(notice));
    }

    fn flow(&mut self, flow: &ScoredFlow, _behaviour: &str) {
        self.flows.push((FlowTuple::of(&flow.record), flow.bits));
    }

    fn progress(&mut self, progress: Progress) {
        self.bar.set(progress);
    }
}
