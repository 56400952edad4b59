//! Every way of scoring, over the same flows and the same ground truth.
//!
//! Learned from are the complete flows of the learning time, as the schema's features on auscult's own scale (logarithm, then
//! centre and spread of the learning time), held within ±12 spreads; of more than `--sample` flows a seeded sample. Scored is
//! every record of the judged time that `auscult eval` scores.

mod auscult_itself;
mod clusters;
mod mixture;
mod neighbours;
mod outliers;
mod recording;
mod sample;
mod table;

use std::path::PathBuf;

use auscult::dataset::FlowTuple;
use auscult::detect::{Part, Without};
use auscult::eval::{FlowScores, flow_auc};
use auscult::feature::Observation;
use auscult::model::{FlowSample, Vocabulary};
use auscult::pipeline::Stopwatch;
use auscult::time::Timestamp;

use auscult_itself::{Behaviours, Judgement};
use clusters::{Clustering, Found};
use recording::Recording;
use sample::Sample;
pub use table::{Ablation, Comparison};

/// What to compare on.
#[derive(Clone, Debug, clap::Parser)]
#[command(name = "compare")]
pub struct Options {
    /// The captures that are judged, each by itself; with --split also what is learned from.
    #[arg(required = true, value_name = "CAPTURE")]
    pub captures: Vec<PathBuf>,
    /// Learn from what is before, judge what is after.
    #[arg(long, value_name = "TIME", value_parser = auscult::time::parse, required_unless_present = "train")]
    pub split: Option<Timestamp>,
    /// Learn from this capture.
    #[arg(long, value_name = "CAPTURE", conflicts_with = "split")]
    pub train: Option<PathBuf>,
    /// Ground truth of every capture, in their order.
    #[arg(long, required = true, value_name = "CSV", value_delimiter = ',')]
    pub truth: Vec<PathBuf>,
    /// Seed of everything random.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Flows that the alternatives learn from at the most: as many as auscult's own clustering is given.
    #[arg(long, default_value_t = 8_000)]
    pub sample: usize,
    /// Leave out one part of auscult's evidence at a time.
    #[arg(long)]
    pub ablation: bool,
    /// Judge by behaviours of k-means and of mini-batch k-means with so many seeds, and nothing else.
    #[arg(long, value_name = "N", conflicts_with = "ablation")]
    pub seeds: Option<u64>,
    /// auscult without the rates of minutes and hours, which flows share with others of their host.
    #[arg(long)]
    pub without_host_context: bool,
}

impl Options {
    /// What auscult leaves out throughout.
    fn without(&self) -> Vec<Part> {
        if self.without_host_context { vec![Part::Minute, Part::Hour, Part::Events] } else { Vec::new() }
    }
}

/// One way of scoring and what it reached.
#[derive(Clone, Debug)]
pub struct Row {
    pub name: String,
    pub scores: FlowScores,
    pub fit_s: f64,
    pub score_us: f64,
    pub note: String,
}

/// auscult with these behaviours.
#[derive(Clone, Debug)]
pub struct Variant {
    pub name: String,
    pub judgement: Judgement,
    /// The same flows without the bits of rarity too, which hide what else is missing.
    pub without_rarity: Option<FlowScores>,
    pub note: String,
}

/// A clustering that was learned, and the seconds that it took.
struct Fitted {
    clustering: Clustering,
    found: Found,
    fit_s: f64,
}

/// Runs every way of scoring on every capture.
pub fn compare(options: &Options) -> anyhow::Result<Vec<Comparison>> {
    Recording::read(options)?.iter().map(|recording| compare_on(recording, options)).collect()
}

fn compare_on(recording: &Recording, options: &Options) -> anyhow::Result<Comparison> {
    let sample = Sample::of(recording, options)?;
    let fit = |clustering: Clustering| {
        let (found, fit_s) = timed(|| clustering.fit(&sample, options.seed))?;
        Ok(Fitted { clustering, found, fit_s })
    };
    let fitted = Clustering::ALL.into_iter().map(fit).collect::<anyhow::Result<Vec<Fitted>>>()?;
    let variants = variants(options, recording, &fitted)?;
    let mut comparing = Comparing { recording, sample: &sample, rows: Vec::new() };
    let itself = &variants[0].judgement;
    comparing.rows.push(Row {
        name: "auscult".to_owned(),
        scores: itself.flows.clone(),
        fit_s: itself.fit_s,
        score_us: itself.score_us,
        note: "with its incidents".to_owned(),
    });
    comparing.behaviours(options, &fitted)?;
    comparing.learners(options)?;
    comparing.rules()?;
    Ok(Comparison {
        name: recording.name.clone(),
        sample: sample.learned.len(),
        learned: recording.complete().len(),
        rows: comparing.rows,
        variants,
    })
}

fn timed<M>(work: impl FnOnce() -> anyhow::Result<M>) -> anyhow::Result<(M, f64)> {
    let watch = Stopwatch::start();
    let result = work()?;
    Ok((result, watch.seconds()))
}

fn variants(options: &Options, recording: &Recording, fitted: &[Fitted]) -> anyhow::Result<Vec<Variant>> {
    let without = Without::parts(&options.without());
    let judgement = |behaviours: Behaviours<'_>| {
        let learned = auscult_itself::learn(recording, options.seed, without, behaviours)?;
        auscult_itself::judge(recording, &learned, without)
    };
    let itself = judgement(Behaviours::Own)?;
    let mut variants = vec![Variant { name: "k-means".to_owned(), judgement: itself, without_rarity: None, note: String::new() }];
    for Fitted { clustering, found, .. } in fitted {
        let judgement = judgement(Behaviours::Found(found))?;
        variants.push(Variant { name: clustering.name().to_owned(), judgement, without_rarity: None, note: found.note() });
    }
    Ok(variants)
}

struct Comparing<'r> {
    recording: &'r Recording,
    sample: &'r Sample,
    rows: Vec<Row>,
}

impl Comparing<'_> {
    /// Scores with what was learned within so many seconds, and takes the time.
    fn add<M>(
        &mut self,
        name: &str,
        (model, fit_s): (&M, f64),
        score: impl Fn(&M, &Sample) -> Vec<f64>,
        note: String,
    ) -> anyhow::Result<()> {
        let (bits, score_s) = timed(|| Ok(score(model, self.sample)))?;
        let score_us = score_s * 1e6 / bits.len().max(1) as f64;
        let tuples = self.recording.judged().map(|(record, _)| FlowTuple::of(record));
        let truth = &self.recording.truth;
        let scores = flow_auc(tuples.zip(bits), truth, truth.first_attack())?;
        self.rows.push(Row { name: name.to_owned(), scores, fit_s, score_us, note });
        Ok(())
    }

    /// The distance to the nearest behaviour in that behaviour's radii, and whatever else a clustering gives by itself.
    fn behaviours(&mut self, options: &Options, fitted: &[Fitted]) -> anyhow::Result<()> {
        let recording = self.recording;
        let ratios = |vocabulary: &Vocabulary, _: &Sample| {
            recording.judged().map(|(_, seen)| f64::from(vocabulary.matches(seen).ratio)).collect::<Vec<_>>()
        };
        let flows = FlowSample::of(recording.complete()).into_flows();
        let flows: Vec<&Observation> = flows.iter().collect();
        let (own, fit_s) = timed(|| Ok(Vocabulary::fit(&flows, options.seed)?))?;
        self.add("k-means", (&own, fit_s), ratios, format!("{} behaviours", own.behaviours.len()))?;
        for Fitted { clustering, found, fit_s } in fitted {
            let (name, note) = (clustering.name(), found.note());
            match clustering {
                Clustering::MiniBatch => {
                    let learn = || Ok(Vocabulary::of_assignments(&flows, |scaled| Ok(found.assign(scaled)))?);
                    let (vocabulary, describe_s) = timed(learn)?;
                    self.add(name, (&vocabulary, fit_s + describe_s), ratios, note)?;
                    let plain = "its plain distance";
                    self.add(plain, (found, *fit_s), |found, sample| found.distances(&sample.judged), String::new())?;
                }
                Clustering::Mixture | Clustering::Dbscan => {
                    self.add(name, (found, *fit_s), |found, sample| found.distances(&sample.judged), note)?;
                }
                Clustering::Optics => {
                    self.add(name, (found, *fit_s), |found, sample| found.distances_to_centres(&sample.judged), note)?;
                }
            }
        }
        Ok(())
    }

    fn learners(&mut self, options: &Options) -> anyhow::Result<()> {
        let learned = &self.sample.learned;
        let (forest, fit_s) = timed(|| Ok(outliers::Forest::fit(learned, options.seed)))?;
        self.add("isolation forest", (&forest, fit_s), outliers::Forest::scores, "200 trees of 256".to_owned())?;
        self.add("nearest neighbours", (&(), 0.0), |(), sample| neighbours::distances(sample), "the 8th".to_owned())?;
        let (lof, fit_s) = timed(|| Ok(neighbours::Lof::fit(learned)))?;
        self.add("LOF", (&lof, fit_s), neighbours::Lof::scores, "20 neighbours".to_owned())?;
        let (ecod, fit_s) = timed(|| Ok(outliers::Ecod::fit(learned)))?;
        self.add("ECOD", (&ecod, fit_s), outliers::Ecod::scores, String::new())
    }

    fn rules(&mut self) -> anyhow::Result<()> {
        let recording = self.recording;
        let is_new = |known: &recording::Known, _: &Sample| recording.judged().map(|(_, seen)| known.is_new(seen)).collect();
        let (service, fit_s) = timed(|| Ok(recording.known(|seen| (seen.orig, seen.service, seen.orig))))?;
        self.add("new service", (&service, fit_s), is_new, String::new())?;
        let (peer, fit_s) = timed(|| Ok(recording.known(|seen| (seen.orig, seen.service, seen.resp))))?;
        self.add("new peer", (&peer, fit_s), is_new, String::new())?;
        let sent = |(): &(), _: &Sample| recording.judged().map(|(_, seen)| f64::from(seen.vector[sample::BYTES_SENT])).collect();
        self.add("bytes sent", (&(), 0.0), sent, String::new())
    }
}

/// auscult with behaviours of k-means and of mini-batch k-means, by seeds, on every capture; all are learned from by the first's.
pub fn seeds(options: &Options, seeds: u64) -> anyhow::Result<Vec<Ablation>> {
    let recordings = Recording::read(options)?;
    let without = Without::parts(&options.without());
    let of = |recording: &Recording| Ablation { name: recording.name.clone(), variants: Vec::new() };
    let mut tables: Vec<Ablation> = recordings.iter().map(of).collect();
    for seed in options.seed..options.seed + seeds {
        let sample = Sample::of(&recordings[0], &Options { seed, ..options.clone() })?;
        let found = Clustering::MiniBatch.fit(&sample, seed)?;
        for (name, behaviours) in [("k-means", Behaviours::Own), ("mini-batch k-means", Behaviours::Found(&found))] {
            let learned = auscult_itself::learn(&recordings[0], seed, without, behaviours)?;
            for (recording, table) in recordings.iter().zip(&mut tables) {
                let judgement = auscult_itself::judge(recording, &learned, without)?;
                let name = format!("{name}, seed {seed}");
                table.variants.push(Variant { name, judgement, without_rarity: None, note: String::new() });
            }
        }
    }
    Ok(tables)
}

/// auscult without one part at a time, on every capture. With --split each is learned from by itself, with --train all by the same.
pub fn ablation(options: &Options) -> anyhow::Result<Vec<Ablation>> {
    let recordings = Recording::read(options)?;
    let of = |recording: &Recording| Ablation { name: recording.name.clone(), variants: Vec::new() };
    let mut ablations: Vec<Ablation> = recordings.iter().map(of).collect();
    for (name, parts) in auscult_itself::PARTS {
        let mut parts: Vec<Part> = options.without().into_iter().chain(parts.iter().copied()).collect();
        let without = Without::parts(&parts);
        parts.push(Part::Rarity);
        let mut known: Option<auscult_itself::Learned> = None;
        for (recording, ablation) in recordings.iter().zip(&mut ablations) {
            let changed = recording.without(name);
            let recording = changed.as_ref().unwrap_or(recording);
            let learned = match known.take().filter(|_| options.train.is_some()) {
                Some(learned) => learned,
                None => auscult_itself::learn(recording, options.seed, without, Behaviours::Own)?,
            };
            let judgement = auscult_itself::judge(recording, &learned, without)?;
            let without_rarity = Some(auscult_itself::judge(recording, &learned, Without::parts(&parts))?.flows);
            ablation.variants.push(Variant { name: name.to_owned(), judgement, without_rarity, note: String::new() });
            known = Some(learned);
        }
    }
    Ok(ablations)
}
