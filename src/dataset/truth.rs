//! A label file as a whole, and the label of a flow.

use std::collections::HashMap;
use std::io::Read;

use super::TruthError;
use super::csv::Reader;
use super::index::Index;
use super::row::{Columns, Kind, Row, RowReader};
use crate::flow::FlowRecord;
use crate::time::{Span, Timestamp};
use crate::wire::Addr;

/// How far a row's times and a flow's may miss each other.
const SLACK: Span = Span::from_secs(1);

/// What the ground truth needs to know of a flow. Which end is the source does not matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowTuple {
    /// One end's address.
    pub src: Addr,
    /// The other end's address.
    pub dst: Addr,
    /// The former's port; ignored for ICMP.
    pub src_port: u16,
    /// The latter's port; ignored for ICMP.
    pub dst_port: u16,
    /// IP protocol number; ICMPv6 counts as ICMP.
    pub protocol: u8,
    /// First packet.
    pub start: Timestamp,
    /// Last packet.
    pub end: Timestamp,
}

impl FlowTuple {
    /// Of a record.
    #[must_use]
    pub fn of(record: &FlowRecord) -> Self {
        Self {
            src: record.orig_addr(),
            dst: record.resp_addr(),
            src_port: record.orig_port(),
            dst_port: record.resp_port(),
            protocol: record.key.protocol,
            start: record.start,
            end: record.end,
        }
    }
}

/// What a flow is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label<'a> {
    /// Part of this attack (the row's `detail`, which may be blank).
    Malicious(&'a str),
    /// Ordinary: all rows that fit are benign.
    Benign,
    /// Rows fit, none is malicious, and not all are benign: counts for neither side.
    Neither,
}

/// The ground truth of a capture.
///
/// Memory: some 100 bytes per row, and each attack's name once.
#[derive(Debug, Default)]
pub struct Truth {
    rows: Vec<Row>,
    details: Vec<String>,
    index: Index,
}

impl Truth {
    /// Reads a label file: a header, then rows `src_ip,dst_ip,src_port,dst_port,proto,start,end,…,label,detail`. Columns may
    /// come in any order, others are ignored, and only `src_ip`, `dst_ip` and `label` must be there. Blank is any. `name` is
    /// the file's name for messages.
    ///
    /// # Errors
    /// When the input cannot be read, is no CSV, lacks a column, or a field is no address, port or time; says where.
    pub fn read(input: impl Read, name: &str) -> Result<Self, TruthError> {
        Self::read_where(input, name, |_| true)
    }

    /// Like [`Truth::read`], but takes only the rows whose column `file` is `capture`, and all where there is no such column.
    ///
    /// # Errors
    /// As [`Truth::read`]; rows of other captures are not looked at.
    pub fn read_for(input: impl Read, name: &str, capture: &str) -> Result<Self, TruthError> {
        Self::read_where(input, name, |file| file.is_none_or(|file| file == capture))
    }

    fn read_where(input: impl Read, name: &str, wanted: impl Fn(Option<&str>) -> bool) -> Result<Self, TruthError> {
        let mut reader = Reader::new(input, name);
        let header = reader.next_record()?.map(|record| record.fields).unwrap_or_default();
        let mut read = RowReader { file: name, columns: Columns::find(&header, name)?, port_texts: HashMap::new() };
        let mut truth = Self::default();
        let mut known: HashMap<String, u32> = HashMap::new();
        while let Some(record) = reader.next_record()? {
            if !wanted(read.columns.file(&record)) {
                continue;
            }
            let detail = read.columns.detail(&record);
            let detail = known.get(detail).copied().unwrap_or_else(|| {
                let next = truth.details.len() as u32;
                truth.details.push(detail.to_owned());
                known.insert(detail.to_owned(), next);
                next
            });
            let row = read.read(&record, detail)?;
            truth.index.add(truth.rows.len() as u32, &row);
            truth.rows.push(row);
        }
        Ok(truth)
    }

    /// The label of a flow; `None` when no row speaks of it.
    ///
    /// A row fits a flow whose addresses, ports and protocol it names, either way round, and that overlaps it in time to
    /// within a second. Malicious rows win, then those that count for neither side.
    #[must_use]
    pub fn label(&self, flow: &FlowTuple) -> Option<Label<'_>> {
        let mut label = None;
        self.index.fitting(flow, &self.rows, |at| {
            let Some(row) = self.rows.get(at as usize) else { return };
            if row.start - SLACK > flow.end || row.end + SLACK < flow.start {
                return;
            }
            label = match (label, row.kind) {
                (known @ Some(Label::Malicious(_)), _) => known,
                (_, Kind::Malicious) => Some(Label::Malicious(self.detail(row))),
                (Some(Label::Neither), _) | (_, Kind::Neither) => Some(Label::Neither),
                _ => Some(Label::Benign),
            };
        });
        label
    }

    /// All rows in the order of the file.
    #[must_use]
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The name of a row's attack or activity; blank where it has none.
    #[must_use]
    pub fn detail(&self, row: &Row) -> &str {
        self.details.get(row.detail as usize).map(String::as_str).unwrap_or_default()
    }

    /// When the first attack begins: the earliest start of the malicious rows that have one.
    #[must_use]
    pub fn first_attack(&self) -> Option<Timestamp> {
        let malicious = self.rows.iter().filter(|row| row.kind == Kind::Malicious && row.start > Timestamp::MIN);
        malicious.map(|row| row.start).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "src_ip,dst_ip,src_port,dst_port,proto,start,end,label,detail\n";

    fn truth(rows: &str) -> Truth {
        Truth::read((HEADER.to_owned() + rows).as_bytes(), "labels.csv").unwrap()
    }

    fn flow(src: (&str, u16), dst: (&str, u16), protocol: u8, start: i64, end: i64) -> FlowTuple {
        let at = Timestamp::from_parts;
        let (src_ip, dst_ip) = (src.0.parse().unwrap(), dst.0.parse().unwrap());
        FlowTuple { src: src_ip, dst: dst_ip, src_port: src.1, dst_port: dst.1, protocol, start: at(start, 0), end: at(end, 0) }
    }

    #[test]
    fn a_five_tuple_fits_either_way_round_and_within_a_second() {
        let truth = truth("10.0.0.1,10.0.0.2,1000,80,tcp,100,110,malicious,scan\n");
        let there = |start, end| flow(("10.0.0.1", 1000), ("10.0.0.2", 80), 6, start, end);
        assert_eq!(truth.label(&there(100, 110)), Some(Label::Malicious("scan")));
        assert_eq!(truth.label(&flow(("10.0.0.2", 80), ("10.0.0.1", 1000), 6, 105, 106)), Some(Label::Malicious("scan")));
        assert_eq!(truth.label(&there(111, 112)), Some(Label::Malicious("scan")), "one second late");
        assert_eq!(truth.label(&there(90, 99)), Some(Label::Malicious("scan")), "one second early");
        assert_eq!(truth.label(&there(112, 113)), None);
        assert_eq!(truth.label(&there(90, 98)), None);
        assert_eq!(truth.label(&flow(("10.0.0.1", 80), ("10.0.0.2", 1000), 6, 100, 110)), None, "ports belong to their ends");
        assert_eq!(truth.label(&flow(("10.0.0.1", 1000), ("10.0.0.2", 80), 17, 100, 110)), None, "another protocol");
    }

    #[test]
    fn malicious_wins_over_neither_and_neither_over_benign() {
        let tuple = "10.0.0.1,10.0.0.2,1,2,udp,0,9,";
        let it = flow(("10.0.0.1", 1), ("10.0.0.2", 2), 17, 0, 9);
        for (kinds, want) in [
            (&["benign"][..], Label::Benign),
            (&["benign", "background"], Label::Neither),
            (&["ambiguous", "benign"], Label::Neither),
            (&["benign", "ambiguous", "malicious", "benign"], Label::Malicious("")),
        ] {
            let rows: String = kinds.iter().map(|kind| format!("{tuple}{kind},\n")).collect();
            assert_eq!(truth(&rows).label(&it), Some(want), "{kinds:?}");
        }
    }

    #[test]
    fn blank_is_any_and_exact_rows_are_asked_first() {
        let rows = "10.0.0.1,,,,,,,malicious,host\n,,,53,udp,,,malicious,dns\n10.0.0.1,10.0.0.9,5,53,17,,,malicious,exact\n";
        let truth = truth(rows);
        let name = |src: &str, sport, dport, protocol| truth.label(&flow((src, sport), ("10.0.0.9", dport), protocol, 5, 6));
        assert_eq!(name("10.0.0.1", 5, 53, 17), Some(Label::Malicious("exact")));
        assert_eq!(name("10.0.0.1", 6, 53, 17), Some(Label::Malicious("host")), "the first of the loose ones");
        assert_eq!(name("10.0.0.3", 53, 7, 17), Some(Label::Malicious("dns")), "either way round");
        assert_eq!(name("10.0.0.3", 53, 7, 6), None);
    }

    #[test]
    fn icmp_has_no_ports() {
        let rows = "10.0.0.1,10.0.0.2,8,0,icmp,0,9,malicious,sweep\n10.0.0.3,10.0.0.4,,,1,0,9,benign,\n10.0.0.3,10.0.0.4,0x0303,,icmp,0,9,malicious,odd\n,,8,,icmp,,,malicious,never\nfe80::1,fe80::2,,,ipv6-icmp,0,9,benign,\n";
        let truth = truth(rows);
        assert_eq!(truth.label(&flow(("10.0.0.2", 0), ("10.0.0.1", 0), 1, 1, 2)), Some(Label::Malicious("sweep")));
        assert_eq!(
            truth.label(&flow(("10.0.0.4", 8), ("10.0.0.3", 0), 1, 1, 2)),
            Some(Label::Benign),
            "plain rows hide the others"
        );
        assert_eq!(truth.label(&flow(("fe80::2", 129), ("fe80::1", 0), 58, 1, 2)), Some(Label::Benign));
        assert_eq!(truth.label(&flow(("10.9.0.4", 8), ("10.9.0.3", 8), 1, 1, 2)), None);
    }

    #[test]
    fn a_folder_s_labels_speak_of_one_capture_each() {
        let text = "file,src_ip,dst_ip,label,detail\na.pcap,10.0.0.1,,malicious,x\nb.pcap,not an address,,benign,\n";
        let truth = Truth::read_for(text.as_bytes(), "labels.csv", "a.pcap").unwrap();
        assert_eq!(truth.rows().len(), 1);
        assert!(Truth::read(text.as_bytes(), "labels.csv").is_err(), "without the filter the other row counts");
    }

    #[test]
    fn errors_say_file_line_column_wanted_and_got() {
        let message = |text: &str| Truth::read(text.as_bytes(), "labels.csv").unwrap_err().to_string();
        assert_eq!(message("src_ip,label\n"), "labels.csv, line 1: wanted a column \"dst_ip\", got \"src_ip,label\"");
        assert_eq!(message(""), "labels.csv, line 1: wanted a column \"src_ip\", got \"\"");
        let row = |row: &str| message(&format!("{HEADER}\n{row}\n"));
        let ports = "a port from 0 to 65535, or nothing for any";
        assert_eq!(
            row(",,,65536,tcp,,,benign,"),
            format!("labels.csv, line 3, column \"dst_port\": wanted {ports}, got \"65536\"")
        );
        let times = "epoch seconds, or nothing for any time";
        assert_eq!(row(",,,,,noon,,benign,"), format!("labels.csv, line 3, column \"start\": wanted {times}, got \"noon\""));
        let addresses = "an IPv4 or IPv6 address, or nothing for any";
        assert_eq!(row("pc-7,,,,,,,benign,"), format!("labels.csv, line 3, column \"src_ip\": wanted {addresses}, got \"pc-7\""));
    }

    #[test]
    fn the_first_attack_is_the_earliest_that_has_a_start() {
        let rows = ",,,,,50,60,malicious,b\n,,,,,,60,malicious,a\n,,,,,40.5,60,malicious,b\n,,,,,1,2,benign,\n";
        assert_eq!(truth(rows).first_attack(), Some(Timestamp::from_parts(40, 500_000_000)));
        assert_eq!(truth(",,,,,1,2,benign,\n").first_attack(), None);
    }
}
