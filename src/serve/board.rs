//! What the page knows, gathered on a thread of its own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use std::{io, thread};

use serde_json::{Value, json};
use tokio::sync::watch;

use super::kept::Incidents;
use super::minutes::Minutes;
use super::tap::{Event, Overload, Tap};
use crate::alert::AlertContext;
use crate::detect::{Answers, Class, IncidentState};
use crate::flow::{FlowRecord, HomeNets};
use crate::inventory::{Inventory, Vendors};
use crate::model::Model;
use crate::pipeline::{Accounting, Stopwatch};
use crate::replay::Output as _;
use crate::report::text::Shown;
use crate::report::{self, Account, Devices, Gather, KnownModel, Report, Step, UNUSUAL_BITS};
use crate::time::{Span, Timestamp};

/// Events taken while the board is locked once.
const AT_ONCE: usize = 256;
/// How long the thread waits for an event before it looks around.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// The list of devices is made again when it is older than this, and than so many times what making it took: a large one takes a while.
const DEVICES_FOR_S: f64 = 10.0;
const DEVICES_FOR_TIMES: f64 = 50.0;
/// The sections of the report show at least this much of the past, and at most twice as much.
const OVERVIEW: Span = Span::from_secs(86_400);

/// What a board begins with.
#[derive(Debug, Default)]
pub struct BoardConfig {
    /// What stands above the page.
    pub title: String,
    /// Home networks.
    pub home: HomeNets,
    /// Who made which interfaces.
    pub vendors: Option<Vendors>,
    /// The model that judges, where there is one by now.
    pub model: Option<Arc<Model>>,
    /// The answers that stand.
    pub answers: Arc<Answers>,
    /// Alert lines of earlier runs, the oldest first.
    pub told: Vec<String>,
}

/// The sections' gathering, and the one that will take its place.
#[derive(Debug)]
struct Next {
    gather: Gather,
    begun: Timestamp,
}

/// Everything that is shown. Bounded: 10,000 incidents, two days of minutes, and what a report keeps, twice.
#[derive(Debug)]
pub struct Board {
    pub(super) incidents: Incidents,
    pub(super) minutes: Minutes,
    pub(super) report: Report,
    next: Option<Next>,
    /// Time of the first thing that the sections show, and of the latest.
    begun: Option<Timestamp>,
    pub(super) now: Option<Timestamp>,
    inventory: Inventory,
    vendors: Option<Vendors>,
    /// When the list was made, how long it may be shown in seconds, and the list.
    devices: Option<(Stopwatch, f64, Vec<Value>)>,
    pub(super) context: Option<AlertContext>,
    /// Alert lines that were told, by class.
    pub(super) told: BTreeMap<Class, u64>,
    /// And that an answer hid.
    pub(super) hidden: BTreeMap<Class, u64>,
    missed: Arc<AtomicU64>,
}

impl Board {
    fn new(config: BoardConfig, missed: Arc<AtomicU64>) -> Self {
        let mut board = Self {
            incidents: Incidents::default(),
            minutes: Minutes::default(),
            report: Report { title: Shown::new(&config.title), of_captures: true, ..Report::default() },
            next: None,
            begun: None,
            now: None,
            inventory: Inventory::new(config.home),
            vendors: config.vendors,
            devices: None,
            context: None,
            told: BTreeMap::new(),
            hidden: BTreeMap::new(),
            missed,
        };
        if !config.answers.is_empty() {
            board.report.answers = Some(Arc::clone(&config.answers));
        }
        board.incidents.answered(config.answers);
        config.told.into_iter().for_each(|line| board.incidents.recall(line.into()));
        if let Some(model) = config.model {
            board.judge_by(model);
        }
        board
    }

    fn judge_by(&mut self, model: Arc<Model>) {
        // One that cannot be digested judges nothing: the judge has told why.
        self.report.model = KnownModel::new(model).ok();
    }

    fn gathers(&mut self) -> impl Iterator<Item = &mut Gather> {
        std::iter::once(&mut self.report.gather).chain(self.next.as_mut().map(|next| &mut next.gather))
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Sighting(sighting) => self.inventory.sighting(&sighting),
            Event::Flow(record, bits, behaviour) => self.flow(&record, bits, &behaviour),
            Event::Notice(notice, is_hidden) => {
                let Some(context) = &self.context else { return };
                let count = if is_hidden { &mut self.hidden } else { &mut self.told };
                *count.entry(notice.incident.class).or_default() += 1;
                self.incidents.take(&notice, is_hidden, context);
                if !is_hidden {
                    self.gathers().for_each(|gather| gather.notice(&notice));
                }
                self.advance(notice.raised);
            }
            Event::Begin(context) => {
                self.gathers().for_each(|gather| gather.begin(&context));
                self.context = Some(*context);
            }
            Event::Vocabulary(vocabulary) => self.gathers().for_each(|gather| gather.know(&vocabulary)),
            Event::Model(model) => self.judge_by(model),
        }
    }

    fn flow(&mut self, record: &FlowRecord, bits: Option<f64>, behaviour: &str) {
        self.inventory.record(record);
        let step = Step {
            bytes: record.orig.wire_bytes.saturating_add(record.resp.wire_bytes) as f64,
            missing_bytes: record.orig.missing_bytes.saturating_add(record.resp.missing_bytes) as f64,
            flows: 1,
            unusual: u64::from(bits.is_some_and(|bits| bits >= UNUSUAL_BITS)),
        };
        self.minutes.add((record.start, record.end), &step);
        self.gathers().for_each(|gather| gather.record(record, bits, behaviour));
        self.advance(record.end);
    }

    /// What is shown of the past begins anew from time to time, so that a month does not hide today.
    fn advance(&mut self, now: Timestamp) {
        self.now = self.now.max(Some(now));
        let begun = *self.begun.get_or_insert(now);
        let shown = now.since(begun).nanos();
        if shown >= OVERVIEW.nanos() && self.next.is_none() {
            self.next = Some(Next { gather: self.report.gather.anew(), begun: now });
        } else if shown >= 2 * OVERVIEW.nanos()
            && let Some(Next { gather, begun }) = self.next.take()
        {
            (self.report.gather, self.begun) = (gather, Some(begun));
        }
    }

    /// The devices seen so far, as the inventory tells them; some seconds old.
    pub(super) fn devices(&mut self) -> &[Value] {
        if self.devices.as_ref().is_none_or(|(made, lasts_s, _)| made.seconds() > *lasts_s) {
            let making = Stopwatch::start();
            let devices = self.inventory.devices(self.vendors.as_ref());
            // Names, addresses and counters, none of which can fail.
            let values: Vec<Value> = devices.iter().filter_map(|device| serde_json::to_value(device).ok()).collect();
            let mut list = Devices::with(Report::named_hosts(&self.report.gather));
            values.iter().filter_map(|value| serde_json::from_value(value.clone()).ok()).for_each(|device| list.add(device));
            list.finish();
            self.report.devices = Some(list);
            let lasts_s = DEVICES_FOR_S.max(DEVICES_FOR_TIMES * making.seconds());
            self.devices = Some((Stopwatch::start(), lasts_s, values));
        }
        self.devices.as_ref().map_or(&[], |(.., devices)| devices)
    }

    /// The report of now, with this account.
    pub(super) fn report(&mut self, account: &Accounting) -> &Report {
        self.devices();
        self.report.gather.finish();
        let mut stats = json!({"capture": account});
        if let Some(known) = &self.report.model {
            let (calibration, budget) = (&known.model().calibration, known.model().budget);
            stats["detector"] = json!({
                "threshold_bits": calibration.threshold(budget), "budget_per_day": budget.per_day,
                "budget_resolved": calibration.resolves(budget),
            });
        }
        self.report.account = Account::of(&stats);
        self.report.of_captures = self.report.model.is_none();
        &self.report
    }

    /// An incident told as the report tells it, as HTML.
    pub(super) fn article(&self, id: u64) -> Option<String> {
        report::article(&self.report, &self.incidents.get(id)?.line)
    }

    /// What a device is called.
    pub(super) fn name_of(&self, host: crate::feature::Host) -> Option<&Shown> {
        self.report.devices.as_ref()?.name_of(host)
    }

    /// Is it judged by now, rather than still learned?
    pub(super) const fn is_judging(&self) -> bool {
        self.context.is_some()
    }

    /// Flows and sightings that came too fast to be taken.
    pub(super) fn missed(&self) -> u64 {
        self.missed.load(Ordering::Relaxed)
    }

    /// Incidents that are told and not closed, of each severity.
    pub(super) fn open_by_severity(&self) -> [u64; 3] {
        let mut counts = [0; 3];
        for kept in self.incidents.since(0).filter(|kept| kept.state != IncidentState::Closed && !kept.is_hidden) {
            counts[usize::from(kept.subject.class.info().severity.clamp(1, 3)) - 1] += 1;
        }
        counts
    }
}

/// A board and who waits for its changes.
#[derive(Debug)]
pub(super) struct Shared {
    board: Mutex<Board>,
    changed: watch::Sender<u64>,
}

impl Shared {
    /// Nobody leaves it half changed but by a panic, which ends the program.
    pub fn lock(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the version of the latest change from now on.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Tells who waits, when something has changed.
    pub fn tell(&self, version: u64) {
        self.changed.send_if_modified(|told| std::mem::replace(told, version) != version);
    }

    /// Other answers stand from now on.
    pub fn answered(&self, answers: Arc<Answers>) {
        let mut board = self.lock();
        board.report.answers = Some(Arc::clone(&answers));
        board.incidents.answered(answers);
        let version = board.incidents.version();
        drop(board);
        self.tell(version);
    }
}

/// Begins a board: what is told to the tap comes to be shown, until all taps are dropped.
pub(super) fn begin(config: BoardConfig, overload: Overload) -> io::Result<(Tap, Arc<Shared>, JoinHandle<()>)> {
    let (tap, from) = Tap::new(overload);
    let board = Mutex::new(Board::new(config, tap.missed()));
    let shared = Arc::new(Shared { board, changed: watch::Sender::new(0) });
    let theirs = Arc::clone(&shared);
    let thread = thread::Builder::new().name("board".to_owned()).spawn(move || gather(&theirs, &from))?;
    Ok((tap, shared, thread))
}

fn gather(shared: &Shared, from: &Receiver<Event>) {
    loop {
        let first = match from.recv_timeout(LOOK_EVERY) {
            Ok(first) => first,
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => return,
        };
        let mut board = shared.lock();
        board.take(first);
        from.try_iter().take(AT_ONCE).for_each(|event| board.take(event));
        let version = board.incidents.version();
        drop(board);
        shared.tell(version);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sections_show_one_to_two_days() {
        let mut board = Board::new(BoardConfig::default(), Arc::default());
        let at = |hour: i64| Timestamp::from_parts(hour * 3600, 0);
        let mut begun = |hour| {
            board.advance(at(hour));
            (board.begun.map(|begun| begun.seconds() / 3600), board.next.is_some())
        };
        assert_eq!([0, 23].map(&mut begun), [(Some(0), false); 2]);
        assert_eq!([24, 47].map(&mut begun), [(Some(0), true); 2]);
        assert_eq!(begun(48), (Some(24), false));
        assert_eq!(begun(49), (Some(24), true));
    }
}
