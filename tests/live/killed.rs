//! kill -9 while `auscult watch` listens with `--state`: what was told and learned goes on, no more is lost than
//! [running](../../docs/running.md) says, and a start after it is clean at whatever moment it came.

use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;

use crate::signals::Watching;
use crate::support::{self, Folder, lines, project};
use crate::veth_support::{Guard, HERE, THERE, Wire, at_least};

fn start(wire: &Wire, arguments: &[&str]) -> Watching {
    let mut command = Wire::inside(&wire.there, env!("CARGO_BIN_EXE_auscult"));
    command.args(["watch", "tap0"]).args(arguments);
    Watching::of(command)
}

fn model() -> String {
    project("models/clinic.json").to_str().unwrap().to_owned()
}

/// Tries so many ports from this one on, of which none answers.
fn scan(wire: &Wire, from: u16, count: u16) {
    let program = format!(
        "import socket
for port in range({from}, {from} + {count}):
    s = socket.socket(); s.settimeout(1)
    try: s.connect(('{THERE}', port))
    except OSError: pass
    s.close()
print('done')"
    );
    assert_eq!(Wire::python(&wire.here, &program).1, "done\n");
}

/// Sends a conversation of one datagram after another, 50 a second, each from a port of its own.
fn datagrams(wire: &Wire, from: u16, count: u16) {
    let program = format!(
        "import socket,time
for n in range({count}):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('', {from} + n)); s.sendto(b'x' * 60, ('{THERE}', 514)); s.close(); time.sleep(0.02)
print('done')"
    );
    assert_eq!(Wire::python(&wire.here, &program).1, "done\n");
}

/// Lines of alerts that are whole, by their incident's identifier.
fn by_incident(folder: &Folder) -> BTreeMap<String, Vec<Value>> {
    let mut found: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for line in lines(&folder.read("alerts.jsonl")) {
        let id = line["auscult"]["incident"]["id"].as_str().unwrap().to_owned();
        found.entry(id).or_default().push(line);
    }
    found
}

/// What `member` of an incident's line says.
fn of<'l>(line: &'l Value, member: &str) -> &'l Value {
    &line["auscult"]["incident"][member]
}

/// The one scan's lines, as their states and flows. Its first ports may have been told as a new device.
fn scan_of(folder: &Folder) -> Vec<(String, u64)> {
    let told = by_incident(folder);
    let scans: Vec<_> = told.values().filter(|lines| lines.iter().any(|line| of(line, "class") == "scan")).collect();
    let classes: Vec<Vec<_>> = told.values().map(|lines| lines.iter().map(|line| of(line, "class")).collect()).collect();
    assert_eq!(scans.len(), 1, "one scan is one incident: {classes:?}");
    scans[0].iter().map(|line| (of(line, "state").as_str().unwrap().to_owned(), of(line, "flows").as_u64().unwrap())).collect()
}

fn an_incident_goes_on(name: &str, state_every: &str) {
    let Some(wire) = Wire::lay(name) else { return };
    let folder = Folder::new();
    let (model, alerts, state) = (model(), folder.name("alerts.jsonl"), folder.name("state"));
    let arguments = ["--model", &model, "--alerts", &alerts, "--state", &state, "--state-every", state_every];
    let watching = start(&wire, &arguments);
    watching.until("listening on tap0");
    scan(&wire, 20_000, 300);
    let first = at_least(&folder, "alerts.jsonl", 1).swap_remove(0);
    assert_eq!((of(&first, "state"), &first["src_ip"]), (&"open".into(), &HERE.into()));
    // Time for a checkpoint, where they are that often.
    sleep(Duration::from_millis(2500));
    watching.signal("-KILL");
    drop(watching);

    let watching = start(&wire, &arguments);
    let said = watching.until("goes on from there; open incidents: ");
    assert!(said.last().unwrap().ends_with(": 1"), "{said:#?}");
    scan(&wire, 21_000, 300);
    sleep(Duration::from_millis(1500));
    let (status, said) = watching.end();
    assert_eq!(status, 0, "{said:#?}");
    let told = scan_of(&folder);
    let counts = ["open", "closed"].map(|state| told.iter().filter(|(said, _)| said == state).count());
    // A line whose journal does not say yet that it was told is there twice.
    assert!((1..=2).contains(&counts[0]) && counts[1] == 1, "{told:?}");
    assert!(told.last().unwrap().1 >= told[0].1 + 280, "what came after the start counts too: {told:?}");
    support::auscult(&["verify", &alerts]).ended(0);
}

#[test]
fn an_incident_goes_on_from_a_checkpoint_after_kill_9() {
    an_incident_goes_on("kil1", "1s");
}

/// The one checkpoint is of the start: what was told since is in the journal.
#[test]
fn an_incident_goes_on_from_the_journal_after_kill_9() {
    an_incident_goes_on("kil2", "1h");
}

/// What was seen since the last checkpoint and what was open is lost, and no more.
#[test]
fn what_is_learned_loses_no_more_by_kill_9_than_it_says() {
    let Some(wire) = Wire::lay("kil3") else { return };
    let folder = Folder::new();
    let (model, alerts, state) = (folder.name("model.json"), folder.name("alerts.jsonl"), folder.name("state"));
    let arguments = [
        "--learn",
        "1h",
        "--save-model",
        &model,
        "--alerts",
        &alerts,
        "--state",
        &state,
        "--state-every",
        "1s",
        "--udp-idle",
        "1",
    ];
    let (sent, runs) = (400_u16, 2);
    for run in 0..runs {
        let watching = start(&wire, &arguments);
        watching.until(if run == 0 { "listening on tap0" } else { "goes on from there" });
        datagrams(&wire, 20_000 + run * sent, sent);
        watching.signal("-KILL");
    }
    let watching = start(&wire, &arguments);
    watching.until("goes on from there");
    let (status, said) = watching.end();
    assert_eq!(status, 0, "{said:#?}");
    let learned: Value = serde_json::from_slice(&folder.read("model.json")).unwrap();
    let flows = learned["model"]["provenance"]["flows"].as_u64().unwrap();
    // A second between checkpoints, up to two until a flow has ended, and one for a machine that is busy.
    let most_lost = u64::from(runs) * 4 * 50;
    let all = u64::from(runs * sent);
    assert!(flows + most_lost >= all, "{flows} of {all} flows were learned from");
}

/// Moments after the program began, in milliseconds: while it starts, writes its first checkpoint, judges, tells, writes the next ones.
const MOMENTS: [u64; 8] = [40, 90, 170, 330, 700, 1100, 1400, 2300];

#[test]
fn a_start_after_kill_9_is_clean_at_whatever_moment_it_came() {
    let Some(wire) = Wire::lay("kil4") else { return };
    let folder = Folder::new();
    let (model, alerts, state) = (model(), folder.name("alerts.jsonl"), folder.name("state"));
    let arguments = ["--model", &model, "--alerts", &alerts, "--state", &state, "--state-every", "1s"];
    let program = format!(
        "import socket,itertools,time
print('begun')
for n in itertools.count():
    s = socket.socket(); s.settimeout(1)
    try: s.connect(('{THERE}', 20000 + n % 20000))
    except OSError: pass
    s.close(); time.sleep(0.005)"
    );
    let scanning: (Guard, String) = Wire::python(&wire.here, &program);
    let first = start(&wire, &arguments);
    at_least(&folder, "alerts.jsonl", 1);
    drop(first);
    for moment in MOMENTS {
        let watching = start(&wire, &arguments);
        // The longer ones rather after it listens than while it loads a model.
        if moment > 200 {
            watching.until("listening on tap0");
        }
        sleep(Duration::from_millis(moment));
        watching.signal("-KILL");
        let said = watching.rest();
        // A journal's last entry may be half; it is told, and what stands before it counts.
        assert!(!said.iter().any(|line| line.contains("damaged") && !line.contains("journal")), "{said:#?}");
        assert!(!said.iter().any(|line| line.contains("nothing is remembered")), "{said:#?}");
        let open = said.iter().find_map(|line| line.split_once("goes on from there; open incidents: "));
        assert!(open.map_or(moment < 400, |(_, open)| open != "0"), "{said:#?}");
    }
    drop(scanning);
    let watching = start(&wire, &arguments);
    watching.until("goes on from there");
    let (status, said) = watching.end();
    assert_eq!(status, 0, "{said:#?}");
    // As what it was told depends on how many ports the first look had seen; each incident ends once, with its last line.
    let told = by_incident(&folder);
    let states = |lines: &Vec<Value>| lines.iter().map(|line| of(line, "state").clone()).collect::<Vec<_>>();
    let ends_once = |states: &[Value]| {
        states.iter().filter(|state| **state == "closed").count() == 1 && states.last().is_some_and(|last| last == "closed")
    };
    assert!(
        !told.is_empty() && told.values().all(|lines| ends_once(&states(lines))),
        "{:?}",
        told.values().map(states).collect::<Vec<_>>()
    );
    support::auscult(&["verify", &alerts]).ended(0);
}
