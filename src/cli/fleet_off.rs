//! A program that was built without NATS: nothing is published, no stream is read.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::Args;
use serde_json::Value;

use super::args::{JudgeArgs, LearnArgs, OutputArgs};
use super::exit::Usage;
use super::feed::Opened;
use super::reload::{Fitting, Reloader};
use crate::guard::Allowed;
use crate::model::Model;
use crate::pipeline::{Consumer, Gauges};
use crate::train::{Colleagues, Course, Statistic, TogetherError};

/// No options.
#[derive(Debug, Args)]
pub struct PublishArgs {}

impl PublishArgs {
    /// Never.
    pub const fn is_wanted(&self) -> bool {
        false
    }

    /// Never.
    ///
    /// # Errors
    /// None.
    pub fn is_all(
        &self,
        _judge: &JudgeArgs,
        _learn: &LearnArgs,
        _output: &OutputArgs,
        _others: &[(&str, bool)],
    ) -> anyhow::Result<bool> {
        Ok(false)
    }

    /// None.
    ///
    /// # Errors
    /// Where one of a system of NATS is named.
    pub fn followed(&self, judge: &JudgeArgs, _learn: &LearnArgs) -> anyhow::Result<Option<(Model, Following)>> {
        let named = judge.model.as_ref().and_then(|path| path.to_str()).filter(|text| text.contains("nats://"));
        named.map_or(Ok(None), |address| Err(missing(address)))
    }

    /// Nothing.
    pub const fn allow(&self, _output: &OutputArgs, _judge: &JudgeArgs, _allowed: &mut Allowed) {}

    /// Nothing.
    ///
    /// # Errors
    /// None.
    pub fn open(&self, _output: &OutputArgs, _waits: bool, _stop: Arc<AtomicBool>) -> anyhow::Result<Option<Publishing>> {
        Ok(None)
    }
}

/// There is none.
pub enum Publishing {}

impl Publishing {
    /// Tells there how it goes.
    pub fn show_in(&mut self, _gauges: Option<Arc<Gauges>>) {
        match *self {}
    }

    /// Shows records to it on their way.
    pub fn watching<'a>(&'a mut self, _consumer: &'a mut dyn Consumer) -> Box<dyn Consumer + 'a> {
        match *self {}
    }

    /// The run is over.
    pub fn finish(self) -> PublishReport {
        match self {}
    }
}

/// There is none.
pub enum PublishReport {}

impl PublishReport {
    /// Never.
    pub const fn has_lost(&self) -> bool {
        match *self {}
    }

    /// For people.
    pub fn text(&self) -> String {
        match *self {}
    }

    /// For programs.
    pub fn json(&self) -> Value {
        match *self {}
    }
}

/// No options.
#[derive(Debug, Args)]
pub struct StreamArgs {}

impl StreamArgs {
    /// Nothing.
    pub const fn allow(&self, _inputs: &[PathBuf], _model: &Option<PathBuf>, _allowed: &mut Allowed) {}

    /// There is none.
    ///
    /// # Errors
    /// When a stream is named.
    pub fn address(inputs: &[PathBuf]) -> anyhow::Result<Option<&str>> {
        let is_one = |input: &&PathBuf| input.to_str().is_some_and(|text| text.contains("nats://"));
        match inputs.iter().find(is_one) {
            Some(input) => {
                Err(Usage(format!("{}: this program was built without NATS (cargo build --features nats)", input.display()))
                    .into())
            }
            None => Ok(None),
        }
    }
}

/// No options.
#[derive(Debug, Args)]
pub struct TogetherArgs {}

impl TogetherArgs {
    /// Never.
    pub const fn is_worker(&self) -> bool {
        false
    }

    /// Never.
    pub const fn is_coordinator(&self) -> bool {
        false
    }

    /// There is none.
    ///
    /// # Errors
    /// When a stream is named.
    pub fn stream(&self, inputs: &[PathBuf]) -> anyhow::Result<Option<Opened>> {
        StreamArgs::address(inputs).map(|_| None)
    }

    /// Nobody else.
    ///
    /// # Errors
    /// None.
    pub fn open(&self, _course: &Course, _stop: &Arc<AtomicBool>) -> anyhow::Result<Option<Training>> {
        Ok(None)
    }
}

/// There is none.
pub enum Training {}

impl Training {
    /// Never.
    ///
    /// # Errors
    /// None.
    pub fn finish(self) -> Result<(), TogetherError> {
        match self {}
    }
}

impl Colleagues for Training {
    fn sum<S: Statistic>(&mut self, _own: S) -> Result<S, TogetherError> {
        match *self {}
    }
}

/// No options.
#[derive(Debug, Args)]
pub struct NatsArgs {}

/// There is none.
pub enum AlertStream {}

impl AlertStream {
    /// None.
    ///
    /// # Errors
    /// When a stream is named.
    pub fn open(files: &[PathBuf], _args: &NatsArgs) -> anyhow::Result<Option<Self>> {
        StreamArgs::address(files).map(|_| None)
    }

    /// Nothing.
    ///
    /// # Errors
    /// None.
    pub fn look(&mut self, _take: &mut dyn FnMut(&[u8]) -> anyhow::Result<()>) -> anyhow::Result<bool> {
        match *self {}
    }

    /// Nothing.
    ///
    /// # Errors
    /// None.
    pub fn read_all(&mut self, _take: &mut dyn FnMut(&[u8]) -> anyhow::Result<()>) -> anyhow::Result<()> {
        match *self {}
    }
}

fn missing(address: &str) -> anyhow::Error {
    Usage(format!("{address}: this program was built without NATS (cargo build --features nats)")).into()
}

/// Never.
pub const fn in_store(_judge: &JudgeArgs) -> Option<&str> {
    None
}

/// There is none.
pub enum Following {}

impl Following {
    /// Nothing.
    ///
    /// # Errors
    /// None.
    pub fn begin(self, _fitting: Fitting) -> anyhow::Result<Reloader> {
        match self {}
    }
}

/// There is none.
pub enum ModelStore {}

impl ModelStore {
    /// None.
    ///
    /// # Errors
    /// Always.
    pub fn open(address: &str, _args: &NatsArgs) -> anyhow::Result<Self> {
        Err(missing(address))
    }

    /// Nothing.
    ///
    /// # Errors
    /// None.
    pub fn roll_back(&self) -> anyhow::Result<(String, String)> {
        match *self {}
    }
}
