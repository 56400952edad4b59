//! Live interfaces from arguments, and what is told of them while they are listened to.

use std::sync::Arc;

use clap::{Args, ValueEnum};

use super::exit::Usage;
use crate::capture::{CaptureError, Change, Clock, Interfaces, LiveOptions};
use crate::pipeline::{Condition, hold_to, now, usable_cores};

/// What is listened to, and how.
#[derive(Debug, Args)]
#[command(next_help_heading = "Capture")]
pub struct ListenArgs {
    /// Interfaces to listen on; what they hear is judged as one network
    #[arg(value_name = "IFACE", required = true)]
    pub interfaces: Vec<String>,
    /// Take only frames that this expression takes, as tcpdump does (pcap-filter(7))
    #[arg(long, value_name = "BPF")]
    pub filter: Option<String>,
    /// MiB of each of the kernel's rings
    #[arg(long, value_name = "MIB", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=2047))]
    pub buffer: u32,
    /// Rings for each interface, among which the kernel shares its frames by conversation, each read by a thread of its own
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub rings: u8,
    /// Leave out frames that are for other computers
    #[arg(long)]
    pub no_promiscuous: bool,
    /// Bytes of each frame to take
    #[arg(long, value_name = "BYTES", default_value_t = 262_144)]
    pub snap: u32,
    /// Who says when a frame came: the kernel, or the card, whose clock something else must keep at the system's time
    #[arg(long, value_name = "CLOCK", value_enum, default_value_t)]
    pub timestamps: Timestamps,
    /// Hold the reader, the workers, who judges and the threads of --rings each to a core, in turn: numbers, separated by commas
    #[arg(long, value_name = "CORE", value_delimiter = ',')]
    pub pin: Vec<usize>,
    /// Percent of frames, or of the bytes of TCP, that may be lost within a minute; beyond, alerts say that they are degraded and the
    /// exit status is 4
    #[arg(long, value_name = "PERCENT", default_value_t = 1.0, value_parser = percent)]
    pub loss_limit: f64,
}

/// Who says when a frame came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Timestamps {
    /// The kernel.
    #[default]
    Kernel,
    /// The card.
    Card,
}

fn percent(text: &str) -> Result<f64, String> {
    match text.strip_suffix('%').unwrap_or(text).parse::<f64>() {
        Ok(value) if (0.0..=100.0).contains(&value) => Ok(value),
        _ => Err(String::from("wanted a number from 0 to 100")),
    }
}

impl ListenArgs {
    /// The interfaces' names.
    ///
    /// # Errors
    /// When one is named twice: each of its frames would count twice.
    pub fn names(&self) -> anyhow::Result<&[String]> {
        let twice = self.interfaces.iter().enumerate().find(|(place, name)| self.interfaces[..*place].contains(name));
        match twice {
            Some((_, name)) => Err(Usage(format!("{name} is named twice; name each interface once")).into()),
            None => Ok(&self.interfaces),
        }
    }

    /// The cores that threads are held to.
    ///
    /// # Errors
    /// When this process may not use one.
    pub fn cores(&self) -> anyhow::Result<&[usize]> {
        let usable = usable_cores();
        match self.pin.iter().find(|core| !usable.contains(core)) {
            Some(core) => {
                let usable = usable.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
                Err(Usage(format!("--pin {core}: this process may use the cores {usable}")).into())
            }
            None => Ok(&self.pin),
        }
    }

    /// Listens, beside so many workers.
    ///
    /// # Errors
    /// As [`Interfaces::open`].
    pub fn open(&self, workers: usize) -> anyhow::Result<Interfaces> {
        let options = LiveOptions {
            snap_bytes: self.snap,
            promiscuous: !self.no_promiscuous,
            buffer_bytes: self.buffer << 20,
            filter: self.filter.clone(),
            clock: match self.timestamps {
                Timestamps::Kernel => Clock::Kernel,
                Timestamps::Card => Clock::Card,
            },
            rings: self.rings.into(),
        };
        let opened = Interfaces::open(self.names()?, options, now, Box::new(tell)).map_err(|error| match error {
            CaptureError::BadFilter { .. } => Usage(format!("--filter: {error}")).into(),
            error => anyhow::Error::from(error),
        })?;
        let cores = self.pin.clone();
        // Behind the reader, the workers and who judges.
        Ok(opened.place(Arc::new(move |ring| hold_to(&cores, workers + 2 + ring))))
    }
}

fn tell(change: &Change) {
    match change {
        Change::Lost { interface, at, reason } => {
            tell!(
                "auscult: warning: {at}: {interface} is not heard: {}; it is listened to when it is back",
                about(interface, reason)
            );
        }
        Change::Back { interface, at, unheard } => {
            tell!("auscult: {at}: {interface} is heard again, after {:.0} s", unheard.as_seconds());
        }
        Change::Refused { interface, reason } => {
            tell!("auscult: warning: {interface} cannot be listened to: {}; tried again every second", about(interface, reason));
        }
    }
}

/// The reason without the name that it may begin with.
fn about<'r>(interface: &str, reason: &'r str) -> &'r str {
    reason.strip_prefix(interface).map_or(reason, |rest| rest.trim_start_matches([':', ' ']))
}

/// How the network is heard from now on, in words.
pub fn in_words(condition: &Condition) -> String {
    let mut why = Vec::new();
    if condition.is_deaf {
        why.push("an interface is not heard".to_owned());
    }
    if condition.lost > 0.0 {
        why.push(format!("{:.1} % of the frames of the last minute were lost", 100.0 * condition.lost));
    }
    if condition.missing > 0.0 {
        why.push(format!("{:.1} % of the bytes of TCP were acknowledged and never captured", 100.0 * condition.missing));
    }
    if condition.is_one_way {
        why.push(
            "most TCP conversations are heard one way only: does the port mirror what is sent and what is received?".to_owned(),
        );
    }
    let state = if condition.is_degraded { "degraded" } else { "not degraded" };
    if why.is_empty() { state.to_owned() } else { format!("{state}: {}", why.join("; ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percents_are_from_0_to_100() {
        assert_eq!((percent("0.5"), percent("2%")), (Ok(0.5), Ok(2.0)));
        assert!(percent("-1").is_err() && percent("101").is_err() && percent("NaN").is_err() && percent("much").is_err());
    }

    #[test]
    fn a_condition_is_told_with_what_speaks_for_it() {
        let lost = Condition { is_degraded: true, lost: 0.25, ..Condition::default() };
        assert_eq!(in_words(&lost), "degraded: 25.0 % of the frames of the last minute were lost");
        assert_eq!(in_words(&Condition::default()), "not degraded");
        assert_eq!(about("eth1", "eth1: the interface is down: gone"), "the interface is down: gone");
    }
}
