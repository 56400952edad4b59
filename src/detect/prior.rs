//! What weighs more than its rarity says: prior odds.
//!
//! Bits of rarity ask how seldom something is. Whether it is an attack depends also on what it touches: a program that nobody here
//! ever used and that exists to hide traffic, or a clinical system that is spoken to by a device whose kind never does.

use super::evidence::Evidence;
use crate::app::Family;
use crate::feature::{FactKind, Observation};
use crate::model::{Baselines, HostBaseline, Kind, KnownTo};

/// Odds of 64 to 1.
pub(super) const BITS: f64 = 6.0;
/// Odds of 256 to 1.
const MORE_BITS: f64 = 8.0;

/// Bits that something new about a flow counts more for what it touches.
pub(super) fn prior_bits(seen: &Observation, orig: Option<&HostBaseline>, evidence: Evidence, baselines: &Baselines) -> f64 {
    if !matters(evidence) {
        return 0.0;
    }
    let role = orig.filter(|host| host.local).map(|host| host.role);
    let known = baselines.commons.known_to(Kind::Service, seen.service, role);
    match seen.app.family() {
        Family::Clinical | Family::Industrial => {
            let leaves_home = seen.orig_local && !seen.resp_local;
            if known != KnownTo::Role || leaves_home { BITS } else { 0.0 }
        }
        Family::Covert => match known {
            KnownTo::Role => 0.0,
            KnownTo::Network => BITS,
            KnownTo::Nobody => MORE_BITS,
        },
        _ => 0.0,
    }
}

/// Is it new who speaks to whom, or what is asked for; rather than a name or a way of speaking?
const fn matters(evidence: Evidence) -> bool {
    match evidence {
        Evidence::NewService | Evidence::NewPeer | Evidence::NewClient | Evidence::NewOffer => true,
        Evidence::NewFact(kind) => {
            matches!(
                kind,
                FactKind::CallingAe | FactKind::CalledAe | FactKind::DicomCommand | FactKind::Hl7Type | FactKind::MqttPacket
            )
        }
        _ => false,
    }
}
