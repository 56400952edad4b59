//! `auscult explain`: the bits of an alert can be drawn again from the model.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::{CLINIC_SPLIT, Folder, Run, auscult, clinic, clinic_model, lines, text};

/// Alerts of the clinic's second part.
fn alerts(folder: &Folder, args: &[&str]) -> String {
    let (path, capture) = (folder.name("alerts.jsonl"), clinic());
    let mut all = vec!["replay", text(&capture), "--from", CLINIC_SPLIT, "--alerts", &path];
    all.extend(args);
    auscult(&all).ended(0);
    path
}

fn explained(alerts: &str, model: &str, more: &[&str]) -> Run {
    let mut args = vec!["explain", alerts, "--model", model];
    args.extend(more);
    auscult(&args)
}

#[test]
fn every_reason_of_every_alert_follows_from_the_model() {
    let folder = Folder::new();
    let model = clinic_model(&folder);
    let path = alerts(&folder, &["--model", &model]);
    let run = explained(&path, &model, &[]).ended(0);
    let page = String::from_utf8(run.stdout.clone()).unwrap();
    let events = lines(&folder.read("alerts.jsonl"));
    let ids: BTreeSet<&str> = events.iter().filter_map(|event| event["auscult"]["incident"]["id"].as_str()).collect();
    assert!(!ids.is_empty() && ids.iter().all(|id| page.contains(&format!("incident {id}"))));
    let agree = page.matches("agrees with the alert").count();
    assert!(agree >= 2 * ids.len(), "{agree} of {} incidents", ids.len());
}

#[test]
fn the_score_of_an_alert_adds_up() {
    let folder = Folder::new();
    let model = clinic_model(&folder);
    alerts(&folder, &["--model", &model]);
    let number = |value: &Value| value.as_f64().unwrap();
    for event in lines(&folder.read("alerts.jsonl")) {
        let product = &event["auscult"];
        let score = &product["score"];
        let own: f64 =
            score["conversations"].as_array().unwrap().iter().map(|one| number(&one["bits"]) * number(&one["counts"])).sum();
        let sum = number(&score["shared"]) + own + number(&score["others"]);
        assert!((sum - number(&product["bits"])).abs() < 0.05, "{sum} {product}");
    }
}

#[test]
fn bits_that_were_changed_are_found() {
    let folder = Folder::new();
    let model = clinic_model(&folder);
    let path = alerts(&folder, &["--model", &model]);
    let first = std::fs::read_to_string(&path).unwrap().lines().next().unwrap().to_owned();
    let mut event: Value = serde_json::from_str(&first).unwrap();
    let reasons = event["auscult"]["why"].as_array_mut().unwrap();
    let of_model = reasons.iter_mut().find(|why| why["feature"] != "period_s" && why["bits"].as_f64().unwrap() < 25.0).unwrap();
    of_model["bits"] = Value::from(of_model["bits"].as_f64().unwrap() + 3.0);
    std::fs::write(&path, event.to_string()).unwrap();
    let run = explained(&path, &model, &[]).ended(1).said(&["1 of its reasons"]);
    assert!(String::from_utf8_lossy(&run.stdout).contains("DOES NOT AGREE"));
}

#[test]
fn fewer_bits_than_the_model_gives_and_news_that_it_knows_do_not_agree() {
    let folder = Folder::new();
    let model = clinic_model(&folder);
    let path = alerts(&folder, &["--model", &model]);
    let first: Value = lines(&folder.read("alerts.jsonl")).remove(0);
    let with = |feature: &str, observed: f64, bits: f64| {
        let mut event = first.clone();
        // The archive is an old acquaintance of the first reading station.
        let about = serde_json::json!({"host": "10.77.0.11", "peer": "10.77.0.10", "service": "tcp/11112"});
        let why = serde_json::json!({"feature": feature, "observed": observed, "bits": bits, "text": "", "about": about});
        event["auscult"]["why"] = Value::Array(vec![why]);
        std::fs::write(&path, event.to_string()).unwrap();
        String::from_utf8(explained(&path, &model, &[]).stdout).unwrap()
    };
    assert!(with("targets_per_min", 5000.0, 1.0).contains("DOES NOT AGREE"));
    let known = with("new_peer", 60.0, 9.0);
    assert!(known.contains("it is not new") && known.contains("DOES NOT AGREE"), "{known}");
}

#[test]
fn what_cannot_be_explained_says_why() {
    let folder = Folder::new();
    let model = clinic_model(&folder);
    let path = alerts(&folder, &[]);
    explained(&path, &model, &[]).ended(1).said(&["the capture taught itself"]);
    alerts(&folder, &["--model", &model]);
    explained(&path, &model, &["--incident", "nothing"]).ended(1).said(&["no incident nothing"]);
    let changed = std::fs::read_to_string(&path).unwrap().replace("sha256:", "sha256:0");
    std::fs::write(&path, changed).unwrap();
    explained(&path, &model, &[]).ended(1).said(&["judged by model sha256:0"]);
    std::fs::write(&path, "{\"event_type\": \"alert\"").unwrap();
    explained(&path, &model, &[]).ended(1).said(&["alerts.jsonl, line 1: no alert of auscult"]);
    std::fs::write(&path, "{\"event_type\": \"stats\"}\n").unwrap();
    explained(&path, &model, &[]).ended(1).said(&["no alert"]);
}
