//! Which packets belong to which incidents.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashMap;

use super::slice::{Slice, Subject};
use crate::detect::{Incident, IncidentState, Notice};
use crate::feature::Host;
use crate::flow::Service;
use crate::time::Timestamp;
use crate::wire::Addr;

/// Conversations followed at the most, by the addresses of their ends; some 100 bytes each.
const MOST_KEYS: usize = 500_000;
/// Incidents followed at the most.
const MOST_INCIDENTS: usize = 10_000;
/// Addresses known to be another's device at the most.
const MOST_ALIASES: usize = 100_000;

/// What a conversation's packets are found by. The ends are in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Key {
    /// Packets between two addresses over an IP protocol, of which one has this port.
    Service([Addr; 2], u8, u16),
    /// Parts of packets between them, of which the ports are not known.
    Fragment([Addr; 2], u8),
    /// Claims of an address.
    Claim(Addr),
}

fn in_order([a, b]: [Addr; 2]) -> [Addr; 2] {
    [a.min(b), a.max(b)]
}

impl Subject {
    /// The keys under which it may be wanted.
    fn keys(self) -> [Key; 2] {
        match self {
            Self::Flow(ends, protocol, ports) => ports.map(|port| Key::Service(in_order(ends), protocol, port)),
            Self::Fragment(ends, protocol) => [Key::Fragment(in_order(ends), protocol); 2],
            Self::Claim(addresses) => addresses.map(Key::Claim),
        }
    }
}

type Keys = HashMap<Key, Vec<u64>, foldhash::fast::FixedState>;

/// The part of an incident that its packets are found by.
#[derive(Debug)]
struct Wanted {
    first: Timestamp,
    /// What `first` was when the ring was searched last.
    searched_from: Timestamp,
    /// When it was closed, or since when an answer hides it.
    until: Option<Timestamp>,
    /// Is it closed?
    is_over: bool,
    /// An answer hid it from then on when the ring was searched last, and does no more.
    passed_over_from: Option<Timestamp>,
    conversations: BTreeSet<(Host, Host, Service)>,
    claims: BTreeSet<Addr>,
}

/// Incidents whose packets are kept. A packet belongs to an incident when it is of one of its conversations (device, other end,
/// service), whoever began it, from the incident's first packet until it was closed, or hidden by an answer that still stands.
#[derive(Debug, Default)]
pub(super) struct Followed {
    incidents: BTreeMap<u64, Wanted>,
    /// What is followed and was looked for in the ring.
    settled: Keys,
    /// What is followed since the ring was searched last.
    fresh: Keys,
    /// Other addresses of a device.
    aliases: BTreeMap<Host, BTreeSet<Addr>>,
    aliases_known: usize,
    /// Does an incident reach further than when the ring was searched last?
    reaches_further: bool,
    /// Incidents, or conversations of them, that were beyond the most.
    pub refused: u64,
}

impl Followed {
    /// Follows the incident of a notice, with all that it has come to be about. Says whether it is followed.
    pub fn notice(&mut self, notice: &Notice) -> bool {
        let incident = &notice.incident;
        if self.incidents.len() >= MOST_INCIDENTS && !self.incidents.contains_key(&incident.id) {
            self.refused += 1;
            return false;
        }
        let wanted = self.incidents.entry(incident.id).or_insert_with(|| Wanted {
            first: incident.first,
            searched_from: incident.first,
            until: None,
            is_over: false,
            passed_over_from: None,
            conversations: BTreeSet::new(),
            claims: BTreeSet::new(),
        });
        if incident.first < wanted.first {
            wanted.first = incident.first;
            self.reaches_further = true;
        }
        wanted.is_over = notice.state == IncidentState::Closed;
        if incident.answered_by.is_some() {
            // The end of one that was told before an answer hid it.
            wanted.until.get_or_insert(notice.raised);
            return true;
        }
        self.show(incident.id);
        let Some(wanted) = self.incidents.get_mut(&incident.id) else { return true };
        if wanted.is_over {
            wanted.until = Some(notice.raised);
        }
        let new = news(incident, wanted);
        for key in new.claims {
            self.add(key, incident.id);
        }
        for conversation in new.conversations {
            self.add_conversation(conversation, incident.id);
        }
        true
    }

    /// An answer hides an incident from now on; `is_over` when it ended hidden.
    pub fn hide(&mut self, id: u64, now: Timestamp, is_over: bool) {
        if let Some(wanted) = self.incidents.get_mut(&id) {
            wanted.until.get_or_insert(now);
            wanted.is_over |= is_over;
        }
    }

    /// No answer hides an incident any more: what was passed over meanwhile is wanted too.
    pub fn show(&mut self, id: u64) {
        let Some(wanted) = self.incidents.get_mut(&id) else { return };
        if let Some(hidden_from) = wanted.until.take() {
            wanted.passed_over_from.get_or_insert(hidden_from);
            self.reaches_further = true;
        }
    }

    /// Learns that an address is a device's that is known by another.
    pub fn alias(&mut self, address: Addr, device: Host) {
        if self.aliases_known >= MOST_ALIASES || !self.aliases.entry(device).or_default().insert(address) {
            return;
        }
        self.aliases_known += 1;
        let concerned: Vec<_> = self
            .incidents
            .iter()
            .flat_map(|(&id, wanted)| wanted.conversations.iter().map(move |&conversation| (id, conversation)))
            .filter(|&(_, (host, peer, _))| host == device || peer == device)
            .collect();
        for (id, conversation) in concerned {
            self.add_conversation(conversation, id);
        }
    }

    fn add_conversation(&mut self, (host, peer, service): (Host, Host, Service), id: u64) {
        for a in self.addresses(host) {
            for b in self.addresses(peer) {
                let ends = in_order([a, b]);
                self.add(Key::Service(ends, service.protocol, service.port), id);
                self.add(Key::Fragment(ends, service.protocol), id);
            }
        }
    }

    fn addresses(&self, device: Host) -> Vec<Addr> {
        let others = self.aliases.get(&device).into_iter().flatten().copied();
        std::iter::once(device.0).chain(others).collect()
    }

    fn add(&mut self, key: Key, id: u64) {
        let has = |keys: &Keys| keys.get(&key).is_some_and(|ids| ids.contains(&id));
        if has(&self.settled) || has(&self.fresh) {
            return;
        }
        if self.settled.len() + self.fresh.len() >= MOST_KEYS {
            self.refused += 1;
            return;
        }
        self.fresh.entry(key).or_default().push(id);
    }

    /// Is anything followed?
    pub fn is_empty(&self) -> bool {
        self.incidents.is_empty()
    }

    /// From when until when packets are wanted; nothing when none are.
    pub fn span(&self) -> Option<(Timestamp, Timestamp)> {
        let first = self.incidents.values().map(|wanted| wanted.first).min()?;
        let last = self.incidents.values().map(|wanted| wanted.until.unwrap_or(Timestamp::MAX)).max()?;
        Some((first, last))
    }

    /// Incidents to which a packet belongs by what was followed when the ring was searched last.
    pub fn of(&self, slice: &Slice<'_>) -> Vec<u64> {
        let mut ids = found(&self.settled, slice);
        ids.retain(|id| self.incidents.get(id).is_some_and(|wanted| wanted.holds(slice.frame.time, wanted.first)));
        ids
    }

    /// Incidents to which a packet belongs and that could not be known when it came.
    pub fn newly_of(&self, slice: &Slice<'_>) -> Vec<u64> {
        let mut ids = found(&self.fresh, slice);
        if ids.is_empty() && !self.reaches_further {
            return ids;
        }
        let settled = found(&self.settled, slice);
        ids.extend(&settled);
        ids.sort_unstable();
        ids.dedup();
        ids.retain(|id| {
            self.incidents.get(id).is_some_and(|wanted| {
                let time = slice.frame.time;
                let was_passed_over = wanted.passed_over_from.is_some_and(|from| time > from);
                let was_known = settled.contains(id) && wanted.holds(time, wanted.searched_from) && !was_passed_over;
                wanted.holds(time, wanted.first) && !was_known
            })
        });
        ids
    }

    /// Incidents that have something new to search the ring for, and from when on; nothing where none has.
    pub fn fresh(&self) -> BTreeMap<u64, Timestamp> {
        if self.fresh.is_empty() && !self.reaches_further {
            return BTreeMap::new();
        }
        let ids: BTreeSet<u64> = self.fresh.values().flatten().copied().collect();
        let wanted = self.incidents.iter().filter_map(|(&id, wanted)| {
            let all = (ids.contains(&id) || wanted.first < wanted.searched_from).then_some(wanted.first);
            all.or(wanted.passed_over_from).map(|from| (id, from))
        });
        wanted.collect()
    }

    /// The ring was searched.
    pub fn settle(&mut self) {
        for (key, ids) in self.fresh.drain() {
            self.settled.entry(key).or_default().extend(ids);
        }
        for wanted in self.incidents.values_mut() {
            (wanted.searched_from, wanted.passed_over_from) = (wanted.first, None);
        }
        self.reaches_further = false;
    }

    /// Follows closed incidents no more. Returns them.
    pub fn let_go_of_closed(&mut self) -> Vec<u64> {
        let closed: Vec<u64> = self.incidents.iter().filter(|(_, wanted)| wanted.is_over).map(|(&id, _)| id).collect();
        if !closed.is_empty() {
            self.incidents.retain(|_, wanted| !wanted.is_over);
            self.settled.retain(|_, ids| {
                ids.retain(|id| closed.binary_search(id).is_err());
                !ids.is_empty()
            });
        }
        closed
    }
}

impl Wanted {
    fn holds(&self, time: Timestamp, first: Timestamp) -> bool {
        time >= first && self.until.is_none_or(|until| time <= until)
    }
}

/// Incidents that have one of the packet's keys, each once, in order.
fn found(keys: &Keys, slice: &Slice<'_>) -> Vec<u64> {
    let mut ids = Vec::new();
    if keys.is_empty() {
        return ids;
    }
    for key in slice.subjects().flat_map(Subject::keys) {
        ids.extend(keys.get(&key).into_iter().flatten());
    }
    ids.sort_unstable();
    ids.dedup();
    ids
}

struct News {
    claims: Vec<Key>,
    conversations: Vec<(Host, Host, Service)>,
}

/// What an incident is about that it was not before.
fn news(incident: &Incident, wanted: &mut Wanted) -> News {
    let mut new = News { claims: Vec::new(), conversations: Vec::new() };
    for &(peer, service) in incident.conversations.keys() {
        let conversation = (incident.host, peer, service);
        if service != Service::ARP && wanted.conversations.insert(conversation) {
            new.conversations.push(conversation);
        }
    }
    if incident.conversations.keys().any(|&(_, service)| service == Service::ARP) {
        for &Host(address) in &incident.also {
            if wanted.claims.insert(address) {
                new.claims.push(Key::Claim(address));
            }
        }
    }
    new
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::detect::{AnswerKind, AnsweredBy, Class, FlowRef};
    use crate::wire::{Frame, LinkType};

    const WEB: Service = Service { protocol: 6, port: 443 };
    const SSH: Service = Service { protocol: 6, port: 22 };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_parts(second, 0)
    }

    fn host(n: u8) -> Host {
        Host(Addr::v4([10, 0, 0, n]))
    }

    fn v6(n: u8) -> Addr {
        Addr::v6([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, n])
    }

    /// What device 1 did since this second, told later.
    fn incident(first: i64, conversations: &[(u8, Service)]) -> Incident {
        let mut incident = Incident::new(Class::Exfiltration, host(1), FlowRef::of_link(host(1), host(2)), at(first));
        incident.id = 7;
        incident.conversations.extend(conversations.iter().map(|&(peer, service)| ((host(peer), service), (1.0, 0.0))));
        incident
    }

    fn notice(incident: &Incident, state: IncidentState) -> Notice {
        Notice {
            raised: at(100),
            state,
            incident: incident.clone(),
            is_degraded: false,
            present: std::collections::BTreeMap::new(),
        }
    }

    fn packet(second: i64, subject: Subject) -> Slice<'static> {
        let frame = Frame { time: at(second), link: LinkType::ETHERNET, wire_bytes: 60, data: &[] };
        Slice { frame, subject, also: None }
    }

    fn between(second: i64, a: Addr, b: Addr, port: u16) -> Slice<'static> {
        packet(second, Subject::Flow([a, b], 6, [50_000, port]))
    }

    #[test]
    fn a_packet_is_found_once_when_it_is_new_and_then_as_it_comes() {
        let mut followed = Followed::default();
        let mut exfiltration = incident(10, &[(2, WEB)]);
        assert!(followed.notice(&notice(&exfiltration, IncidentState::Open)));
        let (web, ssh) = (between(20, host(2).0, host(1).0, 443), between(20, host(1).0, host(2).0, 22));
        assert_eq!((followed.newly_of(&web), followed.newly_of(&ssh), followed.of(&web)), (vec![7], vec![], vec![]));
        assert_eq!(followed.newly_of(&between(9, host(1).0, host(2).0, 443)), [0; 0], "before the incident");
        assert_eq!(followed.newly_of(&packet(20, Subject::Fragment([host(2).0, host(1).0], 6))), [7]);
        followed.settle();
        assert_eq!((followed.newly_of(&web), followed.of(&web), followed.of(&ssh)), (vec![], vec![7], vec![]));
        // It grows: what was known is not found anew, also where both ports are wanted.
        exfiltration.conversations.insert((host(2), SSH), (1.0, 0.0));
        followed.notice(&notice(&exfiltration, IncidentState::Update));
        let both = packet(20, Subject::Flow([host(1).0, host(2).0], 6, [22, 443]));
        assert_eq!((followed.newly_of(&ssh), followed.newly_of(&web), followed.newly_of(&both)), (vec![7], vec![], vec![]));
        followed.settle();
        // It began earlier than was known.
        exfiltration.first = at(5);
        followed.notice(&notice(&exfiltration, IncidentState::Update));
        let earlier = between(7, host(1).0, host(2).0, 443);
        assert_eq!((followed.newly_of(&earlier), followed.newly_of(&web)), (vec![7], vec![]));
        assert_eq!(followed.fresh().into_iter().collect::<Vec<_>>(), [(7, at(5))]);
        followed.settle();
        assert!(followed.fresh().is_empty());
    }

    #[test]
    fn what_was_closed_is_followed_until_then_and_let_go_of() {
        let mut followed = Followed::default();
        let closed = notice(&incident(10, &[(2, WEB)]), IncidentState::Closed);
        followed.notice(&closed);
        let at_second = |second| between(second, host(1).0, host(2).0, 443);
        assert_eq!((followed.newly_of(&at_second(100)), followed.newly_of(&at_second(101))), (vec![7], vec![]));
        assert_eq!(followed.span(), Some((at(10), at(100))));
        followed.settle();
        assert_eq!((followed.let_go_of_closed(), followed.is_empty(), followed.settled.len()), (vec![7], true, 0));
    }

    #[test]
    fn what_an_answer_hides_is_passed_over_until_it_is_told_again() {
        let mut followed = Followed::default();
        let exfiltration = incident(10, &[(2, WEB)]);
        followed.notice(&notice(&exfiltration, IncidentState::Open));
        followed.settle();
        let web = |second| between(second, host(1).0, host(2).0, 443);
        followed.hide(9, at(40), false);
        followed.hide(7, at(50), false);
        followed.hide(7, at(60), false);
        assert_eq!([49, 50, 51].map(|second| followed.of(&web(second)).len()), [1, 1, 0]);
        assert!(followed.fresh().is_empty() && followed.let_go_of_closed().is_empty(), "it goes on, hidden");
        // What came meanwhile is looked for once, and what came before not again.
        followed.show(7);
        assert_eq!(followed.fresh().into_iter().collect::<Vec<_>>(), [(7, at(50))]);
        assert_eq!([50, 51, 90].map(|second| followed.newly_of(&web(second)).len()), [0, 1, 1]);
        followed.settle();
        assert_eq!((followed.fresh().len(), followed.newly_of(&web(90)).len(), followed.of(&web(90))), (0, 0, vec![7]));
        // Its end, told since it was told before, adds nothing.
        followed.hide(7, at(95), false);
        let mut end = notice(&incident(10, &[(2, WEB), (2, SSH)]), IncidentState::Closed);
        let (by, reason) = ("ada".to_owned(), String::new());
        end.incident.answered_by = Some(Arc::new(AnsweredBy { number: 0, kind: AnswerKind::Mute, by, reason, hides: false }));
        followed.notice(&end);
        assert_eq!((followed.span(), followed.fresh().len()), (Some((at(10), at(95))), 0));
        assert_eq!(followed.let_go_of_closed(), [7]);
    }

    #[test]
    fn a_device_is_followed_by_all_its_addresses_also_those_learned_later() {
        let mut followed = Followed::default();
        followed.alias(v6(1), host(1));
        followed.notice(&notice(&incident(10, &[(2, WEB)]), IncidentState::Open));
        let seen = between(20, v6(1), v6(2), 443);
        assert_eq!(followed.newly_of(&seen), [0; 0]);
        followed.settle();
        followed.alias(v6(2), host(2));
        followed.alias(v6(9), host(9));
        assert_eq!((followed.newly_of(&seen), followed.fresh().len()), (vec![7], 1));
        followed.settle();
        followed.alias(v6(2), host(2));
        assert!(followed.fresh().is_empty(), "known already");
    }

    #[test]
    fn of_a_claimed_address_whoever_speaks_is_kept() {
        let mut followed = Followed::default();
        let mut spoofing = incident(10, &[(2, Service::ARP), (3, Service::ARP)]);
        spoofing.also.insert(host(2));
        followed.notice(&notice(&spoofing, IncidentState::Open));
        let claim = |a, b| packet(20, Subject::Claim([host(a).0, host(b).0]));
        let found = [claim(2, 9), claim(9, 2), claim(1, 9), claim(3, 1)].map(|slice| followed.newly_of(&slice).len());
        assert_eq!(found, [1, 1, 0, 0]);
    }
}
