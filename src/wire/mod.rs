//! From a captured frame to the packet inside it: link layers, network headers, transport headers.
//!
//! The only user of etherparse. A frame that cannot be told apart is data, a counted [`Skip`], not an error.

mod addr;
mod decode;
mod frame;
mod link;
mod link_payload;
mod mac;
mod network;
mod packet;
mod skip;
mod transport;
mod tunnel;

pub use addr::Addr;
pub use decode::decode;
pub use frame::{Frame, LinkType};
pub use link_payload::{LinkPayload, LinkProtocol};
pub use mac::Mac;
pub use packet::{Packet, Tcp, TcpFlags};
pub use skip::Skip;
pub use tunnel::{Tunnel, TunnelKind};
