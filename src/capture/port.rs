//! A live interface: its rings, and whether it is there.

use super::CaptureError;
use super::fanout::Group;
use super::live::{Live, LiveOptions, LiveStatistics};
use super::presence::{Presence, look};
use super::ring::{Crew, Ring};
use crate::time::{Span, Timestamp};

/// What became of the frames of an interface, and how long it was not heard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InterfaceAccount {
    /// Its name.
    pub interface: String,
    /// Frames read.
    pub frames: u64,
    /// Of these, by each of its rings.
    pub rings: Vec<u64>,
    /// What the kernel counted, over all the times that it was opened.
    pub kernel: LiveStatistics,
    /// Frames longer than the interface can carry: the driver or the kernel joined several (GRO, LRO).
    pub joined: u64,
    /// How often it went down or away.
    pub outages: u64,
    /// How long it was down or away, that which still lasts included.
    pub unheard: Span,
    /// Is it down or away?
    pub is_away: bool,
}

impl InterfaceAccount {
    /// Frames that were lost before they could be read.
    #[must_use]
    pub const fn dropped(&self) -> u64 {
        self.kernel.dropped_kernel + self.kernel.dropped_interface
    }
}

/// An interface was lost or is back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is not heard from now on.
    Lost {
        /// Its name.
        interface: String,
        /// When that was noticed.
        at: Timestamp,
        /// Why.
        reason: String,
    },
    /// It is heard again.
    Back {
        /// Its name.
        interface: String,
        /// When that was noticed.
        at: Timestamp,
        /// How long it was not heard.
        unheard: Span,
    },
    /// It is there again and cannot be opened; it is tried on once a second. Told once.
    Refused {
        /// Its name.
        interface: String,
        /// Why.
        reason: String,
    },
}

/// What is told of changes. Called on the thread that reads.
pub type OnChange = Box<dyn FnMut(&Change) + Send>;

/// An interface that is listened to.
pub(super) struct Port {
    pub(super) rings: Vec<Ring>,
    /// The kernel's number: another interface may come under the same name.
    index: Option<u32>,
    /// Does the system tell of it by this name? Not of another name of it, nor of what is no network interface.
    is_told_of: bool,
    /// Without the counters of rings that are open, and without their frames.
    account: InterfaceAccount,
    away_since: Option<Timestamp>,
    was_refused: bool,
}

impl Port {
    pub(super) fn open(name: &str, options: &LiveOptions, clock: fn() -> Timestamp) -> Result<Self, CaptureError> {
        // Before it is opened, so that another that comes in between is noticed.
        let (index, is_told_of) = match look(name) {
            Presence::Up(index) => (index, true),
            Presence::Down(index) => (Some(index), true),
            Presence::Gone => (None, false),
        };
        let account = InterfaceAccount { interface: name.to_owned(), ..InterfaceAccount::default() };
        let rings = (0..options.rings).map(|_| Ring::default()).collect();
        let mut port = Self { rings, index, is_told_of, account, away_since: None, was_refused: false };
        port.listen(options, clock)?;
        Ok(port)
    }

    /// Opens all its rings, or none.
    fn listen(&mut self, options: &LiveOptions, clock: fn() -> Timestamp) -> Result<(), CaptureError> {
        let name = &self.account.interface;
        let mut lives = self.rings.iter().map(|_| Live::open(name, options)).collect::<Result<Vec<_>, _>>()?;
        if let [first, others @ ..] = lives.as_mut_slice()
            && !others.is_empty()
        {
            let refused = |error: nix::errno::Errno| CaptureError::Interface {
                interface: name.clone(),
                action: "sharing its frames among rings",
                reason: error.desc().to_owned(),
            };
            let group = Group::new(&first.descriptor()).map_err(refused)?;
            for ring in others {
                group.join(&ring.descriptor()).map_err(refused)?;
                // What it has by now, the first has, too.
                ring.begin_at(clock());
            }
        }
        self.rings.iter_mut().zip(lives).for_each(|(ring, live)| ring.open(live));
        Ok(())
    }

    /// One whose rings are not open.
    #[cfg(test)]
    pub(super) fn unheard(name: &str, rings: usize) -> Self {
        let account = InterfaceAccount { interface: name.to_owned(), ..InterfaceAccount::default() };
        let rings = (0..rings).map(|_| Ring::default()).collect();
        Self { rings, index: None, is_told_of: true, account, away_since: None, was_refused: false }
    }

    /// The interface's name.
    pub(super) fn name(&self) -> &str {
        &self.account.interface
    }

    fn is_open(&self) -> bool {
        self.rings.iter().any(Ring::is_open)
    }

    pub(super) fn look(&mut self, clock: fn() -> Timestamp, options: &LiveOptions, on_change: &mut OnChange) {
        let now = clock();
        let presence = if self.is_told_of { look(&self.account.interface) } else { Presence::Up(None) };
        match presence {
            Presence::Gone => self.lose(now, "there is no such interface any more", on_change),
            // It cannot be opened now; one that is open hears again when it is up.
            Presence::Down(index) if self.index == Some(index) => self.lose_sight(now, "it is down", on_change),
            Presence::Down(_) => self.lose(now, "it is down", on_change),
            Presence::Up(index) => {
                self.reopen(clock, index, options, on_change);
                if self.is_open() {
                    self.find(now, on_change);
                }
            }
        }
    }

    /// Opens it when it is not, or when another has come under its name.
    fn reopen(&mut self, clock: fn() -> Timestamp, index: Option<u32>, options: &LiveOptions, on_change: &mut OnChange) {
        if self.is_open() && index.is_none_or(|index| self.index == Some(index)) {
            return;
        }
        self.close();
        match self.listen(options, clock) {
            Ok(()) => (self.index, self.was_refused) = (index, false),
            Err(_) if self.was_refused => {}
            Err(error) => {
                self.was_refused = true;
                // Where another came at once, nothing was told of the one before.
                if self.away_since.is_none() {
                    self.away_since = Some(clock());
                    self.account.outages += 1;
                }
                on_change(&Change::Refused { interface: self.account.interface.clone(), reason: error.to_string() });
            }
        }
    }

    /// Takes what the kernel has of it yet, and its counters, and lets go of it. What nobody has read then is lost.
    fn close(&mut self) {
        if !self.is_open() {
            return;
        }
        for (place, ring) in self.rings.iter_mut().enumerate() {
            add(&mut self.account, place, ring.close());
        }
        let LiveStatistics { received, dropped_kernel, .. } = self.account.kernel;
        self.account.kernel.dropped_kernel += received.saturating_sub(dropped_kernel + self.frames());
    }

    fn frames(&self) -> u64 {
        self.rings.iter().map(|ring| ring.frames).sum()
    }

    fn lose(&mut self, now: Timestamp, reason: &str, on_change: &mut OnChange) {
        self.close();
        self.lose_sight(now, reason, on_change);
    }

    fn lose_sight(&mut self, now: Timestamp, reason: &str, on_change: &mut OnChange) {
        if self.away_since.is_none() {
            self.away_since = Some(now);
            self.account.outages += 1;
            let (interface, reason) = (self.account.interface.clone(), reason.to_owned());
            on_change(&Change::Lost { interface, at: now, reason });
        }
    }

    fn find(&mut self, now: Timestamp, on_change: &mut OnChange) {
        if let Some(since) = self.away_since.take() {
            let unheard = now.since(since).max(Span::ZERO);
            self.account.unheard = self.account.unheard + unheard;
            on_change(&Change::Back { interface: self.account.interface.clone(), at: now, unheard });
        }
    }

    /// Takes what there is. When that fails the interface is lost; what was read before counts.
    pub(super) fn take(&mut self, now: Timestamp, crew: Option<&Crew>, first: usize, on_change: &mut OnChange) {
        let apart = |(place, ring): (usize, &mut Ring)| crew.map_or(Ok(()), |crew| ring.set_apart(first + place, crew));
        let taken = self.rings.iter_mut().enumerate().try_for_each(apart);
        let taken = taken.and_then(|()| self.rings.iter_mut().try_for_each(Ring::take));
        if let Err(error) = taken {
            self.lose(now, &error.to_string(), on_change);
        }
    }

    pub(super) fn account(&mut self, now: Timestamp) -> InterfaceAccount {
        let mut account = self.account.clone();
        for (place, ring) in self.rings.iter_mut().enumerate() {
            add(&mut account, place, ring.counted());
        }
        account.rings = self.rings.iter().map(|ring| ring.frames).collect();
        account.frames = self.frames();
        if let Some(since) = self.away_since {
            account.is_away = true;
            account.unheard = account.unheard + now.since(since).max(Span::ZERO);
        }
        account
    }
}

/// What was counted at a ring of this place.
fn add(account: &mut InterfaceAccount, place: usize, (kernel, joined): (LiveStatistics, u64)) {
    account.joined += joined;
    account.kernel.received += kernel.received;
    account.kernel.dropped_kernel += kernel.dropped_kernel;
    // The driver does not count by rings: each tells the same.
    if place == 0 {
        account.kernel.dropped_interface += kernel.dropped_interface;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_nanos(millis * 1_000_000)
    }

    #[test]
    fn one_that_cannot_be_opened_again_is_away_and_told_once() {
        let (tell, told) = std::sync::mpsc::channel();
        let mut on_change: OnChange = Box::new(move |change| tell.send(change.clone()).unwrap());
        let mut port = Port::unheard("no interface", 1);
        // Another device came under its name between two looks, so that nobody saw it gone.
        for _ in 0..2 {
            port.reopen(|| at(1000), Some(7), &LiveOptions::default(), &mut on_change);
        }
        let account = port.account(at(3000));
        assert_eq!((account.is_away, account.outages, account.unheard), (true, 1, at(3000).since(at(1000))));
        assert!(matches!(told.try_iter().collect::<Vec<_>>().as_slice(), [Change::Refused { .. }]));
    }

    #[test]
    fn time_away_adds_up_and_is_told_once() {
        let (tell, told) = std::sync::mpsc::channel();
        let mut on_change: OnChange = Box::new(move |change| tell.send(change.clone()).unwrap());
        let mut port = Port::unheard("eth9", 1);
        for (lost, back) in [(1000, 3500), (9000, 9500)] {
            port.lose(at(lost), "it is down", &mut on_change);
            port.lose(at(lost + 1), "there is no such interface any more", &mut on_change);
            assert_eq!(
                port.account(at(back)).unheard.nanos(),
                at(back).nanos() - if lost == 1000 { at(1000) } else { at(6500) }.nanos()
            );
            port.find(at(back), &mut on_change);
            port.find(at(back + 1), &mut on_change);
        }
        let account = port.account(at(20_000));
        assert_eq!((account.outages, account.unheard, account.is_away), (2, at(3000).since(at(0)), false));
        assert_eq!(told.try_iter().count(), 4);
    }
}
