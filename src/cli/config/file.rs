//! The file: its keys as flags, its rules as answers.

use std::borrow::Cow;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::ops::Range;
use std::path::Path;

use clap::error::{ContextKind, ErrorKind};
use clap::{Arg, ArgAction, Command};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{COMMANDS, Refused, Setting, first_words, names, read, takes_value};
use crate::cli::answer::muted_by;
use crate::cli::args;
use crate::detect::Answer;

/// The key of the rules that mute.
const MUTE: &str = "mute";
/// What cannot be said of a rule in the file: it is about no alert, and stands in the file itself.
const NOT_OF_RULES: [&str; 4] = ["alert", "alerts", "answers", "for"];
/// Bytes of a file at the most.
const MOST_BYTES: u64 = 1 << 20;
/// Rules have the number of their line beyond this: the answers of a file are fewer.
const NUMBERS_OF_RULES: u64 = 1_000_000;

fn load(path: &Path) -> Result<String, Refused> {
    let refused = |error: &dyn std::fmt::Display| Refused::File(format!("{}: {error}", path.display()));
    let about = std::fs::metadata(path).map_err(|error| refused(&error))?;
    if about.len() > MOST_BYTES {
        return Err(refused(&"longer than 1 MiB, which no configuration is"));
    }
    std::fs::read_to_string(path).map_err(|error| refused(&error))
}

/// The file and what stands in it.
pub(super) struct File<'a> {
    path: &'a Path,
    text: String,
}

type Entry<'t, 'i> = (&'t Spanned<Cow<'i, str>>, &'t Spanned<DeValue<'i>>);

impl<'a> File<'a> {
    /// Reads it.
    pub fn open(path: &'a Path) -> Result<Self, Refused> {
        Ok(Self { path, text: load(path)? })
    }

    /// As a table.
    pub fn table(&self) -> Result<DeTable<'_>, Refused> {
        match DeTable::parse(&self.text) {
            Ok(table) => Ok(table.into_inner()),
            Err(error) => Err(self.fault(error.span().unwrap_or_default(), &first_line(error.message()))),
        }
    }

    fn line(&self, span: &Range<usize>) -> usize {
        self.text.as_bytes().iter().take(span.start).filter(|&&byte| byte == b'\n').count() + 1
    }

    fn place(&self, span: Range<usize>) -> String {
        format!("{}, line {}", self.path.display(), self.line(&span))
    }

    fn fault(&self, span: Range<usize>, what: &str) -> Refused {
        Refused::File(format!("{}: {what}", self.place(span)))
    }

    /// The keys that the command knows: those of its own table, and those at the top that its table does not say otherwise.
    pub fn settings<'c>(&self, command: &'c Command, sub: &'c Command, table: &DeTable<'_>) -> Result<Vec<Setting<'c>>, Refused> {
        let commands: Vec<&Command> = COMMANDS.iter().filter_map(|name| command.find_subcommand(name)).collect();
        let (mut own, mut shared) = (Vec::new(), Vec::new());
        for (key, value) in table {
            let name: &str = key.get_ref();
            if name == MUTE {
                continue;
            }
            if let Some(of) = commands.iter().find(|command| command.get_name() == name) {
                let DeValue::Table(of_command) = value.get_ref() else {
                    return Err(self.fault(value.span(), &format!("{name}: wanted a table, as [{name}]")));
                };
                for entry in of_command {
                    let setting = self.setting(&[of], entry)?;
                    own.extend(setting.filter(|_| of.get_name() == sub.get_name()));
                }
                continue;
            }
            self.setting(&commands, (key, value))?;
            if find(sub, name).is_some() {
                shared.extend(self.setting(&[sub], (key, value))?);
            }
        }
        shared.retain(|it: &Setting<'_>| own.iter().all(|own: &Setting<'_>| own.arg.get_id() != it.arg.get_id()));
        Ok([own, shared].into_iter().flatten().collect())
    }

    /// A key of one of these commands; none for a switch that is off.
    fn setting<'c>(&self, commands: &[&'c Command], (key, value): Entry<'_, '_>) -> Result<Option<Setting<'c>>, Refused> {
        let name: &str = key.get_ref();
        let Some(arg) = commands.iter().find_map(|command| find(command, name)) else {
            return Err(self.fault(key.span(), &self.unknown(commands, name)));
        };
        let wanted = |what: &str| {
            let got = value.get_ref().type_str();
            self.fault(
                value.span(),
                &format!("{name}: wanted {what}, got {} {got}", if got.starts_with(['a', 'i']) { "an" } else { "a" }),
            )
        };
        let line = self.line(&key.span());
        let values = match (value.get_ref(), takes_value(arg)) {
            (DeValue::Boolean(true), false) => Vec::new(),
            (DeValue::Boolean(false), false) => return Ok(None),
            (_, false) => return Err(wanted("true or false")),
            (DeValue::Array(values), true) if matches!(arg.get_action(), ArgAction::Append) => values
                .iter()
                .map(|value| text(value.get_ref()).ok_or_else(|| wanted("texts or numbers")))
                .collect::<Result<_, _>>()?,
            (value, true) => vec![text(value).ok_or_else(|| wanted("a text or a number"))?],
        };
        Ok(Some(Setting { arg, line, values }))
    }

    /// Says that a key is unknown, and which one it resembles.
    fn unknown(&self, commands: &[&Command], key: &str) -> String {
        let mut said = format!("{key}: no such key");
        let similar = commands.iter().find_map(|command| {
            let error = (*command).clone().try_get_matches_from(["", &format!("--{key}")]).err()?;
            let is_unknown = error.kind() == ErrorKind::UnknownArgument;
            let found = error.get(ContextKind::SuggestedArg).filter(|_| is_unknown)?;
            names(found).first().map(|name| name.trim_start_matches("--").to_owned())
        });
        if let Some(similar) = similar {
            let _ = write!(said, "; is {similar} meant?");
        }
        if let [command] = commands {
            let _ = write!(said, " (a key of {} is wanted: its flags without --)", command.get_name());
        }
        said
    }

    /// The rules of `[[mute]]`, numbered by their lines.
    pub fn rules(&self, command: &Command, table: &DeTable<'_>) -> Result<Vec<(u64, Answer)>, Refused> {
        let (Some(rules), Some(sub)) = (table.get(MUTE), command.find_subcommand(MUTE)) else { return Ok(Vec::new()) };
        let wanted = |span| self.fault(span, "mute: wanted tables, as [[mute]]");
        let DeValue::Array(tables) = rules.get_ref() else { return Err(wanted(rules.span())) };
        let rule = |rule: &Spanned<DeValue<'_>>| match rule.get_ref() {
            DeValue::Table(table) => self.rule(sub, table, self.line(&rule.span())),
            _ => Err(wanted(rule.span())),
        };
        // They are known by their lines.
        let mut lines = tables.windows(2).map(|pair| (self.line(&pair[0].span()), &pair[1]));
        if let Some((_, second)) = lines.find(|(line, second)| *line == self.line(&second.span())) {
            return Err(self.fault(second.span(), "mute: a second rule on the same line; each wants a line of its own"));
        }
        tables.iter().map(rule).collect()
    }

    fn rule(&self, sub: &Command, table: &DeTable<'_>, line: usize) -> Result<(u64, Answer), Refused> {
        let place = format!("{}, line {line}", self.path.display());
        let mut argv = vec![OsString::from("auscult"), MUTE.into(), "--answers".into(), self.path.into()];
        let mut settings = Vec::new();
        for (key, value) in table {
            if NOT_OF_RULES.contains(&&**key.get_ref()) {
                return Err(self.fault(key.span(), &format!("{}: not of a rule in this file", key.get_ref())));
            }
            settings.extend(self.setting(&[sub], (key, value))?);
        }
        for Setting { arg, values, .. } in &settings {
            let long = arg.get_long().unwrap_or_default();
            argv.extend(values.iter().map(|value| OsString::from(format!("--{long}={value}"))));
        }
        let said = read(&argv, &settings, self.path).map_err(|refused| match refused {
            Refused::Usage(error) => Refused::File(format!("{place}: {}", first_words(&error))),
            refused @ Refused::File(_) => refused,
        })?;
        let args::Command::Mute(args) = said.cli.command else { return Err(Refused::File(place)) };
        let answer = muted_by(&args, &place).map_err(|fault| Refused::File(format!("{place}: {fault}")))?;
        Ok((NUMBERS_OF_RULES + line as u64, answer))
    }
}

/// The flag of this name, or the operand.
fn find<'c>(command: &'c Command, key: &str) -> Option<&'c Arg> {
    let is_it = |arg: &&Arg| match arg.get_long() {
        Some(long) => long == key && !["help", "version", "config"].contains(&long),
        None => arg.get_id() == key,
    };
    command.get_arguments().find(is_it)
}

fn text(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => Some(number.to_string()),
        DeValue::Float(number) => Some(number.to_string()),
        DeValue::Datetime(time) => Some(time.to_string()),
        DeValue::Boolean(_) | DeValue::Array(_) | DeValue::Table(_) => None,
    }
}

fn first_line(text: &str) -> String {
    text.lines().collect::<Vec<_>>().join(", ")
}
