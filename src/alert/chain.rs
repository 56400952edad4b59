//! The chain that ties lines together: each carries its number and the digest of the line before it.
//!
//! The digest is SHA-256 over the bytes of a line without its end. The first line of a chain has number 0 and 64 zeros. A line
//! holds its link as `auscult.chain` (an alert) or as `chain` (an answer).

use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::feature::hex;

/// What a line says of its place: its number, and the digest of the line before it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Link {
    /// Number of the line in its chain, from 0.
    pub seq: u64,
    /// Digest of the line before, as `sha256:` and 64 digits.
    pub prev: String,
}

#[derive(Deserialize)]
struct Line {
    chain: Option<Link>,
    auscult: Option<Product>,
}

#[derive(Deserialize)]
struct Product {
    chain: Option<Link>,
    model: Option<Model>,
}

#[derive(Deserialize)]
struct Model {
    digest: Option<String>,
}

/// Why a line is no link of a chain.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// It is not what this program writes.
    #[error("no line of an alert or an answer: {0}")]
    Form(#[from] serde_json::Error),
    /// It says nothing of its place.
    #[error("a line without its place in a chain (auscult.chain, or chain of an answer)")]
    NoLink,
}

impl Link {
    /// The link that a line carries.
    ///
    /// # Errors
    /// When it is no line of this program, or carries none.
    pub fn of(line: &[u8]) -> Result<Self, LinkError> {
        Ok(read(line)?.0)
    }
}

/// The link of a line, and of an alert what it says of its model.
fn read(line: &[u8]) -> Result<(Link, Option<Model>), LinkError> {
    let line: Line = serde_json::from_slice(line)?;
    let (of_alert, model) = line.auscult.map_or((None, None), |product| (product.chain, product.model));
    let link = of_alert.or(line.chain).ok_or(LinkError::NoLink)?;
    Ok((link, model))
}

/// The end of a chain: what the next line must carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    next: Link,
}

impl Default for Chain {
    /// A chain that begins.
    fn default() -> Self {
        Self { next: Link { seq: 0, prev: format!("sha256:{}", "0".repeat(64)) } }
    }
}

impl Chain {
    /// The chain that ends with this line, so that it can go on.
    ///
    /// # Errors
    /// When the line carries no link.
    pub fn after(line: &[u8]) -> Result<Self, LinkError> {
        Ok(Self::behind(&Link::of(line)?, line))
    }

    /// The chain that ends with a line whose link is known.
    #[must_use]
    pub fn behind(link: &Link, line: &[u8]) -> Self {
        Self { next: Link { seq: link.seq.saturating_add(1), prev: digest(line) } }
    }

    /// A chain that begins after a line without a link: number 0, but tied to that line.
    #[must_use]
    pub fn anew(line: &[u8]) -> Self {
        Self { next: Link { seq: 0, prev: digest(line) } }
    }

    /// What the next line must carry.
    #[must_use]
    pub const fn next(&self) -> &Link {
        &self.next
    }

    /// A line that carries [`Self::next`] was written.
    pub fn take(&mut self, line: &[u8]) {
        self.next = Link { seq: self.next.seq.saturating_add(1), prev: digest(line) };
    }
}

fn digest(line: &[u8]) -> String {
    format!("sha256:{}", hex(&Sha256::digest(line)))
}

/// Models named in a verdict at the most.
const MAX_MODELS: usize = 64;

/// A record that is whole so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Whole {
    /// Lines seen.
    pub lines: u64,
    /// Number of the first line: above 0 where earlier lines are not here.
    pub first: u64,
    /// Digests of the models that judged, in the order of their first line; at most 64.
    pub models: Vec<String>,
    /// Some alerts came from a capture that taught itself.
    pub self_taught: bool,
    chain: Option<Chain>,
}

/// Where a chain breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Break {
    /// What the line should carry.
    pub expected: String,
    /// What it carries.
    pub found: String,
}

impl Whole {
    /// Takes the next line, without its end.
    ///
    /// # Errors
    /// Where it does not follow from the line before.
    pub fn take(&mut self, line: &[u8]) -> Result<(), Break> {
        let expected = self.chain.as_ref().map(|chain| chain.next().clone());
        let wanted = || expected.as_ref().map_or_else(|| "an alert or an answer".to_owned(), said);
        let (link, model) = read(line).map_err(|error| Break { expected: wanted(), found: error.to_string() })?;
        match &expected {
            Some(expected) if *expected != link => return Err(Break { expected: said(expected), found: said(&link) }),
            None if link.seq == 0 && link != *Chain::default().next() => {
                return Err(Break { expected: said(Chain::default().next()), found: said(&link) });
            }
            _ => {}
        }
        if self.chain.is_none() {
            self.first = link.seq;
        }
        match model.map(|model| model.digest) {
            Some(Some(model)) if self.models.len() < MAX_MODELS && !self.models.contains(&model) => self.models.push(model),
            Some(None) => self.self_taught = true,
            _ => {}
        }
        self.lines += 1;
        self.chain = Some(Chain::behind(&link, line));
        Ok(())
    }

    /// Digest of the last line: whoever noted it elsewhere can tell that nothing was cut off behind it.
    #[must_use]
    pub fn last(&self) -> Option<&str> {
        self.chain.as_ref().map(|chain| &*chain.next().prev)
    }
}

fn said(link: &Link) -> String {
    format!("seq {} after {}", link.seq, link.prev)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(chain: &Chain, text: &str) -> Vec<u8> {
        let Link { seq, prev } = chain.next();
        serde_json::json!({"said": text, "auscult": {"model": {"digest": "sha256:m"}, "chain": {"seq": seq, "prev": prev}}})
            .to_string()
            .into_bytes()
    }

    fn lines(chain: &mut Chain, texts: &[&str]) -> Vec<Vec<u8>> {
        let write = |text: &&str| {
            let line = line(chain, text);
            chain.take(&line);
            line
        };
        texts.iter().map(write).collect()
    }

    fn verdict(lines: &[Vec<u8>]) -> Result<Whole, (usize, Break)> {
        let mut whole = Whole::default();
        for (number, line) in lines.iter().enumerate() {
            whole.take(line).map_err(|broken| (number, broken))?;
        }
        Ok(whole)
    }

    #[test]
    fn a_chain_goes_on_from_its_last_line() {
        let mut all = lines(&mut Chain::default(), &["a", "b"]);
        let mut resumed = Chain::after(&all[1]).unwrap();
        all.extend(lines(&mut resumed, &["c"]));
        let whole = verdict(&all).unwrap();
        assert_eq!((whole.lines, whole.first, whole.models.as_slice()), (3, 0, &["sha256:m".to_owned()][..]));
        assert_eq!(whole.last(), Some(&*resumed.next().prev));
        assert_eq!(verdict(&all[1..]).unwrap().first, 1, "earlier lines are not here");
    }

    #[test]
    fn what_was_changed_left_out_or_put_in_shows() {
        let whole = lines(&mut Chain::default(), &["a", "b", "c", "d"]);
        let at = |lines: &[Vec<u8>]| verdict(lines).unwrap_err().0;
        let mut changed = whole.clone();
        changed[1] = String::from_utf8(changed[1].clone()).unwrap().replace("\"b\"", "\"x\"").into_bytes();
        assert_eq!(at(&changed), 2, "the line after the changed one does not fit it");
        let mut shorter = whole.clone();
        shorter.remove(1);
        assert_eq!(at(&shorter), 1);
        let mut swapped = whole.clone();
        swapped.swap(1, 2);
        assert_eq!(at(&swapped), 1);
        let mut doubled = whole.clone();
        doubled.insert(1, whole[0].clone());
        assert_eq!(at(&doubled), 1);
        let mut foreign = whole;
        foreign.insert(2, b"{\"event_type\":\"stats\"}".to_vec());
        let (number, broken) = verdict(&foreign).unwrap_err();
        assert!(number == 2 && broken.found.contains("without its place"), "{broken:?}");
    }

    #[test]
    fn a_chain_that_began_anew_is_no_whole_one() {
        let mut chain = Chain::anew(b"not ours");
        let all = lines(&mut chain, &["a", "b"]);
        assert_eq!(verdict(&all).unwrap_err().0, 0, "number 0, and yet something stood before it");
        assert_eq!(verdict(&[b"{".to_vec()]).unwrap_err().1.expected, "an alert or an answer");
    }
}
