//! Who may import whom, and which crate lives where: the shape of the program, read from its source.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::support;

/// Modules in the order of the data's way, and what each may import of the others. A line that has to grow is a decision:
/// say in `docs/architecture.md` why.
///
/// What differs from a plain chain: `wire` holds `Addr`, the one form of an address, so all that names a host may import
/// it. `app` knows nothing of flows: it is given ports and bytes by `flow`. `model` counts services (`flow::Service`) and
/// facts. `alert` writes a flow's application and features and the p-value of its model. `pipeline` knows `model` since workers look up behaviours. `pseudonym` replaces what names
/// somebody in records and sightings, so it stands behind `feature` and before all that learns, judges and writes; only `cli` holds a key. `record` stands beside
/// `pipeline` and hands on the same (`Consumer`, `Emitted`); it opens files as `capture` does. `sink` is
/// `train` takes leases from sightings, which say whose flows are learned.
/// what `alert` is not: threads, sockets and files for what leaves; `state` is the same for what is remembered, whatever that is; `guard` gives up rights and knows of nothing here, and so does `nats`. `fleet` is the seam stretched over it: it stands beside `pipeline` as `record` does. Nothing imports `cli` but `main`.
const LAYERS: [(&str, &[&str]); 30] = [
    ("time", &[]),
    ("wire", &["time"]),
    ("app", &["time", "wire"]),
    ("flow", &["time", "wire", "app"]),
    ("sighting", &["time", "wire", "app"]),
    ("inventory", &["time", "wire", "app", "flow", "sighting"]),
    ("feature", &["time", "wire", "flow", "app"]),
    ("pseudonym", &["time", "wire", "app", "flow", "sighting", "feature"]),
    ("model", &["time", "wire", "flow", "feature"]),
    ("detect", &["time", "wire", "flow", "app", "sighting", "feature", "model"]),
    ("alert", &["time", "wire", "flow", "app", "feature", "model", "detect"]),
    ("nats", &[]),
    ("sink", &["time", "feature", "alert", "nats"]),
    ("state", &["feature"]),
    ("guard", &[]),
    ("capture", &["time", "wire"]),
    ("evidence", &["time", "wire", "flow", "sighting", "feature", "detect", "capture", "pseudonym"]),
    ("dataset", &["time", "wire", "flow"]),
    (
        "pipeline",
        &["time", "wire", "flow", "app", "sighting", "feature", "model", "detect", "alert", "capture", "evidence", "dataset"],
    ),
    ("record", &["time", "wire", "app", "flow", "feature", "capture", "pipeline"]),
    ("lake", &["time", "flow", "alert", "sink", "record"]),
    (
        "train",
        &["time", "wire", "flow", "app", "sighting", "feature", "model", "detect", "alert", "capture", "dataset", "pipeline"],
    ),
    (
        "fleet",
        &[
            "time", "wire", "app", "flow", "sighting", "feature", "model", "detect", "evidence", "pipeline", "nats", "state",
            "train",
        ],
    ),
    (
        "replay",
        &[
            "time", "wire", "flow", "app", "sighting", "feature", "model", "detect", "alert", "capture", "evidence", "pipeline",
            "train",
        ],
    ),
    ("report", &["time", "flow", "feature", "model", "detect", "alert", "record", "replay"]),
    (
        "serve",
        &["time", "flow", "sighting", "inventory", "feature", "model", "detect", "alert", "sink", "pipeline", "replay", "report"],
    ),
    ("eval", &["time", "wire", "flow", "app", "feature", "model", "detect", "alert", "capture", "dataset", "pipeline"]),
    (
        "cli",
        &[
            "time",
            "wire",
            "app",
            "flow",
            "sighting",
            "inventory",
            "feature",
            "model",
            "detect",
            "alert",
            "capture",
            "evidence",
            "dataset",
            "pipeline",
            "pseudonym",
            "record",
            "train",
            "replay",
            "report",
            "serve",
            "eval",
            "sink",
            "state",
            "guard",
            "lake",
            "nats",
            "fleet",
        ],
    ),
    ("lib", &[]),
    ("main", &["cli"]),
];

/// Neither a thread nor a socket nor a file nor a clock: these take `Read`, `Write` and times.
const CORE: [&str; 11] =
    ["time", "wire", "flow", "app", "sighting", "inventory", "feature", "pseudonym", "model", "detect", "alert"];
const NOT_IN_CORE: [&str; 8] =
    ["std::thread", "std::net", "std::fs", "std::process", "std::env", "SystemTime", "Instant::", "time::Instant"];

/// The one home of each crate, so that replacing it touches one folder.
const HOMES: [(&str, &[&str]); 40] = [
    ("aes_gcm", &["app", "pseudonym"]),
    ("hkdf", &["app", "pseudonym"]),
    ("hmac", &["pseudonym"]),
    ("getrandom", &["cli"]),
    ("md5", &["app"]),
    ("x509_parser", &["app"]),
    ("etherparse", &["wire"]),
    ("pcap", &["capture"]),
    ("postcard", &["fleet", "state"]),
    ("async_nats", &["nats"]),
    ("futures_util", &["nats"]),
    ("flate2", &["capture", "dataset"]),
    ("zstd", &["capture", "dataset", "fleet"]),
    ("rustix", &["capture", "guard", "pipeline", "sink"]),
    ("nix", &["capture", "guard"]),
    ("landlock", &["guard"]),
    ("seccompiler", &["guard"]),
    ("libc", &["guard"]),
    ("linfa", &["model"]),
    ("linfa_clustering", &["model"]),
    ("linfa_linalg", &["model"]),
    ("ndarray", &["model"]),
    ("maud", &["report", "serve"]),
    ("hyper", &["serve"]),
    ("hyper_util", &["serve"]),
    ("http_body_util", &["serve"]),
    ("bytes", &["serve"]),
    ("tokio", &["nats", "serve"]),
    ("tokio_rustls", &["serve"]),
    ("crossbeam", &["capture", "pipeline"]),
    ("clap", &["cli"]),
    ("indicatif", &["cli"]),
    ("signal_hook", &["cli"]),
    ("toml", &["cli"]),
    ("tempfile", &["cli", "train"]),
    ("anyhow", &["cli"]),
    ("parquet", &["alert", "record"]),
    ("rustls", &["serve", "sink"]),
    ("rustls_native_certs", &["sink"]),
    ("ureq", &["sink"]),
];

const MOST_LINES: usize = 500;

struct SourceFile {
    /// The folder below `src`, or the file's stem at its top.
    module: String,
    path: PathBuf,
    /// Without comments; tests at the end of a file included.
    code: String,
}

impl SourceFile {
    /// The code that is built into the program: tests beside it may use more.
    fn built(&self) -> &str {
        self.code.split("#[cfg(test)]\nmod tests").next().unwrap()
    }
}

fn sources() -> Vec<SourceFile> {
    let root = support::project("src");
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(read(&root, path));
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(found.len() > 80, "only {} files", found.len());
    found
}

fn read(root: &Path, path: PathBuf) -> SourceFile {
    let text = std::fs::read_to_string(&path).unwrap();
    let below = path.strip_prefix(root).unwrap();
    let module = below.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs").to_owned();
    let code: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).map(|line| format!("{line}\n")).collect();
    SourceFile { module, code, path }
}

/// The names that follow `prefix` in `code`: `crate::a::b` and each of `crate::{a::b, c}` for the prefix `crate::`.
fn names_after(code: &str, prefix: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (place, _) in code.match_indices(prefix) {
        // `$crate::` and `my_crate::` are other words.
        if code[..place].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$') {
            continue;
        }
        let rest = &code[place + prefix.len()..];
        match rest.strip_prefix('{') {
            Some(group) => names.extend(first_words_of_group(group)),
            None => names.extend(first_word(rest)),
        }
    }
    names
}

fn first_word(text: &str) -> Option<String> {
    let word: String = text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    (!word.is_empty()).then_some(word)
}

fn first_words_of_group(group: &str) -> Vec<String> {
    let (mut depth, mut start, mut words) = (0, 0, Vec::new());
    for (place, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                words.extend(first_word(&group[start..place]));
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                words.extend(first_word(&group[start..place]));
                start = place + 1;
            }
            _ => {}
        }
    }
    words
}

#[test]
fn names_are_found_in_every_form_of_path() {
    let code = "use crate::flow::{A, B};\nuse crate::{time::Span, wire::{Addr, Tcp},\n app};\nlet x = crate::model::hex(1); my_crate::no; $crate::no";
    assert_eq!(names_after(code, "crate::").into_iter().collect::<Vec<_>>(), ["app", "flow", "model", "time", "wire"]);
}

#[test]
fn every_module_imports_only_what_its_layer_may() {
    let table: BTreeMap<&str, &[&str]> = LAYERS.into_iter().collect();
    let mut wrong = Vec::new();
    let mut seen = 0;
    for file in sources() {
        let Some(may) = table.get(file.module.as_str()) else {
            wrong.push(format!("{}: module {} is in no layer", file.path.display(), file.module));
            continue;
        };
        for name in names_after(file.built(), "crate::").into_iter().filter(|name| *name != file.module) {
            seen += 1;
            if table.contains_key(name.as_str()) && !may.contains(&name.as_str()) {
                wrong.push(format!("{}: {} may not import {name}", file.path.display(), file.module));
            }
        }
        if file.module == "main" && names_after(file.built(), "auscult::").into_iter().any(|name| name != "cli") {
            wrong.push("main may import cli alone".to_owned());
        }
    }
    assert!(seen > 100, "only {seen} imports: the scan finds too little");
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_module_of_the_library_has_a_layer() {
    let lib = std::fs::read_to_string(support::project("src/lib.rs")).unwrap();
    let modules: Vec<&str> = lib.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    assert!(modules.len() > 10, "{modules:?}");
    for module in modules {
        assert!(LAYERS.iter().any(|(name, _)| *name == module), "{module} is in no layer");
    }
}

#[test]
fn the_core_names_no_thread_socket_file_or_clock() {
    let files = sources();
    let core = files.iter().filter(|file| CORE.contains(&file.module.as_str()));
    let wrong: Vec<String> = core
        .flat_map(|file| NOT_IN_CORE.iter().filter(|word| file.built().contains(**word)).map(move |word| (file, word)))
        .map(|(file, word)| format!("{}: {word}", file.path.display()))
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_crate_has_one_home() {
    let files = sources();
    let mut wrong = Vec::new();
    for (name, homes) in HOMES {
        let (path, import) = (format!("{name}::"), format!("use {name}"));
        // A module of the same name (`self::pcap`, `super::pcap`, `crate::…::pcap`) is not the crate.
        let uses = |file: &&SourceFile| {
            let starts_path = |(place, _): (usize, &str)| {
                let before = &file.built()[..place];
                !before.ends_with(|c: char| c.is_alphanumeric() || c == '_')
                    && (!before.ends_with("::") || before.ends_with(" ::"))
            };
            let local = file.built().contains(&format!("mod {name};"));
            !local && (file.built().match_indices(&path).any(starts_path) || file.built().contains(&format!("{import};")))
        };
        let users: BTreeSet<&str> = files.iter().filter(uses).map(|file| file.module.as_str()).collect();
        if users.iter().any(|user| !homes.contains(user)) || users.is_empty() {
            wrong.push(format!("{name} is used in {users:?}, its home is {homes:?}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn the_system_is_asked_for_the_time_in_one_place() {
    let asks = |file: &&SourceFile| ["SystemTime::now", "Instant::now"].iter().any(|word| file.built().contains(word));
    let files = sources();
    let places: Vec<_> = files.iter().filter(asks).map(|file| file.path.clone()).collect();
    assert_eq!(places, [support::project("src/pipeline/clock.rs")]);
}

#[test]
fn no_source_file_is_too_long() {
    for root in ["src", "tests", "datasets", "examples"] {
        let mut folders = vec![support::project(root)];
        while let Some(folder) = folders.pop() {
            let Ok(entries) = std::fs::read_dir(&folder) else { continue };
            for path in entries.map(|entry| entry.unwrap().path()) {
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "rs") {
                    let lines = std::fs::read_to_string(&path).unwrap().lines().count();
                    assert!(lines <= MOST_LINES, "{}: {lines} lines, at most {MOST_LINES}", path.display());
                }
            }
        }
    }
}

/// What an output does not hand on, and need not. `Answered` is the one that says `hidden` and `answered`, and nobody says them to it or to
/// `Kept` before it; `Kept` is the one that remembers, so it is asked first, asks nobody whether state is wanted, and is not asked what waits.
const NOT_HANDED_ON: [(&str, &str); 7] = [
    ("Answered", "hidden"),
    ("Answered", "answered"),
    ("Answered", "wants_state"),
    ("Kept", "hidden"),
    ("Kept", "answered"),
    ("Kept", "waits"),
    ("Outputs", "wants_state"),
];

/// Methods of a trait or an impl and their bodies, in source that rustfmt has formatted.
fn methods(block: &str) -> BTreeMap<&str, &str> {
    let parts = block.split("    fn ").skip(1);
    parts.map(|part| (&part[..part.find(['(', '<']).unwrap()], part)).collect()
}

/// Both traits have empty bodies for who does not care; a wrapper that forgets a method would swallow what it should hand on.
#[test]
fn who_hands_on_hands_on_everything() {
    let (files, mut wrappers, mut missing) = (sources(), 0, Vec::new());
    for (name, place) in [("Consumer", "pipeline/run.rs"), ("Output", "replay/output.rs")] {
        let block = |code: &str, head: &str| Some(code.split_once(head)?.1.split_once("\n}\n")?.0.to_owned());
        let home = files.iter().find(|file| file.path.ends_with(place)).unwrap();
        let wanted = block(&home.code, &format!("pub trait {name} {{")).unwrap();
        let wanted: BTreeSet<&str> = methods(&wanted).into_keys().collect();
        assert!(wanted.len() >= 6, "{wanted:?}");
        for file in &files {
            for part in file.built().split(&format!("\nimpl {name} for ")).skip(1) {
                let (who, rest) = part.split_once(" {").unwrap();
                let own = rest.split_once("\n}\n").map_or(rest, |(own, _)| own);
                let own = methods(own);
                let hands_on = own.iter().filter(|(method, body)| {
                    ["self.to", "self.consumer", "self.judge", "also"].iter().any(|to| body.contains(&format!("{to}.{method}(")))
                });
                if hands_on.count() < 2 {
                    continue;
                }
                wrappers += 1;
                let who = who.split('<').next().unwrap();
                let lacks = wanted.iter().filter(|method| !own.contains_key(**method) && !NOT_HANDED_ON.contains(&(who, method)));
                missing.extend(lacks.map(|method| format!("{}: {who} does not hand on {name}::{method}", file.path.display())));
            }
        }
    }
    assert!(missing.is_empty(), "\n{}", missing.join("\n"));
    assert!(wrappers >= 6, "only {wrappers} wrappers were found");
}
