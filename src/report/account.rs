//! The accounting of a run, as `--stats` writes it.

use serde_json::Value;

use super::text::Shown;

/// Counters listed of a kind.
const MOST_LISTED: usize = 16;

/// What went in and where it went.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Account {
    /// Frames read; of records from elsewhere, lines.
    pub read: u64,
    /// Are they lines of records rather than frames?
    pub of_records: bool,
    /// Frames that were packets; of lines, records.
    pub used: u64,
    /// Bytes of the packets on the wire.
    pub wire_bytes: u64,
    /// Frames cut by the snap length.
    pub cut: u64,
    /// Frames lost before they could be read.
    pub dropped: u64,
    /// Frames or lines passed over, by reason.
    pub skipped: Vec<(Shown, u64)>,
    /// Link types that are not read.
    pub link_types: Vec<(Shown, u64)>,
    /// Packets with a wrong checksum.
    pub bad_checksums: u64,
    /// Flows that were ended early since the table was full.
    pub evicted: u64,
    /// Does the account balance?
    pub balanced: bool,
    /// Score at which incidents open, in bits.
    pub threshold_bits: Option<f64>,
    /// Incidents a day of normal time that were allowed.
    pub budget_per_day: Option<f64>,
    /// Was the learning time long enough to show that?
    pub budget_resolved: bool,
    /// Does the model know the network?
    pub model_fits: bool,
    /// Flow records that taught, where the capture taught itself.
    pub self_taught: Option<u64>,
}

impl Account {
    /// Takes it from the JSON that `--stats` writes; nothing when it is another.
    #[must_use]
    pub fn of(stats: &Value) -> Option<Self> {
        let of_records = stats.get("capture").is_none();
        let part = stats.get(if of_records { "records" } else { "capture" })?;
        let count = |name: &str| part.get(name).and_then(Value::as_u64).unwrap_or(0);
        let list = |name: &str| {
            let map = part.get(name).and_then(Value::as_object).into_iter().flatten();
            let mut list: Vec<(Shown, u64)> =
                map.filter_map(|(name, count)| Some((Shown::new(name), count.as_u64()?))).filter(|entry| entry.1 > 0).collect();
            list.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
            list.truncate(MOST_LISTED);
            list
        };
        let detector = stats.get("detector");
        let of_detector = |name: &str| detector.and_then(|detector| detector.get(name));
        Some(Self {
            read: count(if of_records { "lines" } else { "frames" }),
            of_records,
            used: count(if of_records { "records" } else { "packets" }),
            wire_bytes: count("wire_bytes"),
            cut: count("cut"),
            dropped: count("dropped"),
            skipped: list("skipped"),
            link_types: list("skipped_link_types"),
            bad_checksums: count("bad_checksums"),
            evicted: part.pointer("/flows/evicted").and_then(Value::as_u64).unwrap_or(0),
            balanced: part.get("balanced").and_then(Value::as_bool).unwrap_or(false),
            threshold_bits: of_detector("threshold_bits").and_then(Value::as_f64),
            budget_per_day: of_detector("budget_per_day").and_then(Value::as_f64),
            budget_resolved: of_detector("budget_resolved").and_then(Value::as_bool).unwrap_or(false),
            model_fits: of_detector("model_fits").and_then(Value::as_bool).unwrap_or(true),
            self_taught: of_detector("self_taught_records").and_then(Value::as_u64),
        })
    }

    /// Frames read and lost.
    #[must_use]
    pub const fn all(&self) -> u64 {
        self.read.saturating_add(self.dropped)
    }

    /// The share of frames that were lost before they could be read, 0 to 1.
    #[must_use]
    pub fn lost_share(&self) -> f64 {
        self.dropped as f64 / self.all().max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_kinds_of_accounts_are_read() {
        let capture = json!({"capture": {"frames": 90, "packets": 80, "dropped": 10, "skipped": {"arp": 10, "fcs": 0},
            "balanced": true, "flows": {"evicted": 2}}, "detector": {"threshold_bits": 8.5, "budget_resolved": false}});
        let account = Account::of(&capture).unwrap();
        assert_eq!((account.read, account.used, account.evicted, account.lost_share()), (90, 80, 2, 0.1));
        assert_eq!((account.skipped.len(), account.threshold_bits, account.model_fits), (1, Some(8.5), true));
        let records = Account::of(&json!({"records": {"lines": 5, "records": 4, "balanced": true}})).unwrap();
        assert!(records.of_records && records.read == 5 && records.balanced);
        assert_eq!(Account::of(&json!({"devices": []})), None);
    }
}
