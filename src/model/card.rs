//! The model card.

use std::fmt::Write as _;

use super::file::Model;

/// The model card, for people: what it was taught by, what it knows, how it is calibrated, what it cannot know.
#[must_use]
pub fn card(model: &Model) -> String {
    let mut page = String::new();
    let _ = writeln!(page, "{}", model.provenance.flows);
    page
}
