//! `auscult verify`.

use std::io::{self, Write as _};

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use super::args::VerifyArgs;
use super::exit::{FAILED, Outcome};
use super::record_lines::{RecordLines, in_order};
use crate::alert::Whole;

/// What the first and the last line say of their time.
#[derive(Default)]
struct Times {
    first: Option<String>,
    last: Option<String>,
}

/// Where a record breaks.
struct Found {
    file: String,
    line: u64,
    expected: String,
    found: String,
}

/// Recomputes the chain of a record. Status 1 where it breaks.
///
/// # Errors
/// Files that cannot be read; no line at all.
pub fn run(args: &VerifyArgs) -> anyhow::Result<Outcome> {
    let (mut whole, mut times) = (Whole::default(), Times::default());
    let mut broken = None;
    'parts: for path in in_order(&args.alerts)? {
        let mut lines = RecordLines::open(&path)?;
        while let Some(line) = lines.next()? {
            if let Err(found) = whole.take(&line.bytes) {
                let cut = if line.is_ended { "" } else { "; the line has no end: it was cut off, or is being written" };
                let (file, found_text) = (path.display().to_string(), format!("{}{cut}", found.found));
                broken = Some(Found { file, line: line.number, expected: found.expected, found: found_text });
                break 'parts;
            }
            times.note(&line.bytes);
        }
    }
    if whole.lines == 0 && broken.is_none() {
        bail!("no line: nothing to verify");
    }
    let page =
        if args.json { format!("{}\n", as_json(&whole, &times, broken.as_ref())) } else { text(&whole, &times, broken.as_ref()) };
    io::stdout().write_all(page.as_bytes()).context("standard output")?;
    Ok(Outcome { status: if broken.is_some() { FAILED } else { 0 }, ..Outcome::default() })
}

impl Times {
    fn note(&mut self, line: &[u8]) {
        let line: Value = serde_json::from_slice(line).unwrap_or_default();
        let Some(time) = line["timestamp"].as_str().or_else(|| line["time"].as_str()) else { return };
        self.first.get_or_insert_with(|| time.to_owned());
        self.last = Some(time.to_owned());
    }
}

fn text(whole: &Whole, times: &Times, broken: Option<&Found>) -> String {
    let mut page = match broken {
        None => format!("whole: {}", said(whole, times)),
        Some(Found { file, line, expected, found }) => {
            let before = if whole.lines > 0 { format!("whole before that: {}", said(whole, times)) } else { String::new() };
            format!("broken: {file}, line {line}\n  expected  {expected}\n  found     {found}\n{before}")
        }
    };
    if whole.first > 0 {
        page.push_str(&format!("begins at seq {}: what came before is not in these files\n", whole.first));
    }
    page
}

fn said(whole: &Whole, times: &Times) -> String {
    let (from, to) = (times.first.as_deref().unwrap_or("?"), times.last.as_deref().unwrap_or("?"));
    let by_itself = whole.self_taught.then_some("none (a capture that taught itself)");
    let models: Vec<&str> = whole.models.iter().map(String::as_str).chain(by_itself).collect();
    let models = if models.is_empty() { String::new() } else { format!(", models {}", models.join(", ")) };
    let (last, noun) = (whole.last().unwrap_or_default(), if whole.lines == 1 { "line" } else { "lines" });
    format!("{} {noun} from {from} to {to}{models}\nlast line {last}\n", whole.lines)
}

fn as_json(whole: &Whole, times: &Times, broken: Option<&Found>) -> Value {
    let broken = broken.map(|at| json!({"file": at.file, "line": at.line, "expected": at.expected, "found": at.found}));
    json!({
        "whole": broken.is_none(), "lines": whole.lines, "from": times.first, "to": times.last, "first_seq": whole.first,
        "models": whole.models, "self_taught": whole.self_taught, "last": whole.last(), "broken": broken,
    })
}
