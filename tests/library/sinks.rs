//! Targets on the network: what goes into a sink comes out of it once it can, in order, whatever dies meanwhile.

#![cfg(feature = "tls")]

use std::io::{ErrorKind, Write as _};
use std::net::{TcpListener, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use auscult::pipeline::Stopwatch;
use auscult::sink::{Opened, Report, Rotation, SinkError, SinkOptions, SinkState, Target, open};
use serde_json::{Value, json};

use crate::sink_support::{Certificates, Server, Speaks};

/// Long enough for every test here on a slow machine; none waits for it where it works.
const PATIENCE: Duration = Duration::from_secs(40);

/// The alert of this number.
fn line(number: usize) -> String {
    let why = json!([{"feature": "f", "observed": 1.0, "usual": {"low": 0.0, "high": 0.5, "of": "this device"}, "unit": "u", "bits": 9.0, "text": "1 against 0.5"}]);
    json!({
        "timestamp": "2026-06-03T11:43:29.485696+0000", "event_type": "alert", "src_ip": "10.0.0.1", "dest_ip": "10.0.0.2", "src_port": 1,
        "dest_port": 2, "proto": "TCP", "app_proto": "tls", "community_id": "1:x", "flow_id": 7,
        "alert": {"action": "allowed", "gid": 4711, "signature_id": 7, "rev": 1, "signature": "auscult: scan", "category": "c", "severity": 2},
        "auscult": {
            "incident": {"id": "b4990d8806364b41", "class": "scan", "state": "open", "hosts": ["10.0.0.1"], "peers": ["10.0.0.2"],
                "first": "2026-06-03T11:43:15.343858+0000", "last": "2026-06-03T11:43:17.396924+0000", "flows": 2},
            "bits": 9.0, "p_value": 0.001, "why": why, "check": [], "attack": [], "model": {"digest": null}, "baseline": "self",
            "chain": {"seq": number, "prev": "sha256:0"},
        },
    })
    .to_string()
}

/// Numbers of the alerts that a server took, from whatever stands around them.
fn numbers(received: &[String]) -> Vec<usize> {
    let number = |message: &String| -> usize {
        let json: Value = serde_json::from_str(&message[message.find('{').unwrap()..]).unwrap();
        let alert = if json["event"].is_object() { &json["event"] } else { &json };
        alert["auscult"]["chain"]["seq"].as_u64().unwrap() as usize
    };
    received.iter().map(number).collect()
}

fn opened(spec: &str, folder: &Path) -> Result<Opened, SinkError> {
    let options = SinkOptions {
        sensor: "sensor-1".into(),
        rotation: Rotation::default(),
        retention: None,
        goes_on: false,
        strict_eve: false,
        spool: folder.to_owned(),
        spool_bytes: 64 << 20,
        colour: false,
        hec_token: Some("from-the-environment".into()),
        hook_token: None,
        tell: Arc::new(|text| println!("told: {text}")),
    };
    open(&Target::parse(spec)?, spec, &options, Arc::new(AtomicBool::new(false)))
}

/// Writes these alerts, then waits as long as `patience` allows.
fn send(spec: &str, folder: &Path, alerts: std::ops::Range<usize>, patience: Duration) -> Report {
    // A sender whose patience is over is let go while it still tries, and holds its spool until it notices.
    let is_busy = |error: &SinkError| matches!(error, SinkError::Io { error, .. } if error.kind() == ErrorKind::ResourceBusy);
    let mut found = opened(spec, folder);
    for _ in 0..400 {
        if !found.as_ref().is_err_and(is_busy) {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
        found = opened(spec, folder);
    }
    let Opened { mut writer, delivery, .. } = found.unwrap();
    alerts.for_each(|number| writer.write_all(format!("{}\n", line(number)).as_bytes()).unwrap());
    delivery.unwrap().finish(patience)
}

/// All alerts came, each for the first time in its order; returns how many came again.
#[track_caller]
fn whole(numbers: &[usize], count: usize) -> usize {
    let mut seen = vec![false; count];
    let first: Vec<usize> = numbers.iter().copied().filter(|&number| !std::mem::replace(&mut seen[number], true)).collect();
    assert_eq!(first, (0..count).collect::<Vec<_>>());
    numbers.len() - count
}

/// A server that dies twice in the middle and comes back.
fn dies_and_returns(speaks: &Speaks, target: impl Fn(u16) -> String) {
    const COUNT: usize = 1500;
    let folder = tempfile::tempdir().unwrap();
    let first = Server::start(0, speaks.clone(), Some(250));
    let port = first.port;
    let Opened { mut writer, delivery, .. } = opened(&target(port), folder.path()).unwrap();
    (0..COUNT).for_each(|number| writer.write_all(format!("{}\n", line(number)).as_bytes()).unwrap());
    let mut received = first.death();
    std::thread::sleep(Duration::from_millis(300));
    let second = Server::start(port, speaks.clone(), Some(777));
    received.extend(second.death());
    let third = Server::start(port, speaks.clone(), None);
    let report = delivery.unwrap().finish(PATIENCE);
    received.extend(third.received());
    let again = whole(&numbers(&received), COUNT);
    assert!((1..=1000).contains(&again), "what was not confirmed comes again, two batches at the most: {again}");
    assert_eq!((report.delivered, report.waiting, report.dropped, report.refused), (COUNT as u64, 0, 0, 0), "{report:?}");
    assert!(report.error.is_some(), "that it was away is told");
}

#[test]
fn nothing_is_lost_when_a_syslog_server_dies() {
    dies_and_returns(&Speaks::Tcp, |port| format!("tcp://127.0.0.1:{port}"));
}

#[test]
fn nothing_is_lost_when_a_tls_server_dies() {
    let (folder, certificates) = (tempfile::tempdir().unwrap(), Certificates::new());
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, &certificates.ca).unwrap();
    dies_and_returns(&Speaks::Tls(certificates.server(false)), |port| format!("tls://127.0.0.1:{port}#ca={}", ca.display()));
}

#[test]
fn nothing_is_lost_when_a_web_server_dies() {
    dies_and_returns(&Speaks::Http(None, Arc::default()), |port| format!("http://127.0.0.1:{port}/alerts"));
}

#[test]
fn nothing_is_lost_when_a_collector_over_tls_dies() {
    let (folder, certificates) = (tempfile::tempdir().unwrap(), Certificates::new());
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, &certificates.ca).unwrap();
    let speaks = Speaks::Http(Some(certificates.server(false)), Arc::default());
    dies_and_returns(&speaks, |port| format!("hec+https://127.0.0.1:{port}#ca={}", ca.display()));
}

#[test]
fn what_has_not_arrived_waits_for_the_next_run() {
    let folder = tempfile::tempdir().unwrap();
    let port = Server::start(0, Speaks::Tcp, None).port;
    let target = format!("tcp://127.0.0.1:{port}");
    let report = send(&target, folder.path(), 0..100, Duration::from_millis(300));
    assert_eq!((report.waiting, report.delivered), (100, 0));
    assert!(report.error.unwrap().contains("no connection"));
    let server = Server::start(port, Speaks::Tcp, None);
    let report = send(&target, folder.path(), 100..110, PATIENCE);
    assert_eq!((report.waiting, report.delivered), (0, 110));
    assert_eq!(whole(&numbers(&server.received()), 110), 0, "none came twice");
}

#[test]
fn how_a_target_is_doing_shows_while_it_is_in_use() {
    let folder = tempfile::tempdir().unwrap();
    let port = Server::start(0, Speaks::Tcp, None).port;
    let Opened { mut writer, delivery, gauge } = opened(&format!("cef:tcp://127.0.0.1:{port}"), folder.path()).unwrap();
    assert_eq!((gauge.format, gauge.kind, gauge.state()), ("cef", "tcp", SinkState::default()));
    let until = |wanted: &dyn Fn(&SinkState) -> bool| {
        let watch = Stopwatch::start();
        while !wanted(&gauge.state()) {
            assert!(watch.seconds() < PATIENCE.as_secs_f64(), "{:?}", gauge.state());
            std::thread::sleep(Duration::from_millis(20));
        }
        gauge.state()
    };
    (0..30).for_each(|number| writer.write_all(format!("{}\n", line(number)).as_bytes()).unwrap());
    let away = until(&|state| state.is_away);
    assert_eq!((away.sent, away.waiting), (0, 30));
    assert!(away.failures > 0 && away.spool_bytes > 30 * 500, "{away:?}");
    let server = Server::start(port, Speaks::Tcp, None);
    let back = until(&|state| state.waiting == 0 && !state.is_away);
    assert_eq!((back.sent, back.is_away, back.dropped, back.refused), (30, false, 0, 0));
    assert!(delivery.unwrap().finish(PATIENCE).failures >= away.failures);
    drop(server);
    // A file is a target too.
    let path = folder.path().join("alerts.jsonl");
    let Opened { mut writer, gauge, .. } = opened(path.to_str().unwrap(), folder.path()).unwrap();
    writer.write_all(format!("{}\n", line(0)).as_bytes()).unwrap();
    assert_eq!((gauge.kind, gauge.state()), ("file", SinkState { sent: 1, ..SinkState::default() }));
}

#[test]
fn judging_does_not_wait_for_a_target_that_hangs() {
    let folder = tempfile::tempdir().unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = format!("tcp://{}", silent.local_addr().unwrap());
    let Opened { mut writer, delivery, .. } = opened(&target, folder.path()).unwrap();
    let lines: Vec<String> = (0..5000).map(|number| line(number) + "\n").collect();
    let began = Stopwatch::start();
    lines.iter().for_each(|line| writer.write_all(line.as_bytes()).unwrap());
    assert!(began.seconds() < 5.0, "{} s", began.seconds());
    let began = Stopwatch::start();
    let report = delivery.unwrap().finish(Duration::from_millis(500));
    assert!(began.seconds() < 3.0, "the wait at the end is bounded");
    assert_eq!(report.waiting, 5000);
}

#[test]
fn syslog_is_counted_and_has_the_head_of_the_rfc() {
    let (folder, server) = (tempfile::tempdir().unwrap(), Server::start(0, Speaks::Tcp, None));
    let report = send(&format!("cef:tcp://127.0.0.1:{}", server.port), folder.path(), 0..2, PATIENCE);
    assert_eq!(report.delivered, 2);
    let received = server.received();
    for (number, message) in received.iter().enumerate() {
        let head = format!(
            "<132>1 2026-06-03T11:43:29.485696Z sensor-1 auscult - scan [origin software=\"auscult\" swVersion=\"{}\"][meta sequenceId=\"{}\"] CEF:0|auscult|",
            env!("CARGO_PKG_VERSION"),
            number + 1
        );
        assert!(message.starts_with(&head), "{message}");
        assert!(message.contains(&format!(" externalId=b4990d8806364b41-{number} ")), "{message}");
    }
}

#[test]
fn datagrams_hold_one_message_each() {
    let (folder, socket) = (tempfile::tempdir().unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let report = send(&format!("udp://{}", socket.local_addr().unwrap()), folder.path(), 0..3, PATIENCE);
    assert_eq!((report.delivered, report.waiting), (3, 0));
    let mut bytes = [0; 65536];
    let mut receive = || {
        let length = socket.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    };
    let received: Vec<String> = (0..3).map(|_| receive()).collect();
    assert!(received.iter().all(|message| message.starts_with("<132>1 ")));
    assert_eq!(numbers(&received), [0, 1, 2]);
}

#[test]
fn tls_trusts_its_authority_alone_and_shows_its_certificate() {
    let (folder, certificates, other) = (tempfile::tempdir().unwrap(), Certificates::new(), Certificates::new());
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let (ca, other) = (file("ca.pem", &certificates.ca), file("other.pem", &other.ca));
    let (cert, key) = (file("cert.pem", &certificates.client.0), file("key.pem", &certificates.client.1));
    let server = Server::start(0, Speaks::Tls(certificates.server(true)), None);
    let sent = |options: &str, patience| {
        send(&format!("tls://127.0.0.1:{}#{options}", server.port), &folder.path().join("spool"), 0..1, patience)
    };
    let report = sent(&format!("ca={other},cert={cert},key={key}"), Duration::from_millis(700));
    assert!(report.waiting == 1 && report.error.as_ref().unwrap().contains("certificate"), "an unknown authority: {report:?}");
    let report = sent(&format!("ca={ca}"), Duration::from_millis(700));
    assert!(
        report.waiting == 2 && report.error.as_ref().unwrap().contains("ertificate"),
        "no certificate of its own: {report:?}"
    );
    assert!(server.received().is_empty());
    let report = sent(&format!("ca={ca},cert={cert},key={key}"), PATIENCE);
    assert_eq!((report.waiting, report.delivered, server.received().len()), (0, 3, 3), "{report:?}");
}

#[test]
fn files_of_certificates_and_keys_are_checked_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let wrong = folder.path().join("wrong.pem");
    std::fs::write(&wrong, "a secret, not in PEM").unwrap();
    for option in [format!("ca={}", wrong.display()), "ca=/nonexistent.pem".to_owned()] {
        let Err(error) = opened(&format!("tls://127.0.0.1#{option}"), folder.path()) else { panic!("{option} was taken") };
        let error = error.to_string();
        assert!(error.contains(".pem: ") && !error.contains("secret"), "{error}");
    }
}

#[test]
fn a_hook_gets_lines_and_its_token_and_is_asked_again_when_it_is_busy() {
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "t0ken\n").unwrap();
    // The last is the first answer.
    let server = Server::start(0, Speaks::Http(None, Arc::new(vec![401, 503].into_iter().collect::<Vec<u16>>().into())), None);
    let report =
        send(&format!("http://127.0.0.1:{}/a?b=c#token={}", server.port, token.display()), folder.path(), 0..20, PATIENCE);
    assert_eq!((report.delivered, report.refused, report.waiting), (20, 0, 0), "{report:?}");
    assert_eq!(whole(&numbers(&server.received()), 20), 0);
    assert!(report.error.unwrap().contains("answered 401 said"));
    let heads = server.heads();
    assert_eq!(heads.len(), 3);
    let head = heads[2].to_ascii_lowercase();
    assert!(head.starts_with("post /a?b=c http/1.1\r\n") && head.contains("authorization: bearer t0ken\r\n"), "{head}");
    assert!(head.contains("content-type: application/x-ndjson\r\n"), "{head}");
}

#[test]
fn splunk_gets_its_token_and_events() {
    let (folder, server) = (tempfile::tempdir().unwrap(), Server::start(0, Speaks::Http(None, Arc::default()), None));
    let report = send(&format!("ocsf:hec+http://127.0.0.1:{}#index=ids", server.port), folder.path(), 0..2, PATIENCE);
    assert_eq!(report.delivered, 2);
    let head = server.heads()[0].to_ascii_lowercase();
    assert!(
        head.starts_with("post /services/collector/event http/1.1\r\n")
            && head.contains("authorization: splunk from-the-environment\r\n")
    );
    for (number, line) in server.received().iter().enumerate() {
        let envelope: Value = serde_json::from_str(line).unwrap();
        assert_eq!(envelope["fields"], json!({"auscult_id": format!("b4990d8806364b41-{number}")}));
        assert_eq!(
            (&envelope["index"], &envelope["sourcetype"], &envelope["event"]["class_uid"]),
            (&json!("ids"), &json!("auscult:ocsf"), &json!(2004))
        );
    }
}

#[test]
fn what_a_target_never_takes_does_not_keep_the_others() {
    let folder = tempfile::tempdir().unwrap();
    // All together: 400. Then one by one: taken, 400, taken.
    let server = Server::start(0, Speaks::Http(None, Arc::new(vec![200, 400, 200, 400].into())), None);
    let report = send(&format!("http://127.0.0.1:{}", server.port), folder.path(), 0..3, PATIENCE);
    assert_eq!((report.delivered, report.refused, report.waiting), (2, 1, 0), "{report:?}");
    assert_eq!(numbers(&server.received()), [0, 2]);
}

#[test]
fn what_refuses_everything_is_set_up_wrongly_and_gets_it_later() {
    let folder = tempfile::tempdir().unwrap();
    let statuses = Arc::new(std::sync::Mutex::new(vec![400; 100]));
    let server = Server::start(0, Speaks::Http(None, Arc::clone(&statuses)), None);
    let target = format!("http://127.0.0.1:{}", server.port);
    let report = send(&target, folder.path(), 0..3, Duration::from_millis(300));
    assert_eq!((report.delivered, report.refused, report.waiting), (0, 0, 3), "{report:?}");
    statuses.lock().unwrap().clear();
    let report = send(&target, folder.path(), 3..4, PATIENCE);
    assert_eq!((report.delivered, report.refused, numbers(&server.received())), (4, 0, vec![0, 1, 2, 3]));
}

#[test]
fn a_token_goes_to_whom_it_is_for_alone() {
    let (folder, server) = (tempfile::tempdir().unwrap(), Server::start(0, Speaks::Http(None, Arc::default()), None));
    let report = send(&format!("http://127.0.0.1:{}", server.port), folder.path(), 0..1, PATIENCE);
    assert_eq!(report.delivered, 1);
    assert!(!server.heads()[0].to_ascii_lowercase().contains("authorization"), "Splunk's token is none of a hook's business");
}
