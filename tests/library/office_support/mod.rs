//! What the tests of office protocols share: the flows of a real capture, and tshark's view of it.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use auscult::app::Facts;
use auscult::capture::{Block, Input, Reader, Source as _};
use auscult::flow::{EndReason, FlowKey, FlowLimits, FlowRecord, HomeNets, Shard};
use auscult::time::Timestamp;
use auscult::wire::decode;
use serde_json::Value;

/// The flows of a capture, each as one record.
pub fn flows(path: &Path) -> Vec<Box<FlowRecord>> {
    let limits =
        FlowLimits { tcp_idle_s: 86_400, udp_idle_s: 3600, active_s: 86_400, first_look_s: 86_400, ..FlowLimits::default() };
    let limits = limits.check().unwrap();
    let (home, mut shard, mut out, mut last) = (HomeNets::default(), Shard::default(), Vec::new(), Timestamp::from_nanos(0));
    let mut reader = Reader::open(&Input::Path(path.to_path_buf())).unwrap();
    let mut block = Block::default();
    loop {
        // A capture that is cut ends here.
        let more = reader.fill(&mut block).unwrap_or(false);
        for span in &block.frames {
            let frame = block.frame(span);
            let Ok(packet) = decode(&frame) else { continue };
            let (key, from_low) = FlowKey::of(&packet);
            last = last.max(packet.time);
            shard.packet((key, from_low, key.hash()), &packet, frame.payload(&packet), (&limits, &home), &mut out);
        }
        if !more {
            break;
        }
    }
    shard.finish(&limits, last, &mut out);
    out.retain(|record| !matches!(record.reason, EndReason::Active | EndReason::FirstLook));
    out
}

/// What the flows of a capture say, those of one kind.
pub fn facts<T: Clone>(path: &Path, pick: impl Fn(&Facts) -> Option<&T>) -> Vec<T> {
    flows(path).iter().filter_map(|record| record.facts.as_deref().and_then(&pick).cloned()).collect()
}

/// What tshark finds in these fields, a row per frame that passes the filter.
pub fn tshark(path: &Path, filter: &str, fields: &[&str]) -> Option<Vec<Vec<String>>> {
    let mut command = Command::new("tshark");
    command.arg("-n").arg("-r").arg(path).args(["-Y", filter, "-T", "fields", "-E", "aggregator=;", "-E", "separator=|"]);
    for field in fields {
        command.args(["-e", field]);
    }
    let Ok(output) = command.output() else {
        println!("skipped: tshark is missing");
        return None;
    };
    let text = String::from_utf8_lossy(&output.stdout);
    Some(text.lines().map(|line| line.split('|').map(str::to_owned).collect()).collect())
}

/// How often each value of a field occurs.
pub fn tally(path: &Path, filter: &str, field: &str) -> Option<BTreeMap<String, u32>> {
    let mut counts = BTreeMap::new();
    for row in tshark(path, filter, &[field])? {
        for value in row[0].split(';').filter(|value| !value.is_empty()) {
            *counts.entry(value.to_owned()).or_default() += 1;
        }
    }
    Some(counts)
}

/// Facts as the records carry them, without what says nothing.
pub fn json(facts: &Facts) -> Value {
    fn told(value: Value) -> Option<Value> {
        match value {
            Value::Null | Value::Bool(false) => None,
            Value::Number(number) if number.as_f64() == Some(0.0) => None,
            Value::Array(list) if list.is_empty() => None,
            Value::Object(map) => {
                let map: serde_json::Map<_, _> = map.into_iter().filter_map(|(k, v)| told(v).map(|v| (k, v))).collect();
                (!map.is_empty()).then_some(Value::Object(map))
            }
            value => Some(value),
        }
    }
    told(serde_json::to_value(facts).unwrap()).unwrap_or(Value::Null)
}

/// The sum of a counter over facts.
pub fn sum<T>(facts: &[T], counter: impl Fn(&T) -> u32) -> u32 {
    facts.iter().map(counter).sum()
}
