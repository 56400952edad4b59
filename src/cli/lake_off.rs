//! What a program has in place of folders of flow records that was built without the feature `parquet`.

use std::io;
use std::path::{Path, PathBuf};

use super::args::TimeArgs;
use super::exit::Usage;
use super::lake::LakeArgs;
use crate::alert::{FlowTable, TableError};
use crate::flow::FlowRecord;
use crate::sink::Retention;
use crate::time::Timestamp;

/// There is none.
pub enum Lake {}

impl Lake {
    /// Nothing.
    pub fn add(&mut self, _record: &FlowRecord, _judged: Option<(f64, &str)>) {
        match *self {}
    }

    /// Nothing.
    pub fn tick(&mut self, _now: Timestamp) {
        match *self {}
    }

    /// Nothing.
    pub fn end_all(&mut self) {
        match *self {}
    }

    /// Nothing.
    pub fn finish(&mut self) -> io::Result<()> {
        match *self {}
    }
}

impl FlowTable for Lake {
    fn write(&mut self, _record: &FlowRecord) -> Result<(), TableError> {
        match *self {}
    }

    fn finish(self: Box<Self>) -> Result<(), TableError> {
        match *self {}
    }
}

/// Refuses: there is none.
pub fn open(folder: &Path, _args: &LakeArgs, _goes_on: bool, _retention: Option<Retention>) -> anyhow::Result<Lake> {
    let text = format!("{}: a folder holds Parquet, and this program was built without the feature `parquet`", folder.display());
    Err(Usage(text).into())
}

/// What was named: nothing else can be read.
pub fn expanded(inputs: &[PathBuf], _time: &TimeArgs) -> anyhow::Result<Vec<PathBuf>> {
    Ok(inputs.to_vec())
}
