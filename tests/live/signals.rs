//! HUP and USR1 while `auscult watch` listens, on the loopback of a network namespace of its own.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::Value;

use crate::support::{self, Folder, have, lines, project};

const PATIENCE: Duration = Duration::from_secs(60);

/// A namespace with nothing but a loopback; it goes away with this.
struct Space(String);

impl Space {
    fn open(name: &str) -> Option<Self> {
        if !have("ip", "-Version") || !have("python3", "--version") {
            return None;
        }
        let space = Self(format!("auscult-{name}-{}", std::process::id()));
        let ip = |arguments: &[&str]| Command::new("ip").args(arguments).output().is_ok_and(|output| output.status.success());
        if !ip(&["netns", "add", &space.0]) || !ip(&["-n", &space.0, "link", "set", "lo", "up"]) {
            println!("skipped: no network namespaces; this test needs root");
            return None;
        }
        Some(space)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.0, program]).stdin(Stdio::null());
        command
    }

    /// Sends so many datagrams to a port where nobody listens but for this.
    fn send(&self, port: u16, count: u32) {
        let program = format!(
            "import socket,time
r = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); r.bind(('127.0.0.1', {port}))
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for n in range({count}): s.sendto(b'x' * 60, ('127.0.0.1', {port})); time.sleep(0.001)"
        );
        assert!(self.command("python3").args(["-c", &program]).status().unwrap().success());
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.0]).status();
    }
}

/// The program, and what it says line by line.
pub struct Watching {
    child: Child,
    said: Receiver<String>,
}

impl Watching {
    fn start(space: &Space, arguments: &[&str]) -> Self {
        let mut command = space.command(env!("CARGO_BIN_EXE_auscult"));
        command.args(["watch", "lo"]).args(arguments);
        Self::of(command)
    }

    pub fn of(mut command: Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (tell, said) = channel();
        std::thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| tell.send(line)));
        Self { child, said }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, name: &str) {
        // `ip netns exec` becomes the program: the child is the program itself.
        assert!(Command::new("kill").args([name, &self.child.id().to_string()]).status().unwrap().success());
    }

    /// What it says up to a line with these words, that one included.
    pub fn until(&self, words: &str) -> Vec<String> {
        let mut heard = Vec::new();
        while !heard.last().is_some_and(|line: &String| line.contains(words)) {
            match self.said.recv_timeout(PATIENCE) {
                Ok(line) => heard.push(line),
                Err(_) => panic!("{words:?} was not said, but {heard:#?}"),
            }
        }
        heard
    }

    /// What else it says until it is gone.
    pub fn rest(&self) -> Vec<String> {
        std::iter::from_fn(|| self.said.recv_timeout(PATIENCE).ok()).collect()
    }

    pub fn end(mut self) -> (i32, Vec<String>) {
        self.signal("-TERM");
        let said = self.until("took");
        (self.child.wait().unwrap().code().unwrap(), said)
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn digest(model: &str) -> String {
    let card: Value = serde_json::from_slice(&support::auscult(&["inspect", model, "--json"]).ended(0).stdout).unwrap();
    card["digest"].as_str().unwrap().to_owned()
}

#[test]
fn hup_reads_again_and_opens_again_and_no_packet_is_lost() {
    let Some(space) = Space::open("hup") else { return };
    let folder = Folder::new();
    let (clinic, hospital) = (project("models/clinic.json"), project("models/hospital.json"));
    let (clinic, hospital) = (clinic.to_str().unwrap(), hospital.to_str().unwrap());
    let (config, flows, stats) = (folder.name("c.toml"), folder.name("flows.json"), folder.name("stats.json"));
    let configure = |model: &str, more: &str| {
        fs::write(&config, format!("model = \"{model}\"\nflows = \"{flows}\"\nstats = \"{stats}\"\nudp-idle = 1\n{more}"))
            .unwrap();
    };
    configure(clinic, "");
    let watching = Watching::start(&space, &["--config", &config, "--alerts", &folder.name("alerts.json")]);
    watching.until("listening on lo");
    space.send(5001, 300);

    configure(hospital, "snap = 2000\nworkers = 1\n");
    fs::rename(&flows, folder.path("flows.old")).unwrap();
    // Signals of one moment are one.
    (0..5).for_each(|_| watching.signal("-HUP"));
    space.send(5002, 300);
    let said = watching.until("this changes with the next start only: snap, workers");
    let read_again = |said: &[String]| said.iter().filter(|line| line.contains("HUP: read again")).count();
    assert!((1..=2).contains(&read_again(&said)), "{said:#?}");
    assert!(said.iter().any(|line| line.contains(&digest(hospital))), "{said:#?}");

    for (model, more, why) in [
        (hospital, "seeed = 1\n", "line 5: seeed: no such key; is seed meant?; what was read before still holds"),
        ("/nowhere", "", "/nowhere: No such file or directory (os error 2); what was read before still holds"),
        (&stats, "", "what was read before still holds"),
    ] {
        fs::write(&stats, "no model").unwrap();
        configure(model, more);
        watching.signal("-HUP");
        watching.until(why);
    }
    watching.signal("-USR1");
    let said = watching.until("observations so far");
    assert!(said.iter().any(|line| line.starts_with("frames ")), "{said:#?}");

    space.send(5003, 300);
    let (status, said) = watching.end();
    assert_eq!(status, 0, "{said:#?}");
    let account: Value = serde_json::from_slice(&fs::read(&stats).unwrap()).unwrap();
    assert_eq!(
        (account["capture"]["dropped"].as_u64(), account["capture"]["balanced"].as_bool()),
        (Some(0), Some(true)),
        "{account}"
    );
    let packets = |name: &str, port: u64| -> u64 {
        let all = lines(&fs::read(folder.path(name)).unwrap());
        all.iter().filter(|flow| flow["dest_port"] == port).map(|flow| flow["flow"]["pkts_toserver"].as_u64().unwrap()).sum()
    };
    assert_eq!([5001, 5002, 5003].map(|port| packets("flows.old", port) + packets("flows.json", port)), [300; 3]);
    assert_eq!(packets("flows.json", 5003), 300, "what comes after goes to the new file");
}

#[test]
fn rules_that_mute_change_while_it_listens() {
    let Some(space) = Space::open("rules") else { return };
    let folder = Folder::new();
    let (config, model) = (folder.name("c.toml"), project("models/clinic.json"));
    fs::write(&config, "").unwrap();
    let model = model.to_str().unwrap();
    let answers = folder.name("answers");
    let watching = Watching::start(
        &space,
        &["--model", model, "--config", &config, "--answers", &answers, "--alerts", &folder.name("alerts.json")],
    );
    watching.until("0 answers");
    let rule = |class: &str| format!("[[mute]]\nclass = \"{class}\"\nreason = \"known\"\nuntil = 2099-01-01T00:00:00Z\n");
    fs::write(&config, rule("scam")).unwrap();
    watching.signal("-HUP");
    watching.until("line 1: \"scam\" is no class");
    fs::write(&config, rule("scan") + &rule("sweep")).unwrap();
    watching.signal("-HUP");
    watching.until("2 answers");
    watching.signal("-USR2");
    watching.until("observations so far: 0 incidents in 0 lines");
}

#[test]
fn a_service_says_that_it_is_ready_alive_and_ending() {
    let Some(space) = Space::open("service") else { return };
    let folder = Folder::new();
    let socket = std::os::unix::net::UnixDatagram::bind(folder.path("notify")).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let model = project("models/clinic.json");
    let mut command = space.command(env!("CARGO_BIN_EXE_auscult"));
    command.args(["watch", "lo", "--model", model.to_str().unwrap(), "--alerts", &folder.name("alerts.json")]);
    command.env("NOTIFY_SOCKET", folder.path("notify")).env("WATCHDOG_USEC", "400000");
    let watching = Watching::of(command);
    let next = || {
        let mut bytes = [0; 64];
        let length = socket.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    };
    assert_eq!([next(), next(), next()], ["READY=1", "WATCHDOG=1", "WATCHDOG=1"]);
    watching.signal("-TERM");
    while next() != "STOPPING=1" {}
}
