//! The record of alerts and the answers to them: `auscult verify`, `learn`, `mute`, `close`, `unlearn`, `unmute`, `alerts`, and what
//! they do to a replay.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;
use std::sync::OnceLock;

use serde_json::Value;

use crate::support::{CLINIC_SPLIT, Folder, Run, auscult, clinic, clinic_model, lines, program, text};

/// The clinic's model and the alerts of its second part, made once.
struct Clinic {
    _folder: Folder,
    model: String,
    alerts: Vec<u8>,
}

fn the_clinic() -> &'static Clinic {
    static CLINIC: OnceLock<Clinic> = OnceLock::new();
    CLINIC.get_or_init(|| {
        let folder = Folder::new();
        let model = clinic_model(&folder);
        let alerts = replay_with(&model, &["--workers", "2"]).stdout;
        Clinic { _folder: folder, model, alerts }
    })
}

fn replay_with(model: &str, more: &[&str]) -> Run {
    let capture = clinic();
    let mut args = vec!["replay", text(&capture), "--from", CLINIC_SPLIT, "--model", model];
    args.extend(more);
    auscult(&args).ended(0)
}

fn out(run: &Run) -> String {
    String::from_utf8(run.stdout.clone()).unwrap()
}

fn id(line: &Value) -> String {
    line["auscult"]["incident"]["id"].as_str().unwrap().to_owned()
}

/// Lines without what depends on the lines before them.
fn unchained(bytes: &[u8]) -> Vec<Value> {
    let mut lines = lines(bytes);
    for line in &mut lines {
        line["auscult"].as_object_mut().unwrap().remove("chain");
    }
    lines
}

/// The incidents by identifier and their classes.
fn classes(bytes: &[u8]) -> BTreeMap<String, String> {
    let class = |line: &Value| line["auscult"]["incident"]["class"].as_str().unwrap().to_owned();
    lines(bytes).iter().map(|line| (id(line), class(line))).collect()
}

/// A class with one incident of all whose lines are complete, and its last line.
fn some_incident(alerts: &[u8]) -> Value {
    let all = lines(alerts);
    let mut complete = all.iter().filter(|line| line["auscult"]["incident"]["complete"] == true);
    complete.rfind(|line| line["auscult"]["incident"]["state"] == "closed").unwrap().clone()
}

#[test]
fn a_record_is_whole_or_the_place_is_told() {
    let (folder, alerts) = (Folder::new(), &the_clinic().alerts);
    let whole = folder.put("alerts.jsonl", alerts);
    let count = lines(alerts).len();
    let run = auscult(&["verify", &whole]).ended(0);
    let page = out(&run);
    let first = lines(alerts)[0]["timestamp"].as_str().unwrap().to_owned();
    assert!(page.starts_with(&format!("whole: {count} lines from {first} to ")) && page.contains("models sha256:"), "{page}");

    let each: Vec<&str> = std::str::from_utf8(alerts).unwrap().lines().collect();
    assert!(each.len() > 6);
    let parts = [folder.put("a.2", each[..2].join("\n").as_bytes()), folder.put("a", (each[4..].join("\n") + "\n").as_bytes())];
    let middle = folder.put("a.1", (each[2..4].join("\n") + "\n").as_bytes());
    let verdict = |files: &[&str]| {
        let mut args = vec!["verify", "--json"];
        args.extend(files);
        let run = auscult(&args);
        let verdict: Value = serde_json::from_slice(&run.stdout).unwrap();
        assert_eq!(run.status == 0, verdict["whole"] == true);
        verdict
    };
    let rotated = verdict(&[&parts[1], &middle, &parts[0]]);
    assert_eq!((&rotated["lines"], &rotated["broken"], &rotated["first_seq"]), (&count.into(), &Value::Null, &0.into()));
    let later = verdict(&[&middle, &parts[1]]);
    assert_eq!((&later["first_seq"], &later["whole"]), (&2.into(), &true.into()));
    let gap = verdict(&[&parts[0], &parts[1]]);
    assert_eq!((gap["broken"]["file"].as_str(), &gap["broken"]["line"]), (Some(&*parts[1]), &1.into()));

    let changed =
        folder.put("changed", std::str::from_utf8(alerts).unwrap().replacen("\"severity\":1", "\"severity\":3", 1).as_bytes());
    let run = auscult(&["verify", &changed]).ended(1);
    assert!(out(&run).starts_with(&format!("broken: {changed}, line ")) && out(&run).contains("expected  seq"), "{}", out(&run));
    let cut = folder.put("cut", &alerts[..alerts.len() - 9]);
    assert!(out(&auscult(&["verify", &cut]).ended(1)).contains("cut off"));
    auscult(&["verify", &folder.put("empty", b"")]).ended(1).said(&["no line"]);
    auscult(&["verify", &folder.name("nowhere")]).ended(1).said(&["nowhere"]);
}

#[test]
fn what_was_learned_is_hidden_counted_listed_and_comes_back() {
    let (folder, clinic) = (Folder::new(), the_clinic());
    let alerts = folder.put("alerts.jsonl", &clinic.alerts);
    let (answers, hidden, stats) = (folder.name("answers.jsonl"), folder.name("hidden.jsonl"), folder.name("stats.json"));
    let incident = some_incident(&clinic.alerts);
    let incident_id = id(&incident);
    let learn =
        ["learn", &incident_id[..10], "--alerts", &alerts, "--answers", &answers, "--by", "ada", "--reason", "a known job"];
    auscult(&learn).ended(0).said(&["answer 0 hides"]);
    let answer: Value = lines(&folder.read("answers.jsonl")).remove(0);
    assert_eq!(
        (answer["by"].as_str(), answer["answer"].as_str(), answer["reason"].as_str()),
        (Some("ada"), Some("learn"), Some("a known job"))
    );
    assert_eq!(answer["hides"]["host"], incident["auscult"]["incident"]["hosts"]);

    let run = replay_with(&clinic.model, &["--answers", &answers, "--hidden", &hidden, "--stats", &stats]);
    let is_its = |line: &&Value| id(line) == incident_id;
    let before = unchained(&clinic.alerts);
    let wanted: Vec<&Value> = before.iter().filter(|line| !is_its(line)).collect();
    assert_eq!(unchained(&run.stdout).iter().collect::<Vec<_>>(), wanted, "the other incidents are as they were");
    let mut hid = unchained(&folder.read("hidden.jsonl"));
    for line in &mut hid {
        let by = line["auscult"].as_object_mut().unwrap().remove("answer").unwrap();
        assert_eq!((by["number"].as_u64(), by["answer"].as_str(), by["by"].as_str()), (Some(0), Some("learn"), Some("ada")));
    }
    assert_eq!(hid.iter().collect::<Vec<_>>(), before.iter().filter(is_its).collect::<Vec<_>>());
    auscult(&["verify", &hidden]).ended(0);
    let stats: Value = serde_json::from_slice(&folder.read("stats.json")).unwrap();
    let counted = &stats["answers"];
    assert_eq!((&counted["hidden"]["incidents"], &counted["hidden"]["lines"]), (&1.into(), &hid.len().into()));
    assert_eq!(counted["by_answer"][0]["class"], incident["auscult"]["incident"]["class"]);
    run.said(&["hidden   1 of these incidents", "answer 0, learn by ada: a known job: 1 "]);

    auscult(&["unmute", "0", "--answers", &answers, "--by", "ada"]).ended(1).said(&["answer 0 is a learn"]);
    auscult(&["unlearn", &incident_id, "--answers", &answers, "--by", "bob", "--reason", "the job is gone"]).ended(0);
    assert_eq!(replay_with(&clinic.model, &["--answers", &answers]).stdout, clinic.alerts, "byte for byte as before");
    auscult(&["unlearn", "0", "--answers", &answers, "--by", "bob"]).ended(1).said(&["taken back by answer 1"]);
    auscult(&["verify", &answers]).ended(0);
}

#[test]
fn a_mute_hides_its_classes_alone_and_a_recheck_says_what_it_would_have_hidden() {
    let (folder, clinic) = (Folder::new(), the_clinic());
    let alerts = folder.put("alerts.jsonl", &clinic.alerts);
    let (all, every_line) = (classes(&clinic.alerts), lines(&clinic.alerts));
    // One none of whose incidents ever had another name: under another one it is told all the same.
    let of = |line: &Value| line["auscult"]["incident"]["class"].as_str().unwrap().to_owned();
    let renamed: BTreeSet<String> = every_line.iter().filter(|line| all[&id(line)] != of(line)).map(id).collect();
    let touched: BTreeSet<String> = every_line.iter().filter(|line| renamed.contains(&id(line))).map(of).collect();
    let class = all.values().find(|class| !touched.contains(*class)).unwrap().as_str();
    let other = if class == "scan" { "sweep" } else { "scan" };
    let base = ["--from", "2020-01-01T00:00:00Z", "--until", "2040-01-01T00:00:00Z", "--reason", "test", "--by", "ada"];
    let mute = |answers: &str, more: &[&str]| {
        let mut args = vec!["mute", "--answers", answers];
        args.extend(more);
        args.extend(base);
        auscult(&args).ended(0);
    };
    let (of_class, of_other, of_all) = (folder.name("class"), folder.name("other"), folder.name("all"));
    mute(&of_class, &["--class", class]);
    mute(&of_other, &["--class", other, "--host", "203.0.113.0/24"]);
    mute(&of_all, &["--class", "any", "--host", "0.0.0.0/0,::/0"]);
    let told = |answers: &str| classes(&replay_with(&clinic.model, &["--answers", answers]).stdout);
    let left = told(&of_class);
    assert!(left.len() < all.len() && left.values().all(|of| of != class), "{left:?}");
    assert!(all.iter().filter(|(_, of)| *of != class).all(|(id, of)| left.get(id) == Some(of)), "no other class is hidden");
    assert_eq!(told(&of_other), all);
    assert_eq!(told(&of_all), BTreeMap::new());
    let failing = ["--answers", &of_all, "--fail-on-alert"];
    replay_with(&clinic.model, &failing);

    let (hidden, stats) = (folder.name("hidden"), folder.name("stats"));
    let run = auscult(&["replay", "--recheck", &alerts, "--answers", &of_class, "--hidden", &hidden, "--stats", &stats]).ended(0);
    let page = out(&run);
    let rechecked: BTreeSet<String> = lines(&folder.read("hidden")).iter().map(id).collect();
    let expected: BTreeSet<String> = all.keys().filter(|id| !left.contains_key(*id)).cloned().collect();
    assert_eq!(rechecked, expected);
    assert!(expected.iter().all(|id| page.contains(id)) && page.contains("answer 0, mute by ada: test"), "{page}");
    let stats: Value = serde_json::from_slice(&folder.read("stats")).unwrap();
    assert_eq!(stats["answers"]["hidden"]["incidents"], expected.len());
}

#[test]
fn results_with_answers_do_not_depend_on_workers() {
    let (folder, clinic) = (Folder::new(), the_clinic());
    let alerts = folder.put("alerts.jsonl", &clinic.alerts);
    let answers = folder.name("answers");
    let incident = id(&some_incident(&clinic.alerts));
    auscult(&["mute", &incident, "--alerts", &alerts, "--answers", &answers, "--for", "30d", "--reason", "x", "--by", "a"])
        .ended(0);
    let with = |workers: &str| replay_with(&clinic.model, &["--answers", &answers, "--workers", workers]).stdout;
    assert!(with("1") == with("4"));
}

#[test]
fn an_incident_is_closed_from_a_line_on() {
    let (folder, clinic) = (Folder::new(), the_clinic());
    let all = lines(&clinic.alerts);
    let class = |line: &Value| line["auscult"]["incident"]["class"].clone();
    // One with updates that never got another name: under another one it is told all the same.
    let fits = |line: &Value| {
        let its: Vec<&Value> = all.iter().filter(|other| id(other) == id(line)).collect();
        its.len() > 2 && its.iter().all(|other| class(other) == class(line))
    };
    let (place, first) = all.iter().enumerate().find(|(_, line)| fits(line)).unwrap();
    let alerts = folder.put("alerts.jsonl", &clinic.alerts);
    let answers = folder.name("answers");
    let line = format!("{alerts}:{}", place + 1);
    auscult(&["close", &line, "--answers", &answers, "--by", "ada", "--reason", "device isolated"])
        .ended(0)
        .said(&["closes incident"]);
    let run = replay_with(&clinic.model, &["--answers", &answers]);
    let its: Vec<Value> = lines(&run.stdout).into_iter().filter(|line| id(line) == id(first)).collect();
    let states: Vec<&str> = its.iter().map(|line| line["auscult"]["incident"]["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["open", "closed"]);
    assert_eq!(its[1]["auscult"]["answer"]["answer"], "close");
    let listed = out(&auscult(&["alerts", &alerts, "--answers", &answers]).ended(0));
    assert!(listed.contains("[close, answer 0]") && listed.contains("device isolated"), "{listed}");
}

#[test]
fn a_line_that_cannot_be_applied_is_told_with_its_place_and_the_rest_holds() {
    let (folder, clinic) = (Folder::new(), the_clinic());
    let answers = folder.name("answers");
    let mute = |class: &str| {
        let args = [
            "mute",
            "--class",
            class,
            "--answers",
            &answers,
            "--from",
            "0",
            "--until",
            "2040-01-01T00:00:00Z",
            "--reason",
            "x",
            "--by",
            "a",
        ];
        auscult(&args).ended(0);
    };
    let class = |line: &Value| line["auscult"]["incident"]["class"].as_str().unwrap().to_owned();
    let all: BTreeSet<String> = lines(&clinic.alerts).iter().map(class).collect();
    all.iter().for_each(|class| mute(class));
    let good = String::from_utf8(folder.read("answers")).unwrap();
    let mut each: Vec<&str> = good.lines().collect();
    each[0] = r#"{"answer":"mute""#;
    folder.put("answers", (each.join("\n") + "\n").as_bytes());
    let run = replay_with(&clinic.model, &["--answers", &answers]).said(&["answers, line 1: not applied: ", "the chain breaks"]);
    let first = all.iter().next().unwrap();
    let told = lines(&run.stdout);
    // The end of what was told by this name, and then got one that is muted, is told too and says so.
    let unanswered = told.iter().filter(|line| line["auscult"].get("answer").is_none());
    assert!(!told.is_empty() && unanswered.clone().count() > 0);
    unanswered.for_each(|line| assert_eq!(line["auscult"]["incident"]["class"], first.as_str()));
    auscult(&["verify", &answers]).ended(1);
}

#[test]
fn many_who_answer_at_once_wait_for_each_other() {
    let folder = Folder::new();
    let answers = folder.name("answers");
    let mute = |n: u16| {
        let mut command = program();
        let port = n.to_string();
        command.args([
            "mute",
            "--class",
            "scan",
            "--port",
            &port,
            "--answers",
            &answers,
            "--for",
            "1d",
            "--reason",
            "x",
            "--by",
            "a",
        ]);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    };
    let mut running: Vec<_> = (1..=8).map(mute).collect();
    assert!(running.iter_mut().all(|child| child.wait().unwrap().success()));
    let ports: BTreeSet<u64> =
        lines(&folder.read("answers")).iter().map(|line| line["hides"]["port"][0].as_u64().unwrap()).collect();
    assert_eq!(ports, (1..=8).collect());
    assert!(out(&auscult(&["verify", &answers]).ended(0)).starts_with("whole: 8 lines"));
}

#[test]
fn incidents_are_listed_by_what_is_asked_for() {
    let (folder, clinic) = (Folder::new(), the_clinic());
    let alerts = folder.put("alerts.jsonl", &clinic.alerts);
    let all = classes(&clinic.alerts);
    let listed = |more: &[&str]| {
        let mut args = vec!["alerts", &alerts, "--json"];
        args.extend(more);
        lines(&auscult(&args).ended(0).stdout)
    };
    let every = listed(&[]);
    assert_eq!(every.len(), all.len());
    let total: u64 = every.iter().map(|it| it["lines"].as_u64().unwrap()).sum();
    assert_eq!(total, lines(&clinic.alerts).len() as u64);
    let class = every[0]["class"].as_str().unwrap();
    assert_eq!(listed(&["--class", class]).len(), all.values().filter(|of| *of == class).count());
    let bits = |it: &Value| it["bits"].as_f64().unwrap();
    let most = every.iter().map(bits).fold(0.0, f64::max);
    assert!(listed(&["--min-bits", &most.to_string()]).iter().all(|it| bits(it) == most));
    assert_eq!((listed(&["--state", "closed"]).len(), listed(&["--state", "open"]).len()), (every.len(), 0));
    let host = every[0]["hosts"][0].as_str().unwrap();
    let of_host = listed(&["--host", host]);
    assert!(
        !of_host.is_empty()
            && of_host.iter().all(|it| it["hosts"].to_string().contains(host) || it["peers"].to_string().contains(host))
    );
    assert!(listed(&["--host", "203.0.113.0/24"]).is_empty());
    assert!(
        listed(&["--to", "2000-01-01T00:00:00Z"]).is_empty() && listed(&["--from", "2000-01-01T00:00:00Z"]).len() == every.len()
    );
    let later = every.iter().find(|it| it["story"] != it["incident"]).unwrap();
    let story = listed(&["--story", later["incident"].as_str().unwrap()]);
    assert!(story.len() > 1 && story.iter().all(|it| it["story"] == later["story"]));
    let earlier: Vec<&Value> =
        story.iter().take_while(|it| it["incident"] != later["incident"]).map(|it| &it["incident"]).collect();
    let named: Vec<&Value> = later["earlier"].as_array().unwrap().iter().map(|it| &it["id"]).collect();
    assert_eq!(named, earlier, "the timeline of the story");
    let table = out(&auscult(&["alerts", &alerts]).ended(0));
    assert_eq!(table.lines().count(), every.len() + 1);
    assert!(out(&auscult(&["alerts", &alerts, "--class", "flood", "--min-bits", "9999"]).ended(0)).starts_with("no incident"));
}

#[test]
fn hidden_incidents_are_listed_when_they_are_asked_for() {
    let (folder, clinic) = (Folder::new(), the_clinic());
    let (alerts, answers) = (folder.put("alerts.jsonl", &clinic.alerts), folder.name("answers"));
    let incident = id(&some_incident(&clinic.alerts));
    auscult(&["learn", &incident, "--alerts", &alerts, "--answers", &answers, "--by", "ada"]).ended(0);
    let page = out(&auscult(&["alerts", &alerts, "--answers", &answers]).ended(0));
    assert!(!page.contains(&format!("  {incident}  ")) && page.contains("1 more are hidden by answers"), "{page}");
    let page = out(&auscult(&["alerts", &alerts, "--answers", &answers, "--hidden"]).ended(0));
    assert!(page.contains(&format!("  {incident}  ")) && page.contains("[learn, answer 0]"), "{page}");
    let hidden = folder.name("hidden");
    replay_with(&clinic.model, &["--answers", &answers, "--hidden", &hidden]);
    let page = out(&auscult(&["alerts", &hidden, "--hidden"]).ended(0));
    assert!(page.contains(&incident) && page.lines().count() == 2, "{page}");
}

#[test]
fn lines_are_followed_as_they_come_and_over_a_rotation() {
    let (folder, clinic) = (Folder::new(), the_clinic());
    let each: Vec<&str> = std::str::from_utf8(&clinic.alerts).unwrap().lines().collect();
    let (path, answers) = (folder.put("alerts.jsonl", format!("{}\n", each[0]).as_bytes()), folder.name("answers"));
    let mut command = program();
    command.args(["alerts", &path, "--follow", "--json", "--answers", &answers]).stdout(Stdio::piped()).stderr(Stdio::inherit());
    folder.put("answers", b"");
    let mut child = command.spawn().unwrap();
    let mut told = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || serde_json::from_str::<Value>(&told.next().unwrap().unwrap()).unwrap();
    let wanted = |n: usize| id(&serde_json::from_str::<Value>(each[n]).unwrap());
    assert_eq!(next()["incident"], wanted(0));
    let (start, end) = each[1].split_at(40);
    let mut file = std::fs::OpenOptions::new().append(true).open(folder.path("alerts.jsonl")).unwrap();
    file.write_all(start.as_bytes()).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(400));
    file.write_all(format!("{end}\n").as_bytes()).unwrap();
    assert_eq!(next()["incident"], wanted(1));
    std::fs::rename(folder.path("alerts.jsonl"), folder.path("alerts.jsonl.1")).unwrap();
    file.write_all(format!("{}\n", each[2]).as_bytes()).unwrap();
    folder.put("alerts.jsonl", format!("{}\n", each[3]).as_bytes());
    assert_eq!((next()["incident"].clone(), next()["incident"].clone()), (wanted(2).into(), wanted(3).into()));
    auscult(&["close", &format!("{path}:1"), "--answers", &answers, "--by", "ada"]).ended(0);
    let answer = next();
    assert_eq!(
        (&answer["number"], &answer["answer"]["answer"], &answer["answer"]["by"]),
        (&0.into(), &"close".into(), &"ada".into())
    );
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn wrong_answers_are_refused() {
    let (folder, clinic) = (Folder::new(), the_clinic());
    let (alerts, answers) = (folder.put("alerts.jsonl", &clinic.alerts), folder.name("answers"));
    let incident = id(&some_incident(&clinic.alerts));
    let fine = ["--answers", &answers, "--by", "ada"];
    for (arguments, status, words) in [
        (vec!["mute", "--class", "scan", "--for", "1d"], 2, "--reason"),
        (vec!["mute", "--class", "scan", "--for", "1d", "--reason", ""], 2, "reason"),
        (vec!["mute", "--class", "scan", "--reason", "x"], 2, "--until"),
        (vec!["mute", "--host", "10.0.0.1", "--reason", "x", "--for", "1d"], 2, "--class"),
        (vec!["mute", "--class", "any", "--reason", "x", "--for", "1d"], 2, "hide everything"),
        (vec!["mute", "--class", "scam", "--reason", "x", "--for", "1d"], 2, "scam"),
        (vec!["mute", "--class", "scan", "--host", "10.0.0.0/40", "--reason", "x", "--for", "1d"], 2, "10.0.0.0/40"),
        (vec!["mute", "--class", "scan", "--between", "22-6", "--reason", "x", "--for", "1d"], 2, "22-6"),
        (vec!["mute", "--class", "scan", "--until", "2000-01-01T00:00:00Z", "--reason", "x"], 2, "ends before it begins"),
        (vec!["learn", &incident], 2, "--alerts"),
        (vec!["learn", &incident, "--alerts", &alerts, "--for", "role"], 2, "--model"),
        (vec!["learn", "ffff0000", "--alerts", &alerts], 1, "no incident ffff0000"),
        (vec!["learn", "", "--alerts", &alerts], 1, "beginning of"),
        (vec!["close", "nowhere.jsonl:3"], 1, "nowhere.jsonl"),
        (vec!["unmute", "7"], 1, "no such file"),
    ] {
        let mut all = arguments.clone();
        all.extend(fine);
        let run = auscult(&all);
        assert_eq!(run.status, status, "{arguments:?}: {}", run.stderr);
        assert!(run.stderr.contains(words), "{arguments:?}: {words:?} is not in {}", run.stderr);
    }
    assert!(!folder.path("answers").exists(), "nothing was answered");
    let mut nobody = program();
    nobody.args(["close", &incident, "--alerts", &alerts, "--answers", &answers]).env_remove("USER").env_remove("LOGNAME");
    Run::from(nobody.output().unwrap()).ended(2).said(&["--by"]);
    let capture = clinic_capture();
    auscult(&["replay", &capture, "--answers", &folder.name("no/answers")]).ended(1).said(&["no/answers"]);
    auscult(&["replay", &capture, "--hidden", &folder.name("hidden")]).ended(2).said(&["--answers"]);
    auscult(&["replay", "--recheck", &alerts]).ended(2).said(&["--answers"]);
}

fn clinic_capture() -> String {
    text(&clinic()).to_owned()
}

#[test]
fn what_is_normal_for_a_role_names_its_devices() {
    let (folder, clinic) = (Folder::new(), the_clinic());
    let (alerts, answers) = (folder.put("alerts.jsonl", &clinic.alerts), folder.name("answers"));
    let all = lines(&clinic.alerts);
    let mut learned = 0;
    for line in all.iter().filter(|line| line["auscult"]["incident"]["state"] == "closed") {
        let id = id(line);
        let args = [
            "learn",
            &id,
            "--alerts",
            &alerts,
            "--for",
            "role",
            "--model",
            &clinic.model,
            "--any-peer",
            "--any-service",
            "--answers",
            &answers,
            "--by",
            "ada",
        ];
        let run = auscult(&args);
        if run.status == 1 {
            run.said(&["does not know"]);
            continue;
        }
        let answer = lines(&folder.read("answers")).pop().unwrap();
        let host = &line["auscult"]["incident"]["hosts"][0];
        assert!(answer["hides"]["host"].as_array().unwrap().contains(host), "{answer}");
        assert!(answer["role"].as_str().unwrap().contains("of model sha256:") && answer["hides"].get("peer").is_none());
        learned += 1;
    }
    assert!(learned > 0);
}
