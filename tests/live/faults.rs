//! What goes wrong in months: a disk that is full and has room again, a folder that nobody may write to.

#![cfg(target_os = "linux")]

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::sleep;
use std::time::Duration;

use crate::support::{self, Folder, auscult, auscult_fed, have, lines, project};

const PATIENCE: Duration = Duration::from_secs(60);

/// A shell in a mount namespace of its own, with a small disk at this folder.
fn with_disk(folder: &str, options: &str, script: &str) -> Command {
    let mut command = Command::new("unshare");
    let script = format!("mount -t tmpfs -o {options} tmpfs '{folder}' && {script}");
    command.args(["--mount", "--propagation", "private", "sh", "-c", &script]);
    command
}

/// Such a shell while it runs, what it is fed, and what it has said.
struct Shell {
    child: Child,
    stdin: Option<ChildStdin>,
    said: Receiver<String>,
    heard: Vec<String>,
}

impl Shell {
    fn start(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let stdin = child.stdin.take();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (tell, said) = channel();
        std::thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| tell.send(line)));
        Self { child, stdin, said, heard: Vec::new() }
    }

    fn feed(&mut self, bytes: &[u8]) {
        self.stdin.as_mut().unwrap().write_all(bytes).unwrap();
    }

    /// Waits for a line with these words, and gives it.
    fn until(&mut self, words: &str) -> String {
        loop {
            if let Some(line) = self.heard.iter().find(|line| line.contains(words)) {
                return line.clone();
            }
            match self.said.recv_timeout(PATIENCE) {
                Ok(line) => self.heard.push(line),
                Err(_) => panic!("{words:?} was not said, but {:#?}", self.heard),
            }
        }
    }

    fn make_room(&self, disk: &str) {
        let id = self.child.id().to_string();
        let room = ["-t", &id, "--mount", "mount", "-o", "remount,size=256m", disk];
        assert!(Command::new("nsenter").args(room).status().unwrap().success());
    }

    fn end(&mut self) {
        drop(self.stdin.take());
        assert_eq!(self.child.wait().unwrap().code(), Some(0), "{:#?}", self.heard);
    }
}

fn intrusion() -> Vec<u8> {
    zstd::decode_all(fs::File::open(project("datasets/hospital/intrusion-loud/capture.pcap.zst")).unwrap()).unwrap()
}

/// Where the frame ends that lies at this share of a recording.
fn cut(recording: &[u8], share: f64) -> usize {
    let mut at = 24;
    while at < (recording.len() as f64 * share) as usize {
        at += 16 + u32::from_le_bytes(recording[at + 8..at + 12].try_into().unwrap()) as usize;
    }
    at
}

fn incidents(path: &str) -> BTreeSet<String> {
    let bytes = fs::read(path).unwrap_or_default();
    lines(&bytes).iter().map(|line| line["auscult"]["incident"]["id"].as_str().unwrap().to_owned()).collect()
}

fn may_mount() -> bool {
    let folder = Folder::new();
    fs::create_dir(folder.path("d")).unwrap();
    let may = have("unshare", "--version")
        && with_disk(&folder.name("d"), "size=64k", "true").output().is_ok_and(|output| output.status.success());
    if !may {
        println!("skipped: no mount namespaces; this test needs root");
    }
    may
}

#[test]
fn a_disk_that_is_full_holds_nothing_up_and_loses_no_alert() {
    if !may_mount() {
        return;
    }
    let folder = Folder::new();
    fs::create_dir(folder.path("disk")).unwrap();
    let (disk, kept, whole) = (folder.name("disk"), folder.name("kept.json"), folder.name("whole.json"));
    let (model, program) = (project("models/hospital.json"), env!("CARGO_BIN_EXE_auscult"));
    let model = model.to_str().unwrap();
    let recording = intrusion();
    let script = format!(
        "'{program}' replay - --model '{model}' --alerts '{disk}/alerts.json' --state '{disk}/state' --state-every 1s; \
         status=$?; cp '{disk}/alerts.json' '{kept}'; exit $status"
    );
    let mut shell = Shell::start(with_disk(&disk, "size=128k", &script));
    let (first, rest) = recording.split_at(recording.len() * 3 / 4);
    shell.feed(first);
    shell.until("alerts.json: cannot be written (No space left on device (os error 28)); judging goes on");
    shell.until("make room on its disk");
    shell.until("a crash now would forget what was seen since: make room or give write access");
    shell.make_room(&disk);
    shell.feed(rest);
    drop(shell.stdin.take());
    shell.until("alerts.json: written to again; lines lost meanwhile: 0");
    shell.until("took ");
    shell.end();
    auscult_fed(&["replay", "-", "--model", model, "--alerts", &whole], recording).ended(0);
    assert!(fs::read(&kept).unwrap() == fs::read(&whole).unwrap(), "the alerts are the same, in their order");
    auscult(&["verify", &kept]).ended(0);
}

/// What went out on stdout cannot be taken back: the rest of a line has to follow it.
#[test]
fn stdout_on_a_full_disk_tears_no_line() {
    if !may_mount() {
        return;
    }
    let folder = Folder::new();
    fs::create_dir(folder.path("disk")).unwrap();
    let (disk, kept, whole, whole_flows) = (folder.name("disk"), folder.name("kept"), folder.name("whole"), folder.name("flows"));
    let (model, program, recording) = (project("models/hospital.json"), env!("CARGO_BIN_EXE_auscult"), intrusion());
    let model = model.to_str().unwrap();
    for (flags, wanted) in [
        (format!("--alerts - --flows '{disk}/flows'"), ["--alerts", &whole, "--flows", "/dev/null"]),
        ("--alerts /dev/null --flows -".to_owned(), ["--alerts", "/dev/null", "--flows", &whole]),
        // Neither begins a line in the middle of the other's.
        ("--alerts - --flows -".to_owned(), ["--alerts", &whole, "--flows", &whole_flows]),
    ] {
        let run = format!("'{program}' replay - --model '{model}' {flags} > '{disk}/out'");
        let script = format!("{{ {run}; status=$?; cp '{disk}/out' '{kept}'; exit $status; }}");
        // No whole number of lines.
        let mut shell = Shell::start(with_disk(&disk, "size=100k", &script));
        let (first, rest) = recording.split_at(recording.len() * 3 / 4);
        shell.feed(first);
        shell.until("-: cannot be written (No space left on device (os error 28)); judging goes on");
        shell.make_room(&disk);
        shell.feed(rest);
        drop(shell.stdin.take());
        shell.until("-: written to again; lines lost meanwhile: 0");
        shell.end();
        let arguments = [&["replay", "-", "--model", model], wanted.as_slice()].concat();
        auscult_fed(&arguments, recording.clone()).ended(0);
        let (kept, mut all) = (fs::read(&kept).unwrap(), fs::read(&whole).unwrap());
        if wanted.contains(&whole_flows.as_str()) {
            all.extend(fs::read(&whole_flows).unwrap());
            let sorted = |bytes: &[u8]| bytes.split(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect::<BTreeSet<_>>();
            assert!(sorted(&kept) == sorted(&all) && kept.len() == all.len(), "{flags}: every line is whole");
        } else {
            assert!(kept == all, "{flags}: the lines are the same");
        }
    }
}

/// It is killed while alerts wait for room: the next start tells them.
#[test]
fn alerts_that_waited_when_it_was_killed_are_told_by_the_next_start() {
    if !may_mount() {
        return;
    }
    let folder = Folder::new();
    fs::create_dir(folder.path("disk")).unwrap();
    let (disk, before, kept, elsewhere) = (folder.name("disk"), folder.name("before"), folder.name("kept"), folder.name("else"));
    let (model, program, recording) = (project("models/hospital.json"), env!("CARGO_BIN_EXE_auscult"), intrusion());
    let (early, late) = (cut(&recording, 0.02), cut(&recording, 0.7));
    let rest = folder.put("rest", &[&recording[..24], &recording[late..]].concat());
    let run = format!(
        "'{program}' replay - --model '{}' --alerts '{disk}/alerts' --alerts '{elsewhere}' --state '{}' --state-every 1s",
        model.display(),
        folder.name("state")
    );
    // The disk is there as long as the outer shell is.
    let script = format!(
        "{{ sh -c 'echo \"pid $$\" >&2; exec \"$@\"' sh {run}; cp '{disk}/alerts' '{before}'; cp '{elsewhere}' '{elsewhere}.before'; \
         mount -o remount,size=16m '{disk}'; {run} < '{rest}'; status=$?; cp '{disk}/alerts' '{kept}'; exit $status; }}"
    );
    let mut shell = Shell::start(with_disk(&disk, "size=32k", &script));
    let id = shell.until("pid ").replace("pid ", "");
    shell.feed(&recording[..early]);
    let mut fed = early;
    for _ in 0..100 {
        if Path::new(&folder.name("state/checkpoint")).exists() {
            break;
        }
        sleep(Duration::from_millis(300));
        let end = cut(&recording, fed as f64 / recording.len() as f64 + 0.005);
        shell.feed(&recording[fed..end]);
        fed = end;
    }
    // Time for checkpoints while alerts wait.
    for share in [0.5, 0.6, 0.7] {
        let end = cut(&recording, share).max(fed);
        shell.feed(&recording[fed..end]);
        fed = end;
        sleep(Duration::from_millis(1500));
    }
    shell.until("alerts: cannot be written");
    assert!(Command::new("kill").args(["-9", &id]).status().unwrap().success());
    shell.until("goes on from there");
    shell.end();
    let (waited, told) = (incidents(&format!("{elsewhere}.before")), incidents(&kept));
    assert!(!waited.is_subset(&incidents(&before)), "some wait");
    assert!(waited.is_subset(&told), "{:?} are missing", waited.difference(&told));
    auscult(&["verify", &kept]).ended(0);
}

#[test]
fn whoever_reads_stderr_may_be_gone() {
    let recording = project("datasets/hospital/intrusion-loud/capture.pcap.zst");
    let model = project("models/hospital.json");
    let replay = || {
        let mut command = support::program();
        command.arg("replay").arg(&recording).arg("--model").arg(&model);
        command
    };
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = replay().stderr(full).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(!output.stdout.is_empty() && output.stdout == replay().output().unwrap().stdout, "the alerts are whole");
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    assert_eq!(support::program().args(["replay", "no such file"]).stderr(full).status().unwrap().code(), Some(1));
}

#[test]
fn a_folder_that_nobody_may_write_to_is_named() {
    if !may_mount() {
        return;
    }
    let folder = Folder::new();
    fs::create_dir(folder.path("disk")).unwrap();
    let disk = folder.name("disk");
    let (model, program) = (project("models/clinic.json"), env!("CARGO_BIN_EXE_auscult"));
    let model = model.to_str().unwrap();
    for (flags, said) in [
        (format!("--state '{disk}/state'"), "state: making the folder: Read-only file system"),
        (format!("--flows '{disk}/flows.json'"), "flows.json: cannot be written: Read-only file system"),
        (format!("--alerts '{disk}/alerts.json'"), "alerts.json: cannot be written: Read-only file system"),
    ] {
        let script = format!("'{program}' replay - --model '{model}' {flags} < /dev/null");
        let output = with_disk(&disk, "ro,size=64k", &script).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(1) && stderr.contains(said), "{flags}: {stderr}");
    }
}
