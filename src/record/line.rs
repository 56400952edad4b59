//! Lines of bounded length.

use std::io::{self, BufRead, Read as _};

use super::error::Wrong;

/// The longest line that is read, in bytes: 1 MiB. A longer one is passed over.
pub const MAX_LINE_BYTES: usize = 1 << 20;

/// Reads lines one by one and counts them.
#[derive(Debug)]
pub struct Lines<R> {
    input: R,
    buffer: Vec<u8>,
    /// The line that was read last, from 1.
    pub number: u64,
    /// Did that line end with a line feed?
    pub is_whole: bool,
}

impl<R: BufRead> Lines<R> {
    /// Reads from here.
    #[must_use]
    pub fn new(input: R) -> Self {
        Self { input, buffer: Vec::new(), number: 0, is_whole: true }
    }

    /// The reader below.
    pub(super) fn input(&self) -> &R {
        &self.input
    }

    /// The next line without its end; `None` at the end. What is wrong with a line ends nothing; an error of reading does.
    ///
    /// # Errors
    /// When the reader below fails.
    #[expect(clippy::should_implement_trait, reason = "a line is lent, which an iterator cannot")]
    pub fn next(&mut self) -> io::Result<Option<Result<&str, Wrong>>> {
        self.buffer.clear();
        let most = MAX_LINE_BYTES as u64 + 2;
        let read = self.input.by_ref().take(most).read_until(b'\n', &mut self.buffer)?;
        if read == 0 {
            return Ok(None);
        }
        self.number += 1;
        self.is_whole = self.buffer.ends_with(b"\n");
        while matches!(self.buffer.last(), Some(b'\n' | b'\r')) {
            self.buffer.pop();
        }
        if self.buffer.len() > MAX_LINE_BYTES {
            if !self.is_whole {
                self.pass_over()?;
            }
            return Ok(Some(Err(Wrong::new("line", "at most 1 MiB", "a longer one"))));
        }
        let mark = if self.number == 1 { '\u{feff}' } else { '\n' };
        let text = str::from_utf8(&self.buffer).map(|text| text.trim_start_matches(mark));
        Ok(Some(text.map_err(|_| Wrong::new("line", "UTF-8", "other bytes"))))
    }

    /// Reads to the end of a line without keeping it.
    fn pass_over(&mut self) -> io::Result<()> {
        loop {
            let waiting = match self.input.fill_buf() {
                Ok(waiting) => waiting,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let end = waiting.iter().position(|&byte| byte == b'\n');
            let (taken, at_end) = (end.map_or(waiting.len(), |at| at + 1), waiting.is_empty());
            self.input.consume(taken);
            self.is_whole = end.is_some();
            if self.is_whole || at_end {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Vec<(u64, Result<String, Wrong>)> {
        let mut lines = Lines::new(io::BufReader::with_capacity(7, bytes));
        let mut all = Vec::new();
        while let Some(line) = lines.next().unwrap().map(|line| line.map(str::to_owned)) {
            all.push((lines.number, line));
        }
        all
    }

    #[test]
    fn a_long_line_is_passed_over_and_the_next_is_read() {
        let long = "x".repeat(3 * MAX_LINE_BYTES);
        let all = read(format!("a\r\n{long}\n\u{fffd}\n{}\nlast", "y".repeat(MAX_LINE_BYTES)).as_bytes());
        let wrong = |number: usize| all[number].1.as_ref().unwrap_err().to_string();
        assert_eq!((all.len(), all[0].clone(), all[4].clone()), (5, (1, Ok("a".into())), (5, Ok("last".into()))));
        assert_eq!(wrong(1), r#"field "line": wanted at most 1 MiB, got "a longer one""#);
        assert_eq!(all[3].1.as_ref().unwrap().len(), MAX_LINE_BYTES);
        assert_eq!(read(b"\xff\n")[0].1.as_ref().unwrap_err().wanted, "UTF-8");
    }

    #[test]
    fn a_byte_order_mark_and_a_missing_end_are_no_harm() {
        let mut lines = Lines::new(&b"\xef\xbb\xbfts\nlast"[..]);
        assert_eq!(lines.next().unwrap(), Some(Ok("ts")));
        assert!(lines.is_whole);
        assert_eq!(lines.next().unwrap(), Some(Ok("last")));
        assert!(!lines.is_whole && lines.next().unwrap().is_none());
    }
}
