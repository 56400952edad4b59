//! What devices do together, those of a role or all: the prior for a device that is not known well.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::baseline::{ServedBaseline, ServiceBaseline};
use super::commons::{Commons, Kind, KnownTo};
use super::counts::{Counts, Value};
use super::exchanges::Side;
use super::histogram::Histogram;
use super::host::HostBaseline;
use super::window::Map;
use crate::feature::{Fact, FactKind};
use crate::flow::Service;

/// How often a device meets a value that it never had, and who else has it then.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct NewRate {
    /// Values seen in one minute only, over all minutes counted.
    pub any: f64,
    /// The share of such values that another device of the role has.
    pub known_to_role: f64,
    /// The share that none of the role has, and another device of the network.
    pub known_to_network: f64,
    /// The share that no other has.
    pub known_to_nobody: f64,
}

impl Default for NewRate {
    fn default() -> Self {
        Self { any: 0.5, known_to_role: 1.0 / 3.0, known_to_network: 1.0 / 3.0, known_to_nobody: 1.0 / 3.0 }
    }
}

impl NewRate {
    /// The share of new values that are known to these.
    #[must_use]
    pub const fn share(&self, known: KnownTo) -> f64 {
        match known {
            KnownTo::Role => self.known_to_role,
            KnownTo::Network => self.known_to_network,
            KnownTo::Nobody => self.known_to_nobody,
        }
    }

    /// The share of new values that are known to these or to fewer.
    #[must_use]
    pub const fn share_of_fewer(&self, known: KnownTo) -> f64 {
        match known {
            KnownTo::Role => self.known_to_role + self.known_to_network + self.known_to_nobody,
            KnownTo::Network => self.known_to_network + self.known_to_nobody,
            KnownTo::Nobody => self.known_to_nobody,
        }
    }
}

/// The rates of all kinds of values.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Rates", into = "Rates")]
pub struct Newness {
    /// By the place of a kind; nothing where no kind was listened for.
    rates: Vec<Option<NewRate>>,
}

/// The same as it is stored: in the order of the kinds.
#[derive(Default, Serialize, Deserialize)]
struct Rates {
    #[serde(with = "super::keys")]
    rates: BTreeMap<Kind, NewRate>,
}

impl From<Rates> for Newness {
    fn from(Rates { rates: by_kind }: Rates) -> Self {
        let mut rates = vec![None; by_kind.keys().map(|kind| kind.place() + 1).max().unwrap_or(0)];
        by_kind.into_iter().for_each(|(kind, rate)| rates[kind.place()] = Some(rate));
        Self { rates }
    }
}

impl From<Newness> for Rates {
    fn from(newness: Newness) -> Self {
        let stored = |kind: Kind| Some((kind, newness.rate(kind)?));
        Self { rates: Kind::all().filter_map(stored).collect() }
    }
}

impl Newness {
    fn rate(&self, kind: Kind) -> Option<NewRate> {
        self.rates.get(kind.place()).copied().flatten()
    }

    /// Was anything of this kind listened for? A model of an earlier version may know less kinds.
    #[must_use]
    pub fn knows(&self, kind: Kind) -> bool {
        self.rates.is_empty() || self.rate(kind).is_some()
    }

    /// The rate of this kind.
    #[must_use]
    pub fn of(&self, kind: Kind) -> NewRate {
        self.rate(kind).unwrap_or_default()
    }
}

/// The most of each device: its busiest minute or hour. A device of which little is known, or that has just been switched on, is compared with that:
/// minutes of starting are few among all minutes of those that are up.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Busiest {
    /// Different targets per minute.
    pub targets_per_min: Histogram,
    /// Different targets per hour.
    pub targets_per_hour: Histogram,
    /// New flows of one conversation per minute.
    pub flows_per_min: Histogram,
}

impl Busiest {
    /// Counts a device.
    pub(super) fn add(&mut self, host: &HostBaseline) {
        let add = |to: &mut Histogram, most: Option<i16>| most.into_iter().for_each(|most| to.add_to(most, 1));
        add(&mut self.targets_per_min, host.targets_per_min().most());
        add(&mut self.targets_per_hour, host.targets_per_hour().most());
        add(&mut self.flows_per_min, host.most_flows_per_min());
    }
}

/// Exchanges per hour with one service, of all devices that use it or offer it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PerHour {
    /// Those of hours that had many.
    pub exchanges: Histogram,
    /// Whole hours in which these devices might have had some.
    pub hours: f64,
}

/// Exchanges per hour by service.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Asking {
    asking: Map<Service, PerHour>,
    asked: Map<Service, PerHour>,
}

impl Asking {
    /// Those with one service, on one side; none where nobody uses or offers it.
    #[must_use]
    pub fn of(&self, side: Side, service: Service) -> Option<&PerHour> {
        match side {
            Side::Asking => self.asking.get(&service),
            Side::Asked => self.asked.get(&service),
        }
    }

    /// Counts the exchanges of a device, and the time in which it might have had some: in which it began anything, or, of what it offers, `whole_hours`.
    pub(super) fn add(&mut self, host: &HostBaseline, whole_hours: f64) {
        let asking = (Side::Asking, &mut self.asking, &host.services, host.whole_hours());
        let asked = (Side::Asked, &mut self.asked, host.offers(), whole_hours);
        for (side, by_service, services, hours) in [asking, asked] {
            for (service, _) in services.iter().filter(|(service, _)| service.connects()) {
                by_service.entry(service).or_default().hours += hours;
            }
            for (service, exchanges) in host.all_exchanges_per_hour(side) {
                by_service.entry(service).or_default().exchanges.merge_packed(exchanges);
            }
        }
    }
}

/// What devices do together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pooled {
    /// How often something new comes.
    pub newness: Newness,
    /// Devices.
    pub devices: usize,
    /// Minutes of all devices together.
    pub minutes: f64,
    /// Use of any service by any device at home: new flows.
    pub any_service: ServiceBaseline,
    /// The same for later segments of long flows.
    pub any_continued: ServiceBaseline,
    /// Use of any offered service.
    pub any_served: ServedBaseline,
    /// Different targets per minute, over all devices.
    pub targets_per_min: Histogram,
    /// Failed attempts per minute, over all devices.
    pub failed_per_min: Histogram,
    /// Logins that failed per minute, over all devices.
    pub login_failures_per_min: Histogram,
    /// Files changed on shares per minute, over all devices.
    pub file_changes_per_min: Histogram,
    /// Different names that do not exist per minute, over all devices.
    #[serde(default)]
    pub names_missing_per_min: Histogram,
    /// Requests, other than log-ins, that were turned down per minute, over all devices.
    #[serde(default, skip_serializing_if = "Histogram::is_empty")]
    pub refusals_per_min: Histogram,
    /// Bytes carried out of the network per hour, over all devices.
    #[serde(default, skip_serializing_if = "Histogram::is_empty")]
    pub sent_out_per_hour: Histogram,
    /// Different targets per hour, over all devices.
    pub targets_per_hour: Histogram,
    /// Failed attempts and logins per hour, over all devices.
    pub failed_per_hour: Histogram,
    /// The most of each device that is more than hardly known. Drawn from the devices.
    #[serde(skip)]
    pub busiest: Busiest,
    /// Exchanges per hour. Drawn from the devices.
    #[serde(skip)]
    pub asking: Asking,
}

/// The weight of the network's shares in a role's, in values.
const PRIOR_VALUES: f64 = 5.0;

/// Adds up how often values were new and who else had them.
#[derive(Clone, Copy, Default)]
struct Rate {
    once: f64,
    all: f64,
    /// Known to the role, to the network, to nobody.
    known: [f64; 3],
}

impl Rate {
    fn add<K: Value>(&mut self, counts: &Counts<K>) {
        self.once += counts.singletons();
        self.all += counts.total();
    }

    fn add_facts(&mut self, facts: &Counts<Fact>, kind: FactKind) {
        for (_, minutes) in facts.range(&Fact::all(kind)) {
            self.once += f64::from(u8::from(minutes == 1));
            self.all += f64::from(minutes);
        }
    }

    /// Shares are drawn towards those of `prior`.
    fn value(&self, prior: &NewRate) -> NewRate {
        let all = self.known.iter().sum::<f64>() + PRIOR_VALUES;
        let share = |place: usize, prior: f64| (self.known[place] + PRIOR_VALUES * prior) / all;
        NewRate {
            any: (self.once + 0.5) / (self.all + 1.0),
            known_to_role: share(0, prior.known_to_role),
            known_to_network: share(1, prior.known_to_network),
            known_to_nobody: share(2, prior.known_to_nobody),
        }
    }
}

impl Pooled {
    /// Pools devices; shares of what is new are drawn towards those of `prior`.
    #[must_use]
    pub fn of<'h>(hosts: impl Iterator<Item = &'h HostBaseline>, commons: &Commons, prior: &Newness) -> Self {
        let mut pooled = Self::default();
        let mut rates: BTreeMap<Kind, Rate> = BTreeMap::new();
        let mut known = vec![[0.0; 3]; Kind::all().count()];
        for host in hosts {
            pooled.devices += 1;
            pooled.minutes += f64::from(host.minutes);
            rates.entry(Kind::Service).or_default().add(&host.services);
            rates.entry(Kind::Edge).or_default().add(&host.edges);
            rates.entry(Kind::Shape).or_default().add(&host.shapes);
            rates.entry(Kind::Offer).or_default().add(host.offers());
            rates.entry(Kind::Client).or_default().add(host.clients());
            for kind in FactKind::all() {
                rates.entry(Kind::Fact(kind)).or_default().add_facts(&host.facts, kind);
            }
            commons.others(host, |kind, to| known[kind.place()][to as usize] += 1.0);
            pooled.add(host);
        }
        rates.iter_mut().for_each(|(kind, rate)| rate.known = known[kind.place()]);
        let rates = rates.into_iter().map(|(kind, rate)| (kind, rate.value(&prior.of(kind)))).collect();
        pooled.newness = Newness::from(Rates { rates });
        pooled
    }

    fn add(&mut self, host: &HostBaseline) {
        host.pool_services(&mut self.any_service, &mut self.any_continued, &mut self.any_served);
        self.targets_per_min.merge_packed(host.targets_per_min());
        self.failed_per_min.merge_packed(host.failed_per_min());
        self.login_failures_per_min.merge_packed(host.login_failures_per_min());
        self.file_changes_per_min.merge_packed(host.file_changes_per_min());
        self.names_missing_per_min.merge_packed(host.names_missing_per_min());
        self.refusals_per_min.merge_packed(host.refusals_per_min());
        self.sent_out_per_hour.merge_packed(host.sent_out_per_hour());
        self.targets_per_hour.merge_packed(host.targets_per_hour());
        self.failed_per_hour.merge_packed(host.failed_per_hour());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_knows_the_kinds_that_were_listened_for() {
        let rate = r#"{"any":0.1,"known_to_role":0.3,"known_to_network":0.3,"known_to_nobody":0.4}"#;
        let stored = format!(r#"{{"rates":{{"service":{rate},"name":{rate}}}}}"#);
        let newness: Newness = serde_json::from_str(&stored).unwrap();
        let knows = [Kind::Service, Kind::Fact(FactKind::Name), Kind::Fact(FactKind::Application), Kind::Client];
        assert_eq!(knows.map(|kind| newness.knows(kind)), [true, true, false, false]);
        assert_eq!((newness.of(Kind::Service).any, newness.of(Kind::Client)), (0.1, NewRate::default()));
        assert!(Newness::default().knows(Kind::Client), "one that was not pooled knows no better");
        assert_eq!(serde_json::to_string(&newness).unwrap(), stored);
    }
}
