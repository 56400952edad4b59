//! A folder that keeps what was read, so that a training that was cut short goes on from there.
//!
//! It holds two files: the spool, which is locked while a training uses it, and, once everything was read, the state: what was
//! asked for and what the reading told, behind a digest of itself. Nothing is flushed to the disk for that: what a power cut
//! leaves is found out by the digest and by the hashes of the spool.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::material::Tally;
use super::spool::Spool;
use crate::feature::{hex, schema_hash};
use crate::model::Source;

const SPOOL: &str = "auscult-train.spool";
const STATE: &str = "auscult-train.state";
/// What is set aside gets this behind its name; what was set aside before is lost.
const ASIDE: &str = "aside";
/// Who may read the spool: addresses are in it.
const OWNER_ALONE: u32 = 0o600;
/// The form of both files; another is set aside.
const FORMAT: u32 = 12;
const PROGRAM: &str = env!("CARGO_PKG_VERSION");

/// Why a scratch folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ScratchError {
    /// The system refused.
    #[error("{path}: {doing}: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// Somebody else is at work there.
    #[error("{path}: in use by another training")]
    InUse {
        /// Which file.
        path: PathBuf,
    },
}

/// What a training is asked for, as far as it decides what is read: another job finds nothing of use in a scratch folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// The files, in their order.
    pub inputs: Vec<JobInput>,
    /// How they are read.
    pub options: Value,
}

/// A file as it is told from another without reading it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobInput {
    /// Its path, absolute.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
    /// When it was changed, in nanoseconds since the epoch.
    pub modified_ns: u64,
}

/// What the reading told, but for the observations.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// Files learned from.
    pub sources: Vec<Source>,
    /// Kinds of flow records, when they were made elsewhere.
    pub records: Vec<String>,
    /// The account, for people.
    pub account: String,
    /// What was damaged, and whether it merely ended too early.
    pub damage: Vec<(String, bool)>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct State {
    format: u32,
    program: String,
    schema: String,
    job: Job,
    tally: Tally,
    reading: Reading,
}

/// A scratch folder in use.
pub struct Scratch {
    folder: PathBuf,
    job: Job,
}

/// What was found in a scratch folder.
pub struct Found {
    /// The folder.
    pub scratch: Scratch,
    /// Where observations go; those that were read already, where `reading` says so.
    pub spool: Spool,
    /// What was read before; none where it is to be read.
    pub reading: Option<Reading>,
    /// What people should know of it.
    pub remark: Option<String>,
}

impl Scratch {
    /// Looks what is in a folder, which is made where there is none. What another job left there, or what is damaged, is set
    /// aside.
    ///
    /// # Errors
    /// When the folder cannot be used.
    pub fn open(folder: &Path, job: Job) -> Result<Found, ScratchError> {
        fs::create_dir_all(folder).map_err(failed(folder, "making the folder"))?;
        let scratch = Self { folder: folder.to_owned(), job };
        let file = scratch.locked()?;
        let path = scratch.path(SPOOL);
        let was_begun = file.metadata().is_ok_and(|about| about.len() > 0);
        let mut spool = Spool::named(file.try_clone().map_err(failed(&path, "opening"))?, &path);
        let why = match scratch.read_state() {
            Ok(Some(state)) => match scratch.check(&state, &mut spool) {
                Ok(()) => {
                    let remark = Some("everything was read before and is not read again".to_owned());
                    return Ok(Found { scratch, spool, reading: Some(state.reading), remark });
                }
                Err(why) => why,
            },
            Ok(None) => {
                // Not worth keeping: nothing says how far it is, or of what.
                let remark = was_begun.then(|| "the reading was cut short and begins again".to_owned());
                file.set_len(0).map_err(failed(&path, "emptying"))?;
                return Ok(Found { scratch, spool, reading: None, remark });
            }
            Err(why) => why,
        };
        for name in [STATE, SPOOL] {
            let (from, to) = (scratch.path(name), scratch.path(&format!("{name}.{ASIDE}")));
            fs::rename(&from, to).map_err(failed(&from, "setting it aside"))?;
        }
        let remark = Some(format!("{why}; set aside as *.{ASIDE}, and everything is read again"));
        let spool = Spool::named(scratch.locked()?, &path);
        Ok(Found { scratch, spool, reading: None, remark })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The file of the spool, locked until it is closed.
    fn locked(&self) -> Result<File, ScratchError> {
        let path = self.path(SPOOL);
        let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(OWNER_ALONE).open(&path);
        let file = open.map_err(failed(&path, "opening"))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => Err(ScratchError::InUse { path }),
            Err(TryLockError::Error(source)) => Err(ScratchError::Io { path, doing: "locking", source }),
        }
    }

    /// The state, where there is one; else what is wrong with it.
    fn read_state(&self) -> Result<Option<State>, String> {
        let text = match fs::read_to_string(self.path(STATE)) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(format!("{STATE} cannot be read ({error})")),
        };
        let (told, content) = text.split_once('\n').unwrap_or_default();
        if told != digest(content) {
            return Err(format!("{STATE} is damaged: its digest does not fit"));
        }
        serde_json::from_str(content).map(Some).map_err(|error| format!("{STATE} cannot be read ({error})"))
    }

    /// Is it of this job, and is all there? Else what is wrong.
    fn check(&self, state: &State, spool: &mut Spool) -> Result<(), String> {
        if (state.format, state.program.as_str(), &state.schema) != (FORMAT, PROGRAM, &schema_hash()) {
            return Err("it is of another version of the program".to_owned());
        }
        if state.job != self.job {
            return Err("it is of other files, of files that changed since, or of other options".to_owned());
        }
        spool.take_up().map_err(|error| error.to_string())?;
        if spool.tally() != state.tally {
            return Err(format!(
                "{SPOOL} is damaged: {} observations, wanted {}",
                spool.tally().observations,
                state.tally.observations
            ));
        }
        Ok(())
    }

    /// Notes that everything was read.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub fn keep(&self, spool: &Spool, reading: &Reading) -> Result<(), ScratchError> {
        let (path, beside) = (self.path(STATE), self.path(&format!("{STATE}.new")));
        let state = State {
            format: FORMAT,
            program: PROGRAM.to_owned(),
            schema: schema_hash(),
            job: self.job.clone(),
            tally: spool.tally(),
            reading: reading.clone(),
        };
        let content = serde_json::to_string_pretty(&state).map_err(io::Error::from).map_err(failed(&path, "writing"))?;
        fs::write(&beside, format!("{}\n{content}", digest(&content))).map_err(failed(&beside, "writing"))?;
        fs::rename(&beside, &path).map_err(failed(&path, "writing"))
    }

    /// Removes what was kept: the training is over.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn remove(&self) -> Result<(), ScratchError> {
        for path in [self.path(STATE), self.path(SPOOL)] {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(&path, "removing")(error)),
                _ => {}
            }
        }
        Ok(())
    }
}

fn digest(content: &str) -> String {
    hex(&Sha256::digest(content))
}

fn failed(path: &Path, doing: &'static str) -> impl FnOnce(io::Error) -> ScratchError + use<> {
    let path = path.to_owned();
    move |source| ScratchError::Io { path, doing, source }
}
