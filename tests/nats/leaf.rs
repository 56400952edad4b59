//! Sensors of a site that speak to a leaf node, which speaks to the server that keeps the stream.
use crate::nats_support::{Server, free_port};
use crate::support::{Folder, auscult, lines, project, text};
use serde_json::Value;

const CAPTURE: &str = "datasets/hospital/intrusion-loud/capture.pcap.zst";
const MODEL: &str = "models/hospital.json";

/// Publishes a third of the capture as a sensor of this site; what came of it.
fn publish(address: &str, folder: &Folder, (site, sensor): (&str, &str), drain: &str) -> Value {
    let (spool, stats) = (folder.name(&format!("spool-{sensor}")), folder.name(&format!("{sensor}.json")));
    let capture = project(CAPTURE);
    let words = ["replay", text(&capture), "--publish", address, "--site", site, "--sensor", sensor, "--drain", drain];
    let more = ["--spool", &spool, "--stats", &stats, "--to", "1780478700"];
    auscult(&[&words[..], &more[..]].concat()).ended(0);
    serde_json::from_slice::<Value>(&folder.read(&format!("{sensor}.json"))).unwrap()["published"].clone()
}

#[test]
fn a_site_publishes_over_its_leaf_node_and_only_its_own_subjects() {
    let port = free_port();
    let hub = format!(
        "leafnodes {{ listen: \"127.0.0.1:{port}\" }}\nauthorization {{ users: [
          {{ user: admin, password: a }},
          {{ user: north, password: n, permissions: {{ publish: [\"auscult.flows.north.>\"], subscribe: [\"_INBOX.>\"] }} }}
        ] }}"
    );
    let Some(hub) = Server::start(&hub) else { return };
    let remotes = format!("leafnodes {{ remotes: [ {{ url: \"nats-leaf://north:n@127.0.0.1:{port}\" }} ] }}");
    let Some(mut leaf) = Server::without_store("north", free_port(), &remotes) else { return };
    leaf.go_on();
    let folder = Folder::new();
    let admin = folder.put("admin", b"admin a");
    let model = project(MODEL);
    let (spool, capture) = (folder.name("spool-boot"), project(CAPTURE));
    // Who may makes the stream.
    let boot = ["replay", text(&capture), "--publish", &hub.address(), "--nats-creds", &admin, "--spool", &spool, "--to", "1"];
    auscult(&boot).ended(0);

    let account = publish(&leaf.address(), &folder, ("north", "a"), "20s");
    assert_eq!((&account["acknowledged"], &account["waiting"]), (&account["messages"], &0.into()), "{account}\n{}", leaf.log());
    let (alerts, stats) = (folder.name("alerts"), folder.name("stats"));
    let words = ["detect", &hub.address(), "--nats-creds", &admin, "--model", text(&model), "--until-caught-up"];
    auscult(&[&words[..], &["--alerts", &alerts, "--stats", &stats]].concat()).ended(0);
    let stats = serde_json::from_slice::<Value>(&folder.read("stats")).unwrap()["stream"].clone();
    assert_eq!((&stats["records"], &stats["missing"]), (&account["records"], &0.into()), "{stats}");
    assert!(!lines(&folder.read("alerts")).is_empty());

    assert_eq!(publish(&leaf.address(), &folder, ("south", "b"), "1s")["acknowledged"], 0);
}
