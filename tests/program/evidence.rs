//! `--evidence`: the packets of an incident, and no others, in a file that other tools read without a complaint.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use auscult::capture::{Block, Input, Source as _, open};
use auscult::time::{Timestamp, parse};
use auscult::wire::{Addr, LinkType, Skip, decode};
use serde_json::Value;

use crate::support::{self, CLINIC_SPLIT, Folder, Run, auscult, auscult_fed, clinic, clinic_model, have, lines, text};

/// The clinic's second part by the model of its first, with evidence of its files and of standard input.
struct Clinic {
    folder: Folder,
    model: String,
    /// The capture, not compressed.
    capture: Vec<u8>,
    run: Run,
}

fn the_clinic() -> &'static Clinic {
    static CLINIC: OnceLock<Clinic> = OnceLock::new();
    CLINIC.get_or_init(|| {
        let folder = Folder::new();
        let model = clinic_model(&folder);
        let capture = std::fs::read(clinic()).unwrap();
        let run = replay(&folder, &model, "files", &["--workers", "1"]).ended(0);
        Clinic { folder, model, capture, run }
    })
}

fn replay(folder: &Folder, model: &str, to: &str, more: &[&str]) -> Run {
    let (capture, to, stats) = (clinic(), folder.name(to), folder.name(&format!("{to}.stats")));
    let mut arguments = vec!["replay", text(&capture), "--from", CLINIC_SPLIT, "--model", model];
    arguments.extend(["--evidence", &to, "--stats", &stats]);
    arguments.extend(more);
    auscult(&arguments)
}

fn replay_stdin(clinic: &Clinic, to: &str, more: &[&str]) -> Run {
    let (to, stats) = (clinic.folder.name(to), clinic.folder.name(&format!("{to}.stats")));
    let mut arguments = vec!["replay", "-", "--from", CLINIC_SPLIT, "--model", &clinic.model];
    arguments.extend(["--evidence", &to, "--stats", &stats]);
    arguments.extend(more);
    auscult_fed(&arguments, clinic.capture.clone())
}

fn account(folder: &Folder, to: &str) -> Value {
    let stats: Value = serde_json::from_slice(&folder.read(&format!("{to}.stats"))).unwrap();
    stats["evidence"].clone()
}

/// The files in a folder and what is in them.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    entries.map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap())).collect()
}

/// A packet as it was on the wire, and as much as there is of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Kept {
    nanos: i64,
    link: u16,
    wire_bytes: u32,
    data: Vec<u8>,
}

fn packets(path: &Path) -> Vec<Kept> {
    let mut files = open(&[Input::from(path.to_path_buf())]).unwrap();
    let (mut block, mut packets) = (Block::default(), Vec::new());
    while files.fill(&mut block).unwrap() || !block.frames.is_empty() {
        for span in std::mem::take(&mut block.frames) {
            let frame = block.frame(&span);
            let (nanos, data) = (frame.time.nanos(), frame.data.to_vec());
            packets.push(Kept { nanos, link: frame.link.0, wire_bytes: frame.wire_bytes, data });
        }
    }
    packets
}

/// The last line of each incident.
fn incidents(run: &Run) -> BTreeMap<String, Value> {
    let closed = run.lines().into_iter().filter(|line| line["auscult"]["incident"]["state"] == "closed");
    closed.map(|line| (line["auscult"]["incident"]["id"].as_str().unwrap().to_owned(), line)).collect()
}

fn texts(list: &Value) -> BTreeSet<String> {
    list.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

fn file_of(line: &Value) -> &str {
    line["auscult"]["evidence"].as_str().unwrap()
}

fn time(line: &Value, name: &str) -> Timestamp {
    parse(line["auscult"]["incident"][name].as_str().unwrap()).unwrap()
}

/// What tshark says of a file, field by field, having complained of nothing.
fn tshark(path: &Path, fields: &[&str]) -> Vec<Vec<String>> {
    let mut command = Command::new("tshark");
    command.arg("-n").arg("-r").arg(path).args(["-T", "fields"]);
    command.args(fields.iter().flat_map(|field| ["-e", field]));
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let complaints: Vec<&str> = said.lines().filter(|line| !line.contains("Running as user")).collect();
    assert!(output.status.success() && complaints.is_empty(), "{}: {complaints:?}", path.display());
    let rows = String::from_utf8(output.stdout).unwrap();
    rows.lines().map(|row| row.split('\t').map(str::to_owned).collect()).collect()
}

#[test]
fn every_line_names_the_file_of_its_incident_and_the_account_is_true() {
    let Clinic { folder, run, .. } = the_clinic();
    let (files, account) = (files(&folder.path("files")), account(folder, "files"));
    let named: BTreeSet<String> = run.lines().iter().map(|line| file_of(line).to_owned()).collect();
    assert!(named.len() > 3, "{named:?}");
    assert_eq!(named, files.keys().cloned().collect());
    for line in run.lines() {
        let id = line["auscult"]["incident"]["id"].as_str().unwrap();
        assert!(file_of(&line).ends_with(&format!("Z-{id}.pcapng")), "{line}");
        let mode = std::fs::metadata(folder.path("files").join(file_of(&line))).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let count: usize = files.keys().map(|name| packets(&folder.path("files").join(name)).len()).sum();
    let bytes: usize = files.values().map(Vec::len).sum();
    assert_eq!(
        (&account["files"], &account["packets"], &account["bytes"]),
        (&files.len().into(), &count.into(), &bytes.into()),
        "{account}"
    );
    assert!(run.stderr.contains(&format!("evidence {} files with {count} packets", files.len())), "{}", run.stderr);
}

#[test]
fn a_file_holds_the_conversations_of_its_incident_whole_and_nothing_else() {
    let Clinic { folder, run, .. } = the_clinic();
    let all = packets(&clinic());
    let mut compared = 0;
    for line in incidents(run).values() {
        let incident = &line["auscult"]["incident"];
        let (hosts, peers, services) = (texts(&incident["hosts"]), texts(&incident["peers"]), texts(&incident["services"]));
        // What was asked of whom is told for one peer or one service; of several each the alert names no pairs.
        if incident["complete"] != true || peers.len() > 1 && services.len() > 1 || services.is_empty() {
            continue;
        }
        let (first, last) = (time(line, "first"), parse(line["timestamp"].as_str().unwrap()).unwrap());
        let belongs = |kept: &&Kept| {
            let frame = auscult::wire::Frame {
                time: Timestamp::from_nanos(kept.nanos),
                link: LinkType(kept.link),
                wire_bytes: kept.wire_bytes,
                data: &kept.data,
            };
            let Ok(packet) = decode(&frame) else { return false };
            let ends = [packet.src, packet.dst].map(|end: Addr| end.to_string());
            let service = |port: u16| match packet.protocol {
                6 => format!("tcp/{port}"),
                17 => format!("udp/{port}"),
                other => format!("{other}/{port}"),
            };
            let is_between = |a: usize, b: usize| hosts.contains(&ends[a]) && peers.contains(&ends[b]);
            (is_between(0, 1) || is_between(1, 0))
                && (services.contains(&service(packet.src_port)) || services.contains(&service(packet.dst_port)))
                && (first..=last).contains(&frame.time)
        };
        if services.iter().any(|service| !service.starts_with("tcp/") && !service.starts_with("udp/")) {
            continue;
        }
        let wanted: Vec<(i64, u32)> = all.iter().filter(belongs).map(|kept| (kept.nanos, kept.wire_bytes)).collect();
        let kept = packets(&folder.path("files").join(file_of(line)));
        let found: Vec<(i64, u32)> = kept.iter().map(|kept| (kept.nanos, kept.wire_bytes)).collect();
        assert_eq!(found, wanted, "{line}");
        assert!(!found.is_empty());
        compared += 1;
    }
    assert!(compared > 3, "only {compared} incidents could be compared");
}

#[test]
fn tshark_reads_every_file_without_a_complaint() {
    if !have("tshark", "--version") {
        return;
    }
    let Clinic { folder, run, .. } = the_clinic();
    for (id, line) in incidents(run) {
        let path = folder.path("files").join(file_of(&line));
        let fields = ["frame.comment", "frame.time_epoch", "frame.len", "frame.cap_len", "_ws.malformed"];
        let rows = tshark(&path, &fields);
        let kept = packets(&path);
        assert_eq!(rows.len(), kept.len());
        for (row, kept) in rows.iter().zip(&kept) {
            let time = format!("{}.{:09}", kept.nanos / 1_000_000_000, kept.nanos % 1_000_000_000);
            let want = [&format!("incident {id}"), &time, &kept.wire_bytes.to_string(), &kept.data.len().to_string(), ""];
            assert_eq!(row.iter().map(String::as_str).collect::<Vec<_>>(), want);
        }
    }
    let some = files(&folder.path("files")).into_keys().next().unwrap();
    if !have("capinfos", "--version") {
        return;
    }
    let output = Command::new("capinfos").arg(folder.path("files").join(some)).output().unwrap();
    let page = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && page.contains("nanoseconds") && page.contains("auscult 0.1.0"), "{page}");
}

#[test]
fn without_being_asked_no_payload_is_kept() {
    let clinic = the_clinic();
    let folder = &clinic.folder;
    let mut cut = 0;
    for name in files(&folder.path("files")).keys() {
        for kept in packets(&folder.path("files").join(name)) {
            let (time, link) = (Timestamp::from_nanos(kept.nanos), LinkType(kept.link));
            let frame = auscult::wire::Frame { time, link, wire_bytes: kept.wire_bytes, data: &kept.data };
            match decode(&frame) {
                Ok(packet) => {
                    let is_spoken_of =
                        packet.protocol == 58 || packet.protocol == 1 && packet.src_port != 8 && packet.src_port != 0;
                    assert!(frame.payload(&packet).is_empty() || is_spoken_of, "{packet:?}");
                    cut += usize::from(packet.payload_bytes > 0);
                }
                Err(skip) => assert_eq!(skip, Skip::Arp),
            }
        }
    }
    assert!(cut > 100, "only {cut} packets had a payload");
    replay(folder, &clinic.model, "whole", &["--evidence-payload"]).ended(0);
    let (headers, whole) = (files(&folder.path("files")), files(&folder.path("whole")));
    for name in headers.keys() {
        let (cut, whole) = (packets(&folder.path("files").join(name)), packets(&folder.path("whole").join(name)));
        assert_eq!(cut.len(), whole.len());
        assert!(cut.iter().zip(&whole).all(|(cut, whole)| whole.data.starts_with(&cut.data) && cut.nanos == whole.nanos));
    }
    let holds = |files: &BTreeMap<String, Vec<u8>>, mark: &[u8]| {
        files.values().any(|bytes| bytes.windows(mark.len()).any(|part| part == mark))
    };
    let marks: [&[u8]; 3] = [b"HTTP/1.1", b"MSH|", b"SSH-2.0"];
    assert!(marks.iter().any(|mark| holds(&whole, mark)), "the capture says none of these");
    assert!(!marks.iter().any(|mark| holds(&headers, mark)));
}

#[test]
fn the_bytes_do_not_depend_on_workers_and_a_pipe_gives_the_same_packets() {
    let clinic = the_clinic();
    let folder = &clinic.folder;
    let run = replay(folder, &clinic.model, "files4", &["--workers", "4"]).ended(0);
    assert_eq!(run.stdout, clinic.run.stdout);
    assert_eq!(files(&folder.path("files")), files(&folder.path("files4")));
    // A pipe cannot be read twice: its packets come through the ring.
    let one = replay_stdin(clinic, "pipe1", &["--workers", "1"]).ended(0);
    let four = replay_stdin(clinic, "pipe4", &["--workers", "4"]).ended(0);
    assert!(one.stdout == clinic.run.stdout && four.stdout == one.stdout);
    let pipe = files(&folder.path("pipe1"));
    assert_eq!(pipe, files(&folder.path("pipe4")));
    assert_eq!(account(folder, "pipe1"), account(folder, "files"));
    // In the order of time too, also where a conversation joined its incident late.
    for name in pipe.keys() {
        let [piped, read] = ["pipe1", "files"].map(|to| packets(&folder.path(to).join(name)));
        assert!(piped.is_sorted_by_key(|kept| kept.nanos), "{name}");
        assert_eq!(piped, read, "{name}");
    }
    if have("tshark", "--version") {
        for name in pipe.keys() {
            let rows = tshark(&folder.path("pipe1").join(name), &["frame.time_delta", "_ws.malformed"]);
            assert!(rows.iter().all(|row| !row[0].starts_with('-') && row[1].is_empty()), "{name}");
        }
    }
}

fn ipv4(text: &str) -> [u8; 4] {
    text.parse::<std::net::Ipv4Addr>().expect("the clinic has IPv4 only").octets()
}

#[test]
fn what_is_closed_by_a_person_keeps_no_further_packets() {
    let clinic = the_clinic();
    let folder = &clinic.folder;
    // An incident that grew after it was told first, and stayed what it was.
    let told = clinic.run.lines();
    let part = |line: &Value, name: &str| line["auscult"]["incident"][name].clone();
    let first_of = |line: &Value| told.iter().position(|first| part(first, "id") == part(line, "id")).unwrap();
    let stays = |line: &&Value| part(line, "state") == "update" && part(line, "class") == part(&told[first_of(line)], "class");
    let grew = told.iter().find(stays).unwrap();
    let (id, number) = (grew["auscult"]["incident"]["id"].as_str().unwrap(), first_of(grew));
    let alerts = folder.put("told.jsonl", &clinic.run.stdout);
    let answers = folder.name("close.jsonl");
    let about = format!("{alerts}:{}", number + 1);
    auscult(&["close", &about, "--answers", &answers, "--reason", "dealt with", "--by", "ada"]).ended(0);
    let hidden = folder.name("close.hidden");
    let more = ["--answers", &answers, "--hidden", &hidden];
    let run = replay(folder, &clinic.model, "answered", &more).ended(0);
    replay_stdin(clinic, "answered-pipe", &more).ended(0);
    let first_hidden =
        lines(&folder.read("close.hidden")).into_iter().find(|line| line["auscult"]["incident"]["id"] == id).unwrap();
    let until = parse(first_hidden["timestamp"].as_str().unwrap()).unwrap().nanos();
    let name = file_of(grew);
    let [whole, answered, pipe] = ["files", "answered", "answered-pipe"].map(|to| packets(&folder.path(to).join(name)));
    // Of a peer that the first hidden line names and none before, packets are kept from before it was named, but not where that is hidden.
    let peers = |line: &Value| part(line, "peers").as_array().unwrap().iter().map(|it| it.as_str().unwrap().to_owned()).collect();
    let (known, named): (Vec<String>, Vec<String>) = (peers(&told[number]), peers(&first_hidden));
    let late: Vec<[u8; 4]> = named.iter().filter(|peer| !known.contains(peer)).map(|peer| ipv4(peer)).collect();
    let is_late = |kept: &Kept| late.iter().any(|peer| kept.data[26..30] == *peer || kept.data[30..34] == *peer);
    let wanted: Vec<Kept> = whole.iter().filter(|kept| kept.nanos <= until && !is_late(kept)).cloned().collect();
    assert!(wanted.len() < whole.len() && !wanted.is_empty(), "{} of {}", wanted.len(), whole.len());
    assert_eq!(answered, wanted);
    assert_eq!(pipe, wanted);
    // It is told to be over, with the answer; the files of others are what they were.
    let last = incidents(&run);
    assert_eq!(last[id]["auscult"]["answer"]["answer"], "close");
    let (all, answered) = (files(&folder.path("files")), files(&folder.path("answered")));
    assert!(all.iter().filter(|(other, _)| *other != name).all(|(other, bytes)| answered[other] == *bytes));
}

#[test]
fn alerts_are_the_same_without_evidence_but_for_its_name() {
    let clinic = the_clinic();
    let capture = support::clinic();
    let run = auscult(&["replay", text(&capture), "--from", CLINIC_SPLIT, "--model", &clinic.model]).ended(0);
    let plain = |bytes: &[u8]| {
        let mut lines = lines(bytes);
        for line in &mut lines {
            let product = line["auscult"].as_object_mut().unwrap();
            product.remove("chain");
            product.remove("evidence");
        }
        lines
    };
    assert_eq!(plain(&run.stdout), plain(&clinic.run.stdout));
    assert!(!run.stderr.contains("evidence "), "{}", run.stderr);
}

#[test]
fn a_ring_that_is_too_small_is_told() {
    let clinic = the_clinic();
    let run = replay_stdin(clinic, "small", &["--evidence-ring", "64K"]).ended(0);
    assert_eq!(run.stdout, clinic.run.stdout);
    let (small, whole) = (account(&clinic.folder, "small"), account(&clinic.folder, "files"));
    assert!(small["begun_before_ring"].as_u64().unwrap() > 0 && small["packets"].as_u64() < whole["packets"].as_u64(), "{small}");
    assert!(run.stderr.contains("--evidence-ring"), "{}", run.stderr);
    // A capture that teaches itself is judged at its end.
    let to = clinic.folder.name("self");
    let run = auscult_fed(&["replay", "-", "--evidence", &to, "--evidence-ring", "64K"], clinic.capture.clone()).ended(0);
    assert!(run.stderr.contains("--evidence-ring"), "{}", run.stderr);
}

#[test]
fn the_folder_is_bounded_over_several_runs() {
    let clinic = the_clinic();
    let folder = &clinic.folder;
    // A file of an earlier run, one of someone else.
    let old = folder.put("bounded/20200101T000000Z-0123456789abcdef.pcapng", &[0; 50_000]);
    let other = folder.put("bounded/notes.txt", &[0; 100_000]);
    let all = account(folder, "files");
    let run = replay(folder, &clinic.model, "bounded", &["--evidence-max", "100K"]).ended(0);
    assert_eq!(run.stdout, clinic.run.stdout);
    assert!(!Path::new(&old).exists() && Path::new(&other).exists());
    let left = files(&folder.path("bounded"));
    let bytes: usize = left.iter().filter(|(name, _)| name.ends_with(".pcapng")).map(|(_, bytes)| bytes.len()).sum();
    assert!(bytes <= 100 << 10 && bytes > 10_000, "{bytes}");
    let account = account(folder, "bounded");
    let out = |reason: &str| account["left_out"][reason].as_u64().unwrap();
    assert!(account["removed_files"].as_u64().unwrap() > 0, "{account}");
    let counted = account["packets"].as_u64().unwrap() + out("folder_full") + out("incident_full");
    assert_eq!(counted, all["packets"].as_u64().unwrap(), "{account}");
    for name in left.keys().filter(|name| name.ends_with(".pcapng")) {
        assert!(!packets(&folder.path("bounded").join(name)).is_empty());
    }
}

#[test]
fn a_disk_that_is_full_is_told_and_counted_and_alerts_go_on() {
    let clinic = the_clinic();
    let to = clinic.folder.name("full");
    let stats = clinic.folder.name("full.stats");
    let capture = support::clinic();
    // A limit on the length of files fails writes as a full disk does.
    let script = "trap '' XFSZ; ulimit -f 16; exec \"$@\"";
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh", env!("CARGO_BIN_EXE_auscult"), "replay", text(&capture), "--from", CLINIC_SPLIT]);
    command.args(["--model", &clinic.model, "--evidence", &to, "--stats", &stats]);
    let run = Run::from(command.output().unwrap()).ended(4);
    assert_eq!(run.stdout, clinic.run.stdout);
    assert_eq!(run.stderr.matches("evidence cannot be written").count(), 1, "{}", run.stderr);
    let (account, all) = (account(&clinic.folder, "full"), account(&clinic.folder, "files"));
    let unwritable = account["left_out"]["unwritable"].as_u64().unwrap();
    assert!(unwritable > 0);
    assert_eq!(account["packets"].as_u64().unwrap() + unwritable, all["packets"].as_u64().unwrap(), "{account}");
    for name in files(Path::new(&to)).keys() {
        assert!(!packets(&Path::new(&to).join(name)).is_empty(), "no half of a file is left");
    }
}

#[test]
fn wrong_use_is_told() {
    let clinic = the_clinic();
    let file = clinic.folder.put("a-file", b"x");
    let capture = support::clinic();
    let run = auscult(&["replay", text(&capture), "--model", &clinic.model, "--evidence", &file]).ended(1);
    assert!(run.stderr.contains(&format!("{file}: evidence cannot be written there")), "{}", run.stderr);
    let run = auscult(&["detect", &file, "--evidence", "x"]).ended(2);
    assert!(run.stderr.contains("--evidence"), "{}", run.stderr);
    let run = auscult(&["replay", text(&capture), "--evidence-payload"]).ended(2);
    assert!(run.stderr.contains("--evidence <DIR>"), "{}", run.stderr);
    // Payloads hold names and addresses that no key hides.
    let (key, folder) = (clinic.folder.name("key"), clinic.folder.name("hidden"));
    auscult(&["pseudonyms", &key, "--new"]).ended(0);
    let arguments = ["replay", text(&capture), "--pseudonyms", &key, "--evidence", &folder, "--evidence-payload"];
    let run = auscult(&arguments).ended(2);
    assert!(run.stderr.contains("--evidence-payload with --pseudonyms"), "{}", run.stderr);
    assert!(!clinic.folder.path("hidden").exists());
}
