//! Alerts as Suricata EVE events with the product object `auscult`.

use serde_json::{Map, Value, json};

use crate::detect::{Cause, Claim, Class, Detail, Episode, Evidence, FlowRef, Notice, Reason, Term, reason};
use crate::flow::community_id;

/// Private generator id of all alerts.
const GENERATOR: u32 = 4711;
/// Revision of the signatures.
const REVISION: u32 = 1;

/// What an alert must say beyond the incident.
#[derive(Clone, Debug, Default)]
pub struct AlertContext {
    /// Digest of the model that judged, as `sha256:…`; none when the capture taught itself.
    pub model_digest: Option<String>,
    /// Last packet learned from; empty where there was none.
    pub trained_until: String,
    /// Fingerprint of the key of the pseudonyms that stand for addresses and names; none where these stand for themselves.
    pub pseudonyms: Option<String>,
    /// p-value of a score.
    pub calibration: crate::model::Calibration,
}

/// The event of a notice. `chain` is (number of this alert, digest of the line before).
#[must_use]
pub fn alert_event(notice: &Notice, context: &AlertContext, chain: (u64, &str)) -> Value {
    let incident = &notice.incident;
    let info = incident.class.info();
    let mut event = Map::new();
    event.insert("timestamp".into(), json!(notice.raised.to_string()));
    event.insert("event_type".into(), json!("alert"));
    insert_ends(&mut event, &incident.flow);
    event.insert(
        "alert".into(),
        json!({
            "action": "allowed", "gid": GENERATOR, "signature_id": info.signature_id, "rev": REVISION,
            "signature": format!("auscult: {}", info.title), "category": info.category, "severity": info.severity,
        }),
    );
    event.insert("auscult".into(), product(notice, context, chain));
    Value::Object(event)
}

fn insert_ends(event: &mut Map<String, Value>, flow: &FlowRef) {
    event.insert("src_ip".into(), json!(flow.orig.to_string()));
    event.insert("dest_ip".into(), json!(flow.resp.to_string()));
    if flow.is_link() {
        event.insert("proto".into(), json!("ARP"));
        return;
    }
    if matches!(flow.key.protocol, 1 | 58) {
        event.insert("icmp_type".into(), json!(flow.orig_port));
        event.insert("icmp_code".into(), json!(if flow.key.one_way { flow.resp_port } else { 0 }));
    } else {
        event.insert("src_port".into(), json!(flow.orig_port));
        event.insert("dest_port".into(), json!(flow.resp_port));
    }
    event.insert("proto".into(), json!(super::flow_event::protocol_name(flow.key.protocol)));
    event.insert("app_proto".into(), json!(flow.app.name()));
    event.insert("community_id".into(), json!(community_id(&flow.key, 0)));
    event.insert("flow_id".into(), json!(flow.id));
}

fn product(notice: &Notice, context: &AlertContext, (number, before): (u64, &str)) -> Value {
    let incident = &notice.incident;
    let info = incident.class.info();
    let reasons: Vec<Value> = incident.reasons.iter().map(why).collect();
    let attack =
        incident.attack().map_or_else(|| json!([]), |(technique, tactic)| json!([{"technique": technique, "tactic": tactic}]));
    let mut product = json!({
        "incident": {
            "id": hex_id(incident.id), "class": info.name, "state": notice.state.name(),
            "hosts": hosts(notice), "peers": peers(notice),
            "services": incident.services.iter().filter(|service| service.protocol != 0).map(ToString::to_string).collect::<Vec<_>>(),
            "names": incident.names, "complete": incident.is_complete,
            "first": incident.first.to_string(), "last": incident.last.to_string(), "flows": incident.flows,
            "story": hex_id(incident.story), "earlier": incident.earlier.iter().map(|earlier| episode(notice, earlier)).collect::<Vec<_>>(),
            "earlier_left_out": incident.earlier_left_out,
        },
        "bits": rounded(incident.bits),
        "p_value": significant(context.calibration.p_value(incident.bits, incident.class == Class::Unusual)),
        "score": score(notice),
        "why": reasons,
        "check": info.check,
        "attack": attack,
        "model": {"digest": context.model_digest, "trained_until": context.trained_until},
        "baseline": if context.model_digest.is_some() { "model" } else { "self" },
        "state": "judging",
        "degraded": notice.is_degraded,
        "chain": {"seq": number, "prev": before},
    });
    if let Some(key) = &context.pseudonyms {
        product["pseudonyms"] = json!(key);
    }
    if let Some(by) = incident.answered_by.as_deref() {
        product["answer"] =
            json!({"number": by.number, "answer": by.kind.name(), "by": by.by, "reason": by.reason, "hidden": by.hides});
    }
    if let Some(file) = &incident.evidence {
        product["evidence"] = json!(**file);
    }
    product
}

/// An incident's identifier as written.
fn hex_id(id: u64) -> String {
    format!("{id:016x}")
}

fn episode(notice: &Notice, episode: &Episode) -> Value {
    let Episode { id, class, host, first } = episode;
    json!({"id": hex_id(*id), "class": class.info().name, "host": notice.shown(*host).to_string(), "first": first.to_string()})
}

/// The device that the incident is about, and those that it is about too.
fn hosts(notice: &Notice) -> Vec<String> {
    let incident = &notice.incident;
    let also = incident.also.iter().filter(|&&host| host != incident.host);
    std::iter::once(&incident.host).chain(also).map(|&host| notice.shown(host).to_string()).collect()
}

fn peers(notice: &Notice) -> Vec<String> {
    notice.incident.ranked_peers().iter().map(|&peer| notice.shown(peer).to_string()).collect()
}

/// What the bits are made of: enough to add them up again.
fn score(notice: &Notice) -> Value {
    let score = &notice.incident.score;
    let term = |(rank, term): (usize, &Term)| {
        let part = |&(evidence, bits, weight): &(Evidence, f64, f64)| json!({"feature": evidence.feature(), "bits": rounded(bits), "counts": weight});
        let parts: Vec<Value> = term.parts.iter().map(part).collect();
        json!({
            "peer": notice.shown(term.peer).to_string(), "service": term.service.to_string(), "bits": rounded(term.bits),
            "counts": rounded(1.0 / (rank + 1) as f64), "ordinary": rounded(term.ordinary_bits), "repeated": rounded(term.repeated_bits),
            "parts": parts,
        })
    };
    let conversations: Vec<Value> = score.terms.iter().enumerate().map(term).collect();
    json!({
        "shared": rounded(score.shared_bits), "conversations": conversations, "others": rounded(score.other_bits),
    })
}

/// A reason, in the terms of the model too, so that its bits can be drawn again.
fn why(cause: &Cause) -> Value {
    let (reason, claim) = (reason(cause), Claim::of(cause));
    let mut about = json!({
        "host": claim.host.to_string(), "peer": claim.peer.to_string(), "service": claim.service.to_string(),
    });
    if let Some(fact) = claim.fact {
        about["fact"] = json!(fact.to_string());
    }
    match claim.detail {
        Detail::Nothing => {}
        Detail::Distance(distance) => about["distance"] = json!(distance),
        Detail::Behaviour(behaviour) => about["behaviour"] = json!(behaviour),
        Detail::Later => about["later"] = json!(true),
        Detail::OddHour(days) => about["odd_hour_days"] = json!(days),
        Detail::CallBack => about["call_back"] = json!(true),
        Detail::Pages => about["pages"] = json!(true),
        Detail::Amplified => about["amplified"] = json!(true),
        Detail::Flooding => about["flooding"] = json!(true),
        Detail::NameOfAnother => about["name_of_another"] = json!(true),
        Detail::CallsOut => about["calls_out"] = json!(true),
        Detail::Reaches(devices) => about["reached"] = json!(devices),
        Detail::GoesOn => about["goes_on"] = json!(true),
        Detail::Hides => about["hides"] = json!(true),
    }
    let mut why = in_words(&reason);
    why["about"] = about;
    if claim.prior_bits > 0.0 {
        why["prior_bits"] = json!(rounded(claim.prior_bits));
    }
    why
}

fn in_words(reason: &Reason) -> Value {
    let usual = match reason.usual {
        Some((low, high)) => json!({"low": rounded(low), "high": rounded(high), "of": reason.of.text()}),
        None => json!({"low": null, "high": null, "of": reason.of.text()}),
    };
    json!({
        "feature": reason.feature, "observed": rounded(reason.observed), "usual": usual, "unit": reason.unit,
        "bits": rounded(reason.bits), "text": reason.text,
    })
}

/// To a tenth of a percent of itself or a thousandth, whichever is coarser: as much as the bits are worth.
pub(super) fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

fn significant(p: f64) -> f64 {
    if p <= 0.0 {
        return 0.0;
    }
    let scale = 10f64.powf(p.log10().floor() - 2.0);
    format!("{:.3e}", (p / scale).round() * scale).parse().unwrap_or(p)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p_values_keep_three_digits() {
        assert_eq!(significant(0.000_123_456), 0.000_123);
        assert_eq!(significant(0.0), 0.0);
    }
}
