//! The file of answers: read, written on, watched while judging.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
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
            eprintln!("auscult: {fault}");
        }
        if let more @ 1.. = self.faults.len().saturating_sub(MOST_FAULTS) {
            eprintln!("auscult: … and {more} more lines of answers are wrong");
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

/// Reads a file of answers again whenever it changes, on a thread of its own.
pub struct Watcher {
    newest: Arc<Mutex<Option<Arc<Answers>>>>,
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
    pub fn start(path: PathBuf, tell: Option<OnAnswers>) -> anyhow::Result<(Self, Answers)> {
        let seen = looks(&path);
        let loaded = if path.exists() { load(&path)? } else { Loaded::default() };
        loaded.tell_faults();
        eprintln!("auscult: {}: {} answers", path.display(), loaded.answers.len());
        let newest = Arc::new(Mutex::new(None));
        let (stop, stopped) = mpsc::channel();
        let slot = Arc::clone(&newest);
        let watch = move || {
            let mut seen = seen;
            while stopped.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
                let now = looks(&path);
                if now != seen {
                    seen = now;
                    look(&path, &slot, tell.as_ref());
                }
            }
        };
        let thread = thread::Builder::new().name("answers".to_owned()).spawn(watch).context("starting a thread")?;
        Ok((Self { newest, stop: Some(stop), thread: Some(thread) }, loaded.answers))
    }

    /// The answers of the file since it last changed; none when it has not.
    pub fn changed(&self) -> Option<Arc<Answers>> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// A file that went away leaves the answers that stand: it may be on its way back from an editor.
fn look(path: &Path, newest: &Mutex<Option<Arc<Answers>>>, tell: Option<&OnAnswers>) {
    match load(path) {
        Ok(loaded) => {
            loaded.tell_faults();
            eprintln!("auscult: {}: {} answers", path.display(), loaded.answers.len());
            let answers = Arc::new(loaded.answers);
            if let Some(tell) = tell {
                tell(Arc::clone(&answers));
            }
            *newest.lock().unwrap_or_else(PoisonError::into_inner) = Some(answers);
        }
        Err(error) => eprintln!("auscult: {}; the answers read before still hold", in_one_line(&error)),
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
