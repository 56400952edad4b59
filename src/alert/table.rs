//! Flow records as rows: the same columns for CSV and Parquet.

use std::borrow::Cow;
use std::io::{self, Write};

use super::fact_event::fact_object;
use super::flow_event::{protocol_name, state};
use crate::feature::{COUNT, SCHEMA, extract};
use crate::flow::{FlowRecord, community_id};
use crate::time::Timestamp;
use crate::wire::Mac;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnKind {
    /// UTF-8 text.
    Text,
    /// Whole number.
    Integer,
    /// Microseconds since the epoch (RFC 3339 in CSV).
    Time,
    /// Floating point.
    Number,
}

/// A column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name: EVE's path with `_` for `.`, then the features' names.
    pub name: &'static str,
    /// What it holds.
    pub kind: ColumnKind,
}

/// A value of a row.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// Text.
    Text(Cow<'static, str>),
    /// Whole number.
    Integer(i64),
    /// Microseconds since the epoch.
    Time(i64),
    /// Floating point.
    Number(f64),
}

/// What a table refuses.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The target could not be written.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The Parquet library failed.
    #[error("writing Parquet: {0}")]
    Parquet(String),
}

/// Takes flow records one by one.
pub trait FlowTable {
    /// Writes a record.
    ///
    /// # Errors
    /// When the target cannot be written.
    fn write(&mut self, record: &FlowRecord) -> Result<(), TableError>;

    /// It is that late by the clock of the capture.
    fn tick(&mut self, _now: Timestamp) {}

    /// Writes what is left; the table is complete.
    ///
    /// # Errors
    /// When the target cannot be written.
    fn finish(self: Box<Self>) -> Result<(), TableError>;
}

use ColumnKind::{Integer, Number, Text, Time};

const FIXED: [(&str, ColumnKind); 48] = [
    ("flow_id", Integer),
    ("community_id", Text),
    ("src_ip", Text),
    ("src_port", Integer),
    ("dest_ip", Text),
    ("dest_port", Integer),
    ("proto", Text),
    ("app_proto", Text),
    ("flow_start", Time),
    ("flow_end", Time),
    ("flow_pkts_toserver", Integer),
    ("flow_pkts_toclient", Integer),
    ("flow_bytes_toserver", Integer),
    ("flow_bytes_toclient", Integer),
    ("flow_state", Text),
    ("flow_reason", Text),
    ("tcp_flags_ts", Integer),
    ("tcp_flags_tc", Integer),
    ("auscult_segment", Integer),
    ("auscult_partial", Integer),
    ("auscult_conn_state", Text),
    ("auscult_history", Text),
    ("auscult_direction", Text),
    ("vlan", Integer),
    ("vlan_inner", Integer),
    ("auscult_tunnel", Text),
    ("tunnel_src_ip", Text),
    ("tunnel_dest_ip", Text),
    ("auscult_fragments_packets", Integer),
    ("auscult_fragments_odd", Integer),
    ("auscult_icmp_error_type", Integer),
    ("auscult_icmp_error_code", Integer),
    ("auscult_icmp_error_count", Integer),
    ("auscult_orig_missing_bytes", Integer),
    ("auscult_resp_missing_bytes", Integer),
    ("auscult_orig_bad_checksums", Integer),
    ("auscult_resp_bad_checksums", Integer),
    ("auscult_facts", Text),
    ("auscult_reason", Text),
    ("auscult_under_way", Integer),
    ("auscult_events_login_failures", Integer),
    ("auscult_events_file_changes", Integer),
    ("auscult_events_names_missing", Integer),
    ("auscult_events_refusals", Integer),
    ("auscult_events_accounts_refused", Integer),
    ("auscult_events_accounts_admitted", Integer),
    ("ether_src_mac", Text),
    ("ether_dest_mac", Text),
];

/// All columns in order: the record's own, then the features of the schema.
#[must_use]
pub fn columns() -> Vec<Column> {
    let fixed = FIXED.iter().map(|&(name, kind)| Column { name, kind });
    fixed.chain(SCHEMA.iter().map(|feature| Column { name: feature.name, kind: Number })).collect()
}

/// The cells of a record, in the order of [`columns`]. What there is not is 0 or empty; an ICMP error's type and code mean something
/// where its count is above 0; `auscult_facts` is the object of the flow event as JSON.
#[must_use]
pub fn cells(record: &FlowRecord) -> Vec<Cell> {
    let whole = |value: u64| Cell::Integer(i64::try_from(value).unwrap_or(i64::MAX));
    let name = |name: &'static str| Cell::Text(Cow::Borrowed(name));
    let text = |text: String| Cell::Text(Cow::Owned(text));
    let mut cells = Vec::with_capacity(FIXED.len() + COUNT);
    cells.extend([
        whole(record.id),
        text(community_id(&record.key, 0)),
        text(record.orig_addr().to_string()),
        Cell::Integer(record.orig_port().into()),
        text(record.resp_addr().to_string()),
        Cell::Integer(record.resp_port().into()),
        Cell::Text(protocol_name(record.key.protocol)),
        name(record.app.0.name()),
        Cell::Time(record.start.nanos().div_euclid(1000)),
        Cell::Time(record.end.nanos().div_euclid(1000)),
        whole(record.orig.packets),
        whole(record.resp.packets),
        whole(record.orig.wire_bytes),
        whole(record.resp.wire_bytes),
        name(state(record)),
        name(record.reason.eve()),
        Cell::Integer(record.orig.flags.into()),
        Cell::Integer(record.resp.flags.into()),
        Cell::Integer(record.segment.into()),
        Cell::Integer(record.partial().into()),
        name(record.state.name()),
        text(record.history.as_str().to_owned()),
        name(record.direction.name()),
    ]);
    cells.extend(carried(record));
    cells.extend([
        whole(record.orig.missing_bytes),
        whole(record.resp.missing_bytes),
        whole(record.orig.bad_checksums.into()),
        whole(record.resp.bad_checksums.into()),
        text(record.facts.as_deref().and_then(fact_object).map(|facts| facts.to_string()).unwrap_or_default()),
    ]);
    cells.extend(told(record));
    cells.extend(extract(record).map(Cell::Number));
    cells
}

/// What else a detector must be told to judge the record as it judges the flow.
fn told(record: &FlowRecord) -> [Cell; 10] {
    let mac = |mac: [u8; 6]| Cell::Text(if mac == [0; 6] { Cow::Borrowed("") } else { Cow::Owned(Mac(mac).to_string()) });
    [
        Cell::Text(Cow::Borrowed(record.reason.name())),
        Cell::Integer(record.under_way.into()),
        Cell::Integer(record.events.login_failures.into()),
        Cell::Integer(record.events.file_changes.into()),
        Cell::Integer(record.events.names_missing.into()),
        Cell::Integer(record.events.refusals.into()),
        Cell::Integer(record.events.accounts.refused.into()),
        Cell::Integer(record.events.accounts.admitted.into()),
        mac(record.macs[0]),
        mac(record.macs[1]),
    ]
}

/// How a flow's packets came and what the network said of them.
fn carried(record: &FlowRecord) -> [Cell; 10] {
    let tunnel = record.tunnel.as_deref();
    let text = |text: Option<String>| Cell::Text(text.unwrap_or_default().into());
    let (kind, code, count) = record.icmp_error.map_or((0, 0, 0), |error| (error.kind, error.code, error.count));
    [
        Cell::Integer(record.vlans[0].into()),
        Cell::Integer(record.vlans[1].into()),
        text(tunnel.map(|tunnel| tunnel.kind.name().to_owned())),
        text(tunnel.map(|tunnel| tunnel.src.to_string())),
        text(tunnel.map(|tunnel| tunnel.dst.to_string())),
        Cell::Integer(record.fragments.packets.into()),
        Cell::Integer(record.fragments.odd.into()),
        Cell::Integer(kind.into()),
        Cell::Integer(code.into()),
        Cell::Integer(count.into()),
    ]
}

/// Comma-separated values with a header (RFC 4180).
#[derive(Debug)]
pub struct CsvTable<W> {
    to: W,
    row: Vec<u8>,
}

impl<W: Write> CsvTable<W> {
    /// Writes the header.
    ///
    /// # Errors
    /// When the target cannot be written.
    pub fn new(mut to: W) -> Result<Self, TableError> {
        let names: Vec<&str> = columns().iter().map(|column| column.name).collect();
        writeln!(to, "{}", names.join(","))?;
        Ok(Self { to, row: Vec::new() })
    }
}

impl<W: Write> FlowTable for CsvTable<W> {
    fn write(&mut self, record: &FlowRecord) -> Result<(), TableError> {
        self.row.clear();
        for cell in cells(record) {
            if !self.row.is_empty() {
                self.row.push(b',');
            }
            match cell {
                Cell::Text(text) if text.bytes().any(|byte| matches!(byte, b'"' | b',')) => {
                    write!(self.row, "\"{}\"", text.replace('"', "\"\""))?;
                }
                Cell::Text(text) => self.row.extend_from_slice(text.as_bytes()),
                Cell::Integer(value) => self.row.extend_from_slice(itoa::Buffer::new().format(value).as_bytes()),
                Cell::Time(micros) => write!(self.row, "{}", Timestamp::from_nanos(micros * 1000))?,
                Cell::Number(value) => write_number(value, &mut self.row)?,
            }
        }
        self.row.push(b'\n');
        Ok(self.to.write_all(&self.row)?)
    }

    fn finish(mut self: Box<Self>) -> Result<(), TableError> {
        Ok(self.to.flush()?)
    }
}

/// Writes a number as [`f64`] is written. Most are whole, for which the search for the shortest fraction is not needed.
fn write_number(value: f64, to: &mut Vec<u8>) -> io::Result<()> {
    /// Below this every whole number is one.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let is_negative_zero = value == 0.0 && value.is_sign_negative();
    if value.fract() == 0.0 && value.abs() < EXACT && !is_negative_zero {
        to.extend_from_slice(itoa::Buffer::new().format(value as i64).as_bytes());
        return Ok(());
    }
    write!(to, "{value}")
}

#[cfg(test)]
mod tests {
    use super::super::flow_event::tests::record;
    use super::*;
    use crate::app::{Facts, TlsFacts};
    use crate::flow::testing::packet;
    use proptest::prelude::*;

    #[test]
    fn every_cell_has_its_column_and_kind() {
        let cells = cells(&record(&[packet(0, 1, 4000, 2, 53, 17)]));
        let columns = columns();
        assert_eq!(cells.len(), columns.len());
        for (cell, column) in cells.iter().zip(&columns) {
            let kind = match cell {
                Cell::Text(_) => Text,
                Cell::Integer(_) => Integer,
                Cell::Time(_) => Time,
                Cell::Number(_) => Number,
            };
            assert_eq!(kind, column.kind, "{}", column.name);
        }
        let names: std::collections::BTreeSet<_> = columns.iter().map(|column| column.name).collect();
        assert_eq!(names.len(), columns.len(), "two columns of one name");
    }

    #[test]
    fn a_row_has_as_many_values_as_the_header() {
        let mut bytes = Vec::new();
        let mut table = Box::new(CsvTable::new(&mut bytes).unwrap());
        table.write(&record(&[packet(1500, 1, 4000, 2, 53, 17)])).unwrap();
        (table as Box<dyn FlowTable>).finish().unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
        assert_eq!((rows.len(), rows[0].len()), (2, rows[1].len()));
        assert!(!text.contains('"') && text.contains("1970-01-01T00:00:01.500000+0000"));
    }

    #[test]
    fn facts_are_json_in_quotes() {
        let mut record = record(&[packet(0, 1, 4000, 2, 53, 17)]);
        record.facts = Some(Box::new(Facts::Tls(TlsFacts { server_name: Some("pacs.example".into()), ..TlsFacts::default() })));
        record.vlans = [20, 0];
        let mut bytes = Vec::new();
        CsvTable::new(&mut bytes).unwrap().write(&record).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.contains(r#",20,0,,,,0,0,0,0,0,0,0,0,0,"{""sni"":""pacs.example""}","#), "{text}");
        assert!(text.contains(",shutdown,0,0,0,0,0,0,0,,,"), "{text}");
    }

    proptest! {
        #[test]
        fn numbers_are_written_as_they_are_elsewhere(
            value in prop_oneof![any::<f64>(), (-1e18..1e18f64).prop_map(f64::trunc), Just(-0.0), Just(9_007_199_254_740_993.0)],
        ) {
            let mut bytes = Vec::new();
            write_number(value, &mut bytes).unwrap();
            prop_assert_eq!(String::from_utf8(bytes).unwrap(), value.to_string());
        }
    }

    /// Takes nothing.
    struct Full;

    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_full_disk_is_told() {
        assert!(matches!(CsvTable::new(Full), Err(TableError::Io(error)) if error.kind() == io::ErrorKind::StorageFull));
    }
}
