//! A `watch` that judges by the model that is in use in a system of NATS.
use std::io::BufRead as _;
use std::process::{Command, Stdio};

use crate::nats_support::Server;
use crate::support::{Folder, auscult, program, project, text};
use serde_json::Value;

fn digest(model: &str) -> String {
    let card = auscult(&["inspect", model, "--json"]).ended(0);
    serde_json::from_slice::<Value>(&card.stdout).unwrap()["digest"].as_str().unwrap().to_owned()
}

#[test]
fn a_watch_goes_over_to_what_is_published_and_back() {
    if Command::new("id").arg("-u").output().unwrap().stdout != b"0\n" {
        println!("skipped: listening needs root");
        return;
    }
    let Some(server) = Server::start("") else { return };
    let address = server.address();
    let (first, second) = (project("models/hospital.json"), project("models/clinic.json"));
    let (first, second) = (text(&first), text(&second));
    auscult(&["watch", "lo", "--model", &address]).ended(1).said(&["store"]);
    auscult(&["model", "publish", &address, first]).ended(0);
    auscult(&["watch", "lo", "--model", &address, "--adapt", "versions"]).ended(2).said(&["--adapt", "give --model a file"]);
    let words = ["watch", "lo", "--model", &address];
    let mut child = program().args(words).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut told = std::io::BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let mut says = |words: &str| assert!(told.any(|line| line.contains(words)), "it ended without {words:?}");
    let signal = |name: &str| {
        assert!(Command::new("kill").args([name, &child.id().to_string()]).status().unwrap().success());
    };
    says("no new privileges");
    auscult(&["model", "publish", &address, second]).ended(0);
    says(&format!("the model is {} from the next tick on, instead of {}", digest(second), digest(first)));
    // What is named is no file that could be read again.
    signal("-HUP");
    says("HUP: read again");
    auscult(&["model", "rollback", &address]).ended(0);
    says(&format!("the model is {} from the next tick on, instead of {}", digest(first), digest(second)));
    signal("-TERM");
    says("judged   by a model");
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_replay_judges_by_the_model_in_use() {
    let Some(server) = Server::start("") else { return };
    let (folder, address) = (Folder::new(), server.address());
    let (model, capture) = (project("models/hospital.json"), project("datasets/hospital/intrusion-loud/capture.pcap.zst"));
    auscult(&["model", "publish", &address, text(&model)]).ended(0);
    for (model, alerts) in [(address.as_str(), "store"), (text(&model), "file")] {
        auscult(&["replay", text(&capture), "--model", model, "--alerts", &folder.name(alerts), "--to", "1780478700"]).ended(0);
    }
    assert!(!folder.read("file").is_empty() && folder.read("store") == folder.read("file"));
}
