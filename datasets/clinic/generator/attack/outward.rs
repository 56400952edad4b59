//! Attacks that talk to the outside: beacon, tunnel, theft. All by office-3, which goes on with its ordinary work.

use crate::generator::clock::{MILLI, MINUTE, SECOND};
use crate::generator::datagram::moment;
use crate::generator::host::{COMMAND, DROP, OFFICE};
use crate::generator::label::attack;
use crate::generator::life::dialogue::{Lookup, ask_resolver, https, look_up};
use crate::generator::net::Net;
use crate::generator::protocol::name;
use crate::generator::tcp::Call;

/// Every minute, off by up to a tenth, a short HTTPS connection; the name is looked up every ten minutes.
pub fn beacon(net: &mut Net, from: i64, to: i64) {
    let mut rng = net.rng("beacon");
    let story = attack("beacon");
    let (mut at, mut count) = (from, 0);
    while at < to {
        let then = if count % 10 == 0 { look_up(net, &mut rng, OFFICE[2], &COMMAND, at, story) } else { at };
        let call = Call { from: OFFICE[2].at(), to: COMMAND.at(), port: 443, at: then + moment(&mut rng), story };
        let (asked, answered) = (rng.size(280, 340), if rng.chance(0.1) { 2_600 } else { rng.size(180, 220) });
        https(net, &mut rng, call, COMMAND.name, &[(0, asked, answered)]);
        at += rng.around(60 * SECOND, 0.1);
        count += 1;
    }
}

/// Base 32 as tunnels use it: names do not know upper and lower case.
fn base32(bytes: &[u8]) -> String {
    bytes.iter().map(|b| char::from(b"abcdefghijklmnopqrstuvwxyz234567"[usize::from(b % 32)])).collect()
}

/// Data in names, orders in TXT records: some 300 questions in six minutes, each carried outside by the resolver.
pub fn dns_tunnel(net: &mut Net, at: i64) {
    let mut rng = net.rng("dns tunnel");
    let story = attack("dns-tunnel");
    let mut now = at;
    while now < at + 6 * MINUTE {
        let (first, second) = (base32(&rng.bytes(40)), rng.size(16, 30));
        let asked = format!("{first}.{}.t.{}", base32(&rng.bytes(second)), COMMAND.name);
        let size = rng.size(20, 90);
        let text = [&[size as u8][..], &rng.bytes(size)].concat();
        let id = rng.word();
        let (question, answer) = (name::question(id, &asked, name::TXT), name::answer(id, &asked, name::TXT, 0, &text));
        let lookup = Lookup { question: &question, answer: &answer, forward: true };
        now = ask_resolver(net, &mut rng, OFFICE[2], lookup, now, story) + rng.exponential(1_150 * MILLI);
    }
}

/// 30 MB to a site for sharing files, in three uploads.
pub fn exfiltration(net: &mut Net, at: i64) {
    let mut rng = net.rng("exfiltration");
    let story = attack("exfiltration");
    let mut now = look_up(net, &mut rng, OFFICE[2], &DROP, at, story);
    for _ in 0..3 {
        let call = Call { from: OFFICE[2].at(), to: DROP.at(), port: 443, at: now + moment(&mut rng), story };
        let bytes = rng.around(9_000_000, 0.1) as usize;
        now = https(net, &mut rng, call, DROP.name, &[(0, 900, 400), (300 * MILLI, bytes, 300)]) + rng.between(5, 20) * SECOND;
    }
}
