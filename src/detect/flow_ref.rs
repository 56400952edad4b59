//! A flow, as an incident names it.

use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::feature::{Fact, FactKind, Host, fact_texts};
use crate::flow::{FlowKey, FlowRecord, Service};
use crate::model::{Kind, value_key};

/// The flow that shows an incident best.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FlowRef {
    /// Its key.
    pub key: FlowKey,
    /// Its identifier.
    pub id: u64,
    /// Initiator's port.
    pub orig_port: u16,
    /// Responder's port.
    pub resp_port: u16,
    /// Initiator.
    pub orig: Host,
    /// Responder.
    pub resp: Host,
    /// Application.
    pub app: App,
    /// What its application said of itself, in words.
    pub facts: Vec<(FactKind, Box<str>)>,
}

impl FlowRef {
    /// What two devices said to each other below IP.
    #[must_use]
    pub const fn of_link(orig: Host, resp: Host) -> Self {
        let Service { protocol, port } = Service::ARP;
        let key = FlowKey { low: orig.0, high: resp.0, low_port: port, high_port: port, protocol, one_way: true, vlans: [0; 2] };
        Self { key, id: 0, orig_port: 0, resp_port: 0, orig, resp, app: App::Unknown, facts: Vec::new() }
    }

    /// Is it such?
    #[must_use]
    pub const fn is_link(&self) -> bool {
        self.key.protocol == Service::ARP.protocol
    }

    /// What it called itself: the name that was asked for, AE titles.
    #[must_use]
    pub fn names(&self) -> Vec<Box<str>> {
        let is_name = |kind: FactKind| matches!(kind, FactKind::Name | FactKind::CallingAe | FactKind::CalledAe);
        self.facts.iter().filter(|(kind, _)| is_name(*kind)).map(|(_, text)| text.clone()).collect()
    }

    /// The first that it said of a kind.
    #[must_use]
    pub fn said(&self, kind: FactKind) -> Option<&str> {
        self.facts.iter().find(|(known, _)| *known == kind).map(|(_, text)| &**text)
    }

    /// The text of the fact of a kind whose hash among values is `about`.
    #[must_use]
    pub fn fact(&self, kind: FactKind, about: u64) -> Option<&str> {
        let mut of_kind = self.facts.iter().filter(|(known, _)| *known == kind).map(|(_, text)| &**text);
        of_kind.find(|text| value_key(Kind::Fact(kind), self.fact_of(kind, text)) == about)
    }

    /// The fact of a text that it said.
    #[must_use]
    pub fn fact_of(&self, kind: FactKind, text: &str) -> Fact {
        Fact::of(kind, text, (self.resp.0, Service { protocol: self.key.protocol, port: self.resp_port }))
    }

    /// The flow of a record.
    #[must_use]
    pub fn of(record: &FlowRecord) -> Self {
        Self {
            key: record.key,
            id: record.id,
            orig_port: record.orig_port(),
            resp_port: record.resp_port(),
            orig: Host(record.orig_addr()),
            resp: Host(record.resp_addr()),
            app: record.app.0,
            facts: fact_texts(record).into_iter().map(|(kind, text)| (kind, text.into())).collect(),
        }
    }
}
