//! Which lines are told and which are hidden, incident by incident.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::answers::{AnsweredBy, Answers};
use super::subject::Subject;
use crate::detect::{Class, IncidentState, Notice};

/// Open incidents that are followed at the most; of further ones each line is decided by itself.
const MAX_OPEN: usize = 100_000;

/// What becomes of a line.
#[derive(Clone, Debug, PartialEq)]
pub enum Passage {
    /// It is told, with this state: what was hidden so far is opened with the first line that is told.
    Told(IncidentState),
    /// It is the end of an incident that was told of before this answer, and is told for that reason.
    End(AnsweredBy),
    /// This answer hides it.
    Hidden(AnsweredBy),
}

/// Incidents and lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Incidents of which at least one line was counted.
    pub incidents: u64,
    /// Lines.
    pub lines: u64,
}

/// Open incidents by their identifiers.
pub type Lives = BTreeMap<u64, Life>;

/// What became of the lines of an incident.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Life {
    is_told: bool,
    /// Numbers of the answers that hid lines of it, and as what class: few.
    hidden_by: Vec<(u64, Class)>,
}

/// Decides by the answers that stand. Bounded: it remembers open incidents.
#[derive(Debug, Default)]
pub struct Gate {
    answers: Arc<Answers>,
    open: BTreeMap<u64, Life>,
    /// What was told.
    pub told: Counted,
    /// What was hidden, by the number of the answer and by class.
    pub hidden: BTreeMap<(u64, Class), Counted>,
}

impl Gate {
    /// A gate with these answers.
    #[must_use]
    pub fn new(answers: Arc<Answers>) -> Self {
        Self { answers, ..Self::default() }
    }

    /// Other answers stand from now on.
    pub fn replace(&mut self, answers: Arc<Answers>) {
        self.answers = answers;
    }

    /// The answers that stand.
    #[must_use]
    pub fn answers(&self) -> &Answers {
        &self.answers
    }

    /// Which incidents are open, and what became of their lines so far.
    #[must_use]
    pub const fn lives(&self) -> &Lives {
        &self.open
    }

    /// Goes on from what another gate let pass.
    pub fn take_up(&mut self, lives: Lives) {
        self.open = lives;
    }

    /// Takes a line that another gate let pass before: it counts no more.
    pub fn passed(&mut self, notice: &Notice) {
        let (told, hidden) = (self.told, std::mem::take(&mut self.hidden));
        self.pass(&Subject::of(notice), notice.state);
        (self.told, self.hidden) = (told, hidden);
    }

    /// What becomes of the next line of an incident; counts it.
    pub fn pass(&mut self, it: &Subject, state: IncidentState) -> Passage {
        let mut life = self.open.remove(&it.id).unwrap_or_default();
        let passage = self.decide(it, state, &mut life);
        if state != IncidentState::Closed && self.open.len() < MAX_OPEN {
            self.open.insert(it.id, life);
        }
        passage
    }

    fn decide(&mut self, it: &Subject, state: IncidentState, life: &mut Life) -> Passage {
        let was_told = life.is_told;
        let hiding = self.answers.hiding(it);
        let Some(hiding) = hiding.filter(|_| !(was_told && state == IncidentState::Closed)) else {
            self.told.lines += 1;
            self.told.incidents += u64::from(!was_told);
            life.is_told = true;
            return match (hiding, state) {
                (Some(hiding), _) => Passage::End(AnsweredBy { hides: false, ..hiding.into() }),
                (None, IncidentState::Update) if !was_told => Passage::Told(IncidentState::Open),
                (None, state) => Passage::Told(state),
            };
        };
        let key = (hiding.number, it.class);
        let counted = self.hidden.entry(key).or_default();
        counted.lines += 1;
        if !life.hidden_by.contains(&key) {
            counted.incidents += 1;
            life.hidden_by.push(key);
        }
        Passage::Hidden(hiding.into())
    }

    /// All that was hidden. An incident counts once for each answer and class that hid lines of it.
    #[must_use]
    pub fn all_hidden(&self) -> Counted {
        self.hidden.values().fold(Counted::default(), |sum, one| Counted {
            incidents: sum.incidents + one.incidents,
            lines: sum.lines + one.lines,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::answers::{About, Answer, AnswerError, AnswerKind};
    use super::super::rule::{Direction, Rule};
    use super::*;
    use crate::feature::Host;
    use crate::flow::Service;
    use crate::time::Timestamp;

    fn host(n: u8) -> Host {
        Host(crate::wire::Addr::v4([10, 0, 0, n]))
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_parts(second, 0)
    }

    fn subject(class: Class, peers: &[u8], second: i64) -> Subject {
        Subject {
            id: 7,
            class,
            hosts: vec![host(1)],
            peers: peers.iter().map(|&n| host(n)).collect(),
            services: vec![Service { protocol: 6, port: 443 }],
            names: vec![vec!["pacs.example.org".into()]],
            is_complete: true,
            direction: Direction::Out,
            bits: 20.0,
            first: at(second),
            last: at(second),
            raised: at(second),
        }
    }

    fn answer(answer: AnswerKind, hides: Option<Rule>) -> Answer {
        let about = About { incident: format!("{:016x}", 7), class: "scan".into(), hosts: vec![host(1)], raised: at(100) };
        let (reason, role, takes_back) = (String::new(), None, Vec::new());
        Answer { time: at(0), by: "a".into(), answer, reason, about: Some(about), role, hides, takes_back }
    }

    fn rule(text: &str) -> Rule {
        serde_json::from_str(text).unwrap()
    }

    fn gate(answers: impl IntoIterator<Item = Answer>) -> Gate {
        let mut all = Answers::default();
        answers.into_iter().enumerate().for_each(|(number, answer)| all.add(number as u64, answer).unwrap());
        Gate::new(Arc::new(all))
    }

    fn muted(text: &str) -> Gate {
        gate([answer(AnswerKind::Mute, Some(rule(text)))])
    }

    fn hides(text: &str, it: &Subject) -> bool {
        matches!(muted(text).pass(it, IncidentState::Open), Passage::Hidden(_))
    }

    #[test]
    fn each_criterion_alone_hides_what_lies_within_it_and_nothing_else() {
        let it = subject(Class::Scan, &[2, 3], 1000);
        for (fits, differs) in [
            (r#""host": ["10.0.0.0/24"]"#, r#""host": ["10.0.1.0/24"]"#),
            (r#""peer": ["10.0.0.2", "10.0.0.3"]"#, r#""peer": ["10.0.0.2"]"#),
            (r#""service": ["tcp/443", "tcp/80"]"#, r#""service": ["udp/443"]"#),
            (r#""port": [443]"#, r#""port": [80]"#),
            (r#""proto": ["tcp"]"#, r#""proto": ["udp"]"#),
            (r#""direction": "out""#, r#""direction": "in""#),
            (r#""name": ["PACS.example.org"]"#, r#""name": ["example.org"]"#),
            (r#""name": ["*.example.org"]"#, r#""name": ["*.pacs.example.org"]"#),
            (r#""up_to_bits": 20"#, r#""up_to_bits": 19.9"#),
            (r#""between": "00:00-00:17""#, r#""between": "00:17-00:16""#),
            (r#""from": "1970-01-01T00:16:40Z""#, r#""from": "1970-01-01T00:16:41Z""#),
            (r#""until": "1970-01-01T00:16:41Z""#, r#""until": "1970-01-01T00:16:40Z""#),
        ] {
            assert!(hides(&format!(r#"{{"class": ["scan"], {fits}}}"#), &it), "{fits}");
            assert!(!hides(&format!(r#"{{"class": ["scan"], {differs}}}"#), &it), "{differs}");
            assert!(!hides(&format!(r#"{{"class": ["sweep", "flood"], {fits}}}"#), &it), "another class: {fits}");
        }
    }

    #[test]
    fn any_class_is_said_and_everything_is_not_hidden() {
        assert!(hides(r#"{"class": ["any"], "host": ["10.0.0.1"]}"#, &subject(Class::Flood, &[2], 0)));
        for (text, words) in [
            (r#"{"class": ["any"]}"#, "hide everything"),
            (r#"{"class": ["any"], "direction": "out", "up_to_bits": 5}"#, "hide everything"),
            (r#"{"host": ["10.0.0.1"]}"#, "wanted classes"),
            (r#"{"class": ["any", "scan"], "port": [1]}"#, "\"any\" alone"),
            (r#"{"class": ["scam"]}"#, "scam"),
            (r#"{"class": ["scan"], "from": "1970-01-02T00:00:00Z", "until": "1970-01-01T00:00:00Z"}"#, "before it begins"),
        ] {
            let refused = Answers::default().add(0, answer(AnswerKind::Mute, Some(rule(text)))).unwrap_err();
            assert!(refused.to_string().contains(words), "{text}: {refused}");
        }
        for text in [r#"{"class": ["scan"], "prot": ["tcp"]}"#, r#"{"class": ["scan"], "peer": ["ten"]}"#] {
            assert!(serde_json::from_str::<Rule>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_not_known_whole_is_hidden_by_its_host_alone() {
        let it = Subject { is_complete: false, ..subject(Class::Scan, &[2], 0) };
        assert!(hides(r#"{"class": ["scan"], "host": ["10.0.0.1"]}"#, &it));
        for criterion in [r#""peer": ["10.0.0.0/8"]"#, r#""port": [443]"#, r#""name": ["pacs.example.org"]"#] {
            assert!(!hides(&format!(r#"{{"class": ["scan"], {criterion}}}"#), &it), "{criterion}");
        }
        let bare = Subject { peers: vec![], services: vec![], names: vec![], ..subject(Class::ArpSpoofing, &[], 0) };
        for criterion in [r#""peer": ["10.0.0.0/8"]"#, r#""port": [443]"#, r#""proto": ["tcp"]"#, r#""name": ["x"]"#] {
            assert!(!hides(&format!(r#"{{"class": ["any"], {criterion}}}"#), &bare), "{criterion}");
        }
        let unnamed = Subject { names: vec![vec!["pacs.example.org".into()], vec![]], ..subject(Class::Scan, &[2], 0) };
        assert!(!hides(r#"{"class": ["scan"], "name": ["pacs.example.org"]}"#, &unnamed), "one conversation said nothing");
    }

    #[test]
    fn what_grows_beyond_an_answer_is_opened_with_its_first_line_that_is_told() {
        let mut gate = muted(r#"{"class": ["scan"], "peer": ["10.0.0.2"]}"#);
        assert!(matches!(gate.pass(&subject(Class::Scan, &[2], 0), IncidentState::Open), Passage::Hidden(_)));
        assert_eq!(gate.pass(&subject(Class::Scan, &[2, 3], 60), IncidentState::Update), Passage::Told(IncidentState::Open));
        assert_eq!(gate.pass(&subject(Class::Scan, &[2, 3], 120), IncidentState::Update), Passage::Told(IncidentState::Update));
        assert_eq!(gate.pass(&subject(Class::Scan, &[2, 3], 600), IncidentState::Closed), Passage::Told(IncidentState::Closed));
        assert_eq!((gate.told, gate.all_hidden()), (Counted { incidents: 1, lines: 3 }, Counted { incidents: 1, lines: 1 }));
        assert!(gate.open.is_empty());
    }

    #[test]
    fn what_was_told_before_an_answer_is_closed_before_everybodys_eyes() {
        let mut gate = gate([]);
        let it = |second| subject(Class::Scan, &[2], second);
        assert_eq!(gate.pass(&it(0), IncidentState::Open), Passage::Told(IncidentState::Open));
        let muted = muted(r#"{"class": ["scan"], "host": ["10.0.0.1"]}"#);
        gate.replace(Arc::clone(&muted.answers));
        assert!(matches!(gate.pass(&it(60), IncidentState::Update), Passage::Hidden(by) if by.number == 0));
        assert!(matches!(gate.pass(&it(120), IncidentState::Update), Passage::Hidden(_)));
        assert!(matches!(gate.pass(&it(600), IncidentState::Closed), Passage::End(by) if by.number == 0));
        assert_eq!(gate.hidden[&(0, Class::Scan)], Counted { incidents: 1, lines: 2 });
    }

    #[test]
    fn an_incident_that_turns_into_another_class_is_told() {
        let mut gate = muted(r#"{"class": ["unusual"], "host": ["10.0.0.1"]}"#);
        assert!(matches!(gate.pass(&subject(Class::Unusual, &[2], 0), IncidentState::Open), Passage::Hidden(_)));
        let turned = gate.pass(&subject(Class::Exfiltration, &[2], 60), IncidentState::Update);
        assert_eq!(turned, Passage::Told(IncidentState::Open));
    }

    #[test]
    fn closing_hides_what_comes_after_the_line_that_was_answered_and_not_another_class() {
        let mut gate = gate([answer(AnswerKind::Close, None)]);
        let scan = |second| subject(Class::Scan, &[2], second);
        assert_eq!(gate.pass(&scan(100), IncidentState::Open), Passage::Told(IncidentState::Open));
        assert!(matches!(gate.pass(&scan(101), IncidentState::Update), Passage::Hidden(_)));
        let turned = gate.pass(&subject(Class::BruteForce, &[2], 160), IncidentState::Update);
        assert_eq!(turned, Passage::Told(IncidentState::Update));
        let another = Subject { id: 8, ..scan(200) };
        assert_eq!(gate.pass(&another, IncidentState::Open), Passage::Told(IncidentState::Open));
        assert!(matches!(gate.pass(&scan(400), IncidentState::Closed), Passage::End(_)));
    }

    #[test]
    fn answers_are_taken_back_by_their_own_kind() {
        let rule = || Some(rule(r#"{"class": ["scan"], "host": ["10.0.0.1"]}"#));
        let back = |kind, of: u64| Answer { takes_back: vec![of], ..answer(kind, None) };
        let mut answers = Answers::default();
        answers.add(0, answer(AnswerKind::Learn, rule())).unwrap();
        assert_eq!(answers.add(1, back(AnswerKind::Unmute, 0)), Err(AnswerError::NotThere(0)));
        assert_eq!(answers.add(1, back(AnswerKind::Unlearn, 9)), Err(AnswerError::NotThere(9)));
        let it = subject(Class::Scan, &[2], 0);
        assert!(answers.hiding(&it).is_some());
        answers.add(2, back(AnswerKind::Unlearn, 0)).unwrap();
        assert!(answers.hiding(&it).is_none());
        assert_eq!((answers.get(0).unwrap().taken_back_by, answers.len()), (Some(2), 2));
        assert!(matches!(answers.add(3, answer(AnswerKind::Mute, None)), Err(AnswerError::Lacks { .. })));
        assert!(matches!(answers.add(3, answer(AnswerKind::Unmute, None)), Err(AnswerError::Lacks { .. })));
    }

    #[test]
    fn memory_is_bounded() {
        let mut gate = gate([]);
        for id in 0..MAX_OPEN as u64 + 100 {
            gate.pass(&Subject { id, ..subject(Class::Scan, &[2], 0) }, IncidentState::Open);
        }
        assert_eq!((gate.open.len(), gate.told.lines), (MAX_OPEN, MAX_OPEN as u64 + 100));
    }
}
