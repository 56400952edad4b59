//! Attacks inside the clinic: scan, guessed passwords, encrypted files, flood, a device that nobody knows.

use crate::generator::clock::{MILLI, MINUTE, SECOND};
use crate::generator::datagram::{announce, ping, who_has};
use crate::generator::host::{BROKER, FILES, HIS, Host, INFRA, OFFICE, PACS, PRINTER, ROGUE, ROUTER, SITES, residents};
use crate::generator::label::{Story, attack};
use crate::generator::life;
use crate::generator::net::Net;
use crate::generator::protocol::smb;
use crate::generator::random::Rng;
use crate::generator::tcp::{Call, Side, Tcp};

/// What listens on a host.
fn listens(host: Host, port: u16) -> bool {
    let open: &[u16] = match host.number {
        n if n == HIS.number => &[22, 443, 2575, 8080],
        n if n == PACS.number => &[22, 2575, 11_112],
        n if n == FILES.number => &[22, 445, 873],
        n if n == BROKER.number => &[22, 1883],
        n if n == INFRA.number => &[22, 53],
        n if n == PRINTER.number => &[80, 9100],
        n if n == ROUTER.number => &[443],
        15 | 16 => &[11_113],
        61..=64 => &[445],
        _ => &[],
    };
    open.contains(&port)
}

/// Knocks at one port and hangs up at once.
fn knock(net: &mut Net, rng: &mut Rng, from: Host, to: Host, port: u16, at: i64, story: Story) {
    let call = Call { from: from.at(), to: to.at(), port, at, story };
    if listens(to, port) {
        let mut c = Tcp::open(net, rng, call);
        c.wait(rng.between(1, 4) * MILLI);
        c.reset(Side::Client);
    } else if from.number == ROGUE.number && to.number >= 60 {
        // The PCs' own filters drop what comes from a stranger.
        Tcp::unanswered(net, rng, call, 1);
    } else {
        Tcp::refused(net, rng, call);
    }
}

/// office-3 knocks at some 600 ports of three servers within three minutes.
pub fn port_scan(net: &mut Net, at: i64) {
    let mut rng = net.rng("port scan");
    let story = attack("port-scan");
    let mut now = at;
    let mut doors: Vec<(Host, u16)> = Vec::new();
    for target in [HIS, PACS, FILES] {
        doors.extend((1..=560).map(|port| (target, port)));
        doors.extend([873, 1433, 1521, 1883, 2575, 3306, 3389, 5432, 5900, 8080, 8443, 9100, 11_112].map(|port| (target, port)));
        doors.extend((0..30).map(|_| (target, rng.between(1_024, 20_000) as u16)));
    }
    for i in (1..doors.len()).rev() {
        doors.swap(i, rng.size(0, i));
    }
    for (target, port) in doors {
        knock(net, &mut rng, OFFICE[2], target, port, now, story);
        now += rng.exponential(85 * MILLI);
    }
}

/// office-3 guesses passwords of the hospital information system's SSH, three per connection, for three minutes.
pub fn brute_force(net: &mut Net, at: i64) {
    let mut rng = net.rng("brute force");
    let story = attack("ssh-brute-force");
    for lane in 0..2 {
        let mut now = at + lane * 700 * MILLI;
        while now < at + 3 * MINUTE {
            let call = Call { from: OFFICE[2].at(), to: HIS.at(), port: 22, at: now, story };
            let mut c = life::ssh_log_in(net, &mut rng, call, "libssh2_1.11.0", 3, 180 * MILLI);
            c.wait(rng.between(2, 20) * MILLI);
            now = c.now + rng.between(20, 300) * MILLI;
            c.close(Side::Server);
        }
    }
}

/// office-1 reads, rewrites and renames the share's files, one after the other.
pub fn ransomware(net: &mut Net, at: i64) {
    let mut rng = net.rng("ransomware");
    let call = Call { from: OFFICE[0].at(), to: FILES.at(), port: 445, at, story: attack("ransomware") };
    let mut c = life::mount(net, &mut rng, call);
    for _ in 0..100 {
        let bytes = smb::file_bytes(&mut rng);
        life::file(&mut c, &mut rng, bytes, false);
        c.wait(rng.exponential(60 * MILLI));
        life::file(&mut c, &mut rng, bytes + 1_024, true);
        life::rename(&mut c, &mut rng);
        c.wait(rng.exponential(700 * MILLI));
    }
    c.close(Side::Client);
}

/// Forged sources open connections to the hospital information system and leave them half open.
pub fn syn_flood(net: &mut Net, at: i64) {
    let mut rng = net.rng("syn flood");
    let blocks = [[192, 31, 196], [192, 52, 193], [192, 175, 48], [192, 88, 99]];
    let mut now = at;
    for _ in 0..1_300 {
        let [a, b, c] = *rng.pick(&blocks);
        let mut from = SITES[0].at();
        from.ip = core::net::IpAddr::from([a, b, c, rng.between(1, 254) as u8]);
        from.ttl = rng.between(40, 120) as u8;
        let call = Call { from, to: HIS.at(), port: 443, at: now, story: attack("syn-flood") };
        let answers = if rng.chance(0.25) { 2 } else { 1 };
        Tcp::half_open(net, &mut rng, call, answers);
        now += rng.exponential(40 * MILLI);
    }
}

/// A device that nobody knows takes an address, asks for every other one, pings whom it found and knocks at them.
pub fn rogue_device(net: &mut Net, at: i64) {
    let mut rng = net.rng(ROGUE.name);
    let story = attack("rogue-device");
    let mut now = life::start(net, &mut rng, ROGUE, at, story);
    announce(net, ROGUE, now);
    now += 20 * SECOND;
    let found = residents();
    for number in 1..=254u8 {
        let there = found.iter().find(|host| host.number == number);
        let target = there.copied().unwrap_or(Host { number, ..ROGUE });
        if number != ROGUE.number {
            who_has(net, &mut rng, ROGUE, target, now, there.is_some());
        }
        now += rng.exponential(70 * MILLI);
    }
    for (i, host) in found.iter().enumerate() {
        ping(net, &mut rng, (ROGUE.at(), host.at()), i as u16, now, host.number < 60, story);
        now += rng.exponential(300 * MILLI);
    }
    for host in &found {
        for port in [22, 80, 104, 443, 445, 1883, 2575, 8080, 11_112] {
            knock(net, &mut rng, ROGUE, *host, port, now, story);
            now += rng.exponential(600 * MILLI);
        }
    }
}
