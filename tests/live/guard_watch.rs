//! `auscult watch` started as root in a namespace of its own becomes another user, closes what it does not need, and goes on: HUP, rotation,
//! an interface that goes and comes back, alerts.

use std::io::BufRead;
use std::os::unix::fs::chown;
use std::process::Command;
use std::time::Duration;

use nix::unistd::User;

use crate::support::{self, Folder, clinic, clinic_model, lines};
use crate::veth_support::{self, SCAN, Wire, at_least, end, ip, watch};

fn status(pid: u32, name: &str) -> String {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name}:")));
    line.unwrap_or_else(|| panic!("no {name} in {text}")).split_whitespace().next().unwrap_or_default().to_owned()
}

/// A folder that nobody may write to, and nobody's numbers.
fn nobodys() -> (Folder, User) {
    let (folder, nobody) = (Folder::new(), User::from_name("nobody").unwrap().unwrap());
    chown(folder.path(""), Some(nobody.uid.as_raw()), Some(nobody.gid.as_raw())).unwrap();
    (folder, nobody)
}

/// Reads on until a line holds all of these words, and gives that line.
fn until_told(stderr: &mut impl BufRead, words: &[&str]) -> String {
    let mut line = String::new();
    while stderr.read_line(&mut line).unwrap() > 0 {
        if words.iter().all(|word| line.contains(word)) {
            return line;
        }
        line.clear();
    }
    panic!("{words:?} is not told");
}

/// User, capabilities and filter of the process, and of each of its threads.
fn is_guarded(pid: u32, nobody: &User, has_filter: bool) {
    assert_eq!((status(pid, "Uid"), status(pid, "CapEff")), (nobody.uid.to_string(), "0000000000002000".to_owned()));
    assert_eq!((status(pid, "CapBnd"), status(pid, "NoNewPrivs")), ("0000000000000000".to_owned(), "1".to_owned()));
    if has_filter {
        assert_eq!(status(pid, "Seccomp"), "2");
        // Not only the thread that began.
        let threads = || std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().count();
        // What it says comes before all of them are started.
        for _ in 0..400 {
            if threads() > 3 {
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        assert!(threads() > 3, "{} threads", threads());
        for thread in std::fs::read_dir(format!("/proc/{pid}/task")).unwrap() {
            let text = std::fs::read_to_string(thread.unwrap().path().join("status")).unwrap();
            assert!(text.contains("Seccomp:\t2") && text.contains("CapEff:\t0000000000002000"), "{text}");
        }
    }
}

/// The interface goes down and up, and then away; another comes under its name, which has to be opened anew.
fn goes_and_comes_back(wire: &Wire, told: &mut dyn FnMut(&[&str]) -> String) {
    ip(&["-n", &wire.there, "link", "set", "tap0", "down"]).unwrap();
    told(&["tap0 is not heard"]);
    ip(&["-n", &wire.there, "link", "set", "tap0", "up"]).unwrap();
    told(&["tap0 is heard again"]);
    ip(&["-n", &wire.there, "link", "del", "tap0"]).unwrap();
    told(&["tap0 is not heard"]);
    ip(&["-n", &wire.there, "link", "add", "tap0", "type", "veth", "peer", "name", "tap0", "netns", &wire.here]).unwrap();
    for (space, address) in [(&wire.here, veth_support::HERE), (&wire.there, veth_support::THERE)] {
        ip(&["-n", space, "addr", "add", &format!("{address}/24"), "dev", "tap0"]).unwrap();
        ip(&["-n", space, "link", "set", "tap0", "up"]).unwrap();
    }
    told(&["tap0 is heard again"]);
}

#[test]
fn root_becomes_another_user_and_goes_on() {
    let Some(wire) = Wire::lay("grd") else { return };
    let (folder, nobody) = nobodys();
    let model = clinic_model(&folder);
    let [alerts, state, hidden, answers] =
        ["alerts.jsonl", "state", "hidden.jsonl", "answers.jsonl"].map(|name| folder.name(name));
    let evidence = folder.name("evidence");
    let arguments = [
        "--user",
        "nobody",
        "--model",
        &model,
        "--alerts",
        &alerts,
        "--state",
        &state,
        "--hidden",
        &hidden,
        "--answers",
        &answers,
        "--evidence",
        &evidence,
        "--http",
        "127.0.0.1:0",
    ];
    let (watching, mut stderr) = watch(&wire, "tap0", &arguments);
    let pid = watching.0.id();
    let mut told = |words: &[&str]| until_told(&mut stderr, words);
    let guarded = told(&["runs as nobody, with CAP_NET_RAW alone; no new privileges"]);
    told(&["the live page is at http://127.0.0.1:"]);
    is_guarded(pid, &nobody, guarded.contains("; a filter of system calls"));

    let scan = || assert_eq!(Wire::python(&wire.here, SCAN).1, "done\n");
    scan();
    let before = at_least(&folder, "alerts.jsonl", 1);
    // As logrotate does; and another model in the place of the old one.
    std::fs::rename(folder.path("alerts.jsonl"), folder.path("alerts.old")).unwrap();
    std::fs::copy(&model, folder.path("model.new")).unwrap();
    std::fs::rename(folder.path("model.new"), &model).unwrap();
    assert!(Command::new("kill").args(["-HUP", &pid.to_string()]).status().unwrap().success());
    told(&["HUP: read again"]);

    goes_and_comes_back(&wire, &mut told);
    std::thread::sleep(Duration::from_millis(500));
    scan();

    let (ended, said) = end(watching, stderr, "-TERM");
    assert!(ended == 0 || ended == 4, "{ended}: {said}");
    let old = lines(&folder.read("alerts.old"));
    let new = lines(&folder.read("alerts.jsonl"));
    assert!(old.len() >= before.len() && !new.is_empty(), "{said}");
    assert_eq!(new[0]["auscult"]["chain"]["seq"], old.len());
    for file in ["alerts.jsonl", "state/checkpoint", "hidden.jsonl"] {
        use std::os::unix::fs::MetadataExt as _;
        assert_eq!(folder.path(file).metadata().unwrap().uid(), nobody.uid.as_raw(), "{file}");
    }
    assert!(std::fs::read_dir(&evidence).unwrap().count() > 0, "{said}");
}

#[test]
fn a_user_that_there_is_not_and_one_that_cannot_be_are_told() {
    let run = support::auscult(&["watch", "nosuch0", "--user", "no-such-user"]).ended(2);
    assert!(run.stderr.contains("--user no-such-user: there is no such user"), "{}", run.stderr);
}

#[test]
fn a_replay_in_a_sandbox_says_the_same_as_one_outside() {
    let folder = Folder::new();
    let model = clinic_model(&folder);
    let capture = clinic().to_str().unwrap().to_owned();
    let replay = |name: &str, more: &[&str]| {
        let (alerts, stats, state) =
            (folder.name(&format!("{name}.alerts")), folder.name(&format!("{name}.stats")), folder.name(name));
        let arguments = ["replay", &capture, "--model", &model, "--alerts", &alerts, "--stats", &stats, "--evidence", &state];
        let run = support::auscult(&[&arguments[..], more].concat()).ended(0);
        (run.stderr, folder.read(&format!("{name}.alerts")), folder.read(&format!("{name}.stats")))
    };
    let (said, alerts, stats) = replay("inside", &["--sandbox"]);
    assert!(said.contains("auscult: sandbox: no new privileges; "), "{said}");
    let (said_outside, outside, outside_stats) = replay("outside", &[]);
    assert!(!said_outside.contains("sandbox"), "{said_outside}");
    assert!(!alerts.is_empty() && alerts == outside && stats.len() == outside_stats.len());
    // A file that the command line does not name cannot be read, though it is there.
    if said.contains("Landlock for paths") {
        let link = folder.path("capture");
        std::fs::create_dir(&link).unwrap();
        std::os::unix::fs::symlink(clinic(), link.join("a.pcap")).unwrap();
        let run = support::auscult(&["replay", link.to_str().unwrap(), "--sandbox"]).ended(1);
        assert!(run.stderr.contains("Permission denied"), "{}", run.stderr);
    }
}

#[test]
fn alerts_reach_a_target_that_is_named_from_inside_a_sandbox() {
    let folder = Folder::new();
    let (model, spool) = (clinic_model(&folder), folder.name("spool"));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let target = format!("text:tcp://localhost:{}", listener.local_addr().unwrap().port());
    let taken = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut bytes = [0; 64];
        std::io::Read::read(&mut stream, &mut bytes).unwrap()
    });
    let capture = clinic().to_str().unwrap().to_owned();
    let arguments = ["replay", &capture, "--model", &model, "--alerts", &target, "--spool", &spool, "--sandbox", "--drain", "5s"];
    let run = support::auscult(&arguments);
    assert!(run.stderr.contains("sandbox: no new privileges"), "{}", run.stderr);
    // EACCES of Landlock, ENOSYS of the filter.
    assert!(!["(os error 13)", "(os error 38)"].iter().any(|error| run.stderr.contains(error)), "{}", run.stderr);
    assert!(taken.join().unwrap() > 0, "{}", run.stderr);
}
