//! Where frames come from: capture files, standard input, live interfaces.
//!
//! Every source fills [`Block`]s: a buffer of raw bytes and, in order, where each frame lies in it. A frame is never copied
//! on its own. The only user of the pcap crate.

mod block;

pub use block::{Block, FrameSpan, Source};
