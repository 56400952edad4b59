//! Devices by which others are administered.

use std::collections::BTreeSet;

use crate::feature::{Host, Observation};
use crate::flow::Service;
use crate::model::{Baselines, Edge, Family as _, HostBaseline};

/// SSH, Telnet, remote desktops (RDP, VNC) and WinRM: where somebody sits at another device. What all log in to every day, as shares, is none.
const CONSOLES: [u16; 6] = [22, 23, 3389, 5900, 5985, 5986];
/// Devices at home at which one must have sat.
const DEVICES: usize = 3;

/// Were others administered by a device while it was learned?
pub(super) fn administers(host: Host, baselines: &Baselines) -> bool {
    baselines.host(host).is_some_and(|known| sits_at_several(known, host, baselines))
}

/// Does a device that sat at several others sit at one by a console that it used before?
pub(super) fn is_its_work(seen: &Observation, orig: &HostBaseline, baselines: &Baselines) -> bool {
    let is_console = seen.service.protocol == 6 && CONSOLES.contains(&seen.service.port);
    is_console && orig.services.contains(seen.service) && sits_at_several(orig, seen.orig, baselines)
}

fn sits_at_several(known: &HostBaseline, itself: Host, baselines: &Baselines) -> bool {
    let consoles = CONSOLES.map(|port| Service { protocol: 6, port });
    let is_at_home = |peer: &Host| baselines.host(*peer).is_some_and(|peer| peer.local);
    let at = |service: &Service| {
        let edges = Edge { service: *service, peer: itself }.family();
        known.edges.range(&edges).map(|(edge, _)| edge.peer).filter(is_at_home).collect::<Vec<_>>()
    };
    known.local && consoles.iter().flat_map(at).collect::<BTreeSet<Host>>().len() >= DEVICES
}

#[cfg(test)]
mod tests {
    use super::super::testing::{LATER_MS, flow, host, taught_by};
    use super::*;
    use crate::time::Timestamp;

    #[test]
    fn who_sits_at_several_devices_administers_them() {
        // Device 1 logs in to devices 101 to 104, device 2 to two of them, device 3 opens shares of all.
        let minutes = (0..120).flat_map(|minute| (101..=104_u8).map(move |to| (minute * 60_000 + i64::from(to), to)));
        let flows = minutes.flat_map(|(at, to)| {
            let port = if to % 2 == 0 { 22 } else { 3389 };
            let by = [(1, port), (3, 445)].into_iter().chain((to < 103).then_some((2, port)));
            by.map(|(from, port)| flow(at, from, to, port, true).1).collect::<Vec<_>>()
        });
        let knowledge = taught_by(flows.collect(), 1e-6);
        let baselines = knowledge.baselines(Timestamp::from_parts(LATER_MS / 1000, 0));
        assert_eq!([1, 2, 3, 101, 77].map(|device| administers(host(device), baselines)), [true, false, false, false, false]);
        let by = |device: u8, port: u16| {
            is_its_work(&flow(LATER_MS, device, 120, port, true).1, baselines.host(host(device)).unwrap(), baselines)
        };
        assert_eq!([by(1, 22), by(1, 3389), by(1, 5900), by(2, 22), by(3, 445)], [true, true, false, false, false]);
    }
}
