//! The comparison of `benches/compare.rs`, small: it gives auscult's own figure, and the same again.

#![allow(dead_code, reason = "the program uses the rest")]

#[path = "../../benches/compare/mod.rs"]
#[expect(clippy::module_inception, reason = "the example has it at its root")]
mod compare;

use clap::Parser as _;
use serde_json::Value;

use crate::support::{CLINIC_SPLIT, Folder, auscult, clinic, clinic_model, project, text};

fn run() -> compare::Comparison {
    let (capture, truth) = (clinic(), project("datasets/clinic/clinic.labels.csv"));
    let arguments = ["compare", text(&capture), "--split", CLINIC_SPLIT, "--truth", text(&truth), "--sample", "300"];
    compare::compare(&compare::Options::parse_from(arguments)).unwrap().remove(0)
}

#[test]
fn every_row_is_a_score_and_auscults_is_what_eval_says() {
    let (first, again) = (run(), run());
    assert_eq!((first.sample, first.rows.len(), first.variants.len()), (300, 14, 5));
    for (row, same) in first.rows.iter().zip(&again.rows) {
        let aucs = row.scores.attacks.values().map(|attack| attack.auc);
        assert!(aucs.clone().all(|auc| (0.0..=1.0).contains(&auc)) && aucs.count() == 11, "{row:?}");
        assert_eq!((&row.name, &row.scores), (&same.name, &same.scores));
    }
    for (variant, same) in first.variants.iter().zip(&again.variants) {
        let reached = |of: &compare::Variant| (of.judgement.flows.clone(), of.judgement.alerts.clone());
        assert_eq!(reached(variant), reached(same), "{}", variant.name);
    }
    let folder = Folder::new();
    let (model, capture, truth) = (clinic_model(&folder), clinic(), project("datasets/clinic/clinic.labels.csv"));
    let arguments = ["eval", text(&capture), "--from", CLINIC_SPLIT, "--model", &model, "--truth", text(&truth), "--json"];
    let scores: Value = serde_json::from_slice(&auscult(&arguments).ended(0).stdout).unwrap();
    let itself = &first.rows[0];
    assert_eq!(itself.name, "auscult");
    assert_eq!(scores["flows"], serde_json::to_value(&itself.scores).unwrap());
    assert_eq!(scores["alerts"], serde_json::to_value(&first.variants[0].judgement.alerts).unwrap());
    assert!(first.to_string().contains("isolation forest"));
}
