//! Everything that was measured of one device, in one string of bytes.
//!
//! A record is a key (what was measured of which service), the length of what follows, and a fixed number of packed histograms,
//! each behind its length. Records are in the order of their keys. A device has some twenty histograms with a few values each:
//! as vectors they would take two kilobytes, most of it lengths, pointers and room to grow.

use super::baseline::{ServedBaseline, ServiceBaseline};
use super::histogram::Histogram;
use super::packed::{Counted, Packed, count_in_place, number, write_number};
use crate::flow::Service;

/// What is measured of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Of {
    /// The device as a whole.
    Device,
    /// How it uses a service: new flows.
    Asked,
    /// The same for later segments of long flows, which have no beginning.
    Continued,
    /// How a service of it is used.
    Served,
    /// How much it asks of a service at home within an hour.
    AskingPerHour,
    /// How much is asked of a service of it from outside within an hour.
    AskedPerHour,
    /// Connections of strangers to a service of it that were as long as an earlier one of theirs: a one for each.
    Repeats,
}

impl Of {
    /// How many histograms there are.
    const fn width(self) -> usize {
        match self {
            Self::Device => 9,
            Self::Asked | Self::Continued => 4,
            Self::Served => 2,
            Self::AskingPerHour | Self::AskedPerHour | Self::Repeats => 1,
        }
    }
}

/// All of them, in their order.
const KINDS: [Of; 7] = [Of::Device, Of::Asked, Of::Continued, Of::Served, Of::AskingPerHour, Of::AskedPerHour, Of::Repeats];

/// Of what, and of which service.
type Key = (Of, Service);

/// Bytes of a key.
const KEY_BYTES: usize = 4;
/// No service: of the device as a whole.
const NONE: Service = Service { protocol: 0, port: 0 };

/// Places of the histograms of [`Of::Device`].
pub(super) const TARGETS_PER_MIN: usize = 0;
pub(super) const FAILED_PER_MIN: usize = 1;
pub(super) const LOGIN_FAILURES_PER_MIN: usize = 2;
pub(super) const FILE_CHANGES_PER_MIN: usize = 3;
pub(super) const TARGETS_PER_HOUR: usize = 4;
pub(super) const FAILED_PER_HOUR: usize = 5;
pub(super) const NAMES_MISSING_PER_MIN: usize = 6;
pub(super) const SENT_OUT_PER_HOUR: usize = 7;
pub(super) const REFUSALS_PER_MIN: usize = 8;
/// Of [`Of::Asked`], [`Of::Continued`] and [`Of::Served`].
pub(super) const FLOWS_PER_MIN: usize = 0;
/// Of [`Of::Asked`] and [`Of::Continued`].
pub(super) const BYTES_ORIG: usize = 1;
pub(super) const BYTES_RESP: usize = 2;
pub(super) const DURATION_MS: usize = 3;
/// Of [`Of::Served`].
pub(super) const CLIENTS_PER_MIN: usize = 1;

/// What a device's flows of one service usually look like.
#[derive(Clone, Copy, Debug)]
pub struct ServiceUse<'h> {
    /// As [`ServiceBaseline::flows_per_min`].
    pub flows_per_min: Packed<'h>,
    /// As [`ServiceBaseline::bytes_orig`].
    pub bytes_orig: Packed<'h>,
    /// As [`ServiceBaseline::bytes_resp`].
    pub bytes_resp: Packed<'h>,
    /// As [`ServiceBaseline::duration_ms`].
    pub duration_ms: Packed<'h>,
}

impl<'h> ServiceUse<'h> {
    fn of(record: &'h [u8]) -> Self {
        let mut next = histograms(record);
        let mut next = || next.next().unwrap_or_default();
        Self { flows_per_min: next(), bytes_orig: next(), bytes_resp: next(), duration_ms: next() }
    }
}

/// What a service that a device offers usually gets.
#[derive(Clone, Copy, Debug)]
pub struct ServiceServed<'h> {
    /// As [`ServedBaseline::flows_per_min`].
    pub flows_per_min: Packed<'h>,
    /// As [`ServedBaseline::clients_per_min`].
    pub clients_per_min: Packed<'h>,
}

impl<'h> ServiceServed<'h> {
    fn of(record: &'h [u8]) -> Self {
        let mut next = histograms(record);
        let mut next = || next.next().unwrap_or_default();
        Self { flows_per_min: next(), clients_per_min: next() }
    }
}

/// The histograms of one device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Measured {
    bytes: Box<[u8]>,
}

/// A record and where it lies.
struct Record<'m> {
    key: Key,
    start: usize,
    end: usize,
    histograms: &'m [u8],
}

/// Where a record lies, or where it would.
enum Place {
    /// From here, its histograms from there, to here.
    Here(usize, usize, usize),
    /// Nowhere; before this, beside so many of its kind.
    Before(usize, usize),
}

/// Packed histograms, one after the other.
fn histograms(mut bytes: &[u8]) -> impl Iterator<Item = Packed<'_>> {
    std::iter::from_fn(move || {
        if bytes.is_empty() {
            return None;
        }
        let (length, rest) = number(bytes);
        let (histogram, rest) = rest.split_at(rest.len().min(length as usize));
        bytes = rest;
        Some(Packed::of(histogram))
    })
}

fn key_of([of, protocol, high, low]: [u8; KEY_BYTES]) -> Key {
    let of = KINDS[usize::from(of).min(KINDS.len() - 1)];
    (of, Service { protocol, port: u16::from_be_bytes([high, low]) })
}

/// A key in bytes, which as one number are in the order of the keys.
const fn bytes_of((of, Service { protocol, port }): Key) -> [u8; KEY_BYTES] {
    let [high, low] = port.to_be_bytes();
    [of as u8, protocol, high, low]
}

/// The part of a key, as a number, by which records of one kind differ.
const OF_KIND: u32 = 0x00ff_ffff;

/// Where the first record begins whose key, as a number, is not below this one, and how many of its kind are before it.
#[inline]
fn seek(bytes: &[u8], wanted: u32) -> (usize, usize) {
    let (mut at, mut of_kind) = (0, 0);
    while let Some(&[a, b, c, d, length]) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        let here = u32::from_be_bytes([a, b, c, d]);
        if here >= wanted {
            break;
        }
        of_kind += usize::from((here ^ wanted) <= OF_KIND);
        at += KEY_BYTES;
        if length < 0x80 {
            at += 1 + usize::from(length);
        } else {
            let (length, behind) = number(&bytes[at..]);
            at = bytes.len() - behind.len() + length as usize;
        }
    }
    (at.min(bytes.len()), of_kind)
}

impl Measured {
    fn records(&self) -> impl Iterator<Item = Record<'_>> {
        let mut start = 0;
        std::iter::from_fn(move || {
            let (key, behind) = self.bytes[start..].split_first_chunk::<KEY_BYTES>()?;
            let (length, behind) = number(behind);
            let histograms = &behind[..behind.len().min(length as usize)];
            let end = self.bytes.len() - behind.len() + histograms.len();
            let record = Record { key: key_of(*key), start, end, histograms };
            start = end;
            Some(record)
        })
    }

    /// The place of a key. Whether there are `most` of the same kind is only found out where it is none of them.
    fn place(&self, key: Key, most: usize) -> Place {
        let wanted = u32::from_be_bytes(bytes_of(key));
        let (at, mut of_kind) = seek(&self.bytes, wanted);
        let here = &self.bytes[at..];
        match here.split_first_chunk::<KEY_BYTES>() {
            Some((key, behind)) if u32::from_be_bytes(*key) == wanted => {
                let (length, behind) = number(behind);
                let histograms = self.bytes.len() - behind.len();
                return Place::Here(at, histograms, self.bytes.len().min(histograms + length as usize));
            }
            // There cannot be so many in so few bytes.
            _ if of_kind + here.len() / (KEY_BYTES + 1 + key.0.width()) < most => {}
            _ => {
                let last = wanted | OF_KIND;
                let (at, more) = seek(here, last);
                of_kind += more + usize::from(here[at..].starts_with(&last.to_be_bytes()));
            }
        }
        Place::Before(at, of_kind)
    }

    /// The histograms of a key.
    fn find(&self, key: Key) -> Option<&[u8]> {
        let wanted = u32::from_be_bytes(bytes_of(key));
        let (here, behind) = self.bytes[seek(&self.bytes, wanted).0..].split_first_chunk::<KEY_BYTES>()?;
        let (length, behind) = number(behind);
        (u32::from_be_bytes(*here) == wanted).then(|| &behind[..behind.len().min(length as usize)])
    }

    fn all(&self, of: Of) -> impl Iterator<Item = Record<'_>> {
        self.records().skip_while(move |record| record.key.0 < of).take_while(move |record| record.key.0 == of)
    }

    /// How all services are used.
    pub(super) fn all_used(&self, of: Of) -> impl Iterator<Item = (Service, ServiceUse<'_>)> {
        self.all(of).map(|record| (record.key.1, ServiceUse::of(record.histograms)))
    }

    /// How all offered services are used.
    pub(super) fn all_served(&self) -> impl Iterator<Item = (Service, ServiceServed<'_>)> {
        self.all(Of::Served).map(|record| (record.key.1, ServiceServed::of(record.histograms)))
    }

    /// The histogram at a place of the device as a whole.
    pub(super) fn of_device(&self, place: usize) -> Packed<'_> {
        self.find((Of::Device, NONE)).and_then(|found| histograms(found).nth(place)).unwrap_or_default()
    }

    /// How a service is used.
    pub(super) fn used(&self, of: Of, service: Service) -> Option<ServiceUse<'_>> {
        self.find((of, service)).map(ServiceUse::of)
    }

    /// How an offered service is used.
    pub(super) fn served(&self, service: Service) -> Option<ServiceServed<'_>> {
        self.find((Of::Served, service)).map(ServiceServed::of)
    }

    /// How much was asked of all services within an hour, on one side.
    pub(super) fn all_per_hour(&self, of: Of) -> impl Iterator<Item = (Service, Packed<'_>)> {
        self.all(of).map(|record| (record.key.1, histograms(record.histograms).next().unwrap_or_default()))
    }

    /// How much was asked of a service within an hour, on one side; nothing where it never was much.
    pub(super) fn per_hour(&self, of: Of, service: Service) -> Packed<'_> {
        self.find((of, service)).and_then(|found| histograms(found).next()).unwrap_or_default()
    }

    /// Counts values of the device as a whole, each in the histogram at its place.
    pub(super) fn add_of_device(&mut self, values: &[(usize, Counted)]) {
        self.add((Of::Device, NONE), values, usize::MAX);
    }

    /// Counts values of a service, where fewer than `most` services are kept or this is one of them.
    pub(super) fn add_of_service(&mut self, of: Of, service: Service, values: &[(usize, Counted)], most: usize) {
        self.add((of, service), values, most);
    }

    /// Adds what was measured of the same device later; of each kind at most so many services are kept.
    pub(super) fn merge(&mut self, other: &Self, most: usize) {
        self.bytes = self.merged(other, most);
    }

    fn merged(&self, other: &Self, most: usize) -> Box<[u8]> {
        let mut room = [most; KINDS.len()];
        for record in self.records() {
            let kind = &mut room[record.key.0 as usize];
            *kind = kind.saturating_sub(1);
        }
        let mut bytes = Vec::with_capacity(self.bytes.len().max(other.bytes.len()) + 64);
        let (mut mine, mut theirs) = (self.records().peekable(), other.records().peekable());
        while let Some(key) = [mine.peek(), theirs.peek()].into_iter().flatten().map(|record| record.key).min() {
            let kept = mine.next_if(|record| record.key == key);
            let new = theirs.next_if(|record| record.key == key);
            match (kept, new) {
                (Some(mine), Some(theirs)) => bytes.extend(merged(key, mine.histograms, theirs.histograms)),
                (Some(mine), None) => bytes.extend_from_slice(&self.bytes[mine.start..mine.end]),
                (None, Some(theirs)) if room[key.0 as usize] > 0 => {
                    room[key.0 as usize] -= 1;
                    bytes.extend_from_slice(&other.bytes[theirs.start..theirs.end]);
                }
                (None, _) => {}
            }
        }
        bytes.into_boxed_slice()
    }

    fn add(&mut self, key: Key, values: &[(usize, Counted)], most: usize) {
        let (start, end, old, rest) = match self.place(key, most) {
            Place::Here(start, histograms, end) => {
                let old = &mut self.bytes[histograms..end];
                // Most values were counted before: theirs is one more in as many bytes.
                let is_longer =
                    |&(place, value): &(usize, Counted)| !nth_mut(old, place).is_some_and(|old| count_in_place(old, value));
                let rest: Vec<_> = values.iter().copied().filter(is_longer).collect();
                if rest.is_empty() {
                    return;
                }
                (start, end, &self.bytes[histograms..end], rest)
            }
            Place::Before(start, of_kind) if of_kind < most => (start, start, &[][..], values.to_vec()),
            Place::Before(..) => return,
        };
        let record = record_of(key, |place, body| with_values(old, place, &rest, body));
        // As long as needed, not longer: most devices are never touched again.
        let mut bytes = Vec::with_capacity(self.bytes.len() - (end - start) + record.len());
        bytes.extend_from_slice(&self.bytes[..start]);
        bytes.extend_from_slice(&record);
        bytes.extend_from_slice(&self.bytes[end..]);
        self.bytes = bytes.into_boxed_slice();
    }

    /// Bytes behind its place in a device's baseline.
    pub(super) const fn heap_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// How a service is used, as a model holds it.
    pub(super) fn stored_use(&self, of: Of) -> impl Iterator<Item = (Service, ServiceBaseline)> {
        self.all_used(of).map(|(service, used)| {
            let baseline = ServiceBaseline {
                flows_per_min: used.flows_per_min.into(),
                bytes_orig: used.bytes_orig.into(),
                bytes_resp: used.bytes_resp.into(),
                duration_ms: used.duration_ms.into(),
            };
            (service, baseline)
        })
    }

    /// How offered services are used, as a model holds it.
    pub(super) fn stored_served(&self) -> impl Iterator<Item = (Service, ServedBaseline)> {
        self.all_served().map(|(service, served)| {
            let baseline =
                ServedBaseline { flows_per_min: served.flows_per_min.into(), clients_per_min: served.clients_per_min.into() };
            (service, baseline)
        })
    }
}

/// Histograms as values to be counted.
pub(super) fn counted_of(histograms: &[&Histogram]) -> Vec<(usize, Counted)> {
    let places = histograms.iter().enumerate();
    places.flat_map(|(place, histogram)| histogram.buckets().map(move |counted| (place, counted))).collect()
}

/// Bytes that most records need less than.
const ROOM: usize = 128;

/// A record whose histograms are written by their places.
fn record_of(key: Key, mut write: impl FnMut(usize, &mut Vec<u8>)) -> Vec<u8> {
    let (mut body, mut histogram) = (Vec::with_capacity(ROOM), Vec::with_capacity(ROOM));
    for place in 0..key.0.width() {
        histogram.clear();
        write(place, &mut histogram);
        write_number(histogram.len() as u32, &mut body);
        body.extend_from_slice(&histogram);
    }
    let mut record = Vec::with_capacity(body.len() + KEY_BYTES + 2);
    record.extend_from_slice(&bytes_of(key));
    write_number(body.len() as u32, &mut record);
    record.extend_from_slice(&body);
    record
}

/// Writes the histogram at a place of a record with the values for this place beside those that it has.
fn with_values(record: &[u8], place: usize, values: &[(usize, Counted)], to: &mut Vec<u8>) {
    histograms(record).nth(place).unwrap_or_default().write(to);
    let mut before = Vec::new();
    for &(_, counted) in values.iter().filter(|&&(of, _)| of == place) {
        before.clear();
        before.extend_from_slice(to);
        to.clear();
        Packed::of(&before).write_with(counted, to);
    }
}

/// A record with what two others count.
fn merged(key: Key, mine: &[u8], theirs: &[u8]) -> Vec<u8> {
    let (mut mine, mut theirs) = (histograms(mine), histograms(theirs));
    record_of(key, |_, body| mine.next().unwrap_or_default().write_merged(theirs.next().unwrap_or_default(), body))
}

/// The bytes of a histogram of a record.
fn nth_mut(mut record: &mut [u8], place: usize) -> Option<&mut [u8]> {
    for skipped in 0..=place {
        let (length, behind) = number(record);
        let start = record.len() - behind.len();
        let end = record.len().min(start + length as usize);
        if skipped == place {
            return Some(&mut record[start..end]);
        }
        record = &mut record[end..];
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::packed::counted;
    use super::*;
    use proptest::prelude::*;

    const WEB: Service = Service { protocol: 6, port: 443 };
    const DNS: Service = Service { protocol: 17, port: 53 };

    #[test]
    fn what_was_added_is_found_again() {
        let mut measured = Measured::default();
        for (n, service) in [WEB, DNS, WEB, WEB].into_iter().enumerate() {
            let values = [(BYTES_ORIG, counted(1e3 * n as f64)), (DURATION_MS, counted(7.0))];
            measured.add_of_service(Of::Asked, service, &values, 9);
        }
        measured.add_of_device(&[(TARGETS_PER_MIN, counted(3.0))]);
        measured.add_of_service(Of::Served, WEB, &[(CLIENTS_PER_MIN, counted(2.0))], 9);
        assert_eq!(measured.all_used(Of::Asked).map(|(service, _)| service).collect::<Vec<_>>(), [WEB, DNS]);
        let web = measured.used(Of::Asked, WEB).unwrap();
        let totals = [web.flows_per_min, web.bytes_orig, web.bytes_resp, web.duration_ms].map(Packed::total);
        assert_eq!(totals, [0, 3, 0, 3]);
        assert_eq!(measured.used(Of::Asked, DNS).map(|used| used.bytes_orig.total()), Some(1));
        assert!(measured.used(Of::Continued, WEB).is_none() && measured.served(DNS).is_none());
        assert_eq!((measured.of_device(TARGETS_PER_MIN).total(), measured.of_device(FAILED_PER_MIN).total()), (1, 0));
        let mut twice = measured.clone();
        twice.merge(&measured, 9);
        assert_eq!(twice.used(Of::Asked, WEB).map(|used| used.bytes_orig.total()), Some(6));
        assert_eq!(twice.served(WEB).map(|served| served.clients_per_min.total()), Some(2));
    }

    #[test]
    fn services_of_each_kind_are_bounded() {
        let mut measured = Measured::default();
        for port in [5, 3, 9, 1, 3] {
            let service = Service { protocol: 6, port };
            measured.add_of_service(Of::Asked, service, &[(FLOWS_PER_MIN, counted(1.0))], 3);
            measured.add_of_service(Of::Continued, service, &[(BYTES_RESP, counted(1.0))], 1);
        }
        let ports = |of: Of| measured.all_used(of).map(|(service, _)| service.port).collect::<Vec<_>>();
        assert_eq!((ports(Of::Asked), ports(Of::Continued)), (vec![3, 5, 9], vec![5]));
        assert_eq!(measured.used(Of::Asked, Service { protocol: 6, port: 3 }).map(|used| used.flows_per_min.total()), Some(2));
    }

    proptest! {
        #[test]
        fn merging_is_counting_one_after_the_other(
            mine in prop::collection::vec((0..6_u8, 0..9_u16, 0..4_usize, -41..90_i16, 1..300_u32), 0..40),
            theirs in prop::collection::vec((0..6_u8, 0..9_u16, 0..4_usize, -41..90_i16, 1..300_u32), 0..40),
            most in 1..6_usize,
        ) {
            let measured = |values: &[(u8, u16, usize, i16, u32)]| {
                let mut measured = Measured::default();
                for &(of, port, place, bucket, count) in values {
                    let (of, service) = key_of([of, 6, 0, port as u8]);
                    measured.add((of, service), &[(place % of.width(), (bucket, count))], most);
                }
                measured
            };
            let (mine, theirs) = (measured(&mine), measured(&theirs));
            let (mut merged, mut counted) = (mine.clone(), mine);
            merged.merge(&theirs, most);
            for record in theirs.records() {
                for (place, histogram) in histograms(record.histograms).enumerate() {
                    counted.add(record.key, &histogram.buckets().map(|value| (place, value)).collect::<Vec<_>>(), most);
                }
            }
            prop_assert_eq!(merged, counted);
        }
    }
}
