//! Files, and which of them is in use: the object store and the key-value store.

use std::time::Duration;

use async_nats::jetstream::stream::{self, DiscardPolicy};
use async_nats::jetstream::{kv, object_store};
use futures_util::StreamExt as _;
use tokio::io::AsyncReadExt as _;

use super::connection::{Nats, in_words};
use super::error::NatsError;

/// Earlier values of a key that are kept: all that the server can.
const HISTORY: i64 = 64;

impl Nats {
    /// Makes buckets for files and for keys, on so many servers, where there are none. Files go after `age`; zero keeps them.
    ///
    /// # Errors
    /// When the server does not answer or will not have it.
    pub fn make_stores(&self, files: &str, keys: &str, replicas: usize, age: Duration) -> Result<(), NatsError> {
        if self.wait("the object store", self.jetstream.get_object_store(files)).is_err() {
            let (bucket, num_replicas, max_age) = (files.to_owned(), replicas, age);
            let config = object_store::Config { bucket, num_replicas, max_age, ..object_store::Config::default() };
            self.wait("making the object store", self.jetstream.create_object_store(config))?;
        }
        if self.wait("the key-value store", self.jetstream.get_key_value(keys)).is_err() {
            let config = stream::Config { num_replicas: replicas, ..key_value(keys) };
            self.wait("making the key-value store", self.jetstream.create_stream(config))?;
        }
        Ok(())
    }

    /// Keeps a file by this name; the bucket is made where there is none.
    ///
    /// # Errors
    /// When the server does not answer or will not have it.
    pub fn put_file(&self, bucket: &str, name: &str, bytes: &[u8]) -> Result<(), NatsError> {
        let opened = self.wait("the object store", self.jetstream.get_object_store(bucket));
        let store = match opened {
            Ok(store) => store,
            Err(_) => {
                let config = object_store::Config { bucket: bucket.to_owned(), ..object_store::Config::default() };
                self.wait("making the object store", self.jetstream.create_object_store(config))?
            }
        };
        let (within, mut bytes) = (moving(bytes.len() as u64), bytes);
        self.wait_within("keeping the file", within, store.put(name, &mut bytes)).map(drop)
    }

    /// Removes a file, where there is one.
    ///
    /// # Errors
    /// When the server does not answer.
    pub fn remove_file(&self, bucket: &str, name: &str) -> Result<(), NatsError> {
        let store = self.wait("the object store", self.jetstream.get_object_store(bucket))?;
        self.wait(&format!("removing the file {name}"), async {
            match store.delete(name).await {
                Err(error) if error.kind() != object_store::DeleteErrorKind::NotFound => Err(error),
                _ => Ok(()),
            }
        })
    }

    /// A file, of at most so many bytes, where there is one.
    ///
    /// # Errors
    /// When the server does not answer, or it is longer.
    pub fn find_file(&self, bucket: &str, name: &str, most_bytes: u64) -> Result<Option<Vec<u8>>, NatsError> {
        let exists = self.wait(&format!("the file {name}"), async {
            let store = match self.jetstream.get_object_store(bucket).await {
                Ok(store) => store,
                Err(error) if in_words(&error).contains("not found") => return Ok(false),
                Err(error) => return Err(std::io::Error::other(error)),
            };
            match store.info(name).await {
                Ok(_) => Ok(true),
                Err(error) if error.kind() == object_store::InfoErrorKind::NotFound => Ok(false),
                Err(error) => Err(std::io::Error::other(error)),
            }
        })?;
        exists.then(|| self.file(bucket, name, most_bytes)).transpose()
    }

    /// A file, of at most so many bytes.
    ///
    /// # Errors
    /// When the server does not answer, or has no such file, or it is longer.
    pub fn file(&self, bucket: &str, name: &str, most_bytes: u64) -> Result<Vec<u8>, NatsError> {
        let store = self.wait("the object store", self.jetstream.get_object_store(bucket))?;
        let object = self.wait(&format!("the file {name}"), store.get(name))?;
        let (within, mut bytes) = (moving(object.info().size as u64), Vec::new());
        let mut reading = object.take(most_bytes + 1);
        self.wait_within(&format!("reading the file {name}"), within, reading.read_to_end(&mut bytes))?;
        if bytes.len() as u64 > most_bytes {
            return Err(self.later(&format!("the file {name} is longer than {most_bytes} bytes")));
        }
        Ok(bytes)
    }

    /// Gives a key a value; the bucket is made where there is none.
    ///
    /// # Errors
    /// When the server does not answer or will not have it.
    pub fn set(&self, bucket: &str, key: &str, value: &str) -> Result<(), NatsError> {
        let store = self.bucket(bucket)?;
        self.wait(&format!("setting {key}"), store.put(key, value.to_owned().into())).map(drop)
    }

    /// Gives a key a value where its number is still this one, 0 where it never had a value; the bucket is made where there is none. Returns
    /// its new number; none where somebody else was faster.
    ///
    /// # Errors
    /// When the server does not answer or will not have it.
    pub fn swap(&self, bucket: &str, key: &str, revision: u64, value: &str) -> Result<Option<u64>, NatsError> {
        let store = self.bucket(bucket)?;
        self.wait(&format!("setting {key}"), async {
            match store.update(key, value.to_owned().into(), revision).await {
                Ok(revision) => Ok(Some(revision)),
                Err(error) if error.kind() == kv::UpdateErrorKind::WrongLastRevision => Ok(None),
                Err(error) => Err(error),
            }
        })
    }

    /// The value of a key and its number, 0 and nothing where it never had one.
    ///
    /// # Errors
    /// When the server does not answer, or has no such store.
    pub fn numbered(&self, bucket: &str, key: &str) -> Result<(u64, String), NatsError> {
        let store = self.wait("the key-value store", self.jetstream.get_key_value(bucket))?;
        let entry = self.wait(&format!("the value of {key}"), store.entry(key))?;
        Ok(entry.map_or_else(Default::default, |entry| (entry.revision, String::from_utf8_lossy(&entry.value).into_owned())))
    }

    fn bucket(&self, bucket: &str) -> Result<kv::Store, NatsError> {
        match self.wait("the key-value store", self.jetstream.get_key_value(bucket)) {
            Ok(store) => Ok(store),
            Err(_) => {
                self.wait("making the key-value store", self.jetstream.create_stream(key_value(bucket)))?;
                self.wait("the key-value store", self.jetstream.get_key_value(bucket))
            }
        }
    }

    /// The values that a key had, the one in use last.
    ///
    /// # Errors
    /// When the server does not answer, or has no such store.
    pub fn values(&self, bucket: &str, key: &str) -> Result<Vec<String>, NatsError> {
        let store = self.wait("the key-value store", self.jetstream.get_key_value(bucket))?;
        let entries = self.wait(&format!("the history of {key}"), async {
            let mut history = store.history(key).await.map_err(std::io::Error::other)?;
            let mut entries = Vec::new();
            while let Some(entry) = history.next().await {
                entries.push(entry.map_err(std::io::Error::other)?);
            }
            Ok::<_, std::io::Error>(entries)
        })?;
        let put = entries.into_iter().filter(|entry| entry.operation == kv::Operation::Put);
        Ok(put.map(|entry| String::from_utf8_lossy(&entry.value).into_owned()).collect())
    }

    /// The value of a key.
    ///
    /// # Errors
    /// When the server does not answer, or has no such store or key.
    pub fn value(&self, bucket: &str, key: &str) -> Result<String, NatsError> {
        let store = self.wait("the key-value store", self.jetstream.get_key_value(bucket))?;
        let found = self.wait(&format!("the value of {key}"), store.get(key))?;
        found.map(|value| String::from_utf8_lossy(&value).into_owned()).ok_or_else(|| self.later(&format!("{key} has no value")))
    }
}

/// How long a file of so many bytes may take on its way, at the least: at a megabyte a second.
const fn moving(bytes: u64) -> Duration {
    Duration::from_secs(10 + bytes / 1_000_000)
}

/// The stream below a key-value store (ADR-8). The client would ask for the account first, whose answer it does not read from a server of
/// version 2.9.
fn key_value(bucket: &str) -> stream::Config {
    stream::Config {
        name: format!("KV_{bucket}"),
        subjects: vec![format!("$KV.{bucket}.>")],
        max_messages_per_subject: HISTORY,
        discard: DiscardPolicy::New,
        allow_rollup: true,
        deny_delete: true,
        allow_direct: true,
        num_replicas: 1,
        ..stream::Config::default()
    }
}
