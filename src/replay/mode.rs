//! What judges.

use std::sync::Arc;

use crate::model::{Budget, Model};
use crate::time::Span;
use crate::train::Course;

/// What judges.
#[derive(Clone, Debug)]
pub enum Mode {
    /// A model, and the budget when it is not the model's own.
    Model(Arc<Model>, Option<Budget>),
    /// The capture itself; the budget when it is not the default.
    SelfTaught {
        /// Incidents per day.
        budget: Option<Budget>,
        /// Seed of the clustering.
        seed: u64,
    },
    /// What the first part of the capture teaches judges the rest.
    Learn {
        /// How long it is learned.
        span: Span,
        /// How the model is made.
        course: Course,
    },
}
