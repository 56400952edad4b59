//! Sensors that publish the records of a simulated fleet, as `watch` does.

use std::cell::RefCell;
use std::mem::take;
use std::rc::Rc;

use auscult::feature::Host;
use auscult::fleet::{Batching, Origin, Outbox, Pace, Published};
use auscult::model::Names;
use auscult::pipeline::{Consumer, Emitted};
use auscult::time::Timestamp;

use super::fleet::{Fleet, Flow};
use super::fleet_run::Meter;

/// Parts of all devices.
pub const PARTITIONS: u16 = 64;

/// A message on its way.
pub struct Letter {
    /// Its partition; none is the clock.
    pub place: Option<u16>,
    pub subject: String,
    pub id: String,
    pub payload: Vec<u8>,
}

type Letters = Rc<RefCell<Vec<Letter>>>;

/// Where a sensor's messages go.
struct Post {
    site: String,
    letters: Letters,
}

impl Outbox for Post {
    fn put(&mut self, place: &str, id: String, payload: Vec<u8>) -> bool {
        let subject = format!("auscult.flows.{}.{place}", self.site);
        self.letters.borrow_mut().push(Letter { place: place.parse().ok(), subject, id, payload });
        true
    }
}

struct Nobody;

impl Consumer for Nobody {
    fn record(&mut self, _emitted: Emitted) {}
    fn tick(&mut self, _now: Timestamp) {}
}

/// What sensors did.
#[derive(Clone, Copy, Default)]
pub struct Sent {
    pub records: u64,
    pub copies: u64,
    pub messages: u64,
    /// Of these, of records and not of the clock.
    pub of_records: u64,
    pub payload_bytes: u64,
    /// Subjects and identifiers.
    pub head_bytes: u64,
    pub cpu_s: f64,
}

/// How they are set.
#[derive(Clone, Copy)]
pub struct Setting {
    pub sensors: u32,
    /// Seconds between messages.
    pub every_s: usize,
    /// Simulated seconds in one second: so many times as much happens.
    pub speed: u64,
    /// Do they say so? Not where a server's clock shows that the simulated time is another.
    pub is_live: bool,
}

/// All sensors.
pub struct Sensors<'m> {
    all: Vec<Batching<Post>>,
    letters: Letters,
    setting: Setting,
    devices: u32,
    meter: &'m dyn Meter,
    pub sent: Sent,
}

/// Behind the records of a tick.
pub type Tick<'a> = &'a mut dyn FnMut(Timestamp, Vec<Letter>);

impl<'m> Sensors<'m> {
    pub fn new(devices: u32, setting: Setting, meter: &'m dyn Meter) -> Self {
        let letters = Letters::default();
        let sensor = |n: u32| {
            let site = format!("site-{n}");
            let origin = Origin { site: site.clone(), sensor: "core-1".to_owned(), epoch: 1_793_577_600_000_000_000 };
            let pace = Pace { is_live: setting.is_live, most_ticks: setting.every_s };
            Batching::new(Post { site, letters: Rc::clone(&letters) }, origin, (PARTITIONS, Names::default()), pace)
        };
        Self { all: (0..setting.sensors).map(sensor).collect(), letters, setting, devices, meter, sent: Sent::default() }
    }

    /// Publishes so many seconds from a minute of the fleet on; after each `tick` has the messages.
    pub fn run(&mut self, fleet: &mut Fleet, (minute, seconds): (u64, u64), attacks: &mut Vec<(u64, Flow)>, tick: Tick<'_>) {
        let (mut now, mut flows) = (None, Vec::new());
        let speed = self.setting.speed as i64;
        let minutes = (seconds * self.setting.speed).div_ceil(60);
        let devices = fleet.device_of();
        for minute in minute..minute + minutes {
            fleet.minute(minute, attacks, |flow| {
                let second = Timestamp::from_parts(flow.1.seen.seconds().div_euclid(speed), 0);
                let before = now.replace(second).filter(|before| *before < second);
                if let Some(before) = before {
                    self.second(before, &devices, &mut flows, tick);
                }
                flows.push(flow);
            });
        }
        if let Some(last) = now {
            self.second(last, &devices, &mut flows, tick);
        }
    }

    /// What happened in a second, and its tick.
    fn second(&mut self, now: Timestamp, devices: &dyn Fn(Host) -> u32, flows: &mut Vec<Flow>, tick: Tick<'_>) {
        let begun = self.meter.cpu_s();
        for (mut record, mut observation) in flows.drain(..) {
            let by = now.since(observation.seen);
            let moved = |time: &mut Timestamp| *time = *time + by;
            [&mut record.start, &mut record.end].into_iter().for_each(moved);
            for side in [&mut record.orig, &mut record.resp].into_iter().filter(|side| side.packets > 0) {
                [&mut side.first, &mut side.last].into_iter().for_each(moved);
            }
            observation.seen = now;
            let device = u64::from(devices(observation.orig));
            let sensor = (device * u64::from(self.setting.sensors) / u64::from(self.devices)) as usize;
            let emitted = Emitted { record, observation: Box::new(observation), found: None };
            if let Some(batching) = self.all.get_mut(sensor) {
                Published { consumer: &mut Nobody, batching: Some(batching), gauges: None }.record(emitted);
            }
            self.sent.records += 1;
        }
        for batching in &mut self.all {
            Published { consumer: &mut Nobody, batching: Some(batching), gauges: None }.tick(now);
        }
        let letters = take(&mut *self.letters.borrow_mut());
        self.sent.cpu_s += self.meter.cpu_s() - begun;
        for letter in &letters {
            self.sent.messages += 1;
            self.sent.of_records += u64::from(letter.place.is_some());
            self.sent.payload_bytes += letter.payload.len() as u64;
            self.sent.head_bytes += (letter.subject.len() + letter.id.len()) as u64;
        }
        tick(now, letters);
    }

    /// Nothing more comes.
    pub fn finish(self) -> (Sent, Vec<Letter>) {
        let Self { all, letters, mut sent, .. } = self;
        sent.copies = all.into_iter().map(|batching| batching.finish().0.copies).sum();
        let letters = take(&mut *letters.borrow_mut());
        (sent, letters)
    }
}
