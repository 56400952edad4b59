//! Where frames come from: capture files, standard input, live interfaces.
//!
//! Every source fills [`Block`]s: a buffer of raw bytes and, in order, where each frame lies in it. A frame is not copied
//! on its own, except where captures overlap in time and out of libpcap's buffer. The only user of the pcap crate.
//!
//! Architecture invariants: a file is read, never mapped, so that one that shrinks is an error and not a signal; no length
//! in a file makes more memory be taken than 16 MiB; nothing here asks for the time, live interfaces are given a clock.

mod block;
mod content;
mod error;
mod fanout;
mod faulty;
mod files;
mod folder;
mod held;
mod inflate;
mod input;
mod interface;
mod interfaces;
mod link_name;
mod live;
mod magic;
mod merge;
mod order;
mod parse;
mod pcap;
mod pcapng;
mod pcapng_write;
mod port;
mod presence;
mod reader;
mod ring;
mod stream;

pub use block::{Block, FrameSpan, Source};
pub use content::{Content, begins_capture};
pub use error::{CaptureError, Damage, Place};
pub use faulty::{Faults, Faulty};
pub use files::{CaptureFile, Files, open};
pub use input::Input;
pub use interfaces::Interfaces;
pub use link_name::link_type_name;
pub use live::{Clock, Live, LiveOptions, LiveStatistics};
pub use magic::Compression;
pub use merge::MAX_OPEN;
pub use pcapng_write::{PcapngBlocks, in_order_of_time};
pub use port::{Change, InterfaceAccount};
pub use reader::{BLOCK_BYTES, Reader};
