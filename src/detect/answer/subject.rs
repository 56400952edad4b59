//! What a rule looks at.

use super::rule::Direction;
use crate::detect::{Class, Notice};
use crate::feature::Host;
use crate::flow::Service;
use crate::time::Timestamp;

/// A line about an incident, as a rule sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct Subject {
    /// The incident's identifier.
    pub id: u64,
    /// Its class.
    pub class: Class,
    /// Devices that it is about; the first is the one whose behaviour it is.
    pub hosts: Vec<Host>,
    /// The other ends.
    pub peers: Vec<Host>,
    /// Services; none for what has no IP.
    pub services: Vec<Service>,
    /// What the strongest flow of each conversation called itself.
    pub names: Vec<Vec<Box<str>>>,
    /// Do the lists hold all that there were?
    pub is_complete: bool,
    /// Who began the flow that shows it best.
    pub direction: Direction,
    /// Its score so far.
    pub bits: f64,
    /// First packet of its first flow.
    pub first: Timestamp,
    /// Last packet of its latest flow.
    pub last: Timestamp,
    /// When the line was raised.
    pub raised: Timestamp,
}

impl Subject {
    /// What a notice tells.
    #[must_use]
    pub fn of(notice: &Notice) -> Self {
        let incident = &notice.incident;
        let also = incident.also.iter().copied().filter(|&host| host != incident.host);
        Self {
            id: incident.id,
            class: incident.class,
            hosts: std::iter::once(incident.host).chain(also).map(|host| notice.shown(host)).collect(),
            peers: incident.peers.keys().map(|&peer| notice.shown(peer)).collect(),
            services: incident.services.iter().copied().filter(|service| service.protocol != 0).collect(),
            names: incident.names.iter().cloned().collect(),
            is_complete: incident.is_complete,
            direction: if incident.flow.orig == notice.shown(incident.host) { Direction::Out } else { Direction::In },
            bits: incident.bits,
            first: incident.first,
            last: incident.last,
            raised: notice.raised,
        }
    }
}
