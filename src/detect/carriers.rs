//! Names that carry data so slowly that no minute shows it: many under one domain that their device never asked for, each as long as data makes it or for records
//! that clients do not ask for (MITRE ATT&CK T1071.004, T1048).

use serde::{Deserialize, Serialize};

use super::pruning::Pruning;
use crate::feature::{Fact, FactKind, Host, Observation};
use crate::model::{CARRIER_NAME_BYTES, HostBaseline, Map, ODD_SHARE, TUNNEL_NAME_BYTES};
use crate::time::{Span, Timestamp};

/// Devices and domains followed at the most; further ones wait until others are over. Some 70 bytes each.
const MAX_DOMAINS: usize = 20_000;
/// Names are counted in one period and the one before it.
const PERIOD: Span = Span::from_secs(3600);
/// Different names within both that make a carrier.
const NAMES: u32 = 10;

/// Which domains devices ask for names that may carry data. Bounded.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Carriers {
    asked: Map<(Host, Fact), Asked>,
    #[serde(skip)]
    pruning: Pruning,
}

/// Names asked for since then, and in the period before: a bit for each.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Asked {
    since: Timestamp,
    names: u64,
    before: u64,
}

impl Asked {
    const fn new(since: Timestamp) -> Self {
        Self { since, names: 0, before: 0 }
    }

    /// Goes on to the period of this moment.
    fn turn(&mut self, now: Timestamp) {
        let passed = now.since(self.since);
        if passed >= PERIOD + PERIOD {
            *self = Self::new(now);
        } else if passed >= PERIOD {
            *self = Self { since: self.since + PERIOD, names: 0, before: self.names };
        }
    }

    const fn different(&self) -> u32 {
        (self.names | self.before).count_ones()
    }
}

impl Carriers {
    /// Takes an observation of an initiator of which that is known.
    pub fn observe(&mut self, seen: &Observation, orig: Option<&HostBaseline>) {
        let Some((domain, name)) = carrying(seen) else { return };
        let is_known = |host: &HostBaseline| host.facts.contains(domain) || host.local && host.resolves();
        if !seen.orig_local || orig.is_some_and(is_known) {
            return;
        }
        let key = (seen.orig, domain);
        if self.asked.len() >= MAX_DOMAINS && !self.asked.contains_key(&key) {
            if self.pruning.is_due(seen.seen) {
                self.asked.retain(|_, asked| seen.seen.since(asked.since) < PERIOD + PERIOD);
            }
            if self.asked.len() >= MAX_DOMAINS {
                return;
            }
        }
        let asked = self.asked.entry(key).or_insert(Asked::new(seen.seen));
        asked.turn(seen.seen);
        asked.names |= 1 << (name.hash >> 58);
    }

    /// Does an observation that was taken ask for one more of many?
    #[must_use]
    pub fn has(&self, seen: &Observation) -> bool {
        let Some((domain, _)) = carrying(seen).filter(|_| !self.asked.is_empty()) else { return false };
        self.asked.get(&(seen.orig, domain)).is_some_and(|asked| asked.different() >= NAMES)
    }
}

/// The domain and the name of a question that may carry data.
fn carrying(seen: &Observation) -> Option<(Fact, Fact)> {
    let asked = seen.names_asked()?;
    let is_odd = asked.odd_share > ODD_SHARE && asked.mean_bytes >= TUNNEL_NAME_BYTES;
    let name = seen.facts.iter().copied().find(|fact| fact.kind == FactKind::Name)?;
    // Names of addresses are long by nature: those of IPv6 have 72 bytes.
    let is_address = ["ip6.arpa", "in-addr.arpa"].iter().any(|domain| asked.domain == Fact::new(FactKind::Domain, domain));
    let is_long = is_odd || asked.mean_bytes >= CARRIER_NAME_BYTES;
    (is_long && !is_address).then_some((asked.domain, name))
}

#[cfg(test)]
mod tests {
    use super::super::testing::flow;
    use super::*;
    use crate::app::App;
    use crate::feature::{DNS_NAME_BYTES, DNS_ODD_TYPES, DNS_QUERIES};

    /// A question for this name of a domain, so long and for records so odd, in this minute.
    fn asks(minute: i64, name: &str, bytes: f32, odd: f32) -> Observation {
        let (_, mut seen) = flow(minute * 60_000, 1, 100, 53, true);
        (seen.app, seen.orig_local) = (App::Dns, true);
        (seen.vector[DNS_QUERIES], seen.vector[DNS_NAME_BYTES], seen.vector[DNS_ODD_TYPES]) = (1.0, bytes, odd);
        seen.facts = vec![Fact::new(FactKind::Domain, "domain.example"), Fact::new(FactKind::Name, name)];
        seen
    }

    /// Is the last of forty questions, one every so many minutes, for so many different names, one of many?
    fn is_carrier(every: i64, names: i64, (bytes, odd): (f32, f32), orig: Option<&HostBaseline>) -> bool {
        let mut carriers = Carriers::default();
        let asked: Vec<_> = (0..40).map(|n| asks(n * every, &format!("{}.domain.example", n % names), bytes, odd)).collect();
        asked.iter().for_each(|seen| carriers.observe(seen, orig));
        carriers.has(&asked[39])
    }

    #[test]
    fn many_names_that_may_carry_data_are_told_however_slowly_they_come() {
        assert!(is_carrier(2, 40, (60.0, 0.0), None) && is_carrier(4, 40, (30.0, 1.0), None));
        assert!(!is_carrier(2, 40, (30.0, 0.0), None), "names as pages have them");
        assert!(!is_carrier(2, 5, (60.0, 0.0), None), "the same again and again");
        assert!(!is_carrier(60, 40, (60.0, 0.0), None), "two in two hours");
        let named = |domain: &str| {
            let facts = vec![Fact::new(FactKind::Domain, domain), Fact::new(FactKind::Name, "1.2.3")];
            carrying(&Observation { facts, ..asks(0, "", 72.0, 0.0) }).is_some()
        };
        assert!(named("domain.example") && !named("ip6.arpa") && !named("in-addr.arpa"));
    }

    #[test]
    fn what_a_device_asks_every_day_is_told_of_nobody() {
        let mut known = HostBaseline::default();
        known.facts.add(Fact::new(FactKind::Domain, "domain.example"), 10);
        assert!(!is_carrier(2, 40, (60.0, 0.0), Some(&known)));
        assert!(is_carrier(2, 40, (60.0, 0.0), Some(&HostBaseline::default())));
    }
}
