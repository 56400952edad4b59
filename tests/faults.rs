//! What goes wrong in months: a disk that is full and has room again, a folder that nobody may write to.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "tests fail by panicking and say what they skip")]

mod support;

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

use support::{Folder, auscult, auscult_fed, have, project};

const PATIENCE: Duration = Duration::from_secs(60);

/// A shell in a mount namespace of its own, with a small disk at this folder.
fn with_disk(folder: &str, options: &str, script: &str) -> Command {
    let mut command = Command::new("unshare");
    let script = format!("mount -t tmpfs -o {options} tmpfs '{folder}' && {script}");
    command.args(["--mount", "--propagation", "private", "sh", "-c", &script]);
    command
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
    let recording =
        zstd::decode_all(fs::File::open(project("datasets/hospital/intrusion-loud/capture.pcap.zst")).unwrap()).unwrap();
    let script = format!(
        "'{program}' replay - --model '{model}' --alerts '{disk}/alerts.json' --state '{disk}/state' --state-every 1s; \
         status=$?; cp '{disk}/alerts.json' '{kept}'; exit $status"
    );
    let mut shell = with_disk(&disk, "size=128k", &script)
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = shell.stdin.take().unwrap();
    let stderr = BufReader::new(shell.stderr.take().unwrap());
    let (tell, said) = channel();
    std::thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| tell.send(line)));
    let mut heard: Vec<String> = Vec::new();
    let mut until = |words: &str| {
        while !heard.iter().any(|line| line.contains(words)) {
            match said.recv_timeout(PATIENCE) {
                Ok(line) => heard.push(line),
                Err(_) => panic!("{words:?} was not said, but {heard:#?}"),
            }
        }
    };
    let (first, rest) = recording.split_at(recording.len() * 3 / 4);
    stdin.write_all(first).unwrap();
    until("alerts.json: cannot be written (No space left on device (os error 28)); judging goes on");
    until("make room on its disk");
    until("a crash now would forget what was seen since: make room or give write access");
    let id = shell.id().to_string();
    let room = ["-t", &id, "--mount", "mount", "-o", "remount,size=16m", &disk];
    assert!(Command::new("nsenter").args(room).status().unwrap().success());
    stdin.write_all(rest).unwrap();
    drop(stdin);
    until("alerts.json: written to again; lines lost meanwhile: 0");
    until("took ");
    assert_eq!(shell.wait().unwrap().code(), Some(0));
    auscult_fed(&["replay", "-", "--model", model, "--alerts", &whole], recording).ended(0);
    assert!(fs::read(&kept).unwrap() == fs::read(&whole).unwrap(), "the alerts are the same, in their order");
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
