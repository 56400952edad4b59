//! Models in a system of NATS: `model publish`, `model rollback`, `--model nats://…`.

use std::sync::Arc;

use anyhow::{Context as _, bail};

use super::args::JudgeArgs;
use super::fleet::{NatsArgs, in_store, told};
use super::reload::{Fitting, Reload, Reloader};
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
        in_store(judge).map(|address| Self::open(address, args)).transpose()
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
}

/// Looks whether another model is in use than the one that judges.
pub struct Following {
    store: ModelStore,
    /// Digest of the one that judges.
    judging: String,
    budget: Option<Budget>,
}

impl Following {
    /// The model in use where `--model` names a store, and what looks after it.
    ///
    /// # Errors
    /// As [`ModelStore::open`] and [`ModelStore::current`].
    pub fn of(judge: &JudgeArgs, args: &NatsArgs) -> anyhow::Result<Option<(Model, Self)>> {
        let Some(store) = ModelStore::of(judge, args)? else { return Ok(None) };
        let model = store.current()?;
        let following = Self::from(store, &model, judge)?;
        Ok(Some((model, following)))
    }

    /// The same of a model that was loaded before.
    ///
    /// # Errors
    /// A model that cannot be digested.
    pub fn from(store: ModelStore, model: &Model, judge: &JudgeArgs) -> anyhow::Result<Self> {
        let budget = judge.alert_budget.map(|per_day| Budget { per_day });
        Ok(Self { store, judging: model.digest()?, budget })
    }

    /// Looks from now on; another model judges from the next tick on, where it fits.
    ///
    /// # Errors
    /// When the system refuses the thread.
    pub fn begin(self, fitting: Fitting) -> anyhow::Result<Reloader> {
        let Self { store, mut judging, budget } = self;
        Reloader::looking(move || {
            let now = store.connection.value(&store.uses, CURRENT).map_err(told)?;
            if now == judging {
                return Ok(None);
            }
            let mut model = store.load(&now)?;
            if model.provenance.pseudonyms != fitting.key {
                bail!("the model {now} knows devices by other names than the one that judges (--pseudonyms)");
            }
            if let Some(order) = &fitting.order {
                model.baselines.order = order.clone();
            }
            tell!("auscult: the model is {now} from the next tick on, instead of {judging}");
            judging = now;
            Ok(Some(Reload { model: Arc::new(model), budget }))
        })
    }
}
