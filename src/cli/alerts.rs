//! `auscult alerts`: incidents and answers, for people and for programs.

use std::collections::HashMap;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use super::answer_args::AlertsArgs;
use super::answer_file::load;
use super::exit::Outcome;
use super::filter::Filter;
use super::fleet::AlertStream;
use super::follow::follow;
use super::record_lines::{RecordLines, in_order};
use crate::alert::IncidentLine;
use crate::detect::{AnswerKind, AnsweredBy, Answers, Gate, IncidentState, Passage, Standing};

/// Incidents listed at the most.
const MAX_INCIDENTS: usize = 200_000;

/// An incident, as all its lines tell it.
pub struct Listed {
    /// Its latest line.
    pub line: IncidentLine,
    /// The most bits that it had.
    pub bits: f64,
    /// Its lines.
    pub lines: u64,
    /// The answer that hides all its lines, or closed it: number and kind.
    pub answer: Option<(u64, String)>,
    /// Was one of its lines told?
    pub is_told: bool,
}

/// Lists, filters and follows incidents and answers.
///
/// # Errors
/// Files that cannot be read or hold something else; wrong usage.
pub fn run(args: &AlertsArgs) -> anyhow::Result<Outcome> {
    let filter = Filter::of(args)?;
    let answers = match &args.answers {
        Some(path) => {
            let loaded = load(path)?;
            loaded.tell_faults();
            loaded.answers
        }
        None => Answers::default(),
    };
    let mut gate = Gate::new(Arc::new(answers));
    if args.follow {
        return follow(args, &filter, gate);
    }
    let mut list = List::default();
    if let Some(mut stream) = AlertStream::open(&args.files, &args.nats)? {
        stream.read_all(&mut |bytes| {
            let line = IncidentLine::read(bytes).context("an alert of the stream")?;
            line.map_or(Ok(()), |line| list.add(line, &mut gate))
        })?;
        io::stdout().write_all(page(&list, &filter, args, gate.answers()).as_bytes()).context("standard output")?;
        return Ok(Outcome::default());
    }
    let files = if args.files.is_empty() { vec![PathBuf::from("-")] } else { in_order(&args.files)? };
    for path in &files {
        let mut lines = RecordLines::open(path)?;
        while let Some(line) = lines.next()? {
            if let Some(line) = IncidentLine::read(&line.bytes).with_context(|| lines.place())? {
                list.add(line, &mut gate)?;
            }
        }
    }
    let page = page(&list, &filter, args, gate.answers());
    io::stdout().write_all(page.as_bytes()).context("standard output")?;
    Ok(Outcome::default())
}

/// Incidents in the order of their first lines. Bounded.
#[derive(Default)]
struct List {
    all: Vec<Listed>,
    places: HashMap<u64, usize>,
}

impl List {
    fn add(&mut self, line: IncidentLine, gate: &mut Gate) -> anyhow::Result<()> {
        let (answer, is_told) = answer_of(&line, gate);
        if let Some(listed) = self.places.get(&line.subject.id).and_then(|&place| self.all.get_mut(place)) {
            listed.bits = listed.bits.max(line.subject.bits);
            listed.lines += 1;
            listed.is_told |= is_told;
            (listed.line, listed.answer) = (line, answer.or(listed.answer.take()));
            return Ok(());
        }
        if self.all.len() >= MAX_INCIDENTS {
            bail!("more than {MAX_INCIDENTS} incidents: give fewer files");
        }
        self.places.insert(line.subject.id, self.all.len());
        self.all.push(Listed { bits: line.subject.bits, lines: 1, line, answer, is_told });
        Ok(())
    }
}

/// The answer that a line has, by itself or by the answers given, and whether it is told all the same.
pub fn answer_of(line: &IncidentLine, gate: &mut Gate) -> (Option<(u64, String)>, bool) {
    let said = |by: AnsweredBy| Some((by.number, by.kind.name().to_owned()));
    let (answer, is_told) = match gate.pass(&line.subject, line.state) {
        Passage::Hidden(by) => (said(by), false),
        Passage::End(by) => (said(by), true),
        Passage::Told(_) => (closed_by(line, gate.answers()), true),
    };
    match &line.answer {
        Some((number, kind, hidden)) => (Some((*number, kind.clone())), !hidden),
        None => (answer, is_told),
    }
}

/// The answer that closed an incident at the line that is its last.
fn closed_by(line: &IncidentLine, answers: &Answers) -> Option<(u64, String)> {
    let is_its = |standing: &&Standing| {
        let about = standing.answer.about.as_ref().filter(|_| standing.answer.answer == AnswerKind::Close);
        about.is_some_and(|about| about.incident == line.id() && about.class == line.subject.class.info().name)
    };
    answers.iter().find(is_its).map(|standing| (standing.number, "close".to_owned()))
}

fn page(list: &List, filter: &Filter<'_>, args: &AlertsArgs, answers: &Answers) -> String {
    let stories: Vec<u64> = list.all.iter().filter(|it| filter.names_story(&it.line)).map(|it| it.line.story).collect();
    let wanted = list.all.iter().filter(|it| filter.wants(&it.line, it.bits) && filter.is_of_story(&it.line, &stories));
    let (shown, others): (Vec<&Listed>, Vec<&Listed>) = wanted.partition(|it| it.is_told != args.hidden);
    let mut page = String::new();
    if args.json {
        shown.iter().for_each(|it| page.push_str(&format!("{}\n", as_json(it))));
        answers.iter().for_each(|it| page.push_str(&format!("{}\n", answer_json(it))));
        return page;
    }
    if shown.is_empty() {
        page.push_str("no incident\n");
    } else {
        page.push_str(HEADER);
    }
    shown.iter().for_each(|it| page.push_str(&row(it, it.line.state)));
    if !args.hidden && !others.is_empty() {
        page.push_str(&format!("{} more are hidden by answers: --hidden lists them\n", others.len()));
    }
    if !answers.is_empty() {
        page.push_str("\nanswers\n");
    }
    answers.iter().for_each(|it| page.push_str(&answer_row(it)));
    page
}

/// The names of the columns of [`row`].
pub const HEADER: &str =
    "first                 state     bits  class               incident          story     flows  who <> whom\n";

/// An incident in one line.
pub fn row(it: &Listed, state: IncidentState) -> String {
    let Listed { line, bits, answer, .. } = it;
    let subject = &line.subject;
    let few = |hosts: &[crate::feature::Host]| {
        let more = hosts.len().saturating_sub(1);
        let first = hosts.first().map(ToString::to_string).unwrap_or_default();
        if more > 0 { format!("{first} and {more} more") } else { first }
    };
    let answer = answer.as_ref().map(|(number, kind)| format!("  [{kind}, answer {number}]")).unwrap_or_default();
    let story = if line.story == subject.id { "-".to_owned() } else { format!("{:08x}", line.story >> 32) };
    let first: String = subject.first.to_string().chars().take(19).collect();
    plain(&format!(
        "{first}Z  {:<6} {bits:>7.1}  {:<18}  {}  {story:<8} {:>6}  {} <> {}{answer}",
        state.name(),
        subject.class.info().name,
        line.id(),
        line.flows,
        few(&subject.hosts),
        few(&subject.peers),
    ))
}

/// A line for a terminal: what others wrote commands nothing there.
pub fn plain(line: &str) -> String {
    line.trim_end().chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).chain(['\n']).collect()
}

/// An incident for programs.
pub fn as_json(it: &Listed) -> Value {
    let Listed { line, bits, lines, answer, is_told } = it;
    let subject = &line.subject;
    let text = |list: &[crate::feature::Host]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
    let earlier: Vec<Value> = line.earlier.iter().map(|(id, class)| json!({"id": id, "class": class})).collect();
    json!({
        "incident": line.id(), "class": subject.class.info().name, "state": line.state.name(), "hosts": text(&subject.hosts),
        "peers": text(&subject.peers), "services": subject.services.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "first": subject.first.to_string(), "last": subject.last.to_string(), "raised": subject.raised.to_string(),
        "flows": line.flows, "bits": bits, "lines": lines, "story": format!("{:016x}", line.story), "earlier": earlier,
        "reason": line.reason, "hidden": !is_told,
        "answer": answer.as_ref().map(|(number, kind)| json!({"number": number, "answer": kind})),
    })
}

/// An answer in one line.
pub fn answer_row(it: &Standing) -> String {
    let Standing { number, answer, taken_back_by } = it;
    let what = match (&answer.hides, answer.takes_back.as_slice(), &answer.about) {
        (Some(rule), ..) => rule.to_string(),
        (None, [], Some(about)) => format!("{} {}", about.class, about.incident),
        (None, numbers, _) => numbers.iter().map(|number| format!("answer {number}")).collect::<Vec<_>>().join(", "),
    };
    let reason = if answer.reason.is_empty() { String::new() } else { format!(": {}", answer.reason) };
    let back = taken_back_by.map(|by| format!("  [taken back by answer {by}]")).unwrap_or_default();
    let time: String = answer.time.to_string().chars().take(19).collect();
    plain(&format!("{number:>5}  {time}Z  {:<7}  {}  {what}{reason}{back}", answer.answer.name(), answer.by))
}

/// An answer for programs.
pub fn answer_json(it: &Standing) -> Value {
    json!({"number": it.number, "taken_back_by": it.taken_back_by, "answer": it.answer})
}
