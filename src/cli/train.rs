//! `auscult train`.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::UNIX_EPOCH;

use anyhow::Context as _;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::args::{FlowArgs, TrainArgs};
use super::exit::{Outcome, Usage};
use super::feed::Opened;
use super::fleet::Training;
use super::hidden::{Hidden, Veiled};
use super::plan::learned_as;
use super::progress::Stages;
use super::{setup, stop};
use crate::capture::Input;
use crate::feature::hex;
use crate::model::{Budget, Model, Source, card};
use crate::train::{Course, Found, Job, JobInput, Listener, Reading, Scratch, Spool, Spooled, Step, Together, TrainError};

/// Learns a model and writes it.
///
/// # Errors
/// Files that cannot be opened, too little to learn from, a file that cannot be written.
pub fn run_train(args: &TrainArgs) -> anyhow::Result<Outcome> {
    let out = destination(args)?;
    let has_inputs = !args.inputs.is_empty();
    let mut files = has_inputs.then(|| opened(args)).transpose()?;
    let mut hidden = Hidden::open(&args.hide)?;
    let course = Course { seed: args.seed, ..learned_as(&args.flow.home_net, hidden.as_mut()) };
    let kept = args.scratch.as_deref().zip(files.as_ref());
    let found = kept.map(|(folder, files)| found_in(folder, (args, &course), files)).transpose()?;
    let folder = args.scratch.clone().unwrap_or_else(std::env::temp_dir);
    let (scratch, mut spool, read_before) = match found {
        Some(Found { scratch, spool, reading, .. }) => (Some(scratch), spool, reading),
        None => (None, Spool::nameless(&folder), None),
    };
    let stop = stop::on_signals()?;
    // Before a long reading, so that one who cannot come into the job hears of it.
    let mut training = args.together.open(&course, &stop)?;
    let mut stages = Stages::new();
    let reading = match (read_before, &mut files) {
        (Some(reading), _) => reading,
        (None, None) => Reading::default(),
        (None, Some(files)) => {
            let reading = read((files, hidden.as_mut()), (&mut spool, args), &stop, &mut |step| stages.set(step))?;
            // What was stopped is learned from, but another time all of it is to be read.
            if let Some(scratch) = scratch.as_ref().filter(|_| !stop.load(Ordering::Relaxed)) {
                scratch.keep(&spool, &reading)?;
            }
            reading
        }
    };
    stages.clear();
    hidden.map_or(Ok(()), Hidden::finish)?;
    if has_inputs {
        tell!("{}", reading.account);
    }
    let budget = args.alert_budget.map(|per_day| Budget { per_day });
    let (sources, records) = (reading.sources, reading.records);
    let course = Course { budget, sources, records, ..course };
    let mut on_step = |step| stages.set(step);
    let mut spooled = Spooled::new(spool, &folder, &mut on_step);
    let taught = match &mut training {
        Some(training) => Together::begin(&mut spooled, training, course).and_then(|(mut all, course)| course.teach(&mut all)),
        None => course.teach(&mut spooled),
    };
    drop(spooled);
    stages.clear();
    if let (Err(TrainError::Cluster(_)), Some(scratch)) = (&taught, &scratch) {
        // The same would come of it again.
        scratch.remove()?;
    }
    let model = taught.context("nothing was learned")?;
    if let Some(out) = out {
        save(&model, out)?;
    }
    scratch.iter().try_for_each(Scratch::remove)?;
    training.map_or(Ok(()), Training::finish)?;
    tell!("{}", card(&model).trim_end());
    match out {
        Some(out) => tell!("written  {}", out.display()),
        None => tell!("learned  with others; who coordinates writes the model"),
    }
    let mut outcome = Outcome::default();
    reading.damage.into_iter().for_each(|(error, is_truncation)| outcome.add_error(error, is_truncation));
    Ok(outcome)
}

/// Opens what is learned from.
fn opened(args: &TrainArgs) -> anyhow::Result<Opened> {
    match args.together.stream(&args.inputs)? {
        Some(_) if args.scratch.is_some() => Err(Usage("--scratch is for files, not for a stream".to_owned()).into()),
        Some(_) if args.hide.pseudonyms.is_some() => {
            Err(Usage("--pseudonyms belongs to the sensors: what they publish names nobody then".to_owned()).into())
        }
        Some(stream) => Ok(stream),
        None => setup::opened(&args.inputs, &args.flow, &args.time),
    }
}

/// Where the model is written; a worker may leave that to who coordinates.
fn destination(args: &TrainArgs) -> anyhow::Result<Option<&Path>> {
    if args.inputs.is_empty() && !args.together.is_coordinator() {
        return Err(Usage("give captures or flow records to learn from".to_owned()).into());
    }
    if args.out.is_none() && !args.together.is_worker() {
        return Err(Usage("give a place for the model: --out MODEL".to_owned()).into());
    }
    Ok(args.out.as_deref())
}

/// Opens a scratch folder, and says what was in it.
fn found_in(folder: &Path, (args, course): (&TrainArgs, &Course), files: &Opened) -> anyhow::Result<Found> {
    let found = Scratch::open(folder, job(args, course, files)?)?;
    if let Some(remark) = &found.remark {
        tell!("scratch  {}: {remark}", folder.display());
    }
    Ok(found)
}

/// What decides what is read.
fn job(args: &TrainArgs, course: &Course, files: &Opened) -> anyhow::Result<Job> {
    // Whole, so that a new option is not forgotten.
    let FlowArgs { workers: _, home_net: _, max_flows, vlan_key, keep_duplicates, tcp_idle, udp_idle, active } = &args.flow;
    let options = json!({
        "home_net": course.home_nets, "max_flows": max_flows, "vlan_key": vlan_key, "keep_duplicates": keep_duplicates,
        "tcp_idle": tcp_idle, "udp_idle": udp_idle, "active": active, "from": args.time.from, "to": args.time.to,
        "pseudonyms": course.pseudonyms,
    });
    let inputs = files.inputs().into_iter().map(job_input).collect::<anyhow::Result<Vec<_>>>()?;
    Ok(Job { inputs, options })
}

fn job_input(input: &Input) -> anyhow::Result<JobInput> {
    let Input::Path(path) = input else {
        return Err(Usage("--scratch: standard input cannot be read a second time; give files".to_owned()).into());
    };
    let about = path.metadata().with_context(|| path.display().to_string())?;
    let modified = about.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    let modified_ns = modified.map_or(0, |since| since.as_nanos() as u64);
    Ok(JobInput { path: std::path::absolute(path)?, bytes: about.len(), modified_ns })
}

/// Reads everything into the spool.
fn read(
    (files, hidden): (&mut Opened, Option<&mut Hidden>),
    (spool, args): (&mut Spool, &TrainArgs),
    stop: &AtomicBool,
    on_step: &mut dyn FnMut(Step),
) -> anyhow::Result<Reading> {
    let inputs: Vec<Input> = files.inputs().into_iter().cloned().collect();
    let mut listener = Listener::new(spool, files.size(), stop, on_step);
    if files.is_stream() {
        listener = listener.within(args.time.from, args.time.to);
    }
    let mut veiled = Veiled { consumer: &mut listener, hidden };
    let (sources, (account, damage)) = std::thread::scope(|scope| {
        // Digests of large captures take as long as reading them.
        let digesting = scope.spawn(|| inputs.iter().map(source).collect::<anyhow::Result<Vec<_>>>());
        let read = files.feed().run(None, &mut veiled, stop);
        (digesting.join(), read)
    });
    listener.finish()?;
    // A panic is the end of the process (release) or of the test.
    let sources = sources.unwrap_or_else(|_| Err(anyhow::anyhow!("the sources could not be digested")))?;
    let damage = damage.iter().map(|error| (error.to_string(), error.is_truncation())).collect();
    let sources = if files.is_stream() { args.inputs.iter().map(|named| stream(named)).collect() } else { sources };
    Ok(Reading { sources, records: files.learned_kinds(&account), account: account.to_string(), damage })
}

/// Writes the model beside its place and moves it there, so that a reader never sees half of one.
pub fn save(model: &Model, path: &Path) -> anyhow::Result<()> {
    // As any new file: what else nobody may do with it is the user's own setting.
    save_as(model, path, 0o666)
}

/// The same, with these permissions of a new file.
pub(super) fn save_as(model: &Model, path: &Path, mode: u32) -> anyhow::Result<()> {
    let place = || format!("{}: cannot be written", path.display());
    if std::fs::metadata(path).is_ok_and(|about| !about.is_file() && !about.is_dir()) {
        // A device or a pipe is written to; a file in its place would stand in everybody's way.
        return model.save(BufWriter::new(OpenOptions::new().write(true).open(path).with_context(place)?)).with_context(place);
    }
    let mut name = path.file_name().with_context(place)?.to_owned();
    name.push(".new");
    let beside = path.with_file_name(name);
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&beside).with_context(place)?;
    model.save(BufWriter::new(&file)).with_context(place)?;
    // Else a loss of power may leave an empty file under the new name.
    file.sync_all().with_context(place)?;
    std::fs::rename(&beside, path).with_context(place)
}

/// A stream of sensors.
fn stream(named: &Path) -> Source {
    Source { name: named.display().to_string(), bytes: 0, sha256: None }
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
