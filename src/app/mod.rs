//! Which application a flow belongs to, told from its first payload bytes or else from its port, and metadata that is safe
//! to keep.
//!
//! Architecture invariant: only the envelope is read. No byte of a DICOM data set, of an HL7 segment behind MSH, of a URL (but
//! for the type of a FHIR resource), of a message body, of an MQTT topic or of a credential reaches [`Facts`]. Between two
//! packets only the start of a handshake's message is held, until its rest has come, bounded per message and per shard of the
//! flow table. (One case cannot be told: a flow whose start was not seen, and a body with an HTTP head of its own at the start
//! of a packet.)

mod banner;
mod ber;
mod bittorrent;
mod certificate;
mod cipher;
mod count;
mod datagram;
mod dcerpc;
mod dhcp;
mod dicom;
mod dns;
mod dtls;
mod facts;
mod fhir;
mod fingerprint;
mod frames;
mod framing;
mod ftp;
mod held;
mod hello;
mod hl7;
mod hpack;
mod http;
mod http2;
mod irc;
mod kerberos;
mod ldap;
mod lines;
mod listen;
mod mailbox;
mod mqtt;
mod mysql;
mod name;
mod nbns;
mod ntlm;
mod ntp;
mod port;
mod postgres;
mod quic;
mod quic_packet;
mod radius;
mod rdp;
mod reader;
mod recognise;
mod rfb;
mod rtp;
mod sip;
mod smb;
mod smtp;
mod snmp;
mod ssh;
mod state;
mod stream;
mod syslog;
mod tds;
mod text;
mod tftp;
mod tls;
mod vpn;

pub use certificate::Certificate;
pub use count::Distinct;
pub use dcerpc::DceRpcFacts;
pub use dhcp::{DhcpFacts, DhcpKinds, DhcpMessage, dhcp_message};
pub use dicom::DicomFacts;
pub use dns::{DnsFacts, QueryTypes};
pub use facts::Facts;
pub use ftp::{FtpCommands, FtpFacts};
pub use hl7::{Hl7Facts, Hl7Type};
pub use http::{ContentClass, HttpFacts};
pub use kerberos::{KerberosErrors, KerberosFacts, KerberosMessages};
pub use ldap::{LdapFacts, LdapOperations, LdapResults, LdapScopes};
pub use listen::Payload;
pub use mailbox::{MailboxCommands, MailboxFacts};
pub use mqtt::MqttFacts;
pub use mysql::MysqlFacts;
pub use name::{App, Basis};
pub use nbns::NbnsFacts;
pub use ntlm::NtlmFacts;
pub use ntp::NtpFacts;
pub use port::Ports;
pub use postgres::PostgresFacts;
pub use quic::QuicFacts;
pub use radius::RadiusFacts;
pub use rdp::RdpFacts;
pub use rfb::RfbFacts;
pub use rtp::RtpFacts;
pub use sip::{SipFacts, SipMethods, SipResponses};
pub use smb::{SmbCommands, SmbErrors, SmbFacts};
pub use smtp::{SmtpCommands, SmtpFacts};
pub use snmp::SnmpFacts;
pub use ssh::SshFacts;
pub use state::{AppState, Side};
pub use syslog::SyslogFacts;
pub use tds::TdsFacts;
pub use text::printable;
pub use tftp::TftpFacts;
pub use tls::TlsFacts;
