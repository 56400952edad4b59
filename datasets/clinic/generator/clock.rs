//! When things happen: nanoseconds since the capture's start, periods of machines, the day of people.

use super::random::Rng;

/// A microsecond in nanoseconds, the unit of every time here.
pub const MICRO: i64 = 1_000;
/// A millisecond.
pub const MILLI: i64 = 1_000_000;
/// A second.
pub const SECOND: i64 = 1_000_000_000;
/// A minute.
pub const MINUTE: i64 = 60 * SECOND;
/// The capture's length.
pub const SPAN: i64 = 360 * MINUTE;
/// The capture's first moment, in seconds since the epoch: Tuesday 2026-03-03, 07:00 UTC.
pub const START_EPOCH_S: i64 = 1_772_521_200;

/// How busy people are in each half hour from 07:00 on, where 1 is their busiest.
const DAY: [f64; 12] = [0.30, 0.55, 0.85, 1.0, 1.0, 1.0, 0.9, 1.0, 1.0, 0.85, 0.55, 0.6];

/// Moments of a machine's period: every `period`, each off by up to `jitter` of it, from `from` to `to`.
pub fn period(rng: &mut Rng, period: i64, jitter: f64, from: i64, to: i64) -> Vec<i64> {
    let mut at = from + rng.between(0, period);
    let mut moments = Vec::new();
    while at < to {
        moments.push(at);
        at += rng.around(period, jitter);
    }
    moments
}

/// Moments at which people do something: exponential think times with this mean in the busiest half hour, longer in the
/// quiet ones (by thinning: Lewis and Shedler 1979).
pub fn people(rng: &mut Rng, mean: i64) -> Vec<i64> {
    let mut at = rng.exponential(mean);
    let mut moments = Vec::new();
    while at < SPAN {
        let busy = DAY[(at / (30 * MINUTE)) as usize % DAY.len()];
        if rng.chance(busy) {
            moments.push(at);
        }
        at += rng.exponential(mean);
    }
    moments
}

/// Hours, minutes and seconds of the day at a moment of the capture, as `HHMMSS`.
pub fn hhmmss(at: i64) -> String {
    let second = START_EPOCH_S % 86_400 + at / SECOND;
    format!("{:02}{:02}{:02}", second / 3600 % 24, second / 60 % 60, second % 60)
}
