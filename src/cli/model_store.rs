//! Models in a system of NATS: `model publish`, `model rollback`, `--model nats://…`.

use std::sync::Arc;

use anyhow::{Context as _, bail};

use super::args::JudgeArgs;
use super::fleet::{NatsArgs, told};
use super::reload::{Reload, Reloader};
use crate::model::{Budget, Model};
use crate::nats::{Address, Nats};

/// The key whose value is the digest of the model in use.
const CURRENT: &str = "current";
/// Bytes of a model.
const MOST_MODEL_BYTES: u64 = 1 << 30;

/// Models of a system: files by their digests, and which of them is in use.
pub struct ModelStore {
    connection: Nats,
    files: String,
    uses: String,
}

impl ModelStore {
    /// The store that `--model` names, where it names one.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn of(judge: &JudgeArgs, args: &NatsArgs) -> anyhow::Result<Option<Self>> {
        let named = judge.model.as_ref().and_then(|path| path.to_str()).filter(|text| Address::is_one(text));
        named.map(|address| Self::open(address, args)).transpose()
    }

    /// Connects to it.
    ///
    /// # Errors
    /// Wrong usage; a server that is away or refuses.
    pub fn open(address: &str, args: &NatsArgs) -> anyhow::Result<Self> {
        let address = Address::parse(address).map_err(told)?;
        let connection = Nats::connect(&address, &args.access(), "auscult model").map_err(told)?;
        Ok(Self { connection, files: address.stream("models"), uses: address.stream("model") })
    }

    /// Keeps a model, and puts it in use. Returns its digest.
    ///
    /// # Errors
    /// When the server does not take it.
    pub fn publish(&self, model: &Model) -> anyhow::Result<String> {
        let digest = model.digest()?;
        let mut bytes = Vec::new();
        model.save(&mut bytes)?;
        self.connection.put_file(&self.files, &digest, &bytes).map_err(told)?;
        // Only a file that is there whole is put in use.
        self.connection.set(&self.uses, CURRENT, &digest).map_err(told)?;
        Ok(digest)
    }

    /// Puts the model in use that was so before. Returns the digests of both.
    ///
    /// # Errors
    /// When there was none.
    pub fn roll_back(&self) -> anyhow::Result<(String, String)> {
        let values = self.connection.values(&self.uses, CURRENT).map_err(told)?;
        let now = values.last().cloned().unwrap_or_default();
        let Some(before) = values.iter().rev().find(|value| **value != now) else {
            bail!("there is no model before the one in use ({now})");
        };
        self.connection.set(&self.uses, CURRENT, before).map_err(told)?;
        Ok((now, before.clone()))
    }

    /// The model in use.
    ///
    /// # Errors
    /// When there is none, or it is another than its digest says.
    pub fn current(&self) -> anyhow::Result<Model> {
        self.load(&self.connection.value(&self.uses, CURRENT).map_err(told)?)
    }

    fn load(&self, digest: &str) -> anyhow::Result<Model> {
        let bytes = self.connection.file(&self.files, digest, MOST_MODEL_BYTES).map_err(told)?;
        let model = Model::load(bytes.as_slice()).with_context(|| format!("the model {digest}"))?;
        if model.digest()? != digest {
            bail!("the file {digest} holds another model");
        }
        Ok(model)
    }

    /// Looks whether another model is in use, which then judges from the next tick on.
    ///
    /// # Errors
    /// When the system refuses the thread.
    pub fn looking(self, pseudonyms: Option<String>, budget: Option<Budget>) -> anyhow::Result<Reloader> {
        let mut judging = self.connection.value(&self.uses, CURRENT).map_err(told)?;
        Reloader::looking(move || {
            let now = self.connection.value(&self.uses, CURRENT).map_err(told)?;
            if now == judging {
                return Ok(None);
            }
            let model = self.load(&now)?;
            if model.provenance.pseudonyms != pseudonyms {
                bail!("the model {now} knows devices by other names than the one that judges (--pseudonyms)");
            }
            tell!("auscult: the model is {now} from the next tick on, instead of {judging}");
            judging = now;
            Ok(Some(Reload { model: Arc::new(model), budget }))
        })
    }
}
