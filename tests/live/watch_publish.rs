//! `auscult watch --publish` while the server is away: what monitors and USR1 are told of it, and of what guards the program.

#![cfg(all(feature = "http", feature = "nats"))]

use std::net::TcpListener;
use std::thread::sleep;
use std::time::Duration;

use crate::signals::Watching;
use crate::support::{Folder, project};
use crate::veth_support::{SCAN, Wire};

/// What the page answers, from inside the namespace where it is.
fn ask(wire: &Wire, url: &str) -> String {
    let program = format!("import urllib.request; print(urllib.request.urlopen('{url}', timeout=10).read().decode(), end='')");
    let output = Wire::inside(&wire.there, "python3").args(["-c", &program]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn value(metrics: &str, name: &str) -> f64 {
    let sample = metrics.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("{name}: {metrics}"));
    sample.trim().parse().unwrap()
}

#[test]
fn publishing_and_the_guard_are_told_to_monitors_and_on_usr1() {
    let Some(wire) = Wire::lay("pub") else { return };
    let folder = Folder::new();
    let model = project("models/clinic.json");
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut command = Wire::inside(&wire.there, env!("CARGO_BIN_EXE_auscult"));
    command.args(["watch", "tap0", "--model", model.to_str().unwrap(), "--alerts", &folder.name("alerts.jsonl")]);
    command.args(["--publish", &format!("nats://127.0.0.1:{port}"), "--sensor", "s1", "--spool", &folder.name("spool")]);
    command.args(["--http", "127.0.0.1:0", "--drain", "1s"]);
    let watching = Watching::of(command);
    let said = watching.until("the live page is at ");
    assert!(said[0].contains("; what is published waits in "), "{said:#?}");
    let guarded = said.iter().find(|line| line.contains("CAP_NET_RAW")).unwrap().clone();
    let page = said.last().unwrap().split_once("the live page is at ").unwrap().1.to_owned();
    assert_eq!(Wire::python(&wire.here, SCAN).1, "done\n");
    // The latest tick tells it.
    let mut metrics = String::new();
    for _ in 0..100 {
        metrics = ask(&wire, &format!("{page}metrics"));
        if metrics.contains("auscult_publish_records_total ") && value(&metrics, "auscult_publish_records_total ") >= 300.0 {
            break;
        }
        sleep(Duration::from_millis(200));
    }
    let of = |name: &str| value(&metrics, &format!("auscult_publish_{name} "));
    assert!(of("records_total") >= 300.0 && of("copies_total") >= of("records_total"), "{metrics}");
    assert!(of("waiting") >= 2.0 && of("waiting") <= of("messages_total") && of("spool_bytes") > 1000.0, "{metrics}");
    assert!(of("failures_total") >= 1.0, "{metrics}");
    assert_eq!([of("up"), of("acknowledged_total"), of("lost_total")], [0.0; 3], "{metrics}");
    let holds = |part: &str| value(&metrics, &format!("auscult_guard_in_force{{part=\"{part}\"}}")) == 1.0;
    assert!(holds("no_new_privileges"), "{metrics}");
    for (part, words) in [("landlock_whole", "; Landlock for paths and ports"), ("seccomp", "; a filter of system calls")] {
        assert_eq!(holds(part), guarded.contains(words), "{part}: {guarded}");
    }
    assert_eq!(holds("user"), !guarded.contains("runs as root"), "{guarded}");
    let status: serde_json::Value = serde_json::from_str(&ask(&wire, &format!("{page}api/v1/status"))).unwrap();
    assert_eq!((&status["published"]["away"], &status["guard"]["no_new_privileges"]), (&true.into(), &true.into()), "{status}");

    watching.signal("-USR1");
    let said = watching.until("observations so far");
    let line = said.iter().find(|line| line.starts_with("published ")).unwrap_or_else(|| panic!("{said:#?}"));
    assert!(line.contains(": 0 acknowledged, ") && line.ends_with(" tries failed, the last one too"), "{line}");
    assert!(said.contains(&guarded), "{said:#?}");
    let (status, said) = watching.end();
    assert_eq!(status, 0, "{said:#?}");
}
