//! A report for people: one HTML page that needs nothing else.
//!
//! [`Gather`] takes alert lines and flow events from files, or incidents and flows from a judge in the same process; [`write()`] makes
//! the page of what was gathered. Nothing here opens a file or asks for the time.
//!
//! Architecture invariants: text from outside reaches the page as [`text::Shown`] alone and is escaped by `maud`, which alone writes
//! tags; memory and the page are bounded whatever is read; the same input gives the same bytes.

mod account;
mod attack;
mod chain;
mod devices;
mod event;
mod gather;
mod incidents;
mod page;
mod talk;
pub mod text;
mod traffic;
mod unusual;

use std::collections::BTreeSet;
use std::sync::Arc;

pub use account::Account;
pub use attack::technique as attack_name;
pub use chain::Chain;
pub use devices::{Device, Devices};
pub use event::{Attack, ModelPart, Stage, Told, Usual, Why};
pub use gather::{Behaviour, Gather, PassedOver, Wanted};
pub use incidents::{Answered, Incidents, MOST_KEPT, OfClass};
pub use page::{Part, STYLE, article, parts, write};
pub use talk::{Talk, Talks};
pub use traffic::{Step, Traffic};
pub use unusual::{Group, UNUSUAL_BITS, Unusual};

use self::text::Shown;
use crate::detect::Answers;
use crate::feature::Host;
use crate::model::{Model, ModelError};

/// A file that a report was made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// What it was read as.
    pub role: &'static str,
    /// Its name, without the path.
    pub name: Shown,
    /// Its size in bytes.
    pub bytes: u64,
    /// SHA-256 of its bytes; none of what came through a pipe.
    pub sha256: Option<String>,
}

/// A model and its digest, which is made once: that of a large model takes a while.
#[derive(Clone, Debug)]
pub struct KnownModel {
    model: Arc<Model>,
    digest: String,
}

impl KnownModel {
    /// A model.
    ///
    /// # Errors
    /// When it cannot be digested.
    pub fn new(model: Arc<Model>) -> Result<Self, ModelError> {
        let digest = model.digest()?;
        Ok(Self { model, digest })
    }

    /// The model.
    #[must_use]
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Its digest, as `sha256:…`.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }
}

/// What a page is made of. What is missing is left out of the page, which says how to bring it.
#[derive(Debug, Default)]
pub struct Report {
    /// What stands above it.
    pub title: Shown,
    /// Incidents and flows.
    pub gather: Gather,
    /// Which devices were seen.
    pub devices: Option<Devices>,
    /// What went in and where it went.
    pub account: Option<Account>,
    /// The model that judged.
    pub model: Option<KnownModel>,
    /// What analysts answered.
    pub answers: Option<Arc<Answers>>,
    /// Were captures judged for it, rather than alerts read?
    pub of_captures: bool,
    /// What it was made of.
    pub sources: Vec<SourceFile>,
}

impl Report {
    /// The devices that incidents are about, and their strongest peers: whose place in the inventory matters.
    #[must_use]
    pub fn named_hosts(gather: &Gather) -> BTreeSet<Host> {
        let told = gather.incidents.by_time();
        told.iter().flat_map(|told| told.hosts.iter().chain(&told.peers)).copied().collect()
    }
}
