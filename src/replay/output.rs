//! What takes what a judge finds.

use std::sync::Arc;

use super::state::State;
use crate::alert::AlertContext;
use crate::detect::{Answers, Notice, ScoredFlow};
use crate::evidence::Slices;
use crate::feature::Host;
use crate::flow::FlowRecord;
use crate::model::{Model, Vocabulary};
use crate::pipeline::{Condition, Progress};
use crate::time::Timestamp;
use crate::wire::Addr;

/// Takes what was found, in order.
pub trait Output {
    /// Before the first notice, and when another model judges from now on: what alerts say of their model.
    fn begin(&mut self, context: &AlertContext);
    /// The behaviours that flows are told by from now on.
    fn vocabulary(&mut self, _vocabulary: &Vocabulary) {}
    /// A model was learned, or a version of one that learned on.
    fn model(&mut self, _model: &Arc<Model>) {}
    /// What was learned when it ended before that was enough: to be kept for another time, not what judges.
    fn partial(&mut self, _model: &Arc<Model>) {}
    /// Another model judges from now on, which people gave while it was judged.
    fn reloaded(&mut self, _model: &Arc<Model>) {}
    /// An incident was opened, grew or was closed.
    fn notice(&mut self, notice: &Notice);
    /// The same, where an answer hides it.
    fn hidden(&mut self, _notice: &Notice) {}
    /// What is kept of the packets before the coming tick, where that was asked for.
    fn packets(&mut self, _packets: Slices) {}
    /// An address is a device's that notices name by another.
    fn alias(&mut self, _address: Addr, _device: Host) {}
    /// Other answers stand from now on.
    fn answered(&mut self, _answers: &Answers, _now: Timestamp) {}
    /// All that was found at a tick was handed over.
    fn tick(&mut self, _now: Timestamp) {}
    /// Do alerts wait that were handed over and are not written yet?
    fn waits(&mut self) -> bool {
        false
    }
    /// Is what a judge remembers wanted by now? Asked after each tick.
    fn wants_state(&mut self) -> bool {
        false
    }
    /// What it remembers.
    fn state(&mut self, _state: &State<'_>) {}
    /// A flow and its bits; only when flows were asked for.
    fn flow(&mut self, flow: &ScoredFlow, behaviour: &str);
    /// A flow of a capture that held too little to judge it; only when flows were asked for.
    fn unjudged(&mut self, _record: &FlowRecord) {}
    /// The network is heard otherwise from now on: better or worse.
    fn condition(&mut self, _condition: Condition) {}
    /// Called a few times a second while reading.
    fn progress(&mut self, _progress: Progress) {}
}
