//! Which application a flow belongs to, told from its first payload bytes or else from its port, and metadata that is safe
//! to keep.
//!
//! Architecture invariant: only the envelope is read. No byte of a DICOM data set, of an HL7 segment behind MSH but for an
//! answer's code (MSA-1), of a URL, of a message body, of an MQTT topic, of a value that is read from or written to a controller,
//! or of a credential reaches [`Facts`]. Of an MQTT client's identifier a hash does. Between two packets only the start of a
//! message is held that is a handshake or an envelope, until its rest has come, bounded per message and per shard of the flow
//! table. (One case cannot be told: a flow whose start was not seen, and a body with an HTTP head of its own at the start of a
//! packet.)

mod astm;
mod bacnet;
mod banner;
mod ber;
mod datagram;
mod dicom;
mod dnp3;
mod dns;
mod enip;
mod facts;
mod framing;
mod heads;
mod held;
mod hl7;
mod http;
mod listed;
mod listen;
mod modbus;
mod mqtt;
mod name;
mod opcua;
mod poct1a;
mod port;
mod reader;
mod recognise;
mod s7comm;
mod ssh;
mod state;
mod stream;
mod text;
mod tls;
mod ws_discovery;

pub use astm::AstmFacts;
pub use bacnet::BacnetFacts;
pub use dicom::{DicomFacts, DicomPeer, DicomStatus};
pub use dnp3::Dnp3Facts;
pub use dns::{DnsFacts, QueryTypes};
pub use enip::EnipFacts;
pub use facts::Facts;
pub use hl7::{Hl7AckCodes, Hl7Facts, Hl7Type};
pub use http::{ContentClass, HttpFacts};
pub use listen::Payload;
pub use modbus::{ModbusFacts, ModbusUnits};
pub use mqtt::{MqttFacts, MqttQos};
pub use name::{App, Basis};
pub use opcua::OpcUaFacts;
pub use poct1a::Poct1aFacts;
pub use port::Ports;
pub use s7comm::S7Facts;
pub use ssh::SshFacts;
pub use state::{AppState, Side};
pub use tls::TlsFacts;
pub use ws_discovery::WsDiscoveryFacts;
