//! `--state`: a program that is killed goes on where it was.

#![cfg(unix)]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use auscult::state::FORMAT;

use crate::support::{self, Folder, auscult, auscult_fed, lines, program, project};

/// A recording of the lab, as its header and its frames, each with its time in seconds.
struct Recording {
    header: Vec<u8>,
    frames: Vec<(f64, Vec<u8>)>,
}

impl Recording {
    fn read(name: &str) -> Self {
        let bytes = zstd::decode_all(std::fs::File::open(project(name)).unwrap()).unwrap();
        let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        let unit = if word(0) == 0xa1b2_3c4d { 1e9 } else { 1e6 };
        let (mut at, mut frames) = (24, Vec::new());
        while at < bytes.len() {
            let end = at + 16 + word(at + 8) as usize;
            frames.push((f64::from(word(at)) + f64::from(word(at + 4)) / unit, bytes[at..end].to_vec()));
            at = end;
        }
        Self { header: bytes[..24].to_vec(), frames }
    }

    fn bytes(&self, from: f64, to: f64) -> Vec<u8> {
        let within = self.frames.iter().filter(|(at, _)| (from..to).contains(at));
        within.flat_map(|(_, frame)| frame.iter().copied()).collect()
    }

    fn whole(&self) -> Vec<u8> {
        [self.header.clone(), self.bytes(f64::MIN, f64::MAX)].concat()
    }

    fn start(&self) -> f64 {
        self.frames[0].0
    }
}

/// The program, reading what it is fed.
struct Fed {
    child: Child,
    stdin: ChildStdin,
}

impl Fed {
    fn start(arguments: &[&str], header: &[u8]) -> Self {
        let mut child = program()
            .args(["replay", "-"])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(header).unwrap();
        Self { child, stdin }
    }

    /// Feeds it, and waits until it has read all and has nothing more to do.
    fn feed(&mut self, bytes: &[u8]) {
        self.stdin.write_all(bytes).unwrap();
        let busy = || {
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
            let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
            fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
        };
        let (mut before, mut still) = (busy(), 0);
        while still < 4 {
            thread::sleep(Duration::from_millis(50));
            let now = busy();
            still = if now <= before + 1 { still + 1 } else { 0 };
            before = now;
        }
    }

    /// Kills it, and gives what it had said.
    fn kill(mut self) -> Vec<String> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        BufReader::new(self.child.stderr.take().unwrap()).lines().map_while(Result::ok).collect()
    }

    /// Ends it in peace.
    fn end(self) -> support::Run {
        drop(self.stdin);
        self.child.wait_with_output().unwrap().into()
    }
}

fn read_lines(path: &Path) -> Vec<Value> {
    lines(&std::fs::read(path).unwrap_or_default())
}

/// Incidents by their identifier: what each is in the end, of which device, and how often it was opened and closed.
fn incidents(lines: &[Value]) -> BTreeMap<String, (String, String, [usize; 2])> {
    let mut found: BTreeMap<String, (String, String, [usize; 2])> = BTreeMap::new();
    for line in lines {
        let it = &line["auscult"]["incident"];
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let known = found.entry(text(&it["id"])).or_default();
        (known.0, known.1) = (text(&it["class"]), text(&it["hosts"][0]));
        known.2[0] += usize::from(it["state"] == "open");
        known.2[1] += usize::from(it["state"] == "closed");
    }
    found
}

/// Kills it at several moments, while incidents are open and while none is, each half a minute of the recording after a checkpoint.
#[test]
fn whoever_is_killed_goes_on_and_tells_the_same_incidents_once() {
    let recording = Recording::read("datasets/hospital/intrusion-loud/capture.pcap.zst");
    let model = project("models/hospital.json");
    let model = model.to_str().unwrap();
    let folder = Folder::new();
    let (alerts, whole) = (folder.name("alerts.json"), folder.name("whole.json"));
    auscult_fed(&["replay", "-", "--model", model, "--alerts", &whole], recording.whole()).ended(0);
    let state = folder.name("state");
    let arguments = ["--model", model, "--alerts", &alerts, "--state", &state, "--state-every", "1s"];
    let mut from = f64::MIN;
    // Minutes of the recording.
    for minute in [35.0, 80.0, 126.0, 150.0] {
        let mut fed = Fed::start(&arguments, &recording.header);
        let kill_at = recording.start() + minute * 60.0;
        fed.feed(&recording.bytes(from, kill_at - 32.0));
        thread::sleep(Duration::from_millis(1100));
        fed.feed(&recording.bytes(kill_at - 32.0, kill_at - 30.0));
        fed.feed(&recording.bytes(kill_at - 30.0, kill_at));
        let said = fed.kill();
        assert!(from < 0.0 || said.iter().any(|line| line.contains("goes on from there")), "{said:?}");
        from = kill_at;
    }
    let mut fed = Fed::start(&arguments, &recording.header);
    fed.feed(&recording.bytes(from, f64::MAX));
    fed.end().ended(0).said(&["goes on from there"]);
    auscult(&["verify", &alerts]).ended(0);
    let (told, wanted) = (incidents(&read_lines(Path::new(&alerts))), incidents(&read_lines(Path::new(&whole))));
    for (id, (class, host, counts)) in &told {
        assert_eq!(counts, &[1, 1], "{id} {class} of {host} is opened and closed once");
    }
    let names = |of: &BTreeMap<String, (String, String, [usize; 2])>| {
        of.values().map(|(class, host, _)| format!("{class} {host}")).collect::<BTreeSet<_>>()
    };
    assert_eq!(names(&told), names(&wanted));
    let ids = |of: &BTreeMap<String, (String, String, [usize; 2])>| of.keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(ids(&told), ids(&wanted));
}

#[test]
fn what_is_damaged_or_of_something_else_is_set_aside_and_told() {
    let recording = Recording::read("datasets/hospital/clean/capture.pcap.zst");
    let head = [recording.header.clone(), recording.bytes(f64::MIN, recording.start() + 60.0)].concat();
    let (hospital, clinic) = (project("models/hospital.json"), project("models/clinic.json"));
    let folder = Folder::new();
    let state = folder.name("state");
    let run = |model: &Path| {
        auscult_fed(&["replay", "-", "--model", model.to_str().unwrap(), "--alerts", "-", "--state", &state], head.clone())
            .ended(0)
            .stderr
    };
    assert!(!run(&hospital).contains("state"), "nothing to say of a new folder");
    assert!(run(&hospital).contains("goes on from there; open incidents: 0"));
    let checkpoint = folder.path("state/checkpoint");
    let whole = std::fs::read(&checkpoint).unwrap();
    let aside = folder.path("state/checkpoint.aside");
    let mut other_version = whole.clone();
    other_version[14] ^= 1;
    let mut damaged = whole.clone();
    damaged[whole.len() / 2] ^= 1;
    for (bytes, why) in [
        (&whole[..whole.len() - 1], "damaged: its digest does not fit"),
        (&damaged, "damaged: its digest does not fit"),
        (&other_version, "of another version of the program"),
        (b"", "damaged: it has no first line"),
    ] {
        std::fs::write(&checkpoint, bytes).unwrap();
        let said = run(&hospital);
        assert!(said.contains(&format!("checkpoint: {why}; set aside as checkpoint.aside")), "{said}");
        assert_eq!(std::fs::read(&aside).unwrap(), bytes);
        assert!(run(&hospital).contains("goes on from there"), "what came after is sound");
    }
    let said = run(&clinic);
    assert!(said.contains("of another model (sha256:") && said.contains("set aside"), "{said}");
}

#[test]
fn a_folder_is_one_programs_own_and_needs_a_model() {
    let folder = Folder::new();
    let (state, model) = (folder.name("state"), project("models/clinic.json"));
    let model = model.to_str().unwrap();
    auscult_fed(&["replay", "-", "--state", &state], Vec::new()).ended(2).said(&["give --model or --learn"]);
    let recording = Recording::read("datasets/hospital/clean/capture.pcap.zst");
    let mut first = Fed::start(&["--model", model, "--state", &state], &recording.header);
    first.feed(&recording.bytes(f64::MIN, recording.start() + 60.0));
    auscult_fed(&["replay", "-", "--model", model, "--state", &state], recording.header)
        .ended(1)
        .said(&["in use by another auscult; give each a folder of its own"]);
    first.end().ended(0);
}

/// Learning that is killed goes on, and the model is the one that it would have been.
#[test]
fn what_was_learned_is_not_learned_again() {
    let recording = Recording::read("datasets/hospital/clean/capture.pcap.zst");
    let folder = Folder::new();
    let (state, model, whole) = (folder.name("state"), folder.name("model.json"), folder.name("whole.json"));
    let learn = |to: &str| {
        ["--learn", "40m", "--alerts", "-", "--save-model"]
            .into_iter()
            .map(str::to_owned)
            .chain([to.to_owned()])
            .collect::<Vec<_>>()
    };
    let of_whole = learn(&whole);
    let of_whole: Vec<&str> = ["replay", "-"].into_iter().chain(of_whole.iter().map(String::as_str)).collect();
    auscult_fed(&of_whole, recording.whole()).ended(0);
    let mut killed = learn(&model);
    killed.extend(["--state", &state, "--state-every", "1s"].map(str::to_owned));
    let killed: Vec<&str> = killed.iter().map(String::as_str).collect();
    let mut fed = Fed::start(&killed, &recording.header);
    let (half, cut) = (recording.start() + 15.0 * 60.0, recording.start() + 30.0 * 60.0);
    fed.feed(&recording.bytes(f64::MIN, half));
    thread::sleep(Duration::from_millis(1100));
    fed.feed(&recording.bytes(half, cut));
    thread::sleep(Duration::from_millis(1100));
    fed.feed(&recording.bytes(cut, cut + 240.0));
    fed.kill();
    let mut fed = Fed::start(&killed, &recording.header);
    fed.feed(&recording.bytes(cut + 240.0, f64::MAX));
    fed.end().ended(0).said(&["goes on from there", "learned  from"]);
    let provenance = |path: &str| -> Value {
        let model: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        model["model"]["provenance"].clone()
    };
    let (resumed, wanted) = (provenance(&model), provenance(&whole));
    assert_eq!(resumed["trained_from"], wanted["trained_from"]);
    // What came since the checkpoint or was in the pipe is lost, and flows that were open are not seen to their end.
    let flows = [&resumed, &wanted].map(|of| of["flows"].as_u64().unwrap());
    assert!(flows[0] * 3 > flows[1] * 2 && flows[0] <= flows[1], "{flows:?}");
    let again = auscult_fed(
        &["replay", "-", "--learn", "40m", "--alerts", "-", "--state", &state],
        [recording.header.clone(), recording.bytes(f64::MIN, half)].concat(),
    );
    again.ended(0).said(&["--learn has learned before and judges"]);
}

/// The state of a program that was killed before it wrote a checkpoint is told, not passed over.
#[test]
fn the_first_checkpoint_is_there_before_anything_is_told() {
    let recording = Recording::read("datasets/hospital/clean/capture.pcap.zst");
    let model = project("models/hospital.json");
    let model = model.to_str().unwrap();
    let folder = Folder::new();
    let state = folder.name("state");
    let arguments = ["--model", model, "--alerts", "-", "--state", &state, "--state-every", "1h"];
    let mut fed = Fed::start(&arguments, &recording.header);
    fed.feed(&recording.bytes(f64::MIN, recording.start() + 60.0));
    // It is written by a thread of its own.
    let written = || folder.path("state/checkpoint").exists();
    (0..400).take_while(|_| !written()).for_each(|_| thread::sleep(Duration::from_millis(50)));
    assert!(written());
    fed.kill();
    auscult_fed(&[&["replay", "-"], &arguments[..]].concat(), recording.header.clone()).ended(0).said(&["goes on from there"]);
    std::fs::remove_file(folder.path("state/checkpoint")).unwrap();
    std::fs::write(folder.path("state/journal.7"), b"something").unwrap();
    let run = || auscult_fed(&[&["replay", "-"], &arguments[..]].concat(), recording.header.clone()).ended(0);
    run().said(&["without the checkpoint that they go on from; set aside as journal.7.aside"]);
    assert_eq!(std::fs::read(folder.path("state/journal.7.aside")).unwrap(), b"something");
    run().said(&["goes on from there"]);
}

/// Learning that is ended in peace goes on as one that is killed does.
#[test]
fn an_early_end_does_not_end_the_learning() {
    let recording = Recording::read("datasets/hospital/clean/capture.pcap.zst");
    let folder = Folder::new();
    let (state, partial) = (folder.name("state"), folder.name("partial.json"));
    let arguments = ["replay", "-", "--learn", "40m", "--alerts", "-", "--state", &state, "--save-model", &partial];
    let from_to = |from: f64, to: f64| {
        let bytes = recording.bytes(recording.start() + from * 60.0, recording.start() + to * 60.0);
        auscult_fed(&arguments, [recording.header.clone(), bytes].concat()).ended(0)
    };
    from_to(0.0, 20.0).said(&["nothing was judged"]);
    assert!(folder.path("partial.json").exists() && folder.path("state/lesson").exists());
    assert!(!folder.path("state/learned.json").exists(), "twenty minutes of forty are not all of it");
    // The next run writes its own model there.
    let of_first: Value = serde_json::from_slice(&folder.read("partial.json")).unwrap();
    // What is learned outlives a new version of the program.
    let mut checkpoint = folder.read("state/checkpoint");
    assert!(checkpoint.starts_with(format!("auscult-state {FORMAT} {}", env!("CARGO_PKG_VERSION")).as_bytes()));
    checkpoint[format!("auscult-state {FORMAT} ").len()] = b'9';
    std::fs::write(folder.path("state/checkpoint"), checkpoint).unwrap();
    let said = ["of another version of the program; set aside as checkpoint.aside", "what was learned goes on", "learned  from"];
    from_to(20.0, 50.0).said(&said);
    assert!(folder.path("state/learned.json").exists() && !folder.path("state/lesson").exists());
    let model: Value = serde_json::from_slice(&folder.read("state/learned.json")).unwrap();
    let [all, first] = [&model, &of_first].map(|of| of["model"]["provenance"]["flows"].as_u64().unwrap());
    assert!(all > first + first / 2, "{all} flows, of which {first} of the first run");
}

/// Twenty minutes in which the program was away are nobody's silence.
#[test]
fn what_was_missed_while_it_was_away_is_not_told_as_silent() {
    let recording = Recording::read("datasets/hospital/clean/capture.pcap.zst");
    let model = project("models/hospital.json");
    let folder = Folder::new();
    let (state, alerts) = (folder.name("state"), folder.name("alerts.json"));
    let arguments = ["replay", "-", "--model", model.to_str().unwrap(), "--alerts", &alerts, "--state", &state];
    for (from, to) in [(0.0, 40.0), (60.0, 70.0)] {
        let bytes = recording.bytes(recording.start() + from * 60.0, recording.start() + to * 60.0);
        auscult_fed(&arguments, [recording.header.clone(), bytes].concat()).ended(0);
    }
    let told = incidents(&read_lines(Path::new(&alerts)));
    assert!(told.values().all(|(class, ..)| class != "silent_channel"), "{told:?}");
}

/// A model that was learned and is damaged keeps nobody from starting; others may not read it.
#[test]
fn a_learned_model_that_is_damaged_is_set_aside() {
    use std::os::unix::fs::PermissionsExt as _;
    let recording = Recording::read("datasets/hospital/clean/capture.pcap.zst");
    let folder = Folder::new();
    let state = folder.name("state");
    let head = [recording.header.clone(), recording.bytes(f64::MIN, recording.start() + 1500.0)].concat();
    let run = || auscult_fed(&["replay", "-", "--learn", "20m", "--alerts", "-", "--state", &state], head.clone()).ended(0);
    run().said(&["learned  from"]);
    let mode = |name: &str| folder.path(name).metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("state"), mode("state/learned.json")), (0o700, 0o600));
    std::fs::set_permissions(folder.path("state"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let learned = folder.path("state/learned.json");
    std::fs::write(&learned, b"{").unwrap();
    run().said(&["learned.json", "set aside as learned.json.aside, and it is learned anew", "learned  from"]);
    assert_eq!(folder.read("state/learned.json.aside"), b"{");
    assert!(learned.exists() && mode("state") == 0o700);
    run().said(&["--learn has learned before and judges"]);
}
