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

/// What is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) enum News {
    /// A value, as a hash, of which a class is told.
    Of(Class, u64),
    /// Whoever comes to a server of which nothing was learned, whatever that looks like.
    At(Host),
}

/// The devices that showed a new thing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Campaign {
    /// When the first of them was told.
    since: Timestamp,
    /// Which were told.
    pub devices: BTreeSet<Host>,
    /// The one whose incident names the others, and its class.
    pub by: (Host, Class),
}

/// What was told of devices that others may show, too, by class. Bounded.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Campaigns {
    by_news: Map<News, Campaign>,
    #[serde(skip)]
    pruning: Pruning,
}

/// Is a second device that does the same another part of one thing? Of what attacks do each device is told by itself.
const fn is_shared(class: Class) -> bool {
    matches!(class, Class::Beaconing | Class::NewService | Class::NewDevice | Class::Unusual)
}

/// Is who comes to a server of which nothing was learned one of those that do? That a device is new is told of each.
const fn comes(class: Class) -> bool {
    is_shared(class) && !matches!(class, Class::NewDevice) || class.is_new_access()
}

/// What is new in each of the loudest of these conversations and may be so in other devices, too: the loudest first. None of what each device is told of by
/// itself; but much that is fetched from one server at home is one thing, as firmware is by all phones, and so is much that it is asked.
pub(super) fn news<'e>(class: Class, conversations: impl Iterator<Item = Shown<'e>>) -> Vec<Vec<News>> {
    let mut loudest: Vec<Shown<'e>> = conversations.collect();
    loudest.sort_by(|a, b| b.1.bits().total_cmp(&a.1.bits()).then(a.0.cmp(&b.0)));
    let loudest = loudest.into_iter().take(MAX_LOUDEST);
    let server = |((peer, service), _): Shown<'e>| value_key(Kind::Edge, Edge { service, peer });
    let of_one = |shown: Shown<'e>| {
        let news = shown.1.news().filter(|_| is_shared(class));
        // Of what is offered it is news of whom.
        let offered = (class == Class::NewService).then(|| server(shown));
        let fetched = (class == Class::Exfiltration && shown.1.fetches() || class == Class::Collection).then(|| server(shown));
        // What is made to attack is told of each.
        let of_new_server = comes(class) && shown.1.is_of_new_server && !shown.1.is_of_tool();
        // From one site several devices fetch the same.
        let led_to = (class == Class::NewWayOut).then(|| server(shown));
        let of_class = news.chain(offered).chain(fetched).chain(led_to).map(|about| News::Of(class, about));
        of_class.chain(of_new_server.then_some(News::At(shown.0.0))).collect()
    };
    loudest.map(of_one).collect()
}

impl Campaigns {
    /// Who was told within the day of what is new in these conversations of a device, and what that was, where that is so of each: what nobody showed before is
    /// not hidden by what comes beside it, nor by a class that is less severe. One of which the device is no part goes before.
    pub fn of(&self, class: Class, news: &[Vec<News>], host: Host, now: Timestamp) -> Option<(News, &Campaign)> {
        let tells = |(_, campaign): &(News, &Campaign)| campaign.by.1.info().severity <= class.info().severity;
        let mut known: Vec<(News, &Campaign)> = Vec::new();
        for of_one in news {
            known.push(self.told(of_one, now).find(tells)?);
        }
        known.iter().find(|(_, campaign)| !campaign.devices.contains(&host)).or(known.first()).copied()
    }

    fn told<'c, 'n>(&'c self, news: &'n [News], now: Timestamp) -> impl Iterator<Item = (News, &'c Campaign)> + use<'c, 'n> {
        let known = news.iter().filter_map(|about| Some((*about, self.by_news.get(about)?)));
        known.filter(move |(_, campaign)| now.since(campaign.since) < LASTS)
    }

    /// Notes that a device was told with these new things in the incident of `by`.
    pub fn note(&mut self, news: &[Vec<News>], host: Host, by: (Host, Class), now: Timestamp) {
        news.iter().for_each(|of_one| self.note_one(of_one, host, by, now));
    }

    /// The same of one conversation.
    fn note_one(&mut self, news: &[News], host: Host, by: (Host, Class), now: Timestamp) {
        let mut campaign = Campaign { since: now, devices: BTreeSet::from([host]), by };
        // What was told apart so far is one from now on.
        for (_, known) in self.told(news, now) {
            campaign.since = campaign.since.min(known.since);
            let room = MAX_DEVICES.saturating_sub(campaign.devices.len());
            campaign.devices.extend(known.devices.iter().take(room));
        }
        for &about in news {
            if self.by_news.len() >= MAX_NEWS && !self.by_news.contains_key(&about) {
                if self.pruning.is_due(now) {
                    self.by_news.retain(|_, campaign| now.since(campaign.since) < LASTS);
                }
                if self.by_news.len() >= MAX_NEWS {
                    return;
                }
            }
            self.by_news.insert(about, campaign.clone());
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
        let news = news.iter().map(|&about| News::Of(class, about)).collect();
        campaigns.note(&[news], host(ends.0), (host(ends.1), class), at(second));
    }

    #[test]
    fn devices_with_the_same_news_are_one_for_a_day() {
        let mut campaigns = Campaigns::default();
        note(&mut campaigns, Class::Beaconing, &[1, 2], (1, 1), 0);
        note(&mut campaigns, Class::Beaconing, &[2, 3], (2, 1), 100);
        let devices = |campaigns: &Campaigns, class: Class, about: u64, second: i64| {
            let known = campaigns.of(class, &[vec![News::Of(class, 9), News::Of(class, about)]], host(9), at(second));
            known.map(|(_, campaign)| (campaign.devices.len(), campaign.by.0))
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
        let offered = [7, server].map(|about| News::Of(Class::NewService, about)).to_vec();
        assert_eq!(shown(Class::NewService), vec![offered], "the service, and who offers it");
        assert_eq!(
            shown(Class::NewWayOut),
            vec![vec![News::Of(Class::NewWayOut, server)]],
            "several fetch the same from one site"
        );
        assert_eq!(
            (shown(Class::Unusual), shown(Class::LateralMovement)),
            (vec![vec![News::Of(Class::Unusual, 7)]], vec![vec![]]),
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
            let of_one = |of_one: &&[u64]| of_one.iter().map(|&about| News::Of(Class::Beaconing, about)).collect::<Vec<_>>();
            let news: Vec<Vec<News>> = news.iter().map(of_one).collect();
            campaigns.of(Class::Beaconing, &news, host(2), at(60)).map(|(_, campaign)| campaign.by.0)
        };
        assert_eq!(by(&[&[1], &[1, 8]]), Some(host(1)));
        assert_eq!([by(&[&[1], &[7]]), by(&[&[1], &[]]), by(&[])], [None; 3], "a call that nobody else makes");
        assert_eq!(by(&[&[1], &[5]]), Some(host(3)), "of the first it is a part, of the second not yet");
    }

    #[test]
    fn who_comes_to_a_new_server_is_one_of_those_that_do_whatever_it_looks_like() {
        let mut campaigns = Campaigns::default();
        let shown = |class: Class, is_of_new_server: bool, about: u64| {
            let part = Contribution { about, ..Contribution::of(Evidence::NewPeer, 1.0, 12.0) };
            let flow = FlowRef::of_link(host(1), host(2));
            let exhibit = Exhibit { is_of_new_server, ..Exhibit::of_itself(class, part, flow, (at(0), at(0), at(0))) };
            news(class, std::iter::once(((host(2), Service::ARP), &exhibit)))
        };
        campaigns.note(&shown(Class::Beaconing, true, 7), host(1), (host(1), Class::Beaconing), at(0));
        let by = |class, is_new, about| {
            let known = campaigns.of(class, &shown(class, is_new, about), host(3), at(60));
            known.map(|(_, campaign)| campaign.by)
        };
        assert_eq!(
            [Class::Unusual, Class::LateralMovement].map(|class| by(class, true, 8)),
            [Some((host(1), Class::Beaconing)); 2]
        );
        assert_eq!(by(Class::Unusual, false, 8), None, "a server that is known");
        assert_eq!(by(Class::NewDevice, true, 8), None, "told of each");
        let mut campaigns = Campaigns::default();
        campaigns.note(&shown(Class::Unusual, true, 7), host(1), (host(1), Class::Unusual), at(0));
        let known = campaigns.of(Class::Beaconing, &shown(Class::Beaconing, true, 8), host(3), at(60));
        assert_eq!(known, None, "which is more severe");
    }

    #[test]
    fn they_are_bounded() {
        let mut campaigns = Campaigns::default();
        (0..200).for_each(|n| note(&mut campaigns, Class::Unusual, &[7], (n, 0), 0));
        let known = campaigns.of(Class::Unusual, &[vec![News::Of(Class::Unusual, 7)]], host(201), at(0));
        assert_eq!(known.map(|(_, campaign)| campaign.devices.len()), Some(MAX_DEVICES));
        (0..=MAX_NEWS as u64).for_each(|about| note(&mut campaigns, Class::Unusual, &[about], (1, 1), 0));
        assert_eq!(campaigns.by_news.len(), MAX_NEWS);
    }
}
