//! The same new thing in a few devices within a day: one incident that names them all. Where they are many, it is a change of the population.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::class::Class;
use super::pruning::Pruning;
use super::score::Shown;
use crate::feature::Host;
use crate::model::{Edge, Kind, Map, value_key};
use crate::time::{Span, Timestamp};

/// How long devices join.
const LASTS: Span = Span::from_secs(86_400);
/// New things remembered at the most; some 150 bytes each.
const MAX_NEWS: usize = 100_000;
/// Devices of one that are named at the most.
const MAX_DEVICES: usize = 64;

/// Conversations of a device that are looked at for what is new: the loudest.
const MAX_LOUDEST: usize = 3;

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
const fn is_shared(class: Class) -> bool {
    matches!(class, Class::Beaconing | Class::NewService | Class::NewDevice | Class::Unusual)
}

/// What is new in each of the loudest of these conversations and may be so in other devices, too: the loudest first. None of what each device is told of by
/// itself; but much that is fetched from one server at home is one thing, as firmware is by all phones.
pub(super) fn news<'e>(class: Class, conversations: impl Iterator<Item = Shown<'e>>) -> Vec<Vec<u64>> {
    if !is_shared(class) && class != Class::Exfiltration {
        return Vec::new();
    }
    let mut loudest: Vec<Shown<'e>> = conversations.collect();
    loudest.sort_by(|a, b| b.1.bits().total_cmp(&a.1.bits()).then(a.0.cmp(&b.0)));
    let loudest = loudest.into_iter().take(MAX_LOUDEST);
    let server = |((peer, service), _): Shown<'e>| value_key(Kind::Edge, Edge { service, peer });
    if is_shared(class) {
        // Of what is offered it is news of whom.
        let offered = |shown: Shown<'e>| (class == Class::NewService).then(|| server(shown));
        return loudest.map(|shown| shown.1.news().chain(offered(shown)).collect()).collect();
    }
    let fetched = loudest.map(|shown| shown.1.fetches().then(|| vec![server(shown)]));
    fetched.collect::<Option<_>>().unwrap_or_default()
}

impl Campaigns {
    /// Who was told within the day of what is new in these conversations of a device, where that is so of each: what nobody showed before is not hidden by
    /// what comes beside it. One of which the device is no part goes before.
    pub fn of(&self, class: Class, news: &[Vec<u64>], host: Host, now: Timestamp) -> Option<&Campaign> {
        let known: Option<Vec<&Campaign>> = news.iter().map(|of_one| self.told(class, of_one, now).next()).collect();
        let known = known?;
        known.iter().find(|campaign| !campaign.devices.contains(&host)).or(known.first()).copied()
    }

    fn told(&self, class: Class, news: &[u64], now: Timestamp) -> impl Iterator<Item = &Campaign> {
        let known = news.iter().filter_map(move |&about| self.by_news.get(&(class, about)));
        known.filter(move |campaign| now.since(campaign.since) < LASTS)
    }

    /// Notes that a device was told with these new things in the incident of `by`.
    pub fn note(&mut self, class: Class, news: &[Vec<u64>], (host, by): (Host, Host), now: Timestamp) {
        news.iter().for_each(|of_one| self.note_one(class, of_one, (host, by), now));
    }

    /// The same of one conversation.
    fn note_one(&mut self, class: Class, news: &[u64], (host, by): (Host, Host), now: Timestamp) {
        let mut campaign = Campaign { since: now, devices: BTreeSet::from([host]), by };
        // What was told apart so far is one from now on.
        for known in self.told(class, news, now) {
            campaign.since = campaign.since.min(known.since);
            let room = MAX_DEVICES.saturating_sub(campaign.devices.len());
            campaign.devices.extend(known.devices.iter().take(room));
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

#[cfg(test)]
mod tests {
    use super::super::evidence::{Contribution, Evidence};
    use super::super::exhibit::Exhibit;
    use super::super::flow_ref::FlowRef;
    use super::super::testing::host;
    use super::*;
    use crate::flow::Service;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_parts(seconds, 0)
    }

    /// Notes one conversation.
    fn note(campaigns: &mut Campaigns, class: Class, news: &[u64], ends: (u8, u8), second: i64) {
        campaigns.note(class, &[news.to_vec()], (host(ends.0), host(ends.1)), at(second));
    }

    #[test]
    fn devices_with_the_same_news_are_one_for_a_day() {
        let mut campaigns = Campaigns::default();
        note(&mut campaigns, Class::Beaconing, &[1, 2], (1, 1), 0);
        note(&mut campaigns, Class::Beaconing, &[2, 3], (2, 1), 100);
        let devices = |campaigns: &Campaigns, class: Class, about: u64, second: i64| {
            let known = campaigns.of(class, &[vec![9, about]], host(9), at(second));
            known.map(|campaign| (campaign.devices.len(), campaign.by))
        };
        assert_eq!(devices(&campaigns, Class::Beaconing, 3, 86_399), Some((2, host(1))), "by what both have");
        assert_eq!(devices(&campaigns, Class::Beaconing, 3, 86_400), None);
        assert_eq!(devices(&campaigns, Class::Unusual, 3, 200), None);
        let shown = |class: Class| {
            let part = Contribution { about: 7, ..Contribution::of(Evidence::NewService, 1.0, 12.0) };
            let exhibit = Exhibit::of_itself(class, part, FlowRef::of_link(host(1), host(2)), (at(0), at(0), at(0)));
            news(class, std::iter::once(((host(2), Service::ARP), &exhibit)))
        };
        let server = value_key(Kind::Edge, Edge { service: Service::ARP, peer: host(2) });
        assert_eq!(shown(Class::NewService), vec![vec![7, server]], "the service, and who offers it");
        assert_eq!(
            (shown(Class::Unusual), shown(Class::LateralMovement)),
            (vec![vec![7]], vec![]),
            "what attacks do is one's own"
        );
        assert_eq!(devices(&campaigns, Class::Beaconing, 4, 200), None);
        note(&mut campaigns, Class::Beaconing, &[4], (3, 3), 200);
        note(&mut campaigns, Class::Beaconing, &[3, 4], (4, 3), 300);
        assert_eq!(devices(&campaigns, Class::Beaconing, 4, 400), Some((4, host(3))), "both are one now");
        note(&mut campaigns, Class::Beaconing, &[2], (5, 5), 100_000);
        assert_eq!(devices(&campaigns, Class::Beaconing, 2, 100_001), Some((1, host(5))), "the next day it is another");
    }

    #[test]
    fn what_nobody_showed_is_not_hidden_by_what_comes_beside_it() {
        let mut campaigns = Campaigns::default();
        note(&mut campaigns, Class::Beaconing, &[1], (1, 1), 0);
        note(&mut campaigns, Class::Beaconing, &[1], (2, 1), 0);
        note(&mut campaigns, Class::Beaconing, &[5], (3, 3), 0);
        let by = |news: &[&[u64]]| {
            let news: Vec<Vec<u64>> = news.iter().map(|of_one| of_one.to_vec()).collect();
            campaigns.of(Class::Beaconing, &news, host(2), at(60)).map(|campaign| campaign.by)
        };
        assert_eq!(by(&[&[1], &[1, 8]]), Some(host(1)));
        assert_eq!([by(&[&[1], &[7]]), by(&[&[1], &[]]), by(&[])], [None; 3], "a call that nobody else makes");
        assert_eq!(by(&[&[1], &[5]]), Some(host(3)), "of the first it is a part, of the second not yet");
    }

    #[test]
    fn they_are_bounded() {
        let mut campaigns = Campaigns::default();
        (0..200).for_each(|n| note(&mut campaigns, Class::Unusual, &[7], (n, 0), 0));
        let known = campaigns.of(Class::Unusual, &[vec![7]], host(201), at(0));
        assert_eq!(known.map(|campaign| campaign.devices.len()), Some(MAX_DEVICES));
        (0..=MAX_NEWS as u64).for_each(|about| note(&mut campaigns, Class::Unusual, &[about], (1, 1), 0));
        assert_eq!(campaigns.by_news.len(), MAX_NEWS);
    }
}
