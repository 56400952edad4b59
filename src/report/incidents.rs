//! The incidents of a report: the latest line of each, bounded.

use std::collections::BTreeMap;

use super::event::{ModelPart, Stage, Told};
use super::text::Shown;
use crate::detect::{Answers, Standing};
use crate::feature::Host;
use crate::time::{Span, Timestamp};

/// Incidents kept whole: the strongest.
pub const MOST_KEPT: usize = 1000;
/// Incidents told apart and counted, some 60 bytes each.
const MOST_COUNTED: usize = 1_000_000;
/// Models and classes told apart.
const MOST_MODELS: usize = 64;

/// What is counted of an incident that is not kept.
#[derive(Clone, Copy, Debug)]
struct Brief {
    class: u8,
    severity: u8,
    is_open: bool,
    first: Timestamp,
    raised: Timestamp,
}

/// Incidents by their lines.
#[derive(Debug, Default)]
pub struct Incidents {
    kept: BTreeMap<u64, Told>,
    counted: BTreeMap<u64, Brief>,
    /// Names of classes, in the order in which they came.
    classes: Vec<(Shown, Shown)>,
    /// Lines read.
    pub lines: u64,
    /// Lines of incidents beyond those that are counted.
    pub uncounted_lines: u64,
    /// Lines that were written in a state in which something was missing.
    pub degraded_lines: u64,
    /// Models that judged, and how many lines each.
    pub models: BTreeMap<ModelPart, u64>,
    /// The first and the last moment that lines speak of.
    pub spoken_of: Option<(Timestamp, Timestamp)>,
}

/// How many incidents there are of a class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfClass {
    /// Its name.
    pub class: Shown,
    /// In words.
    pub title: Shown,
    /// Incidents.
    pub count: u64,
    /// Of these still open at the last line.
    pub open: u64,
    /// Its severity.
    pub severity: u8,
}

impl Incidents {
    /// Takes a line: the latest of an incident tells it.
    pub fn add(&mut self, mut told: Told) {
        self.lines += 1;
        self.degraded_lines += u64::from(told.degraded);
        if self.models.len() < MOST_MODELS || self.models.contains_key(&told.model) {
            *self.models.entry(told.model.clone()).or_default() += 1;
        }
        let (first, last) = self.spoken_of.unwrap_or((told.first, told.last));
        self.spoken_of = Some((first.min(told.first), last.max(told.last)));
        let key = key(told.id.as_str());
        let is_open = told.stage == Stage::Open;
        if self.counted.len() >= MOST_COUNTED && !self.counted.contains_key(&key) {
            self.uncounted_lines += 1;
            return;
        }
        let class = self.class(&told);
        let brief = Brief { class, severity: told.severity, is_open, first: told.first, raised: told.raised };
        let counted = self.counted.entry(key).or_insert(brief);
        *counted = Brief { first: brief.first.min(counted.first), raised: brief.raised.min(counted.raised), ..brief };
        told.raised = counted.raised;
        self.kept.insert(key, told);
        if self.kept.len() >= 2 * MOST_KEPT {
            self.drop_the_weakest();
        }
    }

    fn class(&mut self, told: &Told) -> u8 {
        let known = self.classes.iter().position(|(class, _)| *class == told.class);
        let place = known.unwrap_or_else(|| {
            if self.classes.len() < MOST_MODELS {
                self.classes.push((told.class.clone(), told.title.clone()));
            }
            self.classes.len() - 1
        });
        place as u8
    }

    fn drop_the_weakest(&mut self) {
        let mut ranked: Vec<(f64, u64)> = self.kept.iter().map(|(&key, told)| (told.bits, key)).collect();
        ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        for (_, key) in ranked.drain(MOST_KEPT..) {
            self.kept.remove(&key);
        }
    }

    /// No more lines come.
    pub(super) fn finish(&mut self) {
        if self.kept.len() > MOST_KEPT {
            self.drop_the_weakest();
        }
    }

    /// Incidents in all.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counted.len() as u64
    }

    /// Those kept, in the order of their time.
    #[must_use]
    pub fn by_time(&self) -> Vec<&Told> {
        let mut all: Vec<&Told> = self.kept.values().collect();
        all.sort_by(|a, b| a.first.cmp(&b.first).then(a.raised.cmp(&b.raised)).then(a.id.cmp(&b.id)));
        all
    }

    /// Those kept by device, each in the order of their time; the device with the strongest incident first.
    #[must_use]
    pub fn by_host(&self) -> Vec<(Host, Vec<&Told>)> {
        let mut hosts = BTreeMap::<Host, Vec<&Told>>::new();
        for told in self.by_time() {
            hosts.entry(told.host()).or_default().push(told);
        }
        let strongest = |all: &[&Told]| all.iter().map(|told| told.bits).fold(0.0, f64::max);
        let mut hosts: Vec<_> = hosts.into_iter().collect();
        hosts.sort_by(|a, b| strongest(&b.1).total_cmp(&strongest(&a.1)).then(a.0.cmp(&b.0)));
        hosts
    }

    /// How many there are of each class, most severe and most frequent first.
    #[must_use]
    pub fn by_class(&self) -> Vec<OfClass> {
        let mut classes: Vec<OfClass> = self
            .classes
            .iter()
            .map(|(class, title)| OfClass { class: class.clone(), title: title.clone(), count: 0, open: 0, severity: 3 })
            .collect();
        for brief in self.counted.values() {
            if let Some(class) = classes.get_mut(usize::from(brief.class)) {
                class.count += 1;
                class.open += u64::from(brief.is_open);
                class.severity = class.severity.min(brief.severity);
            }
        }
        classes.retain(|class| class.count > 0);
        classes.sort_by(|a, b| (a.severity, b.count, &a.class).cmp(&(b.severity, a.count, &b.class)));
        classes
    }

    /// Incidents of severity 1, 2 and 3.
    #[must_use]
    pub fn by_severity(&self) -> [u64; 3] {
        let mut counts = [0; 3];
        for brief in self.counted.values() {
            counts[usize::from(brief.severity.clamp(1, 3)) - 1] += 1;
        }
        counts
    }

    /// Incidents whose last line does not close them.
    #[must_use]
    pub fn open(&self) -> u64 {
        self.counted.values().filter(|brief| brief.is_open).count() as u64
    }

    /// From an incident's first packet to its first line: the middle of all, and the longest.
    #[must_use]
    pub fn time_to_tell(&self) -> Option<(Span, Span)> {
        let mut spans: Vec<Span> = self.counted.values().map(|brief| brief.raised.since(brief.first)).collect();
        spans.sort_unstable();
        Some((*spans.get(spans.len() / 2)?, *spans.last()?))
    }

    /// How soon they were answered, each by its first answer.
    #[must_use]
    pub fn answered(&self, answers: &Answers) -> Answered {
        let mut first = BTreeMap::<u64, Timestamp>::new();
        for Standing { answer, .. } in answers.iter() {
            if let Some(about) = &answer.about {
                first.entry(key(&about.incident)).and_modify(|time| *time = answer.time.min(*time)).or_insert(answer.time);
            }
        }
        let mut spans = Vec::new();
        let (mut without, mut high_without) = (0, 0);
        for (key, brief) in &self.counted {
            match first.get(key) {
                Some(time) => spans.push(time.since(brief.raised).max(Span::from_secs(0))),
                None => {
                    without += 1;
                    high_without += u64::from(brief.severity == 1);
                }
            }
        }
        spans.sort_unstable();
        let times = spans.get(spans.len() / 2).copied().zip(spans.last().copied());
        Answered { count: spans.len() as u64, without, high_without, times }
    }
}

/// How incidents were answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answered {
    /// Incidents with an answer.
    pub count: u64,
    /// Those without.
    pub without: u64,
    /// Of these, of high severity.
    pub high_without: u64,
    /// From an incident's first line to its first answer: the middle of all, and the longest.
    pub times: Option<(Span, Span)>,
}

/// Identifiers of this program are 16 hexadecimal digits; others are hashed (FNV-1a), so that nothing from outside becomes the name
/// of a place in the page.
pub(super) fn key(id: &str) -> u64 {
    let own = if id.len() == 16 { u64::from_str_radix(id, 16).ok() } else { None };
    own.unwrap_or_else(|| {
        id.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::{About, Answer, AnswerKind};

    pub(crate) fn told(id: u64, bits: f64, stage: Stage) -> Told {
        let at = Timestamp::from_parts(1_780_477_692 + id as i64 % 7200, 0);
        Told {
            id: Shown::new(&format!("{id:016x}")),
            class: Shown::new("scan"),
            title: Shown::new("port scan"),
            severity: 2,
            stage,
            hosts: vec!["10.0.0.1".parse().unwrap()],
            peers: Vec::new(),
            services: Vec::new(),
            first: at,
            last: at,
            raised: at + Span::from_secs(10),
            flows: 1,
            bits,
            p_value: None,
            why: Vec::new(),
            check: Vec::new(),
            attack: Vec::new(),
            model: ModelPart::default(),
            degraded: false,
        }
    }

    #[test]
    fn the_latest_line_tells_an_incident_and_the_first_when_it_was_raised() {
        let mut incidents = Incidents::default();
        incidents.add(told(7, 10.0, Stage::Open));
        let mut later = told(7, 20.0, Stage::Closed);
        later.raised = later.raised + Span::from_secs(400);
        incidents.add(later);
        incidents.finish();
        let all = incidents.by_time();
        assert_eq!((incidents.count(), incidents.lines, incidents.open()), (1, 2, 0));
        assert_eq!((all[0].bits, all[0].raised.since(all[0].first)), (20.0, Span::from_secs(10)));
        assert_eq!(incidents.time_to_tell(), Some((Span::from_secs(10), Span::from_secs(10))));
    }

    #[test]
    fn the_first_answer_counts_and_what_has_none_is_told() {
        let mut incidents = Incidents::default();
        (1..=3).for_each(|id| incidents.add(Told { severity: 1, ..told(id, 10.0, Stage::Closed) }));
        let raised = told(2, 0.0, Stage::Closed).raised;
        let mut answers = Answers::default();
        for (number, after_s) in [(0, 900), (1, 60)] {
            let about = About { incident: format!("{:016x}", 2), class: "scan".to_owned(), hosts: Vec::new(), raised };
            let answer = Answer {
                time: raised + Span::from_secs(after_s),
                by: "ada".to_owned(),
                answer: AnswerKind::Close,
                reason: "dealt with".to_owned(),
                about: Some(about),
                role: None,
                hides: None,
                takes_back: Vec::new(),
            };
            answers.add(number, answer).unwrap();
        }
        let minute = Span::from_secs(60);
        let wanted = Answered { count: 1, without: 2, high_without: 2, times: Some((minute, minute)) };
        assert_eq!(incidents.answered(&answers), wanted);
    }

    #[test]
    fn the_strongest_are_kept_and_all_are_counted() {
        let mut incidents = Incidents::default();
        (0..10_000).for_each(|n| incidents.add(told(n, n as f64, Stage::Open)));
        incidents.finish();
        let kept = incidents.by_time();
        assert_eq!((kept.len(), incidents.count(), incidents.by_class()[0].count), (MOST_KEPT, 10_000, 10_000));
        assert!(kept.iter().all(|told| told.bits >= 9000.0));
    }
}
