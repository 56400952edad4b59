//! A folder of a model's versions: `0000.json` is what was trained, the others what it learned on; `current` names the one in use.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use super::exit::Usage;
use super::judge::load_file;
use super::train::save;
use crate::model::Model;
use crate::sink::Retention;

/// The name of the file that names the version in use.
const CURRENT: &str = "current";

/// A folder of versions.
#[derive(Clone, Debug)]
pub struct Versions {
    folder: PathBuf,
}

impl Versions {
    /// The versions in a folder, which may be new.
    ///
    /// # Errors
    /// When it can neither be read nor made.
    pub fn open(folder: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("{}: cannot be made", folder.display()))?;
        Ok(Self { folder: folder.to_owned() })
    }

    /// Does it hold any?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.folder.join(CURRENT).exists()
    }

    /// The version in use.
    ///
    /// # Errors
    /// A folder without versions; a model that cannot be loaded.
    pub fn current(&self) -> anyhow::Result<Model> {
        load_file(&self.path(self.current_number()?))
    }

    /// The model that was trained.
    ///
    /// # Errors
    /// As [`Self::current`].
    pub fn anchor(&self) -> anyhow::Result<Model> {
        load_file(&self.path(0))
    }

    /// The number after the highest: a version is never written over.
    ///
    /// # Errors
    /// A folder that cannot be read.
    pub fn next_number(&self) -> anyhow::Result<u32> {
        Ok(self.numbers()?.last().map_or(0, |last| last + 1))
    }

    /// Writes a version by its own number and puts it in use.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn add(&self, model: &Model) -> anyhow::Result<()> {
        let number = model.provenance.adapted.as_ref().map_or(0, |adapted| adapted.version);
        save(model, &self.path(number))?;
        self.put_in_use(number)
    }

    /// Puts an earlier version in use: the one before the current, or number `to`. Returns both numbers, the old one first.
    ///
    /// # Errors
    /// When there is no such version, or it cannot be loaded.
    pub fn rollback(&self, to: Option<u32>) -> anyhow::Result<(u32, u32)> {
        let (now, numbers) = (self.current_number()?, self.numbers()?);
        let before = || numbers.iter().rev().copied().find(|&number| number < now);
        let Some(to) = to.or_else(before) else { bail!("{}: version {now} is the first", self.folder.display()) };
        if !numbers.contains(&to) {
            let known: Vec<String> = numbers.iter().map(ToString::to_string).collect();
            return Err(Usage(format!("{}: no version {to}; there are {}", self.folder.display(), known.join(", "))).into());
        }
        load_file(&self.path(to))?;
        self.put_in_use(to)?;
        Ok((now, to))
    }

    /// Removes versions that are old. The one that was trained, the one in use and the one before it stay.
    ///
    /// # Errors
    /// A folder or a version that cannot be read or removed.
    pub fn sweep(&self, retention: &Retention) -> anyhow::Result<()> {
        let now = self.current_number()?;
        let numbers = self.numbers()?;
        let before = numbers.iter().rev().copied().find(|&number| number < now);
        for number in numbers.into_iter().filter(|&number| number != 0 && number != now && Some(number) != before) {
            let path = self.path(number);
            let place = || path.display().to_string();
            // What is no model is another's.
            if retention.is_over(&path).with_context(place)? && load_file(&path).is_ok() {
                fs::remove_file(&path).with_context(place)?;
                (retention.tell)(&format!("{}: removed, as it is older than --keep", path.display()));
            }
        }
        Ok(())
    }

    fn path(&self, number: u32) -> PathBuf {
        self.folder.join(format!("{number:04}.json"))
    }

    fn current_number(&self) -> anyhow::Result<u32> {
        let path = self.folder.join(CURRENT);
        let text =
            fs::read_to_string(&path).with_context(|| format!("{}: no folder of a model's versions", self.folder.display()))?;
        let number = text.trim().strip_suffix(".json").and_then(|number| number.parse().ok());
        number.with_context(|| format!("{}: wanted a name such as 0003.json, got {:?}", path.display(), text.trim()))
    }

    fn numbers(&self) -> anyhow::Result<Vec<u32>> {
        let place = || self.folder.display().to_string();
        let mut numbers = Vec::new();
        for entry in fs::read_dir(&self.folder).with_context(place)? {
            let name = entry.with_context(place)?.file_name();
            numbers.extend(name.to_str().and_then(|name| name.strip_suffix(".json")?.parse::<u32>().ok()));
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    fn put_in_use(&self, number: u32) -> anyhow::Result<()> {
        let (path, beside) = (self.folder.join(CURRENT), self.folder.join("current.new"));
        let place = || format!("{}: cannot be written", path.display());
        fs::write(&beside, format!("{number:04}.json\n")).with_context(place)?;
        fs::rename(&beside, &path).with_context(place)
    }
}
