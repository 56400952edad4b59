//! A detector that is slower than its sensors: what it cannot take yet stays on the server.
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::nats_support::{Server, until};
use crate::support::{Folder, Run, auscult, lines, program, project, text};
use serde_json::Value;

const CAPTURE: &str = "datasets/hospital/intrusion-loud/capture.pcap.zst";
const MODEL: &str = "models/hospital.json";

/// A detector, which is killed with the test.
struct Detector {
    child: Child,
    /// The most memory that it had, in KiB, when it was looked at last.
    peak: u64,
}

impl Detector {
    fn start(address: &str, folder: &Folder, more: &[&str]) -> Self {
        let (model, alerts, stats) = (project(MODEL), folder.name("alerts"), folder.name("stats"));
        let words = ["detect", address, "--model", text(&model), "--alerts", &alerts, "--stats", &stats];
        let log = std::fs::File::create(folder.path("stderr")).unwrap();
        let child = program().args(words).args(more).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        Self { child, peak: 0 }
    }

    fn signal(&self, name: &str) {
        assert!(Command::new("kill").args([name, &self.child.id().to_string()]).status().unwrap().success());
    }

    /// Lets it work for 30 ms of every 90, and looks at its memory. Has it ended?
    fn crawl(&mut self) -> bool {
        self.signal("-CONT");
        thread::sleep(Duration::from_millis(30));
        if self.look() {
            return true;
        }
        self.signal("-STOP");
        thread::sleep(Duration::from_millis(60));
        false
    }

    fn look(&mut self) -> bool {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next()?.parse().ok());
        self.peak = self.peak.max(peak.unwrap_or_default());
        self.child.try_wait().unwrap().is_some()
    }
}

impl Drop for Detector {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a run told and counted, and its peak in KiB.
fn ended(mut detector: Detector, folder: &Folder) -> (Vec<Value>, Value, u64) {
    let status = detector.child.wait().unwrap();
    let said = String::from_utf8(folder.read("stderr")).unwrap();
    assert!(status.success(), "{status}: {said}");
    let stats = serde_json::from_slice::<Value>(&folder.read("stats")).unwrap()["stream"].clone();
    (lines(&folder.read("alerts")), stats, detector.peak)
}

fn publish(address: &str, folder: &Folder, sensor: &str) -> Value {
    let (spool, stats) = (folder.name(&format!("spool-{sensor}")), folder.name(&format!("{sensor}.json")));
    let capture = project(CAPTURE);
    let words = ["replay", text(&capture), "--publish", address, "--sensor", sensor, "--spool", &spool, "--stats", &stats];
    let run: Run = auscult(&words);
    run.ended(0);
    serde_json::from_slice::<Value>(&folder.read(&format!("{sensor}.json"))).unwrap()["published"].clone()
}

#[test]
fn what_a_slow_detector_has_not_taken_stays_on_the_server() {
    for by in ["--detector", "--group"] {
        let Some(server) = Server::start("") else { return };
        let address = server.address();
        let (folder, slow) = (Folder::new(), Folder::new());
        let published = publish(&address, &folder, "a");

        let mut quick = Detector::start(&address, &folder, &[by, "quick", "--until-caught-up"]);
        until("it is done", || quick.look());
        let (want, quickly, quick) = ended(quick, &folder);

        let mut crawling = Detector::start(&address, &slow, &[by, "slow", "--until-caught-up", "--patience", "120s"]);
        until("it is done", || crawling.crawl());
        let (got, stats, crawling) = ended(crawling, &slow);

        assert_eq!(
            (&stats["messages"], &stats["missing"], &stats["late"]),
            (&published["messages"], &0.into(), &0.into()),
            "{stats}"
        );
        assert_eq!((&stats["records"], &stats["doubles"]), (&quickly["records"], &0.into()), "{stats}");
        println!("{by}: {quick} KiB, when it is slow {crawling} KiB");
        assert!(crawling < quick + quick / 10, "{crawling} KiB, where one that is quick takes {quick}");
        assert_eq!(got, want, "{by}");
    }
}
