//! `auscult train`.

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::Path;

use anyhow::Context as _;
use sha2::{Digest, Sha256};

use super::args::TrainArgs;
use super::exit::Outcome;
use super::progress::Bar;
use super::{setup, stop};
use crate::capture::Input;
use crate::feature::hex;
use crate::model::{Budget, Model, Source, card};
use crate::pipeline::Progress;
use crate::train::{Course, Listener};

/// Learns a model and writes it.
///
/// # Errors
/// Files that cannot be opened, too little to learn from, a file that cannot be written.
pub fn run_train(args: &TrainArgs) -> anyhow::Result<Outcome> {
    let mut files = setup::opened(&args.inputs, &args.flow, &args.time)?;
    let sources = files.inputs().into_iter().map(source).collect::<anyhow::Result<Vec<_>>>()?;
    let bar = Bar::of(files.size());
    let mut on_progress = |progress: Progress| bar.set(progress);
    let mut listener = Listener::new(&mut on_progress);
    let stop = stop::on_signals()?;
    let (accounting, damage) = files.feed().run(None, &mut listener, &stop);
    let lesson = listener.lesson;
    bar.clear();
    eprintln!("{accounting}");
    if lesson.not_kept > 0 {
        eprintln!(
            "warning  {} flow records beyond the first {} were not learned from",
            lesson.not_kept,
            lesson.observations.len()
        );
    }
    let budget = args.alert_budget.map(|per_day| Budget { per_day });
    let (home_nets, records) = (args.flow.home_net.clone(), files.learned_kinds(&accounting));
    let course = Course { seed: args.seed, budget, sources, home_nets, records };
    let model = lesson.into_model(&course).context("nothing was learned")?;
    save(&model, &args.out)?;
    eprint!("{}", card(&model));
    eprintln!("written  {}", args.out.display());
    let mut outcome = Outcome::default();
    outcome.add_damage(&damage);
    Ok(outcome)
}

/// Writes the model beside its place and moves it there, so that a reader never sees half of one.
pub fn save(model: &Model, path: &Path) -> anyhow::Result<()> {
    let place = || format!("{}: cannot be written", path.display());
    let mut name = path.file_name().with_context(place)?.to_owned();
    name.push(".new");
    let beside = path.with_file_name(name);
    let file = File::create(&beside).with_context(place)?;
    model.save(BufWriter::new(file)).with_context(place)?;
    std::fs::rename(&beside, path).with_context(place)
}

/// Name, size and digest of a file; standard input has only a name.
pub(super) fn source(input: &Input) -> anyhow::Result<Source> {
    let Input::Path(path) = input else {
        return Ok(Source { name: input.name(), bytes: 0, sha256: None });
    };
    let mut sha = Sha256::new();
    let mut reader = File::open(path).with_context(|| path.display().to_string())?;
    let bytes = io::copy(&mut reader, &mut sha).with_context(|| path.display().to_string())?;
    Ok(Source { name: input.name(), bytes, sha256: Some(hex(&sha.finalize())) })
}
