//! Whatever the network says of itself, it opens no tag and no attribute of a report, and cannot make it large.

use std::collections::BTreeSet;
use std::sync::Arc;

use auscult::model::Model;
use auscult::report::text::Shown;
use auscult::report::{Account, Devices, Gather, KnownModel, Report, SourceFile, Wanted, write};
use proptest::prelude::*;

use crate::report_support::{alert, flow, inventory, read, skeleton};

fn model() -> Model {
    Model::load(&include_bytes!("../../models/clinic.json")[..]).unwrap()
}

/// A page in which these words stand wherever words from outside can.
fn page(model: &Model, words: &str) -> String {
    let mut model = model.clone();
    model.vocabulary.behaviours.iter_mut().for_each(|behaviour| behaviour.name = words.to_owned());
    model.provenance.sources.iter_mut().for_each(|source| source.name = words.to_owned());
    model.baselines.roles.iter_mut().for_each(|role| role.name = words.to_owned());
    let mut gather = Gather::default();
    gather.know(&model.vocabulary);
    let alerts =
        [alert(1, 30.0, words), alert(2, 20.0, words), words.replace(['\n', '\r'], " ").replace('{', "("), String::new()]
            .join("\n");
    gather.read(alerts.as_bytes(), words, Wanted::Alerts).unwrap();
    gather.read([flow(1, 40.0, words), flow(9, 0.5, words)].join("\n").as_bytes(), words, Wanted::Flows).unwrap();
    gather.finish();
    let mut devices = Devices::with(BTreeSet::new());
    devices.read(inventory(words).as_bytes()).unwrap();
    devices.finish();
    let stats =
        serde_json::json!({"capture": {"frames": 9, "packets": 8, "skipped": {words: 1}, "skipped_link_types": {words: 1}}});
    let sources = vec![SourceFile { role: "alerts", name: Shown::new(words), bytes: 1, sha256: None }];
    let account = Account::of(&stats);
    let report = Report {
        title: Shown::new(words),
        gather,
        devices: Some(devices),
        account,
        model: Some(KnownModel::new(Arc::new(model)).unwrap()),
        answers: None,
        of_captures: false,
        sources,
    };
    let mut page = Vec::new();
    write(&report, &mut page).unwrap();
    String::from_utf8(page).unwrap()
}

const FRAGMENTS: [&str; 12] = [
    "</title><script>alert(1)</script>",
    "\" onload=\"alert(1)",
    "' onload='alert(1)",
    "<!--",
    "]]>",
    "</style>",
    "</svg></text>",
    "&lt;script&gt;",
    "javascript:alert(1)",
    "\u{202e}gpj.exe",
    "\0\u{1b}[2J",
    "\\\"\u{2028}",
];

fn words() -> impl Strategy<Value = String> {
    let part = prop_oneof![any::<char>().prop_map(String::from), prop::sample::select(&FRAGMENTS[..]).prop_map(str::to_owned)];
    // A letter first, so that there is something to be shown in any case.
    prop::collection::vec(part, 0..12).prop_map(|parts| format!("x{}", parts.concat()))
}

#[test]
fn no_words_from_outside_change_the_tags_of_a_page() {
    let model = model();
    let honest = skeleton(&page(&model, "x"));
    assert!(honest.len() > 500, "only {} tags", honest.len());
    let check = |words: &str| {
        let page = page(&model, words);
        assert_eq!(skeleton(&page), honest, "{words:?}");
        let unseen = |c: char| c != '\n' && (c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c) || c == '\u{200b}');
        assert!(!page.contains(unseen), "{words:?}");
    };
    FRAGMENTS.iter().for_each(|fragment| check(&format!("x{fragment}")));
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 60,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    runner
        .run(&words(), |words| {
            check(&words);
            Ok(())
        })
        .unwrap();
}

#[test]
fn the_words_are_there_for_the_eye() {
    let (_, text) = read(&page(&model(), "x<b>\u{202e}"));
    assert!(text.contains(r"x<b>\u{202e}"));
}

#[test]
fn many_incidents_and_flows_make_no_large_page() {
    let mut gather = Gather::default();
    let alerts: Vec<String> = (0..20_000).map(|n| alert(n, n as f64 / 100.0, "many")).collect();
    gather.read(alerts.join("\n").as_bytes(), "alerts", Wanted::Alerts).unwrap();
    let flows: Vec<String> = (0..20_000).map(|n| flow(n, f64::from(n % 40), &format!("b{}", n % 500))).collect();
    gather.read(flows.join("\n").as_bytes(), "flows", Wanted::Flows).unwrap();
    gather.finish();
    let report = Report { gather, ..Report::default() };
    let mut page = Vec::new();
    write(&report, &mut page).unwrap();
    let (tags, text) = read(std::str::from_utf8(&page).unwrap());
    let places: BTreeSet<&str> = tags.iter().filter_map(|tag| tag.get("id")).collect();
    let links = tags.iter().filter_map(|tag| tag.get("href")?.strip_prefix('#'));
    assert!(links.clone().count() > 20 && links.into_iter().all(|link| places.contains(link)), "a link leads nowhere");
    assert!(page.len() < 1_500_000, "{} bytes", page.len());
    assert!(text.contains("20,000 incidents") && text.contains("and 19,740 more incidents"), "what is left out is told");
}
