//! What leaves the program: alerts as EVE JSON Lines and in the formats of other tools, flow records as EVE, CSV,
//! Parquet and Zeek's conn.log. Writes to anything that is [`std::io::Write`].

mod answer_line;
mod chain;
mod conn_log;
mod eve;
mod fact_event;
mod flow_event;
mod format;
mod incident_line;
mod lines;
#[cfg(feature = "parquet")]
mod parquet;
mod table;
mod told;

pub use answer_line::{answer_line, read_answer};
pub use chain::{Break, Chain, Link, LinkError, Whole};
pub use conn_log::ConnLog;
pub use eve::{AlertContext, alert_event};
pub use flow_event::{FlowEvent, flow_event};
pub use format::{Format, Formatter, Message, UnknownFormat};
pub use incident_line::IncidentLine;
pub use lines::AlertLines;
#[cfg(feature = "parquet")]
pub use parquet::{PARQUET_SCHEMA_KEY, PARQUET_SCHEMA_VERSION, ParquetTable};
pub use table::{Cell, Column, ColumnKind, CsvTable, FlowTable, TableError, cells, columns};
pub use told::{Told, ToldConversation, ToldError, ToldPart};
