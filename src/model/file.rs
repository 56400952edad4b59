//! The model file: JSON that a person can read, with a digest of itself.

use std::io::{self, BufWriter, IntoInnerError, Read, Write};

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::baseline::Baselines;
use super::behaviour::Vocabulary;
use super::calibration::{Budget, Calibration};
use super::stood_out::StoodOut;
use crate::feature::{hex, schema_hash};

/// The version of the file format; another one is refused.
pub const FORMAT: u32 = 2;
/// What a model file says it is.
const KIND: &str = "auscult model";

/// A file that was learned from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Its name, without the path.
    pub name: String,
    /// Its size in bytes, when it was a file.
    pub bytes: u64,
    /// SHA-256 of its bytes, when it was a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

/// Where a model comes from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// Files learned from.
    pub sources: Vec<Source>,
    /// First packet learned from, as text.
    pub trained_from: String,
    /// Last packet learned from, as text.
    pub trained_until: String,
    /// Seed of everything random.
    pub seed: u64,
    /// Flow records learned from.
    pub flows: u64,
    /// Share of flows that had no part in the spreads of behaviours.
    pub trimmed_share: f64,
    /// Home networks, when they were named.
    pub home_nets: Vec<String>,
    /// What stood out of the time learned from, highest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stood_out: Vec<StoodOut>,
    /// Fingerprint of the key of the pseudonyms by which it knows addresses and names; none where it knows them as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pseudonyms: Option<String>,
    /// Kinds of flow records learned from, when they were made elsewhere; none stands for captures.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub records: Vec<String>,
    /// What was learned since, where the model learned on while it judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapted: Option<Adapted>,
}

impl Provenance {
    /// Last moment learned, as text.
    #[must_use]
    pub fn until(&self) -> &str {
        self.adapted.as_ref().map_or(&self.trained_until, |adapted| &adapted.until)
    }
}

/// What a model learned on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Adapted {
    /// Number of this version; the model that was trained is 0.
    pub version: u32,
    /// Digest of the version before.
    pub parent: String,
    /// Digest of the model that was trained: what it calls extraordinary is never learned.
    pub anchor: String,
    /// Last moment learned, as text.
    pub until: String,
    /// Observations learned in this step.
    pub learned: u64,
    /// Observations left out in this step: of devices with an incident; extraordinary by the anchor, or too many at once.
    pub left_out: [u64; 2],
}

/// Everything that was learned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Model {
    /// Where it comes from.
    pub provenance: Provenance,
    /// The budget that it was calibrated for.
    pub budget: Budget,
    /// How scores fall in normal time.
    pub calibration: Calibration,
    /// Behaviours.
    pub vocabulary: Vocabulary,
    /// Baselines of devices.
    pub baselines: Baselines,
}

/// Why a model was not loaded.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// It could not be read or written.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// It is no JSON, or not of the form of a model.
    #[error("not a model: {0}")]
    Json(#[from] serde_json::Error),
    /// It is JSON of another kind.
    #[error("not a model: its kind is {got:?}, wanted {KIND:?}")]
    Kind {
        /// What it says.
        got: String,
    },
    /// It is of another version.
    #[error("model format {got}: this program reads format {FORMAT}; train it again")]
    Format {
        /// What it says.
        got: u32,
    },
    /// It was made for other features.
    #[error("model of feature schema {got}: this program has {wanted}; train it again")]
    Schema {
        /// What it says.
        got: String,
        /// What this program has.
        wanted: String,
    },
    /// It was changed after it was written.
    #[error("model digest does not hold: the file says {stated}, its content gives {computed}; it was changed or damaged")]
    Digest {
        /// What it says.
        stated: String,
        /// What its content gives.
        computed: String,
    },
    /// Parts of it do not fit together.
    #[error("model is inconsistent: {what}")]
    Inconsistent {
        /// What does not fit.
        what: String,
    },
}

#[derive(Serialize, Deserialize)]
struct Envelope<M> {
    kind: String,
    format: u32,
    schema: String,
    digest: String,
    model: M,
}

impl Model {
    /// SHA-256 over the model's compact JSON, as `sha256:…`.
    ///
    /// # Errors
    /// When it cannot be written as JSON (a number that is not finite).
    pub fn digest(&self) -> Result<String, ModelError> {
        // Piece by piece: the text of a fleet's model is larger than the model. Pieces of some bytes would take the digest long.
        let mut digesting = BufWriter::with_capacity(1 << 16, Digesting(Sha256::new()));
        serde_json::to_writer(&mut digesting, self)?;
        let digest = digesting.into_inner().map_err(IntoInnerError::into_error)?.0.finalize();
        Ok(format!("sha256:{}", hex(&digest)))
    }

    /// Writes it. The same model gives the same bytes.
    ///
    /// # Errors
    /// When `to` cannot be written.
    pub fn save(&self, mut to: impl Write) -> Result<(), ModelError> {
        let envelope =
            Envelope { kind: KIND.to_owned(), format: FORMAT, schema: schema_hash(), digest: self.digest()?, model: self };
        serde_json::to_writer_pretty(&mut to, &envelope)?;
        to.write_all(b"\n")?;
        to.flush()?;
        Ok(())
    }

    /// Reads one and checks kind, format, schema, digest and that its parts fit.
    ///
    /// # Errors
    /// Says what was wanted and what was found.
    pub fn load(mut from: impl Read) -> Result<Self, ModelError> {
        let mut text = Vec::new();
        from.read_to_end(&mut text)?;
        // The envelope first, so that a model of another format is told by its number and not by a missing field.
        let envelope: Envelope<IgnoredAny> = serde_json::from_slice(&text)?;
        if envelope.kind != KIND {
            return Err(ModelError::Kind { got: envelope.kind });
        }
        if envelope.format != FORMAT {
            return Err(ModelError::Format { got: envelope.format });
        }
        if envelope.schema != schema_hash() {
            return Err(ModelError::Schema { got: envelope.schema, wanted: schema_hash() });
        }
        let Envelope { mut model, digest: stated, .. } = serde_json::from_slice::<Envelope<Self>>(&text)?;
        let computed = model.digest()?;
        if computed != stated {
            return Err(ModelError::Digest { stated, computed });
        }
        model.check()?;
        model.vocabulary.prepare();
        model.baselines.prepare();
        Ok(model)
    }

    fn check(&self) -> Result<(), ModelError> {
        let wrong = |what: String| Err(ModelError::Inconsistent { what });
        let wanted = crate::feature::COUNT;
        if self.vocabulary.behaviours.is_empty() {
            return wrong("it has no behaviours".to_owned());
        }
        let scaler = &self.vocabulary.scaler;
        let lists = self.vocabulary.behaviours.iter().flat_map(|behaviour| [&behaviour.centre, &behaviour.spread]);
        for list in lists.chain([&scaler.centre, &scaler.spread]) {
            if list.len() != wanted || list.iter().any(|value| !value.is_finite()) {
                return wrong(format!("a list of {} features, wanted {wanted} finite ones", list.len()));
            }
        }
        let positive = |value: &f32| *value > 0.0;
        if !self.vocabulary.behaviours.iter().all(|behaviour| behaviour.spread.iter().all(positive) && behaviour.radius > 0.0) {
            return wrong("a spread or radius that is not positive".to_owned());
        }
        Ok(())
    }
}

/// Digests what is written to it.
struct Digesting(Sha256);

impl Write for Digesting {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
