//! Unusual flows, gathered by device and behaviour, so that ten thousand flows of a scan are one dot of the map.

use std::collections::BTreeMap;

use super::text::Shown;
use crate::feature::Host;

/// Flows of fewer bits are not called unusual: as the least threshold of an incident.
pub const UNUSUAL_BITS: f64 = 8.0;
/// Groups told apart, some 150 bytes each.
const MOST_GROUPS: usize = 20_000;

/// Unusual flows of a device that resemble the same behaviour.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// How many.
    pub flows: u64,
    /// Bits of the most unusual one.
    pub bits: f64,
    /// With whom that one was.
    pub peer: Host,
    /// What that one was asked for.
    pub service: Shown,
    /// Where that one lies in the plane of behaviours, when its features are known.
    pub place: Option<[f64; 2]>,
}

/// All groups.
#[derive(Clone, Debug, Default)]
pub struct Unusual {
    groups: BTreeMap<(Host, Shown), Group>,
    /// Unusual flows in all.
    pub flows: u64,
    /// Of these, flows of groups beyond those that are told apart.
    pub others: u64,
}

impl Unusual {
    /// Takes a flow; `group` is made of one that is unusual alone.
    pub fn add(&mut self, host: Host, behaviour: &Shown, bits: f64, group: impl FnOnce() -> Group) {
        if bits.is_nan() || bits < UNUSUAL_BITS {
            return;
        }
        self.flows += 1;
        let key = (host, behaviour.clone());
        if self.groups.len() >= MOST_GROUPS && !self.groups.contains_key(&key) {
            self.others += 1;
            return;
        }
        match self.groups.get_mut(&key) {
            None => drop(self.groups.insert(key, group())),
            Some(known) => {
                let flows = known.flows + 1;
                if bits > known.bits {
                    *known = group();
                }
                known.flows = flows;
            }
        }
    }

    /// Device, behaviour and group, most bits first.
    #[must_use]
    pub fn strongest(&self, most: usize) -> Vec<(Host, &Shown, &Group)> {
        let mut all: Vec<_> = self.groups.iter().map(|((host, behaviour), group)| (*host, behaviour, group)).collect();
        all.sort_by(|a, b| b.2.bits.total_cmp(&a.2.bits).then((a.0, a.1).cmp(&(b.0, b.1))));
        all.truncate(most);
        all
    }

    /// How many groups there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.groups.len()
    }

    /// Was nothing unusual?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strongest_flow_stands_for_its_group() {
        let host: Host = "10.0.0.1".parse().unwrap();
        let group = |bits: f64| Group { flows: 1, bits, peer: host, service: Shown::new("x"), place: Some([bits, 0.0]) };
        let mut unusual = Unusual::default();
        for bits in [7.9, 9.0, 30.0, 12.0, f64::NAN] {
            unusual.add(host, &Shown::new("dns"), bits, || group(bits));
        }
        let all = unusual.strongest(5);
        assert_eq!((all.len(), all[0].2.flows, all[0].2.bits, all[0].2.place), (1, 3, 30.0, Some([30.0, 0.0])));
    }
}
