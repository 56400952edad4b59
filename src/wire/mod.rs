//! From a captured frame to the packet inside it: link layers, network headers, transport headers.
//!
//! The only user of etherparse. A frame that cannot be told apart is data, a counted [`Skip`], not an error.

mod addr;
mod checksum;
mod decode;
mod duplicate;
mod fragments;
mod frame;
mod link;
mod link_payload;
mod mac;
mod mix;
mod network;
mod packet;
mod plain;
mod quoted;
mod skip;
mod transport;
mod tunnel;

pub use addr::Addr;
pub use checksum::{Checksum, checksum};
pub use decode::{decode, decode_into};
pub use duplicate::{DUPLICATE_WINDOW, Duplicates, Print};
pub use fragments::{Fragments, MOST_FRAGMENTED, MOST_WAITING, REASSEMBLY_TIME};
pub use frame::{Frame, LinkType};
pub use link_payload::{LinkPayload, LinkProtocol};
pub use mac::Mac;
pub use mix::mix;
pub use packet::{Fragment, Packet, Quoted, Tcp, TcpFlags};
pub use quoted::{quoted, quoted_header_bytes};
pub use skip::Skip;
pub use tunnel::{Tunnel, TunnelKind};
