//! Messages that are made, read and put in order.

use proptest::prelude::*;

use super::batch::{Clock, Content, Message, Origin, read, write_clock, write_records};
use super::form::{RecordForm, Side};
use super::merge::{Merge, MergeConfig};
use super::run::End;
use super::{FormError, VERSION};
use crate::app::{App, Basis, DnsFacts, Events, Facts, TlsFacts};
use crate::feature::Observation;
use crate::flow::{
    ConnState, DirectionBasis, EndReason, FIRST_SIZES, FlowKey, FlowRecord, Fragments, History, HomeNets, IcmpError, SideStats,
    Sight,
};
use crate::pipeline::{Condition, Consumer, Emitted};
use crate::time::{Span, Timestamp};
use crate::wire::Addr;

fn side(numbers: [u32; 4], first: Timestamp, last: Timestamp) -> SideStats {
    let [packets, bytes, data_packets, flags] = numbers;
    let (packets, bytes) = (u64::from(packets), u64::from(bytes));
    SideStats {
        packets,
        ip_bytes: bytes + 40 * packets,
        wire_bytes: bytes + 54 * packets,
        payload_bytes: bytes,
        data_packets,
        payload_max: 1460,
        payload_square_sum: f64::from(data_packets) * 1e3,
        first,
        last,
        gap_max: last.since(first),
        gap_square_sum: f64::from(data_packets) / 7.0,
        syn: flags & 1,
        flags: flags as u8,
        ttl: 64,
        ..SideStats::default()
    }
}

fn facts() -> impl Strategy<Value = (App, Option<Box<Facts>>)> {
    let dns = (0_u32..50, 0_u64..900, 0.0..90.0).prop_map(|(names, qname_chars, label_entropy_bits)| {
        let first_qname = Some("a.example".into());
        (
            App::Dns,
            Some(Box::new(Facts::Dns(DnsFacts {
                names,
                queries: names,
                qname_chars,
                label_entropy_bits,
                first_qname,
                ..DnsFacts::default()
            }))),
        )
    });
    let tls = "[a-z]{1,20}".prop_map(|name| {
        (App::Tls, Some(Box::new(Facts::Tls(TlsFacts { server_name: Some(name.as_str().into()), ..TlsFacts::default() }))))
    });
    prop_oneof![Just((App::Unknown, None)), dns, tls]
}

fn emitted() -> impl Strategy<Value = Emitted> {
    let ends = (any::<[u8; 4]>(), any::<[u8; 4]>(), any::<u16>(), any::<u16>(), prop_oneof![Just(6_u8), Just(17)]);
    let times = (1_000_000_000_i64..2_000_000_000, 0_i64..400_000_000_000, 0_i64..2_000_000_000);
    let numbers = (any::<[u32; 4]>(), any::<[u32; 4]>(), any::<u32>(), any::<u8>());
    (ends, times, numbers, facts(), "[SshADadFf]{0,24}", any::<[bool; 4]>()).prop_map(
        |((a, b, from, to, protocol), (start, lasts, after), (orig, resp, turns, choice), (app, facts), history, told)| {
            let (key, orig_is_low) = FlowKey::of_ends((Addr::v4(a), from), (Addr::v4(b), to), protocol);
            let start = Timestamp::from_parts(start, 0);
            let end = start + Span::from_nanos(lasts);
            let seen = end + Span::from_nanos(after);
            let record = FlowRecord {
                key,
                orig_is_low,
                id: u64::from(turns) << 20,
                segment: u32::from(choice / 64),
                reason: [EndReason::Closed, EndReason::FirstLook, EndReason::Active][usize::from(choice % 3)],
                sight: [Sight::Whole, Sight::Early, Sight::Again][usize::from(choice % 3)],
                looked_at: told[0].then_some(start + Span::from_secs(10)),
                direction: DirectionBasis::Ports,
                state: ConnState::Sf,
                history: History::of_letters(&history),
                under_way: told[1],
                fragments: Fragments { packets: turns % 7, odd: turns % 3 },
                icmp_error: told[2].then_some(IcmpError { kind: 3, code: choice, count: 2 }),
                quoted: None,
                start,
                end,
                orig: side(orig, start, end),
                resp: if told[3] { side(resp, start, end) } else { SideStats::default() },
                turns,
                first_sizes: [choice.into(); FIRST_SIZES],
                response_delay: told[3].then_some(Span::from_nanos(after)),
                app: (app, Basis::Content),
                facts,
                events: Events { login_failures: turns % 5, names_missing: turns % 3, ..Events::default() },
                told_events: Events::default(),
                macs: [[2, 0, 0, 0, 0, choice], [0; 6]],
                vlans: [choice.into(), 0],
                tunnel: None,
            };
            let observation = Observation::of(&record, seen, &HomeNets::parse(&["10.0.0.0/8".to_owned()]).unwrap());
            Emitted { record: Box::new(record), observation: Box::new(observation), found: None }
        },
    )
}

fn origin(sensor: &str) -> Origin {
    Origin { site: "main".to_owned(), sensor: sensor.to_owned(), epoch: 7 }
}

/// Records of one message, as they are written.
fn written(sensor: &str, seq: u64, all: &mut [Emitted]) -> Vec<u8> {
    let base = all.first().map_or(Timestamp::MIN, |emitted| emitted.observation.seen);
    let forms: Vec<RecordForm> =
        all.iter_mut().map(|emitted| RecordForm::of(emitted, Side::Both, (emitted.observation.seen, base))).collect();
    write_records((&origin(sensor), seq, false), (5, base), &forms).unwrap()
}

proptest! {
    #[test]
    fn any_record_comes_back_the_same(mut all in prop::collection::vec(emitted(), 1..8)) {
        let before = format!("{all:?}");
        let bytes = written("s", 3, &mut all);
        prop_assert_eq!(&before, &format!("{all:?}"), "the sensor goes on with what it had");
        let Message { origin: from, seq, content, .. } = read(&bytes).unwrap();
        prop_assert_eq!((from, seq), (origin("s"), 3));
        let Content::Records { partition: 5, records } = content else { panic!("no records") };
        let again: Vec<Emitted> = records.into_iter().map(|received| received.emitted).collect();
        prop_assert_eq!(before, format!("{again:?}"));
    }

    #[test]
    fn nonsense_is_told_and_never_a_panic(mut all in prop::collection::vec(emitted(), 1..3), place in any::<prop::sample::Index>(), bit in 0..8) {
        let whole = written("s", 0, &mut all);
        let cut = place.index(whole.len());
        prop_assert!(read(&whole[..cut]).is_err());
        let mut changed = whole;
        changed[cut] ^= 1_u8 << bit;
        // Whatever it holds now: it is read within bounds, or refused.
        let _ = read(&changed);
    }
}

#[test]
fn another_version_another_thing_and_a_bomb_are_told_apart() {
    let clock = write_clock((&origin("s"), 0, false), &Clock::default()).unwrap();
    let mut other = clock.clone();
    other[4] += 1;
    assert_eq!(read(&other).unwrap_err(), FormError::Version { got: VERSION + 1, wanted: VERSION });
    assert_eq!(read(b"GET / HTTP/1.1").unwrap_err(), FormError::Foreign);
    let bomb = zstd::bulk::compress(&vec![0; 1 << 30], 1).unwrap();
    assert!(matches!(read(&[&clock[..6], &bomb].concat()).unwrap_err(), FormError::Damaged(_)));
    assert!(read(&clock).is_ok(), "nothing is left of what was damaged");
    let longer = zstd::bulk::compress(&[zstd::bulk::decompress(&clock[6..], 1 << 20).unwrap(), vec![1]].concat(), 1).unwrap();
    assert!(read(&[&clock[..6], &longer].concat()).unwrap_err().to_string().contains("behind its end"));
}

/// What a consumer was handed, in words.
#[derive(Default)]
struct Heard(Vec<String>);

impl Consumer for Heard {
    fn record(&mut self, emitted: Emitted) {
        self.0.push(format!("{} at {}", emitted.record.id, emitted.observation.seen.seconds()));
    }
    fn condition(&mut self, condition: Condition) {
        self.0.push(format!("degraded {}", condition.is_degraded));
    }
    fn tick(&mut self, now: Timestamp) {
        self.0.push(format!("tick {}", now.seconds()));
    }
}

/// A record of this number that is known at this second.
fn known(id: u64, second: i64) -> Emitted {
    let (key, orig_is_low) = FlowKey::of_ends((Addr::v4([10, 0, 0, 1]), id as u16), (Addr::v4([10, 0, 0, 2]), 53), 17);
    let time = Timestamp::from_parts(second, 0);
    let record = FlowRecord {
        key,
        orig_is_low,
        id,
        segment: 0,
        reason: EndReason::Idle,
        sight: Sight::Whole,
        looked_at: None,
        direction: DirectionBasis::Ports,
        state: ConnState::Oth,
        history: History::default(),
        under_way: false,
        fragments: Fragments::default(),
        icmp_error: None,
        quoted: None,
        start: time,
        end: time,
        orig: side([1, 10, 1, 0], time, time),
        resp: SideStats::default(),
        turns: 0,
        first_sizes: [0; FIRST_SIZES],
        response_delay: None,
        app: (App::Dns, Basis::Port),
        facts: None,
        events: Events::default(),
        told_events: Events::default(),
        macs: [[0; 6]; 2],
        vlans: [0; 2],
        tunnel: None,
    };
    let observation = Observation::of(&record, time, &HomeNets::default());
    Emitted { record: Box::new(record), observation: Box::new(observation), found: None }
}

fn clock(sensor: &str, seq: u64, ticks: &[i64], end: u64, is_last: bool) -> Vec<u8> {
    let ticks = ticks.iter().map(|&second| Timestamp::from_parts(second, 0)).collect();
    write_clock((&origin(sensor), seq, false), &Clock { ticks, ends: vec![(5, end)], is_last, ..Clock::default() }).unwrap()
}

/// At this second, of a replay.
fn at(now_s: f64) -> (f64, Timestamp) {
    (now_s, Timestamp::MIN)
}

fn merge(sensors: usize) -> (Merge<&'static str>, Heard) {
    (Merge::new(MergeConfig { sensors, patience_s: 10.0, most_held: 1000, goes_on: false }), Heard::default())
}

#[test]
fn two_sensors_are_judged_as_one_and_a_silent_one_is_waited_for_only_so_long() {
    let (mut merge, mut heard) = merge(2);
    merge.take(&written("a", 0, &mut [known(1, 100), known(3, 101)]), "a0", at(0.0));
    merge.take(&clock("a", 0, &[100, 101], 1, false), "a1", at(0.0));
    merge.advance(0.0, &mut heard);
    assert!(heard.0.is_empty(), "the other was not heard yet");
    merge.take(&written("b", 0, &mut [known(2, 100)]), "b0", at(1.0));
    merge.take(&clock("b", 0, &[100], 1, false), "b1", at(1.0));
    merge.advance(1.0, &mut heard);
    assert_eq!(heard.0, ["1 at 100", "2 at 100", "tick 100"]);
    assert_eq!(merge.confirm, ["b0", "b1"], "the others hold what is still to come");
    merge.take(&clock("a", 1, &[102], 1, false), "a2", at(9.0));
    merge.advance(10.9, &mut heard);
    assert_eq!(heard.0.len(), 3);
    merge.advance(11.1, &mut heard);
    assert_eq!(heard.0[3..], ["3 at 101", "tick 101", "tick 102"]);
    merge.take(&written("b", 1, &mut [known(4, 101)]), "b2", at(12.0));
    merge.take(&clock("b", 1, &[101, 102, 103], 2, true), "b3", at(12.0));
    merge.take(&clock("a", 2, &[103], 1, true), "a3", at(12.0));
    merge.advance(12.0, &mut heard);
    assert_eq!(heard.0[6..], ["4 at 103", "tick 103"], "late, and not lost");
    assert_eq!((merge.account.late, merge.account.records, merge.account.missing, merge.unconfirmed()), (1, 4, 0, 0));
}

#[test]
fn what_seems_to_be_the_end_is_waited_for_while_messages_are_missing() {
    let (mut merge, mut heard) = merge(1);
    let (mut end, patience_s) = (End::default(), 10.0);
    assert!(end.is_all(merge.is_whole(), patience_s, 0.0), "nobody was heard");
    merge.take(&clock("a", 0, &[100], 2, false), "x", at(1.0));
    merge.take(&clock("a", 1, &[101], 2, true), "x", at(1.0));
    merge.take(&written("a", 1, &mut [known(2, 100)]), "x", at(1.0));
    merge.advance(1.0, &mut heard);
    assert!(!end.is_all(merge.is_whole(), patience_s, 1.0), "its last is known, and the first message is not there");
    merge.take(&written("a", 0, &mut [known(1, 100)]), "x", at(2.0));
    merge.advance(2.0, &mut heard);
    assert!(end.is_all(merge.is_whole(), patience_s, 2.0));
    merge.take(&clock("b", 0, &[102], 0, false), "x", at(3.0));
    merge.advance(3.0, &mut heard);
    assert!(!end.is_all(merge.is_whole(), patience_s, 10.9), "another may say more");
    assert!(end.is_all(merge.is_whole(), patience_s, 11.0), "for as long as it is waited for, and no longer");
    let (mut of_two, mut heard) = self::merge(2);
    of_two.take(&clock("a", 0, &[100], 0, true), "x", at(1.0));
    of_two.advance(1.0, &mut heard);
    assert!(!of_two.is_whole(), "the other was not heard at all");
}

#[test]
fn doubles_and_another_order_change_nothing_and_what_is_missing_is_counted() {
    let messages = [
        written("a", 0, &mut [known(1, 100)]),
        written("a", 1, &mut [known(2, 100)]),
        clock("a", 0, &[100], 2, false),
        written("a", 2, &mut [known(3, 101)]),
        clock("a", 1, &[101], 3, true),
    ];
    let want = ["1 at 100", "2 at 100", "tick 100", "3 at 101", "tick 101"];
    for order in [[0, 1, 2, 3, 4], [2, 1, 0, 4, 3], [4, 3, 2, 1, 0], [3, 0, 4, 2, 1]] {
        let (mut merge, mut heard) = merge(1);
        for place in order.iter().chain(&order) {
            merge.take(&messages[*place], "x", at(0.0));
        }
        merge.advance(0.0, &mut heard);
        assert_eq!((&heard.0[..], merge.account.doubles), (&want.map(str::to_owned)[..], 5), "{order:?}");
    }
    let (mut merge, mut heard) = merge(1);
    [0, 2, 3, 4].iter().for_each(|&place: &usize| drop(merge.take(&messages[place], "x", at(0.0))));
    merge.advance(9.0, &mut heard);
    assert!(heard.0.is_empty());
    merge.take(b"AUSF\xff\xffnonsense", "y", at(9.0));
    merge.advance(10.1, &mut heard);
    assert_eq!(heard.0, ["1 at 100", "tick 100", "3 at 101", "tick 101"]);
    let account = &merge.account;
    assert_eq!((account.missing, account.unreadable, account.other_version), (1, 1, 1));
}

#[test]
fn too_much_is_judged_early_rather_than_held() {
    let (mut merge, mut heard) = merge(2);
    for seq in 0..30 {
        let mut all: Vec<Emitted> = (0..50).map(|n| known(seq * 50 + n, 100 + seq as i64)).collect();
        merge.take(&written("a", seq, &mut all), "x", at(0.0));
        merge.advance(0.0, &mut heard);
    }
    assert_eq!((merge.account.hurried, merge.account.records, merge.account.late), (10, 500, 0));
}

#[test]
fn what_is_late_waits_for_the_next_tick_only_so_long() {
    let (mut merge, mut heard) = merge(1);
    merge.take(&written("ahead", 0, &mut [known(1, 9000)]), "x", at(0.0));
    merge.take(&clock("ahead", 0, &[9000], 1, true), "x", at(0.0));
    merge.advance(0.0, &mut heard);
    merge.take(&written("a", 0, &mut [known(2, 100), known(3, 101)]), "x", at(1.0));
    merge.take(&clock("a", 0, &[100, 101], 1, false), "x", at(1.0));
    merge.advance(1.0, &mut heard);
    merge.advance(10.9, &mut heard);
    assert_eq!(heard.0, ["1 at 9000", "tick 9000"]);
    merge.advance(11.1, &mut heard);
    assert_eq!(heard.0[2..], ["2 at 9000", "3 at 9000", "tick 9000"], "no tick of another comes for hours");
    for seq in 1..41 {
        let mut all: Vec<Emitted> = (0..50).map(|n| known(seq * 50 + n, 101 + seq as i64)).collect();
        merge.take(&written("a", seq, &mut all), "x", at(12.0));
        merge.advance(12.0, &mut heard);
    }
    assert_eq!((merge.account.late, merge.account.records), (2002, 1053), "no more is held than may be");
}

/// How long what came of each of two sensors waited, in seconds at the most, and how many of their records were judged.
#[derive(Default)]
struct Waits {
    now: i64,
    most: [i64; 2],
    records: [u64; 2],
}

impl Consumer for Waits {
    fn record(&mut self, emitted: Emitted) {
        let (second, sensor) = ((emitted.record.id / 2) as i64, (emitted.record.id % 2) as usize);
        self.most[sensor] = self.most[sensor].max(self.now - second);
        self.records[sensor] += 1;
    }

    fn tick(&mut self, _now: Timestamp) {}
}

/// A hundred seconds of two live sensors with a record a second each, of which the second's clock is so many seconds ahead.
fn live(ahead_s: i64) -> (Waits, Merge<()>) {
    let mut merge = Merge::new(MergeConfig { sensors: 2, patience_s: 30.0, most_held: 1000, goes_on: false });
    let (mut waits, names) = (Waits::default(), ["right", "wrong"]);
    for second in 0..100 {
        waits.now = second;
        for (place, name) in names.iter().enumerate() {
            let tick = Timestamp::from_parts(50_000 + second + place as i64 * ahead_s, 0);
            let arrival = (second as f64, Timestamp::from_parts(50_000 + second, 300_000_000));
            let mut emitted = known(second as u64 * 2 + place as u64, tick.seconds());
            let form = RecordForm::of(&mut emitted, Side::Both, (tick, tick));
            let head = (&origin(name), second as u64, true);
            merge.take(&write_records(head, (5, tick), &[form]).unwrap(), (), arrival);
            let told = Clock { ticks: vec![tick], ends: vec![(5, second as u64 + 1)], ..Clock::default() };
            merge.take(&write_clock(head, &told).unwrap(), (), arrival);
        }
        merge.advance(second as f64, &mut waits);
    }
    merge.finish(&mut waits);
    (waits, merge)
}

#[test]
fn live_sensors_wait_for_one_another_by_what_their_clocks_differ_and_no_longer_than_the_patience() {
    // How far the one is ahead; how long both wait; what is late, of a time to come, and known to be off.
    let cases = [
        (0, [0, 0], 0, 0, 0),
        (4, [0, 4], 0, 0, 0),
        (-4, [4, 0], 0, 0, 0),
        (20, [0, 20], 0, 0, 1),
        (-20, [20, 0], 0, 0, 1),
        (-28, [28, 0], 0, 0, 1),
        (300, [0, 1], 0, 100, 1),
        (-300, [0, 0], 99, 0, 1),
        (40_000_000, [0, 1], 0, 100, 1),
        (-40_000_000, [0, 0], 99, 0, 1),
    ];
    for (ahead_s, most, late, ahead, off) in cases {
        let (waits, mut merge) = live(ahead_s);
        let account = &merge.account;
        assert_eq!(waits.records, [100, 100], "{ahead_s}: nothing is lost and nothing judged twice");
        assert_eq!((waits.most, account.late, account.ahead, account.off), (most, late, ahead, off), "{ahead_s}");
        assert_eq!((account.missing, account.hurried, account.doubles), (0, 0, 0), "{ahead_s}");
        let told = merge.clock_remarks.take();
        assert_eq!(told.len() as u64, off, "{told:?}");
        assert!(told.iter().all(|text| text.starts_with("the clock of sensor wrong of main is ")), "{told:?}");
    }
}
