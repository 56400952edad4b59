//! Answers and which of them stand.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::rule::Rule;
use super::subject::Subject;
use super::text::{list, moment};
use crate::detect::Class;
use crate::feature::Host;
use crate::time::Timestamp;

/// Answers kept at the most; further ones are refused.
pub const MAX_ANSWERS: usize = 100_000;

/// What was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AnswerKind {
    /// This is normal from now on.
    Learn,
    /// Do not tell of this for a time.
    Mute,
    /// This incident is dealt with.
    Close,
    /// What was learned is not normal any more.
    Unlearn,
    /// What was muted is told again.
    Unmute,
}

impl AnswerKind {
    /// As written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Learn => "learn",
            Self::Mute => "mute",
            Self::Close => "close",
            Self::Unlearn => "unlearn",
            Self::Unmute => "unmute",
        }
    }

    /// Does it take back answers of this kind?
    #[must_use]
    pub const fn takes_back(self, other: Self) -> bool {
        matches!((self, other), (Self::Unlearn, Self::Learn) | (Self::Unmute, Self::Mute))
    }
}

/// The line about an incident that was answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// The incident's identifier, 16 hexadecimal digits.
    pub incident: String,
    /// Its class by then.
    pub class: String,
    /// Devices that it is about.
    #[serde(with = "list")]
    pub hosts: Vec<Host>,
    /// When the line was raised.
    #[serde(with = "moment")]
    pub raised: Timestamp,
}

impl About {
    /// The line that says this of an incident.
    #[must_use]
    pub fn of(it: &Subject) -> Self {
        let class = it.class.info().name.to_owned();
        Self { incident: format!("{:016x}", it.id), class, hosts: it.hosts.clone(), raised: it.raised }
    }
}

/// An answer: who, when, what, about what, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// When it was given, by the clock of the computer.
    #[serde(with = "moment")]
    pub time: Timestamp,
    /// Who gave it.
    pub by: String,
    /// What.
    pub answer: AnswerKind,
    /// Why.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// About which incident.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<About>,
    /// The role of the devices in its rule, and the model that knows it, where it was given for a role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// What it hides, where it was learned or muted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hides: Option<Rule>,
    /// Numbers of the answers that it takes back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub takes_back: Vec<u64>,
}

/// Why an answer is not applied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// It lacks what its kind needs.
    #[error("{kind} without {what}")]
    Lacks {
        /// What was answered.
        kind: &'static str,
        /// What it needs.
        what: &'static str,
    },
    /// Its rule cannot be applied.
    #[error("its rule: {0}")]
    Rule(String),
    /// It takes back what is not there.
    #[error("it takes back answer {0}, which is none that it could take back")]
    NotThere(u64),
    /// Its incident has no identifier of ours.
    #[error("incident {0:?}: wanted 16 hexadecimal digits")]
    Incident(String),
    /// There are too many.
    #[error("more than {MAX_ANSWERS} answers")]
    TooMany,
}

/// An answer and its number.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// Its number: that of its line in the chain of answers.
    pub number: u64,
    /// What was answered.
    pub answer: Answer,
    /// The answer that took it back.
    pub taken_back_by: Option<u64>,
}

/// What a line says of the answer to its incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnsweredBy {
    /// Its number.
    pub number: u64,
    /// What was answered.
    pub kind: AnswerKind,
    /// Who gave it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Does it hide the line?
    pub hides: bool,
}

impl From<&Standing> for AnsweredBy {
    fn from(Standing { number, answer, .. }: &Standing) -> Self {
        Self { number: *number, kind: answer.answer, by: answer.by.clone(), reason: answer.reason.clone(), hides: true }
    }
}

/// All answers, in their order. Bounded.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    all: BTreeMap<u64, Standing>,
    /// By incident: the class that was closed, the line that was answered, and the number of the answer.
    closed: BTreeMap<u64, (Class, Timestamp, u64)>,
}

impl Answers {
    /// Takes the next answer.
    ///
    /// # Errors
    /// Says why it cannot be applied; the others are as they were.
    pub fn add(&mut self, number: u64, answer: Answer) -> Result<(), AnswerError> {
        if self.all.len() >= MAX_ANSWERS {
            return Err(AnswerError::TooMany);
        }
        let lacks = |what| AnswerError::Lacks { kind: answer.answer.name(), what };
        match answer.answer {
            AnswerKind::Learn | AnswerKind::Mute => {
                let rule = answer.hides.as_ref().ok_or_else(|| lacks("what it hides"))?;
                rule.fault().map_or(Ok(()), |fault| Err(AnswerError::Rule(fault)))?;
            }
            AnswerKind::Close => {
                let about = answer.about.as_ref().ok_or_else(|| lacks("its incident"))?;
                let wrong = || AnswerError::Incident(about.incident.clone());
                let id = u64::from_str_radix(&about.incident, 16).map_err(|_| wrong())?;
                let class = Class::named(&about.class).ok_or_else(|| lacks("the class of its incident"))?;
                self.closed.insert(id, (class, about.raised, number));
            }
            AnswerKind::Unlearn | AnswerKind::Unmute => {
                if answer.takes_back.is_empty() {
                    return Err(lacks("the numbers that it takes back"));
                }
                let fits = |of: &u64| self.all.get(of).is_some_and(|old| answer.answer.takes_back(old.answer.answer));
                if let Some(&other) = answer.takes_back.iter().find(|of| !fits(of)) {
                    return Err(AnswerError::NotThere(other));
                }
                for of in &answer.takes_back {
                    self.all.entry(*of).and_modify(|old| old.taken_back_by = Some(number));
                }
            }
        }
        self.all.insert(number, Standing { number, answer, taken_back_by: None });
        Ok(())
    }

    /// The first answer that hides a line, whatever was told of the incident before.
    #[must_use]
    pub fn hiding(&self, it: &Subject) -> Option<&Standing> {
        let stands = self.all.values().filter(|standing| standing.taken_back_by.is_none());
        let mut rules = stands.filter(|standing| standing.answer.hides.as_ref().is_some_and(|rule| rule.hides(it)));
        rules.next().or_else(|| {
            let (class, raised, number) = self.closed.get(&it.id)?;
            (*class == it.class && it.raised > *raised).then(|| self.all.get(number)).flatten()
        })
    }

    /// The answer with this number.
    #[must_use]
    pub fn get(&self, number: u64) -> Option<&Standing> {
        self.all.get(&number)
    }

    /// All of them, in their order, those too that were taken back.
    pub fn iter(&self) -> impl Iterator<Item = &Standing> {
        self.all.values()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Is there none?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }
}
