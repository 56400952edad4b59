//! The command line as its users meet it: exit status, what is said and where, formats.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::Stdio;

use serde_json::Value;

use crate::support::packets::{ACK, SYN, Shot, pcap, tcp, udp};
use crate::support::{self, CLINIC_SPLIT, Folder, auscult, auscult_fed, clinic, clinic_model, lines, program, text};

/// A capture of `count` answered connection attempts and look-ups, a second apart: enough to learn from.
fn small_shots(count: u64) -> Vec<Shot> {
    let (client, server) = ([10, 0, 0, 5], ([10, 0, 0, 1], 53));
    let mut shots = Vec::new();
    for n in 0..count {
        let micros = 1_700_000_000_000_000 + n * 1_000_000;
        let port = 40_000 + n as u16;
        shots.push(Shot { micros, data: udp((client, port), server, b"question") });
        shots.push(Shot { micros: micros + 900, data: udp(server, (client, port), b"a longer answer") });
        shots.push(Shot { micros: micros + 5000, data: tcp((client, port), ([10, 0, 0, 2], 22), 100, 0, SYN, b"") });
        shots.push(Shot { micros: micros + 5400, data: tcp(([10, 0, 0, 2], 22), (client, port), 500, 101, SYN | ACK, b"") });
    }
    shots
}

fn small() -> Vec<u8> {
    pcap(&small_shots(20))
}

/// Packets in the flow records of a file.
fn packets_in(flows: &[u8]) -> u64 {
    let count = |line: &Value, side: &str| line["flow"][side].as_u64().unwrap();
    lines(flows).iter().map(|line| count(line, "pkts_toserver") + count(line, "pkts_toclient")).sum()
}

#[test]
fn help_lists_the_commands_and_is_a_result() {
    let help = auscult(&["--help"]).ended(0);
    assert_eq!(help.stderr, "");
    let page = String::from_utf8(help.stdout).unwrap();
    for command in [
        "replay",
        "watch",
        "detect",
        "train",
        "flows",
        "eval",
        "inspect",
        "explain",
        "report",
        "model",
        "alerts",
        "learn",
        "mute",
        "close",
        "unlearn",
        "unmute",
        "verify",
        "pseudonyms",
        "reveal",
    ] {
        assert!(page.lines().any(|line| line.trim_start().starts_with(&format!("{command} "))), "{command} is not in:\n{page}");
        let own = auscult(&[command, "--help"]).ended(0);
        assert!(String::from_utf8(own.stdout).unwrap().contains("Usage: auscult"), "{command}");
    }
    let version = auscult(&["--version"]).ended(0);
    assert_eq!(String::from_utf8(version.stdout).unwrap(), format!("auscult {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn wrong_usage_is_status_2_and_says_what() {
    let folder = Folder::new();
    let capture = folder.put("small.pcap", &small());
    for (arguments, words) in [
        (vec![], "Usage"),
        (vec!["replay"], "FILE"),
        (vec!["listen"], "listen"),
        (vec!["replay", "--wrokers", "2", &capture], "--wrokers"),
        (vec!["replay", "--workers", "0", &capture], "--workers"),
        (vec!["replay", "--from", "noon", &capture], "noon"),
        (vec!["replay", "--from", "20", "--to", "10", &capture], "--from"),
        (vec!["replay", "--from", "10", "--to", "10", &capture], "--from"),
        (vec!["replay", "--max-flows", "3", &capture], "256"),
        (vec!["replay", "--udp-idle", "0", &capture], "udp"),
        (vec!["replay", "--home-net", "10.0.0.0/40", &capture], "10.0.0.0/40"),
        (vec!["replay", "--alert-budget=-1/day", &capture], "alert-budget"),
        (vec!["replay", "--alert-budget", "none", &capture], "none"),
        (vec!["replay", "--alerts", "leef:alerts", &capture], "leef"),
        (vec!["flows", "--format", "xml", &capture], "xml"),
        (vec!["train", &capture], "--out"),
        (vec!["eval", &capture], "--truth"),
        (vec!["inspect"], "MODEL"),
    ] {
        let run = auscult(&arguments);
        assert_eq!((run.status, run.stdout.len()), (2, 0), "{arguments:?}: {}", run.stderr);
        assert!(run.stderr.contains(words), "{arguments:?}: {words:?} is not in {}", run.stderr);
    }
}

#[test]
fn what_cannot_be_read_is_status_1_with_its_name() {
    let folder = Folder::new();
    let picture = folder.put("picture.png", b"\x89PNG\r\n\x1a\n and more of it");
    let empty = folder.put("empty.pcap", b"");
    let readme = folder.put("papers/README", b"no capture");
    let papers = folder.name("papers");
    let nowhere = folder.name("nowhere.pcap");
    for (name, words) in [
        (&nowhere, "no such file"),
        (&picture, "not a capture: begins with 89504e47; wanted pcap"),
        (&empty, "empty"),
        (&readme, "not a capture"),
        (&papers, "without captures"),
    ] {
        for command in ["replay", "flows"] {
            let run = auscult(&[command, name.as_str()]).ended(1).said(&[name, words]);
            assert!(run.stdout.is_empty(), "{command} {name}");
        }
    }
    auscult(&["replay", "--model", &nowhere, text(&clinic())]).ended(1).said(&["nowhere.pcap"]);
    auscult(&["replay", "--alerts", &folder.name("no/such/folder"), text(&clinic())]).ended(1).said(&["no/such/folder"]);
    auscult(&["train", &folder.put("header.pcap", &pcap(&[])), "--out", &folder.name("m")]).ended(1).said(&["flows to learn"]);
    assert!(!folder.path("m").exists());
}

#[test]
fn a_file_that_may_not_be_read_is_status_1() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = Folder::new();
    let secret = folder.put("secret.pcap", &small());
    std::fs::set_permissions(folder.path("secret.pcap"), std::fs::Permissions::from_mode(0o000)).unwrap();
    if std::fs::File::open(folder.path("secret.pcap")).is_ok() {
        println!("skipped: permissions do not hold for this user (root)");
        return;
    }
    auscult(&["replay", &secret]).ended(1).said(&["secret.pcap", "cannot be read", "ermission"]);
}

/// A capture of 80 packets that went wrong at the last: every command still writes the 79 before it.
fn the_79_before(bytes: &[u8], status: i32, words: &[&str]) {
    let folder = Folder::new();
    let capture = folder.put("broken.pcap", bytes);
    let flows = folder.name("flows");
    let run = auscult(&["replay", &capture, "--flows", &flows]).ended(status).said(words).said(&["broken.pcap: packet 80, byte"]);
    assert!(run.stderr.contains("judged   by what this capture taught itself"), "not judged: {}", run.stderr);
    assert_eq!(packets_in(&folder.read("flows")), 79);
    let run = auscult(&["flows", &capture]).ended(status).said(words);
    assert_eq!(packets_in(&run.stdout), 79);
    auscult(&["train", &capture, "--out", &folder.name("model")]).ended(status).said(words);
    assert!(folder.path("model").exists(), "what was read was not learned from");
}

#[test]
fn a_cut_capture_is_status_4_and_judged_up_to_there() {
    let whole = small();
    the_79_before(&whole[..whole.len() - 5], 4, &["ends inside a record", "wanted", "had"]);
}

#[test]
fn a_cut_gzip_stream_is_status_4() {
    let folder = Folder::new();
    let mut bytes = gzip(&pcap(&small_shots(500)));
    bytes.truncate(bytes.len() / 2);
    let capture = folder.put("cut.pcap.gz", &bytes);
    let run = auscult(&["flows", &capture]).ended(4).said(&["cut.pcap.gz", "gzip"]);
    assert!(packets_in(&run.stdout) > 10);
}

#[test]
fn an_absurd_length_is_status_1_and_judged_up_to_there() {
    let mut bytes = pcap(&small_shots(20)[..79]);
    let absurd = [1_700_000_100_u32, 0, 0x7fff_ffff, 0x7fff_ffff];
    bytes.extend(absurd.iter().flat_map(|n| n.to_le_bytes()));
    bytes.extend([0; 64]);
    the_79_before(&bytes, 1, &["damaged", "2147483647 bytes; wanted"]);
}

#[test]
fn a_damaged_pcapng_block_is_status_1_and_what_was_before_is_written() {
    let block = |kind: u32, body: &[u8]| {
        let length = (body.len() as u32 + 12).to_le_bytes();
        [&kind.to_le_bytes()[..], &length, body, &length].concat()
    };
    let section = block(0x0a0d_0d0a, &[&0x1a2b_3c4d_u32.to_le_bytes()[..], &[1, 0, 0, 0], &[0xff; 8]].concat());
    let interface = block(1, &[1, 0, 0, 0, 0, 0, 0, 0]);
    let mut bytes = [section, interface].concat();
    for shot in &small_shots(5) {
        let length = shot.data.len() as u32;
        let fields = [0, (shot.micros >> 32) as u32, shot.micros as u32, length, length];
        let mut body: Vec<u8> = fields.iter().flat_map(|n| n.to_le_bytes()).collect();
        body.extend_from_slice(&shot.data);
        body.resize(body.len().next_multiple_of(4), 0);
        bytes.extend(block(6, &body));
    }
    let last = bytes.len() - 4;
    bytes[last..].copy_from_slice(&77_u32.to_le_bytes());
    let folder = Folder::new();
    let capture = folder.put("block.pcapng", &bytes);
    let run = auscult(&["flows", &capture]).ended(1).said(&["block.pcapng: packet 20, byte", "damaged: block length is", "77"]);
    assert_eq!(packets_in(&run.stdout), 19);
}

/// It once wrote no flow at all when a capture held too little to learn from.
#[test]
fn flows_that_could_not_be_judged_are_written_all_the_same() {
    let folder = Folder::new();
    let capture = folder.put("two.pcap", &pcap(&small_shots(1)));
    let run = auscult(&["replay", &capture, "--flows", &folder.name("flows")])
        .ended(0)
        .said(&["an attack on any network alone", "--model"]);
    assert_eq!(run.stderr.matches("flows to learn from").count(), 1, "said twice: {}", run.stderr);
    let flows = lines(&folder.read("flows"));
    assert_eq!((flows.len(), packets_in(&folder.read("flows"))), (2, 4));
    assert!(flows.iter().all(|flow| flow["auscult"]["bits"].is_null()), "not judged is not 0 bits");
}

#[test]
fn completions_and_manual_know_every_command() {
    let help = auscult(&["--help"]).ended(0).stdout;
    let help = String::from_utf8(help).unwrap();
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let commands: Vec<&str> = listed.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help").collect();
    assert!(commands.len() > 15, "{commands:?}");
    let folder = Folder::new();
    auscult(&["manual", &folder.name("pages")]).ended(0);
    let page = |name: &str| String::from_utf8(folder.read(&format!("pages/auscult-{name}.1"))).unwrap();
    assert!(commands.iter().all(|name| page(name).contains(".TH ")) && page("watch").contains("loss"));
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = String::from_utf8(auscult(&["completions", shell]).ended(0).stdout).unwrap();
        assert!(commands.iter().all(|name| script.contains(name)) && script.contains("loss-limit"), "{shell}");
    }
}

#[test]
fn a_remote_call_that_takes_control_is_told_without_a_model() {
    let captures = [
        ("Lateral Movement/LM_psexec_smb_dcerpc_epm_svcctl.pcapng", "svcctl.CreateServiceWOW64W of 172.16.66.36"),
        ("Lateral Movement/LM_WMI_ProcessCallCreate.pcapng", "IWbemServices.ExecMethod of"),
        ("CredAccess/DCShadow_add_primarygroupid_512_to_std_account.pcapng", "drsuapi.ReplicaAdd of"),
    ];
    for (name, call) in captures {
        let Some(capture) = support::data(&format!("pcap-attack/{name}")) else { return };
        let told = auscult(&["replay", text(&capture)]).ended(0).lines();
        let of_calls = told.iter().filter(|line| line["auscult"]["why"].to_string().contains(call));
        let classes: Vec<&Value> = of_calls.map(|line| &line["auscult"]["incident"]["class"]).collect();
        assert!(!classes.is_empty() && classes.iter().all(|class| *class == "lateral_movement"), "{name}: {told:#?}");
    }
}

#[test]
fn a_model_that_does_not_fit_is_refused_and_both_sides_named() {
    let folder = Folder::new();
    let model: Value = serde_json::from_slice(&std::fs::read(clinic_model(&folder)).unwrap()).unwrap();
    let changed = |name: &str, change: &dyn Fn(&mut Value)| {
        let mut model = model.clone();
        change(&mut model);
        folder.put(name, &serde_json::to_vec(&model).unwrap())
    };
    let schema = model["schema"].as_str().unwrap();
    let digest = model["digest"].as_str().unwrap();
    let other = "sha256:0000000000000000000000000000000000000000000000000000000000000000";
    let cases = [
        (changed("format", &|model| model["format"] = 77.into()), vec!["format 77", "format 2"]),
        (changed("schema", &|model| model["schema"] = other.into()), vec![other, schema]),
        (changed("digest", &|model| model["digest"] = other.into()), vec![other, digest]),
        (changed("content", &|model| model["model"]["provenance"]["seed"] = 8.into()), vec!["digest", digest]),
        (changed("kind", &|model| model["kind"] = "a recipe".into()), vec!["a recipe", "auscult model"]),
        (folder.put("text", b"once upon a time"), vec!["not a model"]),
        (folder.put("list", b"[1, 2]"), vec!["not a model"]),
        (folder.put("nothing", b""), vec!["not a model"]),
    ];
    for (model, words) in &cases {
        for arguments in [vec!["inspect", model], vec!["replay", "--model", model, text(&clinic())]] {
            let run = auscult(&arguments).ended(1).said(&[model]).said(words);
            assert!(run.stdout.is_empty());
            let line = run.stderr.trim_end();
            assert!(!line.contains('\n') && line.starts_with("auscult: "), "one line: {line}");
            let (_, cause) = line.rsplit_once(": ").unwrap();
            assert_eq!(line.matches(cause).count(), 1, "said twice: {line}");
        }
    }
}

#[test]
fn fail_on_alert_is_status_3_only_with_alerts() {
    let folder = Folder::new();
    let model = clinic_model(&folder);
    let capture = clinic();
    let judge = ["replay", text(&capture), "--model", &model, "--fail-on-alert"];
    let run = auscult(&[&judge[..], &["--from", CLINIC_SPLIT]].concat()).ended(3);
    assert!(!run.lines().is_empty());
    let run = auscult(&["replay", &folder.put("quiet.pcap", &small()), "--fail-on-alert", "--alert-budget", "0.001"]).ended(0);
    assert!(run.stdout.is_empty());
}

#[test]
fn the_summary_begins_with_what_matters_most() {
    let folder = Folder::new();
    let model = clinic_model(&folder);
    let run = auscult(&["replay", text(&clinic()), "--from", CLINIC_SPLIT, "--model", &model]).ended(0);
    let severities = ["high", "medium", "low"];
    let told = |line: &str| -> Option<(usize, f64)> {
        let (word, rest) = line.strip_prefix("  ")?.split_once(' ')?;
        let severity = severities.iter().position(|severity| *severity == word)?;
        Some((severity, rest.trim_start().split(' ').next()?.parse().ok()?))
    };
    let listed: Vec<(usize, f64)> = run.stderr.lines().filter_map(told).collect();
    assert!(listed.is_sorted_by(|a, b| (a.0, -a.1) <= (b.0, -b.1)), "{}", run.stderr);
    // All that closed, put in that order, begin with these.
    let closed = run.lines().into_iter().filter(|line| line["auscult"]["incident"]["state"] == "closed");
    let of = |line: Value| (line["alert"]["severity"].as_u64().unwrap() as usize - 1, line["auscult"]["bits"].as_f64().unwrap());
    let mut all: Vec<(usize, f64)> = closed.map(of).collect();
    all.sort_by(|a, b| a.0.cmp(&b.0).then(b.1.total_cmp(&a.1)));
    let rounded = |list: &[(usize, f64)]| list.iter().map(|(severity, bits)| format!("{severity} {bits:.1}")).collect::<Vec<_>>();
    assert_eq!(rounded(&listed), rounded(&all[..listed.len()]));
    assert_eq!(listed.len(), all.len().min(10));
    let others = all.len() - listed.len();
    assert_eq!(others > 0, run.stderr.contains(&format!("… and {others} more")), "{}", run.stderr);
}

#[test]
fn stdout_carries_results_alone() {
    let folder = Folder::new();
    let model = clinic_model(&folder);
    let run =
        auscult(&["replay", text(&clinic()), "--from", CLINIC_SPLIT, "--model", &model]).ended(0).said(&["frames", "alerts"]);
    let alerts = run.lines();
    assert!(!alerts.is_empty() && alerts.iter().all(|line| line["event_type"] == "alert"));
    assert!(!run.stderr.contains('\u{1b}') && !run.stderr.contains('\r'), "no colour and no bar but on a terminal");
    let run = auscult(&["flows", text(&clinic())]).ended(0);
    assert!(run.lines().iter().all(|line| line["event_type"] == "flow"));
    let page = String::from_utf8(auscult(&["inspect", &model]).ended(0).stdout).unwrap();
    assert!(page.contains("behaviours") && page.contains("10.77.0.10") && page.contains("sha256:"), "{page}");
}

#[test]
fn inspect_json_is_the_card_for_programs() {
    let folder = Folder::new();
    let model = clinic_model(&folder);
    let card: Value = serde_json::from_slice(&auscult(&["inspect", "--json", &model]).ended(0).stdout).unwrap();
    let file: Value = serde_json::from_slice(&std::fs::read(&model).unwrap()).unwrap();
    assert_eq!((&card["digest"], &card["schema"], &card["format"]), (&file["digest"], &file["schema"], &file["format"]));
    let source = &card["provenance"]["sources"][0];
    assert_eq!((source["name"].as_str(), source["sha256"].as_str().map(str::len)), (Some("clinic.pcap.zst"), Some(64)));
    assert!(card["devices"].as_object().unwrap().contains_key("10.77.0.10"));
    assert!(card["threshold_bits"].as_f64().unwrap() > 0.0);
    assert!(!card["behaviours"].as_array().unwrap().is_empty());
}

/// Enough output that the pipe is closed while the program still writes.
fn read_a_line_and_leave(arguments: &[&str]) -> (String, i32, String) {
    let mut child = program().args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    (line, child.wait().unwrap().code().unwrap(), stderr)
}

#[test]
fn a_closed_pipe_is_no_error() {
    let folder = Folder::new();
    let model = clinic_model(&folder);
    let stats = folder.name("stats");
    let capture = clinic();
    let judge = ["replay", text(&capture), "--model", &model, "--stats", &stats];
    let with_flows = [&judge[..], &["--alerts", "/dev/null", "--flows", "-"]].concat();
    for arguments in [&judge[..], &with_flows, &["flows", text(&capture)]] {
        let (line, status, stderr) = read_a_line_and_leave(arguments);
        assert_eq!(status, 0, "{arguments:?}: {stderr}");
        assert!(serde_json::from_str::<Value>(&line).unwrap().is_object());
        assert!(!stderr.contains("panicked") && !stderr.to_lowercase().contains("broken pipe"), "{stderr}");
    }
    // The reader of the alerts went away, not that of the other outputs.
    assert!(serde_json::from_slice::<Value>(&folder.read("stats")).is_ok());
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn standard_input_plain_and_compressed_is_the_same_as_a_file() {
    let folder = Folder::new();
    let by_file = auscult(&["flows", &folder.put("small.pcap", &small())]).ended(0).stdout;
    for input in [small(), gzip(&small()), zstd::encode_all(&small()[..], 1).unwrap()] {
        assert!(auscult_fed(&["flows", "-"], input.clone()).ended(0).stdout == by_file);
        auscult_fed(&["replay", "-"], input).ended(0).said(&["80 packets"]);
    }
    auscult_fed(&["replay", "-"], Vec::new()).ended(1).said(&["standard input", "empty"]);
}

#[test]
fn a_folder_is_read_in_the_order_of_time() {
    let folder = Folder::new();
    let shots = small_shots(20);
    folder.put("captures/b-first.pcap", &pcap(&shots[..30]));
    folder.put("captures/a-last.pcap.gz", &gzip(&pcap(&shots[30..])));
    folder.put("captures/notes.txt", b"where these come from");
    let whole = folder.put("whole.pcap", &small());
    assert!(auscult(&["flows", &folder.name("captures")]).ended(0).stdout == auscult(&["flows", &whole]).ended(0).stdout);
}

#[test]
fn from_is_inclusive_and_to_exclusive() {
    let folder = Folder::new();
    let capture = folder.put("small.pcap", &small());
    let first = 1_700_000_000_u64;
    let count = |from: u64, to: u64| {
        let run = auscult(&["flows", &capture, "--from", &from.to_string(), "--to", &to.to_string()]).ended(0);
        packets_in(&run.stdout)
    };
    // Four packets in every second, the first of them on the second itself.
    assert_eq!((count(first, first + 1), count(first + 5, first + 7), count(first - 9, first)), (4, 8, 0));
    let run = auscult(&["flows", &capture, "--from", "2023-11-14T22:13:39Z", "--to", "2023-11-14T22:13:21+00:00"]);
    assert_eq!(run.status, 2, "{}", run.stderr);
    let run = auscult(&["flows", &capture, "--from", "2023-11-14T22:13:20Z", "--to", "2023-11-14T23:13:21+01:00"]).ended(0);
    assert_eq!(packets_in(&run.stdout), 4);
}

/// The fields of a line of CSV (RFC 4180).
fn fields(line: &str) -> Vec<String> {
    let (mut fields, mut is_quoted) = (vec![String::new()], false);
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if is_quoted && letters.peek() == Some(&'"') => fields.last_mut().unwrap().extend(letters.next()),
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => fields.push(String::new()),
            letter => fields.last_mut().unwrap().push(letter),
        }
    }
    fields
}

#[test]
fn csv_and_json_hold_the_same() {
    let folder = Folder::new();
    let json = auscult(&["flows", text(&clinic())]).ended(0).lines();
    auscult(&["flows", text(&clinic()), "--format", "csv", "--out", &folder.name("flows.csv")]).ended(0);
    let csv = String::from_utf8(folder.read("flows.csv")).unwrap();
    let mut rows = csv.lines().map(fields);
    let header = rows.next().unwrap();
    let rows: Vec<_> = rows.collect();
    assert_eq!(rows.len(), json.len());
    let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    for (row, event) in rows.iter().zip(&json) {
        assert_eq!(row.len(), header.len());
        let cell = |name: &str| &*row[header.iter().position(|column| *column == name).unwrap()];
        match event["auscult"].get("facts") {
            Some(facts) => assert_eq!(&serde_json::from_str::<Value>(cell("auscult_facts")).unwrap(), facts),
            None => assert_eq!(cell("auscult_facts"), ""),
        }
        for name in ["flow_id", "community_id", "src_ip", "dest_ip", "proto", "app_proto"] {
            assert_eq!(cell(name), plain(&event[name]), "{name}");
        }
        for name in ["start", "end", "pkts_toserver", "pkts_toclient", "bytes_toserver", "bytes_toclient", "state", "reason"] {
            assert_eq!(cell(&format!("flow_{name}")), plain(&event["flow"][name]), "{name}");
        }
        let features = event["auscult"]["features"].as_object().unwrap();
        assert_eq!(features.len(), auscult::feature::COUNT);
        for (name, value) in features {
            assert_eq!(cell(name).parse::<f64>().unwrap(), value.as_f64().unwrap(), "{name}");
        }
    }
}

#[cfg(feature = "parquet")]
#[test]
fn parquet_and_json_hold_the_same() {
    use parquet::file::reader::{FileReader as _, SerializedFileReader};
    use parquet::record::Field;
    let folder = Folder::new();
    let json = auscult(&["flows", text(&clinic())]).ended(0).lines();
    auscult(&["flows", text(&clinic()), "--format", "parquet", "--out", &folder.name("flows.parquet")]).ended(0);
    let file = std::fs::File::open(folder.path("flows.parquet")).unwrap();
    let rows: Vec<_> = SerializedFileReader::new(file).unwrap().get_row_iter(None).unwrap().map(Result::unwrap).collect();
    assert_eq!(rows.len(), json.len());
    for (row, event) in rows.iter().zip(&json) {
        let cells: std::collections::BTreeMap<&str, &Field> =
            row.get_column_iter().map(|(name, field)| (name.as_str(), field)).collect();
        assert_eq!(cells["flow_id"], &Field::Long(event["flow_id"].as_i64().unwrap()));
        assert_eq!(cells["src_ip"], &Field::Str(event["src_ip"].as_str().unwrap().to_owned()));
        assert_eq!(cells["flow_bytes_toserver"], &Field::Long(event["flow"]["bytes_toserver"].as_i64().unwrap()));
        let Field::TimestampMicros(micros) = cells["flow_start"] else { panic!("{:?}", cells["flow_start"]) };
        let start = auscult::time::Timestamp::from_nanos(micros * 1000).to_string();
        assert_eq!(start, event["flow"]["start"].as_str().unwrap());
        for (name, value) in event["auscult"]["features"].as_object().unwrap() {
            assert_eq!(cells[name.as_str()], &Field::Double(value.as_f64().unwrap()), "{name}");
        }
    }
}
