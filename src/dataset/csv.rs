//! A small reader of comma-separated values (RFC 4180): quotes, doubled quotes, line ends inside quotes, CRLF or LF.

use std::io::{BufRead, BufReader, Read};

use super::TruthError;

/// The longest record, in bytes: an unclosed quote must not swallow a file of any size.
const RECORD_BYTES_MAX: usize = 1 << 20;

/// Reads records one by one.
pub(super) struct Reader<R> {
    input: BufReader<R>,
    file: String,
    line: u64,
}

/// One record and the line on which it begins.
pub(super) struct Record {
    /// The line, from 1.
    pub line: u64,
    /// The fields.
    pub fields: Vec<String>,
}

impl<R: Read> Reader<R> {
    pub fn new(input: R, file: &str) -> Self {
        Self { input: BufReader::new(input), file: file.to_owned(), line: 0 }
    }

    /// The next record that is not blank; `None` at the end.
    pub fn next_record(&mut self) -> Result<Option<Record>, TruthError> {
        let mut text = Vec::new();
        loop {
            let begin = self.line + 1;
            text.clear();
            while self.more(&mut text, begin)? {
                if quotes_close(&text) {
                    break;
                }
            }
            if text.is_empty() {
                return Ok(None);
            }
            if !quotes_close(&text) {
                return Err(self.syntax(begin, "a closing quote", "the end of the file"));
            }
            while matches!(text.last(), Some(b'\n' | b'\r')) {
                text.pop();
            }
            if text.is_empty() {
                continue;
            }
            let Ok(text) = str::from_utf8(&text) else {
                return Err(self.syntax(begin, "UTF-8", "other bytes"));
            };
            return Ok(Some(Record { line: begin, fields: split(text) }));
        }
    }

    /// Adds a line to `text`; false at the end of the input.
    fn more(&mut self, text: &mut Vec<u8>, begin: u64) -> Result<bool, TruthError> {
        let room = (RECORD_BYTES_MAX + 1 - text.len()) as u64;
        let read = self.input.by_ref().take(room).read_until(b'\n', text);
        let line = self.line + 1;
        let read = read.map_err(|source| TruthError::Read { file: self.file.clone(), line, source })?;
        if text.len() > RECORD_BYTES_MAX {
            return Err(self.syntax(begin, "a record of at most 1 MiB", "a longer one"));
        }
        self.line += u64::from(read > 0);
        Ok(read > 0)
    }

    fn syntax(&self, line: u64, wanted: &'static str, got: &'static str) -> TruthError {
        TruthError::Syntax { file: self.file.clone(), line, wanted, got }
    }
}

/// Is every quote closed? A doubled quote is two.
fn quotes_close(text: &[u8]) -> bool {
    text.iter().filter(|&&byte| byte == b'"').count() % 2 == 0
}

fn split(text: &str) -> Vec<String> {
    let (mut fields, mut field, mut quoted) = (Vec::new(), String::new(), false);
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => {
                letters.next();
                field.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(core::mem::take(&mut field)),
            _ => field.push(letter),
        }
    }
    fields.push(field);
    fields
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn records(text: &str) -> Vec<(u64, Vec<String>)> {
        let mut reader = Reader::new(text.as_bytes(), "t");
        let mut all = Vec::new();
        while let Some(record) = reader.next_record().unwrap() {
            all.push((record.line, record.fields));
        }
        all
    }

    #[test]
    fn quotes_hold_commas_quotes_and_line_ends() {
        let got = records("a,\"b,\"\"c\"\"\"\r\n\n\"x\ny\",,z\nlast");
        let want = [(1, vec!["a", "b,\"c\""]), (3, vec!["x\ny", "", "z"]), (5, vec!["last"])];
        assert_eq!(got, want.map(|(line, fields)| (line, fields.into_iter().map(str::to_owned).collect())));
    }

    #[test]
    fn an_open_quote_is_an_error_with_its_line() {
        let mut reader = Reader::new("a,b\n\"c,d\ne".as_bytes(), "labels.csv");
        reader.next_record().unwrap();
        let message = reader.next_record().err().unwrap().to_string();
        assert_eq!(message, "labels.csv, line 2: wanted a closing quote, got the end of the file");
    }

    #[test]
    fn a_record_without_end_is_refused_before_it_fills_the_memory() {
        let endless = std::io::repeat(b'x');
        let message = Reader::new(endless, "endless").next_record().err().unwrap().to_string();
        assert_eq!(message, "endless, line 1: wanted a record of at most 1 MiB, got a longer one");
    }

    #[test]
    fn bytes_that_are_no_text_are_an_error() {
        let mut reader = Reader::new(&b"a\xff\n"[..], "t");
        assert!(matches!(reader.next_record(), Err(TruthError::Syntax { line: 1, wanted: "UTF-8", .. })));
    }

    proptest! {
        #[test]
        fn what_is_quoted_comes_back(rows in prop::collection::vec(prop::collection::vec("[a-c,\"\n ]{0,6}", 2..5), 1..6)) {
            let quote = |field: &String| format!("\"{}\"", field.replace('"', "\"\""));
            let text: String = rows.iter().map(|r| r.iter().map(quote).collect::<Vec<_>>().join(",") + "\n").collect();
            let got: Vec<Vec<String>> = records(&text).into_iter().map(|r| r.1).collect();
            prop_assert_eq!(got, rows);
        }
    }
}
