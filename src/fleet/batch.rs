//! Messages of a sensor: [`Message`] in an envelope `AUSF`.

use serde::{Deserialize, Serialize};

use super::FormError;
use super::envelope::Envelope;
use super::form::{Received, RecordForm};
use crate::flow::HomeNets;
use crate::pipeline::Condition;
use crate::sighting::{Arp, Neighbour, Seen, Sighting};
use crate::time::Timestamp;
use crate::wire::{Addr, Mac};

/// The form's version: to be raised with every change of a type that crosses.
pub const VERSION: u16 = 22;
const FORM: Envelope = Envelope::of_message(*b"AUSF", VERSION);

/// Who published: site, sensor, and which run of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Origin {
    /// The site's name.
    pub site: String,
    /// The sensor's name, alone of its name at its site.
    pub sensor: String,
    /// The number of its run: it grows from one to the next.
    pub epoch: u64,
}

/// What a sensor publishes.
#[derive(Clone, Debug)]
pub struct Message {
    /// Who.
    pub origin: Origin,
    /// Its number among those of this sensor's run for the same subject, from 0.
    pub seq: u64,
    /// Are its ticks of the sensor's own clock, told as they pass?
    pub is_live: bool,
    /// What.
    pub content: Content,
}

/// What a message holds.
#[derive(Clone, Debug)]
pub enum Content {
    /// Flow records of a partition.
    Records {
        /// Which.
        partition: u16,
        /// In the order in which the sensor judges.
        records: Vec<Received>,
    },
    /// How far the sensor is.
    Clock(Clock),
}

/// How far a sensor is, and what it saw beside records.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Clock {
    /// Ticks whose records were all published, in order.
    pub ticks: Vec<Timestamp>,
    /// Messages of partitions so far: where a partition has new ones since the clock before.
    pub ends: Vec<(u16, u64)>,
    /// Messages of the run before this one, of all subjects.
    pub messages: u64,
    /// How well the network is heard from these ticks on.
    pub conditions: Vec<(Timestamp, Condition)>,
    /// Who claims which address, by tick.
    pub(super) sightings: Vec<(Timestamp, SightingForm)>,
    /// Records that were not published, of the whole run: the spool was full.
    pub lost: u64,
    /// Does nothing come after it?
    pub is_last: bool,
}

/// A frame in which somebody claims an address. Others stay at the sensor: they name devices, which is for its inventory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct SightingForm {
    time: Timestamp,
    src_mac: Mac,
    src: Option<Addr>,
    vlans: [u16; 2],
    what: Claim,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Claim {
    Arp(Arp),
    Neighbour(Neighbour),
}

impl Clock {
    /// Adds what a frame said, seen before this tick, where it is a claim of an address.
    pub fn add_sighting(&mut self, tick: Timestamp, sighting: &Sighting) {
        let what = match &sighting.what {
            Seen::Arp(arp) => Claim::Arp(*arp),
            Seen::Neighbour(neighbour) => Claim::Neighbour(*neighbour),
            Seen::Dhcp(_) | Seen::Name(_) | Seen::Announcement(_) => return,
        };
        let Sighting { time, src_mac, src, vlans, .. } = *sighting;
        self.sightings.push((tick, SightingForm { time, src_mac, src, vlans, what }));
    }

    /// Changes all ticks; of those that are the same then, one stays.
    pub(super) fn each_tick(&mut self, change: impl Fn(&mut Timestamp)) {
        self.ticks.iter_mut().for_each(&change);
        self.ticks.dedup();
        self.conditions.iter_mut().for_each(|(tick, _)| change(tick));
        self.sightings.iter_mut().for_each(|(tick, _)| change(tick));
    }

    /// Claims of addresses, each with its tick.
    pub fn take_sightings(&mut self) -> impl Iterator<Item = (Timestamp, Sighting)> + use<> {
        std::mem::take(&mut self.sightings).into_iter().map(|(tick, form)| {
            let SightingForm { time, src_mac, src, vlans, what } = form;
            let what = match what {
                Claim::Arp(arp) => Seen::Arp(arp),
                Claim::Neighbour(neighbour) => Seen::Neighbour(neighbour),
            };
            (tick, Sighting { time, src_mac, src, dst: None, vlans, what })
        })
    }
}

#[derive(Serialize)]
struct Written<'a> {
    origin: &'a Origin,
    seq: u64,
    is_live: bool,
    content: WrittenContent<'a>,
}

#[derive(Serialize)]
enum WrittenContent<'a> {
    Records { partition: u16, base: Timestamp, records: &'a [RecordForm] },
    Clock(&'a Clock),
}

#[derive(Deserialize)]
struct Read {
    origin: Origin,
    seq: u64,
    is_live: bool,
    content: ReadContent,
}

#[derive(Deserialize)]
enum ReadContent {
    Records { partition: u16, base: Timestamp, records: Vec<RecordForm> },
    Clock(Clock),
}

/// Whose a message is, its number, and whether it is live.
pub type Head<'a> = (&'a Origin, u64, bool);

/// Writes records of a partition.
///
/// # Errors
/// When they are too many for one message.
pub(super) fn write_records(
    (origin, seq, is_live): Head<'_>,
    (partition, base): (u16, Timestamp),
    records: &[RecordForm],
) -> Result<Vec<u8>, FormError> {
    FORM.write(&Written { origin, seq, is_live, content: WrittenContent::Records { partition, base, records } })
}

/// Writes how far a sensor is.
///
/// # Errors
/// When it is too much for one message.
pub fn write_clock((origin, seq, is_live): Head<'_>, clock: &Clock) -> Result<Vec<u8>, FormError> {
    FORM.write(&Written { origin, seq, is_live, content: WrittenContent::Clock(clock) })
}

/// Reads a message. Memory: 8 MiB unpacked at the most, however it was packed.
///
/// # Errors
/// Says what it is instead: nothing of auscult, another version, cut or damaged.
pub fn read(bytes: &[u8]) -> Result<Message, FormError> {
    let Read { origin, seq, is_live, content } = FORM.read(bytes)?;
    let content = match content {
        ReadContent::Clock(clock) => Content::Clock(clock),
        ReadContent::Records { partition, base, records } => {
            let home = HomeNets::default();
            let records = records.into_iter().map(|form| form.receive(base, &home)).collect::<Result<_, _>>()?;
            Content::Records { partition, records }
        }
    };
    Ok(Message { origin, seq, is_live, content })
}
