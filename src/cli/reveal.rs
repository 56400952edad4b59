//! `auscult pseudonyms` and `auscult reveal`.

use std::fs::OpenOptions;
use std::io::{self, BufRead as _, BufReader, Read as _, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;
use serde_json::json;
use tempfile::NamedTempFile;

use super::exit::{Outcome, Usage};
use super::hidden::{beside, read_key, sealed_names};
use super::record_lines::chain_of;
use super::train::source;
use crate::capture::{Content, Input};
use crate::model::Source;
use crate::pipeline::now;
use crate::pseudonym::{KEY_BYTES, Key, Revealed, Revealer};

/// Bytes of text that are turned back at a time, and the most that have to be looked at together.
const PART_BYTES: u64 = 1 << 20;
const MOST_PART_BYTES: usize = 64 << 20;

/// `auscult pseudonyms`.
#[derive(Debug, Args)]
pub struct PseudonymsArgs {
    /// The key file
    #[arg(value_name = "KEYFILE")]
    pub key: PathBuf,
    /// Make it, with a new random key that only its owner may read; a file that is there is never written over
    #[arg(long)]
    pub new: bool,
}

/// `auscult reveal`.
#[derive(Debug, Args)]
pub struct RevealArgs {
    /// Alerts, flow records, a report or any other text with pseudonyms; plain, gzip or zstd; - for standard input
    #[arg(value_name = "FILE|-")]
    pub file: PathBuf,
    /// The key of its pseudonyms
    #[arg(long, value_name = "KEYFILE")]
    pub pseudonyms: PathBuf,
    /// Why; kept in the record
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// Who reveals [default: $USER]
    #[arg(long, value_name = "NAME")]
    pub by: Option<String>,
    /// The record of who revealed what, when and why, which auscult verify checks [default: KEYFILE.audit]
    #[arg(long, value_name = "PATH")]
    pub audit: Option<PathBuf>,
}

/// Makes a key, or says which one it is.
///
/// # Errors
/// A file that is there already, or cannot be made or read.
pub fn pseudonyms(args: &PseudonymsArgs) -> anyhow::Result<Outcome> {
    let path = &args.key;
    let place = || format!("{}: cannot be made", path.display());
    if args.new {
        let mut bytes = [0; KEY_BYTES];
        getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("no random bytes from the system: {error}"))?;
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).with_context(place)?;
        file.write_all(Key::new(bytes).text().as_bytes()).and_then(|()| file.sync_all()).with_context(place)?;
    }
    let key = read_key(path)?;
    let names = sealed_names(&beside(path, ".names"), &key)?.len();
    let page = format!("key      {}\nnames    {names} sealed\n", key.fingerprint());
    io::stdout().write_all(page.as_bytes()).context("standard output")?;
    Ok(Outcome::default())
}

/// Turns pseudonyms back, having recorded who asked for it and why.
///
/// # Errors
/// Wrong usage; a key, a text or a record that cannot be used. Nothing is revealed then.
pub fn reveal(args: &RevealArgs) -> anyhow::Result<Outcome> {
    if args.reason.trim().is_empty() {
        return Err(Usage("--reason: say why".to_owned()).into());
    }
    let user = || std::env::var("USER").ok().filter(|user| !user.is_empty());
    let by = args.by.clone().or_else(user).ok_or_else(|| Usage("who reveals? give --by NAME".to_owned()))?;
    let named = Input::from(args.file.clone());
    let (input, _copy) = readable_twice(&named)?;
    let key = read_key(&args.pseudonyms)?;
    let names = || sealed_names(&beside(&args.pseudonyms, ".names"), &key);
    let about = Source { name: named.name(), ..source(&input)? };
    let found = turn_back(&input, Revealer::new(&key, names()?), &mut io::sink())?;
    let audit = args.audit.clone().unwrap_or_else(|| beside(&args.pseudonyms, ".audit"));
    record(&audit, &by, args, (&about, &key, found)).context("nothing was revealed")?;
    turn_back(&input, Revealer::new(&key, names()?), &mut io::stdout().lock())?;
    if source(&input)?.sha256 != about.sha256 {
        bail!("{input}: it changed while it was revealed; the record is about what it was before");
    }
    let Revealed { addresses, macs, names, flow_ids, unknown_names } = found;
    tell!("revealed {addresses} addresses, {macs} MAC addresses, {names} parts of names, {flow_ids} flow identifiers");
    if unknown_names > 0 {
        tell!("stayed   {unknown_names} parts of names that are not sealed beside the key");
    }
    tell!("recorded {}", audit.display());
    Ok(Outcome::default())
}

/// What is recorded first and revealed then. Standard input can be read once, so it goes into a file that is there as long as the second of
/// these is held.
fn readable_twice(input: &Input) -> anyhow::Result<(Input, Option<NamedTempFile>)> {
    if matches!(input, Input::Path(_)) {
        return Ok((input.clone(), None));
    }
    let mut copy = NamedTempFile::new().context("a file for standard input")?;
    io::copy(&mut io::stdin().lock(), &mut copy).context("standard input cannot be kept")?;
    Ok((Input::from(copy.path().to_path_buf()), Some(copy)))
}

/// Writes who reveals what, when and why, behind what was recorded before.
fn record(path: &Path, by: &str, args: &RevealArgs, (about, key, found): (&Source, &Key, Revealed)) -> anyhow::Result<()> {
    let place = || format!("{}: cannot be written", path.display());
    let mut file = OpenOptions::new().read(true).append(true).create(true).open(path).with_context(place)?;
    file.lock().with_context(place)?;
    let chain = chain_of(&mut file, path).with_context(place)?;
    let Revealed { addresses, macs, names, flow_ids, unknown_names } = found;
    let line = json!({
        "time": now().to_string(), "by": by, "reason": args.reason.trim(), "key": key.fingerprint(),
        "file": {"name": about.name, "bytes": about.bytes, "sha256": about.sha256},
        "revealed": {"addresses": addresses, "macs": macs, "names": names, "flow_ids": flow_ids},
        "unknown_names": unknown_names,
        "chain": {"seq": chain.next().seq, "prev": chain.next().prev},
    });
    file.write_all(format!("{line}\n").as_bytes()).and_then(|()| file.sync_data()).with_context(place)
}

/// Writes a file's text with what its pseudonyms stand for.
fn turn_back(input: &Input, mut revealer: Revealer, to: &mut dyn Write) -> anyhow::Result<Revealed> {
    let mut reader = BufReader::new(Content::open(input)?);
    let mut part = Vec::new();
    loop {
        let read = reader.by_ref().take(PART_BYTES).read_to_end(&mut part).with_context(|| input.to_string())?;
        let end = if reader.fill_buf().with_context(|| input.to_string())?.is_empty() {
            part.len()
        } else {
            // Between two values, where no pseudonym goes on.
            part.iter().rposition(|byte| matches!(byte, b'\n' | b',' | b'<')).map_or(0, |place| place + 1)
        };
        if end == 0 && part.len() > MOST_PART_BYTES {
            bail!("{input}: no text: no comma and no end of a line in {} MiB", MOST_PART_BYTES >> 20);
        }
        let text = std::str::from_utf8(&part[..end])
            .with_context(|| format!("{input}: no text; of flow records --format jsonl or csv can be revealed"))?;
        if let Some(other) = revealer.other_key(text) {
            bail!("{input}: its pseudonyms are of the key {other}, and the key given is another");
        }
        let revealed = revealer.reveal(text);
        to.write_all(revealed.as_bytes()).context("standard output")?;
        part.drain(..end);
        if read == 0 && part.is_empty() {
            break;
        }
    }
    to.flush().context("standard output")?;
    Ok(revealer.revealed)
}
