//! The incidents that the page shows.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::alert::{AlertContext, IncidentLine, alert_event};
use crate::detect::{Answer, Answers, IncidentState, Notice, Subject, reason};
use crate::feature::Host;
use crate::report::text::Shown;
use crate::time::Timestamp;

/// Incidents kept, some 4 kB each; then the oldest that is closed goes, else the oldest.
pub(super) const MOST_INCIDENTS: usize = 10_000;
/// Lines remembered of one incident: the first, and the latest of the others.
const MOST_PAST: usize = 32;

/// A line about an incident, as its timeline shows it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Moment {
    pub raised: Timestamp,
    pub state: IncidentState,
    pub bits: f64,
    pub flows: u64,
    pub is_hidden: bool,
}

/// An incident as its latest line tells it.
#[derive(Debug)]
pub(super) struct Kept {
    /// When it was told, as a number that grows from incident to incident.
    pub number: u64,
    /// Grows with every change of any incident.
    pub version: u64,
    /// Its latest alert line.
    pub line: Box<str>,
    pub subject: Subject,
    pub state: IncidentState,
    pub is_hidden: bool,
    pub flows: u64,
    pub story: u64,
    pub first_raised: Timestamp,
    /// Its peer with the most bits.
    pub peer: Option<Host>,
    /// Its strongest reason, in words.
    pub reason: Shown,
    pub past: Vec<Moment>,
    /// The answer that stands to it.
    pub answer: Option<u64>,
    /// Was it told by an earlier run, and by this one no more?
    pub is_recalled: bool,
}

/// What a line says.
struct Fresh {
    line: Box<str>,
    /// Of the incident by now, and of the line.
    state: IncidentState,
    said: IncidentState,
    is_hidden: bool,
    is_recalled: bool,
    flows: u64,
    story: u64,
    peer: Option<Host>,
    reason: Shown,
    subject: Subject,
}

/// Incidents in the order in which they were told first. Bounded.
#[derive(Debug, Default)]
pub(super) struct Incidents {
    all: BTreeMap<u64, Kept>,
    numbers: HashMap<u64, u64>,
    changes: BTreeMap<u64, u64>,
    version: u64,
    last_number: u64,
    answers: Arc<Answers>,
    /// Incidents that went to make room.
    pub gone: u64,
}

impl Incidents {
    /// Takes a line.
    pub fn take(&mut self, notice: &Notice, is_hidden: bool, context: &AlertContext) {
        let incident = &notice.incident;
        let strongest = incident.peers.iter().max_by(|a, b| a.1.total_cmp(b.1).then(b.0.cmp(a.0)));
        self.add(Fresh {
            line: alert_event(notice, context, (0, "")).to_string().into(),
            state: notice.state,
            said: notice.state,
            is_hidden,
            is_recalled: false,
            flows: incident.flows,
            story: incident.story,
            peer: strongest.map(|(&peer, _)| notice.shown(peer)),
            reason: Shown::new(&incident.reasons.first().map(|cause| reason(cause).text).unwrap_or_default()),
            subject: Subject::of(notice),
        });
    }

    /// Takes a line that an earlier run wrote. What was open when that run broke off is over: nobody tells of it any more. Other lines
    /// are passed over.
    pub fn recall(&mut self, line: Box<str>) {
        let Ok(Some(IncidentLine { subject, state: said, flows, story, reason, .. })) = IncidentLine::read(line.as_bytes())
        else {
            return;
        };
        self.add(Fresh {
            line,
            state: IncidentState::Closed,
            said,
            is_hidden: false,
            is_recalled: true,
            flows,
            story,
            // A line names those with the most bits first.
            peer: subject.peers.first().copied(),
            reason: Shown::new(&reason),
            subject,
        });
    }

    fn add(&mut self, fresh: Fresh) {
        let Fresh { line, state, said, is_hidden, is_recalled, flows, story, peer, reason, subject } = fresh;
        let moment = Moment { raised: subject.raised, state: said, bits: subject.bits, flows, is_hidden };
        let known = self.numbers.get(&subject.id).and_then(|number| self.all.remove(number));
        let (number, first_raised, mut past, before) = match known {
            Some(known) => {
                self.changes.remove(&known.version);
                (known.number, known.first_raised, known.past, known.answer)
            }
            None => {
                self.make_room();
                self.last_number += 1;
                self.numbers.insert(subject.id, self.last_number);
                (self.last_number, subject.raised, Vec::new(), None)
            }
        };
        if past.len() >= MOST_PAST {
            past.remove(1);
        }
        past.push(moment);
        let stands = before.filter(|&number| self.answers.get(number).is_some_and(|it| it.taken_back_by.is_none()));
        let answer = stands.or_else(|| self.answer_to(&subject));
        self.put(Kept {
            number,
            version: 0,
            line,
            state,
            is_hidden,
            flows,
            story,
            first_raised,
            peer,
            reason,
            past,
            answer,
            is_recalled,
            subject,
        });
    }

    fn put(&mut self, mut kept: Kept) {
        self.version += 1;
        kept.version = self.version;
        self.changes.insert(kept.version, kept.number);
        self.all.insert(kept.number, kept);
    }

    fn make_room(&mut self) {
        if self.all.len() < MOST_INCIDENTS {
            return;
        }
        let closed = self.all.iter().find(|(_, kept)| kept.state == IncidentState::Closed);
        let Some(number) = closed.or_else(|| self.all.first_key_value()).map(|(&number, _)| number) else { return };
        if let Some(kept) = self.all.remove(&number) {
            self.gone += 1;
            self.changes.remove(&kept.version);
            self.numbers.remove(&kept.subject.id);
        }
    }

    /// Other answers stand from now on. They come behind those that stood, so that only the new ones are looked at.
    pub fn answered(&mut self, answers: Arc<Answers>) {
        // The file only grows: fewer were read before the latest was written, and all of them will be read again.
        if answers.len() < self.answers.len() {
            return;
        }
        let latest = self.answers.iter().map(|it| it.number).max();
        let fresh: Vec<Answer> =
            answers.iter().filter(|it| latest.is_none_or(|latest| it.number > latest)).map(|it| it.answer.clone()).collect();
        self.answers = answers;
        let touched = |kept: &&Kept| {
            fresh.iter().any(|answer| {
                kept.answer.is_some_and(|of| answer.takes_back.contains(&of))
                    || answer.hides.as_ref().is_some_and(|rule| rule.hides(&kept.subject))
                    || is_about(answer, kept.subject.id)
            })
        };
        let numbers: Vec<u64> = self.all.values().filter(touched).map(|kept| kept.number).collect();
        for number in numbers {
            let Some(mut kept) = self.all.remove(&number) else { continue };
            self.changes.remove(&kept.version);
            kept.answer = self.answer_to(&kept.subject);
            self.put(kept);
        }
    }

    /// The latest answer that was given to it, else the one that hides it.
    fn answer_to(&self, it: &Subject) -> Option<u64> {
        let stands = self.answers.iter().filter(|standing| standing.taken_back_by.is_none());
        let given = stands.filter(|standing| is_about(&standing.answer, it.id)).last();
        given.or_else(|| self.answers.hiding(it)).map(|standing| standing.number)
    }

    /// The answers that stand.
    pub fn answers(&self) -> &Answers {
        &self.answers
    }

    /// The incident with this identifier.
    pub fn get(&self, id: u64) -> Option<&Kept> {
        self.all.get(self.numbers.get(&id)?)
    }

    /// Those told before this one, newest first.
    pub fn before(&self, number: u64) -> impl Iterator<Item = &Kept> {
        self.all.range(..number).rev().map(|(_, kept)| kept)
    }

    /// Those that changed after this version, in that order.
    pub fn since(&self, version: u64) -> impl Iterator<Item = &Kept> {
        self.changes.range(version.saturating_add(1)..).filter_map(|(_, number)| self.all.get(number))
    }

    /// The version of the latest change.
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// Incidents of earlier runs that this one has not told of.
    pub fn recalled(&self) -> usize {
        self.all.values().filter(|kept| kept.is_recalled).count()
    }

    /// Incidents kept.
    pub fn len(&self) -> usize {
        self.all.len()
    }
}

/// Is an answer about this incident? One that takes back others is not.
fn is_about(answer: &Answer, id: u64) -> bool {
    let of = answer.about.as_ref().and_then(|about| u64::from_str_radix(&about.incident, 16).ok());
    of == Some(id) && answer.takes_back.is_empty()
}
