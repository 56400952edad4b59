//! `--alerts` as people give it: formats, files that rotate, targets that are away.

#[cfg(feature = "tls")]
use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::{Folder, Run, auscult, lines, project, text};

/// The demo's intrusion with these arguments.
fn replay(arguments: &[&str]) -> Run {
    let (capture, model) = (project("datasets/hospital/intrusion-loud/capture.pcap.zst"), project("models/hospital.json"));
    let mut all = vec!["replay", text(&capture), "--model", text(&model)];
    all.extend(arguments);
    auscult(&all)
}

fn ids(alerts: &[Value]) -> Vec<String> {
    let id =
        |alert: &Value| format!("{}-{}", alert["auscult"]["incident"]["id"].as_str().unwrap(), alert["auscult"]["chain"]["seq"]);
    alerts.iter().map(id).collect()
}

#[test]
fn every_format_holds_every_alert_under_the_same_id() {
    let folder = Folder::new();
    let names = ["eve", "cef", "ocsf", "ecs", "asim", "zeek", "csv", "text"];
    let specs: Vec<String> = names.iter().map(|name| format!("{name}:{}", folder.name(name))).collect();
    let zeek_json = format!("zeek:{}", folder.name("notice.json"));
    let mut arguments: Vec<&str> = specs.iter().flat_map(|spec| ["--alerts", spec]).collect();
    arguments.extend(["--alerts", &zeek_json, "--alerts", "text:-"]);
    let run = replay(&arguments).ended(0);
    let want = ids(&lines(&folder.read("eve")));
    assert!(want.len() > 20, "{} alerts", want.len());
    let by = |name: &str, path: &[&str]| -> Vec<String> {
        let id = |line: &Value| path.iter().fold(line, |value, name| &value[*name]).as_str().unwrap().to_owned();
        lines(&folder.read(name)).iter().map(id).collect()
    };
    assert_eq!(by("ocsf", &["metadata", "uid"]), want);
    assert_eq!(by("ecs", &["event", "id"]), want);
    assert_eq!(by("asim", &["EventUid"]), want);
    assert_eq!(by("notice.json", &["alert_id"]), want);
    let page = |name: &str| String::from_utf8(folder.read(name)).unwrap();
    let column = |line: &str, cut: char, place: usize| line.split(cut).nth(place).unwrap().to_owned();
    let csv: Vec<String> = page("csv").lines().skip(1).map(|line| column(line, ',', 1)).collect();
    assert_eq!(csv, want);
    let zeek: Vec<String> =
        page("zeek").lines().filter(|line| !line.starts_with('#')).map(|line| column(line, '\t', 20)).collect();
    assert_eq!(zeek, want);
    assert!(page("zeek").starts_with("#separator") && page("zeek").lines().last().unwrap().starts_with("#close\t2026-06-03-"));
    let cef: Vec<String> = page("cef")
        .lines()
        .map(|line| line.split(" externalId=").nth(1).unwrap().split(' ').next().unwrap().to_owned())
        .collect();
    assert_eq!(cef, want);
    assert_eq!(page("text"), String::from_utf8(run.stdout).unwrap(), "no colour where there is no terminal");
    let told = page("text").lines().filter(|line| line.starts_with("2026-06-03 ")).count();
    assert_eq!(told, want.len());
}

#[test]
fn strict_eve_has_what_the_schema_knows_alone() {
    const TOP: [&str; 14] = [
        "timestamp",
        "flow_id",
        "event_type",
        "src_ip",
        "src_port",
        "dest_ip",
        "dest_port",
        "proto",
        "app_proto",
        "community_id",
        "icmp_type",
        "icmp_code",
        "alert",
        "vlan",
    ];
    const ALERT: [&str; 8] = ["action", "gid", "signature_id", "rev", "signature", "category", "severity", "metadata"];
    let alerts = replay(&["--strict-eve"]).ended(0).lines();
    assert!(alerts.len() > 20);
    for alert in &alerts {
        assert!(alert.as_object().unwrap().keys().all(|name| TOP.contains(&name.as_str())), "{alert}");
        assert!(alert["alert"].as_object().unwrap().keys().all(|name| ALERT.contains(&name.as_str())), "{alert}");
        assert!(alert["alert"]["metadata"].as_object().unwrap().values().all(Value::is_array), "{alert}");
    }
}

#[test]
fn files_that_rotate_hold_all_lines_whole_and_in_order() {
    let folder = Folder::new();
    let (whole, parts) = (folder.name("whole"), folder.name("parts"));
    replay(&["--alerts", &whole, "--alerts", &parts, "--rotate-size", "64K", "--rotate-keep", "9"]).ended(0);
    let mut joined = Vec::new();
    let mut count = 0;
    let endings: Vec<String> = (1..=9).rev().map(|part| format!(".{part}")).chain([String::new()]).collect();
    for ending in &endings {
        let Ok(bytes) = std::fs::read(format!("{parts}{ending}")) else { continue };
        assert!(bytes.len() <= 64 << 10 && bytes.ends_with(b"\n"), "{ending}: {} bytes", bytes.len());
        joined.extend(bytes);
        count += 1;
    }
    // The other file rotated as well.
    let mut other = Vec::new();
    endings.iter().for_each(|ending| other.extend(std::fs::read(format!("{whole}{ending}")).unwrap_or_default()));
    assert!(count > 1 && joined == other);
    assert_eq!(
        lines(&joined).iter().map(|line| line["auscult"]["chain"]["seq"].as_u64().unwrap()).collect::<Vec<_>>(),
        (0..lines(&joined).len() as u64).collect::<Vec<_>>()
    );
}

#[test]
fn wrong_targets_are_wrong_usage() {
    for (target, word) in [
        ("leef:x", "no format"),
        ("gopher://x", "no way to send"),
        ("https://a:b@hook", "token=FILE"),
        ("http://10.1.2.3/", "#plain"),
    ] {
        replay(&["--alerts", target]).ended(2).said(&[target, word]);
    }
    #[cfg(feature = "tls")]
    replay(&["--alerts", "hec+https://splunk.invalid", "--spool", "/nonexistent"]).ended(2).said(&["AUSCULT_HEC_TOKEN"]);
    #[cfg(not(feature = "tls"))]
    replay(&["--alerts", "tls://siem.invalid", "--spool", "/nonexistent"]).ended(2).said(&["--features tls"]);
}

#[cfg(feature = "tls")]
#[test]
fn a_target_that_is_away_gets_its_alerts_from_the_next_run() {
    use crate::sink_support::{Server, Speaks};
    let folder = Folder::new();
    let (spool, stats) = (folder.name("spool"), folder.name("stats"));
    let port = Server::start(0, Speaks::Tcp, None).port;
    let target = format!("tcp://127.0.0.1:{port}");
    let run = replay(&["--alerts", &target, "--alerts", "-", "--spool", &spool, "--stats", &stats, "--drain", "1s"]).ended(0);
    let count = run.lines().len();
    let told = format!("{target}: alerts that have not arrived: {count}");
    let run = run.said(&[&told, "Connection refused", "wait in", "for the next run with this target"]);
    let delivery = |folder: &Folder| {
        let stats: Value = serde_json::from_slice(&folder.read("stats")).unwrap();
        let delivery = &stats["deliveries"][0];
        let counts: BTreeMap<&str, u64> = ["delivered", "waiting", "dropped", "refused"]
            .into_iter()
            .map(|name| (name, delivery[name].as_u64().unwrap()))
            .collect();
        counts.into_values().collect::<Vec<_>>()
    };
    assert_eq!(delivery(&folder), [0, 0, 0, count as u64]);
    let server = Server::start(port, Speaks::Tcp, None);
    let again = replay(&["--alerts", &target, "--spool", &spool, "--stats", &stats]).ended(0);
    assert!(again.stdout.is_empty(), "alerts go where they are sent alone");
    assert_eq!(delivery(&folder), [2 * count as u64, 0, 0, 0]);
    let received = server.received();
    let eve = |message: &String| message[message.find('{').unwrap()..].to_owned();
    let first: Vec<String> = received[..count].iter().map(eve).collect();
    assert_eq!(first.join("\n") + "\n", String::from_utf8(run.stdout).unwrap(), "EVE arrives as it was written, in its order");
    assert_eq!(received[count..].iter().map(eve).collect::<Vec<_>>(), first, "the second run's come behind, under the same ids");
}
