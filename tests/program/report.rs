//! `auscult report`: from captures and from alert files, what it shows, what it says is missing.

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::LazyLock;

use serde_json::Value;

use crate::report_support::{Tag, read};
use crate::support::{Folder, auscult, clinic, lines, project, text};

/// What `replay` writes of the intrusion, and the page that `report` makes of the same capture.
struct Intrusion {
    folder: Folder,
}

static INTRUSION: LazyLock<Intrusion> = LazyLock::new(|| {
    let folder = Folder::new();
    let name = |name: &str| folder.name(name);
    let capture = project("datasets/hospital/intrusion-loud/capture.pcap.zst");
    let model = project("models/hospital.json");
    let judged = [text(&capture), "--model", text(&model)];
    let outputs = ["alerts", "flows", "inventory", "stats"].map(|output| (format!("--{output}"), name(output)));
    let mut replay = vec!["replay"];
    replay.extend(judged);
    outputs.iter().for_each(|(option, path)| replay.extend([option.as_str(), path.as_str()]));
    auscult(&replay).ended(0);
    auscult(&[&["report"], &judged[..], &["--out", &name("page.html")]].concat()).ended(0);
    Intrusion { folder }
});

fn page_of(folder: &Folder, name: &str) -> (Vec<Tag>, String) {
    read(std::str::from_utf8(&folder.read(name)).unwrap())
}

fn ids(tags: &[Tag]) -> BTreeSet<&str> {
    let all: Vec<&str> = tags.iter().filter_map(|tag| tag.get("id")).collect();
    let distinct: BTreeSet<&str> = all.iter().copied().collect();
    assert_eq!(all.len(), distinct.len(), "two places of one name");
    distinct
}

/// What holds of every page.
fn is_sound(tags: &[Tag]) {
    let places = ids(tags);
    let count = |name: &str| tags.iter().filter(|tag| tag.name == name).count();
    assert_eq!((count("html"), count("h1"), count("main")), (1, 1, 1));
    for tag in tags {
        assert!(!["script", "link", "iframe", "img", "object", "form", "base"].contains(&tag.name.as_str()), "{tag:?}");
        for (name, value) in &tag.attributes {
            assert!(!name.starts_with("on") && !["style", "src", "srcset", "action"].contains(&name.as_str()), "{tag:?}");
            assert!(!value.contains("://") && !value.contains("url("), "an outside address: {tag:?}");
        }
        if let Some(target) = tag.get("href") {
            assert!(places.contains(target.strip_prefix('#').unwrap()), "{target} leads nowhere");
        }
        if let Some(labels) = tag.get("aria-labelledby") {
            assert!(labels.split(' ').all(|label| places.contains(label)), "{tag:?}");
        }
        if tag.name == "svg" {
            assert!(
                tag.get("aria-hidden") == Some("true") || tag.get("aria-labelledby").is_some(),
                "a plot without a name: {tag:?}"
            );
        }
    }
    for (place, tag) in tags.iter().enumerate().filter(|(_, tag)| tag.name == "table") {
        assert_eq!(tags[place + 1].name, "caption", "{tag:?}");
    }
    // Headings go down one step at a time.
    let levels = tags.iter().filter_map(|tag| tag.name.strip_prefix('h')?.parse::<u8>().ok());
    levels.fold(0, |before, level| {
        assert!(level <= before + 1, "h{level} after h{before}");
        level
    });
    let policy =
        tags.iter().find(|tag| tag.get("http-equiv") == Some("Content-Security-Policy")).unwrap().get("content").unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-") && !policy.contains("unsafe"), "{policy}");
    // Every element that is opened is closed.
    const VOID: [&str; 4] = ["!DOCTYPE", "meta", "br", "hr"];
    let mut open = Vec::new();
    for tag in tags.iter().filter(|tag| !VOID.contains(&tag.name.as_str())) {
        match tag.name.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop(), Some(name)),
            None => open.push(tag.name.as_str()),
        }
    }
    assert!(open.is_empty());
}

#[test]
fn a_capture_has_everything() {
    let Intrusion { folder } = &*INTRUSION;
    let (tags, words) = page_of(folder, "page.html");
    is_sound(&tags);
    let places = ids(&tags);
    for part in
        ["words", "timeline", "incidents", "attack", "talk", "devices", "behaviours", "traffic", "model", "audit", "limits"]
    {
        assert!(places.contains(part), "{part} is not in the page");
    }
    assert!(!places.contains("left-out"));
    // A mark in the plot of time for every incident, a circle in the map for every behaviour; one more of each kind in a legend.
    let drawn = |name: &str, class: &str| {
        let of_class = |tag: &&Tag| tag.get("class").is_some_and(|classes| classes.split(' ').any(|one| one == class));
        tags.iter().filter(|tag| tag.name == name).filter(of_class).count()
    };
    let incidents = places.iter().filter(|place| place.starts_with("i-")).count();
    assert_eq!((drawn("rect", "mark"), drawn("circle", "behaviour")), (incidents + 3, 32 + 1));
    assert!(drawn("circle", "flow") > 20 && drawn("line", "edge") > 20 && drawn("rect", "bytes") > 100);
    let card: Value =
        serde_json::from_slice(&auscult(&["inspect", "--json", text(&project("models/hospital.json"))]).ended(0).stdout).unwrap();
    let digest = card["digest"].as_str().unwrap().to_owned();
    assert!(digest.starts_with("sha256:"), "{digest}");
    for phrase in [
        "searched the network for other devices",
        "What to check",
        "T1046",
        "Network Service Discovery",
        "PACS",
        "35,227 frames of 80,296 were cut",
        "4,228 frames passed over: arp",
        &digest,
        "SR 6.2",
    ] {
        assert!(words.contains(phrase), "{phrase:?} is not in the page");
    }
}

#[test]
fn every_incident_of_the_alerts_stands_in_the_page_with_its_reasons() {
    let Intrusion { folder } = &*INTRUSION;
    let (tags, words) = page_of(folder, "page.html");
    let places = ids(&tags);
    let alerts = lines(&folder.read("alerts"));
    assert!(alerts.len() > 20);
    for alert in alerts.iter().filter(|alert| alert["auscult"]["incident"]["state"] == "closed") {
        let id = alert["auscult"]["incident"]["id"].as_str().unwrap();
        assert!(places.contains(format!("i-{id}").as_str()), "{id}");
        for why in alert["auscult"]["why"].as_array().unwrap() {
            let text = why["text"].as_str().unwrap();
            assert!(words.contains(text), "{text:?} of {id}");
        }
    }
}

#[test]
fn alerts_alone_say_what_would_bring_the_rest_and_the_rest_comes() {
    let Intrusion { folder } = &*INTRUSION;
    let name = |name: &str| folder.name(name);
    let alerts = lines(&folder.read("alerts"));
    let incidents: BTreeSet<&str> = alerts.iter().map(|alert| alert["auscult"]["incident"]["id"].as_str().unwrap()).collect();
    let told = format!("{} incidents in {} lines", incidents.len(), alerts.len());
    auscult(&["report", &name("alerts"), "--out", &name("bare.html")]).ended(0).said(&[&told]);
    let (tags, words) = page_of(folder, "bare.html");
    is_sound(&tags);
    let places = ids(&tags);
    assert!(
        ["devices", "behaviours", "traffic", "model"].iter().all(|part| !places.contains(part)) && places.contains("left-out")
    );
    assert!(["--flows FILE", "--inventory FILE", "--model MODEL", "--stats FILE"].iter().all(|option| words.contains(option)));
    assert!(words.contains(&format!("The chain is whole: each of {} lines", alerts.len())), "{words}");

    let model = project("models/hospital.json");
    let all = [
        "report",
        &name("alerts"),
        "--flows",
        &name("flows"),
        "--inventory",
        &name("inventory"),
        "--stats",
        &name("stats"),
        "--model",
        text(&model),
        "--out",
        &name("full.html"),
        "--title",
        "Ward 3 & <friends>",
    ];
    auscult(&all).ended(0);
    let (tags, words) = page_of(folder, "full.html");
    is_sound(&tags);
    assert!(!ids(&tags).contains("left-out") && words.contains("Ward 3 & <friends>"));
    // What both pages tell of the traffic is the same.
    let (_, judged) = page_of(folder, "page.html");
    let traffic = |words: &str| {
        let at = words.find("flow records within").unwrap();
        words[at - 60..at].split(" MB in ").nth(1).unwrap().to_owned()
    };
    assert_eq!(traffic(&words), traffic(&judged));
}

#[test]
fn how_soon_incidents_were_answered_stands_for_auditors() {
    let Intrusion { folder } = &*INTRUSION;
    let (alerts, answers, out) = (folder.name("alerts"), folder.name("answers"), folder.name("answered.html"));
    let told = lines(&folder.read("alerts"));
    let incidents: BTreeSet<&str> = told.iter().map(|alert| alert["auscult"]["incident"]["id"].as_str().unwrap()).collect();
    let id = incidents.first().unwrap();
    auscult(&["close", id, "--alerts", &alerts, "--answers", &answers, "--by", "ada", "--reason", "dealt with"]).ended(0);
    auscult(&["report", &alerts, "--answers", &answers, "--out", &out]).ended(0);
    let (_, words) = page_of(folder, "answered.html");
    assert!(words.contains("1 incident was answered: it took"), "{words}");
    assert!(
        words.contains(&format!("{} have no answer", incidents.len() - 1)) && words.contains("The file holds 1 answer,"),
        "{words}"
    );
    auscult(&["report", &alerts, "--out", &out]).ended(0);
    let (_, words) = page_of(folder, "answered.html");
    assert!(words.contains("no file of answers was given"));
}

#[test]
fn a_record_with_a_hole_is_told() {
    let Intrusion { folder } = &*INTRUSION;
    let alerts = String::from_utf8(folder.read("alerts")).unwrap();
    let mut holed: Vec<&str> = alerts.lines().collect();
    holed.remove(10);
    // One line less, and one that is none behind them.
    let wrong = format!("1 line could not be read; the first: holed, line {}", holed.len() + 1);
    let (path, out) = (folder.put("holed", format!("{}\nno JSON\n", holed.join("\n")).as_bytes()), folder.name("holed.html"));
    auscult(&["report", &path, "--out", &out]).ended(1).said(&[&wrong]);
    let (_, words) = page_of(folder, "holed.html");
    assert!(
        words.contains("The chain is not whole.")
            && words.contains("holed, line 11: line 11 of its chain follows where line 10 should")
    );
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let folder = Folder::new();
    let page = |workers: &str, name: &str| {
        auscult(&["report", text(&clinic()), "--workers", workers, "--out", &folder.name(name)]).ended(0);
        folder.read(name)
    };
    let (one, four) = (page("1", "one.html"), page("4", "four.html"));
    assert!(one == four, "the number of workers shows");
    let (tags, words) = read(std::str::from_utf8(&one).unwrap());
    is_sound(&tags);
    assert!(words.contains("The traffic taught itself") && words.contains("No alert file was read"));
}

#[test]
fn an_empty_record_is_a_record() {
    let folder = Folder::new();
    let out = folder.name("page.html");
    auscult(&["report", &folder.put("alerts.jsonl", b""), "--out", &out]).ended(0);
    let (tags, words) = page_of(&folder, "page.html");
    is_sound(&tags);
    assert!(words.contains("Nothing was unusual enough to be told."));
}

#[test]
fn wrong_usage_says_what() {
    let Intrusion { folder } = &*INTRUSION;
    let (alerts, out, flows) = (folder.name("alerts"), folder.name("no.html"), folder.name("flows.csv"));
    let capture = clinic();
    let capture = text(&capture);
    auscult(&["flows", capture, "--to", "1772524000", "--format", "csv", "--out", &flows]).ended(0);
    for (arguments, status, words) in [
        (vec!["report", alerts.as_str()], 2, "--out"),
        (vec!["report", &alerts, capture, "--out", &out], 2, "one kind at a time"),
        (vec!["report", capture, "--flows", &flows, "--out", &out], 2, "--flows goes with alerts"),
        (vec!["report", &alerts, "--from", "10", "--out", &out], 2, "--from goes with captures"),
        (vec!["report", &flows, "--out", &out], 2, "auscult detect"),
        (vec!["report", &alerts, "--inventory", &alerts, "--out", &out], 1, "devices"),
        (vec!["report", &alerts, "--stats", &flows, "--out", &out], 1, "flows.csv"),
        (vec!["report", &folder.name("nothing"), "--out", &out], 1, "no such file"),
        (vec!["report", &folder.put("notes.txt", b"notes\n"), "--out", &out], 1, "no.html: not written"),
        (vec!["report", &folder.put("a.json", b"{\n\"name\": 1\n}\n"), "--out", &out], 1, "no.html: not written"),
    ] {
        let run = auscult(&arguments);
        assert_eq!(run.status, status, "{arguments:?}: {}", run.stderr);
        assert!(run.stderr.contains(words), "{arguments:?}: {words:?} is not in {}", run.stderr);
        assert!(!folder.path("no.html").exists(), "{arguments:?} leaves a page");
    }
}

#[test]
fn a_browser_has_nothing_to_complain_about() {
    let Some(browser) = ["chromium", "google-chrome", "chromium-browser"]
        .into_iter()
        .find(|name| Command::new(name).arg("--version").output().is_ok_and(|run| run.status.success()))
    else {
        println!("skipped: chromium is missing: no page is shown in a browser");
        return;
    };
    let Intrusion { folder } = &*INTRUSION;
    let profile = folder.name("profile");
    let run = Command::new("timeout")
        .args(["60", browser, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--dump-dom"])
        .arg(format!("--user-data-dir={profile}"))
        .arg(format!("file://{}", folder.name("page.html")))
        .output()
        .unwrap();
    let (page, said) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success() && page.contains("id=\"limits\""), "{said}");
    let complaints: Vec<&str> = said.lines().filter(|line| line.contains("CONSOLE") || line.contains("Refused")).collect();
    assert!(complaints.is_empty(), "{complaints:?}");
}
