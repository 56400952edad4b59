//! Things that are unusual and harmless, before the split and after it.

use super::dialogue::{Titles, http};
use super::infrastructure::start;
use super::ward::{RESTART_TIME, RESTARTS};
use crate::generator::clock::{MINUTE, SECOND};
use crate::generator::datagram::{Sockets, announce, ask, ping, who_has};
use crate::generator::host::{FILES, HIS, Host, INFRA, LAB, MONITORS, OFFICE, PACS, PRINTER, READING, ULTRASOUND};
use crate::generator::label::benign;
use crate::generator::net::Net;
use crate::generator::protocol::{dicom, name, service};
use crate::generator::tcp::{Call, Side, Tcp};

/// All oddities.
pub fn live(net: &mut Net) {
    for monitor in MONITORS {
        if let Some((_, at)) = RESTARTS.iter().find(|r| r.0 == monitor.number) {
            restart(net, monitor, at + RESTART_TIME);
        }
    }
    restart(net, ULTRASOUND, 263 * MINUTE);
    refused(net, OFFICE[1], HIS, 8443, 68 * MINUTE);
    refused(net, READING[0], FILES, 2222, 153 * MINUTE);
    refused(net, OFFICE[2], HIS, 8443, 221 * MINUTE);
    refused(net, LAB, PACS, 2576, 297 * MINUTE);
    silent_printer(net, OFFICE[0], 84 * MINUTE);
    silent_printer(net, OFFICE[1], 335 * MINUTE);
    rejected(net, 131 * MINUTE);
    rejected(net, 347 * MINUTE);
    misspelt(net, OFFICE[3], 73 * MINUTE);
    misspelt(net, OFFICE[0], 290 * MINUTE);
    administrator_pings(net, 139 * MINUTE);
    administrator_pings(net, 320 * MINUTE);
}

/// A device starts again: lease, announcement, time, its configuration.
fn restart(net: &mut Net, host: Host, at: i64) {
    let mut rng = net.rng(&format!("{} restart", host.name));
    let story = benign("oddity: restart");
    let mut now = start(net, &mut rng, host, at - 20 * SECOND, story);
    announce(net, host, now);
    for target in [INFRA, HIS] {
        now += rng.between(100, 900) * 1_000_000;
        who_has(net, &mut rng, host, target, now, true);
    }
    let sockets = Sockets { from: host.at(), to: INFRA.at(), source: 123, destination: 123 };
    let (question, answer) = (service::ntp(&mut rng, 3), service::ntp(&mut rng, 4));
    now = ask(net, &mut rng, sockets, now + SECOND, story, &question, Some(&answer));
    let call = Call { from: host.at(), to: HIS.at(), port: 8080, at: now + SECOND, story };
    http(net, &mut rng, call, "his.clinic.example", "/device/firmware", 21_000);
}

/// A wrong bookmark: nothing listens there. Tried three times.
fn refused(net: &mut Net, who: Host, server: Host, port: u16, at: i64) {
    let mut rng = net.rng(&format!("{} refused {at}", who.name));
    for i in 0..3 {
        let story = benign("oddity: refused connection");
        let call = Call { from: who.at(), to: server.at(), port, at: at + i * rng.between(1, 9) * SECOND, story };
        Tcp::refused(net, &mut rng, call);
    }
}

/// The printer sleeps and does not answer.
fn silent_printer(net: &mut Net, who: Host, at: i64) {
    let mut rng = net.rng(&format!("{} silent printer", who.name));
    let call = Call { from: who.at(), to: PRINTER.at(), port: 9100, at, story: benign("oddity: no answer") };
    Tcp::unanswered(net, &mut rng, call, 4);
}

/// A reading station with a mistyped title: the archive rejects the association.
fn rejected(net: &mut Net, at: i64) {
    let mut rng = net.rng(&format!("rejected {at}"));
    let call = Call { from: READING[1].at(), to: PACS.at(), port: 11_112, at, story: benign("oddity: rejected association") };
    let titles = Titles { called: "PACS", calling: "READNIG-2" };
    let mut c = Tcp::open(net, &mut rng, call);
    c.say(Side::Client, dicom::associate(titles.called, titles.calling, dicom::VERIFICATION));
    c.wait(4_000_000);
    c.say(Side::Server, dicom::reject());
    c.close(Side::Server);
}

/// A name that does not exist, with the search suffixes that a PC tries.
fn misspelt(net: &mut Net, who: Host, at: i64) {
    let mut rng = net.rng(&format!("{} misspelt", who.name));
    let mut now = at;
    for asked in ["intarnet.clinic-group.example", "intarnet.clinic-group.example.clinic.example", "intarnet"] {
        let id = rng.word();
        let (question, answer) = (name::question(id, asked, name::A), name::nothing(id, asked, name::A, 3));
        let sockets = Sockets { from: who.at(), to: INFRA.at(), source: net.port(&who.at(), &mut rng), destination: 53 };
        now = ask(net, &mut rng, sockets, now, benign("oddity: misspelt name"), &question, Some(&answer)) + SECOND / 4;
    }
}

/// Four pings each at a handful of servers: is the network slow today?
fn administrator_pings(net: &mut Net, at: i64) {
    let mut rng = net.rng(&format!("administrator pings {at}"));
    for (i, server) in [HIS, PACS, FILES].into_iter().enumerate() {
        for n in 0..4 {
            let now = at + (i as i64 * 15 + i64::from(n)) * SECOND;
            ping(net, &mut rng, (OFFICE[3].at(), server.at()), n, now, true, benign("oddity: pings"));
        }
    }
}
