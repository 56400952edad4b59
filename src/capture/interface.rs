//! A pcapng interface: what its packets are and how its clock counts.

use super::order::Order;
use crate::time::Timestamp;
use crate::wire::LinkType;

const NANOS_PER_SECOND: u64 = 1_000_000_000;
const OPTION_END: u16 = 0;
const OPTION_TSRESOL: u16 = 9;
const OPTION_TSOFFSET: u16 = 14;

/// What an Interface Description Block says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Interface {
    pub(super) link: LinkType,
    /// The most bytes captured of a packet; 0 is no limit.
    pub(super) snap_bytes: u32,
    resolution: Resolution,
    offset_seconds: i64,
}

impl Interface {
    /// Reads the block's body: link type, two reserved bytes, snap length, options.
    pub(super) fn new(order: Order, body: &[u8]) -> Option<Self> {
        let link = LinkType(order.u16_at(body, 0)?);
        let snap_bytes = order.u32_at(body, 4)?;
        let mut interface = Self { link, snap_bytes, resolution: Resolution::of(6), offset_seconds: 0 };
        let mut rest = body.get(8..)?;
        while let Some((code, value, behind)) = option(order, rest) {
            match (code, value) {
                (OPTION_END, _) => break,
                (OPTION_TSRESOL, [resolution]) => interface.resolution = Resolution::of(*resolution),
                (OPTION_TSOFFSET, value) => interface.offset_seconds = order.u64_at(value, 0).unwrap_or_default() as i64,
                _ => {}
            }
            rest = behind;
        }
        Some(interface)
    }

    /// The moment that is `units` of this interface's clock after its epoch; saturates.
    #[inline]
    pub(super) fn time(&self, units: u64) -> Timestamp {
        let nanos = Timestamp::from_nanos(self.resolution.nanos(units));
        if self.offset_seconds == 0 {
            return nanos;
        }
        Timestamp::from_parts(self.offset_seconds, nanos.nanos())
    }
}

/// Code, value and the rest behind the padding of the option that `bytes` begins with.
fn option(order: Order, bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let code = order.u16_at(bytes, 0)?;
    let length = usize::from(order.u16_at(bytes, 2)?);
    let value = bytes.get(4..4 + length)?;
    Some((code, value, bytes.get(4 + length.next_multiple_of(4)..).unwrap_or_default()))
}

/// How long a unit of the clock is, made ready for the way from units to nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Resolution {
    /// A unit is so many nanoseconds.
    Nanos(u64),
    /// So many units are a nanosecond; rounded down.
    PerNano(u64),
    /// 2 to that power units are a second; rounded down.
    PowerOfTwo(u32),
}

impl Resolution {
    /// Of `if_tsresol`: the negative power of 10, or with the highest bit set, of 2.
    fn of(value: u8) -> Self {
        match value {
            0..=9 => Self::Nanos(10_u64.pow(9 - u32::from(value))),
            // From 10^20 units to the nanosecond on, 64 bits of them are less than one, as with this power of 2.
            10..=127 => 10_u64.checked_pow(u32::from(value) - 9).map_or(Self::PowerOfTwo(127), Self::PerNano),
            128.. => Self::PowerOfTwo(u32::from(value & 0x7f)),
        }
    }

    #[inline]
    fn nanos(self, units: u64) -> i64 {
        match self {
            Self::Nanos(each) => units.saturating_mul(each).min(i64::MAX as u64) as i64,
            Self::PerNano(count) => (units / count).min(i64::MAX as u64) as i64,
            Self::PowerOfTwo(power) => {
                let nanos = (u128::from(units) * u128::from(NANOS_PER_SECOND)) >> power;
                nanos.min(i64::MAX as u128) as i64
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_in_powers_of_ten_and_of_two() {
        let nanos = |resolution, units| Resolution::of(resolution).nanos(units);
        assert_eq!(nanos(0, 3), 3_000_000_000);
        assert_eq!(nanos(6, 1_700_000_000_123_456), 1_700_000_000_123_456_000);
        assert_eq!(nanos(9, 7), 7);
        assert_eq!(nanos(12, 7_999), 7);
        assert_eq!(nanos(127, u64::MAX), 0);
        assert_eq!(nanos(0x80 | 10, 1024 + 512), 1_500_000_000);
        assert_eq!(nanos(0x80 | 32, (5 << 32) + (1 << 31)), 5_500_000_000);
        assert_eq!(nanos(0xff, u64::MAX), 0);
    }

    #[test]
    fn saturates_instead_of_wrapping() {
        for resolution in [0, 3, 6, 0x80, 0x81] {
            assert_eq!(Resolution::of(resolution).nanos(u64::MAX), i64::MAX, "{resolution:#x}");
        }
    }

    #[test]
    fn reads_options_in_either_order_and_adds_the_offset() {
        let body = [0, 1, 0, 0, 0, 0, 0, 96, 0, 9, 0, 1, 3, 0, 0, 0, 0, 14, 0, 8, 0, 0, 0, 0, 0, 0, 0, 10, 0, 0, 0, 0];
        let interface = Interface::new(Order::Big, &body).unwrap();
        assert_eq!((interface.link, interface.snap_bytes), (LinkType::ETHERNET, 96));
        assert_eq!(interface.time(2_500), Timestamp::from_parts(12, 500_000_000));
    }

    #[test]
    fn an_option_longer_than_the_block_ends_the_options() {
        let body = [1, 0, 0, 0, 0, 0, 0, 0, 9, 0, 200, 0, 3];
        let interface = Interface::new(Order::Little, &body).unwrap();
        assert_eq!(interface.time(1), Timestamp::from_nanos(1000));
        assert!(Interface::new(Order::Little, &body[..7]).is_none());
    }
}
