//! `auscult eval` says what the independent programs say of what `auscult replay` writes.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::{CLINIC_SPLIT, Folder, auscult, clinic, clinic_model, data, have, project, text};

/// An independent program: in the project, beside it, or beside the development data.
fn tool(name: &str) -> Option<PathBuf> {
    let places = [Some(project("tools")), Some(project("../shared/tools")), data(".").map(|data| data.join("../tools"))];
    let found = places.into_iter().flatten().map(|folder| folder.join(name)).find(|path| path.is_file());
    if found.is_none() {
        println!("skipped: tools/{name} is missing");
    }
    found.filter(|_| have("python3", "--version"))
}

fn ask(tool: &Path, arguments: &[&str]) -> Value {
    let output = Command::new("python3").arg(tool).args(arguments).arg("--json").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Where two differ. Python's seconds since the epoch are exact to a quarter of a microsecond; bits are written to a
/// thousandth, which can make a tie of two flows.
fn difference(path: &str, ours: &Value, theirs: &Value) -> Option<String> {
    match (ours, theirs) {
        (Value::Number(a), Value::Number(b)) => {
            let (a, b) = (a.as_f64()?, b.as_f64()?);
            let most = if path.contains("seconds") { 1e-6 } else { 1e-4 };
            ((a - b).abs() > most).then(|| format!("{path}: ours {a}, theirs {b}"))
        }
        (Value::Object(a), Value::Object(b)) if a.len() == b.len() => {
            a.iter().find_map(|(name, value)| difference(&format!("{path}.{name}"), value, b.get(name)?))
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            a.iter().zip(b).enumerate().find_map(|(n, (a, b))| difference(&format!("{path}[{n}]"), a, b))
        }
        (a, b) => (a != b).then(|| format!("{path}: ours {a}, theirs {b}")),
    }
}

#[test]
fn eval_is_what_the_independent_programs_say_of_replay() {
    let (Some(score_flows), Some(score_alerts)) = (tool("score_flows.py"), tool("score_alerts.py")) else { return };
    let folder = Folder::new();
    let (capture, truth) = (clinic(), project("datasets/clinic/clinic.labels.csv"));
    let (capture, truth, model) = (text(&capture), text(&truth), clinic_model(&folder));
    let (alerts, flows) = (folder.name("alerts"), folder.name("flows"));
    let judge = [capture, "--model", &model, "--from", CLINIC_SPLIT];
    auscult(&[&["replay", "--alerts", &alerts, "--flows", &flows], &judge[..]].concat()).ended(0);
    let eval = auscult(&[&["eval", "--truth", truth, "--json"], &judge[..]].concat()).ended(0);
    let ours: Value = serde_json::from_slice(&eval.stdout).unwrap();
    let their_flows = ask(&score_flows, &["--flows", &flows, "--truth", truth]);
    let their_alerts = ask(&score_alerts, &["--alerts", &alerts, "--truth", truth, "--from", CLINIC_SPLIT]);
    assert!(ours["flows"]["attacks"].as_object().unwrap().len() > 5, "{ours}");
    assert_eq!(difference("flows", &ours["flows"], &their_flows), None);
    assert_eq!(difference("alerts", &ours["alerts"], &their_alerts), None);
}

#[test]
fn eval_prints_a_table_for_people() {
    let folder = Folder::new();
    let (capture, truth) = (clinic(), project("datasets/clinic/clinic.labels.csv"));
    let model = clinic_model(&folder);
    let run = auscult(&["eval", text(&capture), "--truth", text(&truth), "--model", &model, "--from", CLINIC_SPLIT]).ended(0);
    let page = String::from_utf8(run.stdout).unwrap();
    for words in ["macro", "port-scan", "exfiltration", "beacon"] {
        assert!(page.contains(words), "{words} is not in:\n{page}");
    }
}

#[test]
fn benign_time_alone_is_scored_by_its_false_alerts() {
    let folder = Folder::new();
    let (capture, model) = (clinic(), clinic_model(&folder));
    let rows = b"src_ip,dst_ip,src_port,dst_port,proto,start,end,label,detail\n10.77.0.0,10.77.0.1,,,,,,benign,\n";
    let truth = folder.put("benign.csv", rows);
    let arguments = ["eval", text(&capture), "--truth", &truth, "--model", &model, "--to", CLINIC_SPLIT];
    let page = String::from_utf8(auscult(&arguments).ended(0).stdout).unwrap();
    assert!(page.contains("no attack in the ground truth") && page.contains("false per host-day"), "{page}");
    let json = auscult(&[&arguments[..], &["--json"]].concat()).ended(0);
    let json: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert!(json["flows"].is_null() && json["alerts"]["false_alerts"].is_number(), "{json}");
}

#[test]
fn a_truth_that_cannot_be_read_is_status_1_with_its_name_and_line() {
    let folder = Folder::new();
    let capture = clinic();
    let nowhere = folder.name("nowhere.csv");
    let wrong =
        folder.put("wrong.csv", b"src_ip,dst_ip,src_port,dst_port,proto,start,end,label,detail\n1.2.3.4,,,,,x,2,malicious,a\n");
    for (truth, words) in [(&nowhere, "nowhere.csv"), (&wrong, "wrong.csv")] {
        let run = auscult(&["eval", text(&capture), "--truth", truth]).ended(1).said(&[words]);
        assert!(run.stdout.is_empty());
    }
}
