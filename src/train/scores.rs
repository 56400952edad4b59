//! The highest scores of held-out time.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::left_out::LeftOut;
use super::together::{ROUNDS, Statistic};
use crate::detect::{Class, HostRank};
use crate::model::{MOST_STOOD_OUT, StoodOut};
use crate::time::Timestamp;

/// Scores kept while they are gathered, the highest of them; twice as many at times, some 50 bytes each.
const MOST_SCORES: usize = 500_000;
/// What has fewer bits did not stand out.
const MIN_NOTABLE_BITS: f64 = 4.0;

/// The highest score of each device in each window.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Scores(Vec<(Timestamp, HostRank)>);

impl Scores {
    /// Adds those of a window that ended then.
    pub fn add(&mut self, at: Timestamp, ranks: impl IntoIterator<Item = HostRank>) {
        self.0.extend(ranks.into_iter().map(|rank| (at, rank)));
        if self.0.len() >= 2 * MOST_SCORES {
            self.tell_once();
        }
    }

    /// Highest first, and what comes again once.
    pub fn once(mut self) -> Self {
        self.tell_once();
        self
    }

    fn join(&mut self, other: Self) {
        self.0.extend(other.0);
        self.tell_once();
    }

    fn tell_once(&mut self) {
        self.0.sort_by(|(_, a), (_, b)| b.bits.total_cmp(&a.bits));
        let mut told = BTreeSet::new();
        self.0.retain(|(_, rank)| told.insert((rank.host, rank.with)));
        self.0.truncate(MOST_SCORES);
    }

    /// What a person should know of, of what was told once.
    fn stood_out(&self, left_out: &LeftOut) -> Vec<StoodOut> {
        let notable = self.0.iter().take(MOST_STOOD_OUT).take_while(|(_, rank)| rank.bits >= MIN_NOTABLE_BITS);
        let told = |(at, rank): &(Timestamp, HostRank)| StoodOut {
            at: at.to_string(),
            host: rank.host,
            class: rank.class.info().name.to_owned(),
            peer: rank.with.0,
            service: rank.with.1.to_string(),
            bits: (rank.bits * 1000.0).round() / 1000.0,
            is_left_out: left_out.has_told(*at, rank),
        };
        notable.map(told).collect()
    }

    /// The scores that calibrate, of what was told once, but for those of so many devices with the highest of them.
    pub fn calibrating(&self, devices: usize) -> Calibrating {
        let mut calibrating = Calibrating::default();
        for is_unnamed in [false, true] {
            // What ordinary life does not do is told whenever it comes: an attack in the learning time must not raise the threshold.
            let is_of = |class: Class| !class.recurs() && (class == Class::Unusual) == is_unnamed;
            let ranks = || self.0.iter().map(|(_, rank)| rank).filter(|rank| is_of(rank.class));
            let mut odd = BTreeSet::new();
            for rank in ranks() {
                if odd.len() >= devices {
                    break;
                }
                odd.insert(rank.host);
            }
            for rank in ranks().filter(|rank| !odd.contains(&rank.host)) {
                if is_unnamed {
                    calibrating.unnamed.push(rank.bits);
                } else {
                    calibrating.named.push(rank.bits);
                    calibrating.by_class.entry(rank.class).or_default().push(rank.bits);
                }
            }
        }
        calibrating
    }
}

/// Scores that calibrate, the highest first.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Calibrating {
    /// Those of what has a name.
    pub named: Vec<f64>,
    /// Those of what is merely unusual.
    pub unnamed: Vec<f64>,
    /// The first by their class.
    pub by_class: BTreeMap<Class, Vec<f64>>,
}

impl Calibrating {
    /// Of both the mean of the highest, of the next, and so on (quantiles are averaged; Vincent 1912).
    fn mean(mut self, mut other: Self) -> Self {
        let classes: BTreeSet<Class> = self.by_class.keys().chain(other.by_class.keys()).copied().collect();
        let of = |all: &mut Self, class| all.by_class.remove(&class).unwrap_or_default();
        let by_class = classes.into_iter().map(|class| (class, mean(of(&mut self, class), of(&mut other, class)))).collect();
        Self { named: mean(self.named, other.named), unnamed: mean(self.unnamed, other.unnamed), by_class }
    }
}

fn mean(mut scores: Vec<f64>, others: Vec<f64>) -> Vec<f64> {
    scores.resize(scores.len().max(others.len()), 0.0);
    let others = others.into_iter().chain(std::iter::repeat(0.0));
    scores.iter_mut().zip(others).for_each(|(score, other)| *score = f64::midpoint(*score, other));
    scores
}

/// Scores of the same time held out in stretches and, where it is cut in that way, too, in blocks apart.
#[derive(Serialize, Deserialize)]
pub(super) struct AllScores {
    pub stretches: Scores,
    pub apart: Option<Scores>,
    pub left_out: LeftOut,
}

impl AllScores {
    /// What a person should know of.
    pub fn stood_out(&self) -> Vec<StoodOut> {
        self.stretches.stood_out(&self.left_out)
    }

    /// The scores that calibrate, as [`Scores::calibrating`]: where there are two kinds, their mean.
    pub fn calibrating(&self, devices: usize) -> Calibrating {
        let kept = self.stretches.calibrating(devices);
        let apart = self.apart.as_ref().map(|apart| apart.calibrating(devices));
        match apart {
            Some(apart) => kept.mean(apart),
            None => kept,
        }
    }
}

impl Statistic for AllScores {
    const ROUND: &'static str = ROUNDS[4];

    fn join(&mut self, other: Self) {
        self.stretches.join(other.stretches);
        self.left_out.join(other.left_out);
        if let (Some(scores), Some(others)) = (&mut self.apart, other.apart) {
            scores.join(others);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feature::Host;
    use crate::flow::Service;
    use crate::wire::Addr;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_parts(seconds, 0)
    }

    /// What is told once.
    fn once(ranks: Vec<(Timestamp, HostRank)>) -> Scores {
        Scores(ranks).once()
    }

    #[test]
    fn neither_an_attack_nor_the_oddest_device_sets_the_threshold() {
        let rank = |bits: f64, class: Class| {
            let host = Host(Addr::v4([10, 0, 0, bits as u8]));
            (at(0), HostRank { host, bits, class, with: (host, Service { protocol: 6, port: 80 }) })
        };
        // The oddest device goes although the scans, which never count, have more bits.
        let ranks =
            vec![rank(15.0, Class::Unusual), rank(25.0, Class::Scan), rank(1.0, Class::Unusual), rank(2.0, Class::NewDevice)];
        let both = |kept: Calibrating| [kept.named, kept.unnamed];
        assert_eq!(both(once(ranks.clone()).calibrating(1)), [vec![], vec![1.0]], "of each kind");
        let twice = [ranks, vec![rank(1.0, Class::Unusual)]].concat();
        let twice = once(twice).calibrating(0);
        assert_eq!(twice.by_class, BTreeMap::from([(Class::NewDevice, vec![2.0])]));
        assert_eq!(both(twice), [vec![2.0], vec![15.0, 1.0]], "what comes again counts once");
    }

    #[test]
    fn what_stood_out_is_kept_once_and_highest_first() {
        let rank = |minute: i64, bits: f64, n: u8| {
            let (host, service) = (Host(Addr::v4([10, 0, 0, n])), Service { protocol: 6, port: 80 });
            (at(60 * minute), HostRank { host, bits, class: Class::Unusual, with: (host, service) })
        };
        let kept = once(vec![rank(1, 5.0, 1), rank(2, 9.0, 1), rank(3, 3.9, 2), rank(4, 7.0, 3)]).stood_out(&LeftOut::default());
        let told: Vec<_> = kept.iter().map(|it| (it.bits, &it.at[14..16], it.service.as_str())).collect();
        assert_eq!(told, [(9.0, "02", "tcp/80"), (7.0, "04", "tcp/80")]);
    }

    #[test]
    fn scores_that_several_told_once_calibrate_the_same() {
        let rank = |n: u32| {
            let host = Host(Addr::v4([10, 0, 0, (n % 50) as u8]));
            let class = if n.is_multiple_of(3) { Class::Scan } else { Class::Unusual };
            let with = (host, Service { protocol: 6, port: (n % 4) as u16 });
            (at(0), HostRank { host, bits: f64::from(n * 7919 % 97), class, with })
        };
        let ranks: Vec<_> = (0..1000).map(rank).collect();
        let mut joined = Scores::default();
        ranks.chunks(130).for_each(|part| joined.join(once(part.to_vec())));
        assert_eq!(joined.calibrating(5), once(ranks).calibrating(5));
    }

    #[test]
    fn of_two_ways_to_hold_out_each_score_is_the_mean() {
        let scores = |bits: &[f64]| {
            let rank = |(n, &bits): (usize, &f64)| {
                let host = Host(Addr::v4([10, 0, 0, n as u8]));
                (at(0), HostRank { host, bits, class: Class::NewDevice, with: (host, Service { protocol: 6, port: 80 }) })
            };
            once(bits.iter().enumerate().map(rank).collect())
        };
        let all = |apart: Option<&[f64]>| AllScores {
            stretches: scores(&[16.0, 9.0]),
            apart: apart.map(&scores),
            left_out: LeftOut::default(),
        };
        assert_eq!(all(None).calibrating(0).named, [16.0, 9.0]);
        let mean = all(Some(&[8.0, 7.0, 2.0])).calibrating(0);
        assert_eq!(mean.named, [12.0, 8.0, 1.0]);
        assert_eq!(mean.by_class[&Class::NewDevice], mean.named);
        let mut joined = all(Some(&[]));
        joined.join(all(Some(&[8.0])));
        assert_eq!(joined.calibrating(0).named, [12.0, 4.5], "who told the same is told once");
    }
}
