//! The awkward captures in a golden table: frames, packets, flows and skips by reason of each. `tests/library/capture_awkward.rs`
//! compares the frames with capinfos. `AUSCULT_GOLDEN=write cargo test --test library awkward_golden` writes the table anew: read the
//! difference before it is committed.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use auscult::capture::{Input, open};
use auscult::flow::{FlowLimits, HomeNets};
use auscult::pipeline::{Consumer, Emitted, PipelineConfig, run};
use auscult::time::Timestamp;

use crate::support::data;

struct Nobody;

impl Consumer for Nobody {
    fn record(&mut self, _emitted: Emitted) {}
    fn tick(&mut self, _now: Timestamp) {}
}

fn row(path: &Path) -> String {
    let Ok(mut source) = open(&[Input::Path(path.into())]) else { return "no capture".to_owned() };
    let limits = FlowLimits::default().check().unwrap();
    let config = PipelineConfig::new(1, limits, HomeNets::default());
    let (account, errors) = run(&mut source, &config, None, &mut Nobody, &AtomicBool::new(false));
    assert!(account.balanced(), "{}: {account}", path.display());
    let mut row = format!("{} frames {} packets {} flows", account.frames, account.packets, account.flows.opened);
    for (reason, count) in account.skips() {
        write!(row, " {count} {reason}").unwrap();
    }
    row + if errors.is_empty() { "" } else { " damaged" }
}

#[test]
fn every_awkward_capture_has_its_row() {
    let Some(folder) = data("awkward") else { return };
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let ours: BTreeMap<String, String> =
        entries.map(|entry| (entry.file_name().into_string().unwrap(), row(&entry.path()))).collect();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/awkward.tsv");
    let table: String = ours.iter().fold(String::new(), |table, (name, row)| table + name + "\t" + row + "\n");
    if std::env::var_os("AUSCULT_GOLDEN").is_some_and(|word| word == "write") {
        std::fs::write(&golden, &table).unwrap();
    }
    let wanted = std::fs::read_to_string(&golden).unwrap();
    let differ: Vec<_> = wanted
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .filter(|(name, row)| ours.get(*name).is_none_or(|found| found != row))
        .map(|(name, row)| format!("{name}: wanted {row}, got {:?}", ours.get(name)))
        .collect();
    assert!(differ.is_empty(), "{} of {} differ:\n{}", differ.len(), wanted.lines().count(), differ.join("\n"));
    assert_eq!(wanted.lines().count(), ours.len(), "a capture without a row");
    println!("{} captures are as in the table", ours.len());
}
