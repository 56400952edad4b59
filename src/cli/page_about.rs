//! What a live page is about.

use std::path::PathBuf;
use std::sync::Arc;

use super::answer_file::Mutes;
use super::hidden::Hidden;
use crate::flow::HomeNets;
use crate::model::Model;
use crate::pipeline::Gauges;
use crate::sink::SinkGauge;

/// What a page is about.
#[cfg_attr(not(feature = "http"), expect(dead_code, reason = "there is no page"))]
pub struct About<'a> {
    /// The interface that is listened to; of captures, nothing.
    pub interface: Option<String>,
    /// Home networks.
    pub home: &'a HomeNets,
    /// What replaces addresses and names.
    pub hidden: Option<&'a Hidden>,
    /// The model that judges by now.
    pub model: Option<Arc<Model>>,
    /// The file of answers.
    pub answers: Option<PathBuf>,
    /// Rules of a configuration file that mute.
    pub mutes: Mutes,
    /// Registry of makers.
    pub oui: Option<PathBuf>,
    /// Where alerts go.
    pub sinks: Vec<SinkGauge>,
    /// The alert lines of earlier runs that the page begins with.
    pub told: Vec<String>,
    /// How the run is going.
    pub gauges: Arc<Gauges>,
}
