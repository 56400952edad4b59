//! What judged, in words.

use maud::{Markup, html};

use super::Page;
use crate::report::KnownModel;
use crate::report::account::Account;
use crate::report::text::{Shown, counted, day, grouped, number, period};
use crate::time::parse;

/// Files and roles named.
const MOST_NAMED: usize = 8;

/// The model card; nothing where what judged is not known.
pub fn section(page: &Page<'_>) -> Option<Markup> {
    match (&page.report.model, page.report.of_captures) {
        (Some(known), _) => Some(card(page, known)),
        (None, true) => Some(self_taught(page.report.account.as_ref())),
        (None, false) => None,
    }
}

fn card(page: &Page<'_>, known: &KnownModel) -> Markup {
    let (model, digest) = (known.model(), known.digest());
    let provenance = &model.provenance;
    let times = parse(&provenance.trained_from).ok().zip(parse(&provenance.trained_until).ok());
    let homes = model.baselines.hosts.iter().filter(|(address, host)| host.local && address.is_device()).count() as u64;
    let hours = model.baselines.span_minutes / 60.0;
    html! {
        @if !judged_by(page, digest) {
            p class="warning" { b { "This is not the model that judged." } " The alerts name another one, by its digest." }
        }
        p {
            "The model learned what is normal from " (counted(provenance.flows, "flow record")) " of "
            (counted(homes, "device")) " at home"
            @if let Some((from, to)) = times { ", heard on " (period(from, to)) " UTC" }
            ". It tells " (counted(model.vocabulary.behaviours.len() as u64, "behaviour")) " apart and keeps for every device with whom it talks, "
            "what it uses and offers, and how much. The most unusual "
            (number(100.0 * provenance.trimmed_share)) "\u{a0}% of the flows of each behaviour had no part in what is usual, so that a few attacks "
            "while it learned do not become normal."
        }
        p {
            "It may tell " (number(model.budget.per_day)) " incidents a day of normal time; an incident therefore needs "
            b { (number(model.calibration.threshold(model.budget))) " bits" } ", and what is merely unusual "
            b { (number(model.calibration.threshold(model.budget) + model.calibration.unnamed_bits(model.budget))) " bits" }
            @if let Some(loud) = model.calibration.loud(model.budget) {
                ", and " (loud.class.replace('_', " ")) ", which was frequent while it learned, " b { (number(loud.threshold)) " bits" }
            }
            ". "
            @if model.calibration.resolves(model.budget) {
                "That was seen in time held out from learning."
            } @else {
                "The learning time is too short to show so low a rate: the threshold is an estimate."
            }
        }
        @if let Some(adapted) = &provenance.adapted {
            p { "It has learned on while it judged: version " (adapted.version) ", from " (counted(adapted.learned, "observation")) " since the version before." }
        }
        @if !model.baselines.roles.is_empty() {
            h3 { "Kinds of devices" }
            ul {
                @for role in model.baselines.roles.iter().take(MOST_NAMED) {
                    li { (counted(u64::from(role.devices), "device")) ": " (Shown::new(&role.name)) }
                }
            }
            @if model.baselines.roles.len() > MOST_NAMED { p class="more" { "and " (model.baselines.roles.len() - MOST_NAMED) " more kinds." } }
        }
        h3 { "What it cannot know" }
        ul {
            li { "It knows " (number(hours)) " hours. What happens less often than that is new to it." }
            @if hours < 24.0 { li { "Less than a day: it cannot tell day from night." } }
            li { "Attacks that were under way while it learned are normal to it, but for those that were left out." }
        }
        dl class="facts" {
            div { dt { "Model" } dd { code class="digest" { (digest) } } }
            @for source in provenance.sources.iter().take(MOST_NAMED) {
                div {
                    dt { "Learned from" }
                    dd {
                        (Shown::new(&source.name)) ", " (grouped(source.bytes)) " bytes"
                        @if let Some(sha256) = &source.sha256 { br; code class="digest" { "sha256:" (Shown::new(sha256)) } }
                    }
                }
            }
            div { dt { "Seed" } dd { (provenance.seed) } }
        }
    }
}

/// Do all alerts name this model? Alerts of a model that has learned on name its other versions.
fn judged_by(page: &Page<'_>, digest: &str) -> bool {
    let models = &page.report.gather.incidents.models;
    models.is_empty() || models.keys().any(|model| model.digest.as_ref().is_some_and(|told| told.as_str() == digest))
}

fn self_taught(account: Option<&Account>) -> Markup {
    let taught = account.and_then(|account| account.self_taught);
    html! {
        p {
            "No model was given. The traffic taught itself"
            @if let Some(taught) = taught { " (" (counted(taught, "flow record")) ")" }
            ": each quarter of its time was judged by the other three. That finds what happened once, and misses what went on throughout. "
            "A model of a week or more of ordinary time knows better: " code { "auscult train" } "."
        }
        @if let Some(bits) = account.and_then(|account| account.threshold_bits) {
            p {
                "An incident needs " b { (number(bits)) " bits" }
                @if let Some(budget) = account.and_then(|account| account.budget_per_day) { ", so that normal time brings at most " (number(budget)) " a day" }
                @if account.is_some_and(|account| !account.budget_resolved) { "; so short a time cannot show that, and the threshold is an estimate" }
                "."
            }
        }
    }
}

/// Until when a model had learned, as a day.
pub fn until(text: &str) -> String {
    parse(text).map_or_else(|_| text.to_owned(), |at| format!("{}, {}", day(at), crate::report::text::clock(at)))
}
