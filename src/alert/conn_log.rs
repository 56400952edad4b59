//! Flow records as Zeek's conn.log, tab-separated or as JSON Lines.

use std::io::Write;

use serde_json::{Map, Value, json};

use super::format::{epoch, stamp};
use super::table::{FlowTable, TableError};
use crate::app::App;
use crate::flow::{FlowRecord, HomeNets, community_id};
use crate::time::Timestamp;
use crate::wire::Mac;

/// Zeek's columns and their types, with those of its scripts for hardware addresses, VLANs and Community IDs.
const COLUMNS: [(&str, &str); 26] = [
    ("ts", "time"),
    ("uid", "string"),
    ("id.orig_h", "addr"),
    ("id.orig_p", "port"),
    ("id.resp_h", "addr"),
    ("id.resp_p", "port"),
    ("proto", "enum"),
    ("service", "string"),
    ("duration", "interval"),
    ("orig_bytes", "count"),
    ("resp_bytes", "count"),
    ("conn_state", "string"),
    ("local_orig", "bool"),
    ("local_resp", "bool"),
    ("missed_bytes", "count"),
    ("history", "string"),
    ("orig_pkts", "count"),
    ("orig_ip_bytes", "count"),
    ("resp_pkts", "count"),
    ("resp_ip_bytes", "count"),
    ("tunnel_parents", "set[string]"),
    ("orig_l2_addr", "string"),
    ("resp_l2_addr", "string"),
    ("vlan", "int"),
    ("inner_vlan", "int"),
    ("community_id", "string"),
];

/// Characters of Zeek's identifiers.
const BASE_62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A conn.log that is being written: each record is a line, so a long flow has several, as a `partial` record is one.
#[derive(Debug)]
pub struct ConnLog<W> {
    to: W,
    home: HomeNets,
    is_json: bool,
    /// Time of the latest record, for the last line of a table.
    latest: Option<Timestamp>,
}

impl<W: Write> ConnLog<W> {
    /// Tab-separated, or JSON Lines. `home` says which ends are local.
    pub const fn new(to: W, home: HomeNets, is_json: bool) -> Self {
        Self { to, home, is_json, latest: None }
    }

    /// The head of a table; without a time where it has no rows.
    fn head(&mut self, at: Option<Timestamp>) -> Result<(), TableError> {
        let columns = |which: fn(&(&'static str, &'static str)) -> &'static str| COLUMNS.map(|column| which(&column)).join("\t");
        let open = at.map_or_else(String::new, |at| format!("#open\t{}\n", stamp(at)));
        let (names, kinds) = (columns(|column| column.0), columns(|column| column.1));
        write!(
            self.to,
            "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n{open}#fields\t{names}\n#types\t{kinds}\n"
        )?;
        Ok(())
    }
}

impl<W: Write> FlowTable for ConnLog<W> {
    fn write(&mut self, record: &FlowRecord) -> Result<(), TableError> {
        if self.latest.is_none() && !self.is_json {
            self.head(Some(record.start))?;
        }
        self.latest = self.latest.max(Some(record.end));
        let object = object(record, &self.home);
        if self.is_json {
            writeln!(self.to, "{}", Value::Object(object))?;
            return Ok(());
        }
        let cell = |(name, _): (&str, &str)| match object.get(name) {
            _ if name == "ts" => epoch(record.start),
            _ if name == "duration" && record.end > record.start => format!("{:.6}", record.duration_s()),
            None => "-".to_owned(),
            Some(Value::String(text)) => text.clone(),
            Some(Value::Bool(yes)) => if *yes { "T" } else { "F" }.to_owned(),
            Some(number) => number.to_string(),
        };
        writeln!(self.to, "{}", COLUMNS.map(cell).join("\t"))?;
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<(), TableError> {
        match self.latest {
            _ if self.is_json => {}
            None => self.head(None)?,
            Some(latest) => writeln!(self.to, "#close\t{}", stamp(latest))?,
        }
        Ok(self.to.flush()?)
    }
}

/// What a line says; what there is not is left out.
fn object(record: &FlowRecord, home: &HomeNets) -> Map<String, Value> {
    let (orig, resp) = (&record.orig, &record.resp);
    let is_tcp = record.key.protocol == 6;
    let resp_port = if matches!(record.key.protocol, 1 | 58) && !record.key.one_way { 0 } else { record.resp_port() };
    let mut object = Map::new();
    let mut put = |name: &str, value: Value| {
        if !value.is_null() {
            object.insert(name.to_owned(), value);
        }
    };
    put("ts", epoch(record.start).parse().map_or(Value::Null, |seconds: f64| json!(seconds)));
    put("uid", json!(uid(record)));
    put("id.orig_h", json!(record.orig_addr().to_string()));
    put("id.orig_p", json!(record.orig_port()));
    put("id.resp_h", json!(record.resp_addr().to_string()));
    put("id.resp_p", json!(resp_port));
    put("proto", json!(proto(record.key.protocol)));
    put("service", json!(service(record.app.0)));
    // One packet lasts for no time that could be told.
    put("duration", if record.end > record.start { json!(micros(record.duration_s())) } else { Value::Null });
    put("orig_bytes", json!(orig.payload_bytes));
    put("resp_bytes", json!(resp.payload_bytes));
    put("conn_state", json!(state(record)));
    put("local_orig", json!(home.contains(record.orig_addr())));
    put("local_resp", json!(home.contains(record.resp_addr())));
    put("missed_bytes", json!(orig.missing_bytes.saturating_add(resp.missing_bytes)));
    let history = if is_tcp { record.history.as_str() } else { datagrams(record) };
    put("history", if history.is_empty() { Value::Null } else { json!(history) });
    put("orig_pkts", json!(orig.packets));
    put("orig_ip_bytes", json!(orig.ip_bytes));
    put("resp_pkts", json!(resp.packets));
    put("resp_ip_bytes", json!(resp.ip_bytes));
    let mac = |mac: [u8; 6]| if mac == [0; 6] { Value::Null } else { json!(Mac(mac).to_string()) };
    put("orig_l2_addr", mac(record.macs[0]));
    put("resp_l2_addr", mac(record.macs[1]));
    let vlan = |vlan: u16| if vlan == 0 { Value::Null } else { json!(vlan) };
    put("vlan", vlan(record.vlans[0]));
    put("inner_vlan", vlan(record.vlans[1]));
    put("community_id", json!(community_id(&record.key, 0)));
    object
}

/// Seconds to the microsecond, as Zeek tells them.
fn micros(seconds: f64) -> f64 {
    (seconds * 1e6).round() / 1e6
}

/// An identifier in Zeek's form, of the flow and its segment: the same record has the same one in every run.
fn uid(record: &FlowRecord) -> String {
    let mut rest = u128::from(record.id) << 32 | u128::from(record.segment);
    let mut uid = String::from("C");
    while rest > 0 {
        uid.extend(BASE_62.get((rest % 62) as usize).map(|&letter| char::from(letter)));
        rest /= 62;
    }
    uid
}

/// Zeek knows four transports.
const fn proto(protocol: u8) -> &'static str {
    match protocol {
        6 => "tcp",
        17 => "udp",
        1 | 58 => "icmp",
        _ => "unknown_transport",
    }
}

/// An application by the name that Zeek gives it, where that is another than EVE's.
fn service(app: App) -> Option<&'static str> {
    match app {
        App::Unknown => None,
        App::Tls => Some("ssl"),
        App::Kerberos => Some("krb"),
        App::DceRpc => Some("dce_rpc"),
        App::Postgres => Some("postgresql"),
        other => Some(other.name()),
    }
}

/// Zeek tells of UDP who sent anything, and nothing of ICMP and the rest.
const fn state(record: &FlowRecord) -> &'static str {
    match (record.key.protocol, record.orig.packets, record.resp.packets) {
        (6, ..) => record.state.name(),
        (17, 1.., 0) => "S0",
        (17, 1.., 1..) => "SF",
        (17, 0, 1..) => "SHR",
        _ => "OTH",
    }
}

/// The history of UDP: who sent datagrams.
const fn datagrams(record: &FlowRecord) -> &'static str {
    match (record.key.protocol, record.orig.packets, record.resp.packets) {
        (17, 1.., 0) => "D",
        (17, 1.., 1..) => "Dd",
        (17, 0, 1..) => "d",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::flow_event::tests::record;
    use super::*;
    use crate::flow::testing::{packet, payload, tcp};
    use crate::wire::Packet;

    fn written(packets: &[&[Packet]], is_json: bool) -> String {
        let mut bytes = Vec::new();
        let mut log = Box::new(ConnLog::new(&mut bytes, HomeNets::default(), is_json));
        packets.iter().for_each(|packets| log.write(&record(packets)).unwrap());
        (log as Box<dyn FlowTable>).finish().unwrap();
        String::from_utf8(bytes).unwrap()
    }

    /// The rows of a table by the names of its columns.
    fn rows(table: &str) -> Vec<BTreeMap<&str, &str>> {
        let names: Vec<&str> = table.lines().find_map(|line| line.strip_prefix("#fields\t")).unwrap().split('\t').collect();
        let kinds = table.lines().find_map(|line| line.strip_prefix("#types\t")).unwrap();
        assert_eq!(kinds.split('\t').count(), names.len());
        let rows = table.lines().filter(|line| !line.starts_with('#'));
        rows.map(|row| {
            let cells: Vec<&str> = row.split('\t').collect();
            assert_eq!(cells.len(), names.len(), "{row}");
            names.iter().copied().zip(cells).collect()
        })
        .collect()
    }

    #[test]
    fn a_datagram_and_its_answer_are_a_connection_to_zeek() {
        let asked = payload(packet(1_500, 1, 4000, 2, 53, 17), 30);
        let answered = payload(packet(1_750, 2, 53, 1, 4000, 17), 60);
        let table = written(&[&[asked, answered], &[packet(2_000, 3, 5000, 2, 123, 17)]], false);
        assert!(table.starts_with("#separator \\x09\n#set_separator\t,\n"), "{table}");
        assert!(
            table.contains("\n#path\tconn\n#open\t1970-01-01-00-00-01\n") && table.ends_with("#close\t1970-01-01-00-00-02\n")
        );
        let rows = rows(&table);
        let cells = |row: usize, names: &[&str]| names.iter().map(|name| rows[row][name].to_owned()).collect::<Vec<_>>();
        let names = ["ts", "id.orig_p", "id.resp_p", "proto", "duration", "orig_bytes", "resp_bytes", "conn_state", "history"];
        assert_eq!(cells(0, &names), ["1.500000", "4000", "53", "udp", "0.250000", "30", "60", "SF", "Dd"]);
        assert_eq!(cells(1, &names), ["2.000000", "5000", "123", "udp", "-", "0", "0", "S0", "D"]);
        assert_eq!(cells(0, &["orig_pkts", "resp_pkts", "missed_bytes", "tunnel_parents", "vlan"]), ["1", "1", "0", "-", "-"]);
        let uid = rows[0]["uid"];
        assert!(uid.starts_with('C') && uid.len() > 10 && uid.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{uid}");
        assert_ne!(uid, rows[1]["uid"]);
    }

    #[test]
    fn json_says_the_same_with_numbers_and_without_what_is_unset() {
        let syn = tcp(packet(1_500, 1, 4000, 2, 443, 6), 1, 0, 2);
        let object: Value = serde_json::from_str(written(&[&[syn]], true).trim()).unwrap();
        assert_eq!((&object["ts"], &object["conn_state"], &object["history"]), (&json!(1.5), &json!("S0"), &json!("S")));
        assert!(object.get("duration").is_none() && object["local_orig"].is_boolean(), "{object}");
        let columns: Vec<&str> = COLUMNS.iter().map(|column| column.0).collect();
        assert!(object.as_object().unwrap().keys().all(|key| columns.contains(&key.as_str())), "{object}");
    }

    #[test]
    fn a_table_without_rows_has_a_head() {
        let table = written(&[], false);
        assert!(rows(&table).is_empty() && !table.contains("#open") && !table.contains("#close"), "{table}");
        assert_eq!(written(&[], true), "");
    }
}
