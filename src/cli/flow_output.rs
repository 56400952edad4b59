//! Where judged flow records go: lines of a file, or a folder of Parquet.

use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::lake::{LakeArgs, is_folder};
use super::lake_use::{self, Lake};
use super::line_file::LineFile;
use super::patient::Patient;
use super::stop;
use crate::alert::flow_event;
use crate::flow::FlowRecord;
use crate::sink::Retention;
use crate::time::Timestamp;

/// Flow records on their way.
pub struct FlowOutput {
    path: PathBuf,
    to: To,
}

enum To {
    Lines(BufWriter<Patient<LineFile>>),
    Lake(Box<Lake>, Option<Arc<AtomicBool>>),
}

impl FlowOutput {
    /// Opens a file anew, or, in a program that `goes_on`, behind what stands there; or a folder, where files are added.
    ///
    /// # Errors
    /// When it cannot be created.
    pub fn open(path: &Path, goes_on: bool, args: &LakeArgs, retention: Option<Retention>) -> anyhow::Result<Self> {
        let to = if is_folder(path) {
            let hangup = if goes_on { Some(stop::on_hangup()?) } else { None };
            To::Lake(Box::new(lake_use::open(path, args, goes_on, retention)?), hangup)
        } else {
            To::Lines(BufWriter::with_capacity(1 << 16, Patient::new(path, LineFile::open(path, goes_on)?)))
        };
        Ok(Self { path: path.to_owned(), to })
    }

    /// Where they go.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a record; `judged` is (bits, behaviour).
    ///
    /// # Errors
    /// A reader that went away.
    pub fn write(&mut self, record: &FlowRecord, judged: Option<(f64, &str)>) -> io::Result<()> {
        match &mut self.to {
            To::Lines(to) => {
                // In one piece: what is gathered is always whole lines.
                let mut line = serde_json::to_vec(&flow_event(record, judged))?;
                line.push(b'\n');
                to.write_all(&line)
            }
            To::Lake(lake, _) => {
                lake.add(record, judged);
                Ok(())
            }
        }
    }

    /// Writes what waits, as far as that is possible, and turns to another file where that was asked for.
    ///
    /// # Errors
    /// A reader that went away.
    pub fn tick(&mut self, now: Timestamp) -> io::Result<()> {
        match &mut self.to {
            To::Lines(to) => {
                let is_to_turn = to.get_mut().inner_mut().is_to_turn();
                let written = if is_to_turn { to.flush() } else { Ok(()) }.and_then(|()| to.get_mut().catch_up());
                to.get_mut().inner_mut().turn();
                written
            }
            To::Lake(lake, hangup) => {
                lake.tick(now);
                if hangup.as_ref().is_some_and(|hangup| hangup.swap(false, Ordering::Relaxed)) {
                    lake.end_all();
                }
                Ok(())
            }
        }
    }

    /// Writes the lines that are gathered. A part of a folder stays open: it is whole when it ends.
    ///
    /// # Errors
    /// A reader that went away.
    pub fn flush(&mut self) -> io::Result<()> {
        if let To::Lines(to) = &mut self.to { to.flush() } else { Ok(()) }
    }

    /// Writes what is left.
    ///
    /// # Errors
    /// Says how much was not written.
    pub fn finish(&mut self) -> io::Result<()> {
        match &mut self.to {
            To::Lines(to) => to.flush().and_then(|()| to.get_mut().finish()),
            To::Lake(lake, _) => lake.finish(),
        }
    }
}
