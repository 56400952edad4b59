//! What can be said on the command line about answers and the incidents that they are about.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::exit::Usage;
use super::fleet::NatsArgs;
use crate::detect::{Answer, Daily, Direction, Protocol};
use crate::flow::Net;
use crate::time::{Span, Timestamp};

/// Which answers are applied while judging.
#[derive(Debug, Args)]
#[command(next_help_heading = "Answers")]
pub struct AnswersArgs {
    /// Apply the answers in this file: what they hide is counted, not written as alerts; watch reads it again when it changes
    #[arg(long, value_name = "FILE")]
    pub answers: Option<PathBuf>,
    /// Write what answers hide here, as alerts are written
    #[arg(long, value_name = "PATH")]
    pub hidden: Option<PathBuf>,
    /// Rules of a configuration file that mute, and their numbers.
    #[arg(skip)]
    pub mutes: Vec<(u64, Answer)>,
}

impl AnswersArgs {
    /// What is hidden only by answers can be written only where there are some.
    ///
    /// # Errors
    /// Wrong usage.
    pub fn check(&self) -> anyhow::Result<()> {
        if self.hidden.is_some() && self.answers.is_none() && self.mutes.is_empty() {
            return Err(Usage(
                "--hidden writes what answers hide: give --answers, or [[mute]] in a configuration file".to_owned(),
            )
            .into());
        }
        Ok(())
    }
}

/// Where an answer goes, and who gives it.
#[derive(Debug, Args)]
#[command(next_help_heading = "The answer")]
pub struct GivenArgs {
    /// The file of answers, which is made where there is none
    #[arg(long, value_name = "FILE")]
    pub answers: PathBuf,
    /// Who answers [default: the user's name]
    #[arg(long, value_name = "NAME")]
    pub by: Option<String>,
}

/// Which alert is answered.
#[derive(Debug, Args)]
pub struct AlertArgs {
    /// An incident's identifier or its beginning, found in --alerts, or a line of a file as FILE:LINE
    #[arg(value_name = "ALERT")]
    pub alert: String,
    /// The file of alerts that holds the incident
    #[arg(long, value_name = "FILE")]
    pub alerts: Option<PathBuf>,
}

/// For whom something is normal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Whom {
    /// The device of the incident
    Device,
    /// All devices of its role in the model
    Role,
}

/// `auscult learn`.
#[derive(Debug, Args)]
pub struct LearnAnswerArgs {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub alert: AlertArgs,
    /// For whom it is normal
    #[arg(long = "for", value_enum, default_value_t = Whom::Device)]
    pub whom: Whom,
    /// The model that knows the role of the device
    #[arg(long, value_name = "MODEL", required_if_eq("whom", "role"))]
    pub model: Option<PathBuf>,
    /// With any other end, not only those of the incident
    #[arg(long)]
    pub any_peer: bool,
    /// On any service, not only those of the incident
    #[arg(long)]
    pub any_service: bool,
    /// Up to so many bits
    #[arg(long, value_name = "BITS")]
    pub up_to_bits: Option<f64>,
    /// From this time on [default: the beginning of the incident]
    #[arg(long, value_name = "TIME", value_parser = crate::time::parse)]
    pub from: Option<Timestamp>,
    /// Until this time [default: until it is unlearned]
    #[arg(long, value_name = "TIME", value_parser = crate::time::parse)]
    pub until: Option<Timestamp>,
    /// Why
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub reason: String,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub given: GivenArgs,
}

fn direction(text: &str) -> Result<Direction, String> {
    match text {
        "in" => Ok(Direction::In),
        "out" => Ok(Direction::Out),
        _ => Err("wanted in (begun by the other end) or out (begun by the device)".to_owned()),
    }
}

/// `auscult mute`.
#[derive(Debug, Args)]
pub struct MuteArgs {
    /// An alert, as learn takes it: its class and its devices are muted where --class and --host do not say others
    #[arg(value_name = "ALERT")]
    pub alert: Option<String>,
    /// The file of alerts that holds the incident
    #[arg(long, value_name = "FILE", requires = "alert")]
    pub alerts: Option<PathBuf>,
    /// Classes, separated by commas; any for all of them
    #[arg(long, value_name = "CLASS", value_delimiter = ',', required_unless_present = "alert")]
    pub class: Vec<String>,
    /// Devices that it is about: addresses or networks, separated by commas
    #[arg(long, value_name = "CIDR", value_delimiter = ',')]
    pub host: Vec<Net>,
    /// Other ends: addresses or networks, separated by commas
    #[arg(long, value_name = "CIDR", value_delimiter = ',')]
    pub peer: Vec<Net>,
    /// Ports of the services
    #[arg(long, value_name = "PORT", value_delimiter = ',')]
    pub port: Vec<u16>,
    /// Protocols: tcp, udp, icmp, icmpv6, sctp or a number
    #[arg(long, value_name = "PROTOCOL", value_delimiter = ',')]
    pub proto: Vec<Protocol>,
    /// Only what was begun by the other end (in) or by the device (out)
    #[arg(long, value_name = "in|out", value_parser = direction)]
    pub direction: Option<Direction>,
    /// Names of servers (SNI) or AE titles; *.example.org is every name that ends so
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub name: Vec<String>,
    /// Up to so many bits
    #[arg(long, value_name = "BITS")]
    pub up_to_bits: Option<f64>,
    /// Only in this part of every day, in UTC
    #[arg(long, value_name = "HH:MM-HH:MM")]
    pub between: Option<Daily>,
    /// From this time on [default: the beginning of the incident, else now]
    #[arg(long, value_name = "TIME", value_parser = crate::time::parse)]
    pub from: Option<Timestamp>,
    /// Until this time
    #[arg(long, value_name = "TIME", value_parser = crate::time::parse, required_unless_present = "for_span", conflicts_with = "for_span")]
    pub until: Option<Timestamp>,
    /// For this long from now: 90m, 12h, 30d
    #[arg(long = "for", id = "for_span", value_name = "SPAN", value_parser = crate::time::parse_span)]
    pub for_span: Option<Span>,
    /// Why
    #[arg(long, value_name = "TEXT", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub reason: String,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub given: GivenArgs,
}

/// `auscult close`.
#[derive(Debug, Args)]
pub struct CloseArgs {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub alert: AlertArgs,
    /// What was found
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub reason: String,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub given: GivenArgs,
}

/// `auscult unlearn` and `auscult unmute`.
#[derive(Debug, Args)]
pub struct TakeBackArgs {
    /// The number of an answer, or the identifier of an incident, all of whose answers of this kind are taken back
    #[arg(value_name = "ANSWER")]
    pub answer: String,
    /// Why
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub reason: String,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub given: GivenArgs,
}

/// Where an incident is in its life, as its last line says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StateArg {
    /// It goes on
    Open,
    /// It is over
    Closed,
}

/// `auscult alerts`.
#[derive(Debug, Args)]
pub struct AlertsArgs {
    /// Files of alerts, plain or compressed; the parts of a rotated file in any order; or nats://HOST:PORT[/PREFIX] [default:
    /// standard input]
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Only incidents with a device or another end in one of these networks
    #[arg(long, value_name = "CIDR", value_delimiter = ',')]
    pub host: Vec<Net>,
    /// Only these classes
    #[arg(long, value_name = "CLASS", value_delimiter = ',')]
    pub class: Vec<String>,
    /// Only incidents that go on, or that are over
    #[arg(long, value_enum)]
    pub state: Option<StateArg>,
    /// Only incidents with at least so many bits
    #[arg(long, value_name = "BITS")]
    pub min_bits: Option<f64>,
    /// Only incidents that went on at or after this
    #[arg(long, value_name = "TIME", value_parser = crate::time::parse)]
    pub from: Option<Timestamp>,
    /// Only incidents that began before this
    #[arg(long, value_name = "TIME", value_parser = crate::time::parse)]
    pub to: Option<Timestamp>,
    /// Only the story that an incident with this identifier, or its beginning, belongs to
    #[arg(long, value_name = "ID", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub story: Option<String>,
    /// List the answers of this file too, and do not list what they hide
    #[arg(long, value_name = "FILE")]
    pub answers: Option<PathBuf>,
    /// List only what answers hide
    #[arg(long)]
    pub hidden: bool,
    /// Go on with each line as it comes
    #[arg(long)]
    pub follow: bool,
    /// Print JSON Lines
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub nats: NatsArgs,
}
