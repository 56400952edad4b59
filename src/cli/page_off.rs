//! A program that was built without the live page: nothing asks for one.

use std::sync::atomic::AtomicBool;

use clap::Args;

use super::answered::OnAnswers;
pub use super::page_about::About;
use crate::guard::Allowed;
use crate::pipeline::Consumer;
use crate::replay::Output;

/// No options.
#[derive(Debug, Args)]
pub struct PageArgs {}

impl PageArgs {
    /// Never.
    pub const fn is_wanted(&self) -> bool {
        false
    }

    /// Nothing.
    pub const fn allow(&self, _allowed: &mut Allowed) {}
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
