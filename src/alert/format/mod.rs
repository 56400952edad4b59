//! Alerts in the words of other tools. Each format is a translation of one EVE alert line, as `auscult` writes it, so whatever has
//! the lines (a run, a spool, a file of last year) can put them into any of these.

mod asim;
mod cef;
mod csv;
mod ecs;
mod ocsf;
mod strict;
mod text;
mod view;
mod zeek;

use std::str::FromStr;

use crate::time::{Timestamp, parse};
use serde::Deserialize;
use view::View;
pub(super) use zeek::{epoch, stamp};

/// The name under which every format tells who wrote it.
const PRODUCT: &str = "auscult";
/// Version of the program that wrote it.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A format of alerts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// Suricata EVE JSON Lines with the object `auscult`.
    Eve,
    /// EVE without the object `auscult`, for readers that refuse what Suricata's schema does not know.
    StrictEve,
    /// ArcSight Common Event Format 0.
    Cef,
    /// OCSF Detection Finding (class 2004), one JSON object a line.
    Ocsf,
    /// Elastic Common Schema, one JSON object a line.
    Ecs,
    /// Microsoft Sentinel's ASIM `NetworkSession` with `EventType` `IDS`, one JSON object a line.
    Asim,
    /// Zeek's notice.log as tab-separated values.
    Zeek,
    /// The same as JSON Lines.
    ZeekJson,
    /// Comma-separated values with a header (RFC 4180).
    Csv,
    /// For people.
    Text,
}

impl Format {
    /// The names that the command line knows.
    pub const NAMES: [&str; 8] = ["eve", "cef", "ocsf", "ecs", "asim", "zeek", "csv", "text"];

    /// The name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Eve | Self::StrictEve => "eve",
            Self::Cef => "cef",
            Self::Ocsf => "ocsf",
            Self::Ecs => "ecs",
            Self::Asim => "asim",
            Self::Zeek | Self::ZeekJson => "zeek",
            Self::Csv => "csv",
            Self::Text => "text",
        }
    }

    /// Is a message a JSON object?
    #[must_use]
    pub const fn is_json(self) -> bool {
        !matches!(self, Self::Cef | Self::Zeek | Self::Csv | Self::Text)
    }

    /// The form for a target where messages stand alone, without the head of a file.
    #[must_use]
    pub const fn without_head(self) -> Self {
        match self {
            Self::Zeek => Self::ZeekJson,
            other => other,
        }
    }
}

/// A name that is no format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no format of alerts: wanted one of eve, cef, ocsf, ecs, asim, zeek, csv, text")]
pub struct UnknownFormat(String);

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Self, UnknownFormat> {
        Ok(match name {
            "eve" => Self::Eve,
            "cef" => Self::Cef,
            "ocsf" => Self::Ocsf,
            "ecs" => Self::Ecs,
            "asim" => Self::Asim,
            "zeek" => Self::Zeek,
            "csv" => Self::Csv,
            "text" => Self::Text,
            other => return Err(UnknownFormat(other.to_owned())),
        })
    }
}

/// An alert in its format, with what an envelope (syslog, Splunk HEC) has to know of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// When it was raised, in the time of the capture.
    pub raised: Timestamp,
    /// EVE's severity: 1 is the highest, 3 the lowest.
    pub severity: u8,
    /// The incident's id and the number in the chain: the same alert has the same id wherever it arrives.
    pub id: String,
    /// Its class, such as `scan`.
    pub class: String,
    /// The alert, without a newline at its end.
    pub text: String,
}

/// Puts alert lines into a format.
#[derive(Clone, Debug)]
pub struct Formatter {
    format: Format,
    /// Name of the sensor.
    sensor: String,
    colour: bool,
    one_line: bool,
}

#[derive(Deserialize)]
struct Envelope {
    timestamp: String,
    event_type: String,
}

impl Formatter {
    /// A formatter for files. `sensor` is the name of the machine, for formats that tell which one saw it.
    #[must_use]
    pub fn new(format: Format, sensor: &str) -> Self {
        Self { format, sensor: sensor.to_owned(), colour: false, one_line: false }
    }

    /// With colours, for a terminal.
    #[must_use]
    pub fn coloured(mut self, colour: bool) -> Self {
        self.colour = colour;
        self
    }

    /// Every message on one line, and without the head of a file: for messages that stand alone.
    #[must_use]
    pub fn alone(mut self) -> Self {
        self.one_line = true;
        self.format = self.format.without_head();
        self
    }

    /// Which format.
    #[must_use]
    pub const fn format(&self) -> Format {
        self.format
    }

    /// What a file begins with; `at` is the time of its first alert.
    #[must_use]
    pub fn head(&self, at: Timestamp) -> Option<String> {
        match self.format {
            Format::Zeek => Some(zeek::head(at)),
            Format::Csv => Some(csv::head()),
            _ => None,
        }
    }

    /// Does a file that begins so look like one of this format?
    #[must_use]
    pub fn began(&self, bytes: &[u8]) -> bool {
        match self.format {
            Format::Cef => bytes.starts_with(b"CEF:0|auscult|"),
            Format::Zeek => bytes.starts_with(b"#separator"),
            Format::Csv => bytes.starts_with(csv::head().as_bytes().get(..64).unwrap_or_default()),
            Format::Text => bytes.starts_with(b"2") && bytes.windows(5).any(|word| word == b" bits"),
            Format::Eve | Format::StrictEve | Format::ZeekJson | Format::Ocsf | Format::Ecs | Format::Asim => {
                bytes.starts_with(b"{\"")
            }
        }
    }

    /// What a file ends with; `at` is the time of its last alert.
    #[must_use]
    pub fn foot(&self, at: Timestamp) -> Option<String> {
        (self.format == Format::Zeek).then(|| zeek::foot(at))
    }

    /// An EVE alert line in the format. Nothing for a line that is another event than an alert, but in EVE, where it stays as it is.
    ///
    /// # Errors
    /// When the line is no EVE line of this program.
    pub fn message(&self, line: &str) -> Result<Option<Message>, serde_json::Error> {
        let line = line.trim_end_matches('\n');
        let Envelope { timestamp, event_type } = serde_json::from_str(line)?;
        if event_type != "alert" {
            let raised = parse(&timestamp).unwrap_or_default();
            let text = line.to_owned();
            let other = Message { raised, severity: 3, id: String::new(), class: event_type, text };
            return Ok(matches!(self.format, Format::Eve).then_some(other));
        }
        let view: View = serde_json::from_str(line)?;
        let text = match self.format {
            Format::Eve => line.to_owned(),
            Format::StrictEve => strict::line(&view, serde_json::from_str(line)?),
            Format::Cef => cef::line(&view, &self.sensor),
            Format::Ocsf => ocsf::event(&view).to_string(),
            Format::Ecs => ecs::event(&view, &self.sensor).to_string(),
            Format::Asim => asim::event(&view, &self.sensor).to_string(),
            Format::Zeek => zeek::row(&view),
            Format::ZeekJson => zeek::object(&view).to_string(),
            Format::Csv => csv::row(&view),
            Format::Text => text::page(&view, self.colour, self.one_line),
        };
        let (raised, id, class) = (view.raised(), view.id(), view.auscult.incident.class.clone());
        Ok(Some(Message { raised, severity: view.alert.severity, id, class, text }))
    }
}
