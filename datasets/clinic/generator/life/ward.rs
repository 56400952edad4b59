//! The bedside monitors, the laboratory and the integration engine.

use super::dialogue::http;
use crate::generator::clock::{MILLI, MINUTE, SECOND, SPAN, people, period};
use crate::generator::datagram::moment;
use crate::generator::host::{BROKER, HIS, Host, LAB, MONITORS, PACS};
use crate::generator::label::benign;
use crate::generator::net::Net;
use crate::generator::protocol::{hl7, mqtt};
use crate::generator::random::Rng;
use crate::generator::tcp::{Call, Side, Tcp};

/// Port of HL7 in its minimal framing.
pub const HL7_PORT: u16 = 2575;
/// When monitor 3 is restarted, and when monitor 5 is.
pub const RESTARTS: [(u8, i64); 2] = [(43, 107 * MINUTE), (45, 287 * MINUTE)];
/// How long a restart takes.
pub const RESTART_TIME: i64 = 74 * SECOND;

/// Everything on the ward and in the laboratory.
pub fn live(net: &mut Net) {
    for (i, monitor) in MONITORS.into_iter().enumerate() {
        let restart = RESTARTS.iter().find(|r| r.0 == monitor.number).map(|r| r.1);
        let mut spans = vec![(0, restart.unwrap_or(SPAN + MINUTE))];
        spans.extend(restart.map(|at| (at + RESTART_TIME, SPAN + MINUTE)));
        for (from, to) in spans {
            telemetry(net, monitor, from, to);
            if i >= 4 {
                vitals(net, monitor, from, to);
            }
        }
        configuration(net, monitor);
    }
    subscriber(net);
    results(net);
    orders(net);
}

/// Values to the broker every minute on a connection that lasts all day; two of the monitors had it before the capture began.
fn telemetry(net: &mut Net, monitor: Host, from: i64, to: i64) {
    let mut rng = net.rng(&format!("{} telemetry {from}", monitor.name));
    let at = if from == 0 { rng.between(5, 90) * SECOND } else { from };
    let call = Call { from: monitor.at(), to: BROKER.at(), port: 1883, at, story: benign("telemetry") };
    let known = from == 0 && monitor.number > MONITORS[1].number;
    let mut c = if known { Tcp::underway(net, &mut rng, call) } else { Tcp::open(net, &mut rng, call) };
    if !known {
        c.say(Side::Client, mqtt::connect(monitor.name));
        c.wait(moment(&mut rng));
        c.say(Side::Server, mqtt::accepted());
    }
    for at in period(&mut rng, MINUTE, 0.02, at + 2 * SECOND, to) {
        c.wait_until(at);
        let topic = format!("ward/{}/vitals", monitor.name);
        let (heart, oxygen) = (rng.between(55, 110), rng.between(92, 100));
        let alarm = if rng.chance(0.02) { ",\"alarm\":\"lead off\"" } else { "" };
        c.say(Side::Client, mqtt::publish(&topic, &format!("{{\"hr\":{heart},\"spo2\":{oxygen}{alarm}}}")));
        if rng.chance(0.03) {
            c.say(Side::Client, mqtt::ping());
            c.say(Side::Server, mqtt::pong());
        }
    }
    c.done();
}

/// The same to the integration engine every 100 s, acknowledged.
fn vitals(net: &mut Net, monitor: Host, from: i64, to: i64) {
    let mut rng = net.rng(&format!("{} vitals {from}", monitor.name));
    let at = from + rng.between(3, 40) * SECOND;
    let call = Call { from: monitor.at(), to: HIS.at(), port: HL7_PORT, at, story: benign("hl7 vitals") };
    let mut c = Tcp::open(net, &mut rng, call);
    for at in period(&mut rng, 100 * SECOND, 0.01, at + SECOND, to) {
        c.wait_until(at);
        let now = c.now;
        c.say(Side::Client, hl7::vitals(&mut rng, monitor.name, now));
        c.wait(rng.exponential(8 * MILLI));
        c.say(Side::Server, hl7::acknowledgement("HIS", monitor.name, now));
    }
    c.done();
}

fn configuration(net: &mut Net, monitor: Host) {
    let mut rng = net.rng(&format!("{} configuration", monitor.name));
    for at in period(&mut rng, 25 * MINUTE, 0.02, 0, SPAN) {
        let call = Call { from: monitor.at(), to: HIS.at(), port: 8080, at, story: benign("configuration") };
        let bytes = rng.size(900, 1_300);
        http(net, &mut rng, call, "his.clinic.example", "/device/alarms", bytes);
    }
}

/// The hospital information system hears the broker.
fn subscriber(net: &mut Net) {
    let mut rng = net.rng("subscriber");
    let call = Call { from: HIS.at(), to: BROKER.at(), port: 1883, at: 0, story: benign("telemetry") };
    let mut c = Tcp::underway(net, &mut rng, call);
    for at in period(&mut rng, 60 * SECOND, 0.5, SECOND, SPAN + MINUTE) {
        c.wait_until(at);
        let monitor = rng.pick(&MONITORS).name;
        c.say(Side::Server, mqtt::publish(&format!("ward/{monitor}/summary"), "{\"state\":\"stable\",\"window_s\":120}"));
    }
    c.done();
}

/// Laboratory results, each on a connection of its own.
fn results(net: &mut Net) {
    let mut rng = net.rng(LAB.name);
    for at in people(&mut rng, 150 * SECOND) {
        let values = rng.between(4, 28);
        let call = Call { from: LAB.at(), to: HIS.at(), port: HL7_PORT, at, story: benign("hl7 result") };
        let result = hl7::result(&mut rng, values, at);
        message(net, &mut rng, call, result, hl7::acknowledgement("HIS", "LAB", at));
    }
}

/// Admissions and orders from the engine to the archive.
fn orders(net: &mut Net) {
    let mut rng = net.rng("engine");
    for at in people(&mut rng, 4 * MINUTE) {
        let kind = *rng.pick(&["ADT^A01", "ADT^A08", "ORM^O01", "ORM^O01", "ADT^A03"]);
        let call = Call { from: HIS.at(), to: PACS.at(), port: HL7_PORT, at, story: benign("hl7 order") };
        let order = hl7::order(&mut rng, kind, at);
        message(net, &mut rng, call, order, hl7::acknowledgement("PACS", "HIS", at));
    }
}

/// One message and its acknowledgement.
fn message(net: &mut Net, rng: &mut Rng, call: Call, message: Vec<u8>, acknowledgement: Vec<u8>) {
    let mut c = Tcp::open(net, rng, call);
    c.say(Side::Client, message);
    c.wait(rng.exponential(9 * MILLI));
    c.say(Side::Server, acknowledgement);
    c.wait(moment(rng));
    c.close(Side::Client);
}
