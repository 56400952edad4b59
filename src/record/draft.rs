//! A record as it was read, before its place in the order is known.

use super::error::Wrong;
use super::field::{address, any, application, moment, port, protocol};
use super::format::{DST, PROTO, SRC, START};
use super::kind::RecordKind;
use super::row::Row;
use crate::app::{App, Basis, Events, Ports};
use crate::feature::{COUNT, Observation};
use crate::flow::{
    ConnState, DirectionBasis, EndReason, FIRST_SIZES, FlowKey, FlowRecord, Fragments, History, HomeNets, SideStats, Sight,
    is_group,
};
use crate::pipeline::Emitted;
use crate::time::{Span, Timestamp};
use crate::wire::{Addr, TcpFlags};

/// Protocol number of TCP.
pub(super) const TCP: u8 = 6;
/// Bits of an identifier, so that JSON keeps it.
const ID_BITS: u32 = 53;

/// A flow record and what else its line tells.
#[derive(Debug)]
pub(super) struct Draft {
    /// The flow.
    pub record: Box<FlowRecord>,
    /// What it can know.
    pub kind: RecordKind,
    /// Features that were told, in their order; none of them where the line has no features.
    pub features: Option<Box<[Option<f32>; COUNT]>>,
}

impl Draft {
    /// What a consumer takes, known at `seen`.
    pub(super) fn emit(self, seen: Timestamp, home: &HomeNets) -> Emitted {
        let mut observation = Observation::of(&self.record, seen, home);
        if let Some(features) = self.features {
            let told = observation.vector.iter_mut().zip(features.iter());
            told.for_each(|(value, told)| *value = told.unwrap_or(*value));
        }
        Emitted { record: self.record, observation: Box::new(observation), found: None }
    }
}

/// Who talked with whom, and when.
pub(super) struct Ends {
    pub src: (Addr, u16),
    pub dst: (Addr, u16),
    pub protocol: u8,
    pub start: Timestamp,
    pub end: Timestamp,
}

impl Ends {
    /// Reads what every record must say. The end is the first of these names, else the start and `duration`, else the start.
    pub(super) fn read(
        row: &dyn Row,
        ports: [&[&'static str]; 2],
        end: &[&'static str],
        duration: Option<Span>,
    ) -> Result<Self, Wrong> {
        let (src, dst, protocol) = (address(row, &SRC)?, address(row, &DST)?, protocol(row, &PROTO)?);
        let start = moment(row, &START)?.ok_or_else(|| Wrong::missing("start", "epoch seconds or RFC 3339"))?;
        let end_told = moment(row, end)?;
        let end_at = end_told.unwrap_or_else(|| start + duration.unwrap_or(Span::ZERO));
        if end_at < start {
            let (name, text) = any(row, end).unwrap_or_default();
            return Err(Wrong::new(name, "a time that is not before the start", &text));
        }
        let [src_port, dst_port] = [port(row, ports[0])?, port(row, ports[1])?];
        Ok(Self { src: (src, src_port), dst: (dst, dst_port), protocol, start, end: end_at })
    }

    /// A record of these ends of which nothing else is known yet.
    pub(super) fn record(&self) -> Box<FlowRecord> {
        let (key, orig_is_low) = FlowKey::of_ends(self.src, self.dst, self.protocol);
        let still = SideStats { first: self.start, last: self.start, ..SideStats::default() };
        let direction = if is_group(self.dst.0) { DirectionBasis::Group } else { DirectionBasis::FirstPacket };
        Box::new(FlowRecord {
            key,
            orig_is_low,
            id: 0,
            segment: 0,
            reason: EndReason::Idle,
            sight: Sight::Whole,
            looked_at: None,
            direction,
            state: ConnState::Oth,
            history: History::default(),
            under_way: false,
            fragments: Fragments::default(),
            icmp_error: None,
            quoted: None,
            start: self.start,
            end: self.end,
            orig: still.clone(),
            resp: still,
            turns: 0,
            first_sizes: [0; FIRST_SIZES],
            response_delay: None,
            app: (App::Unknown, Basis::None),
            facts: None,
            events: Events::default(),
            told_events: Events::default(),
            macs: [[0; 6]; 2],
            vlans: [0; 2],
            tunnel: None,
        })
    }

    /// The application that was named, of several the first that is known; else that of the ports.
    pub(super) fn app(&self, named: Option<&str>) -> (App, Basis) {
        let told = named.into_iter().flat_map(|names| names.split(',')).find_map(application);
        let by_port = || Ports { protocol: self.protocol, orig: self.src.1, resp: self.dst.1 }.app();
        match (told, by_port) {
            (Some(app), _) => (app, Basis::Content),
            (None, by_port) => match by_port() {
                App::Unknown => (App::Unknown, Basis::None),
                app => (app, Basis::Port),
            },
        }
    }
}

/// The same identifier in every run for a record that has none: of its key, its start and what else tells it apart (FNV-1a).
pub(super) fn identifier(record: &FlowRecord, name: &str) -> u64 {
    let start = record.start.nanos().to_le_bytes();
    let bytes = record.key.hash().to_le_bytes().into_iter().chain(start).chain(name.bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    hash >> (u64::BITS - ID_BITS)
}

/// Puts flags that a side was seen with into its statistics, once each.
pub(super) fn flags(side: &mut SideStats, flags: u8) {
    let has = |flag: TcpFlags| u32::from(TcpFlags(flags).has(flag));
    side.flags = flags;
    (side.syn, side.fin, side.rst) = (has(TcpFlags::SYN), has(TcpFlags::FIN), has(TcpFlags::RST));
}

/// How a connection ended whose sides were seen with these flags.
pub(super) fn state_of(orig: &SideStats, resp: &SideStats) -> ConnState {
    match (orig.syn > 0, resp.syn > 0) {
        (true, true) if orig.rst > 0 => ConnState::Rsto,
        (true, true) if resp.rst > 0 => ConnState::Rstr,
        (true, true) => match (orig.fin > 0, resp.fin > 0) {
            (true, true) => ConnState::Sf,
            (true, false) => ConnState::S2,
            (false, true) => ConnState::S3,
            (false, false) => ConnState::S1,
        },
        (true, false) if resp.rst > 0 => ConnState::Rej,
        (true, false) if resp.packets > 0 => ConnState::Oth,
        (true, false) if orig.rst > 0 => ConnState::Rstos0,
        (true, false) if orig.fin > 0 => ConnState::Sh,
        (true, false) => ConnState::S0,
        (false, true) if resp.rst > 0 => ConnState::Rstrh,
        (false, true) if resp.fin > 0 => ConnState::Shr,
        (false, _) => ConnState::Oth,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn side(packets: u64, bits: u8) -> SideStats {
        let mut side = SideStats { packets, ..SideStats::default() };
        flags(&mut side, bits);
        side
    }

    #[test]
    fn flags_tell_how_a_connection_ended() {
        for (orig, resp, want) in [
            ((3, 0x02), (0, 0x00), ConnState::S0),
            ((1, 0x02), (1, 0x14), ConnState::Rej),
            ((5, 0x1b), (4, 0x1b), ConnState::Sf),
            ((5, 0x1a), (4, 0x1a), ConnState::S1),
            ((5, 0x1e), (4, 0x1a), ConnState::Rsto),
            ((5, 0x1a), (4, 0x1e), ConnState::Rstr),
            ((2, 0x06), (0, 0x00), ConnState::Rstos0),
            ((5, 0x18), (4, 0x18), ConnState::Oth),
            ((0, 0x00), (2, 0x16), ConnState::Rstrh),
        ] {
            assert_eq!(state_of(&side(orig.0, orig.1), &side(resp.0, resp.1)), want, "{orig:?} {resp:?}");
        }
    }
}
