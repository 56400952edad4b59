//! What is said to all who listen, and kept by nobody.

use futures_util::StreamExt as _;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::connection::{ANSWER_WITHIN, Nats};
use super::error::NatsError;

/// Messages that wait to be heard at the most; further ones are missed.
const ROOM: usize = 10_000;

/// Hears what is said on a subject.
pub struct Listening {
    said: mpsc::Receiver<Vec<u8>>,
    task: JoinHandle<()>,
}

impl Nats {
    /// Listens to a subject from now on.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn listen(&self, subject: &str) -> Result<Listening, NatsError> {
        let mut messages = self.wait("listening", self.client.subscribe(subject.to_owned()))?;
        let (to, said) = mpsc::channel(ROOM);
        let task = self.handle.spawn(async move {
            while let Some(message) = messages.next().await {
                // Where nobody hears it for so long, what is newer tells more.
                let _ = to.try_send(message.payload.to_vec());
            }
        });
        Ok(Listening { said, task })
    }

    /// Says something to all who listen. Whether anybody does is not known.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn say(&self, subject: &str, payload: Vec<u8>) -> Result<(), NatsError> {
        self.handle.block_on(async {
            let said = async {
                self.client.publish(subject.to_owned(), payload.into()).await.map_err(|error| self.later(&error))?;
                self.client.flush().await.map_err(|error| self.later(&error))
            };
            timeout(ANSWER_WITHIN, said).await.unwrap_or_else(|_| Err(self.later(&"not connected")))
        })
    }
}

impl Listening {
    /// What was said since the last time.
    pub fn heard(&mut self) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| self.said.try_recv().ok()).collect()
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.task.abort();
    }
}
