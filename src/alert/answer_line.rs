//! Answers as lines that form a chain: the file that holds them can be read by people and shown to be whole.

use serde::{Deserialize, Serialize};

use super::chain::Link;
use crate::detect::Answer;

#[derive(Serialize)]
struct Written<'a> {
    #[serde(flatten)]
    answer: &'a Answer,
    chain: Linked<'a>,
}

#[derive(Serialize)]
struct Linked<'a> {
    seq: u64,
    prev: &'a str,
}

#[derive(Deserialize)]
struct Read {
    #[serde(flatten)]
    answer: Answer,
    chain: Link,
}

/// The line of an answer, without its end.
///
/// # Errors
/// None that an answer can cause: its values are texts, numbers and lists of these.
pub fn answer_line(answer: &Answer, link: &Link) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&Written { answer, chain: Linked { seq: link.seq, prev: &link.prev } })
}

/// The answer of a line and its place in the chain, whose number is the answer's.
///
/// # Errors
/// Says what is not in its form, and where in the line.
pub fn read_answer(line: &[u8]) -> serde_json::Result<(Link, Answer)> {
    serde_json::from_slice::<Read>(line).map(|Read { answer, chain }| (chain, answer))
}

#[cfg(test)]
mod tests {
    use super::super::chain::{Chain, Whole};
    use super::*;

    #[test]
    fn an_answer_comes_back_from_its_line() {
        let line = br#"{"time":"2026-06-03T12:00:00.000000+0000","by":"ada","answer":"mute","reason":"nightly scan","about":{"incident":"00000000000000ff","class":"scan","hosts":["10.0.0.1"],"raised":"2026-06-03T11:00:00.000000+0000"},"hides":{"class":["scan"],"host":["10.0.0.0/24"],"port":[443],"proto":["tcp"],"direction":"out","name":["*.example.org"],"up_to_bits":20.5,"between":"22:00-06:00","from":"2026-06-03T11:00:00.000000+0000","until":"2026-07-03T12:00:00.000000+0000"},"chain":{"seq":3,"prev":"sha256:ab"}}"#;
        let (link, answer) = read_answer(line).unwrap();
        assert_eq!((link.seq, answer.by.as_str()), (3, "ada"));
        assert_eq!(String::from_utf8(answer_line(&answer, &link).unwrap()).unwrap(), String::from_utf8(line.to_vec()).unwrap());
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (line, words) in [
            ("", "EOF"),
            ("{}", "missing field"),
            (r#"{"time":"noon","by":"a","answer":"mute","chain":{"seq":0,"prev":""}}"#, "no time"),
            (r#"{"time":"2026-06-03T12:00:00Z","by":"a","answer":"forget","chain":{"seq":0,"prev":""}}"#, "forget"),
            (
                r#"{"time":"2026-06-03T12:00:00Z","by":"a","answer":"mute","hides":{"hosts":[]},"chain":{"seq":0,"prev":""}}"#,
                "hosts",
            ),
        ] {
            let error = read_answer(line.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(words), "{line}: {error}");
        }
    }

    #[test]
    fn answers_form_a_chain() {
        let (mut chain, mut whole) = (Chain::default(), Whole::default());
        let (_, answer) = read_answer(
            br#"{"time":"2026-06-03T12:00:00Z","by":"a","answer":"unmute","takes_back":[1],"chain":{"seq":0,"prev":""}}"#,
        )
        .unwrap();
        for _ in 0..3 {
            let line = answer_line(&answer, chain.next()).unwrap();
            whole.take(&line).unwrap();
            chain.take(&line);
        }
        assert_eq!((whole.lines, whole.last()), (3, Some(&*chain.next().prev)));
    }
}
