//! Does it live, and is it ready?

use std::sync::Arc;

use crate::pipeline::{Gauges, Stopwatch};
use crate::sink::SinkGauge;

/// A reader that asked for no frames this long is stuck; live, it asks some ten times a second.
const STUCK_AFTER_S: f64 = 10.0;

/// What tells how a run is going.
#[derive(Clone, Debug)]
pub struct Vitals {
    /// The run's gauges.
    pub gauges: Arc<Gauges>,
    /// How long judging what came within a tick takes.
    pub judged: Arc<super::Histogram>,
    /// The interface that is listened to; of captures, nothing.
    pub interface: Option<String>,
    /// Where alerts go, in the order of `--alerts`.
    pub sinks: Vec<SinkGauge>,
    /// What may be given up of the program's rights, by name, and whether it is.
    pub guarded: Vec<(&'static str, bool)>,
}

/// Watches whether the reader goes on.
#[derive(Debug)]
pub(super) struct Pulse {
    vitals: Vitals,
    reads: u64,
    since: Stopwatch,
    started: Stopwatch,
}

impl Pulse {
    pub fn new(vitals: Vitals) -> Self {
        Self { reads: vitals.gauges.reads(), vitals, since: Stopwatch::start(), started: Stopwatch::start() }
    }

    pub const fn vitals(&self) -> &Vitals {
        &self.vitals
    }

    /// Looks; called once a second.
    pub fn look(&mut self) {
        let reads = self.vitals.gauges.reads();
        if reads != self.reads {
            (self.reads, self.since) = (reads, Stopwatch::start());
        }
    }

    /// Seconds since the start.
    pub fn up_s(&self) -> f64 {
        self.started.seconds()
    }

    /// Why it is ill; nothing when it is well. A replay is well: it may wait, and it may end.
    pub fn illness(&self) -> Option<String> {
        self.vitals.interface.as_ref()?;
        if self.vitals.gauges.is_over() {
            return Some("capturing has ended".to_owned());
        }
        let stuck = self.since.seconds();
        (stuck > STUCK_AFTER_S).then(|| format!("capturing is stuck: nothing was asked for since {stuck:.0} s"))
    }

    /// What is to be said of targets that take no alerts; nothing when all do. It is no illness: alerts wait for them, and a restart
    /// would not help.
    pub fn sinks_away(&self) -> String {
        let sinks = &self.vitals.sinks;
        let away = sinks.iter().filter(|gauge| gauge.state().is_away).count();
        if away == 0 { String::new() } else { format!("; alerts wait for {away} of {} targets", sinks.len()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_has_just_begun_is_well() {
        let vitals = Vitals {
            gauges: Arc::default(),
            judged: Arc::default(),
            interface: Some("eth0".to_owned()),
            sinks: Vec::new(),
            guarded: Vec::new(),
        };
        let mut pulse = Pulse::new(vitals);
        pulse.look();
        assert_eq!(pulse.illness(), None);
    }
}
