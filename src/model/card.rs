//! The model card.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::file::{Adapted, Model, ModelError};
use super::hours::{ENOUGH_WEEKEND_DAYS, ENOUGH_WORKING_DAYS};
use super::packed::Packed;
use super::stood_out::StoodOut;

/// What stood out, listed at the most.
const MOST_TOLD: usize = 12;
/// Devices and behaviours listed at the most.
const MOST: usize = 32;

/// The model card, for people: what it was taught by, what it knows, how it is calibrated, what it cannot know.
#[must_use]
pub fn card(model: &Model) -> String {
    let mut page = String::new();
    let provenance = &model.provenance;
    let _ = writeln!(page, "model    {}", model.digest().unwrap_or_else(|error| error.to_string()));
    let _ = writeln!(page, "span     {} to {}", provenance.trained_from, provenance.trained_until);
    for source in &provenance.sources {
        let digest = source.sha256.as_deref().map_or(String::new(), |digest| format!("  sha256:{digest}"));
        let _ = writeln!(page, "source   {}  {} bytes{digest}", source.name, source.bytes);
    }
    if let Some(adapted) = &provenance.adapted {
        let Adapted { version, until, learned, left_out: [suspect, extraordinary], parent, anchor } = adapted;
        let _ =
            writeln!(page, "adapted  version {version}, until {until}: learned {learned} observations since the version before");
        let _ = writeln!(page, "         left out {suspect} of devices with an incident, {extraordinary} that were too unusual");
        let _ = writeln!(page, "         before: {parent}; trained: {anchor}");
    }
    if let Some(key) = &provenance.pseudonyms {
        let _ = writeln!(page, "key      addresses and names are pseudonyms of the key {key}");
    }
    if !provenance.records.is_empty() {
        let _ = writeln!(page, "records  made elsewhere: {}", provenance.records.join(", "));
    }
    let _ = writeln!(
        page,
        "learned  {} flow records; {:.0} % of the flows of each behaviour had no part in its spreads; seed {}",
        provenance.flows,
        provenance.trimmed_share * 100.0,
        provenance.seed
    );
    if let Some(sampled) = sampled(model) {
        let _ = writeln!(
            page,
            "         behaviours are those of an even sample of {sampled} flow records; all else is learned from all"
        );
    }
    let local = model.baselines.hosts.iter().filter(|(address, host)| host.local && address.is_device()).count();
    let _ = writeln!(page, "devices  {} at home, {} outside", local, model.baselines.hosts.len() - local);
    let found: Vec<String> = model.baselines.identities.home().iter().map(ToString::to_string).collect();
    if !found.is_empty() {
        let _ = writeln!(
            page,
            "home     {} too, since devices here have addresses of it; --home-net names networks instead",
            found.join(", ")
        );
    }
    page.push_str(&calibration(model));
    let _ = writeln!(page, "\nbehaviours ({}):", model.vocabulary.behaviours.len());
    for behaviour in model.vocabulary.behaviours.iter().take(MOST) {
        let _ = writeln!(page, "  {:8} flows  {}", behaviour.flows, behaviour.name);
    }
    page.push_str(&roles(model));
    page.push_str(&devices(model));
    page.push_str(&stood_out(model));
    page.push_str(&limits(model));
    page
}

/// Flow records that the behaviours were learned from, where these are not all.
fn sampled(model: &Model) -> Option<u64> {
    let described = model.vocabulary.behaviours.iter().map(|behaviour| u64::from(behaviour.flows)).sum();
    (described < model.provenance.flows).then_some(described)
}

fn calibration(model: &Model) -> String {
    let mut page = String::new();
    let calibration = &model.calibration;
    let how = if calibration.resolves(model.budget) {
        "seen in time that was held out"
    } else {
        "the held-out time is too short to show this rate, so the tail of its scores was extended: an estimate"
    };
    let threshold = calibration.threshold(model.budget);
    let unusual = threshold + calibration.unnamed_bits(model.budget);
    let loud = calibration.loud(model.budget);
    let loud = loud
        .map(|loud| format!(", {:.1} for {}, which was frequent while it learned", loud.threshold, loud.class.replace('_', " ")));
    let _ = writeln!(
        page,
        "budget   {:.2} incidents a day: threshold {threshold:.1} bits, {unusual:.1} for what is merely unusual{} ({how})",
        model.budget.per_day,
        loud.unwrap_or_default()
    );
    let highest = |scores: &[f64]| scores.iter().take(5).map(|score| format!("{score:.1}")).collect::<Vec<_>>().join(", ");
    let _ = writeln!(
        page,
        "held out {:.2} days, {:.0} device windows of five minutes; highest scores without the oddest devices: {} bits; merely unusual: {} bits",
        calibration.days,
        calibration.windows,
        highest(&calibration.scores),
        highest(&calibration.unnamed_scores)
    );
    page
}

fn roles(model: &Model) -> String {
    let baselines = &model.baselines;
    let mut page = format!(
        "\nroles of devices at home ({}); {} devices have more than one address:\n",
        baselines.roles.len(),
        baselines.identities.with_several_addresses()
    );
    for role in &baselines.roles {
        let _ = writeln!(page, "  {:8} devices  {}", role.devices, role.name);
    }
    page
}

fn devices(model: &Model) -> String {
    let mut page = String::from("\ndevices at home:\n");
    let mut hosts: Vec<_> = model.baselines.hosts.iter().filter(|(address, host)| host.local && address.is_device()).collect();
    hosts.sort_by_key(|(address, host)| (std::cmp::Reverse(host.minutes), **address));
    for (address, host) in hosts.iter().take(MOST) {
        let mut services: Vec<_> = host.services.iter().collect();
        services.sort_by_key(|&(service, minutes)| (std::cmp::Reverse(minutes), service));
        let uses: Vec<String> = services.iter().take(5).map(|(service, _)| service.to_string()).collect();
        let offers: Vec<String> = host.offers().iter().take(5).map(|(service, _)| service.to_string()).collect();
        let _ = writeln!(
            page,
            "  {:<39} {:5} min, {:4} peers; uses {}{}{}",
            address.to_string(),
            host.minutes,
            host.edges.distinct(),
            if uses.is_empty() { "nothing".to_owned() } else { uses.join(" ") },
            if offers.is_empty() { "" } else { "; offers " },
            offers.join(" ")
        );
    }
    if hosts.len() > MOST {
        let _ = writeln!(page, "  … and {} more", hosts.len() - MOST);
    }
    page
}

fn stood_out(model: &Model) -> String {
    let stood_out = &model.provenance.stood_out;
    if stood_out.is_empty() {
        return String::from("\nstood out while it learned: nothing\n");
    }
    let mut page =
        String::from("\nstood out while it learned (an attack among these is normal to it now, unless it was left out):\n");
    for StoodOut { at, host, class, peer, service, bits, is_left_out } in stood_out.iter().take(MOST_TOLD) {
        let class = class.replace('_', " ");
        let left_out = if *is_left_out { "; left out, not learned" } else { "" };
        let _ = writeln!(page, "  {bits:6.1} bits  {at}  {class:<20} {host} with {peer} {service}{left_out}");
    }
    if stood_out.len() > MOST_TOLD {
        let _ = writeln!(page, "  … and {} more with fewer bits", stood_out.len() - MOST_TOLD);
    }
    page
}

fn limits(model: &Model) -> String {
    let hours = model.baselines.span_minutes / 60.0;
    let mut page = String::from("\nlimits:\n");
    let _ = writeln!(page, "  It knows {hours:.1} hours. What happens less often than that is new to it.");
    if hours < 24.0 {
        let _ = writeln!(page, "  Less than a day: it cannot tell day from night.");
    }
    let (working, weekend) = model.baselines.days.counts();
    let said = |days: u32, enough: u32| if days >= enough { "count".to_owned() } else { format!("need {enough}") };
    let _ = writeln!(
        page,
        "  Hours of the day, of new administrative and clinical access: {working} working days heard ({}), {weekend} of weekends ({}).",
        said(working, ENOUGH_WORKING_DAYS),
        said(weekend, ENOUGH_WEEKEND_DAYS)
    );
    let _ = writeln!(page, "  Attacks that were under way while it learned are normal to it, but for those that were left out.");
    page
}

/// The card for programs.
///
/// # Errors
/// When the model cannot be digested.
pub fn card_json(model: &Model) -> Result<Value, ModelError> {
    let quartiles = |histogram: Packed<'_>| json!([0.05, 0.5, 0.95].map(|q| histogram.quantile(q)));
    let hosts: serde_json::Map<String, Value> = model
        .baselines
        .hosts
        .iter()
        .filter(|(address, host)| host.local && address.is_device())
        .map(|(address, host)| {
            let card = json!({
                "minutes": host.minutes, "peers": host.edges.distinct(), "uses": host.services, "offers": host.offers(),
                "targets_per_min": quartiles(host.targets_per_min()),
            });
            (address.to_string(), card)
        })
        .collect();
    Ok(json!({
        "digest": model.digest()?, "format": super::file::FORMAT, "schema": crate::feature::schema_hash(),
        "provenance": model.provenance, "budget": model.budget,
        "threshold_bits": model.calibration.threshold(model.budget),
        "unusual_threshold_bits": model.calibration.threshold(model.budget) + model.calibration.unnamed_bits(model.budget),
        "loud_class": model.calibration.loud(model.budget).map(|loud| json!({"class": loud.class, "threshold_bits": loud.threshold})),
        "budget_resolved": model.calibration.resolves(model.budget),
        "held_out_days": model.calibration.days,
        "behaviours_learned_from": sampled(model).unwrap_or(model.provenance.flows),
        "behaviours": model.vocabulary.behaviours.iter().map(|b| json!({"name": b.name, "flows": b.flows})).collect::<Vec<_>>(),
        "roles": model.baselines.roles.iter().map(|role| json!({"name": role.name, "devices": role.devices})).collect::<Vec<_>>(),
        "devices": hosts,
    }))
}
