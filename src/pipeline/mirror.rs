//! Whether the port that is listened on mirrors both ends of conversations, so that every packet comes twice.

use crate::capture::FrameSpan;
use crate::wire::{Packet, Skip};

/// A frame, what it holds, and whether another frame has brought the same packet a moment before.
#[derive(Debug)]
pub(super) struct Decoded {
    pub span: FrameSpan,
    pub packet: Result<Packet, Skip>,
    pub is_copy: bool,
}

/// Does the port mirror both ends of conversations? Told for each block, so that the few packets that look like copies of
/// others elsewhere stay what they are.
#[derive(Debug, Default)]
pub(super) struct Mirror {
    pub is_double: bool,
}

impl Mirror {
    /// One packet in twenty that is a copy says so; it is over when fewer than one in a hundred are.
    pub(super) fn judge(&mut self, decoded: &[Decoded]) {
        let packets = decoded.iter().filter(|decoded| decoded.packet.is_ok()).count();
        let copies = decoded.iter().filter(|decoded| decoded.is_copy).count();
        if packets > 0 {
            self.is_double = copies > 0 && copies * if self.is_double { 100 } else { 20 } >= packets;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::testing::packet;
    use crate::time::Timestamp;
    use crate::wire::LinkType;

    fn block(packets: usize, copies: usize) -> Vec<Decoded> {
        let span = FrameSpan { time: Timestamp::MIN, link: LinkType::ETHERNET, wire_bytes: 60, bytes: 0..60 };
        let decoded = |n| Decoded { span: span.clone(), packet: Ok(packet(0, 1, 1, 2, 2, 17)), is_copy: n < copies };
        (0..packets).map(decoded).collect()
    }

    #[test]
    fn a_few_copies_are_no_mirror_and_a_mirror_may_be_quiet_for_a_while() {
        let mut mirror = Mirror::default();
        let mut after = |packets, copies| {
            mirror.judge(&block(packets, copies));
            mirror.is_double
        };
        assert!(!after(100, 0) && !after(100, 4) && after(100, 5), "one in twenty begins it");
        assert!(after(100, 1) && after(0, 0) && !after(101, 1), "fewer than one in a hundred end it");
    }
}
