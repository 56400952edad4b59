//! What a report is made of, gathered line by line or flow by flow, in bounded memory.

use std::io::{self, BufRead};

use super::chain::Chain;
use super::event::{FlowPart, Line, Product, Told, moment};
use super::incidents::Incidents;
use super::talk::Talks;
use super::text::Shown;
use super::traffic::{Step, Traffic};
use super::unusual::{Group, UNUSUAL_BITS, Unusual};
use crate::alert::{AlertContext, alert_event};
use crate::detect::{Notice, ScoredFlow};
use crate::feature::{COUNT, Host, SCHEMA, extract};
use crate::flow::FlowRecord;
use crate::model::{Plane, Vocabulary};
use crate::record::Lines;
use crate::replay::Output;
use crate::time::Timestamp;

/// Lines that could not be read are told one by one up to this many.
const MOST_TOLD: usize = 3;

/// What kind of events a file is read for; events of other kinds are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Alerts.
    Alerts,
    /// Flow events.
    Flows,
}

/// Lines that were no use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PassedOver {
    /// Events of other kinds than the file was read for, and alerts of other programs.
    pub others: u64,
    /// Lines that could not be read.
    pub unreadable: u64,
    /// The first of these: file, line and what is wrong.
    pub told: Vec<(String, u64, String)>,
}

impl PassedOver {
    fn refuse(&mut self, file: &str, line: u64, what: String) {
        self.unreadable += 1;
        if self.told.len() < MOST_TOLD {
            self.told.push((file.to_owned(), line, what));
        }
    }
}

/// A behaviour that flows are told by.
#[derive(Clone, Debug, PartialEq)]
pub struct Behaviour {
    /// Its name.
    pub name: Shown,
    /// Flows that taught it.
    pub flows: u32,
}

/// Everything gathered.
#[derive(Debug, Default)]
pub struct Gather {
    /// Incidents.
    pub incidents: Incidents,
    /// Whether the alert files are whole; nothing where no file was read.
    pub chain: Option<Chain>,
    /// Traffic over time.
    pub traffic: Traffic,
    /// Who talks to whom.
    pub talks: Talks,
    /// Unusual flows.
    pub unusual: Unusual,
    /// Behaviours, in the order of the plane's centres.
    pub behaviours: Vec<Behaviour>,
    /// The plane that they are drawn in.
    pub plane: Option<Plane>,
    /// Flow records taken.
    pub flows: u64,
    /// Did flow records say what was lost?
    pub tells_loss: bool,
    /// Did flow records have bits?
    pub tells_bits: bool,
    /// Lines that were no use.
    pub passed_over: PassedOver,
    /// What alerts say of what judged, in-process.
    context: Option<AlertContext>,
}

/// A flow, wherever it was told.
struct Seen<'a> {
    ends: [Host; 2],
    time: (Timestamp, Timestamp),
    packets: u64,
    bytes: u64,
    missing_bytes: u64,
    bits: Option<f64>,
    behaviour: &'a Shown,
}

impl Gather {
    /// Knows the behaviours that flows are told by.
    pub fn know(&mut self, vocabulary: &Vocabulary) {
        let behaviour =
            |behaviour: &crate::model::Behaviour| Behaviour { name: Shown::new(&behaviour.name), flows: behaviour.flows };
        self.behaviours = vocabulary.behaviours.iter().map(behaviour).collect();
        self.plane = Plane::of(vocabulary);
    }

    /// An empty one that knows the same of what judges.
    #[must_use]
    pub fn anew(&self) -> Self {
        let (behaviours, plane, context) = (self.behaviours.clone(), self.plane.clone(), self.context.clone());
        Self { behaviours, plane, context, ..Self::default() }
    }

    /// Reads a file of EVE lines. A line that cannot be read is counted and told, and ends nothing.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn read(&mut self, from: impl BufRead, file: &str, wanted: Wanted) -> io::Result<()> {
        let (mut lines, mut lines_read) = (Lines::new(from), 0);
        if wanted == Wanted::Alerts {
            self.chain.get_or_insert_default();
        }
        while let Some(line) = lines.next()? {
            let taken = match line {
                Ok(line) if line.trim().is_empty() => Ok(()),
                Ok(line) => self.line(line, wanted, Some((file, lines_read + 1))),
                Err(wrong) => Err(wrong.to_string()),
            };
            lines_read += 1;
            if let Err(what) = taken {
                self.passed_over.refuse(file, lines_read, what);
            }
        }
        Ok(())
    }

    /// No more comes.
    pub fn finish(&mut self) {
        self.incidents.finish();
    }

    /// Takes a line; one of a file with its place.
    fn line(&mut self, text: &str, wanted: Wanted, place: Option<(&str, u64)>) -> Result<(), String> {
        let line: Line<'_> = serde_json::from_str(text).map_err(|error| error.to_string())?;
        match (&*line.event_type, wanted) {
            ("alert", Wanted::Alerts) if line.auscult.is_some() => {
                let link = line.auscult.as_ref().and_then(|product| product.chain.clone());
                self.incidents.add(Told::of(line)?);
                if let (Some(chain), Some((file, number))) = (&mut self.chain, place) {
                    chain.add(text, link.as_ref(), file, number);
                }
                Ok(())
            }
            ("flow", Wanted::Flows) => self.flow_line(line),
            _ => {
                self.passed_over.others += 1;
                Ok(())
            }
        }
    }

    fn flow_line(&mut self, line: Line<'_>) -> Result<(), String> {
        let host = |field: &str, text: Option<&str>| {
            let text = text.ok_or_else(|| format!("field {field:?} is missing"))?;
            text.parse::<Host>().map_err(|_| format!("field {field:?}: {text:?} is no address"))
        };
        let ends = [host("src_ip", line.src_ip.as_deref())?, host("dest_ip", line.dest_ip.as_deref())?];
        let flow = line.flow.as_ref().ok_or("field \"flow\" is missing")?;
        let end = moment("flow.end", flow.end.as_deref().or(line.timestamp.as_deref()))?;
        let start = flow.start.as_deref().map_or(Ok(end), |start| moment("flow.start", Some(start)))?;
        let FlowPart { pkts_toserver, pkts_toclient, bytes_toserver, bytes_toclient, .. } = *flow;
        let product = line.auscult.as_ref();
        let missing = |product: &Product| {
            [&product.orig, &product.resp].into_iter().flatten().fold(0u64, |sum, side| sum.saturating_add(side.missing_bytes))
        };
        self.tells_loss |= product.is_some_and(|product| product.orig.is_some());
        let unnamed = Shown::default();
        let seen = Seen {
            ends,
            time: (start, end),
            packets: pkts_toserver.saturating_add(pkts_toclient),
            bytes: bytes_toserver.saturating_add(bytes_toclient),
            missing_bytes: product.map_or(0, missing),
            bits: product.and_then(|product| product.bits),
            behaviour: product.and_then(|product| product.behaviour.as_ref()).unwrap_or(&unnamed),
        };
        let place = |plane: &Plane| Some(plane.place(&vector(product?.features.as_ref()?)?));
        self.flow(&seen, || service(&line), place);
        Ok(())
    }

    fn flow(&mut self, seen: &Seen<'_>, service: impl Fn() -> Shown, place: impl Fn(&Plane) -> Option<[f64; 2]>) {
        self.flows += 1;
        self.tells_bits |= seen.bits.is_some();
        let bits = seen.bits.unwrap_or(0.0);
        let step = Step {
            bytes: seen.bytes as f64,
            missing_bytes: seen.missing_bytes as f64,
            flows: 1,
            unusual: u64::from(bits >= UNUSUAL_BITS),
        };
        self.traffic.add(seen.time, &step, seen.packets);
        let [orig, resp] = seen.ends;
        self.talks.add(orig, resp, &service, seen.bytes);
        let plane = self.plane.as_ref();
        let group = || Group { flows: 1, bits, peer: resp, service: service(), place: plane.and_then(place) };
        self.unusual.add(orig, seen.behaviour, bits, group);
    }

    /// Takes a flow of the same process, with its bits where it was judged and the name of the behaviour that it resembles.
    pub fn record(&mut self, record: &FlowRecord, bits: Option<f64>, behaviour: &str) {
        self.tells_loss = true;
        let seen = Seen {
            ends: [Host(record.orig_addr()), Host(record.resp_addr())],
            time: (record.start, record.end),
            packets: record.orig.packets + record.resp.packets,
            bytes: record.orig.wire_bytes.saturating_add(record.resp.wire_bytes),
            missing_bytes: record.orig.missing_bytes.saturating_add(record.resp.missing_bytes),
            bits,
            behaviour: &Shown::new(behaviour),
        };
        let service = || in_words(record.app.0.name(), &record.service().to_string());
        self.flow(&seen, service, |plane| Some(plane.place(&extract(record).map(|value| value as f32))));
    }
}

impl Output for Gather {
    fn begin(&mut self, context: &AlertContext) {
        self.context = Some(context.clone());
    }

    fn vocabulary(&mut self, vocabulary: &Vocabulary) {
        self.know(vocabulary);
    }

    fn notice(&mut self, notice: &Notice) {
        let Some(context) = &self.context else { return };
        let line = alert_event(notice, context, (0, "")).to_string();
        if let Err(what) = self.line(&line, Wanted::Alerts, None) {
            self.passed_over.refuse("this run", self.incidents.lines, what);
        }
    }

    fn flow(&mut self, flow: &ScoredFlow, behaviour: &str) {
        self.record(&flow.record, Some(flow.bits), behaviour);
    }

    fn unjudged(&mut self, record: &FlowRecord) {
        self.record(record, None, "");
    }
}

/// A service as people say it: `tls (tcp/443)`, `tcp/9999`.
fn in_words(app: &str, service: &str) -> Shown {
    match app {
        "" | "unknown" | "failed" => Shown::new(service),
        app => Shown::new(&format!("{app} ({service})")),
    }
}

fn service(line: &Line<'_>) -> Shown {
    let protocol = line.proto.as_deref().unwrap_or("ip").to_lowercase();
    let port = line.dest_port.or(line.icmp_type);
    let service = port.map_or_else(|| protocol.clone(), |port| format!("{protocol}/{port}"));
    in_words(line.app_proto.as_deref().unwrap_or_default(), &service)
}

/// The features of a flow event, when all are there.
fn vector(features: &serde_json::Map<String, serde_json::Value>) -> Option<[f32; COUNT]> {
    let mut vector = [0.0; COUNT];
    for (value, feature) in vector.iter_mut().zip(&SCHEMA) {
        *value = features.get(feature.name)?.as_f64()? as f32;
    }
    Some(vector)
}
