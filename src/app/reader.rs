//! Reading a payload from front to back.

/// What is left of a payload. A read that does not fit returns nothing.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    pub fn take(&mut self, bytes: usize) -> Option<&'a [u8]> {
        let (front, rest) = self.0.split_at_checked(bytes)?;
        self.0 = rest;
        Some(front)
    }

    pub fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (front, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*front)
    }

    pub fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    /// Bytes behind a length of one byte.
    pub fn vec8(&mut self) -> Option<&'a [u8]> {
        let bytes = self.u8()?;
        self.take(bytes.into())
    }

    /// Bytes behind a length of two bytes.
    pub fn vec16(&mut self) -> Option<&'a [u8]> {
        let bytes = self.u16()?;
        self.take(bytes.into())
    }
}

/// The first line of a text, without its end, or all of it when no end is in sight; looks at 512 bytes at most.
pub(super) fn first_line(text: &[u8]) -> &[u8] {
    let text = text.get(..512).unwrap_or(text);
    text.split(|b| matches!(b, b'\r' | b'\n')).next().unwrap_or_default()
}

/// Does `text` hold `word` (lower case) in any case?
pub(super) fn holds(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|window| window.eq_ignore_ascii_case(word))
}
