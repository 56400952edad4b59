//! A TCP conversation: handshake, data in flights with acknowledgements, losses, teardown (RFC 9293, 5681).

use etherparse::{TcpHeader, TcpOptionElement};

use super::clock::{MICRO, MILLI, SECOND};
use super::host::Node;
use super::label::{Row, Story};
use super::net::{self, Net};
use super::random::Rng;

/// Who of the two.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The one who opened the connection.
    Client = 0,
    /// The one who accepted it.
    Server = 1,
}

impl Side {
    /// The other one.
    pub fn other(self) -> Self {
        if self == Self::Client { Self::Server } else { Self::Client }
    }
}

const FIN: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;
const PSH: u8 = 8;
const ACK: u8 = 16;

/// Segments sent before the first acknowledgement (RFC 6928), and the most in one flight.
const FIRST_FLIGHT: usize = 10;
const LARGEST_FLIGHT: usize = 80;
/// How long a receiver waits to put an acknowledgement on a segment of its own.
const DELAYED_ACK: i64 = 40 * MILLI;

/// What one side says in one go: some first bytes that mean something, then filler.
pub struct Message {
    head: Vec<u8>,
    bytes: usize,
    filler: Filler,
}

/// What the filler looks like.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Filler {
    /// Encrypted or compressed.
    Noise,
    /// Plain text.
    Text,
    /// Slowly varying 16-bit pixels.
    Pixels,
}

impl Message {
    /// `head`, then filler up to `bytes` in all.
    pub fn new(head: Vec<u8>, bytes: usize, filler: Filler) -> Self {
        let bytes = bytes.max(head.len());
        Self { head, bytes, filler }
    }

    /// The `n` bytes from `offset` on. Every segment's filler begins alike, which keeps the capture small.
    fn part(&self, offset: usize, n: usize) -> Vec<u8> {
        let mut part: Vec<u8> = self.head.iter().skip(offset).take(n).copied().collect();
        for i in part.len()..n {
            part.push(match self.filler {
                Filler::Noise => ((i as u32).wrapping_mul(2_654_435_761) >> 13) as u8 ^ ((i * i) >> 5) as u8,
                Filler::Text => b"the quick brown fox jumps over the lazy dog; "[i % 45],
                Filler::Pixels => [(100 + i / 64 % 40) as u8, 4][i % 2],
            });
        }
        part
    }
}

impl From<Vec<u8>> for Message {
    fn from(head: Vec<u8>) -> Self {
        let bytes = head.len();
        Self { head, bytes, filler: Filler::Noise }
    }
}

/// Who calls whom, when and why.
#[derive(Clone, Copy)]
pub struct Call {
    /// The client.
    pub from: Node,
    /// The server.
    pub to: Node,
    /// The server's port.
    pub port: u16,
    /// When the first packet is sent, nanoseconds after the start.
    pub at: i64,
    /// What it is about.
    pub story: Story,
}

/// A connection that is being scripted. Its own clock runs ahead; the capture is sorted at the end.
pub struct Tcp<'n> {
    net: &'n mut Net,
    rng: Rng,
    nodes: [Node; 2],
    ports: [u16; 2],
    next: [u32; 2],
    row: Row,
    /// When the last message had arrived, nanoseconds after the start.
    pub now: i64,
    /// Who has received data since when and has not acknowledged it.
    owed: Option<(Side, i64)>,
    /// The share of segments that the other side never received.
    loss: f64,
}

impl<'n> Tcp<'n> {
    fn new(net: &'n mut Net, rng: &mut Rng, call: Call) -> Self {
        let mut rng = rng.fork();
        let nodes = [call.from, call.to];
        let ports = [net.port(&call.from, &mut rng), call.port];
        let row = Row::new((call.from.ip, call.to.ip, Some(ports[0]), Some(ports[1]), "tcp"), call.story);
        let next = [rng.long(), rng.long()];
        let loss = if nodes[0].lag.max(nodes[1].lag) > 2 * MILLI { 0.002 } else { 0.0003 };
        Self { net, rng, nodes, ports, next, row, now: call.at, owed: None, loss }
    }

    /// A connection that is opened.
    pub fn open(net: &'n mut Net, rng: &mut Rng, call: Call) -> Self {
        let mut c = Self::new(net, rng, call);
        c.segment(Side::Client, SYN, &[]);
        if c.rng.chance(c.loss) {
            c.now += SECOND;
            c.segment(Side::Client, SYN, &[]);
        }
        c.travel(Side::Server);
        c.next[0] = c.next[0].wrapping_add(1);
        c.segment(Side::Server, SYN | ACK, &[]);
        c.next[1] = c.next[1].wrapping_add(1);
        c.travel(Side::Client);
        c.segment(Side::Client, ACK, &[]);
        c
    }

    /// A connection that was open before: no handshake is seen.
    pub fn underway(net: &'n mut Net, rng: &mut Rng, call: Call) -> Self {
        Self::new(net, rng, call)
    }

    /// A connection attempt that is refused with a reset.
    pub fn refused(net: &'n mut Net, rng: &mut Rng, call: Call) {
        let mut c = Self::new(net, rng, call);
        c.segment(Side::Client, SYN, &[]);
        c.travel(Side::Server);
        c.next = [c.next[0].wrapping_add(1), 0];
        c.segment(Side::Server, RST | ACK, &[]);
        c.done();
    }

    /// A connection attempt that nobody answers, tried `attempts` times with doubling pauses.
    pub fn unanswered(net: &'n mut Net, rng: &mut Rng, call: Call, attempts: u32) {
        let mut c = Self::new(net, rng, call);
        for attempt in 0..attempts {
            c.segment(Side::Client, SYN, &[]);
            c.now += SECOND << attempt;
        }
        c.done();
    }

    /// A SYN that is answered and then left alone, as in a flood from forged sources; the server tries `answers` times.
    pub fn half_open(net: &'n mut Net, rng: &mut Rng, call: Call, answers: u32) {
        let mut c = Self::new(net, rng, call);
        c.segment(Side::Client, SYN, &[]);
        c.travel(Side::Server);
        c.next[0] = c.next[0].wrapping_add(1);
        for attempt in 0..answers {
            c.segment(Side::Server, SYN | ACK, &[]);
            c.now += SECOND << attempt;
        }
        c.done();
    }

    /// Lets time pass.
    pub fn wait(&mut self, time: i64) {
        self.now += time.max(0);
    }

    /// Lets time pass until `at`, if that is still to come.
    pub fn wait_until(&mut self, at: i64) {
        self.now = self.now.max(at);
    }

    /// Sends a message; afterwards it is the moment when its last segment has arrived.
    pub fn say(&mut self, from: Side, message: impl Into<Message>) {
        let message = message.into();
        self.settle(from);
        let (sender, receiver) = (self.nodes[from as usize], self.nodes[from.other() as usize]);
        let segment_bytes = usize::from(sender.mss.min(receiver.mss)) - if sender.is_v6() { 20 } else { 0 };
        let byte_ns = sender.byte_ns.max(receiver.byte_ns);
        let (mut sent, mut flight) = (0, FIRST_FLIGHT);
        while sent < message.bytes {
            let mut acknowledged = self.now;
            for i in 0..flight {
                let n = segment_bytes.min(message.bytes - sent);
                let last = sent + n == message.bytes;
                self.data(from, &message.part(sent, n), last);
                sent += n;
                self.now += byte_ns * n as i64 + self.rng.between(0, 3) * MICRO;
                if last {
                    break;
                }
                if i % if flight > 20 { 8 } else { 2 } == 1 || i + 1 == flight {
                    acknowledged = self.acknowledge(from.other(), self.now, acknowledged);
                }
            }
            if sent < message.bytes {
                self.now = self.now.max(acknowledged) + self.delay(from);
                flight = (flight * 2).min(LARGEST_FLIGHT);
            }
        }
        self.now += self.delay(from.other());
        self.owed = Some((from.other(), self.now));
    }

    /// Ends the connection, `first` before the other.
    pub fn close(mut self, first: Side) {
        self.settle(first);
        for side in [first, first.other()] {
            self.segment(side, FIN | ACK, &[]);
            self.next[side as usize] = self.next[side as usize].wrapping_add(1);
            self.travel(side.other());
        }
        self.segment(first, ACK, &[]);
        self.done();
    }

    /// One side ends the connection at once.
    pub fn reset(mut self, from: Side) {
        self.settle(from);
        self.segment(from, RST | ACK, &[]);
        self.done();
    }

    /// The connection is never ended in the capture.
    pub fn done(self) {
        self.net.labels.add(self.row);
    }

    /// One segment with data, now and then a second time because the first was lost behind the capture's place.
    fn data(&mut self, from: Side, bytes: &[u8], last: bool) {
        let flags = if last { PSH | ACK } else { ACK };
        self.segment(from, flags, bytes);
        if self.rng.chance(self.loss) {
            let sent = self.now;
            self.now += 200 * MILLI + self.nodes[0].lag + self.nodes[1].lag;
            self.segment(from, flags, bytes);
            self.now = if last { self.now } else { sent };
        }
        self.next[from as usize] = self.next[from as usize].wrapping_add(bytes.len() as u32);
    }

    /// An acknowledgement for what arrived at `at`, not before the last one; returns when it was sent.
    fn acknowledge(&mut self, from: Side, at: i64, last: i64) -> i64 {
        let due = (at + self.delay(from)).max(last + MICRO);
        let now = core::mem::replace(&mut self.now, due);
        self.segment(from, ACK, &[]);
        core::mem::replace(&mut self.now, now)
    }

    /// Sends the acknowledgement that is owed, unless `speaker` owes it and speaks soon enough to carry it.
    fn settle(&mut self, speaker: Side) {
        let Some((side, since)) = self.owed.take() else { return };
        if side != speaker || self.now > since + DELAYED_ACK {
            let due = (since + DELAYED_ACK).min(self.now.max(since));
            let now = core::mem::replace(&mut self.now, due);
            self.segment(side, ACK, &[]);
            self.now = now.max(due + MICRO);
        }
    }

    /// A moment of one node's delay, with the jitter of queues.
    fn delay(&mut self, side: Side) -> i64 {
        let lag = self.nodes[side as usize].lag;
        lag + self.rng.exponential(lag / 12 + 5 * MICRO)
    }

    fn travel(&mut self, side: Side) {
        self.now += self.delay(side);
    }

    /// One segment as it stands.
    fn segment(&mut self, from: Side, flags: u8, payload: &[u8]) {
        let (me, peer) = (from as usize, from.other() as usize);
        let node = self.nodes[me];
        let opening = flags & SYN != 0;
        let window = if opening {
            node.syn_window
        } else if flags & RST != 0 {
            0
        } else {
            node.window
        };
        let mut header = TcpHeader::new(self.ports[me], self.ports[peer], self.next[me], window);
        (header.fin, header.syn, header.rst) = (flags & FIN != 0, opening, flags & RST != 0);
        (header.psh, header.ack) = (flags & PSH != 0, flags & ACK != 0);
        header.acknowledgment_number = if header.ack { self.next[peer] } else { 0 };
        if opening {
            use TcpOptionElement::{MaximumSegmentSize, Noop, SelectiveAcknowledgementPermitted, WindowScale};
            let options =
                [MaximumSegmentSize(node.mss), Noop, WindowScale(node.scale), Noop, Noop, SelectiveAcknowledgementPermitted];
            // Six elements of twelve bytes in all always fit the forty that a header has.
            let _ = header.set_options(&options);
        }
        let frame = net::tcp(&self.nodes[me], &self.nodes[peer], header, payload);
        self.net.send(self.now, frame, &mut self.row);
    }
}
