//! From a flow to the rows that may speak of it, without looking at all of them.

use std::collections::HashMap;

use super::row::{ICMP, Port, Protocol, Row};
use super::truth::FlowTuple;
use crate::wire::Addr;

/// Both ends in order, and the protocol.
type FiveTuple = ([(Addr, u16); 2], u8);

/// Rows by what they name. Row numbers, in the order in which the rows are asked.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// Rows that name a whole five-tuple.
    exact: HashMap<FiveTuple, Vec<u32>>,
    /// ICMP rows that name both addresses and no ports.
    icmp: HashMap<[Addr; 2], Vec<u32>>,
    /// ICMP rows that name both addresses and something as a port, grouped by that: asked when the former know nothing of
    /// the two addresses.
    icmp_ported: HashMap<[Addr; 2], Vec<IcmpGroup>>,
    /// Rows that leave something open, by the address that they name.
    loose: HashMap<Addr, Vec<u32>>,
    /// Rows that name no address.
    anywhere: Vec<u32>,
}

/// ICMP rows with the same texts in their port columns, as (address, text) in order.
#[derive(Debug)]
struct IcmpGroup {
    ends: [(Addr, Port); 2],
    rows: Vec<u32>,
}

fn ordered<T: Ord>(a: T, b: T) -> [T; 2] {
    if a <= b { [a, b] } else { [b, a] }
}

impl Index {
    /// Adds row number `at`.
    pub fn add(&mut self, at: u32, row: &Row) {
        let named = row.src.zip(row.dst);
        match (named, row.protocol, row.src_port, row.dst_port) {
            (Some((src, dst)), Protocol::Is(ICMP), Port::Any, Port::Any) => {
                self.icmp.entry(ordered(src, dst)).or_default().push(at);
            }
            (Some((src, dst)), Protocol::Is(ICMP), x, y) => {
                let groups = self.icmp_ported.entry(ordered(src, dst)).or_default();
                let ends = ordered((src, x), (dst, y));
                match groups.iter_mut().find(|group| group.ends == ends) {
                    Some(group) => group.rows.push(at),
                    None => groups.push(IcmpGroup { ends, rows: vec![at] }),
                }
            }
            (Some((src, dst)), Protocol::Is(number), Port::Is(x), Port::Is(y)) => {
                self.exact.entry((ordered((src, x), (dst, y)), number)).or_default().push(at);
            }
            (_, Protocol::None, ..) => {}
            _ => match row.src.or(row.dst) {
                Some(address) => self.loose.entry(address).or_default().push(at),
                None => self.anywhere.push(at),
            },
        }
    }

    /// Calls `see` with each row that fits the flow, whatever its time: rows with a whole five-tuple first.
    pub fn fitting(&self, flow: &FlowTuple, rows: &[Row], mut see: impl FnMut(u32)) {
        let number = Protocol::number(flow.protocol);
        if number == ICMP {
            let ends = ordered(flow.src, flow.dst);
            match self.icmp.get(&ends) {
                Some(plain) => plain.iter().copied().for_each(&mut see),
                None => self.icmp_ported.get(&ends).into_iter().flatten().flat_map(|g| &g.rows).copied().for_each(&mut see),
            }
        } else {
            let key = (ordered((flow.src, flow.src_port), (flow.dst, flow.dst_port)), number);
            self.exact.get(&key).into_iter().flatten().copied().for_each(&mut see);
        }
        if self.loose.is_empty() && self.anywhere.is_empty() {
            return;
        }
        let of = |address: Addr| self.loose.get(&address).into_iter().flatten().copied();
        let mut loose: Vec<u32> = of(flow.src).chain(of(flow.dst)).chain(self.anywhere.iter().copied()).collect();
        loose.sort_unstable();
        loose.dedup();
        loose.into_iter().filter(|&at| rows.get(at as usize).is_some_and(|row| fits(row, flow, number))).for_each(see);
    }
}

/// Does a row that leaves something open fit the flow, either way round? An ICMP flow has no ports that could fit one.
fn fits(row: &Row, flow: &FlowTuple, number: u8) -> bool {
    if row.protocol != Protocol::Any && row.protocol != Protocol::Is(number) {
        return false;
    }
    let end = |address: Option<Addr>, port: Port, is: Addr, is_port: u16| {
        address.is_none_or(|address| address == is) && (port == Port::Any || number != ICMP && port == Port::Is(is_port))
    };
    end(row.src, row.src_port, flow.src, flow.src_port) && end(row.dst, row.dst_port, flow.dst, flow.dst_port)
        || end(row.src, row.src_port, flow.dst, flow.dst_port) && end(row.dst, row.dst_port, flow.src, flow.src_port)
}
