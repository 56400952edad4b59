//! The same new thing in a few devices within a day: one incident that names them all. Where they are many, it is a change of the population.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::class::Class;
use super::pruning::Pruning;
use crate::feature::Host;
use crate::model::Map;
use crate::time::{Span, Timestamp};

/// How long devices join.
const LASTS: Span = Span::from_secs(86_400);
/// New things remembered at the most; some 150 bytes each.
const MAX_NEWS: usize = 100_000;
/// Devices of one that are named at the most.
const MAX_DEVICES: usize = 64;

/// The devices that showed a new thing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Campaign {
    /// When the first of them was told.
    since: Timestamp,
    /// Which were told.
    pub devices: BTreeSet<Host>,
    /// The one whose incident names the others.
    pub by: Host,
}

/// What was told of devices that others may show, too, by class. Bounded.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Campaigns {
    by_news: Map<(Class, u64), Campaign>,
    #[serde(skip)]
    pruning: Pruning,
}

/// Is a second device that does the same another part of one thing? Of what attacks do each device is told by itself.
pub(super) const fn is_shared(class: Class) -> bool {
    matches!(class, Class::Beaconing | Class::Unusual)
}

impl Campaigns {
    /// Who was told of one of these new things within the day.
    pub fn of(&self, class: Class, news: &[u64], now: Timestamp) -> Option<&Campaign> {
        let known = news.iter().filter_map(|&about| self.by_news.get(&(class, about)));
        known.into_iter().find(|campaign| now.since(campaign.since) < LASTS)
    }

    /// Notes that a device was told with these new things in the incident of `by`.
    pub fn note(&mut self, class: Class, news: &[u64], (host, by): (Host, Host), now: Timestamp) {
        let known = self.of(class, news, now).cloned();
        let mut campaign = known.unwrap_or(Campaign { since: now, devices: BTreeSet::new(), by });
        campaign.by = by;
        if campaign.devices.len() < MAX_DEVICES {
            campaign.devices.insert(host);
        }
        for &about in news {
            if self.by_news.len() >= MAX_NEWS && !self.by_news.contains_key(&(class, about)) {
                if self.pruning.is_due(now) {
                    self.by_news.retain(|_, campaign| now.since(campaign.since) < LASTS);
                }
                if self.by_news.len() >= MAX_NEWS {
                    return;
                }
            }
            self.by_news.insert((class, about), campaign.clone());
        }
    }
}
