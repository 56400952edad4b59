//! Which reasons of an incident are told, and in which order.

use super::class::Class;
use super::incident::Cause;
use super::score::Shown;
use crate::feature::Host;

/// Reasons told of an incident.
const MAX_REASONS: usize = 5;
/// A reason with fewer bits explains nothing.
const MIN_REASON_BITS: f64 = 1.0;
/// Reasons of what an incident is by now and those of what it was told as before, one of a kind.
pub(super) fn merged(class: Class, mut reasons: Vec<Cause>, before: Vec<Cause>) -> Vec<Cause> {
    let is_new = |cause: &Cause| reasons.iter().all(|reason| reason.part.evidence != cause.part.evidence);
    let others: Vec<Cause> = before.into_iter().filter(is_new).collect();
    reasons.extend(others);
    first_what_tells(class, &mut reasons);
    reasons
}

/// What makes it an incident of its class comes first; the weakest beyond the most go.
fn first_what_tells(class: Class, reasons: &mut Vec<Cause>) {
    let is_other = |reason: &Cause| !class.is_told_by(reason.part.evidence);
    reasons.sort_by(|a, b| is_other(a).cmp(&is_other(b)).then(b.part.bits.total_cmp(&a.part.bits)));
    reasons.truncate(MAX_REASONS);
}

/// The strongest reason of every kind, with the flow that gave it; what makes it an incident of its class comes first.
pub(super) fn reasons(class: Class, host: Host, exhibits: &[Shown<'_>]) -> Vec<Cause> {
    let mut reasons: Vec<Cause> = Vec::new();
    for &((peer, service), exhibit) in exhibits {
        let Some(flow) = &exhibit.flow else { continue };
        let cause = |part| Cause { part, host, peer, service, flow: flow.clone() };
        for part in exhibit.parts.into_iter().chain([exhibit.row()]).flatten().filter(|part| part.bits >= MIN_REASON_BITS) {
            match reasons.iter_mut().find(|reason| reason.part.evidence == part.evidence) {
                Some(reason) if part.bits > reason.part.bits => *reason = cause(part),
                Some(_) => {}
                None => reasons.push(cause(part)),
            }
        }
    }
    first_what_tells(class, &mut reasons);
    reasons
}
