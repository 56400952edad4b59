//! `--pseudonyms`, `auscult reveal` and what they keep: run as people run them.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::OnceLock;

use auscult::capture::{Block, Input, Source as _, open};
use auscult::pseudonym::{self, Key, Pseudonyms};
use auscult::time::Timestamp;
use auscult::wire::{Frame, LinkType, decode};
use serde_json::Value;

use crate::support::{self, Folder, auscult, auscult_fed, lines, project, text};

/// Always the same, so that a pseudonym is never by chance what is looked for.
const KEY: &str = "auscult pseudonyms key 1\n1f3b5d7092a4c6e8001122334455667788990a0b0c0d0e0f1020304050607080\n";

fn capture() -> String {
    text(&project("datasets/hospital/medical/capture.pcap.zst")).to_owned()
}

/// Before this the hospital has an ordinary morning; attacks come behind it.
const NORMAL_UNTIL: &str = "1780996000";

/// A key that its owner alone may read.
fn put_key(folder: &Folder, name: &str, text: &str) -> String {
    let path = folder.put(name, text.as_bytes());
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    path
}

/// All outputs of one way through the program, with pseudonyms or without.
struct Outputs {
    folder: Folder,
    /// What stderr said in all.
    said: String,
}

const WRITTEN: [&str; 13] =
    ["model", "card", "alerts", "cef", "ocsf", "ecs", "asim", "zeek", "csv", "text", "flows", "hosts", "stats"];
const WRITTEN_TOO: [&str; 6] = ["devices.json", "devices.csv", "report.html", "flows.csv", "flows.parquet", "records.jsonl"];

fn outputs(is_hidden: bool) -> Outputs {
    let folder = Folder::new();
    let key = put_key(&folder, "key", KEY);
    let hide: Vec<&str> = if is_hidden { vec!["--pseudonyms", &key] } else { Vec::new() };
    let (capture, of) = (capture(), |name: &str| folder.name(name));
    let mut said = String::new();
    let mut run = |arguments: &[&str]| {
        let run = auscult(&[arguments, &hide].concat()).ended(0);
        said += &run.stderr;
    };
    run(&["train", &capture, "--to", NORMAL_UNTIL, "--out", &of("model"), "--home-net", "10.0.0.0/8,fe80::/10"]);
    let alerts: Vec<String> = ["eve:alerts", "cef:cef", "ocsf:ocsf", "ecs:ecs", "asim:asim", "zeek:zeek", "csv:csv", "text:text"]
        .map(|target| target.split_once(':').map(|(format, name)| format!("{format}:{}", of(name))).unwrap())
        .into();
    let (model, flows, hosts, stats, devices) = (of("model"), of("flows"), of("hosts"), of("stats"), of("devices.json"));
    let evidence = of("evidence");
    let mut replay = vec!["replay", &capture, "--from", NORMAL_UNTIL, "--model", &model];
    replay.extend(["--flows", &flows, "--hosts", &hosts, "--stats", &stats, "--inventory", &devices, "--evidence", &evidence]);
    alerts.iter().for_each(|target| replay.extend(["--alerts", target]));
    run(&replay);
    let part = ["--from", NORMAL_UNTIL, "--to", "1780997000"];
    run(&[&["report", &capture, "--model", &model, "--out", &of("report.html")], &part[..]].concat());
    for (format, name) in [("csv", "flows.csv"), ("parquet", "flows.parquet"), ("jsonl", "records.jsonl")] {
        run(&[&["flows", &capture, "--format", format, "--out", &of(name), "--inventory", &of("devices.csv")], &part[..]]
            .concat());
    }
    let card = auscult(&["inspect", &model]).ended(0);
    folder.put("card", &card.stdout);
    Outputs { folder, said }
}

fn plain() -> &'static Outputs {
    static PLAIN: OnceLock<Outputs> = OnceLock::new();
    PLAIN.get_or_init(|| outputs(false))
}

fn hidden() -> &'static Outputs {
    static HIDDEN: OnceLock<Outputs> = OnceLock::new();
    HIDDEN.get_or_init(|| outputs(true))
}

/// Every text in a value under one of these names.
fn texts_under<'v>(value: &'v Value, names: &[&str], found: &mut BTreeSet<&'v str>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                if names.contains(&name.as_str()) {
                    all_texts(value, found);
                } else {
                    texts_under(value, names, found);
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| texts_under(value, names, found)),
        _ => {}
    }
}

fn all_texts<'v>(value: &'v Value, found: &mut BTreeSet<&'v str>) {
    match value {
        Value::String(text) => _ = found.insert(text),
        Value::Array(values) => values.iter().for_each(|value| all_texts(value, found)),
        Value::Object(object) => object.values().for_each(|value| all_texts(value, found)),
        _ => {}
    }
}

/// Names that say who somebody is, as the flow records and the inventory call them.
const NAMES: [&str; 13] = [
    "sni",
    "host",
    "first_name",
    "calling_ae",
    "called_ae",
    "move_destinations",
    "sending_application",
    "receiving_application",
    "hostname",
    "ntlm_server",
    "subject",
    "san",
    "realm",
];

fn is_nobody(addr: &str) -> bool {
    match addr.parse::<std::net::IpAddr>().unwrap() {
        std::net::IpAddr::V4(ip) => ip.is_multicast() || ip.is_broadcast() || ip.is_unspecified() || ip.octets()[3] == 255,
        std::net::IpAddr::V6(ip) => ip.is_multicast() || ip.is_unspecified(),
    }
}

#[test]
fn nothing_that_is_written_names_anybody() {
    let (plain, hidden) = (plain(), hidden());
    let flows = lines(&plain.folder.read("flows"));
    let devices: Value = serde_json::from_slice(&plain.folder.read("devices.json")).unwrap();
    let (mut addrs, mut macs, mut names) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for value in flows.iter().chain([&devices]) {
        texts_under(value, &["src_ip", "dest_ip", "ip"], &mut addrs);
        texts_under(value, &["src_mac", "dest_mac", "mac"], &mut macs);
        texts_under(value, &NAMES, &mut names);
    }
    addrs.retain(|addr| !is_nobody(addr));
    macs.retain(|mac| u8::from_str_radix(&mac[..2], 16).unwrap() & 1 == 0 && *mac != "00:00:00:00:00:00");
    // A short title would be found in any text; whole words are looked for below.
    names.retain(|name| name.len() >= 6 && !name.starts_with('_') && name.parse::<std::net::IpAddr>().is_err());
    assert!(addrs.len() > 40 && macs.len() > 20 && names.len() > 10, "{} {} {}", addrs.len(), macs.len(), names.len());
    let mut seen = BTreeSet::new();
    for name in WRITTEN.iter().chain(&WRITTEN_TOO) {
        let after_bytes = hidden.folder.read(name);
        let (before, after) = (plain.folder.read(name), String::from_utf8_lossy(&after_bytes));
        let before = String::from_utf8_lossy(&before);
        for what in addrs.iter().chain(&macs).chain(&names) {
            if is_in(&before, what) {
                seen.insert(*what);
            }
            assert!(!is_in(&after, what), "{what} is in {name}");
        }
        for bytes in addrs.iter().map(|addr| octets(addr)).filter(|_| name.ends_with("parquet")) {
            assert!(!after_bytes.windows(bytes.len()).any(|window| window == bytes), "the bytes {bytes:?} are in {name}");
        }
    }
    let missed: Vec<_> = addrs.iter().chain(&macs).chain(&names).filter(|what| !seen.contains(*what)).collect();
    assert!(missed.is_empty(), "without pseudonyms they are not told either, so this shows nothing: {missed:?}");
    let on_stderr = |said: &str| addrs.iter().filter(|addr| is_in(said, addr)).count();
    assert!(on_stderr(&plain.said) > 5 && on_stderr(&hidden.said) == 0, "{}", hidden.said);
}

/// Does the text stand there as a word of its own?
fn is_in(haystack: &str, needle: &str) -> bool {
    let is_word = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = haystack.as_bytes();
    let stands_alone =
        |(place, _): (usize, &str)| !is_word(bytes.get(place.wrapping_sub(1))) && !is_word(bytes.get(place + needle.len()));
    haystack.match_indices(needle).any(stands_alone)
}

fn octets(addr: &str) -> Vec<u8> {
    match addr.parse::<std::net::IpAddr>().unwrap() {
        std::net::IpAddr::V4(ip) => ip.octets().to_vec(),
        std::net::IpAddr::V6(ip) => ip.octets().to_vec(),
    }
}

fn reveal(folder: &Folder, file: &str) -> Vec<u8> {
    let (file, key) = (folder.name(file), folder.name("key"));
    auscult(&["reveal", &file, "--pseudonyms", &key, "--reason", "test", "--by", "ada"]).ended(0).stdout
}

/// What is compared of an alert. Identifiers and digests are made of pseudonyms; of peers with equal bits that comes first whose address
/// does, so lists are compared as sets, and which of these the example is about is not compared.
fn judgement(alert: &Value) -> Value {
    let (product, incident) = (&alert["auscult"], &alert["auscult"]["incident"]);
    let all = |value: &Value| {
        let mut found = BTreeSet::new();
        all_texts(value, &mut found);
        found.into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let why: Vec<_> = product["why"]
        .as_array()
        .unwrap()
        .iter()
        .map(|why| [&why["feature"], &why["observed"], &why["usual"], &why["bits"]])
        .collect();
    serde_json::json!([
        alert["timestamp"],
        alert["alert"],
        product["bits"],
        product["p_value"],
        product["score"]["shared"],
        why,
        incident["class"],
        incident["state"],
        incident["hosts"][0],
        all(&incident["hosts"]),
        all(&incident["peers"]),
        all(&incident["services"]),
        all(&incident["names"]),
        incident["first"],
        incident["last"],
        incident["flows"],
        product["check"],
        product["state"],
        product["baseline"],
    ])
}

/// A flow without its Community IDs, which are made of pseudonyms.
fn flow(flow: &Value) -> Value {
    match flow {
        Value::Object(object) => {
            let kept = object.iter().filter(|(name, _)| *name != "community_id");
            kept.map(|(name, value)| (name.clone(), self::flow(value))).collect()
        }
        other => other.clone(),
    }
}

/// With all lists in the order of their texts.
fn in_order(value: &Value) -> Value {
    match value {
        Value::Array(values) => {
            let mut values: Vec<Value> = values.iter().map(in_order).collect();
            values.sort_by_key(ToString::to_string);
            values.into()
        }
        Value::Object(object) => object.iter().map(|(name, value)| (name.clone(), in_order(value))).collect(),
        other => other.clone(),
    }
}

/// But for the order of alerts of one moment, which is that of the devices.
#[test]
fn judging_is_the_same_and_what_is_revealed_is_what_would_have_been_written() {
    let (plain, hidden) = (plain(), hidden());
    let kinds = [("alerts", 20, judgement as fn(&Value) -> Value), ("flows", 3000, flow), ("records.jsonl", 100, flow)];
    for (name, fewest, seen) in kinds {
        let (before, after) = (lines(&plain.folder.read(name)), lines(&reveal(&hidden.folder, name)));
        assert!(before.len() >= fewest && before.len() == after.len(), "{name}: {} and {}", before.len(), after.len());
        let all = |lines: &[Value]| lines.iter().map(|line| seen(line).to_string()).collect::<BTreeSet<_>>();
        assert_eq!(all(&before), all(&after), "{name}");
    }
    let hosts = |bytes: &[u8]| lines(bytes).iter().map(ToString::to_string).collect::<BTreeSet<_>>();
    assert_eq!(hosts(&plain.folder.read("hosts")), hosts(&reveal(&hidden.folder, "hosts")));
    let devices = |bytes: &[u8]| in_order(&serde_json::from_slice(bytes).unwrap());
    assert_eq!(devices(&plain.folder.read("devices.json")), devices(&reveal(&hidden.folder, "devices.json")));
}

/// The packets of all incidents: when, how long on the wire, and what is kept of them; by file, in an order of their own.
fn evidence(outputs: &Outputs) -> Vec<Vec<(i64, u32, Vec<u8>)>> {
    let entries = std::fs::read_dir(outputs.folder.path("evidence")).unwrap();
    let mut files: Vec<Vec<_>> = entries
        .map(|entry| {
            let mut files = open(&[Input::from(entry.unwrap().path())]).unwrap();
            let (mut block, mut packets) = (Block::default(), Vec::new());
            while files.fill(&mut block).unwrap() || !block.frames.is_empty() {
                for span in std::mem::take(&mut block.frames) {
                    let frame = block.frame(&span);
                    packets.push((frame.time.nanos(), frame.wire_bytes, frame.data.to_vec()));
                }
            }
            packets
        })
        .collect();
    files.sort_by_key(|packets| packets.iter().map(|&(at, bytes, _)| (at, bytes)).collect::<Vec<_>>());
    files
}

#[test]
fn packets_of_incidents_are_those_that_would_have_been_kept_under_other_addresses() {
    let (plain, hidden) = (evidence(plain()), evidence(hidden()));
    let mut pseudonyms = Pseudonyms::new(&Key::parse(KEY).unwrap());
    assert!(plain.len() > 3 && plain.len() == hidden.len(), "{} and {} files", plain.len(), hidden.len());
    let mut compared = 0;
    for (plain, hidden) in plain.iter().flatten().zip(hidden.iter().flatten()) {
        assert_eq!((plain.0, plain.1), (hidden.0, hidden.1));
        let mut renamed = plain.2.clone();
        let kept = pseudonym::frame(&mut renamed, LinkType::ETHERNET, &mut pseudonyms);
        renamed.truncate(kept);
        assert!(renamed == hidden.2 && renamed[..] != plain.2[..kept]);
        let ends = |data: &[u8]| {
            let frame = Frame { time: Timestamp::from_nanos(0), link: LinkType::ETHERNET, wire_bytes: 1514, data };
            decode(&frame).map(|packet| [packet.src, packet.dst])
        };
        if let (Ok(plain), Ok(hidden)) = (ends(&plain.2), ends(&hidden.2)) {
            assert_eq!(plain.map(|addr| pseudonyms.addr(addr)), hidden);
            compared += 1;
        }
    }
    assert!(compared > 100, "{compared} packets");
}

#[test]
fn a_model_is_judged_with_its_own_key_alone() {
    let (plain, hidden) = (plain(), hidden());
    let folder = Folder::new();
    let other = put_key(&folder, "other", &KEY.replace("1f3b", "2f3b"));
    let (key, capture) = (hidden.folder.name("key"), capture());
    let judge = |model: &str, hide: &[&str]| {
        auscult(&[&["replay", &capture, "--to", NORMAL_UNTIL, "--model", model, "--alerts", "/dev/null"], hide].concat())
    };
    let (known, unknown) = (hidden.folder.name("model"), plain.folder.name("model"));
    judge(&known, &[]).ended(2).said(&["--pseudonyms KEYFILE"]);
    judge(&known, &["--pseudonyms", &other]).ended(2).said(&["and the key given is"]);
    judge(&unknown, &["--pseudonyms", &key]).ended(2).said(&["learned without --pseudonyms"]);
    let inspect = String::from_utf8(auscult(&["inspect", &known]).ended(0).stdout).unwrap();
    let about = String::from_utf8(auscult(&["pseudonyms", &key]).ended(0).stdout).unwrap();
    let fingerprint = about.lines().next().unwrap().split_whitespace().nth(1).unwrap();
    assert!(inspect.contains(&format!("pseudonyms of the key {fingerprint}")), "{inspect}");
    let file = hidden.folder.name("alerts");
    auscult(&["reveal", &file, "--pseudonyms", &other, "--reason", "test", "--by", "ada"])
        .ended(1)
        .said(&[fingerprint, "another"]);
    assert!(!folder.path("other.audit").exists());
}

#[test]
fn every_revealing_is_recorded_before_it_is_one() {
    let folder = Folder::new();
    let key = put_key(&folder, "key", KEY);
    let flows = folder.name("flows");
    auscult(&["flows", &capture(), "--to", "1780992000", "--out", &flows, "--pseudonyms", &key]).ended(0);
    let reveal = |more: &[&str]| auscult(&[&["reveal", &flows, "--pseudonyms", &key, "--by", "ada"], more].concat());
    reveal(&["--reason", " "]).ended(2);
    assert!(!folder.path("key.audit").exists());
    let nowhere = folder.name("no/such/folder/audit");
    let refused = reveal(&["--reason", "test", "--audit", &nowhere]).ended(1).said(&["nothing was revealed"]);
    assert!(refused.stdout.is_empty());
    reveal(&["--reason", "incident 7"]).ended(0).said(&["key.audit"]);
    let revealed = reveal(&["--reason", "incident 8"]).ended(0).stdout;
    // Standard input is read once and revealed the same.
    let piped = ["reveal", "-", "--pseudonyms", &key, "--by", "ada", "--reason", "incident 9"];
    assert_eq!(auscult_fed(&piped, folder.read("flows")).ended(0).stdout, revealed);
    let audit = folder.name("key.audit");
    auscult(&["verify", &audit]).ended(0);
    let record = lines(&folder.read("key.audit"));
    let told: Vec<_> = record.iter().map(|line| (line["by"].as_str().unwrap(), line["reason"].as_str().unwrap())).collect();
    assert_eq!(told, [("ada", "incident 7"), ("ada", "incident 8"), ("ada", "incident 9")]);
    assert_eq!(record[2]["file"]["sha256"], record[1]["file"]["sha256"]);
    assert_eq!(record[2]["file"]["name"], "standard input");
    assert!(
        record[0]["revealed"]["addresses"].as_u64().unwrap() > 100 && record[0]["file"]["sha256"].is_string(),
        "{}",
        record[0]
    );
    let changed = String::from_utf8(folder.read("key.audit")).unwrap().replacen("incident 7", "incident 6", 1);
    folder.put("key.audit", changed.as_bytes());
    auscult(&["verify", &audit]).ended(1);
}

#[test]
fn names_that_are_not_sealed_stay_and_are_counted() {
    let folder = Folder::new();
    let key = put_key(&folder, "key", KEY);
    let flows = folder.name("flows");
    let write = || auscult(&["flows", &capture(), "--to", "1780992000", "--out", &flows, "--pseudonyms", &key]).ended(0);
    write();
    let sealed = folder.read("key.names");
    write();
    assert_eq!(folder.read("key.names"), sealed, "what is sealed is not sealed again");
    folder.put("key.names", &[&sealed[..], &sealed[..20]].concat());
    write();
    assert_eq!(folder.read("key.names"), sealed, "a line that was cut off goes");
    assert!(std::fs::metadata(folder.path("key.names")).unwrap().permissions().mode() & 0o077 == 0);
    std::fs::remove_file(folder.path("key.names")).unwrap();
    let run = auscult(&["reveal", &flows, "--pseudonyms", &key, "--reason", "test", "--by", "ada"]).ended(0).said(&["stayed"]);
    assert!(String::from_utf8(run.stdout).unwrap().contains("\"n-"));
    folder.put("key.names", b"bm9uc2Vuc2U\n");
    auscult(&["flows", &capture(), "--to", "1780992000", "--out", &flows, "--pseudonyms", &key])
        .ended(1)
        .said(&["key.names, line 1"]);
}

#[test]
fn a_key_is_made_once_and_for_its_owner_alone() {
    let folder = Folder::new();
    let key = folder.name("key");
    auscult(&["pseudonyms", &key]).ended(1).said(&["key"]);
    auscult(&["pseudonyms", &key, "--new"]).ended(0);
    let made = folder.read("key");
    assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    auscult(&["pseudonyms", &key, "--new"]).ended(1).said(&["cannot be made"]);
    assert_eq!(folder.read("key"), made);
    auscult(&["pseudonyms", &folder.name("another"), "--new"]).ended(0);
    assert_ne!(folder.read("another"), made);
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o640)).unwrap();
    auscult(&["flows", &capture(), "--pseudonyms", &key]).ended(1).said(&["chmod 600"]);
    let wrong = put_key(&folder, "wrong", "auscult pseudonyms key 1\n12\n");
    auscult(&["flows", &capture(), "--pseudonyms", &wrong]).ended(1).said(&["wrong", "64 hexadecimal digits"]);
}

/// Each field of facts that holds a text or an address is replaced, or stands here since it names nobody.
#[test]
fn every_text_of_the_facts_is_decided_on() {
    const VOCABULARY: [&str; 27] = [
        "alpn",
        "ja3",
        "ja3s",
        "ja4",
        "fingerprint",
        "services",
        "security_policies",
        "client_version",
        "version_orig",
        "version_resp",
        "hassh",
        "hassh_server",
        "abstract_syntaxes",
        "transfer_syntaxes",
        "sop_classes",
        "implementation_uid",
        "version",
        "types",
        "name",
        "kind",
        "server_version",
        "interfaces",
        "operations",
        "protocol",
        "security",
        "dialect",
        "method",
    ];
    let replaced = std::fs::read_to_string(project("src/app/named.rs")).unwrap();
    let mut fields = 0;
    let mut folders = vec![project("src/app")];
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            for field in texts_of_facts(&path) {
                fields += 1;
                let is_replaced = replaced.contains(&format!(".{field}")) || replaced.contains(&format!("{field},"));
                assert!(
                    is_replaced || VOCABULARY.contains(&&*field),
                    "{}: {field} is neither replaced nor vocabulary",
                    path.display()
                );
            }
        }
    }
    assert!(fields > 50, "only {fields}: the scan finds too little");
}

/// Names of fields of public structures of text, of addresses or of MAC addresses.
fn texts_of_facts(path: &Path) -> Vec<String> {
    let source = std::fs::read_to_string(path).unwrap();
    let of = |line: &str| {
        let (name, kind) = line.strip_prefix("    pub ")?.split_once(": ")?;
        let holds = ["Box<str>", "Addr", "[u8; 6]", "Cow<'static, str>"].iter().any(|text| kind.contains(text));
        holds.then(|| name.to_owned())
    };
    source.lines().filter_map(of).collect()
}

#[test]
fn old_files_of_alerts_go_and_need_a_file_that_rotates() {
    let folder = Folder::new();
    let (capture, alerts) = (text(&support::clinic()).to_owned(), folder.name("alerts"));
    let replay = |more: &[&str]| {
        auscult(&[&["replay", &capture, "--to", "1772525400", "--alerts", &alerts, "--keep", "30d"], more].concat())
    };
    replay(&[]).ended(2).said(&["--keep", "--rotate-every"]);
    for (name, days) in [("alerts.1", 10), ("alerts.2", 40)] {
        folder.put(name, b"{\"timestamp\":\"2026-01-01T00:00:00.000000+0000\",\"event_type\":\"alert\"}\n");
        let ago = std::time::Duration::from_secs(days * 86_400);
        let file = std::fs::File::options().write(true).open(folder.path(name)).unwrap();
        file.set_modified(std::fs::metadata(folder.path(name)).unwrap().modified().unwrap() - ago).unwrap();
    }
    replay(&["--rotate-every", "1d"]).ended(0).said(&["alerts.2: removed"]);
    assert!(folder.path("alerts.1").exists() && !folder.path("alerts.2").exists());
}
