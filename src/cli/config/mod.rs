//! `--config`: a file that says what flags say. Its keys become flags before those of the command line, so that clap alone knows
//! what there is and checks it.

mod file;
mod given;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::error::{ContextKind, ContextValue};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, Args, CommandFactory as _, FromArgMatches as _};

use self::file::File;
use self::given::Given;
use super::args::{Cli, Command};
use super::exit::Usage;

/// Commands that run long; each may have a table of its own in the file.
const COMMANDS: [&str; 4] = ["watch", "replay", "detect", "train"];

/// Each flag as it was given, so that two readings can be compared; flags that have their default are not in it.
pub type Flags = BTreeSet<(String, Vec<OsString>)>;

/// Where more is said.
#[derive(Debug, Args)]
pub struct ConfigArgs {
    /// Take flags that are not given from this file, and rules that mute: auscult.example.toml says how
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// What was said, there and on the command line.
    #[arg(skip)]
    pub flags: Flags,
}

/// Why nothing is done.
pub enum Refused {
    /// The command line; or somebody asked for help.
    Usage(clap::Error),
    /// The file: which, where, and what is wrong.
    File(String),
}

/// What was said, by the file and by the command line.
#[derive(Debug)]
pub struct Said {
    /// What to do.
    pub cli: Cli,
    /// As it was given.
    pub flags: Flags,
    /// Where the file says what.
    pub places: Places,
}

/// Where a file says what, for what shows to be wrong only when it is used.
#[derive(Debug, Default)]
pub struct Places {
    file: PathBuf,
    /// Flags with their dashes, or the name of operands, and lines.
    lines: Vec<(String, usize)>,
}

impl Places {
    /// The same error, with the line of the file that it is about, where it names a flag that the file gave.
    #[must_use]
    pub fn locate(&self, error: anyhow::Error) -> anyhow::Error {
        let Some(Usage(text)) = error.downcast_ref::<Usage>() else { return error };
        let names = |flag: &str| {
            let behind = |(at, _): (usize, &str)| !text[at + flag.len()..].starts_with(|c: char| c.is_alphanumeric() || c == '-');
            text.match_indices(flag).any(behind)
        };
        match self.lines.iter().find(|(flag, _)| names(flag)) {
            Some((_, line)) => Usage(format!("{}, line {line}: {text}", self.file.display())).into(),
            None => error,
        }
    }
}

/// A key of the file, as it is handed to clap.
struct Setting<'a> {
    arg: &'a Arg,
    line: usize,
    values: Vec<String>,
}

/// Reads a command line, and the file that it names.
///
/// # Errors
/// What clap says of the command line; what is wrong with the file, and on which line.
pub fn parse(argv: &[OsString]) -> Result<Said, Refused> {
    let mut command = Cli::command();
    command.build();
    let name = argv.get(1).and_then(|name| name.to_str()).filter(|name| COMMANDS.contains(name));
    let Some(sub) = name.and_then(|name| command.find_subcommand(name)) else { return read(argv, &[], Path::new("")) };
    let given = Given::of(sub, argv.get(2..).unwrap_or_default());
    let Some(path) = &given.config else { return read(argv, &[], Path::new("")) };
    let file = File::open(path)?;
    let table = file.table()?;
    let settings = file.settings(&command, sub, &table)?;
    let rules = file.rules(&command, &table)?;
    let kept: Vec<Setting<'_>> = settings.into_iter().filter(|it| !given.overrules(sub, it.arg)).collect();
    let (mut flags, mut behind) = (Vec::new(), Vec::new());
    for setting in &kept {
        match setting.arg.get_long() {
            Some(long) if takes_value(setting.arg) => {
                flags.extend(setting.values.iter().map(|value| OsString::from(format!("--{long}={value}"))));
            }
            Some(long) => flags.push(OsString::from(format!("--{long}"))),
            None => behind.extend(setting.values.iter().map(OsString::from)),
        }
    }
    let (before, after) = argv.split_at(2);
    let mut all = [before, &flags, after].concat();
    if !behind.is_empty() {
        all.push("--".into());
        all.extend(behind);
    }
    let mut said = read(&all, &kept, path)?;
    let lines = kept.iter().filter_map(|it| Some((format!("--{}", it.arg.get_long()?), it.line))).collect();
    said.places = Places { file: path.clone(), lines };
    match &mut said.cli.command {
        Command::Replay(args) => args.answers.mutes = rules,
        Command::Watch(args) => (args.answers.mutes, args.config.flags) = (rules, said.flags.clone()),
        Command::Detect(args) => args.answers.mutes = rules,
        _ => {}
    }
    Ok(said)
}

/// Lets clap read it; an error about a key of the file says where that stands.
fn read(argv: &[OsString], settings: &[Setting<'_>], path: &Path) -> Result<Said, Refused> {
    let located = |error| locate(error, settings, path);
    let mut matches = Cli::command().try_get_matches_from(argv).map_err(located)?;
    let mut flags = BTreeSet::new();
    if let Some((name, sub)) = matches.subcommand() {
        let command = Cli::command();
        // Groups of arguments have names, too.
        let known =
            command.find_subcommand(name).into_iter().flat_map(clap::Command::get_arguments).map(|arg| arg.get_id().as_str());
        for id in known.filter(|id| sub.try_contains_id(id).is_ok_and(|is_there| is_there)) {
            if sub.value_source(id) == Some(ValueSource::CommandLine) {
                let values = sub.get_raw(id).into_iter().flatten();
                flags.insert((id.to_owned(), values.map(OsString::from).collect()));
            }
        }
    }
    Ok(Said { cli: Cli::from_arg_matches_mut(&mut matches).map_err(located)?, flags, places: Places::default() })
}

fn locate(error: clap::Error, settings: &[Setting<'_>], path: &Path) -> Refused {
    let about = [ContextKind::InvalidArg, ContextKind::PriorArg].map(|kind| error.get(kind));
    let named: Vec<&String> = about.into_iter().flatten().flat_map(names).collect();
    let is_named = |setting: &&Setting<'_>| named.iter().any(|name| **name == setting.arg.to_string());
    match settings.iter().find(is_named) {
        Some(Setting { line, .. }) => Refused::File(format!("{}, line {line}: {}", path.display(), first_words(&error))),
        None => Refused::Usage(error),
    }
}

fn names(value: &ContextValue) -> Vec<&String> {
    match value {
        ContextValue::String(name) => vec![name],
        ContextValue::Strings(names) => names.iter().collect(),
        _ => Vec::new(),
    }
}

/// What clap says of it, without its advice on command lines.
pub fn first_words(error: &clap::Error) -> String {
    let text = error.to_string();
    let text = text.split("\n\nUsage:").next().and_then(|text| text.split("\n\nFor more").next()).unwrap_or_default();
    let words: Vec<&str> = text.trim_start_matches("error: ").split_whitespace().collect();
    words.join(" ")
}

fn takes_value(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Set | ArgAction::Append)
}

#[cfg(test)]
mod tests {
    //! What the example says, and what is told of files that are wrong.

    use clap::CommandFactory as _;

    use super::*;

    const EXAMPLE: &str = include_str!("../../../auscult.example.toml");
    /// Keys that cannot stand beside what the other half of the example says.
    const INSTEAD: [&str; 6] = ["learn", "save-model", "recheck", "group", "member", "worker"];

    /// Keys that a program without NATS does not know.
    const OF_NATS: [&str; 22] = [
        "publish",
        "together",
        "job",
        "coordinate",
        "worker",
        "sensor",
        "partitions",
        "devices",
        "group",
        "member",
        "checkpoint-every",
        "stream-age",
        "stream-size",
        "stream-replicas",
        "nats-creds",
        "nats-ca",
        "nats-cert",
        "nats-key",
        "detector",
        "sensors",
        "patience",
        "until-caught-up",
    ];

    fn parsed(text: &str, argv: &[&str]) -> Result<Said, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.toml");
        std::fs::write(&path, text).unwrap();
        let argv: Vec<OsString> = argv.iter().map(|word| word.replace("FILE", path.to_str().unwrap()).into()).collect();
        parse(&argv).map_err(|refused| match refused {
            Refused::Usage(error) => format!("usage: {error}"),
            Refused::File(text) => text.replace(folder.path().to_str().unwrap(), ""),
        })
    }

    fn wrong(text: &str) -> String {
        parsed(text, &["auscult", "watch", "--config", "FILE", "eth0"]).unwrap_err()
    }

    /// The example with its keys in force, but for some.
    fn in_force(without: impl Fn(&str) -> bool) -> String {
        let line = |line: &'static str| {
            let key = line.strip_prefix("# ").filter(|rest| rest.starts_with("[[") || rest.contains(" = "));
            let is_key = |rest: &&str| rest.starts_with("[[") || rest.split(" = ").next().is_some_and(|key| !key.contains(' '));
            match key.filter(is_key) {
                Some(rest) if without(rest.split(" = ").next().unwrap()) => "",
                Some(rest) if !cfg!(feature = "nats") && OF_NATS.contains(&rest.split(" = ").next().unwrap()) => "",
                Some(rest) => rest,
                None => line,
            }
        };
        EXAMPLE.lines().map(line).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn the_example_says_nothing_until_its_keys_are_in_force() {
        let said = parsed(EXAMPLE, &["auscult", "watch", "--config=FILE", "eth0"]).unwrap();
        let flags: Vec<&str> = said.flags.iter().map(|(id, _)| id.as_str()).collect();
        assert_eq!(flags, ["config", "interfaces"]);
    }

    #[test]
    fn a_service_begins_with_settings_that_hold() {
        let text = include_str!("../../../dist/auscult.toml");
        let said = parsed(text, &["auscult", "watch", "--config", "FILE"]).unwrap();
        assert!(said.flags.iter().any(|(id, values)| id == "interfaces" && values[0] == "eth1"));
    }

    #[test]
    fn every_flag_is_in_the_example_and_holds_when_it_is_in_force() {
        let command = Cli::command();
        for name in COMMANDS {
            let sub = command.find_subcommand(name).unwrap();
            let mut known: BTreeSet<String> = BTreeSet::new();
            for keep in [&["learn", "save-model"][..], &["recheck"][..], &["group", "member"][..], &["worker"][..], &[]] {
                let instead: Vec<&str> = match keep {
                    [] => vec![],
                    ["recheck"] => vec!["inputs", "from", "to"],
                    ["group", ..] => vec!["detector"],
                    ["worker"] => vec!["coordinate"],
                    _ => vec!["model"],
                };
                let text = in_force(|key| INSTEAD.contains(&key) && !keep.contains(&key) || instead.contains(&key));
                let text = text.replace("false", "true");
                let said = parsed(&text, &["auscult", name, "--config", "FILE"]);
                // The other commands lack operands in the round without inputs.
                let Ok(said) = said else {
                    assert!(keep == ["recheck"] && name != "replay", "{name}, {keep:?}: {}", said.unwrap_err());
                    continue;
                };
                known.extend(said.flags.into_iter().map(|(id, _)| id));
            }
            let all = sub.get_arguments().map(|arg| arg.get_id().to_string());
            let missing: Vec<String> = all.filter(|id| !known.contains(id) && id != "help").collect();
            assert!(missing.is_empty(), "{name}: not in auscult.example.toml: {missing:?}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let cases = [
            ("# a\nmodle = \"x\"", "/a.toml, line 2: modle: no such key; is model meant?"),
            (
                "[watch]\n\nsnaps = 5",
                "/a.toml, line 3: snaps: no such key; is snap meant? (a key of watch is wanted: its flags without --)",
            ),
            ("[train]\nsnap = 5", "/a.toml, line 2: snap: no such key"),
            ("tcp-idle = \"soon\"", "/a.toml, line 1: invalid value 'soon' for '--tcp-idle <S>': invalid digit found in string"),
            ("seed = 1\nvlan-key = \"yes\"", "/a.toml, line 2: vlan-key: wanted true or false, got a string"),
            ("model = [\"a\", \"b\"]", "/a.toml, line 1: model: wanted a text or a number, got an array"),
            (
                "learn = \"7d\"\nmodel = \"m\"",
                "/a.toml, line 1: the argument '--learn <SPAN>' cannot be used with '--model <MODEL>'",
            ),
            ("watch = 5", "/a.toml, line 1: watch: wanted a table, as [watch]"),
            ("seed = 1\nseed = 2", "/a.toml, line 2: duplicate key"),
            ("seed =", "/a.toml, line 1: "),
            ("config = \"b\"", "/a.toml, line 1: config: no such key"),
            (
                "[[mute]]\nclass = \"scan\"\nreason = \"x\"",
                "/a.toml, line 1: the following required arguments were not provided: --until <TIME>",
            ),
            ("[[mute]]\nclass = \"scam\"\nreason = \"x\"\nuntil = 2030-01-01T00:00:00Z", "/a.toml, line 1: \"scam\" is no class"),
            ("seed = 1\n[[mute]]\nfor = \"1d\"", "/a.toml, line 3: for: not of a rule in this file"),
            ("[mute]\nclass = \"scan\"", "/a.toml, line 1: mute: wanted tables, as [[mute]]"),
            ("mute = [{class = \"scan\"}, {class = \"sweep\"}]", "/a.toml, line 1: mute: a second rule on the same line"),
        ];
        for (text, want) in cases {
            let told = wrong(text);
            assert!(told.starts_with(want), "{text:?}: {told}");
        }
        let missing = parse(&["auscult", "watch", "--config", "/nowhere/a.toml"].map(OsString::from)).err().unwrap();
        assert!(matches!(missing, Refused::File(text) if text == "/nowhere/a.toml: No such file or directory (os error 2)"));
    }

    #[test]
    fn what_shows_when_it_is_used_has_its_line_too() {
        let said =
            parsed("seed = 2\n\nhome-net = \"10.0.0.0/40\"\nmax-flows = 3", &["auscult", "replay", "--config", "FILE", "x"]);
        let places = said.unwrap().places;
        let located = |text: &str| places.locate(Usage(text.to_owned()).into()).to_string();
        assert!(
            located("--home-net: \"10.0.0.0/40\" is no network")
                .ends_with("/a.toml, line 3: --home-net: \"10.0.0.0/40\" is no network")
        );
        assert!(located("--max-flows: 3: wanted").contains("/a.toml, line 4: "));
        assert_eq!(located("--home-nets: of another flag"), "--home-nets: of another flag");
        assert_eq!(places.locate(anyhow::anyhow!("--home-net: no usage")).to_string(), "--home-net: no usage");
    }

    #[test]
    fn the_command_line_comes_first() {
        let file =
            "seed = 5\nmodel = \"m\"\nalerts = [\"a\", \"b\"]\nvlan-key = true\n[watch]\ninterfaces = [\"eth7\"]\nseed = 6\n";
        let watch = |argv: &[&str]| {
            let said = parsed(file, &[&["auscult", "watch", "--config", "FILE"], argv].concat()).unwrap();
            let Command::Watch(args) = said.cli.command else { unreachable!() };
            args
        };
        let args = watch(&[]);
        assert_eq!((args.listen.interfaces.clone(), args.judge.seed, args.flow.vlan_key), (vec!["eth7".to_owned()], 6, true));
        assert_eq!(args.output.alerts, ["a", "b"]);
        let args = watch(&["--seed", "7", "--alerts=c", "--learn", "1d", "--", "eth0"]);
        assert_eq!(
            (args.listen.interfaces.clone(), args.judge.seed, args.output.alerts),
            (vec!["eth0".to_owned()], 7, vec!["c".to_owned()])
        );
        assert!(args.judge.model.is_none() && args.learn.learn.is_some(), "--learn takes the place of the file's model");
    }

    #[test]
    fn rules_are_numbered_by_their_lines() {
        let file = "seed = 1\n\n[[mute]]\nclass = [\"scan\", \"sweep\"]\nhost = \"10.0.0.0/8\"\nreason = \"known\"\nuntil = 2030-01-01T00:00:00Z\n";
        let said = parsed(file, &["auscult", "detect", "--config", "FILE", "flows.json"]).unwrap();
        let Command::Detect(args) = said.cli.command else { unreachable!() };
        let [(number, answer)] = args.answers.mutes.as_slice() else { panic!("{:?}", args.answers.mutes) };
        let rule = answer.hides.as_ref().unwrap();
        assert_eq!((*number, answer.reason.as_str(), rule.class.len(), rule.from), (1_000_003, "known", 2, None));
        assert!(answer.by.ends_with("a.toml, line 3"), "{}", answer.by);
    }
}
