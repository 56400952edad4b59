//! Alerts to NATS JetStream.

use std::time::Duration;

use super::SinkError;
use super::send::{SendError, Sender};
use super::target::TargetOptions;
use crate::alert::Message;
use crate::nats::{Access, Address, Keeping, Nats, Parcel};

/// How long a stream keeps alerts, where this makes it.
const KEEPING: Keeping = Keeping { age: Duration::from_secs(90 * 86_400), bytes: 256 << 20, replicas: 1 };
/// The site of an alert where none is named.
const SITE: &str = "main";

/// Publishes to `PREFIX.alerts.SITE`. A stream confirms each alert, and keeps one of each identifier.
pub(super) struct JetStream {
    address: Address,
    access: Access,
    site: String,
    name: String,
    connection: Option<Nats>,
}

impl JetStream {
    /// A way to this address; `sensor` is what the server lists it as.
    pub fn new(address: &str, options: &TargetOptions, sensor: &str) -> Result<Self, SinkError> {
        let address = Address::parse(address).map_err(|error| SinkError::Usage(error.to_string()))?;
        let TargetOptions { creds, ca, cert, key, site, .. } = options.clone();
        let (access, site) = (Access { creds, ca, cert, key }, site.unwrap_or_else(|| SITE.to_owned()));
        Ok(Self { address, access, site, name: format!("auscult alerts {sensor}"), connection: None })
    }
}

impl Sender for JetStream {
    fn send(&mut self, messages: &[Message], _number: u64) -> Result<(), SendError> {
        let later = |error: &dyn std::fmt::Display| SendError::Later(error.to_string());
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => Nats::connect(&self.address, &self.access, &self.name).map_err(|error| later(&error))?,
        };
        let subject = self.address.subject(&format!("alerts.{}", self.site));
        let parcel = |message: &Message| Parcel {
            subject: subject.clone(),
            id: message.id.clone(),
            payload: message.text.clone().into_bytes(),
        };
        let parcels: Vec<Parcel> = messages.iter().map(parcel).collect();
        let mut sent = connection.publish(&parcels);
        if sent.is_homeless {
            let subjects = vec![self.address.subject("alerts.>")];
            connection.make_stream(&self.address.stream("alerts"), subjects, KEEPING).map_err(|error| later(&error))?;
            sent = connection.publish(&parcels);
        }
        self.connection = Some(connection);
        sent.error.map_or(Ok(()), |error| Err(later(&error)))
    }
}
