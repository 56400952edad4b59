//! What analysts answer to alerts, and which lines it hides.
//!
//! Architecture invariants: an answer changes what is told, never what is judged; it hides an incident only when the incident lies
//! within it as a whole; what it hides is counted; all times are the incident's, so the same alerts and answers give the same lines.

mod answers;
mod daily;
mod gate;
mod rule;
mod subject;
mod text;

pub use answers::{About, Answer, AnswerError, AnswerKind, AnsweredBy, Answers, MAX_ANSWERS, Standing};
pub use daily::{Daily, ParseDailyError};
pub use gate::{Counted, Gate, Life, Lives, Passage};
pub use rule::{Direction, LearnError, Protocol, Rule};
pub use subject::Subject;
