//! Folders of Parquet as others read them: DuckDB and Polars count and sum what we do, and the queries of `docs/lake.md` give what
//! stands there.

#![cfg(all(unix, feature = "parquet"))]

use std::collections::BTreeSet;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::support::{CLINIC_SPLIT, Folder, auscult, clinic, clinic_model, lines, project, text};

/// A Python that has both; `setup.sh tests` makes one.
fn python() -> Option<PathBuf> {
    let cache = || {
        let folder = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        let home = || std::env::var_os("HOME").map_or_else(|| "/root".into(), PathBuf::from).join(".cache");
        folder.unwrap_or_else(home).join("auscult-tests/python")
    };
    let folder = std::env::var_os("AUSCULT_TEST_PYTHON").map_or_else(cache, PathBuf::from);
    let candidates = [folder.join("bin/python"), PathBuf::from("python3")];
    let has_both = |python: &PathBuf| {
        let run = Command::new(python).args(["-c", "import duckdb, polars"]).output();
        run.is_ok_and(|output| output.status.success())
    };
    let found = candidates.into_iter().find(has_both);
    if found.is_none() {
        println!("skipped: duckdb and polars for Python are missing (sh setup.sh tests installs them)");
    }
    found
}

fn read(python: &Path, folder: &Path, arguments: &[&str]) -> Value {
    let script = project("tests/lake_readers.py");
    let output = Command::new(python).arg(script).args(arguments).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn duckdb_and_polars_count_and_sum_what_we_do() {
    let Some(python) = python() else { return };
    let folder = Folder::new();
    let (model, lake, flows) = (clinic_model(&folder), folder.name("lake/"), folder.name("flows"));
    let replay = |to: &str| {
        auscult(&["replay", text(&clinic()), "--from", CLINIC_SPLIT, "--model", &model, "--flows", to, "--site", "clinic"])
    };
    replay(&lake).ended(0);
    replay(&flows).ended(0);
    // What a program that was killed leaves is nothing to them.
    folder.put("lake/site=clinic/date=2026-03-03/hour=11/.part-000099.parquet.tmp", b"half of a file");
    let flows = lines(&folder.read("flows"));
    let sum = |name: &str| flows.iter().map(|flow| flow["flow"][name].as_u64().unwrap()).sum::<u64>();
    let bits = flows.iter().map(|flow| flow["auscult"]["bits"].as_f64().unwrap()).sum::<f64>();
    let time = |name: &'static str| flows.iter().map(move |flow| flow["flow"][name].as_str().unwrap()[..26].to_owned());
    let hours: BTreeSet<String> = time("end").map(|end| end[..13].to_owned()).collect();
    let wanted = json!([
        flows.len(),
        sum("bytes_toserver"),
        sum("bytes_toclient"),
        (bits * 1000.0).round() / 1000.0,
        time("start").min(),
        time("end").max(),
        hours.len(),
        "clinic"
    ]);
    let told = read(&python, &folder.path(""), &["sums", "lake"]);
    assert_eq!((&told["duckdb"], &told["polars"]), (&wanted, &wanted));
}

/// The block of the page that begins with this line.
fn block<'p>(page: &'p str, opening: &str) -> &'p str {
    page.split_once(opening).unwrap().1.split_once("```").unwrap().0
}

#[test]
fn the_queries_of_the_page_give_what_stands_there() {
    let Some(python) = python() else { return };
    let folder = Folder::new();
    for name in ["datasets", "models"] {
        symlink(project(name), folder.path(name)).unwrap();
    }
    let page = std::fs::read_to_string(project("docs/lake.md")).unwrap();
    let programs = Path::new(env!("CARGO_BIN_EXE_auscult")).parent().unwrap();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let mut shell = Command::new("sh");
    shell.args(["-eu", "-c", block(&page, "```sh lake\n")]).current_dir(folder.path("")).env("PATH", path);
    let output = shell.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let queries = read(&python, &folder.path(""), &["page", text(&project("docs/lake.md")), "lake"]);
    let queries = queries.as_array().unwrap();
    assert_eq!(queries.len(), page.matches("```sql\n").count(), "each query has its answer under it");
    assert!(queries.len() >= 8);
    for query in queries {
        let (shown, given) = (query["shown"].as_str().unwrap(), query["given"].as_str().unwrap());
        assert!(given.lines().count() > 1, "nothing is found: {query}");
        // How unusual something is changes with the model; its columns do not.
        if query["query"].as_str().unwrap().contains("auscult_bits") {
            let names = |text: &str| text.lines().next().unwrap().split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            assert_eq!(names(given), names(shown), "{query}");
        } else {
            assert_eq!(given, shown, "{query}; tests/lake_readers.py write puts it into the page");
        }
    }
}
