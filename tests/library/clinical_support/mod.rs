//! What the tests of clinical and industrial protocols share: conversations cut in every way, captures of them, and tshark.

pub mod industrial;

use std::collections::BTreeMap;
use std::path::Path;

use auscult::app::{AppState, Facts, Payload, Ports, Side};
use serde_json::Value;

use crate::support::packets::{ACK, End, PSH, SYN, Shot, pcap, tcp, udp};
use crate::support::{Folder, auscult, text, tshark};

/// What one side says, and what the other answers, in turns.
pub type Talk = Vec<(Side, Vec<u8>)>;

/// The facts of a talk, each turn cut into payloads of this size.
pub fn heard(ports: Ports, talk: &[(Side, Vec<u8>)], segment: usize) -> AppState {
    let mut state = AppState::default();
    for (side, bytes) in talk {
        for piece in bytes.chunks(segment) {
            state.observe(ports, &Payload::new(*side, piece, piece.len() as u32));
        }
    }
    state
}

/// The same facts whether a turn comes in one piece, in pieces of any size from `least` bytes on, or cut in two at any place.
#[track_caller]
pub fn same_however_cut(ports: Ports, talk: &[(Side, Vec<u8>)], least: usize) -> Facts {
    let whole = heard(ports, talk, usize::MAX);
    let facts = whole.facts().unwrap_or_else(|| panic!("no facts: {:?}", whole.app(ports))).clone();
    for segment in (least..least + 40).chain([100, 500, 536, 1000, 1460, 8960]) {
        assert_eq!(heard(ports, talk, segment).facts(), Some(&facts), "pieces of {segment}");
    }
    for turn in 0..talk.len() {
        let (side, bytes) = &talk[turn];
        // Where the talk begins too much must be there to recognise it.
        let first = if turn == 0 { least } else { 1 };
        for split in first..bytes.len() {
            let (front, back) = bytes.split_at(split);
            let mut cut = talk.to_vec();
            cut.splice(turn..=turn, [(*side, front.to_vec()), (*side, back.to_vec())]);
            assert_eq!(heard(ports, &cut, usize::MAX).facts(), Some(&facts), "turn {turn} cut at {split}");
        }
    }
    facts
}

/// Nothing panics when the capture cuts every turn at any place.
pub fn any_snap_length(ports: Ports, talk: &[(Side, Vec<u8>)]) {
    let most = talk.iter().map(|(_, bytes)| bytes.len()).max().unwrap_or_default();
    for snap in 0..most {
        let mut state = AppState::default();
        for (side, bytes) in talk {
            state.observe(ports, &Payload::new(*side, &bytes[..bytes.len().min(snap)], bytes.len() as u32));
        }
    }
}

/// A capture of the talk: a handshake when it is TCP, each turn in segments of 1400 bytes.
pub fn capture(ports: Ports, talk: &[(Side, Vec<u8>)]) -> Vec<u8> {
    let ends: [End; 2] = [([10, 0, 0, 1], ports.orig), ([10, 0, 0, 2], ports.resp)];
    let (mut shots, mut seq) = (Vec::new(), [1000_u32, 5000]);
    let mut shoot = |data| {
        let micros = 1_700_000_000_000_000 + 1000 * shots.len() as u64;
        shots.push(Shot { micros, data });
    };
    if ports.protocol == 6 {
        shoot(tcp(ends[0], ends[1], seq[0], 0, SYN, b""));
        shoot(tcp(ends[1], ends[0], seq[1], seq[0] + 1, SYN | ACK, b""));
        seq = seq.map(|seq| seq + 1);
        shoot(tcp(ends[0], ends[1], seq[0], seq[1], ACK, b""));
    }
    for (side, bytes) in talk {
        let (from, to) = if *side == Side::Orig { (0, 1) } else { (1, 0) };
        if ports.protocol == 17 {
            shoot(udp(ends[from], ends[to], bytes));
            continue;
        }
        for piece in bytes.chunks(1400) {
            shoot(tcp(ends[from], ends[to], seq[from], seq[to], PSH | ACK, piece));
            seq[from] += piece.len() as u32;
        }
    }
    pcap(&shots)
}

/// What the program writes of a capture with one flow: the application and `auscult.facts`.
pub fn written(ports: Ports, talk: &[(Side, Vec<u8>)]) -> (String, Value) {
    let folder = Folder::new();
    let path = folder.put("talk.pcap", &capture(ports, talk));
    let flows = auscult(&["flows", &path]).ended(0).lines();
    let [flow] = &flows[..] else { panic!("{} flows", flows.len()) };
    (flow["app_proto"].as_str().unwrap().to_owned(), flow["auscult"]["facts"].clone())
}

/// What the program writes of every flow of an application in a capture, each flow once.
pub fn written_of(path: &Path, app: &str) -> Vec<Value> {
    let flows = auscult(&["flows", text(path), "--active", "86400"]).ended(0).lines();
    flows.into_iter().filter(|flow| flow["app_proto"] == app).map(|flow| flow["auscult"]["facts"].clone()).collect()
}

/// The sum of a count over facts; the name may lead into an object, as in `status.success`.
pub fn sum(facts: &[Value], name: &str) -> u64 {
    let pointer = format!("/{}", name.replace('.', "/"));
    facts.iter().map(|facts| facts.pointer(&pointer).and_then(Value::as_u64).unwrap_or_default()).sum()
}

/// How often tshark finds each value in a field of a talk, over the frames that pass the filter; nothing without tshark.
pub fn tshark_of(ports: Ports, talk: &[(Side, Vec<u8>)], filter: &str, field: &str) -> Option<BTreeMap<String, u64>> {
    let folder = Folder::new();
    let path = folder.put("talk.pcap", &capture(ports, talk));
    let [counts] = tshark::values(Path::new(&path), filter, [field])?;
    Some(counts)
}

/// How often tshark found any of these values.
pub fn times(counts: &BTreeMap<String, u64>, values: &[&str]) -> u64 {
    values.iter().filter_map(|value| counts.get(*value)).sum()
}

/// The captures of the hospital that the project keeps, unpacked into a folder.
pub fn hospital(folder: &Folder, name: &str) -> std::path::PathBuf {
    let packed = std::fs::read(crate::support::project("datasets/hospital").join(name).join("capture.pcap.zst")).unwrap();
    folder.put("capture.pcap", &zstd::decode_all(&packed[..]).unwrap()).into()
}

/// Writes a talk as the seed of a fuzz target: who sends, the length, the payload; a longer payload in pieces, and the last in
/// one.
pub fn write_seed(name: &str, talk: &[(Side, Vec<u8>)]) {
    let mut seed = Vec::new();
    for (place, (side, bytes)) in talk.iter().enumerate() {
        let who = u8::from(*side == Side::Resp);
        if place + 1 == talk.len() && bytes.len() > 254 {
            seed.extend([&[who, 255][..], bytes].concat());
            continue;
        }
        bytes.chunks(254).for_each(|piece| seed.extend([&[who, piece.len() as u8][..], piece].concat()));
    }
    let folder = crate::support::project("fuzz/seeds").join(name);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("talk"), seed).unwrap();
}
