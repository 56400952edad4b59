//! When a flow is looked at while it is open, and what a single frame says of who answers for a name, from frames.

use auscult::app::LLMNR;
use auscult::flow::{FlowKey, FlowLimits, FlowRecord, HomeNets, Shard, Sight};
use auscult::sighting::{Seen, may_be, of_packet};
use auscult::time::Timestamp;
use auscult::wire::{Frame, LinkType, decode};
use etherparse::PacketBuilder;

/// A datagram between devices 1 and 2 of a link: the addresses' last bytes, and ports.
fn datagram(from: (u8, u16), to: (u8, u16), payload: &[u8]) -> Vec<u8> {
    let mac = |n: u8| [2, 0, 0, 0, 0, n];
    let builder = PacketBuilder::ethernet2(mac(from.0), mac(to.0));
    let builder = builder.ipv4([10, 0, 0, from.0], [10, 0, 0, to.0], 64).udp(from.1, to.1);
    let mut frame = Vec::new();
    builder.write(&mut frame, payload).unwrap();
    frame
}

/// A message of DNS about `name` with one label.
fn message(flags: u16, name: &str, answers: u8) -> Vec<u8> {
    let question = [&[name.len() as u8], name.as_bytes(), &[0, 0, 1, 0, 1]].concat();
    [&[0, 7][..], &flags.to_be_bytes(), &[0, 1, 0, answers, 0, 0, 0, 0], &question].concat()
}

fn frame(second: i64, data: &[u8]) -> Frame<'_> {
    Frame { time: Timestamp::from_parts(second, 0), link: LinkType::ETHERNET, wire_bytes: data.len() as u32, data }
}

/// How a flow in which a name that does not exist is asked for each few seconds is looked at, and of how many each look tells.
fn looks(every: i64) -> Vec<(Sight, u32)> {
    let (limits, home) = (FlowLimits::default().check().unwrap(), HomeNets::default());
    let (mut shard, mut out): (Shard, Vec<Box<FlowRecord>>) = (Shard::default(), Vec::new());
    for second in (0..90).step_by(every as usize) {
        let name = format!("name{second}");
        let asked = datagram((1, 5000), (2, 53), &message(0x0100, &name, 0));
        let told = datagram((2, 53), (1, 5000), &message(0x8183, &name, 0));
        for data in [asked, told] {
            let frame = frame(second, &data);
            let packet = decode(&frame).unwrap();
            let (key, from_low) = FlowKey::of(&packet);
            shard.packet((key, from_low, key.hash()), &packet, frame.payload(&packet), (&limits, &home), &mut out);
        }
        shard.tick(Timestamp::from_parts(second, 1), &limits, &mut out);
    }
    shard.finish(&limits, Timestamp::from_parts(90, 0), &mut out);
    out.iter().map(|record| (record.sight, record.events.since(record.told_events).names_missing)).collect()
}

#[test]
fn a_flow_with_many_events_is_looked_at_again_and_its_end_tells_of_the_rest() {
    let [(Sight::Early, first), (Sight::Between, between), (Sight::Again, rest)] = looks(3)[..] else {
        panic!("{:?}", looks(3));
    };
    assert!((3..=5).contains(&first) && (19..=22).contains(&between), "{first} {between}");
    assert_eq!(between + rest, 30, "each counts once but in the first look");
    let few = looks(15);
    assert_eq!(few.iter().map(|look| look.0).collect::<Vec<_>>(), [Sight::Early, Sight::Again], "{few:?}");
    assert_eq!(few[1].1, 6);
}

#[test]
fn who_answers_for_a_name_is_heard_in_a_frame() {
    let heard = |from: u16, flags: u16, answers: u8| {
        let data = datagram((9, from), (1, 50_000), &message(flags, "wpad", answers));
        let frame = frame(0, &data);
        let packet = decode(&frame).unwrap();
        let sighting = Some(()).filter(|()| may_be(&packet)).and_then(|()| of_packet(&frame, &packet))?;
        let Seen::Name(answer) = sighting.what else { panic!("{:?}", sighting.what) };
        Some((sighting.src.map(|src| src.ip().to_string()), answer.is_proxy))
    };
    assert_eq!(heard(LLMNR, 0x8000, 1), Some((Some("10.0.0.9".to_owned()), true)));
    assert_eq!([heard(LLMNR, 0x0000, 0), heard(53, 0x8180, 1)], [None, None], "a question, and a resolver");
}
