//! Streams, and reading on from where one was.

use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, PullConsumer, pull};
use async_nats::jetstream::message::Info;
use async_nats::jetstream::stream::{self, DiscardPolicy, StorageType};
use futures_util::StreamExt as _;
use tokio::time::timeout;

use super::connection::{ANSWER_WITHIN, Nats};
use super::error::NatsError;

/// How long a stream keeps what, where it is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keeping {
    /// At the most so long; the oldest goes.
    pub age: Duration,
    /// At the most so many bytes; the oldest goes.
    pub bytes: u64,
    /// On so many servers of a cluster, 1 to 5.
    pub replicas: usize,
}

/// What to read.
#[derive(Clone, Debug)]
pub struct ReadingConfig {
    /// Of which stream.
    pub stream: String,
    /// Which subjects, with NATS's wildcards.
    pub subjects: String,
    /// By which name the server remembers how far it was read; none begins at the beginning, and nothing is remembered.
    pub durable: Option<String>,
    /// A message that is not confirmed for so long comes again.
    pub again_after: Duration,
    /// Messages that wait to be confirmed at the most; -1 is any number.
    pub most_unconfirmed: i64,
}

/// Reads a stream on.
pub struct Reading {
    consumer: PullConsumer,
    /// What the server keeps for this reading at the beginning.
    pub waiting: u64,
    /// Was it read before, by this name?
    pub goes_on: bool,
}

/// When a stream took a message, in nanoseconds since the epoch.
pub(super) fn stored(about: &Info<'_>) -> i64 {
    i64::try_from(about.published.unix_timestamp_nanos()).unwrap_or_default()
}

/// A message.
#[derive(Clone, Debug)]
pub struct Delivered {
    /// What.
    pub payload: Vec<u8>,
    /// Its number in the stream.
    pub sequence: u64,
    /// Messages that are behind it.
    pub behind: u64,
    /// When the stream took it, by the server's clock: nanoseconds since the epoch.
    pub stored: i64,
    /// How it is confirmed.
    pub confirm: String,
}

impl Nats {
    /// Makes a stream where there is none. Says whether it did.
    ///
    /// # Errors
    /// When the server does not answer or will not have it.
    pub fn make_stream(&self, name: &str, subjects: Vec<String>, keeping: Keeping) -> Result<bool, NatsError> {
        if self.wait("asking for the stream", self.jetstream.get_stream(name)).is_ok() {
            return Ok(false);
        }
        let config = stream::Config {
            name: name.to_owned(),
            subjects,
            max_age: keeping.age,
            max_bytes: i64::try_from(keeping.bytes).unwrap_or(i64::MAX),
            discard: DiscardPolicy::Old,
            storage: StorageType::File,
            num_replicas: keeping.replicas,
            duplicate_window: Duration::from_secs(120).min(keeping.age),
            ..stream::Config::default()
        };
        self.wait(&format!("making the stream {name}"), self.jetstream.create_stream(config)).map(|_| true)
    }

    /// Begins to read, where it was left off. What was delivered then and not confirmed comes again, at once and in its order.
    ///
    /// # Errors
    /// When there is no such stream, or the server does not answer.
    pub fn read(&self, config: &ReadingConfig) -> Result<Reading, NatsError> {
        let ReadingConfig { stream, subjects, durable, again_after, most_unconfirmed } = config;
        let found = self.wait(&format!("reading the stream {stream}"), self.jetstream.get_stream(stream))?;
        let mut wanted = pull::Config {
            durable_name: durable.clone(),
            filter_subject: subjects.clone(),
            ack_policy: AckPolicy::Explicit,
            ack_wait: *again_after,
            max_ack_pending: *most_unconfirmed,
            ..pull::Config::default()
        };
        let before = durable.as_ref().and_then(|name| {
            let asked = found.get_consumer::<pull::Config>(name);
            self.wait("asking for the consumer", async { asked.await.map_err(std::io::Error::other) }).ok()
        });
        let goes_on = before.is_some();
        if let (Some(before), Some(name)) = (before, durable) {
            let about = before.cached_info();
            if about.num_ack_pending == 0 {
                let waiting = about.num_pending;
                return Ok(Reading { consumer: before, waiting, goes_on });
            }
            // Else they would come only after a while, behind what is newer.
            let start_sequence = about.ack_floor.stream_sequence + 1;
            wanted.deliver_policy = DeliverPolicy::ByStartSequence { start_sequence };
            self.wait("beginning anew", found.delete_consumer(name))?;
        }
        let consumer = self.wait(&format!("reading the stream {stream}"), found.create_consumer(wanted))?;
        let waiting = consumer.cached_info().num_pending;
        Ok(Reading { consumer, waiting, goes_on })
    }

    /// The next messages, at most so many; what has come within `within`, perhaps none.
    ///
    /// # Errors
    /// When the server does not answer.
    pub fn next(&self, reading: &Reading, most: usize, within: Duration) -> Result<Vec<Delivered>, NatsError> {
        self.handle.block_on(async {
            let asked = reading.consumer.batch().max_messages(most).expires(within).messages();
            let mut messages = match timeout(ANSWER_WITHIN, asked).await {
                Ok(Ok(messages)) => messages,
                Ok(Err(error)) => return Err(self.later(&super::connection::in_words(&error))),
                Err(_) => return Err(self.later(&"not connected")),
            };
            let mut all = Vec::new();
            // To its end: what came to one that nobody reads would come again only after a while. A server that went away never ends it.
            while let Ok(Some(next)) = timeout(within + Duration::from_millis(500), messages.next()).await {
                let message = next.map_err(|error| self.later(&error))?;
                let about = message.info().map_err(|error| self.later(&error))?;
                let (sequence, behind, stored) = (about.stream_sequence, about.pending, stored(&about));
                let confirm = message.reply.as_ref().map(ToString::to_string).unwrap_or_default();
                all.push(Delivered { payload: message.payload.to_vec(), sequence, behind, stored, confirm });
            }
            Ok(all)
        })
    }

    /// Confirms messages: they do not come again.
    ///
    /// # Errors
    /// When the connection is gone; then they do.
    pub fn confirm(&self, messages: impl IntoIterator<Item = String>) -> Result<(), NatsError> {
        self.handle.block_on(async {
            let confirming = async {
                for reply in messages {
                    self.client.publish(reply, "+ACK".into()).await.map_err(|error| self.later(&error))?;
                }
                self.client.flush().await.map_err(|error| self.later(&error))
            };
            timeout(ANSWER_WITHIN, confirming).await.unwrap_or_else(|_| Err(self.later(&"not connected")))
        })
    }
}
