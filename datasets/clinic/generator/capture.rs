//! The frames, in the order of their time, and the capture file.

use super::clock::{MICRO, SPAN, START_EPOCH_S};

/// Bytes kept of each frame. Long enough for a TLS server name and a DICOM association's first context.
pub const SNAP_BYTES: usize = 256;
/// The shortest Ethernet frame without its check sequence (IEEE 802.3); shorter ones are padded with zeros.
const MIN_FRAME_BYTES: usize = 60;

struct Stored {
    at: i64,
    wire_bytes: u32,
    data: Vec<u8>,
}

/// All frames of the data set.
#[derive(Default)]
pub struct Capture {
    frames: Vec<Stored>,
    wire_bytes: u64,
}

impl Capture {
    /// Adds a frame at `at` nanoseconds after the start and returns its bytes on the wire; `None` when that is outside the
    /// capture.
    pub fn push(&mut self, at: i64, mut frame: Vec<u8>) -> Option<u32> {
        if !(0..SPAN).contains(&at) {
            return None;
        }
        frame.resize(frame.len().max(MIN_FRAME_BYTES), 0);
        let wire_bytes = frame.len() as u32;
        frame.truncate(SNAP_BYTES);
        frame.shrink_to_fit();
        self.wire_bytes += u64::from(wire_bytes);
        self.frames.push(Stored { at, wire_bytes, data: frame });
        Some(wire_bytes)
    }

    /// Frames so far.
    pub fn frames(&self) -> usize {
        self.frames.len()
    }

    /// Their bytes on the wire.
    pub fn wire_bytes(&self) -> u64 {
        self.wire_bytes
    }

    /// The capture as a pcap file with microseconds, frames of the same microsecond in the order of their making.
    pub fn into_pcap(mut self) -> Vec<u8> {
        self.frames.sort_by_key(|frame| frame.at / MICRO);
        let mut out = Vec::new();
        for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, SNAP_BYTES as u32, 1] {
            out.extend(word.to_le_bytes());
        }
        for frame in &self.frames {
            let micros = frame.at / MICRO;
            let second = START_EPOCH_S + micros / 1_000_000;
            for word in [second as u32, (micros % 1_000_000) as u32, frame.data.len() as u32, frame.wire_bytes] {
                out.extend(word.to_le_bytes());
            }
            out.extend(&frame.data);
        }
        out
    }
}
