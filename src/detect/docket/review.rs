//! What cases come to: incidents that open and go on.

use std::collections::BTreeSet;

use super::super::administrator::administers;
use super::super::campaign::{Campaign, News, news};
use super::super::case::Case;
use super::super::class::Class;
use super::super::fit::DOUBT_BITS;
use super::super::incident::Incident;
use super::super::notice::Notice;
use super::Docket;
use crate::feature::Host;
use crate::time::{Span, Timestamp};

/// What begins so long after the last of an incident, or before its first, is no part of it.
const BESIDE: Span = Span::from_secs(3600);

/// Bits that less is enough for of a device that did lately what ordinary life does not: odds of four to one.
const DID_BITS: f64 = 2.0;

impl Docket {
    /// Looks at a device with new evidence.
    pub(super) fn review(&mut self, host: Host, now: Timestamp, notices: &mut Vec<Notice>) {
        let Some(mut case) = self.filed.cases.remove(&host) else { return };
        case.is_touched = false;
        let before = case.conversations();
        let is_left = case.expire(now);
        self.conversations -= (before - case.conversations()).min(self.conversations);
        if !is_left {
            return;
        }
        let is_doubtful = self.knowledge.is_of_other_time() && !self.filed.fit.holds();
        let is_unknown = || !self.knowledge.baselines(now).hosts.contains_key(&host);
        let doubt = if is_doubtful && is_unknown() { DOUBT_BITS } else { 0.0 };
        let doubt = doubt - if self.filed.habits.did(host, now) { DID_BITS } else { 0.0 };
        for (class, bits) in case.scores() {
            self.ranks.note(host, bits, class, || case.strongest(class).map(|(with, _)| with));
            if let Some(paused) = self.filed.incidents.get(&(host, class)).filter(|open| open.has_paused) {
                // As much as opens one, about what it told of before: it goes on. Anything else is another one.
                let threshold = self.knowledge.threshold_of(class);
                if bits < threshold + doubt {
                    self.counters.held_back += u64::from(bits >= threshold);
                    continue;
                }
                let baselines = self.knowledge.baselines(now);
                let is_at_home = |peer: Host| baselines.host(peer).is_some_and(|peer| peer.local);
                if !case.strongest(class).is_some_and(|(with, exhibit)| paused.has_told(with, exhibit, is_at_home(with.0))) {
                    self.close((host, class), now, notices);
                }
            }
            let open = self.filed.incidents.remove(&(host, class));
            let reported = match open {
                Some(open) => case.report(class, host, bits, Some(open)),
                None => self.open((host, class, bits), &mut case, doubt, now, notices),
            };
            if let Some(mut incident) = reported {
                self.filed.introduced.note(&incident);
                self.tell(&mut incident, now, notices);
                self.filed.incidents.insert((host, class), incident);
            }
        }
        case.looked();
        self.filed.cases.insert(host, case);
    }

    /// Opens an incident where there are enough bits for it; goes on with one that told the same under another name, or of another device.
    fn open(
        &mut self,
        (host, class, bits): (Host, Class, f64),
        case: &mut Case,
        doubt: f64,
        now: Timestamp,
        notices: &mut Vec<Notice>,
    ) -> Option<Incident> {
        let threshold = self.knowledge.threshold_of(class);
        if bits < threshold + doubt {
            self.counters.held_back += u64::from(bits >= threshold);
            return None;
        }
        let (with, exhibit) = case.strongest(class)?;
        let told = self.filed.incidents.range((host, Class::Scan)..=(host, Class::Unusual));
        let same = told
            .filter(|(_, incident)| !incident.has_paused && incident.is_same(class, with, exhibit.first))
            .map(|(&key, _)| key)
            .next();
        if let Some(key) = same {
            // Under a name that tells less it was told already; what it is beside that is named with it.
            if key.1 < class {
                if class == Class::NewDevice {
                    self.filed.introduced.add(host);
                }
                self.filed.incidents.entry(key).and_modify(|incident| {
                    incident.add_peer(with.0, exhibit.bits());
                    incident.relate(with.1, exhibit);
                });
                return None;
            }
            let open = self.filed.incidents.remove(&key);
            self.filed.campaigns.note(&news(class, case.of_class(class)), host, (host, class), now);
            return case.report(class, host, bits, open);
        }
        if class == Class::PopulationChange
            && let Some((key, changed)) = self.tells_of_most(case, exhibit.first)
            && let Some(mut incident) = self.filed.incidents.remove(&key)
        {
            changed.into_iter().for_each(|device| incident.add_subject(device));
            incident.add_peer(host, exhibit.bits());
            incident.relate(with.1, exhibit);
            self.tell(&mut incident, now, notices);
            self.filed.incidents.insert(key, incident);
            return None;
        }
        let news = news(class, case.of_class(class));
        let campaign = self.filed.campaigns.of(class, &news, host, now).map(|(news, campaign)| (news, campaign.clone()));
        if let Some((of, Campaign { by, devices, .. })) = &campaign {
            let has_room = self.filed.incidents.get(by).is_some_and(|incident| incident.has_room_for(1));
            if has_room && let Some(mut incident) = self.filed.incidents.remove(by) {
                if class == Class::NewDevice {
                    self.filed.introduced.add(host);
                }
                incident.share(host, (with.0, exhibit), now);
                // What it does is not learned.
                self.filed.habits.suspect(host, now);
                self.filed.campaigns.note(&news, host, *by, now);
                self.tell(&mut incident, now, notices);
                self.filed.incidents.insert(*by, incident);
                return None;
            }
            // What it does with a new server after that was told may be another thing.
            if devices.len() > 1 && devices.contains(&host) && !matches!(of, News::At(_)) {
                self.counters.repeats += 1;
                return None;
            }
        }
        let mut incident = case.report(class, host, bits, None)?;
        let others = campaign.iter().flat_map(|(_, campaign)| &campaign.devices).filter(|&&device| device != host);
        others.for_each(|&device| incident.add_subject(device));
        incident.is_of_administrator = administers(host, self.knowledge.baselines(now));
        incident.is_shared = campaign.is_some() && !incident.also.is_empty();
        self.filed.campaigns.note(&news, host, (host, class), now);
        self.counters.incidents += 1;
        self.counters.vague_incidents += u64::from(class.is_vague());
        self.filed.stories.join(&mut incident, now);
        Some(incident)
    }

    /// The incident of one of the devices that all begin the same new thing then, which names most of them, and those to be named by it yet: what they do beside what it
    /// tells is another part of it, where it tells of the last hour and has room for all.
    fn tells_of_most(&self, case: &Case, at: Timestamp) -> Option<((Host, Class), Vec<Host>)> {
        let changed: BTreeSet<Host> = case.of_class(Class::PopulationChange).map(|((device, _), _)| device).collect();
        let of_one = |&device: &Host| self.filed.incidents.range((device, Class::Scan)..=(device, Class::Unusual));
        let is_named = |incident: &Incident, device: &Host| incident.host == *device || incident.also.contains(device);
        let tells = |incident: &Incident| {
            let named = changed.iter().filter(|device| is_named(incident, device)).count();
            let is_of_hour = at.since(incident.last) < BESIDE && incident.first.since(at) < BESIDE;
            incident.is_shared && is_of_hour && 2 * named > changed.len() && incident.has_room_for(changed.len() - named)
        };
        let (&key, incident) = changed.iter().flat_map(of_one).find(|(_, incident)| tells(incident))?;
        Some((key, changed.iter().filter(|device| !is_named(incident, device)).copied().collect()))
    }

    /// Tells what is worth telling of an incident by now.
    fn tell(&mut self, incident: &mut Incident, now: Timestamp, notices: &mut Vec<Notice>) {
        self.filed.stories.note(incident, now);
        self.filed.habits.note(incident, now);
        if let Some(notice) = incident.tell(now) {
            self.counters.notices += 1;
            notices.push(notice);
        }
        self.quiet_from = self.quiet_from.min(incident.quiet_from());
    }
}
