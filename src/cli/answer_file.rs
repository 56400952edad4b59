//! The file of answers: read, written on, watched while judging.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime};

use anyhow::Context as _;

use super::answered::OnAnswers;
use super::exit::in_one_line;
use super::record_lines::{RecordLines, chain_of};
use crate::alert::{Whole, answer_line, read_answer};
use crate::detect::{Answer, Answers};

/// How often a file of answers is looked at while judging live.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Faults of a file that are told one by one.
const MOST_FAULTS: usize = 10;

/// What a file of answers holds.
#[derive(Default)]
pub struct Loaded {
    /// The answers that can be applied.
    pub answers: Answers,
    /// What cannot, and where; also where the chain breaks.
    pub faults: Vec<String>,
}

impl Loaded {
    /// Tells what is wrong on stderr.
    pub fn tell_faults(&self) {
        for fault in self.faults.iter().take(MOST_FAULTS) {
            tell!("auscult: {fault}");
        }
        if let more @ 1.. = self.faults.len().saturating_sub(MOST_FAULTS) {
            tell!("auscult: … and {more} more lines of answers are wrong");
        }
    }
}

/// Reads a file of answers. A line that cannot be applied is a fault; the others hold.
///
/// # Errors
/// When it cannot be read.
pub fn load(path: &Path) -> anyhow::Result<Loaded> {
    let mut lines = RecordLines::open(path)?;
    let (mut loaded, mut whole) = (Loaded::default(), Whole::default());
    let mut is_linked = true;
    while let Some(line) = lines.next()? {
        let place = lines.place();
        let taken = read_answer(&line.bytes).map_err(|error| error.to_string()).and_then(|(link, answer)| {
            match loaded.answers.get(link.seq) {
                Some(_) => Err(format!("answer {} is there already", link.seq)),
                None => loaded.answers.add(link.seq, answer).map_err(|error| error.to_string()),
            }
        });
        if let Err(error) = taken {
            loaded.faults.push(format!("{place}: not applied: {error}"));
        }
        if is_linked && let Err(broken) = whole.take(&line.bytes) {
            is_linked = false;
            loaded.faults.push(format!("{place}: the chain breaks: wanted {}, found {}", broken.expected, broken.found));
        }
    }
    Ok(loaded)
}

/// Writes an answer behind the others, made from those that are there. Returns its number. Two who answer at once wait for each
/// other.
///
/// # Errors
/// When the file cannot be read or written, or there is no answer to give.
pub fn append(path: &Path, make: impl FnOnce(&Answers) -> anyhow::Result<Answer>) -> anyhow::Result<u64> {
    let place = || format!("{}: cannot be written", path.display());
    let mut file = OpenOptions::new().read(true).append(true).create(true).open(path).with_context(place)?;
    file.lock().with_context(place)?;
    let chain = chain_of(&mut file, path).with_context(place)?;
    let mut loaded = load(path)?;
    loaded.tell_faults();
    let answer = make(&loaded.answers)?;
    let number = chain.next().seq;
    loaded.answers.add(number, answer.clone())?;
    let mut line = answer_line(&answer, chain.next())?;
    line.push(b'\n');
    file.write_all(&line).and_then(|()| file.sync_data()).with_context(place)?;
    Ok(number)
}

/// What tells that a file has changed.
type Looks = Option<(u64, SystemTime)>;

fn looks(path: &Path) -> Looks {
    let about = fs::metadata(path).ok()?;
    Some((about.len(), about.modified().ok()?))
}

/// Rules of a configuration file that mute, and their numbers.
pub type Mutes = Vec<(u64, Answer)>;

/// The answers of a file, if there is one, with the rules of the configuration.
///
/// # Errors
/// A file that is there and cannot be read; more answers than are kept.
pub fn standing(path: Option<&Path>, mutes: &[(u64, Answer)]) -> anyhow::Result<Answers> {
    let loaded = path.map_or_else(|| Ok(Loaded::default()), load)?;
    loaded.tell_faults();
    let mut answers = loaded.answers;
    for (number, answer) in mutes {
        answers.add(*number, answer.clone())?;
    }
    Ok(answers)
}

/// What stands, and who is told when it changes.
pub struct Stand {
    path: Option<PathBuf>,
    /// Locked while answers are read, so that none that are older come after.
    mutes: Mutex<Mutes>,
    newest: Mutex<Option<Arc<Answers>>>,
    tell: Option<Mutex<OnAnswers>>,
}

impl Stand {
    /// Reads what stands. A file that went away leaves the answers that stand: it may be on its way back from an editor.
    fn look(&self) {
        let mutes = lock(&self.mutes);
        match standing(self.path.as_deref(), &mutes) {
            Ok(answers) => self.stand(answers),
            Err(error) => tell!("auscult: {}; the answers read before still hold", in_one_line(&error)),
        }
    }

    /// Reads what would stand with these rules; nothing changes.
    ///
    /// # Errors
    /// As [`standing`].
    pub fn read(&self, rules: Mutes) -> anyhow::Result<(Mutes, Answers)> {
        let answers = standing(self.path.as_deref().filter(|path| path.exists()), &rules)?;
        Ok((rules, answers))
    }

    /// Lets what was read stand.
    pub fn take(&self, (rules, answers): (Mutes, Answers)) {
        let mut mutes = lock(&self.mutes);
        *mutes = rules;
        self.stand(answers);
    }

    fn stand(&self, answers: Answers) {
        let answers = Arc::new(answers);
        self.say(&answers);
        if let Some(tell) = &self.tell {
            lock(tell)(Arc::clone(&answers));
        }
        *lock(&self.newest) = Some(answers);
    }

    fn say(&self, answers: &Answers) {
        if let Some(path) = &self.path {
            tell!("auscult: {}: {} answers", path.display(), answers.len());
        }
    }
}

/// Who panicked while holding it left what was whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads a file of answers again whenever it changes, on a thread of its own.
pub struct Watcher {
    stand: Arc<Stand>,
    /// Dropped to end the thread.
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watcher {
    /// Watches a file, which need not be there yet. What it holds by now is read first; who is to be told of a change is told on the
    /// thread that found it.
    ///
    /// # Errors
    /// When it is there and cannot be read, or the thread cannot be started.
    pub fn start(path: Option<PathBuf>, mutes: Mutes, tell: Option<OnAnswers>) -> anyhow::Result<(Self, Answers)> {
        let seen = path.as_deref().and_then(looks);
        let answers = standing(path.as_deref().filter(|path| path.exists()), &mutes)?;
        let stand = Stand { path, mutes: Mutex::new(mutes), newest: Mutex::new(None), tell: tell.map(Mutex::new) };
        stand.say(&answers);
        let stand = Arc::new(stand);
        let (stop, stopped) = mpsc::channel();
        let theirs = Arc::clone(&stand);
        let watch = move || {
            let Some(path) = theirs.path.as_deref() else { return };
            let mut seen = seen;
            while stopped.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
                let now = looks(path);
                if now != seen {
                    seen = now;
                    theirs.look();
                }
            }
        };
        let thread = thread::Builder::new().name("answers".to_owned()).spawn(watch).context("starting a thread")?;
        Ok((Self { stand, stop: Some(stop), thread: Some(thread) }, answers))
    }

    /// What stands, to be looked at by others.
    pub fn stand(&self) -> Arc<Stand> {
        Arc::clone(&self.stand)
    }

    /// The answers since they last changed; none when they have not.
    pub fn changed(&self) -> Option<Arc<Answers>> {
        lock(&self.stand.newest).take()
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It only ends with a panic, which was told.
            let _ = thread.join();
        }
    }
}
