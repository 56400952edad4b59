//! The byte order of a capture file.

/// Which end of a number comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Least significant byte first.
    Little,
    /// Most significant byte first.
    Big,
}

impl Order {
    /// The number in four bytes.
    #[inline(always)]
    pub(super) fn u32(self, bytes: [u8; 4]) -> u32 {
        match self {
            Self::Little => u32::from_le_bytes(bytes),
            Self::Big => u32::from_be_bytes(bytes),
        }
    }

    /// The four numbers in sixteen bytes: the fields that every record header begins with.
    #[inline(always)]
    pub(super) fn four(self, bytes: [u8; 16]) -> [u32; 4] {
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = bytes;
        [self.u32([a, b, c, d]), self.u32([e, f, g, h]), self.u32([i, j, k, l]), self.u32([m, n, o, p])]
    }

    /// The 16-bit number at `at`, if it is there.
    pub(super) fn u16_at(self, bytes: &[u8], at: usize) -> Option<u16> {
        let bytes = *bytes.get(at..)?.first_chunk::<2>()?;
        Some(match self {
            Self::Little => u16::from_le_bytes(bytes),
            Self::Big => u16::from_be_bytes(bytes),
        })
    }

    /// The 32-bit number at `at`, if it is there.
    #[inline(always)]
    pub(super) fn u32_at(self, bytes: &[u8], at: usize) -> Option<u32> {
        Some(self.u32(*bytes.get(at..)?.first_chunk::<4>()?))
    }

    /// The 64-bit number at `at`, if it is there.
    pub(super) fn u64_at(self, bytes: &[u8], at: usize) -> Option<u64> {
        let bytes = *bytes.get(at..)?.first_chunk::<8>()?;
        Some(match self {
            Self::Little => u64::from_le_bytes(bytes),
            Self::Big => u64::from_be_bytes(bytes),
        })
    }
}
