//! `--pseudonyms`: addresses and names are replaced where records leave the pipeline.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;

use super::exit::Usage;
use crate::detect::Submission;
use crate::evidence::Slices;
use crate::flow::{HomeNets, Net};
use crate::model::{Model, Order};
use crate::pipeline::{Condition, Consumer, Emitted, Progress, Spent};
use crate::pseudonym::{Dictionary, Key, Pseudonyms, Seal};
use crate::sighting::Sighting;
use crate::time::Timestamp;
use crate::wire::Mac;

/// Bytes of a key file that are read at the most.
const MOST_KEY_BYTES: u64 = 4096;
/// Longest line of sealed names that is read, in bytes.
const MOST_LINE_BYTES: u64 = 4096;

/// Who is hidden.
#[derive(Debug, Args)]
#[command(next_help_heading = "Privacy")]
pub struct HideArgs {
    /// Replace addresses, MAC addresses and names in everything that is written by pseudonyms made with this key (auscult pseudonyms
    /// --new makes one). Names are sealed in KEYFILE.names, so that auscult reveal can turn them back
    #[arg(long, value_name = "KEYFILE")]
    pub pseudonyms: Option<PathBuf>,
}

/// Reads a key file.
///
/// # Errors
/// One that cannot be read, that others than its owner may read or write, or that holds no key.
pub fn read_key(path: &Path) -> anyhow::Result<Key> {
    let place = || path.display().to_string();
    let file = File::open(path).with_context(place)?;
    let mode = file.metadata().with_context(place)?.mode();
    if mode & 0o077 != 0 {
        bail!("{}: others may read or write this key (mode {:o}); chmod 600 it", path.display(), mode & 0o777);
    }
    let mut text = String::new();
    file.take(MOST_KEY_BYTES).read_to_string(&mut text).with_context(place)?;
    Key::parse(&text).with_context(place)
}

/// The file beside a key with this ending.
pub fn beside(key: &Path, ending: &str) -> PathBuf {
    let mut name = key.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// The names that were sealed beside a key; none where there is no such file.
///
/// # Errors
/// A file that cannot be read, or a line that this key has not sealed.
pub fn sealed_names(path: &Path, key: &Key) -> anyhow::Result<Dictionary> {
    let mut dictionary = Dictionary::new(key);
    let file = match File::open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(dictionary),
        file => file.with_context(|| path.display().to_string())?,
    };
    let mut reader = BufReader::new(file);
    for number in 1.. {
        let mut line = String::new();
        let place = || format!("{}, line {number}", path.display());
        if (&mut reader).take(MOST_LINE_BYTES).read_line(&mut line).with_context(place)? == 0 {
            break;
        }
        // What a loss of power cut off has no end; it is sealed again when it comes again.
        if line.ends_with('\n') && line.len() > 1 {
            dictionary.take(&line).with_context(place)?;
        }
    }
    Ok(dictionary)
}

/// What replaces addresses and names, and where it seals names.
pub struct Hidden {
    key: Key,
    pseudonyms: Pseudonyms,
    seal: Seal,
    names: PathBuf,
    to: File,
    /// The first thing that could not be sealed.
    failed: Option<std::io::Error>,
}

impl Hidden {
    /// What the arguments ask for.
    ///
    /// # Errors
    /// A key file or its names that cannot be used.
    pub fn open(args: &HideArgs) -> anyhow::Result<Option<Self>> {
        let Some(path) = &args.pseudonyms else { return Ok(None) };
        let key = read_key(path)?;
        let names = beside(path, ".names");
        let mut pseudonyms = Pseudonyms::new(&key);
        sealed_names(&names, &key)?.pseudonyms().for_each(|pseudonym| pseudonyms.is_sealed(pseudonym));
        let place = || format!("{}: cannot be written", names.display());
        let to = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(&names).with_context(place)?;
        remove_cut_line(&to).with_context(place)?;
        let seal = Seal::new(&key);
        Ok(Some(Self { key, pseudonyms, seal, names, to, failed: None }))
    }

    /// What tells its key from others.
    pub fn fingerprint(&self) -> String {
        self.key.fingerprint()
    }

    /// The same pseudonyms, for what holds no names.
    pub fn pseudonyms(&self) -> Pseudonyms {
        Pseudonyms::new(&self.key)
    }

    /// Home networks by their pseudonyms.
    pub fn home(&self, home: &HomeNets) -> HomeNets {
        let mut pseudonyms = Pseudonyms::new(&self.key);
        home.mapped(|addr| pseudonyms.addr(addr))
    }

    /// Home networks as they were named, by their pseudonyms.
    pub fn home_texts(&mut self, texts: &[String]) -> Vec<String> {
        // What is no network was refused before.
        let nets = texts.iter().filter_map(|text| text.parse::<Net>().ok());
        nets.map(|net| net.mapped(|addr| self.pseudonyms.addr(addr)).to_string()).collect()
    }

    /// The order of the addresses that pseudonyms stand for.
    pub fn order(&self) -> Order {
        let pseudonyms = Pseudonyms::new(&self.key);
        Order::behind(move |addr| pseudonyms.addr_of(addr))
    }

    /// Turns MAC addresses back, to look up who made them.
    pub fn real_macs(&self) -> impl Fn(Mac) -> Mac + Send + Sync + 'static {
        let pseudonyms = Pseudonyms::new(&self.key);
        move |mac| pseudonyms.mac_of(mac)
    }

    /// Seals the names that came since the last time.
    fn seal_names(&mut self) {
        for label in self.pseudonyms.take_labels() {
            // In one piece: other programs with the same key write here too.
            let line = self.seal.seal(&label) + "\n";
            if let Err(error) = self.to.write_all(line.as_bytes()) {
                self.failed.get_or_insert(error);
            }
        }
    }

    /// Writes what is left of the names.
    ///
    /// # Errors
    /// When not all could be sealed: they cannot be turned back.
    pub fn finish(mut self) -> anyhow::Result<()> {
        self.seal_names();
        let kept = self.to.sync_data();
        if let 1.. = self.pseudonyms.labels_not_told() {
            tell!(
                "auscult: {}: full; names that cannot be turned back: {}",
                self.names.display(),
                self.pseudonyms.labels_not_told()
            );
        }
        self.failed.map_or(kept, Err).with_context(|| format!("{}: cannot be written", self.names.display()))
    }
}

/// Removes a last line that was cut off, as by a loss of power.
pub fn remove_cut_line(file: &File) -> std::io::Result<()> {
    let written = file.metadata()?.len();
    let (mut size, mut last) = (written, [0]);
    while size > 0 {
        file.read_exact_at(&mut last, size - 1)?;
        if last == [b'\n'] {
            break;
        }
        size -= 1;
    }
    if size == written { Ok(()) } else { file.set_len(size) }
}

/// Does the model know addresses by the pseudonyms that are used, those of the key of this fingerprint?
///
/// # Errors
/// Says which key the model needs, and which is there.
pub fn fits(model: &Model, used: Option<String>) -> anyhow::Result<()> {
    let text = match (&model.provenance.pseudonyms, used) {
        (known, used) if *known == used => return Ok(()),
        (Some(known), None) => format!(
            "the model knows addresses by pseudonyms of the key {known}: give --pseudonyms KEYFILE with this key, where it is offered"
        ),
        (None, Some(_)) => "the model was learned without --pseudonyms: learn one with this key".to_owned(),
        (Some(known), Some(used)) => {
            format!("the model knows addresses by pseudonyms of the key {known}, and the key given is {used}")
        }
        (None, None) => return Ok(()),
    };
    Err(Usage(text).into())
}

/// Hands everything on by its pseudonyms, if there are any.
pub struct Veiled<'a> {
    /// What takes the records.
    pub consumer: &'a mut dyn Consumer,
    /// What replaces addresses and names in them before.
    pub hidden: Option<&'a mut Hidden>,
}

impl Consumer for Veiled<'_> {
    fn sighting(&mut self, mut sighting: Sighting) {
        if let Some(hidden) = &mut self.hidden {
            hidden.pseudonyms.sighting(&mut sighting);
            hidden.seal_names();
        }
        self.consumer.sighting(sighting);
    }

    fn record(&mut self, mut emitted: Emitted) {
        if let Some(hidden) = &mut self.hidden {
            hidden.pseudonyms.record(&mut emitted.record);
            emitted.observation.rename(&emitted.record);
            hidden.seal_names();
        }
        self.consumer.record(emitted);
    }

    fn packets(&mut self, packets: Slices) {
        // Evidence replaces addresses itself, in the few packets that it writes.
        self.consumer.packets(packets);
    }

    fn tick(&mut self, now: Timestamp) {
        self.consumer.tick(now);
    }

    fn condition(&mut self, condition: Condition) {
        self.consumer.condition(condition);
    }

    fn findings(&mut self, found: Vec<Submission>, now: Timestamp) {
        self.consumer.findings(found, now);
    }

    fn give_back(&mut self, to: &mut Vec<Spent>) {
        self.consumer.give_back(to);
    }

    fn progress(&mut self, progress: Progress) {
        self.consumer.progress(progress);
    }
}
