//! Observations as bytes, for what the same version of the program reads again: little endian, some 200 bytes each.

use std::sync::LazyLock;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{COUNT, Fact, FactKind, Host, Observation};
use crate::app::{Accounts, App, Events};
use crate::flow::{Service, Sight};
use crate::time::Timestamp;
use crate::wire::{Addr, Mac};

/// Kinds of facts by their number.
static KINDS: LazyLock<Vec<FactKind>> = LazyLock::new(|| FactKind::all().collect());
/// Which features are not 0 is told by the bits of one number.
const _: () = assert!(COUNT <= 64);

/// Appends an observation.
pub fn pack(seen: &Observation, out: &mut Vec<u8>) {
    // Whole, so that a new field is not forgotten.
    let Observation {
        seen: seen_at,
        first_seen,
        start,
        end,
        orig,
        resp,
        macs,
        leased,
        orig_local,
        resp_local,
        service,
        app,
        facts,
        sight,
        failed,
        events,
        under_way,
        turned,
        continued,
        passed_on,
        crossed_router,
        vector,
    } = seen;
    let told = [*orig_local, *resp_local, *failed, *under_way, *continued, *passed_on, orig.0.is_v4(), resp.0.is_v4()];
    out.push(told.iter().fold(0, |bits, &bit| bits << 1 | u8::from(bit)));
    let more = [leased[0], leased[1], turned.is_some(), *crossed_router];
    out.push(more.iter().rev().fold(0, |bits, &bit| bits << 1 | u8::from(bit)) << 2 | *sight as u8);
    [seen_at, first_seen, start, end].iter().for_each(|at| out.extend(at.nanos().to_le_bytes()));
    [orig, resp].iter().for_each(|host| pack_address(host.0, out));
    macs.iter().for_each(|mac| out.extend(mac.0));
    out.push(service.protocol);
    out.extend(service.port.to_le_bytes());
    out.extend(turned.iter().flat_map(|turned| turned.port.to_le_bytes()));
    out.push(app.index() as u8);
    out.extend(events.login_failures.to_le_bytes());
    out.extend(events.file_changes.to_le_bytes());
    out.extend(events.names_missing.to_le_bytes());
    out.extend(events.refusals.to_le_bytes());
    out.extend(events.accounts.refused.to_le_bytes());
    out.extend(events.accounts.admitted.to_le_bytes());
    // The applications bound their lists to far fewer.
    let facts = &facts[..facts.len().min(usize::from(u16::MAX))];
    out.extend((facts.len() as u16).to_le_bytes());
    for &Fact { kind, hash } in facts {
        out.push(kind as u8);
        out.extend(hash.to_le_bytes());
    }
    let is_set = |place: &usize| vector[*place].to_bits() != 0;
    out.extend((0..COUNT).filter(is_set).fold(0_u64, |set, place| set | 1 << place).to_le_bytes());
    (0..COUNT).filter(is_set).for_each(|place| out.extend(vector[place].to_le_bytes()));
}

fn pack_address(address: Addr, out: &mut Vec<u8>) {
    if address.is_v4() {
        out.extend((address.bits() as u32).to_be_bytes());
    } else {
        out.extend(address.bits().to_be_bytes());
    }
}

/// Takes an observation off the front; none where these bytes are no such thing.
pub fn unpack(bytes: &mut &[u8]) -> Option<Observation> {
    let told = take::<1>(bytes)?[0];
    let [orig_local, resp_local, failed, under_way, continued, passed_on, orig_v4, resp_v4] =
        std::array::from_fn(|place| told >> (7 - place) & 1 == 1);
    let sight = take::<1>(bytes)?[0];
    let (leased, is_turned, crossed_router) = ([sight & 4 != 0, sight & 8 != 0], sight & 16 != 0, sight & 32 != 0);
    let sight = match sight & !0b11_1100 {
        0 => Sight::Whole,
        1 => Sight::Early,
        2 => Sight::Again,
        3 => Sight::Between,
        _ => return None,
    };
    let mut time = || take(bytes).map(|nanos| Timestamp::from_nanos(i64::from_le_bytes(nanos)));
    let [seen, first_seen, start, end] = [time()?, time()?, time()?, time()?];
    let [orig, resp] = [unpack_address(orig_v4, bytes)?, unpack_address(resp_v4, bytes)?].map(Host);
    let macs = [take(bytes)?, take(bytes)?].map(Mac);
    let service = Service { protocol: take::<1>(bytes)?[0], port: u16::from_le_bytes(take(bytes)?) };
    let turned = if is_turned { Some(Service { port: u16::from_le_bytes(take(bytes)?), ..service }) } else { None };
    let app = *App::ALL.get(usize::from(take::<1>(bytes)?[0]))?;
    let mut count = || take(bytes).map(u32::from_le_bytes);
    let [login_failures, file_changes, names_missing, refusals] = [count()?, count()?, count()?, count()?];
    let accounts = Accounts { refused: count()?, admitted: count()? };
    let mut facts = Vec::new();
    for _ in 0..u16::from_le_bytes(take(bytes)?) {
        let kind = *KINDS.get(usize::from(take::<1>(bytes)?[0]))?;
        facts.push(Fact { kind, hash: u64::from_le_bytes(take(bytes)?) });
    }
    let set = u64::from_le_bytes(take(bytes)?);
    let mut vector = [0.0; COUNT];
    for (place, value) in vector.iter_mut().enumerate() {
        if set >> place & 1 == 1 {
            *value = f32::from_le_bytes(take(bytes)?);
        }
    }
    let events = Events { login_failures, file_changes, names_missing, refusals, accounts };
    Some(Observation {
        seen,
        first_seen,
        start,
        end,
        orig,
        resp,
        macs,
        leased,
        orig_local,
        resp_local,
        service,
        app,
        facts,
        sight,
        failed,
        events,
        under_way,
        turned,
        continued,
        passed_on,
        crossed_router,
        vector,
    })
}

impl Serialize for Observation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut bytes = Vec::with_capacity(256);
        pack(self, &mut bytes);
        bytes.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Observation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = Vec::<u8>::deserialize(deserializer)?;
        let mut rest = bytes.as_slice();
        unpack(&mut rest).filter(|_| rest.is_empty()).ok_or_else(|| D::Error::custom("bytes that are no observation"))
    }
}

fn unpack_address(is_v4: bool, bytes: &mut &[u8]) -> Option<Addr> {
    if is_v4 { take(bytes).map(Addr::v4) } else { take(bytes).map(Addr::v6) }
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*taken)
}

#[cfg(test)]
pub mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Observations of any content.
    pub fn observation() -> impl Strategy<Value = Observation> {
        let address = || {
            let v4 = any::<[u8; 4]>().prop_map(Addr::v4);
            prop_oneof![v4, any::<[u8; 16]>().prop_map(Addr::v6)].prop_map(Host)
        };
        let fact = (0..KINDS.len(), any::<u64>()).prop_map(|(kind, hash)| Fact { kind: KINDS[kind], hash });
        let sight = prop_oneof![Just(Sight::Whole), Just(Sight::Early), Just(Sight::Again), Just(Sight::Between)];
        let value = prop_oneof![Just(0.0), Just(-0.0), any::<f32>()];
        let ends = (address(), address(), any::<[[u8; 6]; 2]>(), any::<[bool; 9]>());
        let app = (any::<(u8, u16, Option<u16>)>(), 0..App::ALL.len(), prop::collection::vec(fact, 0..4), any::<[u32; 4]>());
        let vector = prop::collection::vec(value, COUNT);
        (any::<[i64; 4]>(), ends, app, sight, vector).prop_map(|(times, ends, (service, app, facts, events), sight, values)| {
            let (
                orig,
                resp,
                macs,
                [orig_local, resp_local, failed, under_way, continued, passed_on, leased @ .., crossed_router],
            ) = ends;
            let [seen, first_seen, start, end] = times.map(Timestamp::from_nanos);
            let mut vector = [0.0; COUNT];
            vector.copy_from_slice(&values);
            Observation {
                seen,
                first_seen,
                start,
                end,
                orig,
                resp,
                macs: macs.map(Mac),
                leased,
                orig_local,
                resp_local,
                service: Service { protocol: service.0, port: service.1 },
                app: App::ALL[app],
                facts,
                sight,
                failed,
                events: Events {
                    login_failures: events[0],
                    file_changes: events[1],
                    names_missing: events[2],
                    refusals: events[3],
                    accounts: Accounts { refused: events[0] << 9, admitted: events[1] << 7 },
                },
                under_way,
                turned: service.2.map(|port| Service { protocol: service.0, port }),
                continued,
                passed_on,
                crossed_router,
                vector,
            }
        })
    }

    /// All of it as text; the features as their bits, because one may be no number.
    pub fn told(seen: &Observation) -> String {
        format!("{seen:?} {:?}", seen.vector.map(f32::to_bits))
    }

    proptest! {
        #[test]
        fn what_is_unpacked_is_what_was_packed(observations in prop::collection::vec(observation(), 1..4)) {
            let mut bytes = Vec::new();
            observations.iter().for_each(|seen| pack(seen, &mut bytes));
            let mut rest = bytes.as_slice();
            for seen in &observations {
                prop_assert_eq!(told(&unpack(&mut rest).unwrap()), told(seen));
            }
            prop_assert!(rest.is_empty());
        }

        #[test]
        fn any_bytes_are_unpacked_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let mut rest = bytes.as_slice();
            while unpack(&mut rest).is_some() {}
        }

        #[test]
        fn what_is_cut_is_refused(seen in observation(), cut in 1..1000_usize) {
            let mut bytes = Vec::new();
            pack(&seen, &mut bytes);
            let kept = bytes.len() - 1 - cut % bytes.len();
            prop_assert!(unpack(&mut &bytes[..kept]).is_none());
        }
    }
}
