//! `auscult alerts --follow`: each line as it comes.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, bail};

use super::alerts::{HEADER, Listed, answer_json, answer_of, answer_row, as_json, row};
use super::answer_args::AlertsArgs;
use super::answer_file::load;
use super::exit::{Outcome, Usage};
use super::filter::Filter;
use super::fleet::AlertStream;
use super::record_lines::MAX_LINE_BYTES;
use super::stop;
use crate::alert::IncidentLine;
use crate::detect::Gate;

/// How often files are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(300);

/// A file that grows, is rotated away and comes again.
struct Growing {
    path: PathBuf,
    file: Option<File>,
    place: u64,
    number: u64,
    partial: Vec<u8>,
}

impl Growing {
    const fn of(path: PathBuf) -> Self {
        Self { path, file: None, place: 0, number: 0, partial: Vec::new() }
    }

    /// Takes the lines that came since the last look, with their places; what was written to a file before it was rotated away
    /// comes first.
    fn look(&mut self, take: &mut Take<'_>) -> anyhow::Result<()> {
        self.read(take)?;
        let now = fs::metadata(&self.path).ok();
        let is_same = match (&self.file, &now) {
            (Some(file), Some(now)) => {
                let held = file.metadata()?;
                (held.dev(), held.ino()) == (now.dev(), now.ino()) && now.len() >= self.place
            }
            (_, None) => true,
            (None, Some(_)) => false,
        };
        if !is_same {
            self.read(take)?;
            *self = Self::of(std::mem::take(&mut self.path));
            self.file = Some(File::open(&self.path).with_context(|| self.path.display().to_string())?);
            self.read(take)?;
        }
        Ok(())
    }

    fn read(&mut self, take: &mut Take<'_>) -> anyhow::Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let mut piece = vec![0; 64 << 10];
        file.seek(SeekFrom::Start(self.place))?;
        loop {
            let read = file.read(&mut piece)?;
            if read == 0 {
                return Ok(());
            }
            self.place += read as u64;
            for part in piece.get(..read).unwrap_or_default().split_inclusive(|&byte| byte == b'\n') {
                self.partial.extend_from_slice(part);
                if self.partial.len() > MAX_LINE_BYTES {
                    bail!("{}, line {}: longer than 2 MiB, which no alert is", self.path.display(), self.number + 1);
                }
                if self.partial.pop_if(|&mut last| last == b'\n').is_some() {
                    self.number += 1;
                    take(&self.partial).with_context(|| format!("{}, line {}", self.path.display(), self.number))?;
                    self.partial.clear();
                }
            }
        }
    }
}

/// Takes a line without its end.
type Take<'a> = dyn FnMut(&[u8]) -> anyhow::Result<()> + 'a;

/// Prints each line as it comes, until INT or TERM or until nobody reads any more.
///
/// # Errors
/// Files that cannot be read or hold something else.
pub fn follow(args: &AlertsArgs, filter: &Filter<'_>, mut gate: Gate) -> anyhow::Result<Outcome> {
    if args.files.is_empty() || args.files.iter().any(|path| path.as_os_str() == "-") {
        return Err(Usage("--follow needs files of alerts".to_owned()).into());
    }
    let stop = stop::on_signals()?;
    let mut stream = AlertStream::open(&args.files, &args.nats)?;
    let mut files: Vec<Growing> = match &stream {
        Some(_) => Vec::new(),
        None => args.files.iter().cloned().map(Growing::of).collect(),
    };
    let mut stories = Vec::new();
    let mut told = None;
    let mut answers_seen = None;
    if !args.json {
        print(HEADER)?;
    }
    while !stop.load(Ordering::Relaxed) {
        if let Some(path) = &args.answers {
            let looks = looks(path);
            if looks != answers_seen {
                answers_seen = looks;
                print(&newly_answered(path, &mut gate, &mut told, args.json)?)?;
            }
        }
        let mut take = |bytes: &[u8]| {
            let Some(line) = IncidentLine::read(bytes)? else { return Ok(()) };
            if filter.names_story(&line) && !stories.contains(&line.story) {
                stories.push(line.story);
            }
            let (answer, is_told) = answer_of(&line, &mut gate);
            let listed = Listed { bits: line.subject.bits, lines: 1, answer, is_told, line };
            let is_wanted = filter.wants(&listed.line, listed.bits) && filter.is_of_story(&listed.line, &stories);
            if !is_wanted || is_told == args.hidden {
                return Ok(());
            }
            print(&if args.json { format!("{}\n", as_json(&listed)) } else { row(&listed, listed.line.state) })
        };
        if let Some(stream) = &mut stream {
            stream.look(&mut take)?;
            continue;
        }
        files.iter_mut().try_for_each(|file| file.look(&mut take))?;
        thread::sleep(LOOK_EVERY);
    }
    Ok(Outcome::default())
}

fn looks(path: &Path) -> Option<(u64, i64, i64)> {
    let about = fs::metadata(path).ok()?;
    Some((about.len(), about.mtime(), about.mtime_nsec()))
}

/// Answers that were not told yet; `told` is the number of the last one that was.
fn newly_answered(path: &Path, gate: &mut Gate, told: &mut Option<u64>, json: bool) -> anyhow::Result<String> {
    let loaded = load(path)?;
    loaded.tell_faults();
    let mut page = String::new();
    for standing in loaded.answers.iter().filter(|it| told.is_none_or(|told| it.number > told)) {
        page.push_str(&if json { format!("{}\n", answer_json(standing)) } else { answer_row(standing) });
    }
    *told = loaded.answers.iter().map(|it| it.number).max().or(*told);
    gate.replace(Arc::new(loaded.answers));
    Ok(page)
}

fn print(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).context("standard output")
}
