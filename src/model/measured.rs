//! Everything that was measured of one device, in one string of bytes.
//!
//! A record is a key (what was measured of which service), the length of what follows, and a fixed number of packed histograms,
//! each behind its length. Records are in the order of their keys. A device has some twenty histograms with a few values each:
//! as vectors they would take two kilobytes, most of it lengths, pointers and room to grow.

use super::baseline::{ServedBaseline, ServiceBaseline};
use super::histogram::Histogram;
use super::packed::{Counted, Packed, number, write_number};
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
}

impl Of {
    /// How many histograms there are.
    const fn width(self) -> usize {
        match self {
            Self::Device => 6,
            Self::Asked | Self::Continued => 4,
            Self::Served => 2,
        }
    }
}

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

/// What a service that a device offers usually gets.
#[derive(Clone, Copy, Debug)]
pub struct ServiceServed<'h> {
    /// As [`ServedBaseline::flows_per_min`].
    pub flows_per_min: Packed<'h>,
    /// As [`ServedBaseline::clients_per_min`].
    pub clients_per_min: Packed<'h>,
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
    let of = [Of::Device, Of::Asked, Of::Continued, Of::Served][usize::from(of).min(3)];
    (of, Service { protocol, port: u16::from_be_bytes([high, low]) })
}

const fn bytes_of((of, Service { protocol, port }): Key) -> [u8; KEY_BYTES] {
    let [high, low] = port.to_be_bytes();
    [of as u8, protocol, high, low]
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

    fn find(&self, key: Key) -> Option<Record<'_>> {
        self.records().find(|record| record.key >= key).filter(|record| record.key == key)
    }

    /// Services of which this was measured.
    pub(super) fn services(&self, of: Of) -> impl Iterator<Item = Service> {
        self.records().filter(move |record| record.key.0 == of).map(|record| record.key.1)
    }

    /// The histogram at a place of the device as a whole.
    pub(super) fn of_device(&self, place: usize) -> Packed<'_> {
        self.find((Of::Device, NONE)).and_then(|record| histograms(record.histograms).nth(place)).unwrap_or_default()
    }

    /// How a service is used.
    pub(super) fn used(&self, of: Of, service: Service) -> Option<ServiceUse<'_>> {
        let record = self.find((of, service))?;
        let mut next = histograms(record.histograms);
        let mut next = || next.next().unwrap_or_default();
        Some(ServiceUse { flows_per_min: next(), bytes_orig: next(), bytes_resp: next(), duration_ms: next() })
    }

    /// How an offered service is used.
    pub(super) fn served(&self, service: Service) -> Option<ServiceServed<'_>> {
        let record = self.find((Of::Served, service))?;
        let mut next = histograms(record.histograms);
        let mut next = || next.next().unwrap_or_default();
        Some(ServiceServed { flows_per_min: next(), clients_per_min: next() })
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
        for record in other.records() {
            let values: Vec<(usize, Counted)> = histograms(record.histograms)
                .enumerate()
                .flat_map(|(place, histogram)| histogram.buckets().map(move |counted| (place, counted)))
                .collect();
            self.add(record.key, &values, most);
        }
    }

    fn add(&mut self, key: Key, values: &[(usize, Counted)], most: usize) {
        let at = self.records().find(|record| record.key >= key);
        let (start, end, old) = match at {
            Some(Record { key: found, start, end, histograms }) if found == key => (start, end, Some(histograms)),
            at if self.services(key.0).nth(most.saturating_sub(1)).is_none() => {
                let start = at.map_or(self.bytes.len(), |record| record.start);
                (start, start, None)
            }
            _ => return,
        };
        let new = record_with(key, old.unwrap_or_default(), values);
        if new.len() == end - start {
            self.bytes[start..end].copy_from_slice(&new);
            return;
        }
        // As long as needed, not longer: most devices are never touched again.
        let mut bytes = Vec::with_capacity(self.bytes.len() - (end - start) + new.len());
        bytes.extend_from_slice(&self.bytes[..start]);
        bytes.extend_from_slice(&new);
        bytes.extend_from_slice(&self.bytes[end..]);
        self.bytes = bytes.into_boxed_slice();
    }

    /// Bytes behind its place in a device's baseline.
    pub(super) const fn heap_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// How a service is used, as a model holds it.
    pub(super) fn stored_use(&self, of: Of) -> impl Iterator<Item = (Service, ServiceBaseline)> {
        self.services(of).filter_map(move |service| {
            let used = self.used(of, service)?;
            let baseline = ServiceBaseline {
                flows_per_min: used.flows_per_min.into(),
                bytes_orig: used.bytes_orig.into(),
                bytes_resp: used.bytes_resp.into(),
                duration_ms: used.duration_ms.into(),
            };
            Some((service, baseline))
        })
    }

    /// How offered services are used, as a model holds it.
    pub(super) fn stored_served(&self) -> impl Iterator<Item = (Service, ServedBaseline)> {
        self.services(Of::Served).filter_map(|service| {
            let served = self.served(service)?;
            let baseline =
                ServedBaseline { flows_per_min: served.flows_per_min.into(), clients_per_min: served.clients_per_min.into() };
            Some((service, baseline))
        })
    }
}

/// Histograms as values to be counted.
pub(super) fn counted_of(histograms: &[&Histogram]) -> Vec<(usize, Counted)> {
    let places = histograms.iter().enumerate();
    places.flat_map(|(place, histogram)| histogram.buckets().map(move |counted| (place, counted))).collect()
}

/// The bytes of a record with these values beside those that it had.
fn record_with(key: Key, old: &[u8], values: &[(usize, Counted)]) -> Vec<u8> {
    let mut body = Vec::with_capacity(old.len() + 8 + values.len() * 4);
    let (mut old, mut scratch, mut other) = (histograms(old), Vec::new(), Vec::new());
    for place in 0..key.0.width() {
        scratch.clear();
        old.next().unwrap_or_default().write(&mut scratch);
        for &(_, counted) in values.iter().filter(|&&(of, _)| of == place) {
            other.clear();
            Packed::of(&scratch).write_with(counted, &mut other);
            std::mem::swap(&mut scratch, &mut other);
        }
        write_number(scratch.len() as u32, &mut body);
        body.extend_from_slice(&scratch);
    }
    let mut record = Vec::with_capacity(body.len() + KEY_BYTES + 2);
    record.extend_from_slice(&bytes_of(key));
    write_number(body.len() as u32, &mut record);
    record.extend_from_slice(&body);
    record
}

#[cfg(test)]
mod tests {
    use super::super::packed::counted;
    use super::*;

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
        assert_eq!(measured.services(Of::Asked).collect::<Vec<_>>(), [WEB, DNS]);
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
        let ports = |of: Of| measured.services(of).map(|service| service.port).collect::<Vec<_>>();
        assert_eq!((ports(Of::Asked), ports(Of::Continued)), (vec![3, 5, 9], vec![5]));
        assert_eq!(measured.used(Of::Asked, Service { protocol: 6, port: 3 }).map(|used| used.flows_per_min.total()), Some(2));
    }
}
