//! Detectors that share a stream: the incidents of one process, whoever comes, goes or is killed.
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use crate::nats_support::{Server, free_port, get, split, until};
use crate::support::{Folder, Run, auscult, lines, program, project, text};
use serde_json::Value;

const CAPTURE: &str = "datasets/hospital/intrusion-loud/capture.pcap.zst";

/// What an incident may have more or less bits than that of one process: what is told is rounded to less.
const MOST_BITS_APART: f64 = 0.01;

fn model() -> String {
    text(&project("models/hospital.json")).to_owned()
}

fn sensor(address: &str, folder: &Folder, name: &str, capture: &str, more: &[&str]) -> Vec<String> {
    let (spool, model) = (folder.name(&format!("spool-{name}")), model());
    let all =
        ["replay", capture, "--publish", address, "--sensor", name, "--spool", &spool, "--drain", "20s", "--devices", &model];
    all.iter().chain(more).map(|&word| word.to_owned()).collect()
}

/// What a member of a group is told.
fn member(address: &str, folder: &Folder, name: &str, more: &[&str]) -> Vec<String> {
    let (alerts, stats, model) = (folder.name(&format!("{name}.alerts")), folder.name(&format!("{name}.stats")), model());
    let all = ["detect", address, "--group", "main", "--member", name, "--model", &model, "--alerts", &alerts, "--stats", &stats];
    all.iter().chain(more).map(|&word| word.to_owned()).collect()
}

/// A detector that goes on until it is ended; what it says is in a file.
struct Member {
    name: String,
    child: Child,
}

impl Member {
    fn start(address: &str, folder: &Folder, name: &str, more: &[&str]) -> Self {
        let said = File::create(folder.path(&format!("{name}.said"))).unwrap();
        let child = program().args(member(address, folder, name, more)).stdout(Stdio::null()).stderr(said).spawn().unwrap();
        Self { name: name.to_owned(), child }
    }

    fn says(&self, folder: &Folder, what: &str) -> bool {
        String::from_utf8_lossy(&folder.read(&format!("{}.said", self.name))).contains(what)
    }

    fn alerts(&self, folder: &Folder) -> Vec<Value> {
        alerts(folder, &self.name)
    }

    /// As a service manager does.
    fn end(mut self, folder: &Folder) {
        assert!(Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap().success());
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}: {}", String::from_utf8_lossy(&folder.read(&format!("{}.said", self.name))));
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whole lines of a file that may be written to.
fn alerts(folder: &Folder, name: &str) -> Vec<Value> {
    let bytes = std::fs::read(folder.path(&format!("{name}.alerts"))).unwrap_or_default();
    let whole = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
    lines(&bytes[..whole])
}

fn stats(folder: &Folder, name: &str) -> Value {
    serde_json::from_slice::<Value>(&folder.read(&format!("{name}.stats"))).unwrap()["stream"].take()
}

/// What is said of each incident, without what depends on the line before.
fn incidents(all: &[Value]) -> BTreeMap<String, Vec<Value>> {
    let mut by_id: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for alert in all {
        let mut alert = alert.clone();
        alert["auscult"].as_object_mut().unwrap().remove("chain");
        let said = by_id.entry(alert["auscult"]["incident"]["id"].as_str().unwrap().to_owned()).or_default();
        // What was told in the last moment before a kill may be told again, and then alike.
        if !said.contains(&alert) {
            said.push(alert);
        }
    }
    by_id.values_mut().for_each(|said| said.sort_by_key(|alert| alert["timestamp"].as_str().unwrap().to_owned()));
    by_id
}

#[track_caller]
fn same_incidents(got: &[Value], want: &[Value]) {
    let (got, want) = (incidents(got), incidents(want));
    assert!(want.len() > 20, "{}", want.len());
    assert_eq!(got.keys().collect::<Vec<_>>(), want.keys().collect::<Vec<_>>());
    for (id, said) in &want {
        assert_eq!(&got[id], said, "{id}");
    }
}

/// What one process says of the whole capture, that has the ticks of a sensor.
fn in_one_process() -> &'static [Value] {
    static ALERTS: OnceLock<Vec<Value>> = OnceLock::new();
    ALERTS.get_or_init(|| alone(CAPTURE))
}

/// The same of another.
fn alone(capture: &str) -> Vec<Value> {
    let (server, folder) = (Server::start("").unwrap(), Folder::new());
    let (model, alerts) = (model(), folder.name("alone"));
    auscult(&sensor(&server.address(), &folder, "own", text(&project(capture)), &["--model", &model, "--alerts", &alerts]))
        .ended(0);
    lines(&folder.read("alone"))
}

#[test]
fn three_sensors_a_cluster_of_three_and_three_detectors_tell_what_one_process_tells() {
    together_tell(CAPTURE, in_one_process());
}

#[test]
fn they_do_of_each_capture_of_the_lab() {
    for name in ["clean", "clean-long", "everything", "insider", "intrusion-quiet", "medical", "ransomware"] {
        let capture = format!("datasets/hospital/{name}/capture.pcap.zst");
        together_tell(&capture, &alone(&capture));
    }
}

/// Three sensors, three servers and three detectors tell what one process tells.
fn together_tell(capture: &str, alone: &[Value]) {
    let Some((cluster, address)) = cluster() else { return };
    let folder = Folder::new();
    let sensors: Vec<Child> = split(&project(capture), 3)
        .iter()
        .enumerate()
        .map(|(n, bytes)| {
            let capture = folder.put(&format!("{n}.pcap"), bytes);
            let arguments = sensor(&address, &folder, &format!("s{n}"), &capture, &["--stream-replicas", "3"]);
            program().args(arguments).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    for child in sensors {
        Run::from(child.wait_with_output().unwrap()).ended(0);
    }
    let more = ["--sensors", "3", "--until-caught-up", "--stream-replicas", "3"];
    let names = ["m0", "m1", "m2"];
    let members: Vec<Child> = names
        .iter()
        .map(|name| {
            program().args(member(&address, &folder, name, &more)).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    for child in members {
        Run::from(child.wait_with_output().unwrap()).ended(0);
    }
    let told: Vec<Value> = names.iter().flat_map(|name| alerts(&folder, name)).collect();
    let of = |all: &[Value]| {
        let last = |said: &Vec<Value>| {
            let (incident, bits) = (&said[said.len() - 1]["auscult"]["incident"], &said[said.len() - 1]["auscult"]["bits"]);
            ((incident["class"].clone(), incident["hosts"].clone(), incident["flows"].clone()), bits.as_f64().unwrap())
        };
        incidents(all).iter().map(|(id, said)| (id.clone(), last(said))).collect::<Vec<_>>()
    };
    let (got, want) = (of(&told), of(alone));
    let named = |all: &[(String, (_, f64))]| {
        all.iter().map(|(id, (what, _)): &(_, ((Value, Value, Value), _))| (id.clone(), what.clone())).collect::<Vec<_>>()
    };
    assert_eq!(named(&got), named(&want), "{capture}");
    let apart = got.iter().zip(&want).map(|((_, (_, got)), (_, (_, want)))| (got - want).abs()).fold(0.0, f64::max);
    println!("{capture}: {} incidents, bits at most {apart:.3} apart", want.len());
    assert!(apart < MOST_BITS_APART, "{capture}: {apart}");
    let sum = |name: &str| names.iter().map(|member| stats(&folder, member)[name].as_u64().unwrap()).sum::<u64>();
    for name in ["late", "missing", "unreadable", "hurried", "lost", "lost_findings", "gaps", "foreign"] {
        assert_eq!(sum(name), 0, "{name}");
    }
    assert!(names.iter().filter(|name| stats(&folder, name)["has_filed"] == true).count() >= 1);
    drop(cluster);
}

#[test]
fn who_comes_when_all_was_judged_ends_too() {
    let Some(server) = Server::start("") else { return };
    let (folder, address) = (Folder::new(), server.address());
    auscult(&sensor(&address, &folder, "a", text(&project(CAPTURE)), &[])).ended(0);
    for name in ["first", "second", "third"] {
        let mut member = Member::start(&address, &folder, name, &["--until-caught-up"]);
        until(&format!("the {name} ends"), || member.child.try_wait().unwrap().is_some());
        assert!(member.child.wait().unwrap().success());
        assert_eq!(member.alerts(&folder).is_empty(), name != "first", "{name}: all was told by the first");
    }
}

/// Three servers that know of each other.
fn cluster() -> Option<(Vec<Server>, String)> {
    let (clients, routes): (Vec<u16>, Vec<u16>) = ((0..3).map(|_| free_port()).collect(), (0..3).map(|_| free_port()).collect());
    let monitors: Vec<u16> = (0..3).map(|_| free_port()).collect();
    let all: Vec<String> = routes.iter().map(|port| format!("nats://127.0.0.1:{port}")).collect();
    let mut servers = Vec::new();
    for n in 0..3 {
        let more = format!(
            "http: \"127.0.0.1:{}\"\ncluster {{ name: c, listen: \"127.0.0.1:{}\", routes: [{}] }}",
            monitors[n],
            routes[n],
            all.join(", ")
        );
        servers.push(Server::named(&format!("n{n}"), clients[n], &more)?);
    }
    servers.iter_mut().for_each(Server::go_on);
    until("the cluster has a leader", || get(monitors[0], "/jsz").contains("\"leader\""));
    let address = clients.iter().map(|port| format!("127.0.0.1:{port}")).collect::<Vec<_>>().join(",");
    Some((servers, format!("nats://{address}")))
}

/// A sensor that is given the capture in two halves.
struct Halves {
    child: Child,
    stdin: std::process::ChildStdin,
    rest: Vec<u8>,
}

impl Halves {
    fn first(address: &str, folder: &Folder) -> Self {
        let arguments = sensor(address, folder, "a", "-", &[]);
        let mut child =
            program().args(arguments).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut bytes = zstd::decode_all(File::open(project(CAPTURE)).unwrap()).unwrap();
        let rest = bytes.split_off(bytes.len() / 2);
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(&bytes).unwrap();
        stdin.flush().unwrap();
        Self { child, stdin, rest }
    }

    fn second(mut self) {
        self.stdin.write_all(&self.rest).unwrap();
        drop(self.stdin);
        Run::from(self.child.wait_with_output().unwrap()).ended(0);
    }
}

/// Ends all members, and lets a last one close what is open.
fn close(address: &str, folder: &Folder, members: Vec<Member>) -> Vec<Value> {
    members.into_iter().for_each(|member| member.end(folder));
    auscult(&member(address, folder, "last", &["--until-caught-up"])).ended(0);
    alerts(folder, "last")
}

/// What a group says of the same stream that nothing happens to.
fn undisturbed(address: &str, folder: &Folder) -> Vec<Value> {
    let mut all = member(address, folder, "calm", &["--until-caught-up"]);
    all[3] = "calm".to_owned();
    auscult(&all).ended(0);
    alerts(folder, "calm")
}

#[test]
fn who_files_is_killed_and_another_goes_on() {
    let Some(server) = Server::start("") else { return };
    let (folder, address) = (Folder::new(), server.address());
    let often = ["--checkpoint-every", "1s"];
    let mut members: Vec<Member> = ["m0", "m1", "m2"].iter().map(|name| Member::start(&address, &folder, name, &often)).collect();
    let halves = Halves::first(&address, &folder);
    until("something is told", || members.iter().any(|member| !member.alerts(&folder).is_empty()));
    let filing = members.iter().position(|member| !member.alerts(&folder).is_empty()).unwrap();
    // Some of it is kept, some not.
    thread::sleep(Duration::from_millis(1500));
    let killed = members.remove(filing);
    let name = killed.name.clone();
    killed.kill();
    let mut told = alerts(&folder, &name);
    halves.second();
    until("another files", || members.iter().any(|member| member.says(&folder, "files what all find")));
    until("it tells", || members.iter().any(|member| !member.alerts(&folder).is_empty()));
    let names: Vec<String> = members.iter().map(|member| member.name.clone()).collect();
    let last = close(&address, &folder, members);
    told.extend(names.iter().flat_map(|name| alerts(&folder, name)).chain(last));
    same_incidents(&told, &undisturbed(&address, &folder));
}

#[test]
fn one_comes_one_goes_and_one_is_killed_while_they_judge() {
    let Some(server) = Server::start("") else { return };
    let (folder, address) = (Folder::new(), server.address());
    let often = ["--checkpoint-every", "1s"];
    let start = |name: &str| Member::start(&address, &folder, name, &often);
    let (first, second) = (start("m0"), start("m1"));
    let halves = Halves::first(&address, &folder);
    until("something is told", || [&first, &second].iter().any(|member| !member.alerts(&folder).is_empty()));
    let third = start("m2");
    until("it has a share", || third.says(&folder, "of 3 detectors"));
    first.end(&folder);
    until("the others take over", || second.says(&folder, "of 2 detectors"));
    second.kill();
    halves.second();
    until("one is alone", || third.says(&folder, "judges 64 of 64 partitions, of 1 detectors"));
    let last = close(&address, &folder, vec![third]);
    let told: Vec<Value> = ["m0", "m1", "m2"].iter().flat_map(|name| alerts(&folder, name)).chain(last).collect();
    same_incidents(&told, &undisturbed(&address, &folder));
}

#[test]
fn a_group_says_what_it_cannot_do() {
    let model = model();
    let detect = |more: &[&str]| {
        let all: Vec<&str> = ["detect", "nats://127.0.0.1:1", "--model", &model].iter().chain(more).copied().collect();
        auscult(&all)
    };
    detect(&["--group", "main", "--flows", "x.json"]).ended(2).said(&["--flows is not for a group"]);
    detect(&["--group", "main", "--detector", "d"]).ended(2).said(&["cannot be used with"]);
    detect(&["--member", "m"]).ended(2).said(&["--group"]);
    detect(&["--group", "a.b"]).ended(2).said(&["no name of letters"]);
    detect(&["--group", "main"]).ended(1).said(&["127.0.0.1:1"]);
}
