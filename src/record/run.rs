//! Hands the records of files to a consumer, in their order.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::atomic::{AtomicBool, Ordering};

use super::account::RecordAccount;
use super::draft::Draft;
use super::error::RecordError;
use super::files::RecordFiles;
use crate::flow::{FlowKey, HomeNets};
use crate::pipeline::{Consumer, Progress};
use crate::time::{Span, Timestamp};

/// Records held to put them in order at the most, some 1 kB each.
pub const MAX_HELD: usize = 65_536;
/// Records between two reports of progress.
const PROGRESS_EVERY: u64 = 4096;

/// How a run is set up.
#[derive(Clone, Debug, Default)]
pub struct RecordConfig {
    /// Home networks.
    pub home: HomeNets,
    /// Records that begin before this are not taken.
    pub from: Option<Timestamp>,
    /// Records that begin at or after this are not taken.
    pub to: Option<Timestamp>,
}

/// Reads `files` to their end or until `stop`, and hands every record to `consumer` in the order (end, start, key, segment), ties
/// as they were read. With every second in which a record ends, the second is told as a tick after its records: a record is known
/// at the full second behind its end.
///
/// The order is made with at most 65,536 records in hand, so it holds for all files with no more records, and for larger ones
/// where no record comes 65,536 places too late. What comes later than that is handed on as it comes, at the time that it is by
/// then, and counted. Returns the account and what was wrong. Memory: some 80 MB.
pub fn run(
    files: &mut RecordFiles,
    config: &RecordConfig,
    consumer: &mut dyn Consumer,
    stop: &AtomicBool,
) -> (RecordAccount, Vec<RecordError>) {
    let mut clock = Clock { now: None, latest: Timestamp::MIN };
    let mut held: BinaryHeap<Reverse<Held>> = BinaryHeap::new();
    let mut number = 0_u64;
    while !stop.load(Ordering::Relaxed) {
        let Some(draft) = files.next() else { break };
        let start = draft.record.start;
        if config.from.is_some_and(|from| start < from) || config.to.is_some_and(|to| start >= to) {
            files.account.outside_time += 1;
            continue;
        }
        held.push(Reverse(Held { order: draft.record.order(), number, draft }));
        number += 1;
        if held.len() > MAX_HELD
            && let Some(Reverse(next)) = held.pop()
        {
            clock.hand_on(next, config, consumer, &mut files.account);
        }
        if number.is_multiple_of(PROGRESS_EVERY) {
            consumer.progress(Progress { read_bytes: files.stored_bytes() });
        }
    }
    while let Some(Reverse(next)) = held.pop() {
        clock.hand_on(next, config, consumer, &mut files.account);
    }
    if let Some(now) = clock.now {
        consumer.tick(now);
    }
    let damage = files.take_damage();
    (std::mem::take(&mut files.account), damage)
}

struct Held {
    order: (Timestamp, Timestamp, FlowKey, u32),
    number: u64,
    draft: Box<Draft>,
}

impl Held {
    fn key(&self) -> (&(Timestamp, Timestamp, FlowKey, u32), u64) {
        (&self.order, self.number)
    }
}

impl PartialEq for Held {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Held {}

impl PartialOrd for Held {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Held {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

/// The time that the records tell.
struct Clock {
    /// The coming tick; none before the first record.
    now: Option<Timestamp>,
    /// The latest end.
    latest: Timestamp,
}

impl Clock {
    fn hand_on(
        &mut self,
        Held { draft, .. }: Held,
        config: &RecordConfig,
        consumer: &mut dyn Consumer,
        account: &mut RecordAccount,
    ) {
        let end = draft.record.end;
        account.late += u64::from(end < self.latest);
        self.latest = self.latest.max(end);
        let known_at = Timestamp::from_parts(end.seconds(), 0) + Span::from_secs(1);
        let now = match self.now {
            Some(now) if known_at <= now => now,
            before => {
                if let Some(before) = before {
                    consumer.tick(before);
                }
                known_at
            }
        };
        self.now = Some(now);
        account.records += 1;
        account.flows += u64::from(draft.record.segment == 0);
        *account.kinds.entry(draft.kind).or_default() += 1;
        consumer.record(draft.emit(now, &config.home));
    }
}

#[cfg(test)]
mod tests {
    use super::super::files::open;
    use super::*;
    use crate::capture::Input;
    use crate::pipeline::Emitted;

    #[derive(Default)]
    struct Seen {
        ends: Vec<i64>,
        ticks: Vec<i64>,
    }

    impl Consumer for Seen {
        fn record(&mut self, emitted: Emitted) {
            assert!(emitted.observation.seen > emitted.record.end || !self.ends.is_sorted());
            self.ends.push(emitted.record.end.seconds());
        }
        fn tick(&mut self, now: Timestamp) {
            self.ticks.push(now.seconds());
        }
    }

    const HEADER: &str = "src_ip,dst_ip,src_port,dst_port,proto,start,end\n";

    fn line(second: usize) -> String {
        format!("10.0.0.1,10.0.0.2,{},53,udp,{second},{second}.5\n", 1024 + second % 60_000)
    }

    fn seen(texts: &[String], config: &RecordConfig) -> (Seen, RecordAccount, Vec<RecordError>) {
        let folder = tempfile::tempdir().unwrap();
        let inputs: Vec<Input> = texts
            .iter()
            .enumerate()
            .map(|(n, text)| {
                let path = folder.path().join(format!("{n}"));
                std::fs::write(&path, text).unwrap();
                Input::Path(path)
            })
            .collect();
        let mut consumer = Seen::default();
        let mut files = open(&inputs).unwrap();
        let (account, damage) = run(&mut files, config, &mut consumer, &AtomicBool::new(false));
        (consumer, account, damage)
    }

    #[test]
    fn records_come_by_their_ends_and_ticks_behind_them() {
        let text = format!("{HEADER}{}{}{}", line(30), line(10), line(20));
        let (seen, account, damage) = seen(&[text], &RecordConfig::default());
        assert_eq!((seen.ends, seen.ticks), (vec![10, 20, 30], vec![11, 21, 31]));
        assert!(account.balanced() && account.late == 0 && damage.is_empty());
    }

    #[test]
    fn files_are_merged_by_time_however_they_are_named() {
        let file = |seconds: &[usize]| format!("{HEADER}{}", seconds.iter().map(|&at| line(at)).collect::<String>());
        let parts = [file(&[50, 60]), file(&[10, 30, 55]), file(&[70])];
        let (seen, account, _) = seen(&parts, &RecordConfig::default());
        assert_eq!((seen.ends, account.lines, account.records), (vec![10, 30, 50, 55, 60, 70], 6, 6));
    }

    #[test]
    fn what_is_outside_the_time_is_counted() {
        let at = |second| Some(Timestamp::from_parts(second, 0));
        let config = RecordConfig { from: at(20), to: at(30), ..RecordConfig::default() };
        let text = format!("{HEADER}{}{}{}", line(10), line(20), line(30));
        let (seen, account, _) = seen(&[text], &config);
        assert_eq!((seen.ends, account.outside_time, account.balanced()), (vec![20], 2, true));
    }

    #[test]
    fn what_comes_too_late_is_counted_and_not_lost() {
        let mut text = HEADER.to_owned();
        (1..=MAX_HELD + 1).for_each(|second| text.push_str(&line(second)));
        text.push_str(&line(0));
        let (seen, account, _) = seen(&[text], &RecordConfig::default());
        assert_eq!((account.late, account.records, seen.ends.len()), (1, MAX_HELD as u64 + 2, MAX_HELD + 2));
        assert!(seen.ticks.is_sorted() && account.balanced());
    }

    #[test]
    fn bad_lines_are_counted_and_the_first_is_told() {
        let text = format!("{HEADER}{}nonsense\n{}10.0.0.1,,1,2,udp,5,5\n", line(1), line(2));
        let (seen, account, damage) = seen(&[text], &RecordConfig::default());
        assert_eq!((seen.ends, account.unreadable, account.balanced()), (vec![1, 2], 2, true));
        let told = damage[0].to_string();
        assert!(told.contains("line 3") && told.contains("7 columns") && told.contains("1 more line"), "{told}");
    }
}
