//! What changed from one model to another, device by device.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::counts::{Counts, Value};
use super::file::{Model, ModelError};
use super::host::HostBaseline;
use super::packed::Packed;
use crate::feature::Host;

/// Devices told at the most, those with the most changes first.
const MOST_DEVICES: usize = 100;
/// Values named of one device and kind at the most.
const MOST_VALUES: usize = 8;
/// A range counts as changed when its 95th percentile moved by this factor.
const FACTOR: f64 = 1.5;
/// Values that a range needs before it is compared.
const MIN_VALUES: u32 = 20;

/// What changed from one model to another.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Difference {
    /// Digests, spans learned, thresholds in bits: of the old model and the new one.
    pub digests: [String; 2],
    /// Last moment learned.
    pub until: [String; 2],
    /// Score at which an incident opens by the model's own budget, in bits.
    pub threshold_bits: [f64; 2],
    /// Devices at home.
    pub devices: [usize; 2],
    /// Roles.
    pub roles: [usize; 2],
    /// Behaviours.
    pub behaviours: [usize; 2],
    /// Devices that only the new model knows, and only the old one.
    pub added: Vec<String>,
    /// Devices that only the old model knows.
    pub removed: Vec<String>,
    /// Devices that both know and that changed, the most changes first; a hundred at the most.
    pub changed: Vec<DeviceChange>,
    /// Devices that changed beyond these.
    pub changed_more: usize,
}

/// What changed of one device.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct DeviceChange {
    /// The device.
    pub host: String,
    /// How many values are new, by kind.
    pub new: BTreeMap<&'static str, usize>,
    /// Some of them.
    pub examples: Vec<String>,
    /// Ranges whose 95th percentile moved by half or more: name, then and now.
    pub ranges: Vec<(String, f64, f64)>,
}

impl DeviceChange {
    fn size(&self) -> usize {
        self.new.values().sum::<usize>() + self.ranges.len()
    }

    fn between(host: Host, old: &HostBaseline, new: &HostBaseline) -> Self {
        let mut change = Self { host: host.to_string(), ..Self::default() };
        change.values("service used", &old.services, &new.services, |service| service.to_string());
        change.values("peer", &old.edges, &new.edges, |edge| format!("{} of {}", edge.service, edge.peer));
        change.values("name, title or command", &old.facts, &new.facts, |fact| fact.to_string());
        change.values("way of using a service", &old.shapes, &new.shapes, |shape| shape.service.to_string());
        change.values("service offered", old.offers(), new.offers(), |service| service.to_string());
        change.values("client", old.clients(), new.clients(), |edge| format!("{} by {}", edge.service, edge.peer));
        change.range("targets a minute", old.targets_per_min(), new.targets_per_min());
        change.range("targets an hour", old.targets_per_hour(), new.targets_per_hour());
        for (service, _) in new.services.iter() {
            let (Some(before), Some(used)) = (old.asked(service), new.asked(service)) else { continue };
            change.range(&format!("{service} bytes sent"), before.bytes_orig, used.bytes_orig);
            change.range(&format!("{service} bytes received"), before.bytes_resp, used.bytes_resp);
            change.range(&format!("{service} flows a minute"), before.flows_per_min, used.flows_per_min);
        }
        change
    }

    fn values<K: Value>(&mut self, kind: &'static str, old: &Counts<K>, new: &Counts<K>, text: impl Fn(K) -> String) {
        let fresh = || new.iter().filter(|(value, _)| !old.contains(*value));
        let count = fresh().count();
        if count > 0 {
            self.new.insert(kind, count);
            self.examples
                .extend(fresh().take(MOST_VALUES).map(|(value, minutes)| format!("{kind} {} ({minutes} min)", text(value))));
        }
    }

    fn range(&mut self, name: &str, old: Packed<'_>, new: Packed<'_>) {
        if old.total().min(new.total()) < MIN_VALUES {
            return;
        }
        let (Some(then), Some(now)) = (old.quantile(0.95), new.quantile(0.95)) else { return };
        if now.max(1.0) >= FACTOR * then.max(1.0) || then.max(1.0) >= FACTOR * now.max(1.0) {
            self.ranges.push((name.to_owned(), then.round(), now.round()));
        }
    }
}

impl Difference {
    /// Compares two models.
    ///
    /// # Errors
    /// When one cannot be digested.
    pub fn between(old: &Model, new: &Model) -> Result<Self, ModelError> {
        let both = [old, new];
        let home = |model: &Model| {
            let local = model.baselines.hosts.iter().filter(|(address, host)| host.local && address.is_device());
            local.map(|(&address, _)| address).collect::<std::collections::BTreeSet<Host>>()
        };
        let (then, now) = (home(old), home(new));
        let mut changed: Vec<DeviceChange> = then
            .intersection(&now)
            .map(|host| DeviceChange::between(*host, &old.baselines.hosts[host], &new.baselines.hosts[host]))
            .filter(|change| change.size() > 0)
            .collect();
        changed.sort_by_key(|change| std::cmp::Reverse(change.size()));
        let changed_more = changed.len().saturating_sub(MOST_DEVICES);
        changed.truncate(MOST_DEVICES);
        let threshold = |model: &Model| (model.calibration.threshold(model.budget) * 1000.0).round() / 1000.0;
        Ok(Self {
            digests: [old.digest()?, new.digest()?],
            until: both.map(|model| model.provenance.until().to_owned()),
            threshold_bits: both.map(threshold),
            devices: [then.len(), now.len()],
            roles: both.map(|model| model.baselines.roles.len()),
            behaviours: both.map(|model| model.vocabulary.behaviours.len()),
            added: now.difference(&then).map(ToString::to_string).collect(),
            removed: then.difference(&now).map(ToString::to_string).collect(),
            changed,
            changed_more,
        })
    }
}

/// For people.
impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pair =
            |f: &mut fmt::Formatter<'_>, name: &str, [old, new]: [&dyn fmt::Display; 2]| writeln!(f, "{name:<11}{old} -> {new}");
        pair(f, "model", [&self.digests[0], &self.digests[1]])?;
        pair(f, "until", [&self.until[0], &self.until[1]])?;
        pair(f, "threshold", [&self.threshold_bits[0], &self.threshold_bits[1]])?;
        pair(f, "devices", [&self.devices[0], &self.devices[1]])?;
        pair(f, "roles", [&self.roles[0], &self.roles[1]])?;
        pair(f, "behaviours", [&self.behaviours[0], &self.behaviours[1]])?;
        self.added.iter().try_for_each(|host| writeln!(f, "+ {host}"))?;
        self.removed.iter().try_for_each(|host| writeln!(f, "- {host}"))?;
        for change in &self.changed {
            let new: Vec<String> = change.new.iter().map(|(kind, count)| format!("{count} new: {kind}")).collect();
            writeln!(f, "~ {}  {}", change.host, new.join(", "))?;
            change.examples.iter().try_for_each(|example| writeln!(f, "    new {example}"))?;
            change.ranges.iter().try_for_each(|(name, then, now)| writeln!(f, "    {name}: up to {then} -> {now}"))?;
        }
        if self.changed_more > 0 {
            writeln!(f, "  … and {} more devices", self.changed_more)?;
        }
        if self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty() {
            writeln!(f, "no device differs")?;
        }
        Ok(())
    }
}
