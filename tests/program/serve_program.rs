//! The program with `--http`: what it refuses, where answers go, how it ends.

#![cfg(all(unix, feature = "http"))]

use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::Duration;

use auscult::pipeline::Stopwatch;
use serde_json::json;

use crate::serve_support::{PATIENCE, Reply, ask};
use crate::support::{self, Folder, auscult, program};

/// The program and what it says; it does not outlive its test.
struct Running {
    child: Child,
    stderr: BufReader<ChildStderr>,
    address: SocketAddr,
}

impl Running {
    /// Starts it, and waits until it says where its page is.
    fn start(mut command: Command) -> Result<Self, String> {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let mut running = Self { child, stderr, address: ([0; 4], 0).into() };
        let mut said = String::new();
        loop {
            let mut line = String::new();
            if running.stderr.read_line(&mut line).unwrap() == 0 {
                return Err(said);
            }
            let place = line.split("the live page is at http://").nth(1);
            if let Some(address) = place.and_then(|rest| rest.trim().trim_end_matches('/').parse().ok()) {
                running.address = address;
                return Ok(running);
            }
            said.push_str(&line);
        }
    }

    fn until(&self, path: &str, wanted: impl Fn(&Reply) -> bool) -> Reply {
        let start = Stopwatch::start();
        loop {
            let reply = ask(self.address, "GET", path, &[], b"");
            if wanted(&reply) {
                return reply;
            }
            assert!(start.seconds() < 3.0 * PATIENCE.as_secs_f64(), "{path}: {reply:?}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Ends it by TERM, and gives its status.
    fn end(mut self) -> i32 {
        assert!(Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap().success());
        let start = Stopwatch::start();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code().unwrap();
            }
            assert!(start.seconds() < 2.0 * PATIENCE.as_secs_f64(), "TERM does not end it");
            let _ = self.stderr.fill_buf();
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn what_is_not_safe_or_taken_is_told_at_the_start() {
    let folder = Folder::new();
    let tokens = folder.put("tokens", b"ada tooshort");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = taken.local_addr().unwrap().to_string();
    let capture = support::clinic();
    let capture = support::text(&capture);
    for (arguments, status, words) in [
        (vec!["--http", "0.0.0.0:0"], 2, "give --http-cert, --http-key and --http-token"),
        (vec!["--http", "[::]:0"], 2, "--http-token"),
        (vec!["--http", "127.0.0.1:0", "--http-token", &tokens], 2, "line 1: the token is shorter than 16 characters"),
        (vec!["--http", "127.0.0.1:0", "--http-cert", "nowhere.pem"], 2, "--http-key"),
        (vec!["--http-name", "x"], 2, "--http"),
        (vec!["--http", "localhost:80"], 2, "invalid socket address"),
        (vec!["--http", &at], 1, "in use"),
    ] {
        let run = auscult(&[&["replay", capture, "--alerts", "/dev/null"], arguments.as_slice()].concat());
        assert_eq!(run.status, status, "{arguments:?}: {}", run.stderr);
        assert!(run.stderr.contains(words) && !run.stderr.contains("tooshort"), "{arguments:?}: {}", run.stderr);
    }
}

#[test]
fn a_replay_stays_and_its_answers_land_in_the_file() {
    let folder = Folder::new();
    let answers = folder.name("answers.jsonl");
    let mut command = program();
    let capture = support::project("datasets/hospital/intrusion-loud/capture.pcap.zst");
    let model = support::project("models/hospital.json");
    command.args(["replay", support::text(&capture), "--model", support::text(&model), "--answers", &answers]);
    command.args(["--alerts", &folder.name("alerts.jsonl"), "--http", "127.0.0.1:0"]);
    let running = Running::start(command).unwrap();
    running.until("/api/v1/status", |reply| reply.json()["is_over"] == true);
    let list = running.until("/api/v1/incidents?state=closed", |reply| !reply.json()["incidents"].as_array().unwrap().is_empty());
    let incident = list.json()["incidents"][0]["id"].clone();
    let session = ask(running.address, "GET", "/api/v1/session", &[], b"").json();
    let headers = [("Content-Type", "application/json"), ("X-Auscult-Token", session["form_token"].as_str().unwrap())];
    let close = json!({"answer": "close", "incident": incident, "reason": "ticket 4711"}).to_string();
    let given = ask(running.address, "POST", "/api/v1/answers", &headers, close.as_bytes());
    assert_eq!(given.status, 201, "{given:?}");
    let back = json!({"answer": "unlearn", "number": 0, "reason": "x"}).to_string();
    assert_eq!(
        ask(running.address, "POST", "/api/v1/answers", &headers, back.as_bytes()).status,
        422,
        "a close is not taken back"
    );
    let parts = ask(running.address, "GET", "/parts", &[], b"").body;
    for id in ["words", "timeline", "attack", "talk", "devices", "behaviours", "traffic", "model", "limits"] {
        assert!(parts.contains(&format!("<section class=\"part\" id=\"{id}\"")), "{id}");
    }
    // An answer from the command line shows too.
    auscult(&[
        "mute",
        "--class",
        "scan",
        "--host",
        "10.60.40.23",
        "--for",
        "1d",
        "--reason",
        "r",
        "--by",
        "ada",
        "--answers",
        &answers,
    ])
    .ended(0);
    running.until("/api/v1/answers", |reply| reply.json()["count"] == 2);
    assert_eq!(running.end(), 0);
    let kept = support::lines(&folder.read("answers.jsonl"));
    assert_eq!(
        (kept.len(), &kept[0]["by"], &kept[0]["reason"], &kept[0]["about"]["incident"]),
        (2, &json!("http"), &json!("ticket 4711"), &incident)
    );
    auscult(&["verify", &answers]).ended(0);
}

#[test]
fn a_watch_is_well_and_counts_what_it_hears() {
    let folder = Folder::new();
    let mut command = program();
    command.args(["watch", "lo", "--alerts", &folder.name("alerts.jsonl"), "--learn", "1h", "--http", "127.0.0.1:0"]);
    let running = match Running::start(command) {
        Ok(running) => running,
        Err(said) if said.contains("CAP_NET_RAW") || said.contains("permi") => {
            println!("skipped: no permission to listen on lo");
            return;
        }
        Err(said) => panic!("{said}"),
    };
    running.until("/healthz", |reply| reply.status == 200);
    let ready = running.until("/readyz", |reply| reply.status == 503);
    assert!(ready.body.contains("still learning"), "{ready:?}");
    // It hears these very questions.
    let packets = |reply: &Reply| {
        let line = reply.body.lines().find_map(|line| line.strip_prefix("auscult_capture_packets_total{iface=\"lo\"} "));
        line.and_then(|count| count.parse::<u64>().ok()).unwrap_or(0)
    };
    let metrics = running.until("/metrics", |reply| packets(reply) > 0);
    assert!(metrics.body.contains("auscult_learning 1") && metrics.body.contains("auscult_flows_active "), "{}", metrics.body);
    let status = running.until("/api/v1/status", |reply| reply.json()["capture_time"].is_string()).json();
    assert_eq!((&status["state"], &status["interface"], &status["illness"]), (&json!("learning"), &json!("lo"), &json!(null)));
    assert_eq!(running.end(), 0);
}
