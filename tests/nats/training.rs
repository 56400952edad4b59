//! A model that several learn together over a server.

use std::fs::File;
use std::process::{Child, Stdio};

use serde_json::Value;

use crate::nats_support::{Server, until};
use crate::support::{Folder, auscult, program, project, text};

const CAPTURE: &str = "datasets/hospital/clean/capture.pcap.zst";
/// A third and two thirds of its time, at full hours.
const CUTS: [&str; 2] = ["2026-06-02T10:00:00Z", "2026-06-02T13:00:00Z"];

/// Who learns; what each says is in a file.
struct Learner {
    name: String,
    child: Child,
}

impl Learner {
    fn start(folder: &Folder, name: &str, words: &[&str]) -> Self {
        let said = File::create(folder.path(&format!("{name}.said"))).unwrap();
        let mut command = program();
        command.arg("train").args(words).args(["--seed", "1", "--workers", "1"]);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(said).spawn().unwrap();
        Self { name: name.to_owned(), child }
    }

    /// One of three workers, with its third of the time.
    fn worker(folder: &Folder, address: &str, number: usize, more: &[&str]) -> Self {
        let (name, capture) = (format!("w{number}"), text(&project(CAPTURE)).to_owned());
        let mut words = vec![capture.as_str(), "--together", address, "--worker", &name];
        if let Some(from) = number.checked_sub(1) {
            words.extend(["--from", CUTS[from]]);
        }
        if let Some(to) = CUTS.get(number) {
            words.extend(["--to", to]);
        }
        words.extend(more);
        Self::start(folder, &name, &words)
    }

    fn coordinator(folder: &Folder, address: &str, out: &str) -> Self {
        Self::start(folder, "coordinator", &["--together", address, "--coordinate", "3", "--out", out])
    }

    fn says(&self, folder: &Folder, what: &str) -> bool {
        String::from_utf8_lossy(&folder.read(&format!("{}.said", self.name))).contains(what)
    }

    fn ends_well(mut self, folder: &Folder) {
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{}: {}", self.name, String::from_utf8_lossy(&folder.read(&format!("{}.said", self.name))));
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Learner {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn model(path: &str) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn three_workers_and_a_coordinator_learn_one_model() {
    let Some(server) = Server::start("") else { return };
    let (folder, address) = (Folder::new(), server.address());
    let (out, of_worker) = (folder.name("model.json"), folder.name("worker.json"));
    // Who comes first waits for the others.
    let workers = [0, 1].map(|number| Learner::worker(&folder, &address, number, &[]));
    until("it waits for a coordinator", || workers[0].says(&folder, "waits for its coordinator"));
    let coordinator = Learner::coordinator(&folder, &address, &out);
    let last = Learner::worker(&folder, &address, 2, &["--out", &of_worker]);
    [coordinator, last].into_iter().chain(workers).for_each(|learner| learner.ends_well(&folder));
    assert!(folder.read("model.json") == folder.read("worker.json"), "all learn the same model");
    let learned = model(&out);
    let model = &learned["model"];
    assert_eq!(model["provenance"]["sources"].as_array().unwrap().len(), 3);
    // As one process learns it, but for the flows that are cut where the time is, and the hours that begin there.
    let alone = folder.name("alone.json");
    auscult(&["train", text(&project(CAPTURE)), "--seed", "1", "--out", &alone]).ended(0);
    let one = &self::model(&alone)["model"];
    let devices = |model: &Value| model["baselines"]["hosts"].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(devices(model), devices(one));
    let minutes = |model: &Value| {
        let hosts = model["baselines"]["hosts"].as_object().unwrap().values();
        hosts.map(|host| host["minutes"].as_f64().unwrap()).sum::<f64>()
    };
    assert!((minutes(model) / minutes(one) - 1.0).abs() < 0.01, "{} and {} minutes", minutes(model), minutes(one));
    let flows = |model: &Value| model["provenance"]["flows"].as_f64().unwrap();
    assert!((flows(model) / flows(one) - 1.0).abs() < 0.01, "{} and {} flows", flows(model), flows(one));
    // The job is over: its name may be given to another.
    let again = Learner::worker(&folder, &address, 0, &[]);
    until("it waits for another coordinator", || again.says(&folder, "waits for its coordinator"));
}

#[test]
fn who_is_killed_goes_on_and_the_model_is_the_same() {
    let Some(server) = Server::start("") else { return };
    let (folder, address) = (Folder::new(), server.address());
    let undisturbed = folder.name("undisturbed.json");
    let coordinator = Learner::coordinator(&folder, &address, &undisturbed);
    let workers = [0, 1, 2].map(|number| Learner::worker(&folder, &address, number, &[]));
    [coordinator].into_iter().chain(workers).for_each(|learner| learner.ends_well(&folder));

    let out = folder.name("model.json");
    let coordinator = Learner::coordinator(&folder, &address, &out);
    let first = [0, 1].map(|number| Learner::worker(&folder, &address, number, &[]));
    until("two are there", || coordinator.says(&folder, "2 of 3 workers are there"));
    coordinator.kill();
    let [killed, other] = first;
    killed.kill();
    let coordinator = Learner::coordinator(&folder, &address, &out);
    until("it goes on", || coordinator.says(&folder, "goes on; 2 of 3 workers are there"));
    let again = Learner::worker(&folder, &address, 0, &[]);
    let last = Learner::worker(&folder, &address, 2, &[]);
    until("it goes on", || again.says(&folder, "w0 goes on"));
    [coordinator, other, again, last].into_iter().for_each(|learner| learner.ends_well(&folder));
    assert!(folder.read("model.json") == folder.read("undisturbed.json"));
}

#[test]
fn who_does_not_fit_a_job_hears_of_it() {
    let Some(server) = Server::start("") else { return };
    let (folder, address) = (Folder::new(), server.address());
    let capture = text(&project(CAPTURE)).to_owned();
    let coordinator = Learner::start(
        &folder,
        "coordinator",
        &["--together", &address, "--coordinate", "1", "--out", &folder.name("model.json")],
    );
    until("it waits", || coordinator.says(&folder, "0 of 1 workers are there"));
    let said = |words: &[&str], status: i32| {
        let run = auscult(&[&["train"], words].concat()).ended(status);
        run.stderr
    };
    let worker = ["--together", &address, "--worker", "a"];
    let other_seed = said(&[&[capture.as_str(), "--seed", "2"], &worker[..]].concat(), 2);
    assert!(other_seed.contains("the job train is learned with seed 1, and here with 2"), "{other_seed}");
    let other_count = said(&["--together", &address, "--coordinate", "2", "--out", &folder.name("other.json")], 2);
    assert!(other_count.contains("is under way with 1 workers"), "{other_count}");
    let patient = said(&[capture.as_str(), "--together", &address, "--worker", "a", "--job", "none", "--patience", "1s"], 1);
    assert!(patient.contains("nobody coordinates it within 1 s"), "{patient}");
    for alone in [["--job", "other"], ["--patience", "1h"], ["--stream-replicas", "3"]] {
        let alone = said(&[&[capture.as_str(), "--out", "model.json"], &alone[..]].concat(), 2);
        assert!(alone.contains("--together"), "{alone}");
    }
    let nothing = said(&worker, 2);
    assert!(nothing.contains("give captures or flow records to learn from"), "{nothing}");
    let busy = Learner::start(&folder, "a", &[&[capture.as_str()], &worker[..]].concat());
    until("it is in", || busy.says(&folder, "a is in; 1 of 1 workers are there"));
    let one_too_many = said(&[capture.as_str(), "--together", &address, "--worker", "b"], 2);
    assert!(one_too_many.contains("has its 1 workers: a"), "{one_too_many}");
    busy.ends_well(&folder);
    coordinator.ends_well(&folder);
    assert!(!folder.read("model.json").is_empty());
}

#[test]
fn what_sensors_published_is_learned_from_site_by_site() {
    let Some(server) = Server::start("") else { return };
    let (folder, address) = (Folder::new(), server.address());
    let capture = text(&project(CAPTURE)).to_owned();
    for (site, cut) in [("north", "--to"), ("south", "--from")] {
        let spool = folder.name(&format!("spool-{site}"));
        let publish =
            ["replay", &capture, cut, CUTS[0], "--publish", &address, "--site", site, "--sensor", "s", "--spool", &spool];
        auscult(&publish).ended(0);
    }
    let learned = |inputs: &[&str], name: &str| {
        let out = folder.name(name);
        auscult(&[&["train"], inputs, &["--out", &out]].concat()).ended(0);
        model(&out)["model"].clone()
    };
    let north = learned(&[&format!("{address}#site=north")], "north.json");
    let from_capture = learned(&[&capture, "--to", CUTS[0]], "capture.json");
    // As from the packets themselves, but for the moments of ticks: sensors have one at every full second.
    let devices = |model: &Value| model["baselines"]["hosts"].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(devices(&north), devices(&from_capture));
    assert_eq!(north["provenance"]["flows"], from_capture["provenance"]["flows"]);
    assert!(north["provenance"]["sources"][0]["name"].as_str().unwrap().ends_with("#site=north"));
    let both = learned(&[&address], "both.json");
    let flows = |model: &Value| model["provenance"]["flows"].as_u64().unwrap();
    let before = learned(&[&address, "--to", CUTS[0]], "before.json");
    assert!(flows(&both) > flows(&north) && flows(&before) >= flows(&north) && flows(&before) < flows(&both));
}
