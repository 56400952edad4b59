//! Learning on the job: a first part of the time teaches, and a model learns on from what it judges ordinary.

use serde_json::Value;

use crate::support::packets::{End, Shot, pcap, udp};
use crate::support::{Folder, auscult, lines};

const HOUR: u64 = 60;
const START_S: u64 = 1_780_300_800;

fn device(n: u8) -> [u8; 4] {
    [10, 0, 0, n]
}

/// A question of so many bytes and its answer.
fn ask(shots: &mut Vec<Shot>, minute: u64, (from, to): (End, End), bytes: usize) {
    let micros = (START_S + minute * 60) * 1_000_000 + u64::from(from.0[3]) * 1_700_000 + u64::from(from.1 % 97) * 1000;
    for part in 0..bytes.div_ceil(1400) {
        // Each another, as a packet that comes twice is no second one.
        let payload = vec![part as u8; (bytes - part * 1400).min(1400)];
        shots.push(Shot { micros: micros + part as u64 * 50, data: udp(from, to, &payload) });
    }
    shots.push(Shot { micros: micros + 9000, data: udp(to, from, &[9; 120]) });
}

/// So many minutes in which ten devices ask device 100 once a minute each, and devices 1 and 2 report some 600 bytes to device
/// 101 every other minute; and what `more` does in each minute.
fn capture(minutes: u64, more: impl Fn(&mut Vec<Shot>, u64)) -> Vec<u8> {
    let mut shots = Vec::new();
    for minute in 0..minutes {
        let port = 20_000 + (minute % 5000) as u16;
        for n in 1..=10 {
            ask(&mut shots, minute, ((device(n), port), (device(100), 5000)), 60 + usize::from(n));
        }
        for n in (1..=2).filter(|n| (minute + n) % 2 == 0) {
            let report = 500 + (minute * 37 % 200) as usize;
            ask(&mut shots, minute, ((device(n as u8), port + 5000), (device(101), 6000)), report);
        }
        more(&mut shots, minute);
    }
    shots.sort_by_key(|shot| shot.micros);
    pcap(&shots)
}

/// Device `n` tries a hundred ports of device 100.
fn scan(shots: &mut Vec<Shot>, minute: u64, n: u8) {
    for port in 1..=100 {
        let micros = (START_S + minute * 60) * 1_000_000 + u64::from(port) * 20_000;
        shots.push(Shot { micros, data: udp((device(n), 41_000 + port), (device(100), 7000 + port), &[1; 20]) });
    }
}

fn quiet(_shots: &mut Vec<Shot>, _minute: u64) {}

/// Incidents opened: class and device.
fn opened(alerts: &[Value]) -> Vec<(&str, &str)> {
    let open = alerts.iter().map(|alert| &alert["auscult"]["incident"]).filter(|incident| incident["state"] == "open");
    open.map(|incident| (incident["class"].as_str().unwrap(), incident["hosts"][0].as_str().unwrap())).collect()
}

#[test]
fn a_first_part_teaches_and_the_rest_is_judged() {
    let folder = Folder::new();
    let day = folder.put(
        "day.pcap",
        &capture(10 * HOUR, |shots, minute| {
            if minute == 2 * HOUR || minute == 8 * HOUR {
                scan(shots, minute, if minute < 6 * HOUR { 4 } else { 5 });
            }
        }),
    );
    let (model, flows) = (folder.name("model.json"), folder.name("flows.jsonl"));
    let run = auscult(&["replay", &day, "--learn", "6h", "--save-model", &model, "--flows", &flows, "--alerts", "-"]).ended(0);
    let alerts = run.lines();
    assert_eq!(opened(&alerts), [("scan", "10.0.0.5")], "what came while it learned is not told");
    let until = alerts[0]["auscult"]["model"]["trained_until"].as_str().unwrap();
    assert!(alerts[0]["auscult"]["baseline"] == "model" && until.starts_with("2026-06-01T13:59"), "{until}");
    let flows = lines(&folder.read("flows.jsonl"));
    let is_early = |flow: &&Value| flow["flow"]["end"].as_str().unwrap() < "2026-06-01T13:55";
    assert!(flows.iter().filter(is_early).all(|flow| flow["auscult"].get("bits").is_none()), "learning has no score");
    assert!(flows.iter().any(|flow| flow["auscult"]["bits"].as_f64().is_some_and(|bits| bits > 20.0)));
    let card = String::from_utf8(auscult(&["inspect", &model]).ended(0).stdout).unwrap();
    assert!(card.contains("source   day.pcap") && !card.contains(folder.path("").to_str().unwrap()), "{card}");
    let stood_out = card.split("stood out while it learned").nth(1).and_then(|part| part.lines().nth(1)).unwrap();
    assert!(stood_out.contains("scan") && stood_out.contains("10.0.0.4 with 10.0.0.100"), "the attack that it learned: {card}");
    let again = folder.name("again.json");
    auscult(&["replay", &day, "--learn", "6h", "--save-model", &again, "--workers", "1", "--alerts", "/dev/null"]).ended(0);
    assert!(folder.read("model.json") == folder.read("again.json"), "the same time teaches the same model");
}

#[test]
fn a_model_learns_on_and_can_go_back() {
    let folder = Folder::new();
    let day = folder.put(
        "day.pcap",
        &capture(18 * HOUR, |shots, minute| {
            // After it was learned device 3 reports as the others of its kind do, device 6 scans every hour.
            if minute > 7 * HOUR && minute % 2 == 0 {
                ask(shots, minute, ((device(3), 30_000 + (minute % 1000) as u16), (device(101), 6000)), 550);
            }
            if minute > 7 * HOUR && minute % HOUR == 4 {
                scan(shots, minute, 6);
            }
        }),
    );
    let versions = folder.name("versions");
    let run = auscult(&["replay", &day, "--learn", "6h", "--adapt", &versions, "--adapt-every", "3h", "--alerts", "-"]).ended(0);
    assert!(opened(&run.lines()).contains(&("scan", "10.0.0.6")));
    let version = |number: u32| -> Value { serde_json::from_slice(&folder.read(&format!("versions/{number:04}.json"))).unwrap() };
    let (trained, first, last) = (version(0), version(1), version(3));
    assert_eq!(folder.read("versions/current"), b"0003.json\n");
    assert_eq!(first["model"]["provenance"]["adapted"]["parent"], trained["digest"]);
    assert_eq!(last["model"]["provenance"]["adapted"]["anchor"], trained["digest"]);
    let difference = auscult(&["model", "diff", &format!("{versions}/0000.json"), &versions, "--json"]).ended(0);
    let difference: Value = serde_json::from_slice(&difference.stdout).unwrap();
    let changed = |host: &str| difference["changed"].as_array().unwrap().iter().find(|change| change["host"] == host);
    let examples = changed("10.0.0.3").map(|change| change["examples"].to_string()).unwrap_or_default();
    assert!(examples.contains("udp/6000 of 10.0.0.101"), "what its kind does is learned: {difference:#}");
    let scanner = changed("10.0.0.6").map(ToString::to_string).unwrap_or_default();
    assert!(!scanner.contains("udp/70"), "what an incident speaks of is not: {scanner}");
    let card = String::from_utf8(auscult(&["inspect", &versions]).ended(0).stdout).unwrap();
    assert!(card.contains("adapted  version 3, until") && card.contains(trained["digest"].as_str().unwrap()), "{card}");
    let told = auscult(&["model", "rollback", &versions]).ended(0).stdout;
    assert!(String::from_utf8(told).unwrap().starts_with("version 2 is in use instead of 3"));
    assert_eq!(folder.read("versions/current"), b"0002.json\n");
    auscult(&["model", "rollback", &versions, "--to", "9"]).ended(2).said(&["no version 9", "0, 1, 2, 3"]);
    // It goes on from there, and writes over nothing.
    let run = auscult(&["replay", &day, "--adapt", &versions, "--adapt-every", "8h", "--alerts", "/dev/null"]).ended(0);
    assert!(run.stderr.contains("adapted  2 new versions"), "{}", run.stderr);
    assert_eq!(version(4)["model"]["provenance"]["adapted"]["parent"], version(2)["digest"]);
    assert_eq!(version(3), last);
}

#[test]
fn a_patient_attacker_moves_the_model_no_further_than_what_was_ordinary() {
    let folder = Folder::new();
    // Every seven minutes device 2 reports, a tenth more than an hour before, for three days: from 600 bytes to some 300 kB.
    let days = folder.put(
        "days.pcap",
        &capture(72 * HOUR, |shots, minute| {
            if minute > 6 * HOUR && minute % 7 == 0 {
                let bytes = 600.0 * 1.1_f64.powf((minute - 6 * HOUR) as f64 / HOUR as f64);
                ask(shots, minute, ((device(2), 30_000 + (minute % 1000) as u16), (device(101), 6000)), bytes as usize);
            }
        }),
    );
    let versions = folder.name("versions");
    let run = auscult(&["replay", &days, "--learn", "6h", "--adapt", &versions, "--adapt-every", "6h", "--alerts", "-"]).ended(0);
    let sent = |number: u32| {
        let model: Value = serde_json::from_slice(&folder.read(&format!("versions/{number:04}.json"))).unwrap();
        let buckets = &model["model"]["baselines"]["hosts"]["10.0.0.2"]["asked"]["udp/6000"]["bytes_orig"];
        // Four buckets to a doubling of bytes.
        let largest = buckets.as_object().unwrap().keys().map(|bucket| bucket.parse::<i32>().unwrap()).max().unwrap();
        2f64.powf(f64::from(largest) / 4.0)
    };
    let (trained, last) = (sent(0), sent(10));
    assert!(last > trained, "some of it is ordinary: {trained} {last}");
    assert!(last < 6.0 * trained, "the attacker reached {last} bytes from {trained}");
    assert!(opened(&run.lines()).iter().any(|(_, host)| *host == "10.0.0.2"), "{}", run.stderr);
}

#[test]
fn wrong_use_says_what() {
    let folder = Folder::new();
    let day = folder.put("day.pcap", &capture(2 * HOUR, quiet));
    let versions = folder.name("versions");
    auscult(&["replay", &day, "--learn", "soon"]).ended(2).said(&["soon", "12h"]);
    auscult(&["replay", &day, "--save-model", "x.json"]).ended(2).said(&["--learn"]);
    auscult(&["replay", &day, "--adapt", &versions]).ended(2).said(&["give --model or --learn"]);
    let early = folder.name("early.json");
    let cut = ["replay", &day, "--learn", "1d", "--save-model", &early];
    auscult(&cut).ended(0).said(&["ended while it was still learned from"]);
    auscult(&["replay", &day, "--model", &early, "--alerts", "/dev/null"]).ended(0).said(&["judged   by a model"]);
    auscult(&["model", "rollback", &folder.name("nothing")]).ended(1).said(&["no folder of a model's versions"]);
    let model = folder.name("model.json");
    auscult(&["train", &day, "--out", &model]).ended(0);
    auscult(&["replay", &day, "--model", &model, "--adapt", &versions, "--alerts", "/dev/null"]).ended(0);
    auscult(&["replay", &day, "--learn", "1h", "--adapt", &versions]).ended(2).said(&["holds versions of a model already"]);
    let other = folder.name("other.json");
    auscult(&["train", &day, "--seed", "2", "--out", &other]).ended(0);
    auscult(&["replay", &day, "--model", &other, "--adapt", &versions]).ended(2).said(&["versions of another model"]);
    let own = String::from_utf8(auscult(&["model", "diff", &model, &versions]).ended(0).stdout).unwrap();
    assert!(own.contains("no device differs"), "{own}");
}
