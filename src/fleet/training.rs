//! Several learn one model over the stores of a server.
//!
//! ```text
//! worker:      statistic of a round ══▶ JOB.RUN.ROUND.WORKER      JOB.RUN.ROUND ══▶ the sum of all
//! coordinator:                          each in the order of names ──▶ sum ══▶ JOB.RUN.ROUND
//! ```
//!
//! All of it is kept until the job is over, so whoever is ended goes on with the round that it was in: what it counts is the same, and a
//! sum that is there is not asked for again.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::envelope::Envelope;
use super::run::insist;
use crate::nats::{Access, Address, Nats, NatsError};
use crate::pipeline::Stopwatch;
use crate::train::{Colleagues, ROUNDS, Statistic, TogetherError};

/// Bytes of a statistic, and unpacked: baselines of a million devices are some 2 GB of text.
const MOST_PACKED_BYTES: usize = 2 << 30;
const MOST_UNPACKED_BYTES: usize = 16 << 30;
const FORM: Envelope =
    Envelope { magic: *b"AUST", version: 4, most_bytes: MOST_PACKED_BYTES, most_unpacked_bytes: MOST_UNPACKED_BYTES };
/// How long statistics are kept where nobody is done with them.
const KEPT: Duration = Duration::from_secs(7 * 86_400);
/// How often what is waited for is looked for.
const LOOK: Duration = Duration::from_millis(200);
/// How often it is said what is waited for, in seconds.
const TELL_S: f64 = 60.0;
/// Tries to come into a job that others come into at the same time.
const MOST_TRIES: u32 = 100;

/// What somebody does in a job.
#[derive(Clone, Debug)]
pub enum Part {
    /// Counts; by a name that no other of the job has.
    Worker(String),
    /// Adds up what so many workers count.
    Coordinator(usize),
}

/// What has to be the same for all who learn one model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// Digest of the features.
    pub schema: String,
    /// Seed of everything random.
    pub seed: u64,
    /// Fingerprint of the key of the pseudonyms that are learned instead of addresses and names.
    pub pseudonyms: Option<String>,
}

/// How a model is learned together.
#[derive(Clone)]
pub struct TrainingConfig {
    /// Where the others are found.
    pub address: Address,
    /// What opens it.
    pub access: Access,
    /// The job, by name.
    pub job: String,
    /// What is done here.
    pub part: Part,
    /// What the others have to agree with.
    pub terms: Terms,
    /// What tells a job that is begun now from an earlier one of its name.
    pub run: u64,
    /// How long others are waited for in a round.
    pub patience: Duration,
    /// On so many servers of a cluster, where there are no stores yet.
    pub replicas: usize,
    /// Told in a sentence what happens.
    pub tell: Arc<dyn Fn(&str) + Send + Sync>,
    /// Ends the waiting.
    pub stop: Arc<AtomicBool>,
}

/// What the server keeps of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Job {
    run: u64,
    workers: usize,
    roster: BTreeSet<String>,
    terms: Terms,
    form: u16,
    is_over: bool,
}

/// A part in a job.
pub struct Training {
    config: TrainingConfig,
    connection: Nats,
    run: u64,
    /// The last round that was added up.
    last: &'static str,
}

impl Training {
    /// Comes into a job: a coordinator begins it, or goes on with it; a worker waits for that.
    ///
    /// # Errors
    /// When the server is away or refuses, when others of the job learn on other terms, when it has its workers, when nobody begins it
    /// within the patience, or on `stop`.
    pub fn open(config: TrainingConfig) -> Result<Self, NatsError> {
        let connection = Nats::connect(&config.address, &config.access, &format!("auscult train {}", config.job))?;
        let mut training = Self { config, connection, run: 0, last: ROUNDS[0] };
        if let Part::Coordinator(_) = training.config.part {
            let (files, keys) = training.stores();
            insist(&training.config.tell, || training.connection.make_stores(&files, &keys, training.config.replicas, KEPT))?;
        }
        let mut is_told = false;
        let watch = Stopwatch::start();
        let mut tries = 0;
        training.run = loop {
            let entered = match &training.config.part {
                Part::Coordinator(workers) => training.begin(*workers)?,
                Part::Worker(name) => training.enter(name)?,
            };
            match entered {
                Entered::As(run) => break run,
                Entered::OthersWereFaster if tries < MOST_TRIES => tries += 1,
                Entered::OthersWereFaster => return Err(training.later("too many come into the job at once")),
                Entered::NotBegun => {
                    if !std::mem::replace(&mut is_told, true) {
                        training.tell("waits for its coordinator");
                    }
                    training.pause(watch, "nobody coordinates it")?;
                }
            }
        };
        Ok(training)
    }

    fn stores(&self) -> (String, String) {
        (self.config.address.stream("training"), self.config.address.stream("trainings"))
    }

    fn job(&self) -> Result<(u64, Option<Job>), NatsError> {
        let (revision, text) = self.connection.numbered(&self.stores().1, &self.config.job)?;
        // What another version wrote is no job of this one.
        Ok((revision, serde_json::from_str(&text).ok().filter(|job: &Job| job.form == FORM.version)))
    }

    fn swap(&self, revision: u64, job: &Job) -> Result<Entered, NatsError> {
        let text = serde_json::to_string(job).map_err(|error| self.later(&error.to_string()))?;
        let taken = self.connection.swap(&self.stores().1, &self.config.job, revision, &text)?;
        Ok(if taken.is_some() { Entered::As(job.run) } else { Entered::OthersWereFaster })
    }

    fn begin(&self, workers: usize) -> Result<Entered, NatsError> {
        let (revision, job) = self.job()?;
        if let Some(job) = job.filter(|job| !job.is_over) {
            if job.terms != self.config.terms || job.workers != workers {
                return Err(self.usage(&format!(
                    "is under way with {} workers and {}: give the same, or another --job",
                    job.workers,
                    differing(&job.terms, &self.config.terms)
                )));
            }
            self.tell(&format!("goes on; {} of {workers} workers are there", job.roster.len()));
            return Ok(Entered::As(job.run));
        }
        let (run, terms, roster) = (self.config.run, self.config.terms.clone(), BTreeSet::new());
        self.swap(revision, &Job { run, workers, roster, terms, form: FORM.version, is_over: false })
    }

    fn enter(&self, name: &str) -> Result<Entered, NatsError> {
        let (revision, job) = match self.job() {
            Ok((revision, Some(job))) if !job.is_over => (revision, job),
            Ok(_) => return Ok(Entered::NotBegun),
            // The stores are not there yet, or the server is away.
            Err(error) if error.is_passing() => return Ok(Entered::NotBegun),
            Err(error) => return Err(error),
        };
        if job.terms != self.config.terms {
            return Err(self.usage(&format!("is learned with {}", differing(&job.terms, &self.config.terms))));
        }
        if job.roster.contains(name) {
            self.tell(&format!("{name} goes on"));
            return Ok(Entered::As(job.run));
        }
        if job.roster.len() >= job.workers {
            let roster: Vec<&str> = job.roster.iter().map(String::as_str).collect();
            return Err(self.usage(&format!("has its {} workers: {}", job.workers, roster.join(", "))));
        }
        let mut roster = job.roster.clone();
        roster.insert(name.to_owned());
        let (there, workers) = (roster.len(), job.workers);
        let entered = self.swap(revision, &Job { roster, ..job })?;
        if matches!(entered, Entered::As(_)) {
            self.tell(&format!("{name} is in; {there} of {workers} workers are there"));
        }
        Ok(entered)
    }

    /// The model is learned and written: what was kept for it goes, but for the last sum, which workers may still want.
    ///
    /// # Errors
    /// When the server does not answer.
    pub fn finish(self) -> Result<(), NatsError> {
        let Part::Coordinator(_) = self.config.part else { return Ok(()) };
        let (files, _) = self.stores();
        for round in ROUNDS.iter().take_while(|round| **round != self.last) {
            self.connection.remove_file(&files, &self.name_of_sum(round))?;
        }
        if let (revision, Some(job)) = self.job()?
            && job.run == self.run
        {
            self.swap(revision, &Job { is_over: true, ..job })?;
        }
        Ok(())
    }

    fn name_of_sum(&self, round: &str) -> String {
        format!("{}.{}.{round}", self.config.job, self.run)
    }

    fn tell(&self, what: &str) {
        (self.config.tell)(&format!("the job {}: {what}", self.config.job));
    }

    fn later(&self, what: &str) -> NatsError {
        NatsError::Later { server: self.config.address.to_string(), what: format!("the job {}: {what}", self.config.job) }
    }

    fn usage(&self, what: &str) -> NatsError {
        NatsError::Usage(format!("the job {} {what}", self.config.job))
    }

    /// Waits a moment, unless it was long enough.
    fn pause(&self, watch: Stopwatch, what: &str) -> Result<(), NatsError> {
        if self.config.stop.load(Ordering::Relaxed) {
            return Err(self.later("stopped; the same command goes on with it"));
        }
        if watch.seconds() > self.config.patience.as_secs_f64() {
            return Err(self.later(&format!("{what} within {:.0} s (--patience)", self.config.patience.as_secs_f64())));
        }
        std::thread::sleep(LOOK);
        Ok(())
    }

    /// Does something with the server, which may be away meanwhile.
    fn insist<T>(&self, mut act: impl FnMut() -> Result<T, NatsError>) -> Result<T, NatsError> {
        let watch = Stopwatch::start();
        loop {
            match act() {
                Err(error) if error.is_passing() => self.pause(watch, &error.to_string())?,
                done => return done,
            }
        }
    }

    /// Waits for a file.
    fn wait_for(&self, name: &str, whose: &str) -> Result<Vec<u8>, NatsError> {
        let (files, _) = self.stores();
        let (watch, mut told_s) = (Stopwatch::start(), 0.0);
        loop {
            match self.connection.find_file(&files, name, MOST_PACKED_BYTES as u64) {
                Ok(Some(bytes)) => return Ok(bytes),
                Ok(None) => {}
                Err(error) if error.is_passing() => {}
                Err(error) => return Err(error),
            }
            if watch.seconds() - told_s > TELL_S {
                told_s = watch.seconds();
                self.tell(&format!("waits for {whose}"));
                if self.job().is_ok_and(|(_, job)| job.is_none_or(|job| job.run != self.run)) {
                    return Err(self.later("it was begun anew by another coordinator"));
                }
            }
            self.pause(watch, &format!("no {whose}"))?;
        }
    }

    /// All workers, once they are there.
    fn roster(&self, workers: usize) -> Result<BTreeSet<String>, NatsError> {
        let (watch, mut told) = (Stopwatch::start(), None);
        loop {
            let job = self.insist(|| self.job())?.1;
            let Some(job) = job.filter(|job| job.run == self.run) else {
                return Err(self.later("it was begun anew by another coordinator"));
            };
            if job.roster.len() >= workers {
                return Ok(job.roster);
            }
            if told != Some(job.roster.len()) {
                told = Some(job.roster.len());
                self.tell(&format!("{} of {workers} workers are there", job.roster.len()));
            }
            self.pause(watch, &format!("only {} of {workers} workers", job.roster.len()))?;
        }
    }

    /// Adds up what all workers counted in a round.
    fn add_up<S: Statistic>(&self, own: S, workers: usize) -> Result<Vec<u8>, TogetherError> {
        let (files, _) = self.stores();
        let roster = self.roster(workers).map_err(told)?;
        let mut sum = own;
        // In the order of names, so that the sum does not depend on who was fast.
        for name in &roster {
            let bytes = self.wait_for(&self.name_of(S::ROUND, name), &format!("the {} of {name}", S::ROUND)).map_err(told)?;
            sum.join(unpacked(&bytes, name)?);
        }
        let bytes = packed(&sum)?;
        self.insist(|| self.connection.put_file(&files, &self.name_of_sum(S::ROUND), &bytes)).map_err(told)?;
        for name in &roster {
            self.insist(|| self.connection.remove_file(&files, &self.name_of(S::ROUND, name))).map_err(told)?;
        }
        Ok(bytes)
    }

    fn name_of(&self, round: &str, worker: &str) -> String {
        format!("{}.{worker}", self.name_of_sum(round))
    }
}

impl Colleagues for Training {
    fn sum<S: Statistic>(&mut self, own: S) -> Result<S, TogetherError> {
        let (files, _) = self.stores();
        let name = self.name_of_sum(S::ROUND);
        let there = self.insist(|| self.connection.find_file(&files, &name, MOST_PACKED_BYTES as u64)).map_err(told)?;
        let bytes = match (there, &self.config.part) {
            // It was added up before this one, or the coordinator, was begun again.
            (Some(bytes), _) => bytes,
            (None, Part::Coordinator(workers)) => self.add_up(own, *workers)?,
            (None, Part::Worker(worker)) => {
                let bytes = packed(&own)?;
                drop(own);
                let mine = self.name_of(S::ROUND, worker);
                self.insist(|| self.connection.put_file(&files, &mine, &bytes)).map_err(told)?;
                drop(bytes);
                self.wait_for(&name, &format!("the {} of all", S::ROUND)).map_err(told)?
            }
        };
        self.last = S::ROUND;
        unpacked(&bytes, "all")
    }
}

/// What became of the wish to come into a job.
enum Entered {
    /// It is this run.
    As(u64),
    /// Somebody else changed the job meanwhile.
    OthersWereFaster,
    /// There is none.
    NotBegun,
}

/// In what terms differ.
fn differing(theirs: &Terms, mine: &Terms) -> String {
    if theirs.schema != mine.schema {
        return "other features, by another version of the program".to_owned();
    }
    if theirs.pseudonyms != mine.pseudonyms {
        let named =
            |key: &Option<String>| key.as_ref().map_or("no pseudonyms".to_owned(), |key| format!("pseudonyms of the key {key}"));
        return format!("{}, and here with {}", named(&theirs.pseudonyms), named(&mine.pseudonyms));
    }
    format!("seed {}, and here with {}", theirs.seed, mine.seed)
}

/// The text of the model file's own form, which holds all of it exactly.
fn packed<S: Statistic>(statistic: &S) -> Result<Vec<u8>, TogetherError> {
    let text = serde_json::to_vec(statistic).map_err(told)?;
    FORM.write(&text).map_err(told)
}

fn unpacked<S: Statistic>(bytes: &[u8], whose: &str) -> Result<S, TogetherError> {
    let what = |error: &dyn std::fmt::Display| TogetherError(format!("the {} of {whose}: {error}", S::ROUND));
    let text: Vec<u8> = FORM.read(bytes).map_err(|error| what(&error))?;
    serde_json::from_slice(&text).map_err(|error| what(&error))
}

fn told(error: impl std::fmt::Display) -> TogetherError {
    TogetherError(error.to_string())
}
