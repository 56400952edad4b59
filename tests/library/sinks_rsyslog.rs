//! Syslog as a real rsyslog takes it, over TCP and over TLS, which ends in the middle and comes back.

#![cfg(feature = "tls")]

use std::io::Write as _;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use auscult::sink::{Opened, Rotation, SinkOptions, Target, open};

use crate::sink_support::{Certificates, Server, Speaks};

const COUNT: usize = 3000;

/// Where Debian has it; not every user's path does.
const RSYSLOG: &str = "/usr/sbin/rsyslogd";

struct Rsyslog(Child);

impl Rsyslog {
    /// Starts it with this configuration and waits until it listens.
    fn start(folder: &Path, port: u16) -> Self {
        let out = std::fs::OpenOptions::new().create(true).append(true).open(folder.join("said")).unwrap();
        let mut command = Command::new(RSYSLOG);
        command.arg("-n").arg("-f").arg(folder.join("conf")).arg("-i").arg(folder.join("pid"));
        let child = Self(command.stdin(Stdio::null()).stdout(out.try_clone().unwrap()).stderr(out).spawn().unwrap());
        for _ in 0..500 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return child;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("rsyslog does not listen: {}", std::fs::read_to_string(folder.join("said")).unwrap());
    }

    fn end(mut self) {
        assert!(Command::new("kill").arg(self.0.id().to_string()).status().unwrap().success());
        self.0.wait().unwrap();
    }
}

impl Drop for Rsyslog {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn line(number: usize) -> String {
    format!(
        r#"{{"timestamp":"2026-06-03T11:43:29.485696+0000","event_type":"alert","src_ip":"10.0.0.1","dest_ip":"10.0.0.2","src_port":1,"dest_port":2,"proto":"TCP","alert":{{"signature_id":7,"rev":1,"signature":"auscult: scan","category":"c","severity":2}},"auscult":{{"incident":{{"id":"b4990d8806364b41","class":"scan","state":"open","hosts":["10.0.0.1"],"peers":["10.0.0.2"],"first":"2026-06-03T11:43:15.343858+0000","last":"2026-06-03T11:43:17.396924+0000","flows":2}},"bits":9.0,"p_value":0.001,"model":{{"digest":null}},"baseline":"self","chain":{{"seq":{number}}}}}}}"#
    )
}

/// Numbers of the alerts in rsyslog's file, but for a line that it is still writing.
fn numbers(folder: &Path) -> Vec<usize> {
    let text = std::fs::read_to_string(folder.join("alerts")).unwrap_or_default();
    let number = |line: &str| -> usize {
        assert!(
            line.starts_with("<132>1 2026-06-03T11:43:29.485696Z sensor-1 auscult - scan [origin software=\"auscult\" ")
                && line.contains("] CEF:0|auscult|"),
            "{line}"
        );
        line.split("externalId=b4990d8806364b41-").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap()
    };
    text.split_inclusive('\n').filter(|line| line.ends_with('\n')).map(number).collect()
}

fn ends_and_returns(scheme: &str, driver: &str, options: &str, folder: &Path) {
    let port = Server::start(0, Speaks::Tcp, None).port;
    let folder_text = folder.display();
    let certificates = if driver.is_empty() {
        String::new()
    } else {
        format!(
            "global(DefaultNetstreamDriverCAFile=\"{folder_text}/ca.pem\" DefaultNetstreamDriverCertFile=\"{folder_text}/cert.pem\" DefaultNetstreamDriverKeyFile=\"{folder_text}/key.pem\")\n"
        )
    };
    let conf = format!(
        "global(workDirectory=\"{folder_text}\" maxMessageSize=\"256k\")\n{certificates}module(load=\"imtcp\" {driver})\n\
         input(type=\"imtcp\" address=\"127.0.0.1\" port=\"{port}\")\n\
         template(name=\"raw\" type=\"string\" string=\"%rawmsg%\\n\")\naction(type=\"omfile\" file=\"{folder_text}/alerts\" template=\"raw\")\n"
    );
    std::fs::write(folder.join("conf"), conf).unwrap();
    let spec = format!("cef:{scheme}://127.0.0.1:{port}{options}");
    let sinks = SinkOptions {
        sensor: "sensor-1".into(),
        rotation: Rotation::default(),
        retention: None,
        goes_on: false,
        strict_eve: false,
        spool: folder.join("spool"),
        spool_bytes: 64 << 20,
        colour: false,
        hec_token: None,
        hook_token: None,
        tell: Arc::new(|text| println!("told: {text}")),
    };
    let first = Rsyslog::start(folder, port);
    let Opened { mut writer, delivery, .. } =
        open(&Target::parse(&spec).unwrap(), &spec, &sinks, Arc::new(AtomicBool::new(false))).unwrap();
    (0..COUNT).for_each(|number| writer.write_all(format!("{}\n", line(number)).as_bytes()).unwrap());
    for _ in 0..1000 {
        if !numbers(folder).is_empty() {
            break;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    first.end();
    let came_before = numbers(folder).len();
    let second = Rsyslog::start(folder, port);
    let report = delivery.unwrap().finish(Duration::from_secs(40));
    assert_eq!((report.delivered, report.waiting, report.dropped), (COUNT as u64, 0, 0), "{report:?}");
    // It takes its time to write what it has read; its orderly end waits for that.
    second.end();
    let came = numbers(folder);
    println!("{} of {COUNT} had come when it ended; {} came twice", came_before, came.len() - COUNT.min(came.len()));
    let mut seen = vec![false; COUNT];
    let first: Vec<usize> = came.iter().copied().filter(|&number| !std::mem::replace(&mut seen[number], true)).collect();
    assert_eq!(first, (0..COUNT).collect::<Vec<_>>(), "nothing is lost and order stays");
    assert!(came.len() <= COUNT + 500, "one batch comes again at the most: {}", came.len());
}

fn have_rsyslog() -> bool {
    let found = Path::new(RSYSLOG).exists();
    if !found {
        println!("skipped: rsyslogd is missing");
    }
    found
}

#[test]
fn rsyslog_takes_syslog_over_tcp() {
    if have_rsyslog() {
        let folder = tempfile::tempdir().unwrap();
        ends_and_returns("tcp", "", "", folder.path());
    }
}

#[test]
fn rsyslog_takes_syslog_over_tls() {
    if !have_rsyslog() {
        return;
    }
    let library = format!("/usr/lib/{}-linux-gnu/rsyslog/lmnsd_gtls.so", std::env::consts::ARCH);
    if !Path::new(&library).exists() {
        println!("skipped: rsyslog-gnutls is missing");
        return;
    }
    let (folder, certificates) = (tempfile::tempdir().unwrap(), Certificates::new());
    let parts = [
        ("ca.pem", &certificates.ca),
        ("cert.pem", &certificates.server.0),
        ("key.pem", &certificates.server.1),
        ("client.pem", &certificates.client.0),
        ("client.key", &certificates.client.1),
    ];
    for (name, text) in parts {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let driver = "StreamDriver.Name=\"gtls\" StreamDriver.Mode=\"1\" StreamDriver.AuthMode=\"x509/certvalid\"";
    let at = folder.path().display();
    ends_and_returns("tls", driver, &format!("#ca={at}/ca.pem,cert={at}/client.pem,key={at}/client.key"), folder.path());
}
