//! `--publish`, and `detect nats://…`.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::bail;
use clap::Args;
use serde_json::{Value, json};

use super::args::{DetectArgs, JudgeArgs, LearnArgs, OutputArgs};
use super::exit::Usage;
use super::group::GroupArgs;
use super::guard::folder;
use super::judge::load;
pub use super::model_store::{Following, ModelStore};
use super::sinks::{sensor, size, usual_spool};
pub use super::together::TogetherArgs;
pub use crate::fleet::Training;
use crate::fleet::{
    Batching, MOST_PARTITIONS, MergeConfig, Origin, Outgoing, OutgoingConfig, OutgoingState, PARTITIONS, Pace, Published,
    PublishedAccount, Source, StreamConfig,
};
use crate::guard::Allowed;
use crate::model::{Model, Names};
use crate::nats::{Access, Address, Keeping, Nats, NatsError, Reading, ReadingConfig, name_of};
use crate::pipeline::{Consumer, Gauges, now};
use crate::time::{Span, parse_span};

/// Ticks of one message in a replay: a minute.
const TICKS_IN_REPLAY: usize = 60;
/// Records that a detector holds for their order.
pub(super) const MOST_HELD: usize = 200_000;

/// Lines of a stream that are asked for at once.
const MOST_LINES: usize = 500;

/// What opens a server of NATS.
#[derive(Debug, Args)]
#[command(next_help_heading = "NATS")]
pub struct NatsArgs {
    /// Credentials for nats://…: as nsc writes them, or a file of one line USER PASSWORD
    #[arg(long, value_name = "FILE")]
    pub nats_creds: Option<PathBuf>,
    /// Certificates (PEM) that are trusted in place of the system's
    #[arg(long, value_name = "FILE")]
    pub nats_ca: Option<PathBuf>,
    /// This program's own certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "nats_key")]
    pub nats_cert: Option<PathBuf>,
    /// Its key (PEM)
    #[arg(long, value_name = "FILE", requires = "nats_cert")]
    pub nats_key: Option<PathBuf>,
}

impl NatsArgs {
    pub(super) fn access(&self) -> Access {
        let Self { nats_creds, nats_ca, nats_cert, nats_key } = self;
        Access { creds: nats_creds.clone(), ca: nats_ca.clone(), cert: nats_cert.clone(), key: nats_key.clone() }
    }

    fn allow(&self, address: &str, allowed: &mut Allowed) {
        let access = self.access();
        allowed.read.extend(access.files().map(|path| super::guard::around(path)));
        // What is no address is told by who reads it.
        let address = Address::parse(address).into_iter();
        allowed.connect.extend(address.flat_map(|address| address.servers).map(|(_, port)| port));
        super::guard::of_network(allowed);
    }
}

/// Where flow records are published.
#[derive(Debug, Args)]
#[command(next_help_heading = "NATS")]
pub struct PublishArgs {
    /// Publish flow records to NATS JetStream, for auscult detect; without --model and --learn nothing is judged here
    #[arg(long, value_name = "nats://HOST:PORT[/PREFIX]")]
    pub publish: Option<String>,
    /// The name of this sensor, which no other of the site has [default: this machine's]
    #[arg(long, value_name = "NAME", value_parser = name_of)]
    pub sensor: Option<String>,
    /// Parts of all devices, by their addresses; the same for all sensors and detectors of a stream
    #[arg(long, value_name = "N", default_value_t = PARTITIONS, value_parser = clap::value_parser!(u16).range(1..=i64::from(MOST_PARTITIONS)))]
    pub partitions: u16,
    /// Share out by the devices of this model (a file, or nats://… for the one in use there) where several addresses are one device; needed
    /// where detectors of a group are to find what one would
    #[arg(long, value_name = "MODEL")]
    pub devices: Option<PathBuf>,
    /// Where there is no stream yet: it keeps records so long
    #[arg(long, value_name = "SPAN", value_parser = parse_span, default_value = "1d")]
    pub stream_age: Span,
    /// … at the most so many bytes of them
    #[arg(long, value_name = "SIZE", value_parser = size, default_value = "1G")]
    pub stream_size: u64,
    /// … on so many servers of a cluster
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=5))]
    pub stream_replicas: u8,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub nats: NatsArgs,
}

impl PublishArgs {
    /// Is it asked for?
    pub const fn is_wanted(&self) -> bool {
        self.publish.is_some()
    }

    /// Is it all that is asked for? Then nothing is judged.
    ///
    /// # Errors
    /// When something is wanted that only a judge gives.
    pub fn is_all(
        &self,
        judge: &JudgeArgs,
        learn: &LearnArgs,
        output: &OutputArgs,
        others: &[(&str, bool)],
    ) -> anyhow::Result<bool> {
        if !self.is_wanted() || judge.model.is_some() || learn.learn.is_some() || learn.adapt.is_some() {
            return Ok(false);
        }
        let OutputArgs { alerts, flows, hosts, .. } = output;
        let of_judge = [("--alerts", !alerts.is_empty()), ("--flows", flows.is_some()), ("--hosts", hosts.is_some())];
        match of_judge.iter().chain(others).find(|(_, is_given)| *is_given) {
            Some((flag, _)) => {
                Err(Usage(format!("{flag} needs a judge, and --publish alone judges nothing: give --model too")).into())
            }
            None => Ok(true),
        }
    }

    /// The model in use of a system of NATS, where `--model` names one, and what looks after it.
    ///
    /// # Errors
    /// As [`Following::of`]; a model that is to learn on in a folder, too.
    pub fn followed(&self, judge: &JudgeArgs, learn: &LearnArgs) -> anyhow::Result<Option<(Model, Following)>> {
        if in_store(judge).is_some() && learn.adapt.is_some() {
            return Err(Usage("--adapt keeps versions of its own: give --model a file or a folder".to_owned()).into());
        }
        Following::of(judge, &self.nats)
    }

    /// What it needs of the system.
    pub fn allow(&self, output: &OutputArgs, judge: &JudgeArgs, allowed: &mut Allowed) {
        if let Some(address) = in_store(judge) {
            self.nats.allow(address, allowed);
        }
        let Some(address) = &self.publish else { return };
        self.nats.allow(address, allowed);
        if let Some(path) = &self.devices {
            match path.to_str().filter(|text| Address::is_one(text)) {
                Some(address) => self.nats.allow(address, allowed),
                None => allowed.read.push(path.clone()),
            }
        }
        folder(allowed, self.spool(output).ok().as_deref());
    }

    fn sensor(&self) -> String {
        let fit = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
        self.sensor.clone().unwrap_or_else(|| sensor().chars().map(fit).take(64).collect())
    }

    /// Which addresses are one device.
    fn names(&self) -> anyhow::Result<Names> {
        let Some(path) = &self.devices else { return Ok(Names::default()) };
        let model = match path.to_str().filter(|text| Address::is_one(text)) {
            Some(address) => ModelStore::open(address, &self.nats)?.current()?,
            None => load(path)?,
        };
        Ok(model.baselines.names())
    }

    fn spool(&self, output: &OutputArgs) -> anyhow::Result<PathBuf> {
        let folder = output.sinks.spool.clone().map_or_else(usual_spool, Ok)?;
        Ok(folder.join(format!("publish-{}-{}", output.lake.site.site, self.sensor())))
    }

    /// Begins to publish, where that is asked for; a replay `waits` for room in the spool.
    ///
    /// # Errors
    /// Wrong usage, a spool that cannot be used, a server that refuses.
    pub fn open(&self, output: &OutputArgs, waits: bool, stop: Arc<AtomicBool>) -> anyhow::Result<Option<Publishing>> {
        let Some(address) = &self.publish else { return Ok(None) };
        let address = Address::parse(address).map_err(told)?;
        let (sinks, site, sensor) = (&output.sinks, output.lake.site.site.clone(), self.sensor());
        let keeping =
            Keeping { age: duration(self.stream_age), bytes: self.stream_size, replicas: usize::from(self.stream_replicas) };
        let config = OutgoingConfig {
            access: self.nats.access(),
            site: site.clone(),
            name: format!("auscult sensor {site} {sensor}"),
            spool: self.spool(output)?,
            spool_bytes: sinks.spool_size,
            keeping,
            waits,
            tell: Arc::new(|text| tell!("auscult: {text}")),
            address: address.clone(),
        };
        let outgoing = Outgoing::start(config, stop).map_err(told)?;
        // It grows from one run to the next, also where a clock was set back by less than the time between them.
        let epoch = u64::try_from(now().nanos()).unwrap_or_default();
        let origin = Origin { site, sensor, epoch };
        let pace = Pace { is_live: !waits, most_ticks: if waits { TICKS_IN_REPLAY } else { 1 } };
        let batching = Batching::new(outgoing, origin, (self.partitions, self.names()?), pace);
        Ok(Some(Publishing { batching, address, patience: duration(sinks.drain), gauges: None }))
    }
}

/// Where `--model` names a model that others put in use: the system's address.
pub fn in_store(judge: &JudgeArgs) -> Option<&str> {
    judge.model.as_ref()?.to_str().filter(|text| Address::is_one(text))
}

pub(super) fn duration(span: Span) -> Duration {
    Duration::from_nanos(u64::try_from(span.nanos()).unwrap_or(0))
}

pub(super) fn told(error: NatsError) -> anyhow::Error {
    match error {
        NatsError::Usage(text) => Usage(text).into(),
        error => error.into(),
    }
}

/// Records on their way to a stream.
pub struct Publishing {
    batching: Batching<Outgoing>,
    address: Address,
    patience: Duration,
    /// Where it is told how it goes.
    gauges: Option<Arc<Gauges>>,
}

impl Publishing {
    /// Tells there how it goes.
    pub fn show_in(&mut self, gauges: Option<Arc<Gauges>>) {
        self.gauges = gauges;
    }

    /// Shows records to it on their way.
    pub fn watching<'a>(&'a mut self, consumer: &'a mut dyn Consumer) -> Box<dyn Consumer + 'a> {
        Box::new(Published { consumer, batching: Some(&mut self.batching), gauges: self.gauges.as_deref() })
    }

    /// Nothing more comes: waits until it has arrived, and says what became of it.
    pub fn finish(self) -> PublishReport {
        let (made, outgoing) = self.batching.finish();
        let state = outgoing.finish(self.patience);
        self.gauges.iter().for_each(|gauges| gauges.renew_published(made.gauge(&state)));
        PublishReport { address: self.address, made, state }
    }
}

/// What was published.
pub struct PublishReport {
    address: Address,
    made: PublishedAccount,
    state: OutgoingState,
}

impl PublishReport {
    /// Is something lost?
    pub const fn has_lost(&self) -> bool {
        self.made.lost > 0
    }

    /// For people.
    pub fn text(&self) -> String {
        let Self { address, made, state } = self;
        let PublishedAccount { records, copies, lost, messages, bytes } = *made;
        let OutgoingState { acknowledged, doubles, waiting, found, failures, error, .. } = state;
        let mut text = format!(
            "published {records} records in {copies} copies, {messages} messages of {bytes} bytes, to {address}: {acknowledged} acknowledged, {waiting} wait in the spool\n"
        );
        if *found > 0 {
            text.push_str(&format!("note     {found} messages of an earlier run were in the spool\n"));
        }
        if *doubles > 0 {
            text.push_str(&format!("note     {doubles} messages were there already\n"));
        }
        if *failures > 0 {
            let why = error.as_deref().unwrap_or("the server was away");
            text.push_str(&format!("note     {failures} tries failed, the last since {why}\n"));
        }
        if lost > 0 {
            text.push_str(&format!("warning  {lost} copies of records were lost: the spool was full (--spool-size)\n"));
        }
        text
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let Self { address, made, state } = self;
        json!({
            "address": address.to_string(), "records": made.records, "copies": made.copies, "lost": made.lost,
            "messages": made.messages, "bytes": made.bytes, "acknowledged": state.acknowledged, "doubles": state.doubles,
            "waiting": state.waiting, "found": state.found, "failures": state.failures,
        })
    }
}

/// How a stream is read.
#[derive(Debug, Args)]
#[command(next_help_heading = "NATS")]
pub struct StreamArgs {
    /// The name by which the server remembers how far this detector has read
    #[arg(long, value_name = "NAME", value_parser = name_of, default_value = "detector")]
    pub detector: String,
    /// Judge nothing of a stream before so many sensors were heard
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub sensors: usize,
    /// Wait so long for a sensor that is not heard before the others are judged without it
    #[arg(long, value_name = "SPAN", value_parser = parse_span, default_value = "30s")]
    pub patience: Span,
    /// End when all that the stream holds was judged, having waited for sensors that did not say their last as long as for silent ones
    #[arg(long)]
    pub until_caught_up: bool,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub group: GroupArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub nats: NatsArgs,
}

impl StreamArgs {
    /// Where it is, where a stream is named.
    pub fn address(inputs: &[PathBuf]) -> anyhow::Result<Option<&str>> {
        let addresses: Vec<&str> =
            inputs.iter().filter_map(|input| input.to_str()).filter(|text| Address::is_one(text)).collect();
        match (addresses.as_slice(), inputs.len()) {
            ([], _) => Ok(None),
            ([address], 1) => Ok(Some(address)),
            _ => Err(Usage("a stream is read alone: give one nats://… and no files".to_owned()).into()),
        }
    }

    /// What it needs of the system.
    pub fn allow(&self, inputs: &[PathBuf], model: &Option<PathBuf>, allowed: &mut Allowed) {
        for address in [inputs, model.as_slice()].into_iter().filter_map(|named| Self::address(named).ok().flatten()) {
            self.nats.allow(address, allowed);
        }
    }

    /// How sensors are waited for.
    pub fn merge(&self) -> MergeConfig {
        let patience_s = self.patience.as_seconds();
        MergeConfig { sensors: self.sensors, patience_s, most_held: MOST_HELD, goes_on: false }
    }

    /// Opens a stream.
    ///
    /// # Errors
    /// Wrong usage; a server that is away or refuses, or has no such stream.
    pub fn open(&self, address: &str) -> anyhow::Result<Source> {
        let config = StreamConfig {
            address: Address::parse(address).map_err(told)?,
            access: self.nats.access(),
            name: Some(self.detector.clone()),
            site: None,
            merge: self.merge(),
            until_caught_up: self.until_caught_up,
            tell: Arc::new(|text| tell!("auscult: {text}")),
        };
        Source::open(config).map_err(told)
    }
}

/// Refuses what does not fit a stream.
///
/// # Errors
/// Wrong usage.
pub fn check(args: &DetectArgs) -> anyhow::Result<()> {
    if args.judge.model.is_none() {
        bail!(Usage("records of sensors are judged by a model: give --model".to_owned()));
    }
    if args.hide.pseudonyms.is_some() {
        bail!(Usage("--pseudonyms belongs to the sensors: what they publish names nobody then".to_owned()));
    }
    if args.learn.learn.is_some() || args.learn.adapt.is_some() {
        bail!(Usage("--learn and --adapt are for files and interfaces, not for a stream".to_owned()));
    }
    if args.time.from.is_some() || args.time.to.is_some() {
        bail!(Usage("--from and --to are for files, not for a stream".to_owned()));
    }
    super::group::check(args)
}

/// How long what stands in a stream is waited for, and looks without a line after which that was all.
const LOOK: Duration = Duration::from_millis(300);
const QUIET_LOOKS: u32 = 2;

/// Alerts of a stream.
pub struct AlertStream {
    connection: Nats,
    reading: Reading,
    behind: u64,
}

impl AlertStream {
    /// Opens the stream that is named, if one is.
    ///
    /// # Errors
    /// Wrong usage; a server that is away or refuses, or has no alerts.
    pub fn open(files: &[PathBuf], args: &NatsArgs) -> anyhow::Result<Option<Self>> {
        let Some(address) = StreamArgs::address(files)? else { return Ok(None) };
        let address = Address::parse(address).map_err(told)?;
        let connection = Nats::connect(&address, &args.access(), "auscult alerts").map_err(told)?;
        let (stream, subjects) = (address.stream("alerts"), address.subject("alerts.>"));
        let reading =
            ReadingConfig { stream, subjects, durable: None, again_after: Duration::from_secs(3600), most_unconfirmed: -1 };
        let reading = connection.read(&reading).map_err(told)?;
        Ok(Some(Self { behind: reading.waiting, connection, reading }))
    }

    /// Takes the lines that have come. Says whether there were any.
    ///
    /// # Errors
    /// When the server is away, or a line is not taken.
    pub fn look(&mut self, take: &mut dyn FnMut(&[u8]) -> anyhow::Result<()>) -> anyhow::Result<bool> {
        let messages = self.connection.next(&self.reading, MOST_LINES, LOOK).map_err(told)?;
        self.behind = messages.last().map_or(self.behind, |last| last.behind);
        messages.iter().try_for_each(|message| take(&message.payload))?;
        Ok(!messages.is_empty())
    }

    /// Takes all lines that there are.
    ///
    /// # Errors
    /// As [`Self::look`].
    pub fn read_all(&mut self, take: &mut dyn FnMut(&[u8]) -> anyhow::Result<()>) -> anyhow::Result<()> {
        let mut quiet = 0;
        while self.behind > 0 && quiet < QUIET_LOOKS {
            quiet = if self.look(take)? { 0 } else { quiet + 1 };
        }
        Ok(())
    }
}
