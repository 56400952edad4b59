//! The live page and its API, as browsers, programs, monitors and the hostile ask for them.

#![cfg(feature = "http")]

use std::io::{Read as _, Write as _};
use std::sync::Arc;

use auscult::alert::alert_event;
use auscult::detect::IncidentState::{Closed, Open, Update};
use auscult::pipeline::{Consumer as _, PublishGauge, Stopwatch};
use auscult::serve::{ServeOptions, Tokens};
use auscult::sighting::{Announcement, Seen, Sighting};
use auscult::sink::{self, Opened, Rotation, SinkOptions, Target};
use auscult::wire::Mac;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::{Value, json};

use crate::report_support::read;
use crate::serve_support::{Events, Live, PATIENCE, Reply, ask, connect, context, exchange, host, notice, question};

fn open() -> Live {
    Live::start(ServeOptions::default(), true)
}

fn id(n: u32) -> String {
    format!("{:016x}", notice(n, Open, "").incident.id)
}

/// Posts an answer as the page would.
fn post(live: &Live, ask_for: &Value, more: &[(&str, &str)]) -> Reply {
    let session = live.json("/api/v1/session");
    let token = session["form_token"].as_str().unwrap();
    let mut headers = vec![("Content-Type", "application/json"), ("X-Auscult-Token", token)];
    headers.retain(|(name, _)| !more.iter().any(|(other, _)| other == name));
    headers.extend_from_slice(more);
    ask(live.address(), "POST", "/api/v1/answers", &headers, ask_for.to_string().as_bytes())
}

#[test]
fn an_incident_comes_by_itself_and_is_everywhere() {
    let mut live = open();
    assert_eq!(live.get("/readyz").status, 503, "still learning");
    assert_eq!(live.get("/report.html").status, 503);
    assert!(!live.get("/parts").body.contains("Nothing was unusual"), "nothing was looked at yet");
    live.tell([]);
    live.until("/readyz", |reply| reply.status == 200);
    let mut events = Events::of(live.address(), "/api/v1/events?after=0");
    live.tell([notice(7, Open, "pacs.example")]);
    let (version, row) = events.next("incident");
    assert_eq!((row["id"].as_str(), row["state"].as_str()), (Some(&*id(7)), Some("open")), "{row}");
    live.tell([notice(7, Update, "pacs.example"), notice(7, Closed, "pacs.example")]);
    while events.next("incident").1["state"] != "closed" {}
    let again = Events::of(live.address(), "/api/v1/events?after=0").next("incident");
    assert!(again.0 > version && again.1["state"] == "closed", "who comes late is told how it is by now");

    let list = live.json("/api/v1/incidents");
    assert_eq!((list["incidents"].as_array().unwrap().len(), &list["next_before"]), (1, &Value::Null), "{list}");
    let all = live.json(&format!("/api/v1/incidents/{}", id(7)));
    let states: Vec<_> = all["lines"].as_array().unwrap().iter().map(|line| line["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["open", "update", "closed"]);
    assert_eq!(all["alert"]["auscult"]["incident"]["names"], json!([["pacs.example"]]));
    assert!(all["alert"]["auscult"].get("chain").is_none());
    let article = live.get(&format!("/incident/{}", id(7)));
    assert!(article.status == 200 && read(&article.body).1.contains(&host(900_007).to_string()), "{article:?}");
    let metrics = live.get("/metrics").body;
    let class = all["incident"]["class"].as_str().unwrap();
    assert!(
        metrics.contains(&format!("auscult_alerts_total{{class=\"{class}\",severity=\"{}\"}} 3", all["incident"]["severity"]))
    );
    for path in [
        "/",
        "/live.css",
        "/live.js",
        "/parts",
        "/report.html",
        "/healthz",
        "/api/v1/status",
        "/api/v1/devices",
        "/api/v1/traffic",
    ] {
        assert_eq!(live.get(path).status, 200, "{path}");
    }
    assert_eq!(live.get("/api/v1/model").status, 404, "nothing was said of a model's content");
}

#[test]
fn metrics_are_named_as_prometheus_wants_and_name_no_address() {
    let mut live = open();
    live.tell((0..50).map(|n| notice(n, Open, "x")));
    live.until("/api/v1/incidents", |reply| reply.json()["kept"] == 50);
    live.gauges.renew_published(PublishGauge { records: 7, waiting: 3, is_away: true, ..PublishGauge::default() });
    let text = live.get("/metrics").body;
    for sample in ["publish_records_total 7", "publish_waiting 3", "publish_up 0", "guard_in_force{part=\"seccomp\"} 0"] {
        assert!(text.contains(&format!("\nauscult_{sample}\n")), "{sample}: {text}");
    }
    let mut families = std::collections::BTreeMap::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            families.insert(name.to_owned(), kind.to_owned());
            continue;
        }
        if line.starts_with('#') {
            continue;
        }
        let (sample, value) = line.rsplit_once(' ').unwrap();
        let name = sample.split('{').next().unwrap();
        let family =
            ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).filter(|it| families.contains_key(*it));
        let kind = families.get(family.unwrap_or(name)).unwrap_or_else(|| panic!("{line}: no TYPE before it"));
        assert!(value.parse::<f64>().is_ok(), "{line}");
        assert_eq!(name.ends_with("_total"), kind == "counter", "{line}");
        assert!(!sample.contains("10.0."), "{line}");
    }
    for wanted in [
        "capture_packets_total",
        "capture_drops_total",
        "flows_active",
        "flow_evictions_total",
        "alerts_total",
        "model_age_seconds",
        "score_seconds",
        "build_info",
    ] {
        assert!(families.contains_key(&format!("auscult_{wanted}")), "{wanted}");
    }
    // What the dashboard and the documentation name is there; what is told only with packets is named in full here.
    for page in [include_str!("../../docs/grafana/auscult.json"), include_str!("../../docs/api.md")] {
        for rest in page.split("auscult_").skip(1) {
            let name: String = rest.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
            let family = ["_bucket", "_sum"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(&name);
            assert!(families.contains_key(&format!("auscult_{family}")) || family == "capture_time_seconds", "{family}");
        }
    }
}

/// A target for alerts, as the command line opens it.
fn target(spec: &str, folder: &std::path::Path) -> Opened {
    let options = SinkOptions {
        sensor: "sensor-1".into(),
        rotation: Rotation::default(),
        retention: None,
        goes_on: false,
        strict_eve: false,
        spool: folder.to_owned(),
        spool_bytes: 64 << 20,
        colour: false,
        hec_token: None,
        hook_token: None,
        tell: Arc::new(|_| {}),
    };
    sink::open(&Target::parse(spec).unwrap(), spec, &options, Arc::default()).unwrap()
}

#[test]
fn targets_of_alerts_are_told_by_their_place_and_not_by_their_address() {
    let folder = tempfile::tempdir().unwrap();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let specs = [folder.path().join("secret.jsonl").display().to_string(), format!("ecs:http://{closed}/secret")];
    let mut targets = specs.each_ref().map(|spec| target(spec, folder.path()));
    let gauges = targets.iter().map(|target| target.gauge.clone()).collect();
    let live = Live::with(ServeOptions::default(), false, (gauges, Vec::new()));
    assert_eq!(live.get("/healthz").body, "ok\n");
    let line = alert_event(&notice(1, Open, "x"), &context(), (0, "")).to_string() + "\n";
    targets.iter_mut().for_each(|target| target.writer.write_all(line.as_bytes()).unwrap());
    let status = live.until("/api/v1/status", |reply| reply.json()["sinks"][1]["away"] == true).json();
    let [file, hook] = [&status["sinks"][0], &status["sinks"][1]];
    assert_eq!(
        [&file["kind"], &file["format"], &file["sent"], &file["away"]],
        [&json!("file"), &json!("eve"), &json!(1), &json!(false)]
    );
    assert_eq!(
        [&hook["number"], &hook["kind"], &hook["format"], &hook["sent"], &hook["waiting"]],
        [&json!(2), &json!("http"), &json!("ecs"), &json!(0), &json!(1)]
    );
    let text = live.get("/metrics").body;
    for sample in [
        "auscult_sink_sent_total{sink=\"1\",format=\"eve\",kind=\"file\"} 1",
        "auscult_sink_up{sink=\"1\",format=\"eve\",kind=\"file\"} 1",
        "auscult_sink_waiting{sink=\"2\",format=\"ecs\",kind=\"http\"} 1",
        "auscult_sink_up{sink=\"2\",format=\"ecs\",kind=\"http\"} 0",
        "auscult_sink_dropped_total{sink=\"2\",format=\"ecs\",kind=\"http\"} 0",
    ] {
        assert!(text.contains(&format!("{sample}\n")), "{sample}: {text}");
    }
    let failures =
        text.lines().find_map(|line| line.strip_prefix("auscult_sink_failures_total{sink=\"2\",format=\"ecs\",kind=\"http\"} "));
    assert!(failures.unwrap().parse::<u64>().unwrap() >= 1 && hook["spool_bytes"].as_u64().unwrap() as usize >= line.len());
    assert!([text, status.to_string()].iter().all(|page| !page.contains("secret") && !page.contains(&closed.to_string())));
    // Alerts wait: the program is well, and a restart would not help.
    let health = live.get("/healthz");
    assert_eq!((health.status, health.body.as_str()), (200, "ok; alerts wait for 1 of 2 targets\n"));
    for Opened { delivery, .. } in targets {
        delivery.map(|delivery| delivery.finish(std::time::Duration::ZERO));
    }
}

#[test]
fn a_page_begins_with_what_earlier_runs_told() {
    let line = |n: u32, state| alert_event(&notice(n, state, "x"), &context(), (0, "")).to_string();
    let told = vec![
        line(1, Open),
        line(2, Open),
        line(1, Closed),
        "{\"event_type\": \"stats\"}".to_owned(),
        line(3, Open)[..200].to_owned(),
    ];
    let mut live = Live::with(ServeOptions::default(), true, (Vec::new(), told));
    let rows = live.json("/api/v1/incidents")["incidents"].clone();
    let shown = |row: &Value| (row["id"].as_str().unwrap().to_owned(), row["earlier_run"] == true, row["state"].clone());
    // The second was open when the earlier run broke off: nobody tells of it any more.
    let closed = json!("closed");
    assert_eq!(
        rows.as_array().unwrap().iter().map(shown).collect::<Vec<_>>(),
        [(id(2), true, closed.clone()), (id(1), true, closed)]
    );
    let status = live.json("/api/v1/status");
    assert_eq!((&status["incidents"]["from_earlier_runs"], &status["incidents"]["open"]["high"]), (&json!(2), &json!(0)));
    assert_eq!(status["alert_lines"]["told"], json!({}), "counters are of this run");
    let detail = live.json(&format!("/api/v1/incidents/{}", id(1)));
    assert_eq!(detail["lines"].as_array().unwrap().iter().map(|it| &it["state"]).collect::<Vec<_>>(), ["open", "closed"]);
    assert!(live.get(&format!("/incident/{}", id(1))).body.contains("<article"), "its article is there");
    // It can be answered, and what this run tells of it is of this run.
    assert_eq!(post(&live, &json!({"answer": "close", "incident": id(1), "reason": "r"}), &[]).status, 201);
    live.tell([notice(2, Update, "x")]);
    live.until(&format!("/api/v1/incidents/{}", id(2)), |reply| reply.json()["incident"]["earlier_run"] == false);
}

#[test]
fn answers_are_written_with_who_and_why_and_shown() {
    let mut live = open();
    live.tell([notice(1, Open, "a"), notice(2, Open, "b")]);
    live.until("/api/v1/incidents", |reply| reply.json()["kept"] == 2);
    let version = live.json("/api/v1/incidents")["version"].clone();
    let mut events = Events::of(live.address(), &format!("/api/v1/events?after={version}"));
    let mute = json!({"answer": "mute", "incident": id(1), "reason": "the <b>scanner</b>", "for": "7d", "same_peers": true});
    let given = post(&live, &mute, &[]);
    assert_eq!((given.status, &given.json()["number"]), (201, &json!(0)), "{given:?}");
    let row = events.next("incident").1;
    assert_eq!((&row["id"], &row["answer"]["answer"], &row["answer"]["by"]), (&json!(id(1)), &json!("mute"), &json!("http")));
    let kept = live.written.0.lock().unwrap().get(0).unwrap().answer.clone();
    let rule = kept.hides.unwrap();
    assert_eq!((kept.reason.as_str(), rule.host.len(), rule.peer.len()), ("the <b>scanner</b>", 1, 1));
    assert!(rule.until.is_some() && kept.about.unwrap().incident == id(1));

    assert_eq!(post(&live, &json!({"answer": "close", "incident": id(2), "reason": "done"}), &[]).status, 201);
    assert_eq!(post(&live, &json!({"answer": "unmute", "number": 0, "reason": "replaced"}), &[]).status, 201);
    let answered: Vec<Value> = live.json("/api/v1/incidents")["incidents"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["answer"]["answer"].clone())
        .collect();
    assert_eq!(answered, [json!("close"), Value::Null], "the newest first");
    assert_eq!(live.json("/api/v1/incidents?answered=no")["incidents"][0]["id"], id(1));
    assert_eq!(live.json("/api/v1/answers")["count"], 3);

    for (ask_for, words) in [
        (json!({"answer": "close", "incident": id(1), "reason": " "}), "reason"),
        (json!({"answer": "close", "incident": "00000000000000aa", "reason": "x"}), "no incident"),
        (json!({"answer": "mute", "incident": id(1), "reason": "x"}), "how long"),
        (json!({"answer": "unmute", "number": 9, "reason": "x"}), "takes back answer 9"),
    ] {
        let reply = post(&live, &ask_for, &[]);
        let message = reply.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(reply.status == 422 && message.contains(words), "{ask_for}: {message}");
    }
    assert_eq!(live.json("/api/v1/answers")["count"], 3);
    assert_eq!(post(&Live::start(ServeOptions::default(), false), &mute, &[]).status, 409);
}

#[test]
fn nobody_answers_from_another_site_or_by_another_name() {
    let mut live = open();
    live.tell([notice(1, Open, "a")]);
    live.until("/api/v1/incidents", |reply| reply.json()["kept"] == 1);
    let close = json!({"answer": "close", "incident": id(1), "reason": "x"});
    let own = format!("http://{}", live.address());
    for (more, status) in [
        (vec![("X-Auscult-Token", "0123")], 403),
        (vec![("X-Auscult-Token", "")], 403),
        (vec![("Origin", "http://evil.example")], 403),
        (vec![("Origin", "null")], 403),
        (vec![("Sec-Fetch-Site", "cross-site")], 403),
        (vec![("Content-Type", "text/plain")], 415),
        (vec![("Host", "evil.example")], 421),
        (vec![("Host", "127.0.0.1.evil.example")], 421),
        (vec![("Origin", own.as_str()), ("Sec-Fetch-Site", "same-origin")], 201),
    ] {
        assert_eq!(post(&live, &close, &more).status, status, "{more:?}");
    }
    assert_eq!(live.written.0.lock().unwrap().len(), 1);
    for path in ["/", "/api/v1/incidents", "/metrics", "/healthz"] {
        assert_eq!(ask(live.address(), "GET", path, &[("Host", "evil.example")], b"").status, 421, "{path}");
    }
    let reply = live.get("/");
    let policy = reply.header("content-security-policy").unwrap();
    assert!(
        policy.starts_with("default-src 'none'; script-src 'self'") && !policy.contains("unsafe") && !policy.contains("http")
    );
    for (name, value) in
        [("x-content-type-options", "nosniff"), ("referrer-policy", "no-referrer"), ("cache-control", "no-store")]
    {
        assert_eq!(reply.header(name), Some(value));
    }
    assert!(reply.header("access-control-allow-origin").is_none());
    for text in [&reply.body, &live.get("/live.css").body, &live.get("/live.js").body] {
        assert!(!text.contains("http://") && !text.contains("https://") && !text.contains("//cdn"), "an address from outside");
    }
    assert!(!reply.body.contains("style=") && !reply.body.contains("onclick"), "styles and scripts stand in their own files");
}

#[test]
fn what_is_wrong_is_refused_and_told() {
    let live = open();
    for (method, path, status) in [
        ("GET", "/nothing", 404),
        ("GET", "/incident/../../etc/passwd", 404),
        ("GET", "/api/v2/incidents", 404),
        ("GET", "/api/v1/incidents/00000000000000aa", 404),
        ("GET", "/api/v1/incidents?colour=red", 400),
        ("GET", "/api/v1/incidents?limit=many", 400),
        ("GET", "/api/v1/incidents?state=ajar", 400),
        ("DELETE", "/api/v1/answers", 405),
        ("POST", "/api/v1/incidents", 405),
        ("PUT", "/", 405),
    ] {
        let reply = ask(live.address(), method, path, &[], b"");
        assert_eq!(reply.status, status, "{method} {path}: {reply:?}");
        assert_eq!(reply.json()["error"]["status"], status);
    }
    let head = ask(live.address(), "HEAD", "/", &[], b"");
    assert!(head.status == 200 && head.body.is_empty());
    let large = ask(live.address(), "GET", "/", &[("X-Large", &"x".repeat(40_000))], b"");
    assert!(matches!(large.status, 431 | 0), "{}", large.status);
    let session = live.json("/api/v1/session");
    let headers = [("Content-Type", "application/json"), ("X-Auscult-Token", session["form_token"].as_str().unwrap())];
    let long = ask(live.address(), "POST", "/api/v1/answers", &headers, &vec![b' '; 20_000]);
    assert!(matches!(long.status, 413 | 0), "{}", long.status);
    assert_eq!(live.get("/healthz").status, 200, "it goes on");
}

#[test]
fn the_slow_and_the_many_keep_nobody_out_for_long() {
    let mut live = open();
    live.tell((0..2000).map(|n| notice(n, Closed, "x")));
    live.until("/api/v1/incidents", |reply| reply.json()["kept"] == 2000);
    // One sends half a head, one asks for much and reads nothing; neither delays what is told or what others ask.
    let mut half = connect(live.address());
    half.write_all(b"GET / HTTP/1.1\r\nHost: local").unwrap();
    let mut deaf = connect(live.address());
    deaf.write_all(&question(live.address(), "GET", "/api/v1/incidents?limit=2000", &[], b"")).unwrap();
    live.tell((2000..4000).map(|n| notice(n, Closed, "x")));
    live.until("/api/v1/incidents?limit=1", |reply| reply.json()["kept"] == 4000);
    // More connections than there may be: the next is closed, and served once there is room.
    let mut many: Vec<_> = (0..80).map(|_| connect(live.address())).collect();
    let mut refused = connect(live.address());
    let _ = refused.write_all(&question(live.address(), "GET", "/healthz", &[], b""));
    let mut nothing = Vec::new();
    let _ = refused.read_to_end(&mut nothing);
    assert!(nothing.is_empty(), "{}", String::from_utf8_lossy(&nothing));
    many.clear();
    drop((half, deaf));
    live.until("/healthz", |reply| reply.status == 200);
}

#[test]
fn at_most_ten_thousand_are_kept_and_the_closed_go_first() {
    let mut live = open();
    live.tell((0..5).map(|n| notice(n, Open, "x")));
    live.tell((5..10_020).map(|n| notice(n, Closed, "x")));
    let list = live.until("/api/v1/incidents?limit=1", |reply| reply.json()["gone"] == 20).json();
    assert_eq!((&list["kept"], list["next_before"].is_u64()), (&json!(10_000), true), "{list}");
    assert_eq!(live.get(&format!("/incident/{}", id(2))).status, 200, "one that is open stays");
    assert_eq!(live.get(&format!("/incident/{}", id(6))).status, 404);
    let (mut before, mut seen) = (String::new(), std::collections::BTreeSet::new());
    loop {
        let page = live.json(&format!("/api/v1/incidents?limit=2000{before}"));
        seen.extend(page["incidents"].as_array().unwrap().iter().map(|row| row["id"].to_string()));
        let Some(next) = page["next_before"].as_u64() else { break };
        before = format!("&before={next}");
    }
    assert_eq!(seen.len(), 10_000);
}

#[test]
fn names_from_the_network_become_neither_markup_nor_script_nor_events() {
    const HOSTILE: &str = "</script><img src=x onerror=alert(1)>\n\nevent: incident\ndata: {}\n\n\u{202e}\"'&";
    let mut live = open();
    let mut events = Events::of(live.address(), "/api/v1/events?after=0");
    let text = "<img src=x onerror=alert(1)>\"'".to_owned();
    let what = Seen::Announcement(Box::new(Announcement { name: Some(text.into()), ..Announcement::default() }));
    live.tap.sighting(Sighting {
        time: notice(1, Open, "").raised,
        src_mac: Mac([2, 0, 0, 0, 0, 1]),
        src: Some(host(2).0),
        dst: None,
        vlans: [0; 2],
        what,
    });
    live.tell([notice(1, Open, HOSTILE)]);
    assert_eq!(events.next("incident").1["id"], id(1));
    let reason = json!({"answer": "close", "incident": id(1), "reason": "<script>alert(1)</script>"});
    assert_eq!(post(&live, &reason, &[]).status, 201);
    let (_, row) = events.next("incident");
    assert_eq!(row["answer"]["reason"], "<script>alert(1)</script>", "as data, not as markup");
    for path in [format!("/incident/{}", id(1)), "/parts".to_owned(), "/report.html".to_owned()] {
        let page = live.get(&path).body;
        // Panics at stray markup.
        let (tags, _) = read(&page);
        assert!(
            tags.iter()
                .all(|tag| tag.name != "script" && tag.name != "img" && !tag.attributes.keys().any(|key| key.starts_with("on")))
        );
    }
    assert!(live.json("/api/v1/devices")["devices"].to_string().contains("onerror"), "the hostile name did get in");
    for path in [format!("/api/v1/incidents/{}", id(1)), "/api/v1/devices".to_owned()] {
        assert_eq!(live.get(&path).header("content-type"), Some("application/json"));
    }
}

#[test]
fn elsewhere_a_token_is_asked_for_over_tls() {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    let tls = Some((put("cert.pem", &certificate.pem()), put("key.pem", &key.serialize_pem())));
    let tokens = Tokens::read(&put("tokens", "ada 0123456789abcdef")).unwrap();
    let live = Live::start(ServeOptions { tls, tokens: Some(tokens), ..ServeOptions::default() }, true);
    let mut roots = RootCertStore::empty();
    roots.add(certificate.der().clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let config = Arc::new(config);
    let asks = |method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]| {
        let name = ServerName::try_from("localhost").unwrap();
        let mut stream = StreamOwned::new(ClientConnection::new(Arc::clone(&config), name).unwrap(), connect(live.address()));
        let all = [&[("Host", "localhost")][..], headers].concat();
        exchange(&mut stream, &question(live.address(), method, path, &all, body))
    };
    assert_eq!((asks("GET", "/", &[], b"").status, asks("GET", "/", &[], b"").header("location")), (303, Some("/login")));
    for path in ["/metrics", "/api/v1/incidents", "/report.html", "/parts", "/live.js", "/api/v1/events"] {
        assert_eq!(asks("GET", path, &[], b"").status, 401, "{path}");
    }
    assert_eq!(asks("GET", "/healthz", &[], b"").status, 200, "a monitor needs none");
    let bearer = ("Authorization", "Bearer 0123456789abcdef");
    let session = asks("GET", "/api/v1/session", &[bearer], b"");
    assert_eq!((session.status, &session.json()["by"]), (200, &json!("ada")));
    assert!(session.header("strict-transport-security").is_some());
    assert_eq!(asks("GET", "/metrics", &[("Authorization", "Bearer 0123456789abcdeX")], b"").status, 401);
    let form = ("Content-Type", "application/x-www-form-urlencoded");
    assert_eq!(asks("POST", "/login", &[form], b"token=wrong").status, 403);
    let entered = asks("POST", "/login", &[form], b"token=0123456789abcdef");
    let cookie = entered.header("set-cookie").unwrap().to_owned();
    assert!(
        entered.status == 303 && cookie.contains("Secure") && cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict")
    );
    let cookie = cookie.split(';').next().unwrap().to_owned();
    assert_eq!(asks("GET", "/", &[("Cookie", &cookie)], b"").status, 200);
    drop(exchange(&mut connect(live.address()), &question(live.address(), "GET", "/", &[], b"")));
    assert_eq!(asks("GET", "/healthz", &[], b"").status, 200, "plain HTTP ends a connection and nothing else");
}

#[test]
fn a_server_that_ends_lets_go_of_who_still_listens() {
    let mut live = open();
    live.tell([notice(1, Open, "x")]);
    let mut events = Events::of(live.address(), "/api/v1/events?after=0");
    events.next("incident");
    let start = Stopwatch::start();
    drop(live);
    assert!(start.seconds() < PATIENCE.as_secs_f64() / 2.0);
}
