//! From a captured frame to the packet inside it: link layers, network headers, transport headers.
//!
//! The only user of etherparse. A frame that cannot be told apart is data, a counted [`Skip`], not an error.

mod addr;
mod frame;
mod packet;

pub use addr::Addr;
pub use frame::{Frame, LinkType};
pub use packet::{Packet, Tcp, TcpFlags};
