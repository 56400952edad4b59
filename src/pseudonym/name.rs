//! Names: keyed hashes, label by label.

use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use super::key::Key;
use crate::app::SHORT_LABEL;
use crate::feature::labels_of_tool;

/// Base 32 (RFC 4648) in lower case.
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
/// Characters of a hash: 80 bits.
pub(super) const HASH_CHARS: usize = 16;
/// What stands before a hash.
const MARK: &str = "n-";

/// Last labels that name no organisation; so do all of two characters, the codes of countries.
const KNOWN_LAST: [&str; 20] = [
    "arpa",
    "biz",
    "com",
    "corp",
    "edu",
    "example",
    "gov",
    "home",
    "info",
    "int",
    "internal",
    "invalid",
    "lan",
    "local",
    "localhost",
    "mil",
    "net",
    "onion",
    "org",
    "test",
];
/// Before `arpa`: names of addresses (RFC 3596, 2.5).
const REVERSE: [&str; 2] = ["in-addr", "ip6"];
/// Labels before the code of a country under which organisations have their names.
const KNOWN_SECOND: [&str; 11] = ["ac", "co", "com", "edu", "gob", "gov", "mil", "net", "nhs", "or", "org"];

/// Makes pseudonyms of names.
pub(super) struct Names {
    labels: Hmac<Sha256>,
    cases: Hmac<Sha256>,
}

/// A label whose pseudonym was made, with what is behind it in its name: enough to make it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The label.
    pub label: String,
    /// What is behind it in the name, in lower case, without the dot between.
    pub parent: String,
    /// Is it the short second label under a country's code, which counts as part of the public suffix?
    pub is_short: bool,
}

fn keyed(key: &Key, purpose: &str) -> Hmac<Sha256> {
    // HMAC takes keys of any length.
    let key: [u8; 32] = key.derive(purpose);
    let mut block = [0; 64];
    block[..32].copy_from_slice(&key);
    Hmac::new(&block.into())
}

fn digest(keyed: &Hmac<Sha256>, parts: [&str; 2]) -> [u8; 32] {
    let mut keyed = keyed.clone();
    keyed.update(parts[0].as_bytes());
    keyed.update(&[0]);
    keyed.update(parts[1].as_bytes());
    keyed.finalize().into_bytes().into()
}

impl Names {
    pub(super) fn new(key: &Key) -> Self {
        Self { labels: keyed(key, "names"), cases: keyed(key, "cases of names") }
    }

    /// The pseudonym of a name, and its labels with theirs to `tell`. Labels are hashed together with what is behind them: names of one
    /// domain share its pseudonym, and the same label in two domains shares nothing. What belongs to nobody stays: codes of
    /// countries and well-known last labels, labels of services, which begin with `_`, and those that say that a server is of a tool that lets others in or
    /// hides where traffic goes.
    ///
    /// Names that differ in case alone have pseudonyms that differ in case alone.
    pub(super) fn name(&self, name: &str, mut tell: impl FnMut(Label, &str)) -> String {
        let labels: Vec<&str> = name.split('.').collect();
        // A dot at the end ends the name.
        let count = labels.iter().rposition(|label| !label.is_empty()).map_or(0, |last| last + 1);
        let has_country = count > 1 && labels[count - 1].len() <= 2;
        let mut hidden = vec![String::new(); labels.len()];
        let mut parent = String::new();
        let of_tool = labels_of_tool(name);
        let is_reverse = count > 1 && labels[count - 1].eq_ignore_ascii_case("arpa");
        for (place, label) in labels[..count].iter().enumerate().rev() {
            let lower = label.to_ascii_lowercase();
            let from_end = count - place;
            let is_public = match from_end {
                _ if from_end <= of_tool => true,
                1 => count > 1 && (has_country || KNOWN_LAST.contains(&&*lower)),
                2 => has_country && KNOWN_SECOND.contains(&&*lower) || REVERSE.contains(&&*lower) && is_reverse,
                _ => false,
            };
            hidden[place] = if label.is_empty() || is_public || label.starts_with('_') {
                (*label).to_owned()
            } else {
                let is_short = from_end == 2 && has_country && label.len() <= 3;
                let label = Label { label: (*label).to_owned(), parent: parent.clone(), is_short };
                let pseudonym = self.label(&label);
                tell(label, &pseudonym);
                pseudonym
            };
            parent = if parent.is_empty() { lower } else { format!("{lower}.{parent}") };
        }
        hidden.join(".")
    }

    /// The pseudonym of a label.
    pub(super) fn label(&self, Label { label, parent, is_short }: &Label) -> String {
        let lower = label.to_ascii_lowercase();
        let hash = digest(&self.labels, [&lower, parent]);
        let mark = if *is_short { SHORT_LABEL } else { MARK };
        let mut text = mark.to_owned();
        for place in 0..HASH_CHARS {
            let (byte, shift) = (place * 5 / 8, place * 5 % 8);
            let pair = u16::from_be_bytes([hash[byte], hash[byte + 1]]);
            text.push(char::from(ALPHABET[usize::from(pair >> (11 - shift) & 31)]));
        }
        if *label == lower {
            return text;
        }
        // Which letters are capital depends on those of the label; the mark's always is.
        let case = digest(&self.cases, [label, parent]);
        let capital = |(place, c): (usize, char)| {
            if place == 0 || case[place / 8] >> (place % 8) & 1 == 1 { c.to_ascii_uppercase() } else { c }
        };
        text.char_indices().map(capital).collect()
    }
}

/// Is this the form of a label's pseudonym?
pub(super) fn is_pseudonym(label: &str) -> bool {
    let has_mark = |mark: &str| label.get(..mark.len()).is_some_and(|start| start.eq_ignore_ascii_case(mark));
    label.len() == MARK.len() + HASH_CHARS
        && (has_mark(MARK) || has_mark(SHORT_LABEL))
        && label.bytes().skip(MARK.len()).all(|byte| ALPHABET.contains(&byte.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pseudonym(name: &str) -> String {
        Names::new(&Key::new([5; 32])).name(name, |_, _| {})
    }

    #[test]
    fn names_of_a_domain_share_its_pseudonym() {
        let (pacs, ris) = (pseudonym("pacs.radiology.hospital.example"), pseudonym("ris.radiology.hospital.example"));
        let behind = |name: &str| name.split_once('.').unwrap().1.to_owned();
        assert_eq!(behind(&pacs), behind(&ris));
        assert_eq!(behind(&pacs), pseudonym("radiology.hospital.example"));
        assert!(pacs.ends_with(".example") && pacs != ris && !pacs.contains("radiology"), "{pacs}");
        let elsewhere = pseudonym("pacs.radiology.clinic.example");
        assert!(pacs.split('.').zip(elsewhere.split('.')).take(3).all(|(a, b)| a != b), "labels are hashed with their domain");
    }

    #[test]
    fn what_belongs_to_nobody_stays_and_all_else_does_not() {
        for (name, shape) in [
            ("CT-ROOM-2", "*"),
            ("local", "*"),
            ("printer.local.", "*.local."),
            ("_ipp._tcp.local", "_ipp._tcp.local"),
            ("www.trust.nhs.uk", "*.*.nhs.uk"),
            ("www.ukx.de", "*.*.de"),
            ("relay-1.net.anydesk.com", "*.*.anydesk.com"),
            ("dc1.klinikum", "*.*"),
            ("3.2.1.10.in-addr.arpa", "*.*.*.*.in-addr.arpa"),
            ("", ""),
            (".", "."),
        ] {
            let hidden = pseudonym(name);
            let told: Vec<&str> = hidden.split('.').map(|label| if is_pseudonym(label) { "*" } else { label }).collect();
            assert_eq!(told.join("."), shape, "{name} -> {hidden}");
        }
    }

    #[test]
    fn case_differs_where_the_case_of_the_name_does() {
        let (lower, upper, mixed) = (pseudonym("ct_1"), pseudonym("CT_1"), pseudonym("Ct_1"));
        assert!(lower != upper && upper != mixed && lower != mixed);
        assert!(lower.eq_ignore_ascii_case(&upper) && lower.eq_ignore_ascii_case(&mixed));
        assert!(is_pseudonym(&upper) && is_pseudonym(&mixed));
    }

    #[test]
    fn a_label_is_made_again_from_what_was_told() {
        let names = Names::new(&Key::new([9; 32]));
        let mut labels = Vec::new();
        let hidden = names.name("Www.ukx.de", |label, _| labels.push(label));
        let again: Vec<String> = labels.iter().rev().map(|label| names.label(label)).collect();
        assert_eq!(hidden, format!("{}.de", again.join(".")));
    }
}
