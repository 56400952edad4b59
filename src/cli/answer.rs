//! `auscult learn`, `mute`, `close`, `unlearn` and `unmute`.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use super::answer_args::{CloseArgs, GivenArgs, LearnAnswerArgs, MuteArgs, TakeBackArgs, Whom};
use super::answer_file::append;
use super::exit::{Outcome, Usage};
use super::judge::load;
use super::record_lines::RecordLines;
use crate::alert::IncidentLine;
use crate::detect::{About, Answer, AnswerKind, Answers, LearnError, Rule};
use crate::feature::Host;
use crate::flow::Net;
use crate::pipeline::now;

/// Devices of a role that an answer names at the most.
const MAX_ROLE_DEVICES: usize = 10_000;

/// This is normal from now on.
///
/// # Errors
/// An alert that is not found or says too little, a model that does not know the device, answers that cannot be written.
pub fn learn(args: &LearnAnswerArgs) -> anyhow::Result<Outcome> {
    let line = find(&args.alert.alert, args.alert.alerts.as_deref())?;
    let it = &line.subject;
    let mut rule = Rule::learned(it, args.any_peer, args.any_service).map_err(|error| {
        let options = match error {
            LearnError::Incomplete => "--any-peer and --any-service",
            LearnError::NoPeer => "--any-peer",
        };
        Usage(format!("incident {}: {error}: learn it with {options}", line.id()))
    })?;
    let mut role = None;
    if let (Whom::Role, Some(model)) = (args.whom, &args.model) {
        let (hosts, name) = role_of(it.hosts[0], model)?;
        rule.host = hosts.iter().map(|host| Net::only(host.0)).collect();
        role = Some(name);
    }
    rule.up_to_bits = args.up_to_bits;
    rule.from = args.from.or(rule.from);
    rule.until = args.until;
    let answer = |_: &Answers| {
        let (hides, about) = (Some(rule), Some(About::of(&line.subject)));
        Ok(Answer { about, role, hides, ..given(AnswerKind::Learn, &args.reason, &args.given)? })
    };
    write(answer, &args.given)
}

/// Do not tell of this for a time.
///
/// # Errors
/// As [`learn`], and a rule that would hide everything.
pub fn mute(args: &MuteArgs) -> anyhow::Result<Outcome> {
    let line = args.alert.as_ref().map(|alert| find(alert, args.alerts.as_deref())).transpose()?;
    let it = line.as_ref().map(|line| &line.subject);
    let of_alert = it.map(Rule::muted).unwrap_or_default();
    let mut rule = rule_of(args, of_alert);
    rule.from = rule.from.or_else(|| Some(now()));
    if let Some(fault) = rule.fault() {
        return Err(Usage(fault).into());
    }
    let answer = |_: &Answers| {
        let (hides, about) = (Some(rule), it.map(About::of));
        Ok(Answer { about, hides, ..given(AnswerKind::Mute, &args.reason, &args.given)? })
    };
    write(answer, &args.given)
}

fn rule_of(args: &MuteArgs, of_alert: Rule) -> Rule {
    Rule {
        class: if args.class.is_empty() { of_alert.class } else { args.class.clone() },
        host: if args.host.is_empty() { of_alert.host } else { args.host.clone() },
        peer: args.peer.clone(),
        service: Vec::new(),
        port: args.port.clone(),
        proto: args.proto.clone(),
        direction: args.direction,
        name: args.name.clone(),
        up_to_bits: args.up_to_bits,
        between: args.between,
        from: args.from.or(of_alert.from),
        until: args.until.or_else(|| args.for_span.map(|span| now() + span)),
    }
}

/// A rule that stands in a file of settings, at this place: it holds from the beginning where it does not say from when.
///
/// # Errors
/// Says what is wrong with it.
pub fn muted_by(args: &MuteArgs, place: &str) -> Result<Answer, String> {
    let rule = rule_of(args, Rule::default());
    if let Some(fault) = rule.fault() {
        return Err(fault);
    }
    let by = args.given.by.clone().unwrap_or_else(|| place.to_owned());
    let (about, role, takes_back) = (None, None, Vec::new());
    Ok(Answer {
        time: now(),
        by,
        answer: AnswerKind::Mute,
        reason: args.reason.clone(),
        about,
        role,
        hides: Some(rule),
        takes_back,
    })
}

/// This incident is dealt with.
///
/// # Errors
/// As [`learn`].
pub fn close(args: &CloseArgs) -> anyhow::Result<Outcome> {
    let line = find(&args.alert.alert, args.alert.alerts.as_deref())?;
    let answer = |_: &Answers| {
        Ok(Answer { about: Some(About::of(&line.subject)), ..given(AnswerKind::Close, &args.reason, &args.given)? })
    };
    write(answer, &args.given)
}

/// Takes back what was learned or muted.
///
/// # Errors
/// Answers that are not there, or cannot be written.
pub fn take_back(args: &TakeBackArgs, kind: AnswerKind) -> anyhow::Result<Outcome> {
    if !args.given.answers.exists() {
        bail!("{}: no such file", args.given.answers.display());
    }
    let answer = |answers: &Answers| {
        let takes_back = meant(&args.answer, kind, answers)?;
        Ok(Answer { takes_back, ..given(kind, &args.reason, &args.given)? })
    };
    write(answer, &args.given)
}

/// The numbers of the answers that stand and are meant: by a number, or by the incident that they are about.
fn meant(text: &str, kind: AnswerKind, answers: &Answers) -> anyhow::Result<Vec<u64>> {
    let fits = |of: AnswerKind| kind.takes_back(of);
    if let Some(standing) = text.parse().ok().and_then(|number| answers.get(number)) {
        return match (fits(standing.answer.answer), standing.taken_back_by) {
            (false, _) => bail!("answer {text} is a {}, which {} does not take back", standing.answer.answer.name(), kind.name()),
            (true, Some(by)) => bail!("answer {text} was taken back by answer {by}"),
            (true, None) => Ok(vec![standing.number]),
        };
    }
    let about = |about: &About| text.len() >= 4 && about.incident.starts_with(text);
    let stand = answers.iter().filter(|it| it.taken_back_by.is_none() && fits(it.answer.answer));
    let numbers: Vec<u64> = stand.filter(|it| it.answer.about.as_ref().is_some_and(about)).map(|it| it.number).collect();
    if numbers.is_empty() {
        bail!("{text:?} is neither the number of an answer nor an incident with one that {} takes back", kind.name());
    }
    Ok(numbers)
}

fn write(answer: impl FnOnce(&Answers) -> anyhow::Result<Answer>, given: &GivenArgs) -> anyhow::Result<Outcome> {
    let mut said = String::new();
    let number = append(&given.answers, |answers| {
        let answer = answer(answers)?;
        said = match (&answer.hides, answer.takes_back.as_slice(), &answer.about) {
            (Some(rule), ..) => format!("hides {rule}"),
            (None, [_, ..], _) => {
                let numbers: Vec<String> = answer.takes_back.iter().map(ToString::to_string).collect();
                format!("takes back answer {}", numbers.join(", "))
            }
            (None, [], Some(about)) => format!("closes incident {} ({})", about.incident, about.class),
            (None, [], None) => String::new(),
        };
        Ok(answer)
    })?;
    tell!("auscult: answer {number} {said}");
    Ok(Outcome::default())
}

/// An answer with who gave it, and when.
fn given(answer: AnswerKind, reason: &str, given: &GivenArgs) -> anyhow::Result<Answer> {
    let user = || ["USER", "LOGNAME"].into_iter().find_map(|name| std::env::var(name).ok().filter(|name| !name.is_empty()));
    let by = given.by.clone().or_else(user).ok_or_else(|| Usage("who answers? give --by NAME".to_owned()))?;
    let (about, role, hides, takes_back) = (None, None, None, Vec::new());
    Ok(Answer { time: now(), by, answer, reason: reason.to_owned(), about, role, hides, takes_back })
}

/// The devices of the role that a model gives to this one, and the role in words.
fn role_of(host: Host, path: &Path) -> anyhow::Result<(Vec<Host>, String)> {
    let model = load(path)?;
    let known = model.baselines.hosts.get(&host).filter(|known| known.local);
    let known = known.with_context(|| format!("{}: does not know {host} as a device at home", path.display()))?;
    let number = known.role;
    let of_role = model.baselines.hosts.iter().filter(|(host, it)| it.local && host.is_device() && it.role == number);
    let mut hosts: Vec<Host> = of_role.map(|(&host, _)| host).collect();
    hosts.sort_unstable();
    if hosts.len() > MAX_ROLE_DEVICES {
        bail!("its role has {} devices, more than the {MAX_ROLE_DEVICES} that an answer may name", hosts.len());
    }
    let name = model.baselines.roles.get(usize::from(number)).map_or("", |role| &role.name);
    Ok((hosts, format!("role {number} ({name}) of model {}", model.digest()?)))
}

/// The line that is meant: `FILE:LINE`, or the last one of an incident.
fn find(alert: &str, alerts: Option<&Path>) -> anyhow::Result<IncidentLine> {
    match (alerts, place(alert)) {
        (Some(path), _) => last_line_of(alert, path),
        (None, Some((path, number))) => line_at(&path, number),
        (None, None) => {
            Err(Usage(format!("{alert}: give the file that holds it as --alerts FILE, or a line as FILE:LINE")).into())
        }
    }
}

/// A place as `FILE:LINE`.
fn place(text: &str) -> Option<(PathBuf, u64)> {
    let (path, number) = text.rsplit_once(':')?;
    Some((PathBuf::from(path), number.parse().ok()?))
}

fn line_at(path: &Path, number: u64) -> anyhow::Result<IncidentLine> {
    let mut lines = RecordLines::open(path)?;
    while let Some(line) = lines.next()? {
        if line.number == number {
            let read = IncidentLine::read(&line.bytes).with_context(|| lines.place())?;
            return read.with_context(|| format!("{}: not an alert", lines.place()));
        }
    }
    bail!("{}: no line {number}", path.display())
}

fn last_line_of(id: &str, path: &Path) -> anyhow::Result<IncidentLine> {
    let mut lines = RecordLines::open(path)?;
    let mut found: Option<IncidentLine> = None;
    while let Some(line) = lines.next()? {
        let Some(line) = IncidentLine::read(&line.bytes).with_context(|| lines.place())? else { continue };
        if !line.id().starts_with(id) {
            continue;
        }
        if let Some(other) = found.as_ref().filter(|found| found.subject.id != line.subject.id) {
            bail!("{}: {id} is the beginning of {} and of {}", path.display(), other.id(), line.id());
        }
        found = Some(line);
    }
    found.with_context(|| format!("{}: no incident {id}", path.display()))
}
