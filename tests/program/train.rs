//! Training that is longer than the memory: the same model however it is read, nothing left behind, and it goes on where it was
//! killed.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use auscult::capture::{Input, open};
use auscult::flow::{FlowLimits, HomeNets};
use auscult::model::Model;
use auscult::pipeline::{self, PipelineConfig};
use auscult::train::{Course, Lesson, Listener, Spool, Spooled};
use serde_json::Value;

use crate::support::{self, CLINIC_SPLIT, Folder, Run, auscult, clinic, program, text};

/// Flow records of an office that asks for names and pages, about five in a second.
fn office(records: usize) -> String {
    let mut text = "src_ip,dst_ip,src_port,dst_port,proto,start,end,packets_orig,packets_resp,bytes_orig,bytes_resp\n".to_owned();
    for n in 0..records {
        let (client, at) = (n * 7919 % 40 + 10, 1_700_000_000.0 + n as f64 / 5.0);
        let (server, port, proto, bytes) =
            if n % 3 == 0 { (1, 53, "udp", 70) } else { (n % 7 + 2, 443, "tcp", 900 + n * 31 % 4000) };
        let (source, end) = (20_000 + n % 30_000, at + 0.01 * (n % 90) as f64);
        let _ = writeln!(
            text,
            "10.0.0.{client},10.0.1.{server},{source},{port},{proto},{at:.3},{end:.3},{},{},{bytes},{}",
            2 + n % 9,
            2 + n % 11,
            bytes * 3
        );
    }
    text
}

fn train(folder: &Folder, inputs: &[&str], out: &str, options: &[&str]) -> Run {
    let out = folder.name(out);
    auscult(&[&["train"], inputs, &["--out", &out], options].concat())
}

/// What was learned, whatever the files were called that it was learned from.
fn learned(bytes: &[u8]) -> Value {
    let mut model: Value = serde_json::from_slice(bytes).unwrap();
    let content = model.as_object_mut().unwrap();
    assert!(content.remove("digest").is_some_and(|digest| digest.is_string()));
    let sources = content["model"]["provenance"].as_object_mut().unwrap().remove("sources").unwrap();
    assert!(!sources.as_array().unwrap().is_empty());
    model
}

fn files_in(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Cuts a capture into so many files of as many packets each.
fn split(capture: &Path, parts: usize, folder: &Folder) -> Vec<String> {
    let bytes = zstd::decode_all(File::open(capture).unwrap()).unwrap();
    let (header, mut rest) = bytes.split_at(24);
    let mut records = Vec::new();
    while !rest.is_empty() {
        let length = u32::from_le_bytes(rest[8..12].try_into().unwrap()) as usize;
        let (record, behind) = rest.split_at(16 + length);
        records.push(record);
        rest = behind;
    }
    assert!(records.len() > 10_000);
    let files = records.chunks(records.len().div_ceil(parts));
    files.enumerate().map(|(n, part)| folder.put(&format!("part{n}.pcap"), &[header, &part.concat()].concat())).collect()
}

#[test]
fn one_capture_or_its_parts_and_any_number_of_workers_teach_the_same() {
    let folder = Folder::new();
    let capture = clinic();
    let until = ["--to", CLINIC_SPLIT];
    train(&folder, &[text(&capture)], "whole.json", &until).ended(0);
    let whole = learned(&folder.read("whole.json"));
    let parts = split(&capture, 3, &folder);
    let parts: Vec<&str> = parts.iter().rev().map(String::as_str).collect();
    for workers in ["1", "3"] {
        train(&folder, &parts, "parts.json", &[&until[..], &["--workers", workers]].concat()).ended(0);
        assert!(learned(&folder.read("parts.json")) == whole, "{workers} workers");
    }
}

#[test]
fn what_is_spooled_teaches_what_memory_teaches() {
    let input = [Input::from(clinic())];
    let limits = FlowLimits::default().check().unwrap();
    let config =
        PipelineConfig { to: auscult::time::parse(CLINIC_SPLIT).ok(), ..PipelineConfig::new(2, limits, HomeNets::default()) };
    let (mut lesson, mut spool, stop) = (Lesson::default(), Spool::nameless(Path::new(".")), AtomicBool::new(false));
    pipeline::run(&mut open(&input).unwrap(), &config, None, &mut lesson, &stop);
    let mut steps = Vec::new();
    let mut on_step = |step| steps.push(step);
    let mut listener = Listener::new(&mut spool, Some(1), &stop, &mut on_step);
    pipeline::run(&mut open(&input).unwrap(), &config, None, &mut listener, &stop);
    listener.finish().unwrap();
    assert_eq!(spool.tally().observations, lesson.observations.len() as u64);
    let course = Course { seed: 5, ..Course::default() };
    let bytes = |model: Model| {
        let mut bytes = Vec::new();
        model.save(&mut bytes).unwrap();
        bytes
    };
    let spooled = bytes(course.teach(&mut Spooled::new(spool, Path::new("."), &mut on_step)).unwrap());
    assert!(spooled == bytes(lesson.into_model(&course).unwrap()));
    let phases: Vec<_> = steps.iter().map(|step| step.phase).collect();
    assert!(phases.is_sorted() && auscult::train::Phase::ALL.iter().all(|phase| phases.contains(phase)), "{phases:?}");
    assert!(steps.iter().all(|step| step.of.is_some_and(|of| step.done <= of || step.phase == auscult::train::Phase::Reading)));
}

/// Peak of the memory of a program that runs to its end, in MiB, as the kernel counts it.
fn peak_mib(mut child: Child) -> f64 {
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0.0;
    while child.try_wait().unwrap().is_none() {
        let text = fs::read_to_string(&status).unwrap_or_default();
        if let Some(line) = text.lines().find_map(|line| line.strip_prefix("VmHWM:")) {
            peak = line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(child.wait().unwrap().success());
    assert!(peak > 1.0, "nothing was measured");
    peak
}

#[test]
fn memory_does_not_grow_with_the_length_and_nothing_is_left_out() {
    let folder = Folder::new();
    let peak = |records: usize| {
        let input = folder.put(&format!("{records}.csv"), office(records).as_bytes());
        let (out, scratch) = (folder.name("model.json"), folder.name("scratch"));
        let mut command = program();
        command.args(["train", &input, "--out", &out, "--scratch", &scratch]).stderr(Stdio::null());
        let peak = peak_mib(command.spawn().unwrap());
        let model: Value = serde_json::from_slice(&folder.read("model.json")).unwrap();
        assert_eq!(model["model"]["provenance"]["flows"], records, "all are learned from");
        peak
    };
    // Both are longer than what is held for its order. In memory 90,000 observations would take 31 MB more.
    let (short, long) = (peak(90_000), peak(180_000));
    assert!(long < short + 25.0, "{short:.0} MiB, then {long:.0} MiB");
}

#[test]
fn the_card_says_what_was_sampled() {
    let folder = Folder::new();
    let input = folder.put("office.csv", office(50_000).as_bytes());
    let run = train(&folder, &[&input], "model.json", &[]).ended(0);
    run.said(&["learned  50000 flow records", "behaviours are those of an even sample of 40000 flow records"]);
    let card = String::from_utf8(auscult(&["inspect", &folder.name("model.json")]).ended(0).stdout).unwrap();
    assert!(card.contains("an even sample of 40000 flow records"), "{card}");
}

#[test]
fn an_attack_that_is_under_way_is_named_left_out_and_told_when_it_comes_again() {
    let folder = Folder::new();
    let capture = clinic();
    // Attacks are a third of its flows.
    train(&folder, &[text(&capture)], "model.json", &[]).ended(0);
    let model = folder.name("model.json");
    let card = String::from_utf8(auscult(&["inspect", &model]).ended(0).stdout).unwrap();
    let stood_out: Vec<&str> = card.lines().filter(|line| line.contains(" bits  2026-")).collect();
    let is_left_out = |of: &str| stood_out.iter().any(|line| line.contains(of) && line.ends_with("; left out, not learned"));
    assert!(is_left_out("tunnel               10.77.0.63 with 10.77.0.2 udp/53"), "{card}");
    let moved: Vec<&&str> = stood_out.iter().filter(|line| line.contains("exfiltration")).collect();
    assert!(!moved.is_empty() && moved.iter().all(|line| !line.ends_with("left out, not learned")), "as a backup does: {card}");
    let run = auscult(&["replay", text(&capture), "--from", CLINIC_SPLIT, "--model", &model, "--alerts", "-"]).ended(0);
    let told: Vec<Value> = run.lines();
    let of_tunnel = |line: &Value| line["alert"]["signature"] == "auscult: data hidden in another protocol";
    assert!(told.iter().any(|line| of_tunnel(line) && line["src_ip"] == "10.77.0.63"), "{told:?}");
}

/// A training with a scratch folder, and what it needs.
struct Trial {
    folder: Folder,
    input: String,
    scratch: PathBuf,
    /// What comes of it when it is let alone.
    want: Vec<u8>,
}

impl Trial {
    fn new() -> Self {
        let folder = Folder::new();
        let input = folder.put("office.csv", office(20_000).as_bytes());
        train(&folder, &[&input], "want.json", &[]).ended(0);
        let (scratch, want) = (folder.path("scratch"), folder.read("want.json"));
        Self { folder, input, scratch, want }
    }

    fn options(&self) -> [&str; 2] {
        ["--scratch", text(&self.scratch)]
    }

    /// Kills it as soon as its scratch folder holds what `is_time` waits for.
    fn killed(&self, is_time: impl Fn(&Path) -> bool) {
        let out = self.folder.name("killed.json");
        let mut command = program();
        command.args(["train", &self.input, "--out", &out]).args(self.options()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        while !is_time(&self.scratch) {
            assert!(child.try_wait().unwrap().is_none(), "it was over before it could be killed");
            std::thread::sleep(Duration::from_micros(200));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!self.folder.path("killed.json").exists(), "it was over before it was killed");
    }

    /// Runs it to its end. The model is what it would have been; nothing is left but what is to be there.
    fn goes_on(&self, said: &str, left: &[&str]) {
        train(&self.folder, &[&self.input], "again.json", &self.options()).ended(0).said(&[said]);
        assert!(self.folder.read("again.json") == self.want, "another model");
        assert_eq!(files_in(&self.scratch), left);
    }
}

const SPOOL: &str = "auscult-train.spool";
const STATE: &str = "auscult-train.state";
const ASIDE: [&str; 2] = ["auscult-train.spool.aside", "auscult-train.state.aside"];

fn everything_is_read(scratch: &Path) -> bool {
    scratch.join(STATE).exists()
}

#[test]
fn killed_after_the_reading_it_reads_nothing_again() {
    let trial = Trial::new();
    trial.killed(everything_is_read);
    assert_eq!(files_in(&trial.scratch), [SPOOL, STATE]);
    // Whoever reads the input again now finds other records in a file that looks the same from outside.
    let modified = fs::metadata(&trial.input).unwrap().modified().unwrap();
    let changed = fs::read_to_string(&trial.input).unwrap().replace("10.0.1.", "10.0.3.");
    fs::write(&trial.input, changed).unwrap();
    File::options().write(true).open(&trial.input).unwrap().set_modified(modified).unwrap();
    trial.goes_on("everything was read before and is not read again", &[]);
}

#[test]
fn killed_while_it_reads_it_begins_again() {
    let trial = Trial::new();
    let some_is_read = |scratch: &Path| fs::metadata(scratch.join(SPOOL)).is_ok_and(|about| about.len() > 0);
    trial.killed(|scratch| some_is_read(scratch) && !everything_is_read(scratch));
    assert_eq!(files_in(&trial.scratch), [SPOOL]);
    trial.goes_on("the reading was cut short and begins again", &[]);
}

#[test]
fn damaged_scratch_is_set_aside() {
    let trial = Trial::new();
    for name in [SPOOL, STATE] {
        trial.killed(everything_is_read);
        let path = trial.scratch.join(name);
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&path, bytes).unwrap();
        trial.goes_on("damaged", &ASIDE);
    }
}

#[test]
fn scratch_of_another_job_is_set_aside() {
    let trial = Trial::new();
    trial.killed(everything_is_read);
    let foreign = fs::read(trial.scratch.join(STATE)).unwrap();
    let options = [&trial.options()[..], &["--home-net", "10.0.0.0/24"]].concat();
    let run = train(&trial.folder, &[&trial.input], "other.json", &options).ended(0);
    run.said(&["it is of other files, of files that changed since, or of other options; set aside"]);
    assert_eq!(files_in(&trial.scratch), ASIDE);
    assert!(fs::read(trial.scratch.join(ASIDE[1])).unwrap() == foreign, "set aside as it was");
    train(&trial.folder, &[&trial.input], "fresh.json", &["--home-net", "10.0.0.0/24"]).ended(0);
    assert!(trial.folder.read("other.json") == trial.folder.read("fresh.json"));
}

#[test]
fn two_do_not_share_a_scratch_folder_and_a_pipe_has_none() {
    let folder = Folder::new();
    let input = folder.put("office.csv", office(100).as_bytes());
    let spool = folder.put(&format!("scratch/{SPOOL}"), b"");
    let held = File::options().write(true).open(&spool).unwrap();
    held.lock().unwrap();
    let options = ["--scratch", &folder.name("scratch")];
    train(&folder, &[&input], "model.json", &options).ended(1).said(&["in use by another training"]);
    drop(held);
    train(&folder, &[&input], "model.json", &options).ended(0);
    let arguments = ["train", "-", "--out", &folder.name("pipe.json"), options[0], options[1]];
    support::auscult_fed(&arguments, office(100).into_bytes()).ended(2).said(&["standard input cannot be read a second time"]);
}

#[test]
fn without_a_scratch_folder_nothing_is_left_even_when_it_is_killed() {
    let folder = Folder::new();
    let input = folder.put("office.csv", office(20_000).as_bytes());
    let (out, temporary) = (folder.name("model.json"), folder.path("tmp"));
    fs::create_dir(&temporary).unwrap();
    let mut command = program();
    command.args(["train", &input, "--out", &out]).env("TMPDIR", &temporary).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    std::thread::sleep(Duration::from_millis(300));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(command.status().unwrap().success());
    assert_eq!(files_in(&temporary), [""; 0]);
}

#[test]
fn too_little_to_learn_from_leaves_nothing_behind() {
    let folder = Folder::new();
    let input = folder.put("office.csv", office(3).as_bytes());
    let options = ["--scratch", &folder.name("scratch")];
    train(&folder, &[&input], "model.json", &options).ended(1).said(&["3 flows to learn from: wanted at least 8"]);
    assert_eq!(files_in(&folder.path("scratch")), [""; 0]);
}

#[test]
fn a_pipe_is_written_to_and_stays_one() {
    use std::os::unix::fs::FileTypeExt as _;
    let folder = Folder::new();
    let pipe = folder.name("model");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let path = PathBuf::from(&pipe);
    let reader = std::thread::spawn(move || fs::read(path).unwrap());
    train(&folder, &[text(&clinic())], "model", &["--to", CLINIC_SPLIT]).ended(0);
    assert!(Model::load(reader.join().unwrap().as_slice()).is_ok());
    assert!(fs::metadata(&pipe).unwrap().file_type().is_fifo());
}

#[test]
fn what_is_needed_is_asked_for() {
    auscult(&["train"]).ended(2).said(&["give captures or flow records to learn from"]);
    auscult(&["train", text(&clinic())]).ended(2).said(&["give a place for the model: --out MODEL"]);
}
