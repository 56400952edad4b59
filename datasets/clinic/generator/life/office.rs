//! People at their desks: web, records, files, printing, and the administrator.

use super::dialogue::{Lookup, ask_resolver, http, https, look_up};
use crate::generator::clock::{MILLI, MINUTE, SECOND, SPAN, people, period};
use crate::generator::datagram::moment;
use crate::generator::host::{BROKER, FILES, HIS, Host, INFRA, NEW_SITES, OFFICE, PACS, PRINTER, SITES, Site};
use crate::generator::label::{Story, benign};
use crate::generator::net::Net;
use crate::generator::protocol::smb::{self, command};
use crate::generator::protocol::{name, service};
use crate::generator::random::Rng;
use crate::generator::tcp::{Call, Filler, Message, Side, Tcp};

/// Everything in the office.
pub fn live(net: &mut Net) {
    for pc in OFFICE {
        browse(net, pc);
        records(net, pc);
        files(net, pc);
        print(net, pc);
    }
    administer(net);
    new_site(net, &OFFICE[1], &NEW_SITES[0], 96 * MINUTE);
    new_site(net, &OFFICE[1], &NEW_SITES[1], 258 * MINUTE);
    download(net, OFFICE[3], 121 * MINUTE);
    download(net, OFFICE[1], 304 * MINUTE);
}

/// Pages: a look-up, one to three connections, a few requests each. The first sites are the most visited.
fn browse(net: &mut Net, pc: Host) {
    let mut rng = net.rng(&format!("{} web", pc.name));
    for at in people(&mut rng, 7 * MINUTE) {
        let site = SITES[rng.size(0, SITES.len() - 1).min(rng.size(0, SITES.len() - 1))];
        visit(net, &mut rng, &pc, &site, at, benign("web"));
    }
    for at in period(&mut rng, 28 * MINUTE, 0.1, 0, SPAN) {
        let site = SITES[8];
        let then = look_up(net, &mut rng, pc, &site, at, benign("dns")) + moment(&mut rng);
        let call = Call { from: pc.at(), to: site.at(), port: 443, at: then, story: benign("telemetry") };
        let bytes = rng.size(1_000, 6_000);
        https(net, &mut rng, call, site.name, &[(0, bytes, 400)]);
    }
}

fn visit(net: &mut Net, rng: &mut Rng, pc: &Host, site: &Site, at: i64, story: Story) {
    let mut now = look_up(net, rng, *pc, site, at, if story.detail == "web" { benign("dns") } else { story });
    for _ in 0..rng.between(1, 2) {
        now += rng.between(5, 60) * MILLI;
        let requests: Vec<(i64, usize, usize)> = (0..rng.between(1, 3))
            .map(|i| (i * rng.exponential(3 * SECOND), rng.size(400, 1_200), rng.heavy(site.answer_bytes)))
            .collect();
        let call = Call { from: pc.at(), to: site.at(), port: 443, at: now, story };
        https(net, rng, call, site.name, &requests);
    }
}

/// A site that nobody here has visited before.
fn new_site(net: &mut Net, pc: &Host, site: &Site, at: i64) {
    let mut rng = net.rng(site.name);
    visit(net, &mut rng, pc, site, at, benign("web, a new site"));
}

/// A software update of some megabytes.
fn download(net: &mut Net, pc: Host, at: i64) {
    let mut rng = net.rng(&format!("{} update", pc.name));
    let site = SITES[7];
    let then = look_up(net, &mut rng, pc, &site, at, benign("dns")) + moment(&mut rng);
    let call = Call { from: pc.at(), to: site.at(), port: 443, at: then, story: benign("software update") };
    https(net, &mut rng, call, site.name, &[(0, 900, 1_000_000), (2 * SECOND, 900, 200_000)]);
}

/// The hospital information system in the browser, over IPv6 from one of the PCs.
fn records(net: &mut Net, pc: Host) {
    let mut rng = net.rng(&format!("{} records", pc.name));
    for at in people(&mut rng, 9 * MINUTE) {
        let id = rng.word();
        let question = name::question(id, "his.clinic.example", name::A);
        let answer = name::answer(id, "his.clinic.example", name::A, 60, &HIS.v4());
        let then =
            ask_resolver(net, &mut rng, pc, Lookup { question: &question, answer: &answer, forward: false }, at, benign("dns"));
        let (from, to) = if pc.number == OFFICE[1].number { (pc.at6(), HIS.at6()) } else { (pc.at(), HIS.at()) };
        let call = Call { from, to, port: 443, at: then + moment(&mut rng), story: benign("records") };
        let requests: Vec<(i64, usize, usize)> =
            (0..rng.between(1, 4)).map(|_| (rng.exponential(8 * SECOND), rng.size(300, 2_000), rng.heavy(6_000))).collect();
        https(net, &mut rng, call, "his.clinic.example", &requests);
    }
}

/// One SMB request and its answer.
fn smb_step(c: &mut Tcp<'_>, rng: &mut Rng, what: u16, asked: usize, answered: usize) {
    let number = c.now as u64 / 1_000_000;
    c.say(Side::Client, smb::message(what, number, false, asked));
    c.wait(rng.exponential(2 * MILLI));
    c.say(Side::Server, smb::message(what, number, true, answered));
}

/// Connects to the share.
pub fn mount<'n>(net: &'n mut Net, rng: &mut Rng, call: Call) -> Tcp<'n> {
    let mut c = Tcp::open(net, rng, call);
    for (what, asked, answered) in
        [(command::NEGOTIATE, 110, 240), (command::SESSION_SETUP, 420, 310), (command::TREE_CONNECT, 60, 16)]
    {
        smb_step(&mut c, rng, what, asked, answered);
    }
    c
}

/// Opens a file, reads or writes all of it, closes it.
pub fn file(c: &mut Tcp<'_>, rng: &mut Rng, bytes: usize, write: bool) {
    smb_step(c, rng, command::CREATE, 150, 152);
    if write {
        smb_step(c, rng, command::WRITE, bytes, 16);
    } else {
        smb_step(c, rng, command::READ, 49, bytes);
    }
    smb_step(c, rng, command::CLOSE, 24, 60);
}

/// Renames a file.
pub fn rename(c: &mut Tcp<'_>, rng: &mut Rng) {
    smb_step(c, rng, command::SET_INFO, 120, 2);
}

/// A letter opened, a table saved: some minutes on the share.
fn files(net: &mut Net, pc: Host) {
    let mut rng = net.rng(&format!("{} files", pc.name));
    for at in people(&mut rng, 20 * MINUTE) {
        let call = Call { from: pc.at(), to: FILES.at(), port: 445, at, story: benign("files") };
        let mut c = mount(net, &mut rng, call);
        smb_step(&mut c, &mut rng, command::QUERY_DIRECTORY, 40, 2_200);
        for _ in 0..rng.between(1, 4) {
            c.wait(rng.exponential(25 * SECOND));
            let (bytes, write) = (smb::file_bytes(&mut rng), rng.chance(0.3));
            file(&mut c, &mut rng, bytes, write);
        }
        c.wait(rng.exponential(20 * SECOND));
        c.close(Side::Client);
    }
}

fn print(net: &mut Net, pc: Host) {
    let mut rng = net.rng(&format!("{} printing", pc.name));
    for at in people(&mut rng, 45 * MINUTE) {
        let call = Call { from: pc.at(), to: PRINTER.at(), port: 9100, at, story: benign("printing") };
        let bytes = rng.heavy(60_000);
        let mut c = Tcp::open(net, &mut rng, call);
        c.say(Side::Client, Message::new(service::print_job(rng.between(1, 900)), bytes, Filler::Text));
        c.wait(rng.between(200, 900) * MILLI);
        c.close(Side::Client);
    }
    for at in people(&mut rng, 120 * MINUTE) {
        let call = Call { from: pc.at(), to: PRINTER.at(), port: 80, at, story: benign("printer status") };
        http(net, &mut rng, call, "printer.clinic.example", "/status", 3_400);
    }
}

/// An SSH session up to the log-in: banners, key exchange, `attempts` passwords.
pub fn ssh_log_in<'n>(net: &'n mut Net, rng: &mut Rng, call: Call, software: &str, attempts: i64, pause: i64) -> Tcp<'n> {
    let mut c = Tcp::open(net, rng, call);
    c.say(Side::Client, service::ssh_banner(software));
    c.wait(moment(rng));
    c.say(Side::Server, service::ssh_banner("OpenSSH_9.6"));
    c.say(Side::Client, service::ssh_offer(rng));
    c.say(Side::Server, service::ssh_offer(rng));
    c.wait(moment(rng));
    c.say(Side::Client, service::ssh_packet(30, &[rng.cipher_bytes(32)]));
    c.wait(moment(rng));
    let key = [&b"\0\0\0\x0bssh-ed25519\0\0\0\x20"[..], &rng.cipher_bytes(32)].concat();
    let reply = service::ssh_packet(31, &[key, rng.cipher_bytes(32), rng.cipher_bytes(83)]);
    c.say(Side::Server, [reply, service::ssh_packet(21, &[])].concat());
    c.wait(moment(rng));
    c.say(Side::Client, [service::ssh_packet(21, &[]), rng.cipher_bytes(68)].concat());
    c.say(Side::Server, rng.cipher_bytes(52));
    for _ in 0..attempts {
        c.wait(rng.around(pause, 0.3));
        c.say(Side::Client, rng.cipher_bytes(148));
        c.wait(rng.between(300, 1_900) * MILLI);
        c.say(Side::Server, rng.cipher_bytes(52));
    }
    c
}

/// The administrator on the servers: keys pressed, lines shown.
fn administer(net: &mut Net) {
    let mut rng = net.rng("administrator");
    for at in people(&mut rng, 34 * MINUTE) {
        let server = *rng.pick(&[HIS, INFRA, BROKER, PACS, FILES]);
        let call = Call { from: OFFICE[3].at(), to: server.at(), port: 22, at, story: benign("administration") };
        let attempts = if rng.chance(0.15) { 2 } else { 1 };
        let mut c = ssh_log_in(net, &mut rng, call, "OpenSSH_for_Windows_9.5", attempts, 3 * SECOND);
        for _ in 0..rng.between(20, 90) {
            c.wait(rng.exponential(1_500 * MILLI));
            c.say(Side::Client, rng.cipher_bytes(36));
            c.say(Side::Server, rng.cipher_bytes(36));
            if rng.chance(0.12) {
                c.wait(rng.exponential(30 * MILLI));
                let bytes = rng.heavy(900);
                c.say(Side::Server, Message::new(rng.cipher_bytes(16), bytes, Filler::Noise));
            }
        }
        c.close(Side::Client);
    }
}
