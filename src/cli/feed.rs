//! What is judged or learned from: packets, or flow records that were made elsewhere.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use serde_json::Value;

use crate::capture::{CaptureError, Files, Input, Source};
#[cfg(feature = "nats")]
use crate::fleet::{self, Group, GroupAccount, StreamAccount};
use crate::model::{Model, Vocabulary};
#[cfg(feature = "nats")]
use crate::nats::NatsError;
use crate::pipeline::{self, Accounting, Consumer, PipelineConfig};
use crate::record::{self, RecordAccount, RecordConfig, RecordError, RecordFiles, RecordKind};

/// Files that were opened, and how they are read.
pub enum Opened {
    /// Captures.
    Captures(Files, PipelineConfig),
    /// Flow records.
    Records(RecordFiles, RecordConfig),
    /// What sensors published.
    #[cfg(feature = "nats")]
    Stream(Box<fleet::Source>),
}

impl Opened {
    /// The files to read from.
    pub fn feed(&mut self) -> Feed<'_> {
        match self {
            Self::Captures(files, config) => Feed::Packets(files, config),
            Self::Records(files, config) => Feed::Records(files, config),
            #[cfg(feature = "nats")]
            Self::Stream(source) => Feed::Stream(source),
        }
    }

    /// Bytes of all files as they are stored; nothing when one is a pipe.
    pub fn size(&self) -> Option<u64> {
        match self {
            Self::Captures(files, _) => files.progress().map(|(_, size)| size),
            Self::Records(files, _) => files.size(),
            #[cfg(feature = "nats")]
            Self::Stream(_) => None,
        }
    }

    /// The files, captures in the order in which they are read.
    pub fn inputs(&self) -> Vec<&Input> {
        match self {
            Self::Captures(files, _) => files.files().iter().map(|file| &file.input).collect(),
            Self::Records(files, _) => files.inputs().iter().collect(),
            #[cfg(feature = "nats")]
            Self::Stream(_) => Vec::new(),
        }
    }

    /// Did sensors publish it?
    pub const fn is_stream(&self) -> bool {
        match self {
            Self::Captures(..) | Self::Records(..) => false,
            #[cfg(feature = "nats")]
            Self::Stream(_) => true,
        }
    }

    /// Kinds of the records that a model learns from, by name; of captures there is nothing to say.
    pub fn learned_kinds(&self, account: &Account) -> Vec<String> {
        match (self, account) {
            (Self::Records(..), Account::Records(account)) => account.kinds.keys().map(|kind| kind.name().to_owned()).collect(),
            _ => Vec::new(),
        }
    }
}

/// Where records come from.
pub enum Feed<'a> {
    /// From packets.
    Packets(&'a mut dyn Source, &'a PipelineConfig),
    /// From files of records.
    Records(&'a mut RecordFiles, &'a RecordConfig),
    /// From sensors.
    #[cfg(feature = "nats")]
    Stream(&'a mut fleet::Source),
    /// From sensors, shared with others.
    #[cfg(feature = "nats")]
    Group(&'a mut Group),
}

impl Feed<'_> {
    /// Reads to the end, or until `stop`.
    pub fn run(
        self,
        vocabulary: Option<&Arc<Vocabulary>>,
        consumer: &mut dyn Consumer,
        stop: &AtomicBool,
    ) -> (Account, Vec<Damage>) {
        match self {
            Self::Packets(source, config) => {
                let (account, damage) = pipeline::run(source, config, vocabulary, consumer, stop);
                (Account::Packets(Box::new(account)), damage.into_iter().map(Damage::Capture).collect())
            }
            Self::Records(files, config) => {
                let (account, damage) = record::run(files, config, consumer, stop);
                (Account::Records(account), damage.into_iter().map(Damage::Records).collect())
            }
            #[cfg(feature = "nats")]
            Self::Stream(source) => {
                let (account, damage) = fleet::run(source, consumer, stop);
                (Account::Stream(Box::new(account)), damage.into_iter().map(Damage::Stream).collect())
            }
            #[cfg(feature = "nats")]
            Self::Group(group) => {
                let (account, damage) = fleet::run_in_group(group, consumer, stop);
                (Account::Group(Box::new(account)), damage.into_iter().map(Damage::Stream).collect())
            }
        }
    }

    /// Says so when the model learned from another kind of records than these.
    pub fn warn_of_misfit(&self, model: &Model) {
        let kinds: &[RecordKind] = match self {
            Self::Packets(..) => &[RecordKind::Whole],
            #[cfg(feature = "nats")]
            Self::Stream(_) | Self::Group(_) => &[RecordKind::Whole],
            Self::Records(files, _) => files.kinds(),
        };
        for text in kinds.iter().filter_map(|kind| kind.misfit(&model.provenance.records)) {
            tell!("auscult: warning: {text}");
        }
    }
}

/// What was read.
pub enum Account {
    /// Of packets.
    Packets(Box<Accounting>),
    /// Of records.
    Records(RecordAccount),
    /// Of a stream.
    #[cfg(feature = "nats")]
    Stream(Box<StreamAccount>),
    /// Of a share of a stream.
    #[cfg(feature = "nats")]
    Group(Box<GroupAccount>),
}

impl Account {
    /// Was more lost than the limit, which holds for packets when they are listened to `live`?
    pub fn lost_some(&self, live: bool) -> bool {
        match self {
            Self::Packets(account) => live && account.is_loss_exceeded,
            Self::Records(_) => false,
            #[cfg(feature = "nats")]
            Self::Stream(account) => account.merge.missing + account.merge.lost + account.merge.unreadable > 0,
            #[cfg(feature = "nats")]
            Self::Group(account) => account.has_lost(),
        }
    }

    /// What the account is of.
    pub const fn noun(&self) -> &'static str {
        match self {
            Self::Packets(_) => "capture",
            Self::Records(_) => "records",
            #[cfg(feature = "nats")]
            Self::Stream(_) | Self::Group(_) => "stream",
        }
    }

    /// How much was read in a second.
    pub fn rate(&self, seconds: f64) -> String {
        let seconds = seconds.max(1e-9);
        match self {
            Self::Packets(account) => format!("{:.2} million packets a second", account.packets as f64 / seconds / 1e6),
            Self::Records(account) => format!("{:.0} thousand lines a second", account.lines as f64 / seconds / 1e3),
            #[cfg(feature = "nats")]
            Self::Stream(account) => format!("{:.1} thousand records a second", account.merge.records as f64 / seconds / 1e3),
            #[cfg(feature = "nats")]
            Self::Group(account) => format!("{:.1} thousand records a second", account.judged as f64 / seconds / 1e3),
        }
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let value = match self {
            Self::Packets(account) => serde_json::to_value(account),
            Self::Records(account) => serde_json::to_value(account).map(|mut value| {
                value["balanced"] = account.balanced().into();
                value
            }),
            #[cfg(feature = "nats")]
            Self::Stream(account) => serde_json::to_value(account),
            #[cfg(feature = "nats")]
            Self::Group(account) => serde_json::to_value(account),
        };
        // Counters and names, none of which can fail.
        value.unwrap_or_default()
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Packets(account) => account.fmt(f),
            Self::Records(account) => account.fmt(f),
            #[cfg(feature = "nats")]
            Self::Stream(account) => account.fmt(f),
            #[cfg(feature = "nats")]
            Self::Group(account) => account.fmt(f),
        }
    }
}

/// What was wrong with what was read.
#[derive(Debug)]
pub enum Damage {
    /// With a capture.
    Capture(CaptureError),
    /// With a file of records.
    Records(RecordError),
    /// With a stream.
    #[cfg(feature = "nats")]
    Stream(NatsError),
}

impl Damage {
    /// Did it merely end too early?
    pub fn is_truncation(&self) -> bool {
        match self {
            Self::Capture(error) => error.is_truncation(),
            Self::Records(error) => error.is_truncation(),
            #[cfg(feature = "nats")]
            Self::Stream(_) => false,
        }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Capture(error) => error.fmt(f),
            Self::Records(error) => error.fmt(f),
            #[cfg(feature = "nats")]
            Self::Stream(error) => error.fmt(f),
        }
    }
}
