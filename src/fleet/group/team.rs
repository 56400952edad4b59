//! Who is in a group, and what each of them does.

use std::collections::{BTreeMap, BTreeSet};

use super::GroupConfig;
use crate::nats::{Listening, Nats, NatsError};
use crate::wire::mix;

/// Seconds between signs of life.
const BEAT_S: f64 = 0.5;
/// Seconds without one after which somebody is gone.
const GONE_S: f64 = 3.0;
/// Seconds in which those who are there are heard, before the first share is taken.
const SETTLE_S: f64 = 1.5;
/// Seconds after which a lease that nobody renewed is free.
const LEASE_S: f64 = 5.0;
/// Members at the most; others are not heard.
const MOST_MEMBERS: usize = 10_000;
/// Says that a member is gone.
const GONE: &str = "-";

/// The members, as one of them hears them.
pub(super) struct Team {
    id: String,
    subject: String,
    listening: Listening,
    /// When each was heard last.
    heard: BTreeMap<String, f64>,
    beat_s: f64,
    begun_s: f64,
    lease: Lease,
}

/// The right to file, which one of them has.
struct Lease {
    bucket: String,
    key: String,
    /// Its number where it is held, and when it was renewed.
    held: Option<(u64, f64)>,
    /// What it was when it was seen last, and since when it is so.
    seen: Option<(u64, f64)>,
    looked_s: f64,
}

impl Team {
    /// Comes into a group.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn join(connection: &Nats, config: &GroupConfig, id: String, now_s: f64) -> Result<Self, NatsError> {
        let subject = config.address.subject(&format!("group.{}", config.group));
        let listening = connection.listen(&subject)?;
        let (bucket, key) = (config.address.stream("groups"), format!("{}.filing", config.group));
        let lease = Lease { bucket, key, held: None, seen: None, looked_s: f64::NEG_INFINITY };
        Ok(Self { id, subject, listening, heard: BTreeMap::new(), beat_s: f64::NEG_INFINITY, begun_s: now_s, lease })
    }

    /// What tells this member from all others and from its earlier runs.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Says that it is there and hears who else is. Returns the members; none before they had the time to be heard.
    ///
    /// # Errors
    /// When the connection is gone: those who are still heard go on without this one.
    pub fn look(&mut self, connection: &Nats, now_s: f64) -> Result<Option<BTreeSet<String>>, NatsError> {
        for said in self.listening.heard() {
            let Ok(said) = String::from_utf8(said) else { continue };
            match said.strip_prefix(GONE) {
                Some(gone) => drop(self.heard.remove(gone)),
                None if self.heard.len() < MOST_MEMBERS => drop(self.heard.insert(said, now_s)),
                None => {}
            }
        }
        self.heard.retain(|_, heard_s| now_s - *heard_s < GONE_S);
        if now_s - self.beat_s >= BEAT_S {
            self.beat_s = now_s;
            connection.say(&self.subject, self.id.clone().into_bytes())?;
        }
        if now_s - self.begun_s < SETTLE_S {
            return Ok(None);
        }
        let mut members: BTreeSet<String> = self.heard.keys().cloned().collect();
        members.insert(self.id.clone());
        Ok(Some(members))
    }

    /// The partitions of so many that are this one's.
    pub fn share(&self, members: &BTreeSet<String>, partitions: u16) -> BTreeSet<u16> {
        (0..partitions).filter(|partition| owner(members, &partition.to_string()) == Some(self.id.as_str())).collect()
    }

    /// Is it this one who files, by what is heard?
    pub fn is_to_file(&self, members: &BTreeSet<String>) -> bool {
        owner(members, "filing") == Some(self.id.as_str())
    }

    /// Tries to get or to keep the right to file. Says whether it is held.
    ///
    /// # Errors
    /// When the server does not answer; what is held is so until it runs out.
    pub fn lease(&mut self, connection: &Nats, now_s: f64) -> Result<bool, NatsError> {
        let Lease { bucket, key, held, seen, looked_s } = &mut self.lease;
        if now_s - *looked_s < BEAT_S {
            return Ok(held.is_some());
        }
        *looked_s = now_s;
        if let Some((revision, renewed_s)) = *held {
            // Somebody else may have it by now.
            *held = (now_s - renewed_s < LEASE_S).then_some((revision, renewed_s));
            if held.is_some() {
                *held = connection.swap(bucket, key, revision, &self.id)?.map(|revision| (revision, now_s));
            }
            return Ok(held.is_some());
        }
        let (revision, holder) = connection.numbered(bucket, key)?;
        let since_s = seen.filter(|(known, _)| *known == revision).map_or(now_s, |(_, since_s)| since_s);
        *seen = Some((revision, since_s));
        let is_free = holder.is_empty() || holder == self.id || now_s - since_s >= LEASE_S;
        if is_free {
            *held = connection.swap(bucket, key, revision, &self.id)?.map(|revision| (revision, now_s));
        }
        Ok(held.is_some())
    }

    /// Is the right to file held without doubt?
    pub fn holds(&self, now_s: f64) -> bool {
        self.lease.held.is_some_and(|(_, renewed_s)| now_s - renewed_s < LEASE_S)
    }

    /// Gives the right to file away.
    pub fn release(&mut self, connection: &Nats) {
        if let Some((revision, _)) = self.lease.held.take() {
            // Where that fails, it runs out.
            let _ = connection.swap(&self.lease.bucket, &self.lease.key, revision, "");
        }
    }

    /// Leaves: others take over at once.
    pub fn leave(&mut self, connection: &Nats) {
        self.release(connection);
        // Where that fails, they do when nothing is heard any more.
        let _ = connection.say(&self.subject, format!("{GONE}{}", self.id).into_bytes());
    }
}

/// Whose a place is: of who has the highest number with it, so that few move when one comes or goes (rendezvous hashing, Thaler and
/// Ravishankar 1998).
fn owner<'m>(members: &'m BTreeSet<String>, place: &str) -> Option<&'m str> {
    // The golden ratio and the square root of two: nothing up the sleeve.
    const SEEDS: [u64; 2] = [0x9e37_79b9_7f4a_7c15, 0x6a09_e667_f3bc_c908];
    let digest = |text: &str| text.bytes().fold(SEEDS[1], |hash, byte| mix(hash ^ u64::from(byte), SEEDS[0]));
    members.iter().max_by_key(|member| (mix(digest(member), digest(place)), member.as_str())).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(count: u32) -> BTreeSet<String> {
        (0..count).map(|n| format!("detector-{n}")).collect()
    }

    #[test]
    fn every_place_has_one_owner_and_few_move() {
        let (three, four) = (members(3), members(4));
        let places: Vec<String> = (0..1024).map(|place| place.to_string()).collect();
        for member in &three {
            let count = places.iter().filter(|place| owner(&three, place) == Some(member)).count();
            assert!((280..400).contains(&count), "{member}: {count} of 1024");
        }
        let moved: Vec<_> = places.iter().filter(|place| owner(&three, place) != owner(&four, place)).collect();
        assert!((200..320).contains(&moved.len()) && moved.iter().all(|place| owner(&four, place) == Some("detector-3")));
        assert_eq!(owner(&members(0), "1"), None);
    }
}
