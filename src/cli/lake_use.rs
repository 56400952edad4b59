//! Folders of flow records, written and read.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;

use super::args::TimeArgs;
use super::lake::LakeArgs;
pub use crate::lake::Lake;
use crate::lake::{LakeOptions, Parts, is_lake, parts};
use crate::sink::Retention;

/// Opens a folder of flow records for writing. A program that `goes_on` expects to find records of its own.
///
/// # Errors
/// When it cannot be made.
pub fn open(folder: &Path, args: &LakeArgs, goes_on: bool, retention: Option<Retention>) -> anyhow::Result<Lake> {
    let options = LakeOptions {
        site: args.site.site.clone(),
        part_bytes: args.part_size,
        part_every: args.part_every,
        goes_on,
        retention,
        tell: Arc::new(|text| tell!("auscult: {text}")),
    };
    Lake::open(folder, options).with_context(|| format!("{}: cannot be written", folder.display()))
}

/// Puts the files of flow records in the place of each folder that holds such, those of the time asked for; says what is passed over.
///
/// # Errors
/// A folder that cannot be read, a damaged file, or nothing in the time asked for.
pub fn expanded(inputs: &[PathBuf], time: &TimeArgs) -> anyhow::Result<Vec<PathBuf>> {
    let mut all = Vec::new();
    for input in inputs {
        if !is_lake(input) {
            all.push(input.clone());
            continue;
        }
        let Parts { files, outside, unfinished } = parts(input, time.from, time.to)?;
        let name = input.display();
        if unfinished > 0 {
            tell!("auscult: {name}: unfinished files passed over: {unfinished}; a program writes them, or was cut short");
        }
        if outside > 0 {
            tell!("auscult: {name}: files outside the time asked for: {outside}");
        }
        if !files.is_empty() {
            all.extend(files);
        } else if outside > 0 {
            anyhow::bail!("{name}: no file of flow records in the time asked for");
        } else {
            // Captures may lie in folders of such names, too.
            all.push(input.clone());
        }
    }
    Ok(all)
}
