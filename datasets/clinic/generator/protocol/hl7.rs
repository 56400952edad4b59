//! HL7 v2 messages in the minimal lower layer protocol. All names are made up and say so.

use crate::generator::clock::hhmmss;
use crate::generator::random::Rng;

/// A message in its frame: vertical tab, segments, file separator, carriage return.
fn framed(segments: &[String]) -> Vec<u8> {
    let mut message = vec![0x0b];
    for segment in segments {
        message.extend(segment.bytes());
        message.push(b'\r');
    }
    message.extend([0x1c, b'\r']);
    message
}

fn header(from: &str, to: &str, kind: &str, number: i64, at: i64) -> String {
    format!("MSH|^~\\&|{from}|CLINIC|{to}|CLINIC|20260303{}||{kind}|{number}|P|2.5", hhmmss(at))
}

fn patient(rng: &mut Rng) -> String {
    let n = rng.between(1, 60);
    format!("PID|1||FICTION-{n:04}^^^CLINIC||TESTPERSON^NUMBER-{n:04}||19000101|O")
}

/// A laboratory result with `values` observations.
pub fn result(rng: &mut Rng, values: i64, at: i64) -> Vec<u8> {
    let mut segments = vec![header("LAB", "HIS", "ORU^R01", at / 1_000_000 % 10_000_000, at), patient(rng)];
    segments.push(format!("OBR|1||{}|PANEL^Test panel", rng.between(10_000, 99_999)));
    for i in 1..=values {
        segments.push(format!("OBX|{i}|NM|ANALYTE-{i:02}||{}.{}|mmol/L|||||F", rng.between(1, 180), rng.between(0, 9)));
    }
    framed(&segments)
}

/// A bedside monitor's values.
pub fn vitals(rng: &mut Rng, monitor: &str, at: i64) -> Vec<u8> {
    let mut segments = vec![header(monitor, "HIS", "ORU^R01", at / 1_000_000 % 10_000_000, at), patient(rng)];
    segments.push("OBR|1|||VITALS".to_owned());
    for (name, low, high, unit) in [("HR", 55, 110, "bpm"), ("SPO2", 92, 100, "%"), ("RR", 10, 22, "rpm")] {
        segments.push(format!("OBX|1|NM|{name}||{}|{unit}|||||R", rng.between(low, high)));
    }
    framed(&segments)
}

/// An admission, transfer or order that the integration engine tells the archive.
pub fn order(rng: &mut Rng, kind: &str, at: i64) -> Vec<u8> {
    let visit = format!("PV1|1|O|WARD-{}^BED-{}", rng.between(1, 3), rng.between(1, 12));
    let segments = [header("HIS", "PACS", kind, at / 1_000_000 % 10_000_000, at), patient(rng), visit];
    framed(&segments)
}

/// The positive acknowledgement.
pub fn acknowledgement(from: &str, to: &str, at: i64) -> Vec<u8> {
    let number = at / 1_000_000 % 10_000_000;
    framed(&[header(from, to, "ACK", number, at), format!("MSA|AA|{number}")])
}
