//! One row of a label file.

use std::collections::HashMap;

use super::TruthError;
use super::csv::Record;
use crate::time::{self, Timestamp};
use crate::wire::Addr;

/// What a row says of its flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Part of an attack.
    Malicious,
    /// Ordinary traffic.
    Benign,
    /// Anything else (background, ambiguous, unlabelled …): counts for neither side.
    Neither,
}

/// One row: a pattern of flows, what they are, and which attack or activity it is.
#[derive(Clone, Debug)]
pub struct Row {
    /// One end's address; `None` is any.
    pub src: Option<Addr>,
    /// The other end's address; `None` is any.
    pub dst: Option<Addr>,
    /// The time of its first packet; [`Timestamp::MIN`] where the row does not say.
    pub start: Timestamp,
    /// The time of its last packet; [`Timestamp::MAX`] where the row does not say.
    pub end: Timestamp,
    /// What its flows are.
    pub kind: Kind,
    pub(super) src_port: Port,
    pub(super) dst_port: Port,
    pub(super) protocol: Protocol,
    pub(super) detail: u32,
}

/// A row's port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Port {
    /// The row does not say.
    Any,
    /// This one.
    Is(u16),
    /// ICMP has no ports: whatever text stands there, as its place in the file's list of such texts.
    Text(u32),
}

/// A row's protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Protocol {
    /// The row does not say.
    Any,
    /// By number; ICMPv6 (58) counts as ICMP (1).
    Is(u8),
    /// Something that no flow is (ARP, a link layer's name).
    None,
}

/// ICMP's number, for ICMPv6 too.
pub(super) const ICMP: u8 = 1;

impl Protocol {
    /// The protocol of a flow.
    pub const fn number(protocol: u8) -> u8 {
        if protocol == 58 { ICMP } else { protocol }
    }

    /// Reads a name, a number, or a number that a spreadsheet wrote (`6.0`).
    fn read(text: &str) -> Self {
        let text = text.trim().to_ascii_lowercase();
        match text.split('.').next().unwrap_or_default() {
            "" => Self::Any,
            "tcp" => Self::Is(6),
            "udp" => Self::Is(17),
            "icmp" | "icmpv6" | "ipv6-icmp" => Self::Is(ICMP),
            "sctp" => Self::Is(132),
            "igmp" => Self::Is(2),
            "gre" => Self::Is(47),
            "esp" => Self::Is(50),
            "ah" => Self::Is(51),
            other => other.parse().map_or(Self::None, |number| Self::Is(Self::number(number))),
        }
    }
}

/// Where the columns are.
pub(super) struct Columns {
    src_ip: usize,
    dst_ip: usize,
    src_port: Option<usize>,
    dst_port: Option<usize>,
    proto: Option<usize>,
    start: Option<usize>,
    end: Option<usize>,
    label: usize,
    detail: Option<usize>,
    file: Option<usize>,
}

impl Columns {
    /// Finds the columns in a header. `src_ip`, `dst_ip` and `label` must be there, in any order.
    pub fn find(header: &[String], file: &str) -> Result<Self, TruthError> {
        let find = |name: &str| header.iter().position(|column| column.trim_start_matches('\u{feff}').trim() == name);
        let need = |column: &'static str| {
            find(column).ok_or_else(|| TruthError::Column { file: file.to_owned(), column, got: header.join(",") })
        };
        Ok(Self {
            src_ip: need("src_ip")?,
            dst_ip: need("dst_ip")?,
            label: need("label")?,
            src_port: find("src_port"),
            dst_port: find("dst_port"),
            proto: find("proto"),
            start: find("start"),
            end: find("end"),
            detail: find("detail"),
            file: find("file"),
        })
    }

    /// The capture that a row speaks of, where the label file says; blank is a name too.
    pub fn file<'a>(&self, record: &'a Record) -> Option<&'a str> {
        self.file.map(|at| text(record, Some(at)))
    }

    /// The attack's or activity's name; blank where there is none.
    pub fn detail<'a>(&self, record: &'a Record) -> &'a str {
        text(record, self.detail)
    }
}

/// A field's text; blank when the record is too short.
fn text(record: &Record, at: Option<usize>) -> &str {
    at.and_then(|at| record.fields.get(at)).map(String::as_str).unwrap_or_default()
}

/// Reads rows, keeping a list of the odd port texts that ICMP rows carry.
pub(super) struct RowReader<'a> {
    pub file: &'a str,
    pub columns: Columns,
    pub port_texts: HashMap<String, u32>,
}

impl RowReader<'_> {
    /// The row of a record whose detail is number `detail`.
    pub fn read(&mut self, record: &Record, detail: u32) -> Result<Row, TruthError> {
        let c = &self.columns;
        let protocol = Protocol::read(text(record, c.proto));
        let kind = match text(record, Some(c.label)) {
            "malicious" => Kind::Malicious,
            "benign" => Kind::Benign,
            _ => Kind::Neither,
        };
        let (src_port, dst_port) = (text(record, c.src_port), text(record, c.dst_port));
        Ok(Row {
            src: self.address(record, "src_ip", self.columns.src_ip)?,
            dst: self.address(record, "dst_ip", self.columns.dst_ip)?,
            start: self.time(record, "start", self.columns.start)?.unwrap_or(Timestamp::MIN),
            end: self.time(record, "end", self.columns.end)?.unwrap_or(Timestamp::MAX),
            kind,
            src_port: self.port(record, "src_port", src_port, protocol)?,
            dst_port: self.port(record, "dst_port", dst_port, protocol)?,
            protocol,
            detail,
        })
    }

    fn wrong(&self, record: &Record, column: &'static str, wanted: &'static str, got: &str) -> TruthError {
        TruthError::Field { file: self.file.to_owned(), line: record.line, column, wanted, got: got.to_owned() }
    }

    fn address(&self, record: &Record, column: &'static str, at: usize) -> Result<Option<Addr>, TruthError> {
        let field = text(record, Some(at)).trim();
        if field.is_empty() {
            return Ok(None);
        }
        field.parse().map(Some).map_err(|_| self.wrong(record, column, "an IPv4 or IPv6 address, or nothing for any", field))
    }

    fn time(&self, record: &Record, column: &'static str, at: Option<usize>) -> Result<Option<Timestamp>, TruthError> {
        let field = text(record, at).trim();
        if field.is_empty() {
            return Ok(None);
        }
        let read = time::parse(field).ok().or_else(|| seconds(field));
        read.map(Some).ok_or_else(|| self.wrong(record, column, "epoch seconds, or nothing for any time", field))
    }

    fn port(&mut self, record: &Record, column: &'static str, field: &str, protocol: Protocol) -> Result<Port, TruthError> {
        if field.is_empty() {
            return Ok(Port::Any);
        }
        if protocol == Protocol::Is(ICMP) {
            let next = self.port_texts.len() as u32;
            return Ok(Port::Text(*self.port_texts.entry(field.to_owned()).or_insert(next)));
        }
        let wanted = "a port from 0 to 65535, or nothing for any";
        field.trim().parse().map(Port::Is).map_err(|_| self.wrong(record, column, wanted, field))
    }
}

/// Seconds in a form that [`time::parse`] does not take: negative, or with an exponent.
fn seconds(field: &str) -> Option<Timestamp> {
    let seconds: f64 = field.parse().ok()?;
    (seconds.abs() < 9e9).then(|| Timestamp::from_nanos((seconds * 1e9) as i64))
}
