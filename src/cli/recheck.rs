//! `auscult replay --recheck`: what answers would have hidden of alerts that were written before.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::sync::Arc;

use anyhow::Context as _;

use super::answer_file::standing;
use super::args::ReplayArgs;
use super::exit::{Outcome, Usage};
use super::output::create;
use super::record_lines::{RecordLines, in_order};
use super::summary::{hidden_lines, hidden_stats};
use crate::alert::IncidentLine;
use crate::detect::{Gate, Passage};

/// Hidden incidents told one by one at the most.
const MOST: usize = 1000;

/// Shows what answers would have hidden.
///
/// # Errors
/// Alerts or answers that cannot be read, output that cannot be written.
pub fn run(args: &ReplayArgs) -> anyhow::Result<Outcome> {
    let Some(answers) = &args.answers.answers else { return Err(Usage("--recheck needs --answers".to_owned()).into()) };
    let mut gate = Gate::new(Arc::new(standing(Some(answers), &args.answers.mutes)?));
    let mut hidden = args.answers.hidden.as_ref().map(|path| anyhow::Ok((path, create(path)?))).transpose()?;
    let mut page = String::new();
    let mut told = 0;
    for path in in_order(&args.recheck)? {
        let mut lines = RecordLines::open(&path)?;
        while let Some(line) = lines.next()? {
            let Some(read) = IncidentLine::read(&line.bytes).with_context(|| lines.place())? else { continue };
            let hidden_before = gate.all_hidden().incidents;
            let Passage::Hidden(by) = gate.pass(&read.subject, read.state) else { continue };
            if let Some((path, to)) = &mut hidden {
                to.write_all(&line.bytes).and_then(|()| to.write_all(b"\n")).with_context(|| path.display().to_string())?;
            }
            if gate.all_hidden().incidents > hidden_before && told < MOST {
                told += 1;
                let class = read.subject.class.info().name;
                let hosts: Vec<String> = read.subject.hosts.iter().map(ToString::to_string).collect();
                let (number, kind) = (by.number, by.kind.name());
                let _ = writeln!(
                    page,
                    "{}  {}  {class}  {}  answer {number} ({kind})",
                    read.id(),
                    read.subject.raised,
                    hosts.join(" ")
                );
            }
        }
    }
    if let Some((path, to)) = &mut hidden {
        to.flush().with_context(|| path.display().to_string())?;
    }
    let all = (gate.told.lines + gate.all_hidden().lines, gate.all_hidden().lines);
    let _ = writeln!(page, "alerts   {} lines, of which the answers hide {}", all.0, all.1);
    page.push_str(&hidden_lines(&gate));
    if let Some(path) = &args.output.stats {
        let mut to = create(path)?;
        let place = || format!("{}: cannot be written", path.display());
        writeln!(to, "{:#}", serde_json::json!({"answers": hidden_stats(&gate)}))
            .and_then(|()| to.flush())
            .with_context(place)?;
    }
    io::stdout().write_all(page.as_bytes()).context("standard output")?;
    Ok(Outcome::default())
}
