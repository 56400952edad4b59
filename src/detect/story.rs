//! Incidents that belong together: what one device did, and what the devices that it turned to did next.

use serde::{Deserialize, Serialize};

use super::class::Class;
use super::incident::{Episode, Incident};
use super::pruning::Pruning;
use crate::feature::Host;
use crate::model::Map;
use crate::time::{Span, Timestamp};

/// An incident joins a story whose latest evidence about its device is at most this old.
pub const JOINS_WITHIN: Span = Span::from_secs(86_400);
/// Devices whose story is remembered at the most.
const MAX_DEVICES: usize = 100_000;
/// Stories remembered at the most.
const MAX_STORIES: usize = 20_000;
/// Incidents of a story that are named at the most: the first and the latest.
const MAX_EPISODES: usize = 16;

/// Between identifiers that would be the same: odd, and its digits look like any other's.
const STRIDE: u64 = 0x9e37_79b9_7f4a_7c15;

/// What happened so far in a story.
#[derive(Debug, Serialize, Deserialize)]
struct Story {
    episodes: Vec<Episode>,
    left_out: u64,
    latest: Timestamp,
}

/// Which device is part of which story. Bounded. Looks at incidents only after they were opened, so it changes none.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Stories {
    stories: Map<u64, Story>,
    /// By device: its latest story, and the latest evidence about it there.
    devices: Map<Host, (u64, Timestamp)>,
    /// Stories and devices that were not remembered because there were too many.
    pub refused: u64,
    pruning: Pruning,
}

/// Are the devices at the other end its targets? In a flood they are its clients, a change is what they all do, and a
/// conversation that stopped tells nothing of its other end.
const fn has_targets(class: Class) -> bool {
    !matches!(class, Class::Flood | Class::PopulationChange | Class::NewService | Class::SilentChannel)
}

impl Stories {
    /// Puts an incident that has just been opened into the story of its device, or begins one with it.
    pub fn join(&mut self, incident: &mut Incident, now: Timestamp) {
        let known = subjects(incident).filter_map(|host| self.devices.get(&host).copied());
        let joins = known.filter(|&(_, latest)| incident.first.since(latest) <= JOINS_WITHIN);
        let latest = joins.max_by_key(|&(story, latest)| (latest, std::cmp::Reverse(story)));
        if let Some((id, story)) = latest.and_then(|(id, _)| Some((id, self.stories.get_mut(&id)?))) {
            // What comes again right after it was closed begins with the packet with which it began before; it is another incident.
            let is_free = |id: &u64| story.episodes.iter().all(|episode| episode.id != *id);
            let mut ids = (0..=MAX_EPISODES as u64).map(|n| incident.id.wrapping_add(n.wrapping_mul(STRIDE)));
            incident.id = ids.find(is_free).unwrap_or(incident.id);
            incident.story = id;
            incident.earlier.clone_from(&story.episodes);
            incident.earlier_left_out = story.left_out;
        }
        let Some(story) = self.story(incident.story, now) else {
            self.refused += 1;
            return;
        };
        if story.episodes.len() >= MAX_EPISODES {
            story.episodes.remove(1);
            story.left_out += 1;
        }
        let Incident { id, class, host, first, .. } = *incident;
        story.episodes.push(Episode { id, class, host, first });
    }

    /// Takes an incident up that was put into its story before.
    pub fn take_up(&mut self, incident: &Incident, now: Timestamp) {
        if let Some(story) = self.story(incident.story, now)
            && story.episodes.iter().all(|episode| episode.id != incident.id)
            && story.episodes.len() < MAX_EPISODES
        {
            let Incident { id, class, host, first, .. } = *incident;
            story.episodes.push(Episode { id, class, host, first });
        }
        self.note(incident, now);
    }

    /// The story of this identifier, to be written on; none when there are too many.
    fn story(&mut self, id: u64, now: Timestamp) -> Option<&mut Story> {
        if self.stories.len() >= MAX_STORIES && !self.stories.contains_key(&id) {
            self.prune(now);
            if self.stories.len() >= MAX_STORIES {
                return None;
            }
        }
        Some(self.stories.entry(id).or_insert_with(|| Story { episodes: Vec::new(), left_out: 0, latest: now }))
    }

    /// Forgets what is over.
    fn prune(&mut self, now: Timestamp) {
        if self.pruning.is_due(now) {
            self.stories.retain(|_, story| now.since(story.latest) <= JOINS_WITHIN);
            self.devices.retain(|_, (_, latest)| now.since(*latest) <= JOINS_WITHIN);
        }
    }

    /// Notes who takes part in an incident by now, and as what it is told.
    pub fn note(&mut self, incident: &Incident, now: Timestamp) {
        let Some(story) = self.stories.get_mut(&incident.story) else { return };
        story.latest = now;
        if let Some(episode) = story.episodes.iter_mut().find(|episode| episode.id == incident.id) {
            episode.class = incident.class;
        }
        let targets = incident.peers.keys().copied().filter(|peer| has_targets(incident.class) && peer.is_device());
        for host in subjects(incident).chain(targets) {
            if self.devices.len() >= MAX_DEVICES && !self.devices.contains_key(&host) {
                self.prune(now);
                if self.devices.len() >= MAX_DEVICES {
                    self.refused += 1;
                    continue;
                }
            }
            let known = self.devices.entry(host).or_insert((incident.story, incident.last));
            if incident.last >= known.1 {
                *known = (incident.story, incident.last);
            }
        }
    }
}

fn subjects(incident: &Incident) -> impl Iterator<Item = Host> {
    std::iter::once(incident.host).chain(incident.also.iter().copied().filter(|&host| host != incident.host))
}

#[cfg(test)]
mod tests {
    use super::super::flow_ref::FlowRef;
    use super::super::testing::host;
    use super::*;
    use crate::wire::Addr;

    fn incident(class: Class, of: Host, peers: &[Host], second: i64) -> Incident {
        let at = Timestamp::from_parts(second, 0);
        let mut incident = Incident::new(class, of, FlowRef::of_link(of, of), at);
        peers.iter().for_each(|&peer| incident.add_peer(peer, 10.0));
        incident
    }

    /// Opens an incident and notes it, as the detector does.
    fn open(stories: &mut Stories, mut incident: Incident) -> Incident {
        let now = incident.first;
        stories.join(&mut incident, now);
        stories.note(&incident, now);
        incident
    }

    fn classes(incident: &Incident) -> Vec<Class> {
        incident.earlier.iter().map(|episode| episode.class).collect()
    }

    #[test]
    fn what_a_device_and_then_its_target_do_is_one_story() {
        let mut stories = Stories::default();
        let scan = open(&mut stories, incident(Class::Scan, host(1), &[host(2)], 0));
        let lateral = open(&mut stories, incident(Class::LateralMovement, host(1), &[host(3)], 600));
        let theft = open(&mut stories, incident(Class::Exfiltration, host(3), &[host(9)], 1200));
        let other = open(&mut stories, incident(Class::Scan, host(7), &[host(8)], 1300));
        assert_eq!((scan.story, lateral.story, theft.story, other.story), (scan.id, scan.id, scan.id, other.id));
        assert!(scan.earlier.is_empty() && other.earlier.is_empty());
        assert_eq!((classes(&lateral), classes(&theft)), (vec![Class::Scan], vec![Class::Scan, Class::LateralMovement]));
        assert_eq!(theft.earlier.iter().map(|episode| episode.id).collect::<Vec<_>>(), [scan.id, lateral.id]);
    }

    #[test]
    fn a_day_later_another_story_begins() {
        for (second, joins) in [(86_400, true), (86_401, false)] {
            let mut stories = Stories::default();
            let first = open(&mut stories, incident(Class::Scan, host(1), &[], 0));
            let later = open(&mut stories, incident(Class::Scan, host(1), &[], second));
            assert_eq!(later.story == first.id, joins, "{second}");
        }
    }

    #[test]
    fn what_comes_again_with_the_same_beginning_is_another_incident() {
        let mut stories = Stories::default();
        let ids: Vec<u64> = (0..20).map(|_| open(&mut stories, incident(Class::Scan, host(1), &[], 0)).id).collect();
        assert!(ids.windows(2).all(|pair| pair[0] != pair[1]) && ids[0] != ids[2]);
        let next = open(&mut stories, incident(Class::Flood, host(1), &[], 60));
        assert_eq!((next.story, next.earlier[0].id), (ids[0], ids[0]));
    }

    #[test]
    fn a_client_of_a_flooded_server_is_no_target() {
        let mut stories = Stories::default();
        open(&mut stories, incident(Class::Flood, host(1), &[host(2)], 0));
        let other = open(&mut stories, incident(Class::Scan, host(2), &[], 60));
        assert_eq!(other.story, other.id);
    }

    #[test]
    fn the_latest_story_of_a_device_goes_on_and_a_new_name_is_told() {
        let mut stories = Stories::default();
        open(&mut stories, incident(Class::Unusual, host(2), &[], 0));
        let mut scan = open(&mut stories, incident(Class::Unusual, host(1), &[host(2)], 100));
        scan.class = Class::Scan;
        stories.note(&scan, scan.first);
        let next = open(&mut stories, incident(Class::Exfiltration, host(2), &[], 200));
        assert_eq!((next.story, classes(&next)), (scan.id, vec![Class::Scan]));
    }

    #[test]
    fn memory_is_bounded_and_what_is_left_out_is_counted() {
        let mut stories = Stories::default();
        let many = |n: i64| Host(Addr::v4([10, (n >> 16) as u8, (n >> 8) as u8, n as u8]));
        for n in 0..MAX_DEVICES as i64 + 500 {
            open(&mut stories, incident(Class::Scan, many(n), &[], n / 100));
        }
        assert_eq!((stories.stories.len(), stories.devices.len()), (MAX_STORIES, MAX_STORIES));
        assert_eq!(stories.refused, (MAX_DEVICES + 500 - MAX_STORIES) as u64);
        let again = |n: i64| incident(Class::Scan, many(0), &[], 2000 + n);
        let last = (0..40).map(|n| open(&mut stories, again(n))).last().unwrap();
        assert_eq!((last.earlier.len(), last.earlier_left_out), (MAX_EPISODES, 40 - MAX_EPISODES as u64));
        open(&mut stories, incident(Class::Scan, many(-1), &[], 200_000));
        assert!(stories.stories.len() < 3, "what is over makes room");
    }
}
