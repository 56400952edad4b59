//! Flow records that were made elsewhere are judged as flows are: our own in every form, Zeek's in every form, and what is wrong
//! with a file is told with its place.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write as _;

use auscult::time::{Timestamp, parse};
use serde_json::{Value, json};

use crate::support::{CLINIC_SPLIT, Folder, Run, auscult, auscult_fed, clinic, clinic_model, lines, project, text};

/// Class and device of every incident.
fn incidents(alerts: &[u8]) -> BTreeSet<(String, String)> {
    let of = |line: &Value| {
        let incident = &line["auscult"]["incident"];
        (incident["class"].as_str().unwrap().to_owned(), incident["hosts"][0].as_str().unwrap().to_owned())
    };
    lines(alerts).iter().map(of).collect()
}

/// The clinic's flow records after its normal time, in this form.
fn flows(folder: &Folder, format: &str) -> String {
    let path = folder.name(&format!("flows.{format}"));
    auscult(&["flows", text(&clinic()), "--from", CLINIC_SPLIT, "--format", format, "--out", &path]).ended(0);
    path
}

fn detect(arguments: &[&str]) -> Run {
    auscult(&[&["detect"], arguments].concat())
}

#[test]
fn our_own_records_are_judged_as_their_capture_is() {
    let folder = Folder::new();
    let model = clinic_model(&folder);
    let replayed = auscult(&["replay", text(&clinic()), "--from", CLINIC_SPLIT, "--model", &model]).ended(0);
    let jsonl = detect(&[&flows(&folder, "jsonl"), "--model", &model]).ended(0);
    assert!(!jsonl.stderr.contains("warning: the model learned"), "{}", jsonl.stderr);
    for format in ["csv", "parquet"] {
        if format == "parquet" && cfg!(not(feature = "parquet")) {
            continue;
        }
        let other = detect(&[&flows(&folder, format), "--model", &model]).ended(0);
        assert!(other.stdout == jsonl.stdout, "{format} is judged otherwise than jsonl");
    }
    let (by_capture, by_records) = (incidents(&replayed.stdout), incidents(&jsonl.stdout));
    assert!(by_capture.len() > 3, "{by_capture:?}");
    // A file of records holds no sightings (ARP) and no first looks at flows that were still open, and a record is known at its
    // end, not when its flow has timed out. So what a single flow does is seen at once and not in two looks, and may reach in one
    // minute what it did not in two; and that a device is new is told together with what it is found to do. The clinic's tunnel asks some thirty times a
    // minute, from which on it is a flood, too: in which minute a question counts depends on when it is known.
    let held = |(class, _): &&(String, String)| !["arp_spoofing", "new_device", "flood"].contains(&class.as_str());
    assert!(by_records.iter().any(|(class, _)| class == "flood"), "one that is far above that");
    // A log-in that failed is known with its record: who guesses is told of at once, not of new access first.
    let guesses = |(class, host): &(String, String)| {
        class == "lateral_movement" && by_records.contains(&("brute_force".into(), host.clone()))
    };
    let is_told = |incident: &&(String, String)| by_records.contains(*incident) || guesses(incident);
    let missed: Vec<_> = by_capture.iter().filter(held).filter(|incident| !is_told(incident)).collect();
    assert!(missed.is_empty(), "{missed:?} of {by_capture:?}");
    let at_once = ["file_activity", "brute_force", "exfiltration"];
    let more: Vec<_> = by_records.difference(&by_capture).filter(|(class, _)| !at_once.contains(&class.as_str())).collect();
    assert!(more.is_empty(), "{more:?} beside {by_capture:?}");
}

#[test]
fn records_without_a_model_teach_themselves() {
    let folder = Folder::new();
    let path = folder.name("all.jsonl");
    auscult(&["flows", text(&clinic()), "--out", &path]).ended(0);
    let run =
        detect(&[&path, "--hosts", &folder.name("hosts"), "--stats", &folder.name("stats"), "--flows", &folder.name("flows")]);
    let run = run.ended(0).said(&["what these records taught", "flow records with features"]);
    assert!(!incidents(&run.stdout).is_empty());
    let stats: Value = serde_json::from_slice(&folder.read("stats")).unwrap();
    let count = lines(&folder.read("all.jsonl")).len();
    assert_eq!((&stats["records"]["lines"], &stats["records"]["balanced"]), (&json!(count), &json!(true)));
    assert_eq!(lines(&folder.read("flows")).len(), count);
    assert!(!lines(&folder.read("hosts")).is_empty());
    assert_eq!(detect(&[&path, "--fail-on-alert"]).status, 3);
}

/// One connection as Zeek names its fields; what Zeek would leave unset is empty.
fn zeek_fields(flow: &Value) -> [(&'static str, String); 15] {
    let at = |name: &str| parse(flow["flow"][name].as_str().unwrap()).unwrap();
    let decimal = |nanos: i64| format!("{}.{:06}", nanos / 1_000_000_000, nanos % 1_000_000_000 / 1000);
    let (start, end): (Timestamp, Timestamp) = (at("start"), at("end"));
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let number = |value: &Value| value.as_u64().map_or_else(String::new, |number| number.to_string());
    let is_icmp = flow.get("icmp_type").is_some();
    let port = |port: &str, icmp: &str| number(&flow[if is_icmp { icmp } else { port }]);
    let service = match flow["app_proto"].as_str().unwrap() {
        "unknown" => "",
        "tls" => "ssl",
        "krb5" => "krb_tcp",
        "dcerpc" => "dce_rpc",
        other => other,
    };
    let own = &flow["auscult"];
    [
        ("ts", decimal(start.nanos())),
        ("uid", format!("C{}-{}", flow["flow_id"], own["segment"])),
        ("id.orig_h", text(&flow["src_ip"])),
        ("id.orig_p", port("src_port", "icmp_type")),
        ("id.resp_h", text(&flow["dest_ip"])),
        ("id.resp_p", port("dest_port", "icmp_code")),
        ("proto", flow["proto"].as_str().unwrap().replace("IPv6-ICMP", "icmpv6").to_lowercase()),
        ("service", service.to_owned()),
        ("duration", decimal(end.since(start).nanos())),
        ("orig_bytes", number(&own["orig"]["payload_bytes"])),
        ("resp_bytes", number(&own["resp"]["payload_bytes"])),
        ("conn_state", text(&own["conn_state"])),
        ("history", text(&own["history"])),
        ("orig_pkts", number(&flow["flow"]["pkts_toserver"])),
        ("resp_pkts", number(&flow["flow"]["pkts_toclient"])),
    ]
}

/// The same connections as Zeek's TSV, as its JSON, and as CSV.
fn as_zeek(flows: &[Value]) -> [(&'static str, String); 3] {
    let (mut tsv, mut json_lines, mut csv) =
        (String::from("#separator \\x09\n#set_separator\t,\n#unset_field\t-\n#path\tconn\n"), String::new(), String::new());
    for (n, flow) in flows.iter().enumerate() {
        let fields = zeek_fields(flow);
        let names: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
        let values: Vec<&str> = fields.iter().map(|(_, value)| value.as_str()).collect();
        if n == 0 {
            let _ = writeln!(tsv, "#fields\t{}\n#types\t{}", names.join("\t"), vec!["string"; names.len()].join("\t"));
            let _ = writeln!(csv, "{}", names.join(","));
        }
        let unset: Vec<&str> = values.iter().map(|value| if value.is_empty() { "-" } else { value }).collect();
        let _ = writeln!(tsv, "{}", unset.join("\t"));
        let _ = writeln!(csv, "{}", values.join(","));
        let member = |(name, value): &(&str, String)| {
            let is_number = !matches!(*name, "uid" | "proto" | "service" | "conn_state" | "history") && !name.ends_with("_h");
            let value = if is_number { serde_json::from_str(value).unwrap() } else { Value::from(value.as_str()) };
            ((*name).to_owned(), value)
        };
        let object: serde_json::Map<String, Value> = fields.iter().filter(|(_, value)| !value.is_empty()).map(member).collect();
        let _ = writeln!(json_lines, "{}", Value::Object(object));
    }
    tsv.push_str("#close\t2026-03-03-12-00-00\n");
    [("conn.tsv", tsv), ("conn.json", json_lines), ("conn.csv", csv)]
}

/// The clinic's connections in Zeek's three forms, cut at the first attack: what was normal, and what came then.
fn clinic_as_zeek(folder: &Folder) -> BTreeMap<&'static str, [String; 2]> {
    let mut all = BTreeMap::<_, Vec<String>>::new();
    for (part, limit) in [("past", "--to"), ("present", "--from")] {
        let flows = auscult(&["flows", text(&clinic()), limit, CLINIC_SPLIT]).ended(0).lines();
        for (name, log) in as_zeek(&flows) {
            all.entry(name).or_default().push(folder.put(&format!("{part}/{name}"), log.as_bytes()));
        }
    }
    all.into_iter().map(|(name, parts)| (name, parts.try_into().unwrap())).collect()
}

#[test]
fn zeek_in_its_three_forms_teaches_and_is_judged_the_same() {
    let folder = Folder::new();
    let files = clinic_as_zeek(&folder);
    let mut results = Vec::new();
    for (name, [past, present]) in &files {
        let model = folder.name(&format!("{name}.model"));
        auscult(&["train", past, "--out", &model]).ended(0).said(&["records  made elsewhere: Zeek conn records"]);
        let run = detect(&[present, "--model", &model]).ended(0).said(&["Zeek conn records"]);
        assert!(!run.stderr.contains("warning: the model learned"), "{name}: {}", run.stderr);
        let mut model: Value = serde_json::from_slice(&std::fs::read(&model).unwrap()).unwrap();
        assert_eq!(model["model"]["provenance"]["records"], json!(["Zeek conn records"]));
        let learned = model["model"]["baselines"].take();
        results.push((*name, incidents(&run.stdout), learned));
    }
    for (name, judged, learned) in &results[1..] {
        assert!(*learned == results[0].2, "{name} teaches something else than {}", results[0].0);
        assert_eq!(*judged, results[0].1, "{name} is judged otherwise than {}", results[0].0);
    }
    // Sweeps and scans show in who talks with whom, whatever else the records lack.
    let classes: BTreeSet<&str> = results[0].1.iter().map(|(class, _)| class.as_str()).collect();
    assert!(classes.contains("scan") || classes.contains("sweep"), "{:?}", results[0].1);
}

#[test]
fn our_own_conn_log_says_what_the_flows_say_and_is_read_as_zeeks() {
    let folder = Folder::new();
    let (table, json_lines) = (flows(&folder, "zeek"), flows(&folder, "zeek-json"));
    let told = lines(&std::fs::read(flows(&folder, "jsonl")).unwrap());
    let log = String::from_utf8(std::fs::read(&table).unwrap()).unwrap();
    let names: Vec<&str> = log.lines().find_map(|line| line.strip_prefix("#fields\t")).unwrap().split('\t').collect();
    let rows: Vec<Vec<&str>> = log.lines().filter(|line| !line.starts_with('#')).map(|line| line.split('\t').collect()).collect();
    assert_eq!((rows.len(), lines(&std::fs::read(&json_lines).unwrap()).len()), (told.len(), told.len()));
    let mut uids = BTreeSet::new();
    for (flow, row) in told.iter().zip(&rows) {
        let cell = |name: &str| row[names.iter().position(|it| *it == name).unwrap()];
        assert!(uids.insert(cell("uid")), "{flow}");
        let is_tcp = flow["proto"] == "TCP";
        for (name, want) in zeek_fields(flow) {
            let want = match name {
                // Zeek's own names and rules for these.
                "uid" => continue,
                "conn_state" | "history" if !is_tcp => continue,
                "proto" => want.replace("icmpv6", "icmp"),
                "service" => want.replace("krb_tcp", "krb").replace("pgsql", "postgresql"),
                "duration" if want == "0.000000" => String::new(),
                _ => want,
            };
            let want = if want.is_empty() { "-".to_owned() } else { want };
            assert!(
                cell(name) == want || name == "proto" && cell(name) == "unknown_transport",
                "{name}: {} of {flow}",
                cell(name)
            );
        }
        assert_eq!(cell("community_id"), flow["community_id"], "{flow}");
        assert_eq!(cell("orig_ip_bytes"), flow["auscult"]["orig"]["ip_bytes"].to_string(), "{flow}");
    }
    let judged = [&table, &json_lines].map(|log| detect(&[log]).ended(0).said(&["Zeek conn records"]).stdout);
    assert!(judged[0] == judged[1], "the two forms are not judged alike");
}

#[test]
fn a_model_says_when_records_cannot_have_what_it_learned_from() {
    let folder = Folder::new();
    let files = clinic_as_zeek(&folder);
    let [past, present] = &files["conn.csv"];
    let (of_captures, of_zeek) = (clinic_model(&folder), folder.name("zeek.model"));
    auscult(&["train", past, "--out", &of_zeek]).ended(0);
    let words = ["warning: the model learned from captures", "28 of 44 features are missing in Zeek conn records"];
    detect(&[present, "--model", &of_captures]).ended(0).said(&words);
    let own = flows(&folder, "jsonl");
    detect(&[&own, "--model", &of_zeek]).ended(0).said(&["warning: the model learned from Zeek conn records"]);
    let capture = auscult(&["replay", text(&clinic()), "--from", CLINIC_SPLIT, "--model", &of_zeek]).ended(0);
    capture.said(&["warning: the model learned from Zeek conn records"]);
    // Records that were judged before hold no features, and are told as such.
    let judged = folder.name("judged.jsonl");
    auscult(&["replay", text(&clinic()), "--model", &of_captures, "--flows", &judged]).ended(0);
    detect(&[&judged, "--model", &of_captures]).ended(0).said(&["EVE flow events without features"]);
}

#[test]
fn labelled_records_are_scored() {
    let folder = Folder::new();
    let files = clinic_as_zeek(&folder);
    let [past, present] = &files["conn.tsv"];
    let model = folder.name("model");
    auscult(&["train", past, "--out", &model]).ended(0);
    let truth = project("datasets/clinic/clinic.labels.csv");
    let run = auscult(&["eval", present, "--model", &model, "--truth", text(&truth), "--json"]).ended(0);
    let scores: Value = serde_json::from_slice(&run.stdout).unwrap();
    let auc = scores["flows"]["macro_auc"].as_f64().unwrap();
    assert!(auc > 0.7, "{scores}");
}

#[test]
fn compression_pipes_parts_and_order_change_nothing() {
    let folder = Folder::new();
    let files = clinic_as_zeek(&folder);
    let [past, present] = &files["conn.json"];
    let plain = std::fs::read(present).unwrap();
    let want = detect(&[present]).ended(0).stdout;
    assert!(!want.is_empty());
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&plain).unwrap();
    let packed = folder.put("packed", &gzip.finish().unwrap());
    assert!(detect(&[&packed]).ended(0).stdout == want, "gzip");
    assert!(
        auscult_fed(&["detect", "-"], zstd::encode_all(plain.as_slice(), 1).unwrap()).ended(0).stdout == want,
        "a pipe of zstd"
    );
    let rows: Vec<&[u8]> = plain.split_inclusive(|&byte| byte == b'\n').collect();
    let reversed = folder.put("reversed", &rows.iter().rev().copied().collect::<Vec<_>>().concat());
    let turned = detect(&[&reversed]).ended(0);
    assert_eq!(incidents(&turned.stdout), incidents(&want), "the order within a file");
    let (front, back) = rows.split_at(rows.len() / 2);
    let (front, back) = (folder.put("front", &front.concat()), folder.put("back", &back.concat()));
    assert!(detect(&[&back, &front]).ended(0).stdout == want, "two files, the later first");
    // What begins before a time is left out, as of a capture.
    let both = detect(&[past, present, "--from", CLINIC_SPLIT, "--stats", &folder.name("stats")]).ended(0);
    assert!(both.stdout == want, "--from");
    let stats: Value = serde_json::from_slice(&folder.read("stats")).unwrap();
    assert_eq!(stats["records"]["outside_time"], json!(lines(&std::fs::read(past).unwrap()).len()));
    // Training takes a pipe of records too.
    let model = folder.name("piped.model");
    let past = std::fs::read(past).unwrap();
    for piped in [zstd::encode_all(past.as_slice(), 19).unwrap(), past] {
        auscult_fed(&["train", "-", "--out", &model], piped).ended(0).said(&["Zeek conn records"]);
    }
    auscult_fed(&["train", "-", "--out", &model], std::fs::read(clinic()).unwrap()).ended(0).said(&["frames "]);
}

/// A log of `count` look-ups a second apart.
fn small(count: usize) -> String {
    let row = |n: usize| {
        format!(
            "10.0.0.{},10.0.0.200,{},53,udp,{}.5,{}.6,40,90,1,1,dns,SF\n",
            n % 5 + 1,
            40_000 + n,
            1_700_000_000 + n,
            1_700_000_000 + n
        )
    };
    let header = "src_ip,dst_ip,src_port,dst_port,proto,start,end,orig_bytes,resp_bytes,orig_pkts,resp_pkts,service,conn_state\n";
    header.to_owned() + &(0..count).map(row).collect::<String>()
}

#[test]
fn what_is_no_file_of_records_is_told() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path("logs")).unwrap();
    for (name, content, words) in [
        ("picture", &b"\x89PNG\r\n"[..], "no flow records: begins with"),
        ("empty", b"", "no flow records"),
        ("labels", b"src_ip,dst_ip,label\n1.2.3.4,,benign\n", "a table (CSV) with addresses"),
        (
            "dns.log",
            b"#separator \\x09\n#path\tconn\n#fields\tts\tquery\n1\tx\n",
            "line 3: field \"#fields\": wanted ts, id.orig_h",
        ),
        (
            "headless",
            b"#separator \\x09\n#path\tconn\n1700000000\tC1\t10.0.0.1\n",
            "line 3: field \"line\": wanted a header with #fields",
        ),
        ("cut.parquet", b"PAR1\x15\x04\x15\x80", "cut.parquet: "),
    ] {
        let run = detect(&[&folder.put(name, content)]);
        assert!(matches!(run.status, 1), "{name}: {}", run.stderr);
        run.said(&[name, words]);
    }
    detect(&[text(&clinic())]).ended(1).said(&["a capture, no flow records; auscult replay judges captures"]);
    detect(&[&folder.name("logs")]).ended(1).said(&["a folder; name the files"]);
    detect(&[&folder.name("nowhere")]).ended(1).said(&["no such file"]);
    detect(&[]).ended(2).said(&["SOURCE"]);
    detect(&["--from", "20", "--to", "10", "x"]).ended(2).said(&["--from"]);
}

#[test]
fn a_bad_line_is_told_with_its_place_and_ends_nothing() {
    let folder = Folder::new();
    let good = small(60);
    let wrong = [
        (
            "10.0.0.999,10.0.0.200,1,53,udp,1700000070,1700000071,1,1,1,1,dns,SF",
            "field \"src_ip\": wanted an IPv4 or IPv6 address, got \"10.0.0.999\"",
        ),
        (
            "10.0.0.1,10.0.0.200,70000,53,udp,1700000070,1700000071,1,1,1,1,dns,SF",
            "field \"src_port\": wanted a number from 0 to 65535, got \"70000\"",
        ),
        (
            "10.0.0.1,10.0.0.200,1,53,,1700000070,1700000071,1,1,1,1,dns,SF",
            "field \"proto\": wanted a protocol such as tcp, or its number, got nothing",
        ),
        (
            "10.0.0.1,10.0.0.200,1,53,udp,noon,1700000071,1,1,1,1,dns,SF",
            "field \"start\": wanted epoch seconds or RFC 3339, got \"noon\"",
        ),
        (
            "10.0.0.1,10.0.0.200,1,53,udp,1700000070,1700000060,1,1,1,1,dns,SF",
            "field \"end\": wanted a time that is not before the start",
        ),
        (
            "10.0.0.1,10.0.0.200,1,53,udp,1700000070,1700000071,-5,1,1,1,dns,SF",
            "field \"orig_bytes\": wanted a whole number from 0 to 2^53, got \"-5\"",
        ),
        ("10.0.0.1,10.0.0.200,1,53,udp,1700000070,1700000071,1,1,1,1,dns,S7", "field \"conn_state\": wanted a state of Zeek"),
        ("10.0.0.1,10.0.0.200", "wanted as many fields as the header has, got \"2 fields, 13 columns\""),
        ("\"10.0.0.1,10.0.0.200", "wanted a closing quote"),
    ];
    for (line, words) in wrong {
        let place = good.match_indices('\n').nth(30).unwrap().0 + 1;
        let log = folder.put("log.csv", format!("{}{line}\n{}", &good[..place], &good[place..]).as_bytes());
        let run = detect(&[&log, "--stats", &folder.name("stats")]).ended(1).said(&["log.csv, line 32: ", words]);
        assert!(run.stderr.contains("judged   by"), "{}", run.stderr);
        let stats: Value = serde_json::from_slice(&folder.read("stats")).unwrap();
        let records = &stats["records"];
        assert_eq!(
            (&records["records"], &records["unreadable"], &records["balanced"]),
            (&json!(60), &json!(1), &json!(true)),
            "{line}"
        );
    }
    // A line without end is no reason to take all memory, and a file that is cut in one says so.
    let long = folder.put("long.csv", format!("{good}{}\n", "x".repeat(3 << 20)).as_bytes());
    detect(&[&long]).ended(1).said(&["line 62: field \"line\": wanted at most 1 MiB, got \"a longer one\""]);
    let cut = folder.put("cut.csv", &good.as_bytes()[..good.len() - 40]);
    detect(&[&cut]).ended(4).said(&["cut.csv, line 61: "]);
    let packed = zstd::encode_all(small(20_000).as_bytes(), 1).unwrap();
    let cut = folder.put("cut.zst", &packed[..packed.len() / 2]);
    let run = detect(&[&cut, "--stats", &folder.name("stats")]).ended(4).said(&["the compressed data end early"]);
    let stats: Value = serde_json::from_slice(&folder.read("stats")).unwrap();
    assert!(stats["records"]["records"].as_u64().unwrap() > 1000, "{}", run.stderr);
}

#[test]
fn other_events_of_eve_and_of_zeek_are_passed_over_and_counted() {
    let folder = Folder::new();
    let flow = |n: usize| {
        json!({
            "timestamp": "2023-11-14T22:14:00.000000+0000", "event_type": "flow", "flow_id": n + 1, "src_ip": format!("10.0.0.{}", n % 5 + 1),
            "src_port": 40_000 + n, "dest_ip": "10.0.0.200", "dest_port": 443, "proto": "TCP", "app_proto": "tls",
            "flow": {"pkts_toserver": 6, "pkts_toclient": 5, "bytes_toserver": 900, "bytes_toclient": 3000, "state": "closed", "reason": "timeout",
                "start": format!("2023-11-14T22:13:{n:02}.000000+0000"), "end": format!("2023-11-14T22:13:{n:02}.500000+0000")},
            "tcp": {"tcp_flags": "1b", "tcp_flags_ts": "1b", "tcp_flags_tc": "1b"},
        })
    };
    let mut log = String::from("{\"event_type\":\"stats\"}\n\n");
    for n in 0..60 {
        let _ = writeln!(log, "{}\n{}", json!({"event_type": if n % 2 == 0 { "dns" } else { "tls" }}), flow(n));
    }
    let path = folder.put("eve.json", log.as_bytes());
    let run = detect(&[&path, "--stats", &folder.name("stats"), "--flows", &folder.name("flows")]).ended(0);
    run.said(&["121 = 60 flow records + 30 dns + 1 stats + 30 tls", "EVE flow events without features"]);
    let stats: Value = serde_json::from_slice(&folder.read("stats")).unwrap();
    assert_eq!(stats["records"]["skipped"], json!({"dns": 30, "stats": 1, "tls": 30}));
    let first = &lines(&folder.read("flows"))[0];
    assert_eq!(
        (&first["flow_id"], &first["auscult"]["conn_state"], &first["app_proto"]),
        (&json!(1), &json!("SF"), &json!("tls"))
    );
}

#[test]
fn captures_and_records_are_not_learned_from_at_once() {
    let folder = Folder::new();
    let log = folder.put("log.csv", small(60).as_bytes());
    let model = folder.name("model");
    auscult(&["train", &log, text(&clinic()), "--out", &model]).ended(2).said(&[
        "captures and flow records in one call",
        "log.csv",
        "clinic.pcap.zst",
    ]);
    let truth = project("datasets/clinic/clinic.labels.csv");
    auscult(&["eval", text(&clinic()), &log, "--truth", text(&truth)]).ended(2).said(&["one kind at a time"]);
    auscult(&["train", &log, "--out", &model]).ended(0).said(&["60 flow records"]);
}
