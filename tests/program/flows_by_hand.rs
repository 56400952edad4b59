//! Flows whose every number was worked out by hand: `tests/cases/NAME/` holds what and why, the packets (`case.toml`) and the
//! records (`flows.jsonl`). A member that a line there does not name is not compared.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::packets::{ACK, End, FIN, PSH, RST, SYN, Shot, icmp, pcap, tcp_window, udp};
use crate::support::{Folder, auscult, lines, project};

/// 2023-11-14T22:13:20Z, from which the packets' seconds count.
const EPOCH_MICROS: u64 = 1_700_000_000_000_000;

/// What stands between the triple quotes behind `name =`.
fn part<'t>(case: &'t str, name: &str) -> &'t str {
    let (_, rest) = case.split_once(&format!("{name} = \"\"\"\n")).unwrap_or_else(|| panic!("no {name}"));
    rest.split_once("\"\"\"").unwrap().0
}

fn end(text: &str) -> End {
    let (address, port) = text.split_once(':').unwrap_or((text, "0"));
    (address.parse::<std::net::Ipv4Addr>().unwrap().octets(), port.parse().unwrap())
}

/// A line such as `0.5 10.0.0.5:40000 > 10.0.0.1:80 tcp SA 500 101 0`: seconds, ends, and for TCP flags, sequence number,
/// acknowledgement, payload and, if it is not 8192, the window; for UDP the payload; for ICMP type, code and payload.
fn shot(line: &str) -> Shot {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [seconds, from, ">", to, protocol, rest @ ..] = words.as_slice() else { panic!("{line}") };
    let (from, to) = (end(from), end(to));
    let number = |place: usize| rest[place].parse::<u32>().unwrap();
    let payload = |place: usize| vec![b'x'; number(place) as usize];
    let data = match *protocol {
        "tcp" => {
            let flag = |letter| match letter {
                'F' => FIN,
                'S' => SYN,
                'R' => RST,
                'P' => PSH,
                'A' => ACK,
                other => panic!("{other} in {line}"),
            };
            let window = rest.get(4).map_or(8192, |window| window.parse().unwrap());
            tcp_window(from, to, number(1), number(2), rest[0].chars().map(flag).sum(), window, &payload(3))
        }
        "udp" => udp(from, to, &payload(0)),
        "icmp" => icmp(from.0, to.0, number(0) as u8, number(1) as u8, 1, &payload(2)),
        other => panic!("{other} in {line}"),
    };
    Shot { micros: EPOCH_MICROS + (seconds.parse::<f64>().unwrap() * 1e6).round() as u64, data }
}

/// Where `got` says other than `wanted`; what `wanted` does not name is not looked at.
fn difference(path: &str, wanted: &Value, got: &Value) -> Option<String> {
    match (wanted, got) {
        (Value::Object(members), Value::Object(_)) => {
            members.iter().find_map(|(name, value)| difference(&format!("{path}.{name}"), value, &got[name]))
        }
        (Value::Number(a), Value::Number(b)) => {
            let (a, b) = (a.as_f64()?, b.as_f64()?);
            ((a - b).abs() > 1e-9 * a.abs().max(1.0)).then(|| format!("{path}: wanted {a}, got {b}"))
        }
        (a, b) => (a != b).then(|| format!("{path}: wanted {a}, got {b}")),
    }
}

/// What is wrong with the flows of a case.
fn judge(folder: &Path) -> Vec<String> {
    let case = std::fs::read_to_string(folder.join("case.toml")).unwrap();
    assert!(part(&case, "what").len() > 20 && part(&case, "how").len() > 20, "{}: say what and how", folder.display());
    let shots: Vec<Shot> = part(&case, "packets").lines().map(shot).collect();
    let wanted = lines(&std::fs::read(folder.join("flows.jsonl")).unwrap());
    let place = Folder::new();
    let capture = place.put("input.pcap", &pcap(&shots));
    let got = auscult(&["flows", &capture, "--workers", "2"]).ended(0).lines();
    let mut wrong: Vec<String> =
        wanted.iter().zip(&got).enumerate().filter_map(|(n, (a, b))| difference(&format!("flow {}", n + 1), a, b)).collect();
    if wanted.len() != got.len() {
        wrong.push(format!("wanted {} records, got {}", wanted.len(), got.len()));
    }
    let count = |flow: &Value| flow["flow"]["pkts_toserver"].as_u64().unwrap() + flow["flow"]["pkts_toclient"].as_u64().unwrap();
    assert_eq!(wanted.iter().map(count).sum::<u64>(), shots.len() as u64, "{}: the case does not add up", folder.display());
    wrong
}

#[test]
fn every_case_gives_the_flows_worked_out_by_hand() {
    let mut cases: Vec<PathBuf> = std::fs::read_dir(project("tests/cases")).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    assert!(cases.len() >= 23, "only {} cases", cases.len());
    let name = |case: &Path| case.file_name().unwrap().display().to_string();
    let wrong: Vec<String> =
        cases.iter().flat_map(|case| judge(case).into_iter().map(|text| format!("{}: {text}", name(case)))).collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// The segments of a long flow add up to what it would be in one piece.
#[test]
fn segments_add_up_to_the_flow() {
    let case = std::fs::read_to_string(project("tests/cases/long-flow/case.toml")).unwrap();
    let shots: Vec<Shot> = part(&case, "packets").lines().map(shot).collect();
    let place = Folder::new();
    let capture = place.put("input.pcap", &pcap(&shots));
    let segments = auscult(&["flows", &capture]).ended(0).lines();
    let [whole] = &auscult(&["flows", &capture, "--active", "86400"]).ended(0).lines()[..] else { panic!("one flow") };
    assert_eq!(segments.len(), 3);
    for member in ["pkts_toserver", "pkts_toclient", "bytes_toserver", "bytes_toclient"] {
        let sum: u64 = segments.iter().map(|segment| segment["flow"][member].as_u64().unwrap()).sum();
        assert_eq!(whole["flow"][member], sum, "{member}");
    }
    for member in ["flow_id", "community_id", "src_ip", "src_port", "dest_ip", "dest_port"] {
        assert!(segments.iter().all(|segment| segment[member] == whole[member]), "{member}");
    }
    assert_eq!(segments[0]["flow"]["start"], whole["flow"]["start"]);
    assert_eq!(segments[2]["flow"]["end"], whole["flow"]["end"]);
}
