//! Hands the records of a stream to a consumer.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::Serialize;

use super::account::MergeAccount;
use super::merge::{Merge, MergeConfig};
use crate::nats::{Access, Address, Nats, NatsError, Reading, ReadingConfig};
use crate::pipeline::{Consumer, Progress, Stopwatch};
use crate::time::Timestamp;

/// Messages that are asked for at once, and how long they are waited for.
const MOST_AT_ONCE: usize = 200;
const WITHIN: Duration = Duration::from_millis(200);
/// A message that is not confirmed for so long comes again: longer than a silent sensor may hold others back.
const AGAIN_AFTER: Duration = Duration::from_secs(120);
/// Messages that wait to be confirmed at the most.
const MOST_UNCONFIRMED: i64 = 50_000;
/// How long a server that is away is left alone.
const PAUSE: Duration = Duration::from_millis(500);
/// How long a stream is waited for at the beginning, in seconds: a cluster that has lost its leader has another within a few, and a question may take ten.
const OPEN_WITHIN_S: f64 = 30.0;
/// Looks without a message after which nothing more is taken to come.
const QUIET_LOOKS: u32 = 3;

/// How a stream is read.
#[derive(Clone)]
pub struct StreamConfig {
    /// Where it is.
    pub address: Address,
    /// What opens it.
    pub access: Access,
    /// The name by which the server remembers how far it was read; none reads all that there is, and nothing is remembered.
    pub name: Option<String>,
    /// The records of one site; none for those of all.
    pub site: Option<String>,
    /// How sensors are waited for.
    pub merge: MergeConfig,
    /// Does it end when all that there is was judged?
    pub until_caught_up: bool,
    /// Told in a sentence what happens.
    pub tell: Arc<dyn Fn(&str) + Send + Sync>,
}

/// A stream that was opened.
pub struct Source {
    config: StreamConfig,
    connection: Nats,
    reading: Reading,
}

/// What was read of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct StreamAccount {
    /// What came.
    #[serde(flatten)]
    pub merge: MergeAccount,
    /// Messages that were confirmed.
    pub confirmed: u64,
    /// How often the server was away.
    pub outages: u64,
}

impl Source {
    /// Connects, and begins where it was left off. A stream that is not there, or whose servers have no leader yet, is waited for.
    ///
    /// # Errors
    /// When the server is away or refuses, or has no such stream within thirty seconds.
    pub fn open(config: StreamConfig) -> Result<Self, NatsError> {
        let name = config.name.as_deref().unwrap_or("reader");
        let connection = Nats::connect(&config.address, &config.access, &format!("auscult {name}"))?;
        let of_site = config.site.as_ref().map_or("flows.>".to_owned(), |site| format!("flows.{site}.>"));
        let wanted = ReadingConfig {
            stream: config.address.stream("flows"),
            subjects: config.address.subject(&of_site),
            durable: config.name.clone(),
            again_after: AGAIN_AFTER,
            most_unconfirmed: MOST_UNCONFIRMED,
        };
        let reading = insist(&config.tell, || connection.read(&wanted))?;
        let goes_on = if reading.goes_on { "goes on with" } else { "begins with" };
        (config.tell)(&format!("reads {} as {name}: {goes_on} {} messages", config.address, reading.waiting));
        Ok(Self { config, connection, reading })
    }
}

/// Does what a server may not be able to yet, within thirty seconds: one of a cluster that has no leader, or has not heard of the others.
pub(super) fn insist<T>(
    tell: &Arc<dyn Fn(&str) + Send + Sync>,
    mut act: impl FnMut() -> Result<T, NatsError>,
) -> Result<T, NatsError> {
    let (watch, mut is_told) = (Stopwatch::start(), false);
    loop {
        match act() {
            Err(error) if error.is_passing() && watch.seconds() < OPEN_WITHIN_S => {
                if !std::mem::replace(&mut is_told, true) {
                    tell(&format!("{error}; it is tried again for {OPEN_WITHIN_S:.0} s"));
                }
                std::thread::sleep(PAUSE);
            }
            done => return done,
        }
    }
}

/// When what seems to be all of a stream is taken to be all. One of several servers may be behind the others and know of nothing more while
/// they do: a run that did not say its last, or said that it has published what did not come, is waited for, as long as a silent sensor and from when nothing
/// more came first: a stream that is written to ends, too.
#[derive(Debug, Default)]
pub(super) struct End {
    since_s: Option<f64>,
}

impl End {
    /// Is it all, where nothing more comes at `now_s`?
    pub fn is_all(&mut self, is_whole: bool, patience_s: f64, now_s: f64) -> bool {
        is_whole || now_s - *self.since_s.get_or_insert(now_s) >= patience_s
    }
}

/// Reads a stream until `stop`, or to its end where that is asked for, and hands every record to `consumer` in the order of one process:
/// (tick, end, start, key, segment). A message is confirmed when its records were handed on, and the tick after them.
///
/// A sensor that is not heard holds the others back for the patience of the configuration, no longer; what comes after its tick was judged
/// is judged at the next, and counted. On `stop`, what is held is neither handed on nor confirmed: it comes again.
///
/// # Errors
/// A server that is away is waited for; only where it reads to the end, no longer than the patience.
pub fn run(source: &mut Source, consumer: &mut dyn Consumer, stop: &AtomicBool) -> (StreamAccount, Option<NatsError>) {
    let Source { config, connection, reading } = source;
    let watch = Stopwatch::start();
    let mut merge = Merge::new(MergeConfig { goes_on: reading.goes_on, ..config.merge });
    let (mut account, mut is_away, mut away_since_s, mut quiet) = (StreamAccount::default(), false, 0.0, 0);
    let mut end = End::default();
    let mut behind = reading.waiting;
    let mut is_told = false;
    let mut failed = None;
    while !stop.load(Ordering::Relaxed) {
        let unconfirmed = i64::try_from(merge.unconfirmed()).unwrap_or(i64::MAX);
        match connection.next(reading, MOST_AT_ONCE, WITHIN) {
            Ok(messages) => {
                if std::mem::take(&mut is_away) {
                    (config.tell)(&format!("{}: the stream is read again", connection.server()));
                }
                quiet = if messages.is_empty() { quiet + 1 } else { 0 };
                for message in messages {
                    behind = message.behind;
                    merge.take(&message.payload, message.confirm, (watch.seconds(), Timestamp::from_nanos(message.stored)));
                }
            }
            Err(error) => {
                // What it has when it comes again is looked at anew.
                (quiet, end) = (0, End::default());
                if !std::mem::replace(&mut is_away, true) {
                    (account.outages, away_since_s) = (account.outages + 1, watch.seconds());
                    (config.tell)(&format!("{error}; it is tried again"));
                }
                if config.until_caught_up && watch.seconds() - away_since_s > config.merge.patience_s {
                    failed = Some(error);
                    break;
                }
                std::thread::sleep(PAUSE);
            }
        }
        merge.advance(watch.seconds(), consumer);
        let is_full = quiet >= QUIET_LOOKS && unconfirmed >= MOST_UNCONFIRMED * 9 / 10;
        let is_dry = config.until_caught_up && !is_away && quiet >= QUIET_LOOKS && behind == 0;
        let is_over = is_dry && end.is_all(merge.is_whole(), config.merge.patience_s, watch.seconds());
        if is_over {
            merge.finish(consumer);
        } else if is_full {
            merge.hurry(consumer);
        }
        if let Some(remark) = merge.remark.take().filter(|_| !std::mem::replace(&mut is_told, true)) {
            (config.tell)(&format!("{remark}; passed over, and counted"));
        }
        merge.clock_remarks.take().iter().for_each(|remark| (config.tell)(remark));
        let confirm = std::mem::take(&mut merge.confirm);
        account.confirmed += confirm.len() as u64;
        if !confirm.is_empty()
            && let Err(error) = connection.confirm(confirm)
        {
            // They come again, and are told from others by their numbers.
            failed = Some(error);
        }
        consumer.progress(Progress { read_bytes: 0 });
        if is_over {
            failed = None;
            break;
        }
    }
    account.merge = merge.account;
    (account, failed.filter(|_| is_away))
}

/// A few aligned lines for people.
impl fmt::Display for StreamAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let MergeAccount { messages, records, copies, doubles, late, missing, unreadable, other_version, hurried, .. } =
            self.merge;
        let MergeAccount { lost, runs, off, ahead, .. } = self.merge;
        write!(
            f,
            "messages {messages} of {runs} runs of sensors, {} confirmed; {records} records, {copies} copies for the other end",
            self.confirmed
        )?;
        if doubles > 0 {
            write!(f, "\nnote     {doubles} messages came again")?;
        }
        if unreadable > 0 {
            write!(f, "\nwarning  {unreadable} messages could not be read, {other_version} of another version")?;
        }
        if missing > 0 {
            write!(f, "\nwarning  {missing} messages that sensors published did not come")?;
        }
        if lost > 0 {
            write!(f, "\nwarning  {lost} copies of records were not published: the spool of a sensor was full")?;
        }
        if late > 0 {
            write!(f, "\nwarning  {late} records came after their time was judged")?;
        }
        if hurried > 0 {
            write!(f, "\nwarning  {hurried} ticks were judged before all sensors were there: too much was held")?;
        }
        if off > 0 {
            write!(f, "\nwarning  the clocks of {off} sensors are not that of the server")?;
        }
        if ahead > 0 {
            write!(f, "\nwarning  {ahead} records were of a time to come; they were judged when they came")?;
        }
        if self.outages > 0 {
            write!(f, "\nnote     the server was away {} times", self.outages)?;
        }
        Ok(())
    }
}
