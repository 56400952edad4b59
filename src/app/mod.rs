//! Which application a flow belongs to, told from its first payload bytes or else from its port, and metadata that is safe
//! to keep.
//!
//! Architecture invariant: only the envelope is read. No byte of a DICOM data set, of an HL7 segment behind MSH, of a URL, of
//! a message body, of an MQTT topic or of a credential reaches [`Facts`]. Between two packets only the start of a handshake's
//! message is held, until its rest has come, bounded per message and per shard of the flow table. (One
//! case cannot be told: a flow whose start was not seen, and a body with an HTTP head of its own at the start of a packet.)

mod banner;
mod ber;
mod count;
mod datagram;
mod dhcp;
mod dicom;
mod dns;
mod facts;
mod framing;
mod held;
mod hl7;
mod http;
mod listen;
mod mqtt;
mod name;
mod port;
mod reader;
mod recognise;
mod ssh;
mod state;
mod stream;
mod text;
mod tls;

pub use count::Distinct;
pub use dhcp::{DhcpFacts, DhcpKinds, DhcpMessage, dhcp_message};
pub use dicom::DicomFacts;
pub use dns::{DnsFacts, QueryTypes};
pub use facts::Facts;
pub use hl7::{Hl7Facts, Hl7Type};
pub use http::{ContentClass, HttpFacts};
pub use listen::Payload;
pub use mqtt::MqttFacts;
pub use name::{App, Basis};
pub use port::Ports;
pub use ssh::SshFacts;
pub use state::{AppState, Side};
pub use text::printable;
pub use tls::TlsFacts;
