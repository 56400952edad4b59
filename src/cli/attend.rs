//! What people ask of a judge while it is at work, by signals.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::clock::ClockWatch;
use super::feed::Account;
use super::guard::given_up;
use super::reload::{Reload, Reloader};
use super::service::Service;
use crate::detect::Submission;
use crate::evidence::Slices;
use crate::pipeline::{Condition, Consumer, Emitted, Gauges, Progress, Spent};
use crate::replay::Judge;
use crate::sighting::Sighting;
use crate::state::Desk;
use crate::time::Timestamp;

/// What may be asked.
#[derive(Default)]
pub struct Asks {
    /// Set by USR1: how is it going?
    pub counters: Arc<AtomicBool>,
    /// Where packets are counted.
    pub gauges: Option<Arc<Gauges>>,
    /// Wait for HUP, and look whether another model is in use, where that is of use.
    pub reloaders: Vec<Reloader>,
    /// Who is told that judging goes on, where somebody waits for it.
    pub service: Option<Service>,
    /// Looks after the clock, where that moves the time.
    pub clock: Option<ClockWatch>,
    /// Where others take and give what is remembered.
    pub desk: Option<Desk>,
}

impl Asks {
    /// Looks what is asked, and answers as far as packets go. Says whether somebody wants to know how it is going.
    fn attend(&mut self) -> bool {
        if let Some(service) = &mut self.service {
            service.is_alive();
        }
        if let Some(text) = self.clock.as_mut().and_then(ClockWatch::look) {
            tell!("auscult: {text}");
        }
        let is_asked = self.counters.swap(false, Ordering::Relaxed);
        if let (true, Some(gauges)) = (is_asked, &self.gauges) {
            tell!("{}", Account::Packets(Box::new(gauges.account().0)));
            gauges.published().iter().for_each(|published| tell!("{published}"));
            given_up().iter().for_each(|given_up| tell!("auscult: {given_up}"));
        }
        is_asked
    }
}

/// Takes what nobody judges, and looks what is asked as [`Attended`] does.
pub struct Unjudged {
    /// What is asked.
    pub asks: Asks,
}

impl Consumer for Unjudged {
    fn record(&mut self, _emitted: Emitted) {}

    fn tick(&mut self, _now: Timestamp) {
        self.asks.attend();
    }

    fn progress(&mut self, _progress: Progress) {
        self.asks.attend();
    }
}

/// Hands everything on to the judge, and looks what is asked after every tick and a few times a second.
pub struct Attended<'a, 'o> {
    /// Who judges.
    pub judge: &'a mut Judge<'o>,
    /// What is asked.
    pub asks: &'a mut Asks,
}

impl Attended<'_, '_> {
    fn attend(&mut self) {
        if self.asks.attend() {
            self.tell_counters();
        }
        for Reload { model, budget } in self.asks.reloaders.iter().filter_map(Reloader::changed) {
            self.judge.judge_by(model, budget);
        }
        if let Some(desk) = &self.asks.desk {
            match desk.take_as_judge() {
                Ok(memory) => memory.into_iter().for_each(|memory| self.judge.go_on(memory, &[])),
                Err(error) => tell!("auscult: what was filed before cannot be read: {error}; it is begun anew"),
            }
            if desk.is_asked() {
                self.judge.tell_state_if_wanted();
            }
        }
    }

    fn tell_counters(&self) {
        let counters = self.judge.counters();
        tell!(
            "judged   {} observations so far: {} incidents in {} lines",
            counters.observations,
            counters.incidents,
            counters.notices
        );
    }
}

impl Consumer for Attended<'_, '_> {
    fn sighting(&mut self, sighting: Sighting) {
        self.judge.sighting(sighting);
    }

    fn record(&mut self, emitted: Emitted) {
        self.judge.record(emitted);
    }

    fn packets(&mut self, packets: Slices) {
        self.judge.packets(packets);
    }

    fn condition(&mut self, condition: Condition) {
        self.judge.condition(condition);
    }

    fn findings(&mut self, found: Vec<Submission>, now: Timestamp) {
        self.judge.findings(found, now);
    }

    fn give_back(&mut self, to: &mut Vec<Spent>) {
        self.judge.give_back(to);
    }

    fn tick(&mut self, now: Timestamp) {
        self.judge.tick(now);
        self.attend();
    }

    fn progress(&mut self, progress: Progress) {
        self.judge.progress(progress);
        self.attend();
    }
}
