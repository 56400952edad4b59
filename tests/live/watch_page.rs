//! `auscult watch --http` at a mirror port: an incident is on the page while it goes on, an answer given there holds, and the page of
//! the next run begins with what this one told.

#![cfg(feature = "http")]

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::process::{ChildStderr, ChildStdout, Stdio};
use std::time::Duration;

use auscult::capture::{Block, Source as _, open};
use serde_json::{Value, json};

use crate::support::{self, Folder, clinic_model, lines};
use crate::veth_support::{Guard, HERE, SCAN, Wire, at_least, end, watch};

/// Asks for an address, with a body where there is one, and prints the status and what is answered.
const ASK: &str = "
import sys, urllib.request, urllib.error
url, token, body = sys.argv[1:]
asked = urllib.request.Request(url, data=body.encode() or None)
if body: asked.add_header('Content-Type', 'application/json'); asked.add_header('X-Auscult-Token', token)
try: answer = urllib.request.urlopen(asked, timeout=10)
except urllib.error.HTTPError as error: answer = error
print(answer.status); print(answer.read().decode(), end='')
";

/// Prints the data of events as they come.
const LISTEN: &str = "
import sys, urllib.request
for line in urllib.request.urlopen(sys.argv[1], timeout=30):
    if line.startswith(b'data: '): print(line[6:].decode(), end='', flush=True)
";

/// The program at the mirror port, and its page.
struct Page<'a> {
    wire: &'a Wire,
    watching: Guard,
    stderr: BufReader<ChildStderr>,
    address: String,
}

impl<'a> Page<'a> {
    fn open(wire: &'a Wire, arguments: &[&str]) -> Self {
        let (watching, mut stderr) = watch(wire, "span1", &[arguments, &["--http", "127.0.0.1:0"]].concat());
        loop {
            let mut line = String::new();
            assert!(stderr.read_line(&mut line).unwrap() > 0, "it ended without a page");
            if let Some(address) = line.trim().split_once("the live page is at ").map(|(_, address)| address.to_owned()) {
                return Self { wire, watching, stderr, address };
            }
        }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{}", self.address, path.trim_start_matches('/'))
    }

    fn ask(&self, path: &str, token: &str, body: &str) -> (u16, String) {
        let mut python = Wire::inside(&self.wire.there, "python3");
        let output = python.args(["-c", ASK, &self.url(path), token, body]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let (status, body) = text.split_once('\n').unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&output.stderr)));
        (status.parse().unwrap(), body.to_owned())
    }

    fn json(&self, path: &str) -> Value {
        let (status, body) = self.ask(path, "", "");
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap()
    }

    fn until(&self, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..100 {
            let value = self.json(path);
            if wanted(&value) {
                return value;
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        panic!("{path}: {}", self.json(path));
    }

    fn events(&self) -> Events {
        let mut python = Wire::inside(&self.wire.there, "python3");
        let mut child =
            python.args(["-u", "-c", LISTEN, &self.url("/api/v1/events?after=0")]).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Events { _listening: Guard(child), lines }
    }

    fn end(self, signal: &str) -> (i32, String) {
        end(self.watching, self.stderr, signal)
    }
}

/// What a stream of events says.
struct Events {
    _listening: Guard,
    lines: BufReader<ChildStdout>,
}

impl Events {
    fn until(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let mut line = String::new();
            assert!(self.lines.read_line(&mut line).unwrap() > 0, "the stream has ended");
            let value: Value = serde_json::from_str(&line).unwrap();
            if wanted(&value) {
                return value;
            }
        }
    }
}

fn scan(wire: &Wire) {
    let (_client, done) = Wire::python(&wire.here, SCAN);
    assert_eq!(done, "done\n");
}

/// Packets in each file of a folder.
fn packets(folder: &Folder, name: &str) -> BTreeMap<String, usize> {
    let files = std::fs::read_dir(folder.path(name)).unwrap().map(|entry| entry.unwrap().path());
    let count = |path: std::path::PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let (mut source, mut block, mut count) = (open(&[path.into()]).unwrap(), Block::default(), 0);
        while source.fill(&mut block).unwrap() || !block.frames.is_empty() {
            count += std::mem::take(&mut block.frames).len();
        }
        (name, count)
    };
    files.map(count).collect()
}

#[test]
fn an_incident_is_told_and_answered_on_the_page_and_the_next_page_knows_it() {
    let Some(wire) = Wire::lay("page") else { return };
    wire.mirror();
    let folder = Folder::new();
    let (alerts, answers, model) = (folder.name("alerts.jsonl"), folder.name("answers.jsonl"), clinic_model(&folder));
    let (evidence, hidden) = (folder.name("evidence"), folder.name("hidden.jsonl"));
    let arguments = ["--model", &model, "--alerts", &alerts, "--answers", &answers, "--evidence", &evidence, "--hidden", &hidden];

    let page = Page::open(&wire, &arguments);
    let mut events = page.events();
    scan(&wire);
    let row = events.until(|event| event["class"] == "scan");
    assert_eq!((&row["host"], &row["hidden"], &row["earlier_run"]), (&json!(HERE), &json!(false), &json!(false)), "{row}");
    let id = row["id"].as_str().unwrap().to_owned();
    let detail = page.json(&format!("/api/v1/incidents/{id}"));
    let told = at_least(&folder, "alerts.jsonl", 1);
    let line = told.iter().find(|line| line["auscult"]["incident"]["id"] == *id).unwrap();
    assert_eq!((&detail["alert"]["src_ip"], &detail["incident"]["class"]), (&line["src_ip"], &json!("scan")));
    let status = page.json("/api/v1/status");
    let sink = &status["sinks"][0];
    assert_eq!((&sink["format"], &sink["kind"], &sink["away"]), (&json!("eve"), &json!("file"), &json!(false)), "{status}");
    let metrics = page.ask("/metrics", "", "").1;
    let value = |name: &str| {
        let sample = metrics.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("{name}: {metrics}"));
        sample.trim().parse::<f64>().unwrap()
    };
    assert!(value("auscult_sink_sent_total{sink=\"1\",format=\"eve\",kind=\"file\"}") >= 1.0);
    assert!(value("auscult_capture_packets_total{iface=\"span1\"}") >= 300.0);

    // Answered there, it is told no more, and its packets are kept no more either.
    let token = page.json("/api/v1/session")["form_token"].as_str().unwrap().to_owned();
    let mute = json!({"answer": "mute", "incident": id, "for": "1d", "reason": "a test"}).to_string();
    let (given, said) = page.ask("/api/v1/answers", &token, &mute);
    assert_eq!(given, 201, "{said}");
    let answered = events.until(|event| event["id"] == *id && event["answer"]["answer"] == "mute");
    assert_eq!((&answered["answer"]["by"], &answered["answer"]["reason"]), (&json!("http"), &json!("a test")));
    // It looks once a second.
    std::thread::sleep(Duration::from_secs(3));
    let name = line["auscult"]["evidence"].as_str().unwrap();
    let before = packets(&folder, "evidence")[name];
    scan(&wire);
    page.until("/api/v1/status", |status| status["capture"]["packets"].as_u64() >= Some(1200));
    let (status, said) = page.end("-INT");
    assert_eq!(status, 0, "{said}");
    assert!(before > 100, "{before}");
    assert_eq!(packets(&folder, "evidence")[name], before, "{said}");
    let first_run = lines(&folder.read("alerts.jsonl"));
    let last = first_run.iter().rfind(|line| line["auscult"]["incident"]["id"] == *id).unwrap();
    assert_eq!((&last["auscult"]["incident"]["state"], &last["auscult"]["answer"]["by"]), (&json!("closed"), &json!("http")));

    // The next run begins with what this one told, and the answer hides the next scan.
    let page = Page::open(&wire, &arguments);
    let known = page.json("/api/v1/incidents")["incidents"].clone();
    let kept = known.as_array().unwrap().iter().find(|row| row["id"] == *id).unwrap();
    assert_eq!(
        (&kept["earlier_run"], &kept["state"], &kept["answer"]["answer"]),
        (&json!(true), &json!("closed"), &json!("mute"))
    );
    scan(&wire);
    let status = page.until("/api/v1/status", |status| status["alert_lines"]["hidden"]["scan"].as_u64() >= Some(1));
    assert_eq!(status["incidents"]["from_earlier_runs"], known.as_array().unwrap().len(), "{status}");
    let rows = page.json("/api/v1/incidents?class=scan")["incidents"].clone();
    assert!(rows.as_array().unwrap().iter().any(|row| row["hidden"] == true && row["earlier_run"] == false), "{rows}");
    let (status, said) = page.end("-TERM");
    assert_eq!(status, 0, "{said}");
    let scans = |lines: &[Value]| lines.iter().filter(|line| line["auscult"]["incident"]["class"] == "scan").count();
    assert_eq!(scans(&lines(&folder.read("alerts.jsonl"))), scans(&first_run), "a muted scan was told");
    assert!(scans(&lines(&folder.read("hidden.jsonl"))) > 0);
    for record in [&alerts, &answers] {
        support::auscult(&["verify", record]).ended(0);
    }
}
