//! Sensors that publish to NATS, and detectors that judge what they published: the answers of one process, whatever breaks on the way.
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, Write as _};
use std::process::{Child, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use crate::nats_support::{Server, free_port, get, split, until};
use crate::support::{Folder, Run, auscult, clinic, lines, program, project, text};
use serde_json::Value;

const CAPTURE: &str = "datasets/hospital/intrusion-loud/capture.pcap.zst";
const MODEL: &str = "models/hospital.json";
/// A third of it, with the first of what is found in it, where that is enough.
const SHORT: [&str; 2] = ["--to", "1780478700"];

fn model() -> String {
    text(&project(MODEL)).to_owned()
}

/// What a sensor is told.
fn sensor(address: &str, folder: &Folder, name: &str, capture: &str, more: &[&str]) -> Vec<String> {
    let (spool, stats) = (folder.name(&format!("spool-{name}")), folder.name(&format!("{name}.json")));
    let all = ["replay", capture, "--publish", address, "--sensor", name, "--spool", &spool, "--stats", &stats, "--drain", "20s"];
    all.iter().chain(more).map(|&word| word.to_owned()).collect()
}

fn published(folder: &Folder, name: &str) -> Value {
    serde_json::from_slice::<Value>(&folder.read(&format!("{name}.json"))).unwrap()["published"].clone()
}

/// Judges all that the stream holds, by this name.
fn detect(address: &str, folder: &Folder, name: &str, more: &[&str]) -> (Run, Vec<Value>, Value) {
    let (alerts, stats) = (folder.name(&format!("alerts-{name}")), folder.name(&format!("stats-{name}")));
    let model = model();
    let mut all = vec![
        "detect",
        address,
        "--model",
        &model,
        "--detector",
        name,
        "--until-caught-up",
        "--alerts",
        &alerts,
        "--stats",
        &stats,
    ];
    all.extend(more);
    let run: Run = auscult(&all);
    assert!(folder.path(&format!("stats-{name}")).exists(), "{}", run.stderr);
    let stats = serde_json::from_slice::<Value>(&folder.read(&format!("stats-{name}"))).unwrap()["stream"].clone();
    (run, lines(&folder.read(&format!("alerts-{name}"))), stats)
}

/// The last line of each incident: what it came to.
fn incidents(alerts: &[Value]) -> BTreeMap<String, (Value, Value, Value, f64)> {
    let of = |alert: &Value| {
        let incident = &alert["auscult"]["incident"];
        let bits = alert["auscult"]["bits"].as_f64().unwrap();
        (incident["class"].clone(), incident["hosts"].clone(), incident["flows"].clone(), bits)
    };
    alerts.iter().map(|alert| (alert["auscult"]["incident"]["id"].as_str().unwrap().to_owned(), of(alert))).collect()
}

/// What one process says of the whole capture, that has the ticks of a sensor.
fn in_one_process() -> &'static [u8] {
    static ALERTS: OnceLock<Vec<u8>> = OnceLock::new();
    ALERTS.get_or_init(|| {
        let (server, folder) = (Server::start("").unwrap(), Folder::new());
        let (model, alerts) = (model(), folder.name("alone"));
        let more = ["--model", &model, "--alerts", &alerts];
        auscult(&sensor(&server.address(), &folder, "own", text(&project(CAPTURE)), &more)).ended(0);
        folder.read("alone")
    })
}

#[track_caller]
fn same_incidents(got: &[Value], want: &[Value]) {
    let (got, want) = (incidents(got), incidents(want));
    assert!(!want.is_empty());
    assert_eq!(got.keys().collect::<Vec<_>>(), want.keys().collect::<Vec<_>>(), "{got:#?}\n{want:#?}");
    for (id, (class, hosts, flows, bits)) in &want {
        let other = &got[id];
        assert_eq!((&other.0, &other.1, &other.2), (class, hosts, flows), "{id}");
        assert!((other.3 - bits).abs() <= 0.1 + bits / 1000.0, "{id}: {} and {bits} bits", other.3);
    }
}

#[test]
fn three_sensors_and_a_detector_find_what_one_process_finds() {
    let Some(server) = Server::start("") else { return };
    let folder = Folder::new();
    let address = server.address();
    let running: Vec<Child> = split(&project(CAPTURE), 3)
        .iter()
        .enumerate()
        .map(|(n, bytes)| {
            let capture = folder.put(&format!("{n}.pcap"), bytes);
            let arguments = sensor(&address, &folder, &format!("s{n}"), &capture, &[]);
            program().args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    for child in running {
        Run::from(child.wait_with_output().unwrap()).ended(0);
    }
    let accounts: Vec<Value> = (0..3).map(|n| published(&folder, &format!("s{n}"))).collect();
    for account in &accounts {
        assert_eq!(
            (&account["acknowledged"], &account["lost"], &account["waiting"]),
            (&account["messages"], &0.into(), &0.into())
        );
    }
    let (run, alerts, stats) = detect(&address, &folder, "all", &["--sensors", "3"]);
    run.ended(0);
    let sum = |name: &str| accounts.iter().map(|account| account[name].as_u64().unwrap()).sum::<u64>();
    assert_eq!((&stats["messages"], &stats["records"]), (&sum("messages").into(), &sum("records").into()), "{stats}");
    assert_eq!(stats["records"].as_u64().unwrap() + stats["copies"].as_u64().unwrap(), sum("copies"), "{stats}");
    for name in ["doubles", "late", "missing", "unreadable", "hurried", "lost"] {
        assert_eq!(stats[name], 0, "{name}: {stats}");
    }
    same_incidents(&alerts, &lines(in_one_process()));
    // All was confirmed: the same detector finds nothing more, another one all of it.
    let (_, again, stats) = detect(&address, &folder, "all", &[]);
    assert_eq!((again.len(), &stats["messages"]), (0, &0.into()));
}

#[test]
fn a_sensor_that_is_cut_off_spools_and_catches_up() {
    let Some(mut server) = Server::start("") else { return };
    let folder = Folder::new();
    let address = server.address();
    let capture = text(&project(CAPTURE)).to_owned();
    // The first run makes the stream; the second finds no server at all, and leaves its records in the spool for the third.
    auscult(&sensor(&address, &folder, "a", &capture, &["--to", "1"])).ended(0);
    server.kill();
    let alone: Vec<String> = sensor(&address, &folder, "a", &capture, &SHORT);
    let alone: Vec<&str> = alone.iter().map(|word| if word == "20s" { "1s" } else { word }).collect();
    auscult(&alone).ended(0).said(&["wait in the spool", "what is published waits in"]);
    let cut_off = published(&folder, "a");
    assert!(cut_off["waiting"] == cut_off["messages"] && cut_off["messages"].as_u64().unwrap() > 10, "{cut_off}");
    server.go_on();
    auscult(&sensor(&address, &folder, "a", &capture, &["--to", "1"])).ended(0);
    let caught_up = published(&folder, "a");
    assert_eq!((&caught_up["found"], &caught_up["waiting"]), (&cut_off["waiting"], &0.into()), "{caught_up}");
    let (run, _, stats) = detect(&address, &folder, "all", &[]);
    run.ended(0);
    assert_eq!((&stats["records"], &stats["missing"], &stats["late"]), (&cut_off["records"], &0.into(), &0.into()), "{stats}");
}

#[test]
fn a_server_that_is_killed_and_comes_again_loses_nothing() {
    let Some(mut server) = Server::start("") else { return };
    let folder = Folder::new();
    let address = server.address();
    let capture = text(&project(CAPTURE)).to_owned();
    let mut child = program()
        .args(sensor(&address, &folder, "a", "-", &SHORT))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let bytes = zstd::decode_all(std::fs::File::open(capture).unwrap()).unwrap();
    let half = bytes.len() / 2;
    let mut stdin = child.stdin.take().unwrap();
    let feeder = thread::spawn(move || {
        stdin.write_all(&bytes[..half]).unwrap();
        thread::sleep(Duration::from_secs(1));
        server.kill();
        stdin.write_all(&bytes[half..]).unwrap();
        thread::sleep(Duration::from_secs(1));
        server.go_on();
        server
    });
    let run = Run::from(child.wait_with_output().unwrap()).ended(0);
    let server = feeder.join().unwrap();
    let account = published(&folder, "a");
    assert_eq!((&account["acknowledged"], &account["waiting"]), (&account["messages"], &0.into()), "{account}\n{}", run.stderr);
    let (run, _, stats) = detect(&server.address(), &folder, "all", &[]);
    run.ended(0);
    assert_eq!((&stats["records"], &stats["missing"]), (&account["records"], &0.into()), "{stats}");
}

#[test]
fn a_detector_that_is_killed_goes_on_with_what_it_had_not_judged() {
    let Some(server) = Server::start("") else { return };
    let folder = Folder::new();
    let address = server.address();
    auscult(&sensor(&address, &folder, "a", text(&project(CAPTURE)), &[])).ended(0);
    let account = published(&folder, "a");
    let alerts = folder.name("killed");
    let model = model();
    let arguments = ["detect", &address, "--model", &model, "--detector", "d", "--sensors", "2", "--alerts", &alerts];
    // It waits for a second sensor, with all of it in hand.
    let mut child = program().args(arguments).stderr(Stdio::null()).spawn().unwrap();
    thread::sleep(Duration::from_secs(3));
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(std::fs::read(&alerts).unwrap_or_default().len(), 0);
    let (run, alerts, stats) = detect(&address, &folder, "d", &[]);
    run.ended(0);
    assert_eq!((&stats["records"], &stats["doubles"]), (&account["records"], &0.into()), "{stats}");
    same_incidents(&alerts, &lines(in_one_process()));
}

#[test]
fn what_a_full_stream_let_go_is_counted() {
    let Some(server) = Server::start("") else { return };
    let folder = Folder::new();
    let address = server.address();
    let capture = text(&project(CAPTURE)).to_owned();
    auscult(&sensor(&address, &folder, "a", &capture, &["--stream-size", "64K", SHORT[0], SHORT[1]]))
        .ended(0)
        .said(&["made the stream auscult_flows"]);
    let account = published(&folder, "a");
    let (run, _, stats) = detect(&address, &folder, "d", &["--patience", "1s"]);
    run.ended(4).said(&["did not come"]);
    let number = |from: &Value, name: &str| from[name].as_u64().unwrap();
    assert!(number(&stats, "messages") > 0 && number(&stats, "missing") > 0, "{stats}");
    assert_eq!(number(&stats, "messages") + number(&stats, "missing"), number(&account, "messages"), "{stats} {account}");
}

#[test]
fn wrong_credentials_are_told_at_once() {
    let users = "authorization { users: [ { user: sensor, password: right } ] }";
    let Some(server) = Server::start(users) else { return };
    let folder = Folder::new();
    let address = server.address();
    let (right, wrong) = (folder.put("right", b"sensor right\n"), folder.put("wrong", b"sensor wrong\n"));
    let none = folder.put("none", b"nonsense");
    let capture = text(&project(CAPTURE)).to_owned();
    let publish = |creds: &str| auscult(&sensor(&address, &folder, "a", &capture, &["--to", "1", "--nats-creds", creds]));
    publish(&wrong).ended(1).said(&["authorization violation"]);
    publish(&none).ended(2).said(&["USER PASSWORD"]);
    publish(&right).ended(0);
    let model = model();
    auscult(&["detect", &address, "--model", &model, "--until-caught-up"]).ended(1).said(&["authorization violation"]);
}

#[test]
fn wrong_usage_says_what_was_wanted() {
    let model = model();
    let capture = text(&project(CAPTURE)).to_owned();
    auscult(&["replay", &capture, "--publish", "nats://me:secret@127.0.0.1"]).ended(2).said(&["--nats-creds"]);
    auscult(&["replay", &capture, "--publish", "nats://127.0.0.1:1", "--alerts", "-"]).ended(2).said(&["--alerts needs a judge"]);
    auscult(&["replay", &capture, "--publish", "nats://127.0.0.1:1", "--site", "a.b"]).ended(2).said(&["wanted 1 to 63 letters"]);
    auscult(&["detect", "nats://127.0.0.1:1"]).ended(2).said(&["give --model"]);
    auscult(&["detect", "nats://127.0.0.1:1", "x.json", "--model", &model]).ended(2).said(&["read alone"]);
    auscult(&["detect", "nats://127.0.0.1:1", "--model", &model]).ended(1).said(&["127.0.0.1:1"]);
}

#[test]
fn a_sandbox_lets_it_publish_and_no_more() {
    let Some(server) = Server::start("") else { return };
    let folder = Folder::new();
    let address = server.address();
    let spool = folder.name("spool");
    std::fs::create_dir_all(&spool).unwrap();
    auscult(&sensor(&address, &folder, "a", text(&project(CAPTURE)), &["--sandbox", SHORT[0], SHORT[1]]))
        .ended(0)
        .said(&["sandbox: no new privileges"]);
    let account = published(&folder, "a");
    assert_eq!((&account["acknowledged"], &account["failures"]), (&account["messages"], &0.into()), "{account}");
    let (run, alerts, _) = detect(&address, &folder, "d", &["--sandbox"]);
    run.ended(0).said(&["sandbox: no new privileges"]);
    assert!(!alerts.is_empty());
}

#[test]
fn what_crosses_is_judged_as_where_it_came_from_byte_for_byte() {
    let Some(server) = Server::start("") else { return };
    let folder = Folder::new();
    auscult(&sensor(&server.address(), &folder, "a", text(&project(CAPTURE)), &[])).ended(0);
    let (run, alerts, _) = detect(&server.address(), &folder, "d", &[]);
    run.ended(0);
    assert!(alerts.len() > 20);
    assert!(folder.read("alerts-d") == in_one_process(), "the alerts differ");
    // Another capture, of which nothing but its model is known here, published by a sensor that judges too.
    let (address, model) = (format!("{}/clinic", server.address()), text(&project("models/clinic.json")).to_owned());
    let (own, theirs) = (folder.name("own"), folder.name("theirs"));
    auscult(&sensor(&address, &folder, "c", text(&clinic()), &["--model", &model, "--alerts", &own])).ended(0);
    auscult(&["detect", &address, "--model", &model, "--until-caught-up", "--alerts", &theirs]).ended(0);
    let own = folder.read("own");
    assert!(lines(&own).len() > 5 && own == folder.read("theirs"), "the alerts of the clinic differ");
}

#[test]
fn alerts_go_to_a_subject_and_come_out_anywhere() {
    let Some(server) = Server::start("") else { return };
    let folder = Folder::new();
    let address = server.address();
    auscult(&sensor(&address, &folder, "a", text(&project(CAPTURE)), &SHORT)).ended(0);
    let (target, spool) = (format!("{address}#site=north"), folder.name("spool-alerts"));
    let (run, alerts, _) = detect(&address, &folder, "d", &["--alerts", &target, "--spool", &spool]);
    run.ended(0);
    let listed = auscult(&["alerts", &address, "--json"]).ended(0).lines();
    let ids = |lines: &[Value], at: fn(&Value) -> &Value| {
        lines.iter().map(|line| at(line).as_str().unwrap().to_owned()).collect::<BTreeSet<_>>()
    };
    assert_eq!(ids(&listed, |line| &line["incident"]), ids(&alerts, |line| &line["auscult"]["incident"]["id"]));
    let told: u64 = listed.iter().map(|line| line["lines"].as_u64().unwrap()).sum();
    assert_eq!(told, alerts.len() as u64);
    // Another detector that finds the same sends the same alerts: the stream keeps one of each.
    let (run, again, _) = detect(&address, &folder, "other", &["--alerts", &target, "--spool", &spool]);
    run.ended(0);
    assert_eq!(again.len(), alerts.len());
    let after = auscult(&["alerts", &address, "--json"]).ended(0).lines();
    assert_eq!(after.iter().map(|line| line["lines"].as_u64().unwrap()).sum::<u64>(), told);
    let class = alerts[0]["auscult"]["incident"]["class"].as_str().unwrap();
    let some = auscult(&["alerts", &address, "--json", "--class", class]).ended(0).lines();
    assert!(!some.is_empty() && some.iter().all(|line| line["class"] == class));
}

#[test]
fn each_may_do_what_it_needs_and_no_more() {
    let users = r#"authorization { users: [
      { user: admin, password: a },
      { user: north, password: n, permissions: { publish: ["auscult.flows.north.>"], subscribe: ["_INBOX.>"] } },
      { user: detector, password: d, permissions: {
          publish: ["$JS.API.STREAM.INFO.auscult_flows", "$JS.API.CONSUMER.*.auscult_flows.>", "$JS.API.CONSUMER.DURABLE.CREATE.auscult_flows.>",
                    "$JS.API.CONSUMER.MSG.NEXT.auscult_flows.>", "$JS.ACK.auscult_flows.>", "auscult.alerts.>"],
          subscribe: ["_INBOX.>"] } }
    ] }"#;
    let Some(server) = Server::start(users) else { return };
    let folder = Folder::new();
    let address = server.address();
    let capture = text(&project(CAPTURE)).to_owned();
    let creds = |name: &str| folder.put(name, format!("{name} {}", &name[..1]).as_bytes());
    let (admin, north, detector) = (creds("admin"), creds("north"), creds("detector"));
    auscult(&sensor(&address, &folder, "boot", &capture, &["--to", "1", "--nats-creds", &admin])).ended(0);
    auscult(&sensor(&address, &folder, "a", &capture, &["--site", "north", "--nats-creds", &north, SHORT[0], SHORT[1]])).ended(0);
    let account = published(&folder, "a");
    assert_eq!((&account["acknowledged"], &account["waiting"]), (&account["messages"], &0.into()), "{account}");
    let (run, alerts, stats) = detect(&address, &folder, "d", &["--nats-creds", &detector]);
    run.ended(0);
    assert!(!alerts.is_empty() && stats["records"] == account["records"], "{stats}");
    // Another site's subject is closed to it.
    let elsewhere = ["--site", "south", "--nats-creds", &north, "--to", "1780470000"];
    let elsewhere: Vec<String> = sensor(&address, &folder, "b", &capture, &elsewhere);
    let elsewhere: Vec<&str> = elsewhere.iter().map(|word| if word == "20s" { "1s" } else { word }).collect();
    auscult(&elsewhere).ended(0);
    assert_eq!(published(&folder, "b")["acknowledged"], 0);
}

#[test]
fn a_cluster_goes_on_without_its_leader() {
    let ports: Vec<(u16, u16, u16)> = (0..3).map(|_| (free_port(), free_port(), free_port())).collect();
    let routes: Vec<String> = ports.iter().map(|(_, route, _)| format!("nats://127.0.0.1:{route}")).collect();
    let mut servers = Vec::new();
    for (n, (port, route, http)) in ports.iter().enumerate() {
        let more = format!(
            "http: \"127.0.0.1:{http}\"\ncluster {{ name: test, listen: \"127.0.0.1:{route}\", routes: [{}] }}",
            routes.join(", ")
        );
        let Some(mut server) = Server::named(&format!("n{n}"), *port, &more) else { return };
        server.go_on();
        servers.push(server);
    }
    let folder = Folder::new();
    let hosts: Vec<String> = ports.iter().map(|(port, ..)| format!("127.0.0.1:{port}")).collect();
    let address = format!("nats://{}", hosts.join(","));
    let arguments = sensor(&address, &folder, "a", "-", &["--stream-replicas", "3", SHORT[0], SHORT[1]]);
    let arguments: Vec<&str> = arguments.iter().map(|word| if word == "20s" { "90s" } else { word }).collect();
    let mut child = program().args(arguments).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let bytes = zstd::decode_all(std::fs::File::open(project(CAPTURE)).unwrap()).unwrap();
    let half = bytes.len() / 2;
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&bytes[..half]).unwrap();
    let leads = |server: usize| {
        let told = get(ports[server].2, "/jsz?streams=true");
        let stream = told.split("\"name\": \"auscult_flows\"").nth(1).unwrap_or_default();
        stream.split("\"leader\": \"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default().to_owned()
    };
    let mut leader = String::new();
    until("the stream has a leader and records", || {
        leader = leads(0);
        !leader.is_empty()
    });
    let place: usize = leader.trim_start_matches('n').parse().unwrap();
    servers[place].kill();
    stdin.write_all(&bytes[half..]).unwrap();
    drop(stdin);
    let run = Run::from(child.wait_with_output().unwrap()).ended(0);
    let account = published(&folder, "a");
    assert_eq!((&account["acknowledged"], &account["waiting"]), (&account["messages"], &0.into()), "{account}\n{}", run.stderr);
    let other = usize::from(place == 0);
    until("another one leads", || ![String::new(), leader.clone()].contains(&leads(other)));
    let alive: Vec<String> = hosts.into_iter().enumerate().filter(|(n, _)| *n != place).map(|(_, host)| host).collect();
    let (run, _, stats) = detect(&format!("nats://{}", alive.join(",")), &folder, "d", &[]);
    run.ended(0);
    assert_eq!((&stats["records"], &stats["missing"]), (&account["records"], &0.into()), "{stats}");
}

#[test]
fn a_published_model_judges_from_the_next_tick_on_and_can_be_taken_back() {
    let Some(server) = Server::start("") else { return };
    let folder = Folder::new();
    let address = server.address();
    let digest = |model: &str| {
        let card = auscult(&["inspect", model, "--json"]).ended(0);
        serde_json::from_slice::<Value>(&card.stdout).unwrap()["digest"].as_str().unwrap().to_owned()
    };
    let (first, second) = (model(), text(&project("models/clinic.json")).to_owned());
    auscult(&["detect", &address, "--model", &address]).ended(1).said(&["store"]);
    let said = |run: Run| String::from_utf8(run.ended(0).stdout).unwrap();
    assert!(said(auscult(&["model", "publish", &address, &first])).starts_with(&digest(&first)));
    auscult(&["model", "rollback", &address]).ended(1).said(&["no model before"]);
    auscult(&sensor(&address, &folder, "a", text(&project(CAPTURE)), &SHORT)).ended(0);
    let judged_by = |alerts: &[Value]| {
        alerts.iter().map(|alert| alert["auscult"]["model"]["digest"].as_str().unwrap().to_owned()).collect::<BTreeSet<_>>()
    };
    let by_store = |name: &str| {
        let alerts = folder.name(name);
        auscult(&["detect", &address, "--model", &address, "--detector", name, "--until-caught-up", "--alerts", &alerts])
            .ended(0);
        judged_by(&lines(&folder.read(name)))
    };
    assert_eq!(by_store("one"), BTreeSet::from([digest(&first)]));
    // A detector that runs goes over to another, and back.
    let alerts = folder.name("live");
    let arguments = ["detect", &address, "--model", &address, "--detector", "live", "--sensors", "9", "--alerts", &alerts];
    let mut child = program().args(arguments).stderr(Stdio::piped()).spawn().unwrap();
    let mut told = std::io::BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(told.any(|line| line.contains("begins with")));
    assert!(said(auscult(&["model", "publish", &address, &second])).starts_with(&digest(&second)));
    assert!(told.any(|line| line.contains(&format!("the model is {} from the next tick", digest(&second)))));
    assert_eq!(by_store("two"), BTreeSet::from([digest(&second)]));
    assert!(said(auscult(&["model", "rollback", &address])).contains(&format!(
        "{} is in use instead of {}",
        digest(&first),
        digest(&second)
    )));
    assert!(told.any(|line| line.contains(&format!("the model is {} from the next tick", digest(&first)))));
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_watch_publishes_from_within_its_sandbox() {
    if std::process::Command::new("id").arg("-u").output().unwrap().stdout != b"0\n" {
        println!("skipped: listening needs root");
        return;
    }
    let Some(server) = Server::start("") else { return };
    let folder = Folder::new();
    // Root may become somebody else before the spool is made.
    std::fs::set_permissions(folder.path(""), std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    let (address, spool, stats) = (server.address(), folder.name("spool"), folder.name("stats"));
    let arguments = ["watch", "lo", "--publish", &address, "--sensor", "w", "--spool", &spool, "--stats", &stats];
    let child = program().args(arguments).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    // It hears the server's own packets, and beats every second.
    thread::sleep(Duration::from_secs(4));
    assert!(std::process::Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
    let run = Run::from(child.wait_with_output().unwrap()).ended(0).said(&["no new privileges", "made the stream"]);
    let stats: Value = serde_json::from_slice(&folder.read("stats")).unwrap();
    let account = &stats["published"];
    assert!(account["acknowledged"].as_u64().unwrap() >= 3, "{account}\n{}", run.stderr);
    assert_eq!((&account["acknowledged"], &account["failures"]), (&account["messages"], &0.into()), "{account}\n{}", run.stderr);
}

#[test]
fn the_way_is_encrypted_to_a_server_whose_certificate_is_trusted() {
    let folder = Folder::new();
    let mut ca = rcgen::CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca = rcgen::CertifiedIssuer::self_signed(ca, rcgen::KeyPair::generate().unwrap()).unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &ca).unwrap();
    let trusted = folder.put("ca.pem", ca.pem().as_bytes());
    let (cert, key) =
        (folder.put("cert.pem", certificate.pem().as_bytes()), folder.put("key.pem", key.serialize_pem().as_bytes()));
    let Some(server) = Server::start(&format!("tls {{ cert_file: \"{cert}\", key_file: \"{key}\" }}")) else { return };
    let address = server.address().replace("nats://", "tls+nats://");
    let short = ["--nats-ca", &trusted, "--to", "1780470000"];
    auscult(&sensor(&address, &folder, "a", text(&project(CAPTURE)), &short)).ended(0);
    let account = published(&folder, "a");
    assert!(account["acknowledged"] == account["messages"] && account["records"].as_u64().unwrap() > 0, "{account}");
    let untrusted = sensor(&address, &folder, "b", text(&project(CAPTURE)), &["--to", "1"]);
    auscult(&untrusted).ended(1).said(&["certificate"]);
}
