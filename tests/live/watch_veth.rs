//! `auscult watch` on one end of a veth pair, in network namespaces of its own: what is sent is in the flows, and INT and TERM
//! drain.

use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::support::{self, Folder, clinic_model, lines};
use crate::veth_support::{HERE, SCAN, THERE, Wire, at_least, end, watch};

/// Answers TCP on 7001 with what it got, and UDP on 7002.
const SERVER: &str = "
import socket, threading
t = socket.create_server(('0.0.0.0', 7001)); u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind(('0.0.0.0', 7002))
def tcp():
    while True:
        c, _ = t.accept()
        while (d := c.recv(65536)): c.sendall(d)
        c.close()
threading.Thread(target=tcp, daemon=True).start()
print('ready')
while True:
    d, a = u.recvfrom(65536); u.sendto(d, a)
";

/// Five TCP conversations of 1000 bytes each way, seven UDP ones of 100, one refused connection, three pings.
const CLIENT: &str = "
import socket, struct
there = '10.99.7.2'
for n in range(5):
    c = socket.create_connection((there, 7001), timeout=5); c.sendall(b'x' * 1000)
    got = 0
    while got < 1000: got += len(c.recv(65536))
    c.shutdown(socket.SHUT_WR); assert c.recv(1) == b''; c.close()
for n in range(7):
    u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind(('', 41000 + n)); u.settimeout(5); u.sendto(b'y' * 100, (there, 7002)); u.recvfrom(65536)
try: socket.create_connection((there, 7003), timeout=5)
except ConnectionRefusedError: pass
i = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP); i.settimeout(5)
for n in range(3):
    h = struct.pack('!BBHHH', 8, 0, 0, 77, n) + b'z' * 32
    s = sum(struct.unpack('!20H', h)); s = (s >> 16) + (s & 0xffff); s = ~((s >> 16) + s) & 0xffff
    i.sendto(h[:2] + struct.pack('!H', s) + h[4:], (there, 0)); i.recv(65536)
print('done')
";

/// How many flows there are of this protocol to this port (ICMP: type), and their packets and bytes.
fn of_kind(flows: &[Value], protocol: &str, port: u64) -> Vec<Value> {
    let member = if protocol == "ICMP" { "icmp_type" } else { "dest_port" };
    let ours =
        |flow: &&Value| flow["proto"] == protocol && flow[member] == port && flow["src_ip"] == HERE && flow["dest_ip"] == THERE;
    flows.iter().filter(ours).cloned().collect()
}

fn conversations_are_heard(name: &str, signal: &str, with_model: bool) {
    let Some(wire) = Wire::lay(name) else { return };
    let folder = Folder::new();
    let (flow_file, stats) = (folder.name("flows"), folder.name("stats"));
    let mut arguments = vec!["--flows", &flow_file, "--stats", &stats, "--workers", "2"];
    let model = if with_model { clinic_model(&folder) } else { String::new() };
    if with_model {
        arguments.extend(["--model", &model]);
    }
    let (_server, ready) = Wire::python(&wire.there, SERVER);
    assert_eq!(ready, "ready\n");
    let (watching, stderr) = watch(&wire, "tap0", &arguments);
    let (_client, done) = Wire::python(&wire.here, CLIENT);
    assert_eq!(done, "done\n");
    // The kernel hands packets over within its timeout; there is no event to wait for.
    std::thread::sleep(Duration::from_millis(1500));
    // HUP opens files again, and ends nothing.
    assert!(Command::new("kill").args(["-HUP", &watching.0.id().to_string()]).status().unwrap().success());
    let (status, said) = end(watching, stderr, signal);
    assert_eq!(status, 0, "{said}");
    assert!(said.contains("frames") && said.contains("flows"), "{said}");
    let stats: Value = serde_json::from_slice(&folder.read("stats")).unwrap();
    assert_eq!((&stats["capture"]["balanced"], &stats["capture"]["dropped"]), (&true.into(), &0.into()), "{stats}");
    check(&lines(&folder.read("flows")), &said);
}

fn check(flows: &[Value], said: &str) {
    let tcp = of_kind(flows, "TCP", 7001);
    assert_eq!(tcp.len(), 5, "{said}");
    for flow in &tcp {
        assert_eq!((&flow["auscult"]["conn_state"], &flow["flow"]["state"]), (&"SF".into(), &"closed".into()), "{flow}");
        let payload = |side: &str| flow["auscult"][side]["payload_bytes"].as_u64().unwrap();
        assert_eq!((payload("orig"), payload("resp")), (1000, 1000), "{flow}");
    }
    let udp = of_kind(flows, "UDP", 7002);
    assert_eq!(udp.len(), 7, "{said}");
    for flow in &udp {
        let count = |member: &str| flow["flow"][member].as_u64().unwrap();
        let counts = ["pkts_toserver", "pkts_toclient", "bytes_toserver", "bytes_toclient"].map(count);
        assert_eq!(counts, [1, 1, 142, 142], "{flow}");
    }
    let refused = of_kind(flows, "TCP", 7003);
    assert_eq!((refused.len(), &refused[0]["auscult"]["conn_state"]), (1, &"REJ".into()), "{said}");
    let icmp = of_kind(flows, "ICMP", 8);
    assert_eq!(icmp.len(), 1, "{said}");
    assert_eq!((&icmp[0]["flow"]["pkts_toserver"], &icmp[0]["flow"]["pkts_toclient"]), (&3.into(), &3.into()));
}

#[test]
fn conversations_are_heard_and_int_drains() {
    conversations_are_heard("int", "-INT", true);
}

#[test]
fn conversations_are_heard_without_a_model_and_term_drains() {
    conversations_are_heard("term", "-TERM", false);
}

#[test]
fn an_unknown_interface_is_status_1() {
    let run = support::auscult(&["watch", "nosuch0"]).ended(1);
    assert!(run.stderr.starts_with("auscult: ") && run.stderr.contains("nosuch0"), "{}", run.stderr);
}

#[test]
fn answers_are_applied_while_it_watches_and_the_record_goes_on_after_a_restart() {
    let Some(wire) = Wire::lay("ans") else { return };
    let folder = Folder::new();
    let (alerts, answers, model) = (folder.name("alerts.jsonl"), folder.name("answers.jsonl"), clinic_model(&folder));
    let arguments = ["--model", &model, "--alerts", &alerts, "--answers", &answers];
    let scan = || {
        let (_client, done) = Wire::python(&wire.here, SCAN);
        assert_eq!(done, "done\n");
    };
    let state = |line: &Value| line["auscult"]["incident"]["state"].as_str().unwrap().to_owned();

    let (watching, stderr) = watch(&wire, "tap0", &arguments);
    scan();
    let opened = at_least(&folder, "alerts.jsonl", 1);
    let mute = [
        "mute",
        "--class",
        "any",
        "--host",
        "10.99.7.0/24",
        "--answers",
        &answers,
        "--for",
        "1d",
        "--reason",
        "a test",
        "--by",
        "ada",
    ];
    support::auscult(&mute).ended(0);
    // It looks once a second.
    std::thread::sleep(Duration::from_secs(3));
    let (status, said) = end(watching, stderr, "-INT");
    assert_eq!(status, 0, "{said}");
    assert!(said.contains("answers.jsonl: 1 answers"), "{said}");
    let first_run = lines(&folder.read("alerts.jsonl"));
    let last = &first_run[first_run.len() - 1];
    assert_eq!((state(&opened[0]), state(last)), ("open".to_owned(), "closed".to_owned()));
    assert_eq!(last["auscult"]["answer"]["answer"], "mute", "{last}");

    support::auscult(&["unmute", "0", "--answers", &answers, "--by", "ada"]).ended(0);
    let (watching, stderr) = watch(&wire, "tap0", &arguments);
    scan();
    at_least(&folder, "alerts.jsonl", first_run.len() + 1);
    let (status, said) = end(watching, stderr, "-TERM");
    assert_eq!(status, 0, "{said}");
    let both = lines(&folder.read("alerts.jsonl"));
    assert!(both.len() >= first_run.len() + 2 && both[..first_run.len()] == first_run);
    assert_eq!(both[first_run.len()]["auscult"]["chain"]["seq"], first_run.len());
    support::auscult(&["verify", &alerts]).ended(0);
    support::auscult(&["verify", &answers]).ended(0);
}

#[test]
fn the_packets_of_an_incident_are_kept_from_before_it_was_told() {
    let Some(wire) = Wire::lay("evi") else { return };
    let folder = Folder::new();
    let (alerts, evidence, stats, model) =
        (folder.name("alerts.jsonl"), folder.name("evidence"), folder.name("stats"), clinic_model(&folder));
    let arguments = ["--model", &model, "--alerts", &alerts, "--evidence", &evidence, "--stats", &stats];
    let (watching, stderr) = watch(&wire, "tap0", &arguments);
    let (_client, done) = Wire::python(&wire.here, SCAN);
    assert_eq!(done, "done\n");
    at_least(&folder, "alerts.jsonl", 1);
    let (status, said) = end(watching, stderr, "-INT");
    assert_eq!(status, 0, "{said}");
    let found = lines(&folder.read("alerts.jsonl"));
    let scan = found.iter().rfind(|line| line["auscult"]["incident"]["class"] == "scan").unwrap();
    let file = folder.path("evidence").join(scan["auscult"]["evidence"].as_str().unwrap());
    let mut source = auscult::capture::open(&[file.into()]).unwrap();
    let (mut block, mut ports) = (auscult::capture::Block::default(), std::collections::BTreeSet::new());
    while auscult::capture::Source::fill(&mut source, &mut block).unwrap() || !block.frames.is_empty() {
        for span in std::mem::take(&mut block.frames) {
            let frame = block.frame(&span);
            let packet = auscult::wire::decode(&frame).unwrap();
            assert!(frame.payload(&packet).is_empty());
            if packet.src.to_string() == HERE {
                ports.insert(packet.dst_port);
            }
        }
    }
    // A case keeps 256 conversations; the first of them were over when the scan was told.
    assert!(ports.len() > 100 && ports.range(20_000..20_300).count() == ports.len(), "{ports:?}");
    let stats: Value = serde_json::from_slice(&folder.read("stats")).unwrap();
    assert_eq!(stats["evidence"]["begun_before_ring"], 0, "{stats}");
}

/// Hundredths of a second that a process has had of the processors.
fn processor_time(id: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

#[test]
fn silence_costs_less_than_a_hundredth_of_a_core() {
    let Some(wire) = Wire::lay("idle") else { return };
    let folder = Folder::new();
    let (model, state) = (clinic_model(&folder), folder.name("state"));
    let arguments = ["--model", &model, "--state", &state, "--http", "127.0.0.1:8080"];
    let (watching, stderr) = watch(&wire, "tap0", &arguments);
    // What a start costs is over by then.
    std::thread::sleep(Duration::from_secs(5));
    let before = processor_time(watching.0.id());
    std::thread::sleep(Duration::from_secs(10));
    let spent = processor_time(watching.0.id()) - before;
    let (status, said) = end(watching, stderr, "-INT");
    assert!(status == 0 && spent < 10, "{spent} hundredths of a second in ten seconds: {said}");
}
