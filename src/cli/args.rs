//! What can be said on the command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::answer_args::{AlertsArgs, AnswersArgs, CloseArgs, LearnAnswerArgs, MuteArgs, TakeBackArgs};
use super::config::ConfigArgs;
use super::evidence::EvidenceArgs;
use super::fleet::{PublishArgs, StreamArgs, TogetherArgs};
use super::guard::{PrivilegeArgs, SandboxArgs};
use super::hidden::HideArgs;
use super::kept::StateArgs;
use super::lake::LakeArgs;
use super::listen::ListenArgs;
use super::model::ModelArgs;
use super::page::PageArgs;
use super::report::ReportArgs;
use super::reveal::{PseudonymsArgs, RevealArgs};
use super::shell::{CompletionsArgs, ManualArgs};
use super::sinks::SinkArgs;
use crate::time::{Span, Timestamp};

/// A network anomaly detector that learns what is normal for each device and explains its alerts.
#[derive(Debug, Parser)]
#[command(name = "auscult", version, max_term_width = 110)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Judge captures; alerts as JSON Lines on stdout
    Replay(ReplayArgs),
    /// Judge live traffic on a SPAN port
    Watch(WatchArgs),
    /// Judge flow records made elsewhere: EVE, Zeek conn logs, CSV, Parquet, NATS
    Detect(DetectArgs),
    /// Learn a model from captures or flow records
    Train(TrainArgs),
    /// Write flow records and features
    Flows(FlowsArgs),
    /// Score against ground truth
    Eval(EvalArgs),
    /// The model card, for people; --json for programs
    Inspect(InspectArgs),
    /// The arithmetic of an alert's bits, from the model
    Explain(ExplainArgs),
    /// One HTML page for people: incidents and why, devices, traffic, the model
    Report(ReportArgs),
    /// Compare models; publish one; go back to an earlier version
    Model(ModelArgs),
    /// List, filter and follow incidents and answers
    Alerts(AlertsArgs),
    /// Answer an alert: this is normal from now on
    Learn(LearnAnswerArgs),
    /// Answer an alert: do not tell of this for a time
    Mute(MuteArgs),
    /// Answer an alert: this incident is dealt with
    Close(CloseArgs),
    /// Take back what was learned
    Unlearn(TakeBackArgs),
    /// Take back what was muted
    Unmute(TakeBackArgs),
    /// Is a record of alerts, answers or revealings whole?
    Verify(VerifyArgs),
    /// Make a key for --pseudonyms, or say which one a file holds
    Pseudonyms(PseudonymsArgs),
    /// Turn pseudonyms back, with the key; recorded
    Reveal(RevealArgs),
    /// What completes commands and flags in a shell
    #[command(hide = true)]
    Completions(CompletionsArgs),
    /// Write manual pages
    #[command(hide = true)]
    Manual(ManualArgs),
}

/// How flows are made.
#[derive(Debug, Args)]
#[command(next_help_heading = "Flows")]
pub struct FlowArgs {
    /// Worker threads [default: all cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub workers: Option<u16>,
    /// Home networks; repeat or separate by commas [default: private and link-local ranges, and what a model found while it learned]
    #[arg(long, value_name = "CIDR", value_delimiter = ',')]
    pub home_net: Vec<String>,
    /// Open flows at the most (some 700 bytes each)
    #[arg(long, value_name = "N", default_value_t = 700_000)]
    pub max_flows: u32,
    /// Tell flows apart by their VLAN too, for networks that use addresses again in another VLAN
    #[arg(long)]
    pub vlan_key: bool,
    /// Count a packet twice that was captured twice (a SPAN port may mirror both ends of a conversation)
    #[arg(long)]
    pub keep_duplicates: bool,
    /// Seconds without a packet that end a TCP flow
    #[arg(long, value_name = "S", default_value_t = 300)]
    pub tcp_idle: u32,
    /// Seconds without a packet that end a UDP flow
    #[arg(long, value_name = "S", default_value_t = 60)]
    pub udp_idle: u32,
    /// Seconds after which a flow that goes on is recorded in parts
    #[arg(long, value_name = "S", default_value_t = 300)]
    pub active: u32,
}

/// Which part of a capture's time.
#[derive(Debug, Args)]
#[command(next_help_heading = "Time")]
pub struct TimeArgs {
    /// Read packets at or after this, of flow records those that begin then (epoch seconds or RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = crate::time::parse)]
    pub from: Option<Timestamp>,
    /// Read packets before this, of flow records those that begin before (epoch seconds or RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = crate::time::parse)]
    pub to: Option<Timestamp>,
}

/// Which devices were seen.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub struct InventoryArgs {
    /// Write which devices were seen, with addresses, names, roles and services: JSON, or CSV by the ending .csv
    #[arg(long, value_name = "PATH")]
    pub inventory: Option<PathBuf>,
    /// Registry of the makers of MAC addresses: oui.csv of the IEEE, with mam.csv and oui36.csv beside it, oui.txt, or
    /// Wireshark's manuf [default: /usr/share/ieee-data/oui.csv, else /usr/share/wireshark/manuf]
    #[arg(long, value_name = "FILE", requires = "inventory")]
    pub oui: Option<PathBuf>,
}

/// Where results go.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// Where alerts go, may be repeated: a file, - for stdout, udp://, tcp:// or tls://HOST:PORT for syslog, https://… for a web hook,
    /// hec+https://HOST:PORT for Splunk, nats://HOST:PORT[/PREFIX]; in one of the formats eve, cef, ocsf, ecs, asim, zeek, csv, text. Options of a target stand
    /// behind a #: ca=, cert=, key=, token=, creds=FILE, index=, sourcetype=, site=NAME [default: eve:-]
    #[arg(long, value_name = "[FORMAT:]TARGET")]
    pub alerts: Vec<String>,
    /// Write every flow record with its bits here (- for stdout): EVE flow events; Parquet by site, day and hour where it is a folder or ends
    /// with a slash
    #[arg(long, value_name = "PATH|DIR/")]
    pub flows: Option<PathBuf>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub lake: LakeArgs,
    /// Write all devices ranked by bits here, as JSON Lines
    #[arg(long, value_name = "PATH")]
    pub hosts: Option<PathBuf>,
    /// Write the accounting here, as JSON
    #[arg(long, value_name = "PATH")]
    pub stats: Option<PathBuf>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub inventory: InventoryArgs,
    /// Exit with status 3 when alerts were raised
    #[arg(long)]
    pub fail_on_alert: bool,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub sinks: SinkArgs,
}

/// What judges.
#[derive(Debug, Args)]
#[command(next_help_heading = "Judging")]
pub struct JudgeArgs {
    /// Judge by this model: a file, or a folder of its versions; for watch, replay and detect on a stream also nats://HOST:PORT[/PREFIX],
    /// the one that is in use there, and, but for replay, any that comes into use later
    #[arg(long, value_name = "MODEL")]
    pub model: Option<PathBuf>,
    /// Incidents per day of normal time at the most, for the whole network [default: the model's; for a capture without a
    /// model the smaller of 10 and 0.02 per local device]
    #[arg(long, value_name = "N/day", value_parser = budget)]
    pub alert_budget: Option<f64>,
    /// Seed of everything random
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
}

fn budget(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix("/day").unwrap_or(text);
    match number.parse::<f64>() {
        Ok(value) if value.is_finite() && value > 0.0 => Ok(value),
        _ => Err(String::from("wanted a number above 0, such as 2 or 0.5/day")),
    }
}

/// What is learned while judging.
#[derive(Debug, Args)]
#[command(next_help_heading = "Learning on the job")]
pub struct LearnArgs {
    /// Learn this long (90s, 30m, 12h, 7d of the capture's time), then judge by what was learned
    #[arg(long, value_name = "SPAN", value_parser = crate::time::parse_span, conflicts_with = "model")]
    pub learn: Option<Span>,
    /// Write the model that --learn learned here
    #[arg(long, value_name = "PATH", requires = "learn")]
    pub save_model: Option<PathBuf>,
    /// Let the model learn on from what it judges ordinary; its versions are kept in this folder, and the one in use goes on
    #[arg(long, value_name = "DIR")]
    pub adapt: Option<PathBuf>,
    /// Make a version of the model this often
    #[arg(long, value_name = "SPAN", value_parser = crate::time::parse_span, default_value = "1d", requires = "adapt")]
    pub adapt_every: Span,
}

/// `auscult replay`.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// Captures: files, folders, or - for standard input; read in the order of their time
    #[arg(required_unless_present = "recheck", value_name = "FILE|DIR|-")]
    pub inputs: Vec<PathBuf>,
    /// Read alerts that were written before, and show what the answers would have hidden of them
    #[arg(long, value_name = "ALERTS", requires = "answers", conflicts_with = "inputs")]
    pub recheck: Vec<PathBuf>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub judge: JudgeArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub learn: LearnArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub output: OutputArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub answers: AnswersArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub evidence: EvidenceArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub page: PageArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub time: TimeArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub flow: FlowArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub hide: HideArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub state: StateArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub publish: PublishArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub sandbox: SandboxArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub config: ConfigArgs,
}

/// `auscult watch`.
#[derive(Debug, Args)]
pub struct WatchArgs {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub listen: ListenArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub judge: JudgeArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub learn: LearnArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub output: OutputArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub answers: AnswersArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub evidence: EvidenceArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub page: PageArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub flow: FlowArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub hide: HideArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub state: StateArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub publish: PublishArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub privileges: PrivilegeArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub config: ConfigArgs,
}

/// `auscult detect`.
#[derive(Debug, Args)]
pub struct DetectArgs {
    /// Files of flow records, or - for standard input: EVE flow events or Zeek conn logs as JSON Lines, Zeek conn logs as TSV, CSV with
    /// a header, Parquet; told by their content, merged by time; or folders of Parquet as --flows DIR/ writes them. Or
    /// nats://HOST:PORT[/PREFIX], which sensors publish to
    #[arg(required = true, value_name = "SOURCE")]
    pub inputs: Vec<PathBuf>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub judge: JudgeArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub learn: LearnArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub output: OutputArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub answers: AnswersArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub time: TimeArgs,
    /// Home networks; repeat or separate by commas [default: private and link-local ranges, and what a model found while it learned]
    #[arg(long, value_name = "CIDR", value_delimiter = ',')]
    pub home_net: Vec<String>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub hide: HideArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub stream: StreamArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub sandbox: SandboxArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub config: ConfigArgs,
}

/// `auscult train`.
#[derive(Debug, Args)]
pub struct TrainArgs {
    /// Captures of normal time: files, folders, or - for standard input; or flow records, as detect reads them; or nats://… (#site=NAME)
    /// for what sensors have published
    #[arg(value_name = "FILE|DIR|-")]
    pub inputs: Vec<PathBuf>,
    /// Write the model here
    #[arg(long, value_name = "MODEL")]
    pub out: Option<PathBuf>,
    /// Incidents per day of normal time at the most, for the whole network [default: the smaller of 10 and 0.02 per local
    /// device]
    #[arg(long, value_name = "N/day", value_parser = budget)]
    pub alert_budget: Option<f64>,
    /// Seed of everything random
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Keep here what was read until the model is written, so that the same command goes on from there when it was cut short
    /// [default: a temporary file in $TMPDIR that is always removed]
    #[arg(long, value_name = "DIR")]
    pub scratch: Option<PathBuf>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub together: TogetherArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub time: TimeArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub flow: FlowArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub hide: HideArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub config: ConfigArgs,
}

/// A format of `auscult flows`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FlowFormat {
    /// EVE flow events with `auscult.features`, one per line
    Jsonl,
    /// Comma-separated values with a header
    Csv,
    /// Apache Parquet
    Parquet,
    /// Zeek's conn.log, tab-separated
    Zeek,
    /// Zeek's conn.log as JSON Lines
    ZeekJson,
}

/// `auscult flows`.
#[derive(Debug, Args)]
pub struct FlowsArgs {
    /// Captures: files, folders, or - for standard input
    #[arg(required = true, value_name = "FILE|DIR|-")]
    pub inputs: Vec<PathBuf>,
    /// What to write
    #[arg(long, value_enum, default_value_t = FlowFormat::Jsonl)]
    pub format: FlowFormat,
    /// Write here (- for stdout); Parquet also to a folder, by site, day and hour, where it is one or ends with a slash
    #[arg(long, value_name = "PATH|DIR/", default_value = "-")]
    pub out: PathBuf,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub lake: LakeArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub inventory: InventoryArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub time: TimeArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub flow: FlowArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub hide: HideArgs,
}

/// `auscult eval`.
#[derive(Debug, Args)]
pub struct EvalArgs {
    /// Captures: files, folders, or - for standard input; or files of flow records, as detect reads them
    #[arg(required = true, value_name = "FILE|DIR|-")]
    pub inputs: Vec<PathBuf>,
    /// Ground truth: CSV (plain, gzip or zstd) with src_ip,dst_ip,src_port,dst_port,proto,start,end,…,label,detail
    #[arg(long, value_name = "CSV")]
    pub truth: PathBuf,
    /// Take only the rows of this file, where the truth has a column `file`
    #[arg(long, value_name = "NAME")]
    pub file: Option<String>,
    /// Local networks that count for host-days, separated by commas [default: private ends of benign rows]
    #[arg(long, value_name = "CIDR,…")]
    pub hosts: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub judge: JudgeArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub time: TimeArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub flow: FlowArgs,
}

/// `auscult inspect`.
#[derive(Debug, Args)]
pub struct InspectArgs {
    /// The model
    #[arg(value_name = "MODEL", required_unless_present = "features")]
    pub model: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Print the table of features (docs/features.md) instead
    #[arg(long)]
    pub features: bool,
}

/// `auscult explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// Alerts as JSON Lines, or - for standard input
    #[arg(value_name = "ALERTS")]
    pub alerts: PathBuf,
    /// The model that judged
    #[arg(long, value_name = "MODEL")]
    pub model: PathBuf,
    /// Only incidents whose identifier begins with this [default: all]
    #[arg(long, value_name = "ID")]
    pub incident: Option<String>,
}

/// `auscult verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// Files of alerts or of answers, plain or compressed, or - for standard input; the parts of a rotated file in any order
    #[arg(required = true, value_name = "ALERTS")]
    pub alerts: Vec<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}
