//! A spoofed flood, made on the fly: SYNs of as many senders as wanted, one each, and among them hosts that behave.

use std::io::{self, Write};

use super::packets::{ACK, End, FIN, PSH, SYN, Shot, pcap, tcp, udp};

/// SYNs in a second.
const RATE: u64 = 100_000;
/// Packets of the flood between two steps of the hosts that behave: a hundredth of a second.
const STEP: u64 = RATE / 100;
/// 2023-11-14T22:13:20Z in microseconds.
pub const EPOCH: u64 = 1_700_000_000_000_000;
/// Hosts that behave: 10.1.0.1 and on.
pub const HOSTS: u64 = 50;

const VICTIM: End = ([10, 0, 0, 1], 80);
const SERVER: End = ([10, 0, 0, 2], 443);
const DNS: End = ([10, 0, 0, 3], 53);

/// What the hosts that behave sent, and what must therefore be in the records of each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Behaved {
    /// Packets of a host's connection to the server: (there, back).
    pub connection: (u64, u64),
    /// Look-ups of each host, every one a flow of its own with one packet each way.
    pub look_ups: u64,
}

fn host(n: u64) -> [u8; 4] {
    [10, 1, 0, 1 + n as u8]
}

/// A sender between 11.0.0.0 and 127.0.0.0 and its port: another one for every `n` below a billion.
fn spoofed(n: u64) -> End {
    let mixed = n.wrapping_mul(0x9e37_79b1) & 0x3fff_ffff;
    let [_, b, c, d] = (mixed as u32).to_be_bytes();
    ([11 + (mixed >> 24) as u8, b, c, d], 1024 + (n % 60_000) as u16)
}

/// Whom the SYN `n` of a flood is from, and to.
pub type Ends = fn(u64) -> (End, End);

/// One victim, and another sender from outside each time.
pub fn from_outside(n: u64) -> (End, End) {
    (spoofed(n), VICTIM)
}

/// 60,000 senders at home, each of which tries another port of another device each time.
pub fn from_home(n: u64) -> (End, End) {
    let ([_, _, a, b], [_, _, c, d]) = (((n % 60_000) as u32).to_be_bytes(), ((n / 60_000) as u32).to_be_bytes());
    (([10, 2, a, b], 1024 + (n * 7919 % 60_000) as u16), ([172, 16, c, d], 5000 + (n % 4000) as u16))
}

/// Writes a pcap with `flood` SYNs between these, rounded down to a whole number of steps.
///
/// # Errors
/// When `to` cannot be written.
pub fn write(to: &mut impl Write, flood: u64, ends: Ends) -> io::Result<Behaved> {
    to.write_all(&pcap(&[]))?;
    let steps = flood / STEP;
    assert!(steps >= 20, "a flood of {flood} is too short");
    let mut behaved = Behaved::default();
    let mut shots = Vec::new();
    for step in 0..steps {
        let start = EPOCH + step * 10_000;
        for n in step * STEP..(step + 1) * STEP {
            let micros = start + (n % STEP) * 10_000 / STEP;
            let (from, at) = ends(n);
            shots.push(Shot { micros, data: tcp(from, at, n as u32, 0, SYN, &[]) });
        }
        for n in 0..HOSTS {
            talk(&mut shots, start, n, (step, steps), &mut behaved);
        }
        // In the order of time, so that an answer does not come before its question.
        shots.sort_by_key(|shot| shot.micros);
        to.write_all(&pcap(&shots)[24..])?;
        shots.clear();
    }
    to.flush()?;
    Ok(behaved)
}

/// What host `n` does in a step: a connection from the second step to the last but one with a request and an answer in each
/// tenth step, and a look-up in every hundredth.
fn talk(shots: &mut Vec<Shot>, start: u64, n: u64, (step, steps): (u64, u64), behaved: &mut Behaved) {
    let client = (host(n), 40_000);
    let mut say = |after: u64, data| shots.push(Shot { micros: start + 100 + n * 10 + after, data });
    let count = step / 10;
    let (seq, ack) = (101 + count as u32 * 100, 501 + count as u32 * 300);
    let (mut there, mut back) = (0, 0);
    if step == 1 {
        say(0, tcp(client, SERVER, 100, 0, SYN, &[]));
        say(500, tcp(SERVER, client, 500, 101, SYN | ACK, &[]));
        say(1000, tcp(client, SERVER, 101, 501, ACK, &[]));
        (there, back) = (2, 1);
    } else if step + 2 == steps {
        let (seq, ack) = (101 + (step / 10 + 1) as u32 * 100, 501 + (step / 10 + 1) as u32 * 300);
        say(0, tcp(client, SERVER, seq, ack, FIN | ACK, &[]));
        say(500, tcp(SERVER, client, ack, seq + 1, FIN | ACK, &[]));
        say(1000, tcp(client, SERVER, seq + 1, ack + 1, ACK, &[]));
        (there, back) = (2, 1);
    } else if step % 10 == 5 && step + 2 < steps {
        say(0, tcp(client, SERVER, seq, ack, PSH | ACK, &[b'q'; 100]));
        say(500, tcp(SERVER, client, ack, seq + 100, PSH | ACK, &[b'a'; 300]));
        (there, back) = (1, 1);
    }
    if step % 100 == 7 {
        let from = (host(n), 50_000 + (step / 100) as u16);
        say(0, udp(from, DNS, b"where is it?"));
        say(700, udp(DNS, from, b"it is there"));
        behaved.look_ups += u64::from(n == 0);
    }
    if n == 0 {
        behaved.connection = (behaved.connection.0 + there, behaved.connection.1 + back);
    }
}
