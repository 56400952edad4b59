//! What `auscult watch` says and does when rights are taken from it, a disk is full or read-only, a target of alerts is gone, or an interface
//! cannot be opened again; and that all goes on when it is mended.

use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use nix::unistd::User;

use crate::signals::Watching;
use crate::support::{self, Folder, have, lines, project};
use crate::veth_support::{self, Guard, HERE, THERE, Wire, at_least, ip};

/// A second address at this end, whose scan is another incident.
const OTHER: &str = "10.99.7.9";

fn model() -> String {
    project("models/clinic.json").to_str().unwrap().to_owned()
}

/// Tries 300 ports, of which none answers, as one of this end's addresses.
fn scan(wire: &Wire, from: &str) {
    let program = format!(
        "import socket
for port in range(20000, 20300):
    s = socket.socket(); s.settimeout(1); s.bind(('{from}', 0))
    try: s.connect(('{THERE}', port))
    except OSError: pass
    s.close()
print('done')"
    );
    assert_eq!(Wire::python(&wire.here, &program).1, "done\n");
}

/// Takes lines on this port, and says which.
fn listener(wire: &Wire, port: u16) -> Guard {
    let program = format!(
        "import socket
l = socket.create_server(('127.0.0.1', {port})); print('ready')
while True:
    c, _ = l.accept()
    while c.recv(65536): pass"
    );
    let (server, ready) = Wire::python(&wire.there, &program);
    assert_eq!(ready, "ready\n");
    server
}

fn tell_told(folder: &Folder, name: &str, host: &str) -> usize {
    lines(&folder.read(name)).iter().filter(|line| line["src_ip"] == host).count()
}

#[test]
fn rights_that_are_taken_and_a_target_that_goes_are_told_and_it_goes_on() {
    let Some(wire) = Wire::lay("fau1") else { return };
    ip(&["-n", &wire.here, "addr", "add", &format!("{OTHER}/24"), "dev", "tap0"]).unwrap();
    let (folder, nobody) = (Folder::new(), User::from_name("nobody").unwrap().unwrap());
    for name in ["", "alerts", "state", "spool"] {
        let path = folder.path(name);
        fs::create_dir_all(&path).unwrap();
        chown(&path, Some(nobody.uid.as_raw()), Some(nobody.gid.as_raw())).unwrap();
    }
    let allow = |name: &str, mode: u32| fs::set_permissions(folder.path(name), Permissions::from_mode(mode)).unwrap();
    let (alerts, state, spool) = (folder.name("alerts/a.jsonl"), folder.name("state"), folder.name("spool"));
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let target = format!("text:tcp://127.0.0.1:{port}");
    let server = listener(&wire, port);
    let mut command = Wire::inside(&wire.there, env!("CARGO_BIN_EXE_auscult"));
    command.args(["watch", "tap0", "--user", "nobody", "--model", &model(), "--alerts", &alerts, "--alerts", &target]);
    command.args(["--spool", &spool, "--state", &state, "--state-every", "1s", "--drain", "5s"]);
    let watching = Watching::of(command);
    watching.until("listening on tap0");
    scan(&wire, HERE);
    at_least(&folder, "alerts/a.jsonl", 1);

    // Neither checkpoint nor journal.
    allow("state", 0o000);
    watching.until("Permission denied (os error 13); judging goes on, but a crash now would forget what was seen since: make room or give write access");
    allow("state", 0o700);
    watching.until("works again");

    // The target goes, and what is told meanwhile is there when it is back.
    drop(server);
    scan(&wire, OTHER);
    let said = watching.until("is kept in ");
    assert!(said.last().unwrap().contains(&spool) && said.last().unwrap().ends_with(" until it takes it"), "{said:#?}");
    let _server = listener(&wire, port);
    watching.until(": alerts arrive again");

    // Moved away by somebody in a folder that may not be written to any more.
    fs::rename(folder.path("alerts/a.jsonl"), folder.path("alerts/old.jsonl")).unwrap();
    allow("alerts", 0o500);
    watching.signal("-HUP");
    watching.until("HUP: read again");
    let (status, said) = watching.end();
    assert_eq!(status, 0, "{said:#?}");
    let refused =
        "a.jsonl: no new file can be begun (Permission denied (os error 13)); the old one goes on: give write access to it";
    assert!(said.iter().any(|line| line.contains(refused)), "{said:#?}");
    allow("alerts", 0o700);
    assert!(!folder.path("alerts/a.jsonl").exists());
    for host in [HERE, OTHER] {
        assert!(tell_told(&folder, "alerts/old.jsonl", host) >= 2, "opened and closed: {said:#?}");
    }
    support::auscult(&["verify", &folder.name("alerts/old.jsonl")]).ended(0);
}

/// Runs a command in the mount namespace of a process.
fn in_mounts_of(pid: u32, command: &str) {
    let output = Command::new("nsenter").args(["-t", &pid.to_string(), "--mount", "sh", "-c", command]).output().unwrap();
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_disk_that_is_full_and_one_that_is_read_only_are_told_and_it_goes_on() {
    let Some(wire) = Wire::lay("fau2") else { return };
    ip(&["-n", &wire.here, "addr", "add", &format!("{OTHER}/24"), "dev", "tap0"]).unwrap();
    let folder = Folder::new();
    fs::create_dir(folder.path("disk")).unwrap();
    let disk = folder.name("disk");
    let (program, model) = (env!("CARGO_BIN_EXE_auscult"), model());
    // A namespace of the network is entered with one of mounts of its own.
    let mut command = Wire::inside(&wire.there, "sh");
    let script = format!(
        "mount -t tmpfs -o size=1m tmpfs '{disk}' && exec '{program}' watch tap0 --model '{model}' --alerts '{disk}/alerts.jsonl' \
         --state '{disk}/state' --state-every 1s"
    );
    command.args(["-c", &script]);
    let watching = Watching::of(command);
    let pid = watching.id();
    watching.until("listening on tap0");
    // The first checkpoint is there.
    sleep(Duration::from_secs(2));
    in_mounts_of(pid, &format!("dd if=/dev/zero of='{disk}/filler' bs=4k 2>/dev/null; test -s '{disk}/filler'"));
    scan(&wire, HERE);
    watching.until("alerts.jsonl: cannot be written (No space left on device (os error 28)); judging goes on and up to 16 MiB of lines wait: make room on its disk");
    in_mounts_of(pid, &format!("rm '{disk}/filler'"));
    watching.until("alerts.jsonl: written to again; lines lost meanwhile: 0");
    // As a file system that found itself damaged; its files that are open stay so here.
    let state = format!("{disk}/state");
    in_mounts_of(pid, &format!("mount --bind '{state}' '{state}' && mount -o remount,bind,ro '{state}'"));
    watching.until("Read-only file system (os error 30); judging goes on, but a crash now would forget what was seen since");
    scan(&wire, OTHER);
    for _ in 0..160 {
        in_mounts_of(pid, &format!("cp '{disk}/alerts.jsonl' '{}'", folder.name("kept.jsonl")));
        if tell_told(&folder, "kept.jsonl", OTHER) > 0 {
            break;
        }
        sleep(Duration::from_millis(250));
    }
    assert!(tell_told(&folder, "kept.jsonl", HERE) > 0 && tell_told(&folder, "kept.jsonl", OTHER) > 0, "both are told");
    support::auscult(&["verify", &folder.name("kept.jsonl")]).ended(0);
    in_mounts_of(pid, &format!("umount '{state}'"));
    watching.until("works again");
    let (status, said) = watching.end();
    assert_eq!(status, 0, "{said:#?}");
}

#[test]
fn a_folder_that_is_read_only_at_the_start_keeps_watch_from_starting() {
    let Some(wire) = Wire::lay("fau3") else { return };
    let folder = Folder::new();
    fs::create_dir(folder.path("disk")).unwrap();
    let (disk, program, model) = (folder.name("disk"), env!("CARGO_BIN_EXE_auscult"), model());
    for (flags, said) in [
        (format!("--state '{disk}/state'"), "state: making the folder: Read-only file system"),
        (format!("--flows '{disk}/flows.json'"), "flows.json: cannot be written: Read-only file system"),
        (format!("--alerts '{disk}/alerts.json'"), "alerts.json: cannot be written: Read-only file system"),
        (format!("--evidence '{disk}/evidence'"), "evidence"),
    ] {
        let script =
            format!("mount -t tmpfs -o ro,size=64k tmpfs '{disk}' && exec '{program}' watch tap0 --model '{model}' {flags}");
        let output = Wire::inside(&wire.there, "sh").args(["-c", &script]).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(1) && stderr.contains(said) && stderr.contains("Read-only"), "{flags}: {stderr}");
    }
}

/// Lets a process open no file whose number is as high as this.
fn limit_files(pid: u32, limit: &str) {
    let limited = Command::new("prlimit").args(["--pid", &pid.to_string(), &format!("--nofile={limit}:1024")]).status().unwrap();
    assert!(limited.success());
}

#[test]
fn an_interface_that_cannot_be_opened_again_is_told_once_and_tried_until_it_can() {
    if !have("prlimit", "--version") {
        return;
    }
    let Some(wire) = Wire::lay("fau4") else { return };
    let folder = Folder::new();
    let stats = folder.name("stats");
    let mut command = Wire::inside(&wire.there, env!("CARGO_BIN_EXE_auscult"));
    command.args(["watch", "tap0", "--model", &model(), "--alerts", &folder.name("alerts.jsonl"), "--stats", &stats]);
    let watching = Watching::of(command);
    watching.until("listening on tap0");
    sleep(Duration::from_secs(1));
    ip(&["-n", &wire.there, "link", "del", "tap0"]).unwrap();
    watching.until("tap0 is not heard");
    let open = || fs::read_dir(format!("/proc/{}/fd", watching.id())).unwrap();
    let numbers: Vec<usize> = open().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
    let free = (0..).find(|number| !numbers.contains(number)).unwrap();
    // One is left, for looking how the interface stands: libpcap needs more.
    limit_files(watching.id(), &(free + 1).to_string());
    ip(&["-n", &wire.there, "link", "add", "tap0", "type", "veth", "peer", "name", "tap0", "netns", &wire.here]).unwrap();
    for (space, address) in [(&wire.here, veth_support::HERE), (&wire.there, veth_support::THERE)] {
        ip(&["-n", space, "addr", "add", &format!("{address}/24"), "dev", "tap0"]).unwrap();
        ip(&["-n", space, "link", "set", "tap0", "up"]).unwrap();
    }
    watching.until("tap0 cannot be listened to: ");
    sleep(Duration::from_secs(3));
    limit_files(watching.id(), "1024");
    let said = watching.until("tap0 is heard again, after ");
    assert!(!said.iter().any(|line| line.contains("cannot be listened to")), "told once: {said:#?}");
    scan(&wire, HERE);
    at_least(&folder, "alerts.jsonl", 1);
    let (status, said) = watching.end();
    assert!(status == 0 || status == 4, "{said:#?}");
    let stats: serde_json::Value = serde_json::from_slice(&folder.read("stats")).unwrap();
    let interface = &stats["capture"]["interfaces"][0];
    assert!(interface["outages"] == 1 && interface["unheard_s"].as_f64().unwrap() >= 3.0, "{interface}");
}
