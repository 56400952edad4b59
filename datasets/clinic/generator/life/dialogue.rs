//! Conversations that several actors have, attackers among them: so that an attack differs in what it does, not in how its
//! packets look.

use crate::generator::clock::{MICRO, MILLI, SECOND};
use crate::generator::datagram::{Sockets, ask, moment};
use crate::generator::host::{Host, INFRA, Node, RESOLVER, Site};
use crate::generator::label::Story;
use crate::generator::net::Net;
use crate::generator::protocol::dicom::{self, command};
use crate::generator::protocol::{name, service, tls};
use crate::generator::random::Rng;
use crate::generator::tcp::{Call, Filler, Message, Side, Tcp};

/// A look-up of both kinds of address; the resolver asks outside when it does not remember. Returns when the answers came.
pub fn look_up(net: &mut Net, rng: &mut Rng, who: Host, site: &Site, at: i64, story: Story) -> i64 {
    let remembered = rng.chance(0.6);
    let mut now = at;
    for kind in [name::A, name::AAAA] {
        let id = rng.word();
        let question = name::question(id, site.name, kind);
        let answer = if kind == name::A {
            name::answer(id, site.name, kind, 300, &site.v4)
        } else {
            name::nothing(id, site.name, kind, 0)
        };
        let forward = kind == name::A && !remembered;
        now = ask_resolver(net, rng, who, Lookup { question: &question, answer: &answer, forward }, now, story);
    }
    now
}

/// A question for the clinic's resolver, and the answer that it will give.
#[derive(Clone, Copy)]
pub struct Lookup<'a> {
    /// The question.
    pub question: &'a [u8],
    /// The answer.
    pub answer: &'a [u8],
    /// Must the resolver ask outside first?
    pub forward: bool,
}

/// A host asks the clinic's resolver; returns when the answer came.
pub fn ask_resolver(net: &mut Net, rng: &mut Rng, who: Host, lookup: Lookup<'_>, at: i64, story: Story) -> i64 {
    let mut resolver = INFRA.at();
    if lookup.forward {
        let source = net.port(&resolver, rng);
        let outside = Sockets { from: resolver, to: RESOLVER.at(), source, destination: 53 };
        let begin = at + resolver.lag + rng.between(20, 200) * MICRO;
        resolver.lag = ask(net, rng, outside, begin, story, lookup.question, Some(lookup.answer)) - at;
    }
    let sockets = Sockets { from: who.at(), to: resolver, source: net.port(&who.at(), rng), destination: 53 };
    ask(net, rng, sockets, at, story, lookup.question, Some(lookup.answer))
}

/// One HTTPS connection with some requests of (bytes asked, bytes answered) and the pause before each; returns when it ended.
pub fn https(net: &mut Net, rng: &mut Rng, call: Call, server: &str, requests: &[(i64, usize, usize)]) -> i64 {
    let (hello, reply) = (tls::client_hello(rng, server), tls::server_hello(rng, 2_300 + server.len() * 7));
    let mut c = Tcp::open(net, rng, call);
    c.wait(moment(rng) / 4);
    c.say(Side::Client, hello);
    c.wait(moment(rng));
    c.say(Side::Server, reply);
    c.wait(moment(rng));
    c.say(Side::Client, tls::client_finished());
    for &(pause, asked, answered) in requests {
        c.wait(pause);
        c.say(Side::Client, tls::data(asked));
        c.wait(rng.exponential(12 * MILLI));
        c.say(Side::Server, tls::data(answered));
    }
    c.wait(rng.exponential(2 * SECOND));
    let end = c.now;
    if rng.chance(0.06) {
        c.reset(Side::Client)
    } else {
        c.close(if rng.chance(0.7) { Side::Client } else { Side::Server })
    }
    end
}

/// One plain HTTP request on a connection of its own.
pub fn http(net: &mut Net, rng: &mut Rng, call: Call, server: &str, path: &str, bytes: usize) {
    let agent = "clinic-device/2.1";
    let mut c = Tcp::open(net, rng, call);
    c.say(Side::Client, service::http_get(server, path, agent));
    c.wait(moment(rng) * 2);
    let head = service::http_ok("text/html", bytes);
    let total = head.len() + bytes;
    c.say(Side::Server, Message::new(head, total, Filler::Text));
    c.wait(moment(rng));
    c.close(Side::Server);
}

/// The two application entities of an association.
#[derive(Clone, Copy)]
pub struct Titles<'a> {
    /// Who accepts.
    pub called: &'a str,
    /// Who asks.
    pub calling: &'a str,
}

/// Opens an association for one SOP class.
pub fn associate<'n>(net: &'n mut Net, rng: &mut Rng, call: Call, titles: Titles<'_>, sop_class: &str) -> Tcp<'n> {
    let mut c = Tcp::open(net, rng, call);
    c.say(Side::Client, dicom::associate(titles.called, titles.calling, sop_class));
    c.wait(moment(rng));
    c.say(Side::Server, dicom::accept(titles.called, titles.calling));
    c.wait(moment(rng));
    c
}

/// Releases an association and ends the connection; returns when.
pub fn release(mut c: Tcp<'_>, rng: &mut Rng) -> i64 {
    c.say(Side::Client, dicom::release());
    c.wait(moment(rng));
    c.say(Side::Server, dicom::released());
    let end = c.now;
    c.close(Side::Client);
    end
}

/// C-ECHO: is the other one there?
pub fn echo(net: &mut Net, rng: &mut Rng, call: Call, titles: Titles<'_>) {
    let mut c = associate(net, rng, call, titles, dicom::VERIFICATION);
    c.say(Side::Client, dicom::message(dicom::VERIFICATION, command::ECHO, 1, false));
    c.wait(moment(rng));
    c.say(Side::Server, dicom::message(dicom::VERIFICATION, command::ECHO | command::RESPONSE, 1, false));
    release(c, rng);
}

/// C-STORE of images of these sizes; returns when it ended.
pub fn store(net: &mut Net, rng: &mut Rng, call: Call, titles: Titles<'_>, sop_class: &str, images: &[usize]) -> i64 {
    let mut c = associate(net, rng, call, titles, sop_class);
    for (i, &bytes) in images.iter().enumerate() {
        let mut head = dicom::message(sop_class, command::STORE, i as u16 + 1, true);
        head.extend(dicom::data_set(bytes));
        c.say(Side::Client, Message::new(head, bytes, Filler::Pixels));
        c.wait(rng.exponential(18 * MILLI));
        c.say(Side::Server, dicom::message(sop_class, command::STORE | command::RESPONSE, i as u16 + 1, false));
        c.wait(rng.exponential(25 * MILLI));
    }
    release(c, rng)
}

/// C-FIND with this many answers; returns when it ended.
pub fn find(net: &mut Net, rng: &mut Rng, call: Call, titles: Titles<'_>, sop_class: &str, answers: i64) -> i64 {
    let mut c = associate(net, rng, call, titles, sop_class);
    let head = [dicom::message(sop_class, command::FIND, 1, true), dicom::data_set(160)].concat();
    let bytes = head.len() + 144;
    c.say(Side::Client, Message::new(head, bytes, Filler::Text));
    c.wait(rng.exponential(30 * MILLI));
    for _ in 0..answers {
        let head = [dicom::message(sop_class, command::FIND | command::RESPONSE, 1, true), dicom::data_set(240)].concat();
        let bytes = head.len() + rng.size(150, 320);
        c.say(Side::Server, Message::new(head, bytes, Filler::Text));
        c.wait(rng.between(100_000, 900_000));
    }
    c.say(Side::Server, dicom::message(sop_class, command::FIND | command::RESPONSE, 1, false));
    release(c, rng)
}

/// C-MOVE: the archive is asked for a study and sends it to `to` on an association of its own; returns when it ended.
pub fn retrieve(net: &mut Net, rng: &mut Rng, call: Call, titles: Titles<'_>, to: (Node, u16), images: &[usize]) -> i64 {
    let asked = call.at + 9 * MILLI;
    let back = Call { from: call.to, to: to.0, port: to.1, at: asked + 20 * MILLI, story: call.story };
    let back_titles = Titles { called: titles.calling, calling: titles.called };
    let stored = store(net, rng, back, back_titles, dicom::CT_IMAGE, images);
    let mut c = associate(net, rng, call, titles, dicom::MOVE);
    let head = [dicom::message(dicom::MOVE, command::MOVE, 1, true), dicom::data_set(90)].concat();
    let bytes = head.len() + 74;
    c.say(Side::Client, Message::new(head, bytes, Filler::Text));
    c.wait_until(stored);
    c.say(Side::Server, dicom::message(dicom::MOVE, command::MOVE | command::RESPONSE, 1, false));
    release(c, rng)
}
