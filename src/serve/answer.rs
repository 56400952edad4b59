//! Answers that people give on the page.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use super::board::Board;
use crate::detect::{About, Answer, AnswerKind, Answers, Rule, Standing, Subject};
use crate::flow::Net;
use crate::pipeline::now;
use crate::time::parse_span;

/// Characters of a reason.
const MOST_REASON_CHARS: usize = 500;

/// Writes answers down, where the program reads them again.
pub trait Answering: Send + Sync {
    /// Writes an answer behind the others. Returns its number, and all answers that stand by then.
    ///
    /// # Errors
    /// Says why it cannot be written, or not be applied.
    fn append(&self, answer: Answer) -> Result<(u64, Arc<Answers>), String>;
}

/// What is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ask {
    answer: AnswerKind,
    reason: String,
    /// The incident that is learned, muted or closed.
    incident: Option<String>,
    /// The answer that is taken back.
    number: Option<u64>,
    /// Learned with any other end.
    #[serde(default)]
    any_peer: bool,
    /// Learned on any service.
    #[serde(default)]
    any_service: bool,
    /// How long it is muted.
    #[serde(rename = "for")]
    for_span: Option<String>,
    /// Is it muted with the incident's peers alone?
    #[serde(default)]
    same_peers: bool,
}

impl Ask {
    /// Reads it from JSON.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        let ask: Self = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        let reason = ask.reason.trim();
        if reason.is_empty() {
            return Err("a reason is needed".to_owned());
        }
        if reason.chars().count() > MOST_REASON_CHARS || reason.chars().any(char::is_control) {
            return Err(format!("the reason is one line of at most {MOST_REASON_CHARS} characters"));
        }
        Ok(ask)
    }

    /// The answer that is asked for.
    ///
    /// # Errors
    /// Says what is missing, or why it cannot be given.
    pub fn answer(&self, by: &str, board: &Board) -> Result<Answer, String> {
        let subject = || {
            let id = self.incident.as_deref().ok_or("which incident? \"incident\" is missing")?;
            let kept = identifier(id).and_then(|id| board.incidents.get(id));
            kept.map(|kept| &kept.subject).ok_or_else(|| format!("no incident {id:?} is shown"))
        };
        let (mut about, mut hides, mut takes_back) = (None, None, Vec::new());
        match self.answer {
            AnswerKind::Learn => {
                let it = subject()?;
                let rule = Rule::learned(it, self.any_peer, self.any_service);
                hides = Some(rule.map_err(|error| format!("{error}: learn it with any peer and any service"))?);
                about = Some(About::of(it));
            }
            AnswerKind::Mute => {
                let it = subject()?;
                hides = Some(self.muted(it)?);
                about = Some(About::of(it));
            }
            AnswerKind::Close => about = Some(About::of(subject()?)),
            AnswerKind::Unlearn | AnswerKind::Unmute => {
                takes_back = vec![self.number.ok_or("which answer? \"number\" is missing")?];
            }
        }
        let (by, reason) = (by.to_owned(), self.reason.trim().to_owned());
        Ok(Answer { time: now(), by, answer: self.answer, reason, about, role: None, hides, takes_back })
    }

    fn muted(&self, it: &Subject) -> Result<Rule, String> {
        let span = self.for_span.as_deref().ok_or("for how long? \"for\" is missing")?;
        let span = parse_span(span).map_err(|error| format!("\"for\": {error}"))?;
        let mut rule = Rule { until: Some(now() + span), ..Rule::muted(it) };
        if self.same_peers {
            if !it.is_complete || it.peers.is_empty() {
                return Err("it does not name all its peers: mute it with any peer".to_owned());
            }
            rule.peer = it.peers.iter().map(|peer| Net::only(peer.0)).collect();
        }
        rule.fault().map_or(Ok(rule), Err)
    }
}

/// An incident's identifier as it is written: 16 hexadecimal digits.
pub(super) fn identifier(text: &str) -> Option<u64> {
    // A number may begin with a sign, an identifier may not.
    let is_one = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_one.then(|| u64::from_str_radix(text, 16).ok())?
}

/// An answer as programs read it.
pub(super) fn as_json(standing: &Standing) -> Value {
    let Standing { number, answer, taken_back_by } = standing;
    json!({
        "number": number, "answer": answer.answer.name(), "by": answer.by, "reason": answer.reason, "time": answer.time.to_string(),
        "incident": answer.about.as_ref().map(|about| &about.incident), "class": answer.about.as_ref().map(|about| &about.class),
        "hides": answer.hides.as_ref().map(ToString::to_string), "takes_back": answer.takes_back, "taken_back_by": taken_back_by,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_needs_a_reason_and_nothing_that_is_not_known() {
        let error = |text: &str| Ask::read(text.as_bytes()).unwrap_err();
        assert!(error(r#"{"answer":"close","incident":"1","reason":"  "}"#).contains("reason is needed"));
        assert!(error(r#"{"answer":"close","reason":"a\nb"}"#).contains("one line"));
        assert!(error(&format!(r#"{{"answer":"close","reason":"{}"}}"#, "x".repeat(501))).contains("500"));
        assert!(error(r#"{"answer":"close","reason":"x","host":"0.0.0.0/0"}"#).contains("unknown field"));
        assert!(error(r#"{"answer":"erase","reason":"x"}"#).contains("unknown variant"));
        assert!(Ask::read(br#"{"answer":"mute","incident":"00000000000000aa","reason":"x","for":"7d"}"#).is_ok());
    }

    #[test]
    fn identifiers_are_16_hexadecimal_digits() {
        assert_eq!(identifier("00000000000000ff"), Some(255));
        assert!(
            ["ff", "../../etc/passwd0", "00000000000000fg", "+00000000000000f"].iter().all(|text| identifier(text).is_none())
        );
    }
}
