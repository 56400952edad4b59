//! The last minutes of the network, and how they compare with what is usual.

use std::collections::VecDeque;

use super::evidence::{Contribution, Evidence, Of, strongest};
use super::knowledge::Knowledge;
use super::rhythm::Rhythms;
use super::surprise::Surprise;
use crate::feature::Observation;
use crate::model::{Baselines, Histogram, Minute, Served, bits};

/// Minutes kept, so that a flow can be judged with what came after it.
const MINUTES: usize = 7;
/// Counts at least this probable are never told.
const STANDS_OUT: f64 = 0.25;
/// Bits that the context can bring at the most.
const MOST_BITS: f64 = 30.0;

/// What happened lately.
#[derive(Debug, Default)]
pub struct Recent {
    minutes: VecDeque<(i64, Minute)>,
    rhythms: Rhythms,
}

fn minute_of(seen: &Observation) -> i64 {
    seen.first_seen.seconds().div_euclid(60)
}

impl Recent {
    /// Counts an observation.
    pub fn observe(&mut self, seen: &Observation, surprise: &Surprise) {
        let minute = seen.seen.seconds().div_euclid(60);
        if self.minutes.back().is_none_or(|&(last, _)| last < minute) {
            self.minutes.push_back((minute, Minute::default()));
            if self.minutes.len() > MINUTES {
                self.minutes.pop_front();
            }
        }
        if let Some((_, window)) = self.minutes.back_mut() {
            window.add(seen, surprise.behaviour);
        }
        if seen.is_first_sight() && surprise.unknown_edge && !seen.service.maintains_link() {
            self.rhythms.observe(seen);
        }
    }

    /// What the minute around a flow adds to its surprise.
    #[must_use]
    pub fn context(&self, seen: &Observation, surprise: &Surprise, knowledge: &Knowledge) -> Option<Contribution> {
        let baselines = knowledge.baselines(seen.seen);
        let minute = self.minutes.iter().rev().find(|&&(minute, _)| minute == minute_of(seen)).map(|(_, window)| window);
        let mut found = None;
        if let Some(window) = minute {
            found = initiated_rate(seen, surprise, window, baselines);
            // Only clients that are new share the blame for a crowd.
            if surprise.unknown_client {
                found = strongest(found, served_rate(seen, window, baselines));
            }
        }
        // One client more of a server at home is no news, however regular: clocks, monitoring and backups are.
        let established = baselines.hosts.get(&seen.resp).is_some_and(|host| host.local && host.offers.contains(seen.service));
        strongest(found, if surprise.unknown_edge && !established { self.rhythm(seen) } else { None })
    }

    fn rhythm(&self, seen: &Observation) -> Option<Contribution> {
        let rhythm = self.rhythms.of(&(seen.orig, seen.resp, seen.service))?;
        Some(Contribution {
            evidence: Evidence::Rhythm,
            observed: rhythm.period_s,
            usual: (rhythm.jitter_s, rhythm.jitter_s),
            of: Of::Device,
            bits: rhythm.bits,
        })
    }

    /// The current minute.
    #[must_use]
    pub fn minute(&self) -> Option<&Minute> {
        self.minutes.back().map(|(_, window)| window)
    }
}

fn initiated_rate(seen: &Observation, surprise: &Surprise, window: &Minute, baselines: &Baselines) -> Option<Contribution> {
    let host = baselines.hosts.get(&seen.orig);
    let pooled = &baselines.pooled;
    let initiated = window.initiated.get(&seen.orig).copied().unwrap_or_default();
    let flows = f64::from(window.conversations.get(&(seen.orig, seen.resp, seen.service)).copied().unwrap_or(0));
    let own = host.and_then(|host| host.asked.get(&seen.service)).map(|asked| &asked.flows_per_min);
    let mut found = rate(Evidence::FlowRate, flows, own, &pooled.any_service.flows_per_min, 0.0);
    if surprise.unknown_edge {
        let own = host.map(|host| &host.targets_per_min);
        found = strongest(found, rate(Evidence::TargetRate, f64::from(initiated.targets), own, &pooled.targets_per_min, 0.0));
    }
    if seen.failed {
        // Minutes without a failure are not in the histograms.
        let own = host.map(|host| &host.failed_per_min);
        let minutes = host.map_or(pooled.minutes, |host| f64::from(host.minutes));
        found = strongest(found, rate(Evidence::FailedRate, f64::from(initiated.failed), own, &pooled.failed_per_min, minutes));
    }
    found
}

fn served_rate(seen: &Observation, window: &Minute, baselines: &Baselines) -> Option<Contribution> {
    let own = baselines.hosts.get(&seen.resp).and_then(|host| host.served.get(&seen.service));
    let pooled = &baselines.pooled.any_served;
    let Served { flows, clients, .. } = window.served.get(&(seen.resp, seen.service)).copied().unwrap_or_default();
    let (flows, clients) = (f64::from(flows), f64::from(clients));
    let flows = rate(Evidence::ServedRate, flows, own.map(|own| &own.flows_per_min), &pooled.flows_per_min, 0.0);
    let clients = rate(Evidence::ClientRate, clients, own.map(|own| &own.clients_per_min), &pooled.clients_per_min, 0.0);
    strongest(flows, clients)
}

/// Surprise about a count per minute among minutes that had any, or among `minutes` where those are more; none for a count
/// that is usual or below three.
fn rate(evidence: Evidence, observed: f64, own: Option<&Histogram>, pooled: &Histogram, minutes: f64) -> Option<Contribution> {
    let (histogram, of) = own.filter(|own| own.total() > 0).map_or((pooled, Of::Network), |own| (own, Of::Device));
    if observed < 3.0 {
        return None;
    }
    let p = histogram.tail(observed, minutes);
    if p > STANDS_OUT {
        return None;
    }
    let (low, high) = (histogram.quantile(0.05).unwrap_or(0.0), histogram.quantile(0.95).unwrap_or(0.0));
    if observed <= high {
        return None;
    }
    let bits = bits(p).min(MOST_BITS);
    Some(Contribution { evidence, observed, usual: (low, high), of, bits })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_usual_rate_is_no_surprise() {
        let mut own = Histogram::default();
        (0..60).for_each(|_| own.add(10.0));
        let pooled = Histogram::default();
        assert!(rate(Evidence::FlowRate, 10.0, Some(&own), &pooled, 60.0).is_none());
        let burst = rate(Evidence::FlowRate, 1000.0, Some(&own), &pooled, 60.0).unwrap();
        assert!(burst.bits > 15.0 && burst.of == Of::Device);
    }

    #[test]
    fn an_unknown_device_is_compared_with_the_network() {
        let mut pooled = Histogram::default();
        (0..1000).for_each(|_| pooled.add(50.0));
        let found = rate(Evidence::TargetRate, 500.0, None, &pooled, 1000.0).unwrap();
        assert_eq!(found.of, Of::Network);
    }
}
