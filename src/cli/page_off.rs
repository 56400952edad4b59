//! A program that was built without the live page: nothing asks for one.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::Args;

use super::answered::OnAnswers;
use super::hidden::Hidden;
use crate::flow::HomeNets;
use crate::model::Model;
use crate::pipeline::{Consumer, Gauges};
use crate::replay::Output;

/// No options.
#[derive(Debug, Args)]
pub struct PageArgs {}

impl PageArgs {
    /// Never.
    pub const fn is_wanted(&self) -> bool {
        false
    }
}

/// What a page would be about.
#[expect(dead_code, reason = "there is no page")]
pub struct About<'a> {
    /// The interface that is listened to.
    pub interface: Option<String>,
    /// Home networks.
    pub home: &'a HomeNets,
    /// What replaces addresses and names.
    pub hidden: Option<&'a Hidden>,
    /// The model that judges by now.
    pub model: Option<Arc<Model>>,
    /// The file of answers.
    pub answers: Option<PathBuf>,
    /// Registry of makers.
    pub oui: Option<PathBuf>,
    /// How the run is going.
    pub gauges: Arc<Gauges>,
}

/// There is none.
pub enum Page {}

impl Page {
    /// Nothing.
    ///
    /// # Errors
    /// None.
    pub fn open(_args: &PageArgs, _about: About<'_>) -> anyhow::Result<Option<Self>> {
        Ok(None)
    }

    /// What takes the judge's results too.
    pub fn output(&self) -> Box<dyn Output> {
        match *self {}
    }

    /// What is told when other answers stand.
    pub fn on_answers(&self) -> OnAnswers {
        match *self {}
    }

    /// Shows records on their way to the judge.
    pub fn watching<'a>(&self, _consumer: &'a mut dyn Consumer) -> Box<dyn Consumer + 'a> {
        match *self {}
    }

    /// The run is over.
    pub fn finish(self, _stop: &AtomicBool) {
        match self {}
    }
}
