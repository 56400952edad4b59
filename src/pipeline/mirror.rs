//! Whether the port that is listened on mirrors both ends of conversations, so that every packet comes twice.

/// Packets that are judged by.
const WINDOW: usize = 1024;
const PARTS: usize = 16;

/// Does the port mirror both ends of conversations? One packet in twenty that is a copy says so, among the last thousand or as many as there were; it is over
/// when fewer than one in a hundred are. So the few packets that look like copies of others elsewhere stay what they are. It depends on
/// the packets alone, not on how they are cut into blocks.
#[derive(Debug, Default)]
pub(super) struct Mirror {
    is_double: bool,
    /// (Packets, copies) of the latest parts of the window, the current one at `part`.
    parts: [(u16, u16); PARTS],
    part: usize,
    packets: usize,
    copies: usize,
}

impl Mirror {
    /// Takes the next packet. Is it one to leave out: a copy on a port that mirrors both ends?
    pub(super) fn leaves_out(&mut self, is_copy: bool) -> bool {
        let (packets, copies) = &mut self.parts[self.part];
        *packets += 1;
        *copies += u16::from(is_copy);
        let is_part_full = usize::from(*packets) == WINDOW / PARTS;
        self.packets += 1;
        self.copies += usize::from(is_copy);
        if is_copy && self.copies * 20 >= self.packets {
            self.is_double = true;
        }
        let leaves_out = is_copy && self.is_double;
        if is_part_full {
            self.is_double &= self.copies * 100 >= self.packets;
            self.part = (self.part + 1) % PARTS;
            let (packets, copies) = std::mem::take(&mut self.parts[self.part]);
            self.packets -= usize::from(packets);
            self.copies -= usize::from(copies);
        }
        leaves_out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many are left out of so many packets, of which every `every`th is a copy.
    fn left_out(mirror: &mut Mirror, packets: usize, every: usize) -> usize {
        (1..=packets).filter(|n| mirror.leaves_out(n % every == 0)).count()
    }

    #[test]
    fn copies_of_a_mirror_are_left_out_from_the_first_on() {
        assert_eq!(left_out(&mut Mirror::default(), 10_000, 2), 5000);
        assert_eq!(left_out(&mut Mirror::default(), 10_000, 20), 500);
    }

    #[test]
    fn a_few_copies_are_no_mirror_and_a_mirror_may_be_quiet_for_a_while() {
        let mut mirror = Mirror::default();
        assert_eq!(left_out(&mut mirror, 10_000, 30), 0);
        let known_after = 500 - left_out(&mut mirror, 1000, 2);
        assert!(
            (10..25).contains(&known_after),
            "one in twenty of the last thousand, of which one in thirty was already: {known_after}"
        );
        assert_eq!(left_out(&mut mirror, 3000, 90), 33, "one in ninety goes on");
        assert_eq!(left_out(&mut mirror, 3000, 3001), 0);
        assert_eq!(left_out(&mut mirror, 3000, 90), 0, "and does not begin it");
    }
}
