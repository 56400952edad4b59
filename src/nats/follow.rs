//! Following a subject of a stream from a place that the caller keeps: nothing is confirmed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::jetstream;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use futures_util::StreamExt as _;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::connection::{ANSWER_WITHIN, Nats, in_words};
use super::stream::stored;

/// Messages of a subject that wait here; the server keeps the others.
const ROOM: usize = 16;
/// Messages that are asked for at once, how long they are waited for, and how often the server says that it is there meanwhile.
const MOST_AT_ONCE: usize = 64;
const WITHIN: Duration = Duration::from_secs(20);
const HEARTBEAT: Duration = Duration::from_secs(4);
/// The server forgets a reader that does not ask for so long.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(60);
/// How long a server that is away is left alone.
const PAUSE: Duration = Duration::from_millis(500);

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Followed {
    /// What.
    pub payload: Vec<u8>,
    /// Its number in the stream.
    pub sequence: u64,
    /// When the stream took it, by the server's clock: nanoseconds since the epoch.
    pub stored: i64,
}

/// Wakes who waits for any of several followers.
#[derive(Clone, Default)]
pub struct Bell(Arc<Notify>);

/// Reads a subject, in its order and each message once, until it is dropped. While a server is away it waits for it.
pub struct Follower {
    messages: mpsc::Receiver<Followed>,
    first: Option<Followed>,
    told: Arc<Told>,
    task: JoinHandle<()>,
}

/// What the task tells.
struct Told {
    /// Messages that the server has beyond those that were handed over; `u64::MAX` while that is not known.
    behind: AtomicU64,
    error: Mutex<Option<String>>,
}

impl Nats {
    /// Follows a subject of a stream, with NATS's wildcards, from this number of the stream on. A stream that is not there is waited for.
    #[must_use]
    pub fn follow(&self, stream: &str, subject: &str, from: u64, bell: &Bell) -> Follower {
        let told = Arc::new(Told { behind: AtomicU64::new(u64::MAX), error: Mutex::new(None) });
        let (to, messages) = mpsc::channel(ROOM);
        let (stream, subject) = (stream.to_owned(), subject.to_owned());
        let following = Following {
            jetstream: self.jetstream.clone(),
            stream,
            subject,
            next: from.max(1),
            to,
            told: Arc::clone(&told),
            bell: bell.clone(),
        };
        Follower { messages, first: None, told, task: self.handle.spawn(following.run()) }
    }

    /// Waits until the bell is rung, at most so long.
    pub fn wait_for(&self, bell: &Bell, within: Duration) {
        // That nothing came is an answer, too.
        let _ = self.handle.block_on(async { timeout(within, bell.0.notified()).await });
    }
}

impl Follower {
    /// The next message, which stays; none has come by now.
    pub fn peek(&mut self) -> Option<&Followed> {
        if self.first.is_none() {
            self.first = self.messages.try_recv().ok();
        }
        self.first.as_ref()
    }

    /// Takes the next message.
    pub fn take(&mut self) -> Option<Followed> {
        self.peek();
        self.first.take()
    }

    /// Was everything taken that the server had when it was asked last?
    pub fn is_dry(&mut self) -> bool {
        // First what is behind: a message is handed over before that is counted down.
        self.told.behind.load(Ordering::Acquire) == 0 && self.peek().is_none()
    }

    /// Why nothing comes, where something is wrong.
    #[must_use]
    pub fn error(&self) -> Option<String> {
        self.told.error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Following {
    jetstream: jetstream::Context,
    stream: String,
    subject: String,
    /// The number from which on the next message is.
    next: u64,
    to: mpsc::Sender<Followed>,
    told: Arc<Told>,
    bell: Bell,
}

impl Following {
    async fn run(mut self) {
        while let Err(error) = self.read().await {
            *self.told.error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            self.told.behind.store(u64::MAX, Ordering::Release);
            sleep(PAUSE).await;
        }
    }

    /// Reads until nobody wants to hear more; begun anew wherever it was interrupted.
    async fn read(&mut self) -> Result<(), String> {
        let unanswered = |_| "no answer".to_owned();
        let found = timeout(ANSWER_WITHIN, self.jetstream.get_stream(&self.stream)).await.map_err(unanswered)?;
        let found = found.map_err(|error| in_words(&error))?;
        let wanted = pull::Config {
            filter_subject: self.subject.clone(),
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: self.next },
            ack_policy: AckPolicy::None,
            inactive_threshold: FORGOTTEN_AFTER,
            ..pull::Config::default()
        };
        let consumer = timeout(ANSWER_WITHIN, found.create_consumer(wanted)).await.map_err(unanswered)?;
        let consumer = consumer.map_err(|error| in_words(&error))?;
        self.told.behind.store(consumer.cached_info().num_pending, Ordering::Release);
        *self.told.error.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.bell.0.notify_one();
        let mut delivered = 0;
        // One request behind the other, so that nothing is on its way to one that has ended.
        let asked = consumer.stream().max_messages_per_batch(MOST_AT_ONCE).expires(WITHIN).heartbeat(HEARTBEAT).messages();
        let mut messages = timeout(ANSWER_WITHIN, asked).await.map_err(unanswered)?.map_err(|error| in_words(&error))?;
        while let Some(next) = messages.next().await {
            let message = next.map_err(|error| error.to_string())?;
            let about = message.info().map_err(|error| error.to_string())?;
            delivered += 1;
            // Of what was lost on its way, the server knows only that it was sent.
            if about.consumer_sequence != delivered {
                return Err("a message was lost on its way".to_owned());
            }
            let (sequence, behind, stored) = (about.stream_sequence, about.pending, stored(&about));
            if self.to.send(Followed { payload: message.payload.to_vec(), sequence, stored }).await.is_err() {
                return Ok(());
            }
            self.next = sequence + 1;
            self.told.behind.store(behind, Ordering::Release);
            self.bell.0.notify_one();
        }
        Err("the server has ended it".to_owned())
    }
}
