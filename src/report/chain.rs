//! Is the record of alerts whole? Each line carries the SHA-256 of the line before.

use crate::alert::{self, Link};

/// Breaks that are told one by one.
const MOST_TOLD: usize = 5;

/// What the chains of a record say of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chain {
    /// Lines with a place in a chain.
    pub linked: u64,
    /// Alert lines without one.
    pub unlinked: u64,
    /// Chains that begin with their first line.
    pub begun: u64,
    /// Chains whose beginning is not there: number of the first line that is.
    pub headless: Vec<u64>,
    /// Places at which a chain is broken.
    pub broken: u64,
    /// The first of these: file, line and what is wrong.
    pub breaks: Vec<(String, u64, String)>,
    end: Option<alert::Chain>,
}

impl Chain {
    /// Takes a line and its place in a chain.
    pub(super) fn add(&mut self, line: &str, link: Option<&Link>, file: &str, number: u64) {
        let Some(link) = link else {
            self.unlinked += 1;
            return;
        };
        self.linked += 1;
        match self.end.as_ref().map(alert::Chain::next) {
            _ if link == alert::Chain::default().next() => self.begun += 1,
            Some(next) if next == link => {}
            Some(next) if next.seq != link.seq => {
                let what = format!("line {} of its chain follows where line {} should", link.seq, next.seq);
                self.add_break(file, number, what);
            }
            Some(_) => self.add_break(file, number, String::from("the line before it was changed")),
            None => self.headless.push(link.seq),
        }
        self.end = Some(alert::Chain::behind(link, line.as_bytes()));
    }

    /// Digest of the last line: what the next one must carry.
    #[must_use]
    pub fn end(&self) -> Option<&str> {
        self.end.as_ref().map(|end| &*end.next().prev)
    }

    fn add_break(&mut self, file: &str, number: u64, what: String) {
        self.broken += 1;
        if self.breaks.len() < MOST_TOLD {
            self.breaks.push((file.to_owned(), number, what));
        }
    }

    /// Is nothing missing and nothing changed?
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.broken == 0 && self.unlinked == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(count: u64) -> Vec<(String, Link)> {
        let mut chain = alert::Chain::default();
        (0..count)
            .map(|seq| {
                let (line, link) = (format!("line {seq}"), chain.next().clone());
                chain.take(line.as_bytes());
                (line, link)
            })
            .collect()
    }

    fn chain(lines: &[(String, Link)]) -> Chain {
        let mut chain = Chain::default();
        for (number, (line, link)) in (1..).zip(lines) {
            chain.add(line, Some(link), "alerts.jsonl", number);
        }
        chain
    }

    #[test]
    fn a_whole_record_is_whole_also_when_a_second_follows() {
        let twice = [lines(5), lines(3)].concat();
        let chain = chain(&twice);
        assert!(chain.is_whole() && chain.begun == 2 && chain.linked == 8);
    }

    #[test]
    fn a_line_that_is_missing_or_changed_shows_where() {
        let mut missing = lines(6);
        missing.remove(2);
        let found = chain(&missing);
        assert_eq!((found.broken, found.breaks[0].1), (1, 3));
        assert!(found.breaks[0].2.contains("line 3 of its chain follows where line 2"));
        let mut changed = lines(6);
        changed[3].0.push(' ');
        let found = chain(&changed);
        assert_eq!((found.broken, found.breaks[0].1), (1, 5));
        let headless = chain(&lines(6)[4..]);
        assert!(headless.is_whole() && headless.headless == [4]);
    }
}
