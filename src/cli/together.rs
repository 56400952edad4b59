//! `train --together`: several learn one model.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::Args;

use super::exit::Usage;
use super::feed::Opened;
use super::fleet::{MOST_HELD, NatsArgs, StreamArgs, duration, told};
use super::sinks::sensor;
use crate::feature::schema_hash;
use crate::fleet::{MergeConfig, Part, Source, StreamConfig, Terms, Training, TrainingConfig};
use crate::nats::{Address, name_of};
use crate::pipeline::now;
use crate::time::{Span, parse_span};
use crate::train::Course;

/// Seconds that a sensor which is not heard holds back the others of a stream.
const PATIENCE_S: f64 = 30.0;

/// With whom a model is learned.
#[derive(Debug, Args)]
#[command(next_help_heading = "NATS")]
pub struct TogetherArgs {
    /// Learn one model with others, each from flows of its own: each tells counts and a sample, and is told the sum of all
    #[arg(long, value_name = "nats://HOST:PORT[/PREFIX]")]
    pub together: Option<String>,
    /// Add up what so many workers tell, and write the model
    #[arg(long, value_name = "WORKERS", requires = "together", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub coordinate: Option<u32>,
    /// The name of this worker, which no other of the job has [default: this machine's]
    #[arg(long, value_name = "NAME", value_parser = name_of, requires = "together", conflicts_with = "coordinate")]
    pub worker: Option<String>,
    /// The job, by a name that all who learn this model give
    #[arg(long, value_name = "NAME", value_parser = name_of, requires = "together", default_value = "train")]
    pub job: String,
    /// Wait so long for the others in each round
    #[arg(long, value_name = "SPAN", value_parser = parse_span, requires = "together", default_value = "1d")]
    pub patience: Span,
    /// Of a stream in place of files: begin when so many sensors were heard
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub sensors: usize,
    /// Where there are no stores yet: on so many servers of a cluster
    #[arg(long, value_name = "N", default_value_t = 1, requires = "together", value_parser = clap::value_parser!(u8).range(1..=5))]
    pub stream_replicas: u8,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub nats: NatsArgs,
}

impl TogetherArgs {
    /// Does somebody else write the model?
    pub const fn is_worker(&self) -> bool {
        self.together.is_some() && self.coordinate.is_none()
    }

    /// Does this one add up what others count?
    pub const fn is_coordinator(&self) -> bool {
        self.coordinate.is_some()
    }

    /// The stream that is named in place of files, if one is: all that it holds, of one site where `#site=NAME` stands behind the address.
    ///
    /// # Errors
    /// Wrong usage; a server that is away or refuses, or has no such stream.
    pub fn stream(&self, inputs: &[PathBuf]) -> anyhow::Result<Option<Opened>> {
        let Some(named) = StreamArgs::address(inputs)? else { return Ok(None) };
        let (address, site) = match named.split_once('#') {
            None => (named, None),
            Some((address, option)) => {
                let site = option.strip_prefix("site=").map(name_of).transpose().map_err(Usage)?;
                let site = site.ok_or_else(|| Usage(format!("{named}: behind # stands site=NAME alone")))?;
                (address, Some(site))
            }
        };
        let config = StreamConfig {
            address: Address::parse(address).map_err(told)?,
            access: self.nats.access(),
            name: None,
            site,
            merge: MergeConfig { sensors: self.sensors, patience_s: PATIENCE_S, most_held: MOST_HELD, goes_on: false },
            until_caught_up: true,
            tell: Arc::new(|text| tell!("auscult: {text}")),
        };
        Ok(Some(Opened::Stream(Box::new(Source::open(config).map_err(told)?))))
    }

    /// Comes into the job, where there is one.
    ///
    /// # Errors
    /// Wrong usage; a server that is away or refuses; others that learn on other terms.
    pub fn open(&self, course: &Course, stop: &Arc<AtomicBool>) -> anyhow::Result<Option<Training>> {
        let Self { together, coordinate, worker, job, patience, sensors: _, stream_replicas, nats } = self;
        let Some(address) = together else { return Ok(None) };
        let part = match coordinate {
            Some(workers) => Part::Coordinator(*workers as usize),
            None => Part::Worker(worker.clone().map_or_else(usual_name, Ok)?),
        };
        let config = TrainingConfig {
            address: Address::parse(address).map_err(told)?,
            access: nats.access(),
            job: job.clone(),
            part,
            terms: Terms { schema: schema_hash(), seed: course.seed, pseudonyms: course.pseudonyms.clone() },
            run: u64::try_from(now().nanos()).unwrap_or_default(),
            patience: duration(*patience),
            replicas: usize::from(*stream_replicas),
            tell: Arc::new(|text| tell!("auscult: {text}")),
            stop: Arc::clone(stop),
        };
        Training::open(config).map(Some).map_err(told)
    }
}

/// This machine's name, as far as it can stand in a subject.
fn usual_name() -> anyhow::Result<String> {
    name_of(&sensor().replace('.', "-")).map_err(|why| Usage(format!("{why}: give --worker")).into())
}
