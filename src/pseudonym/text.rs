//! Addresses, MAC addresses and pseudonyms of names in a text.

use std::borrow::Cow;

use super::key::Key;
use super::name::{HASH_CHARS, is_pseudonym};
use super::pseudonyms::Pseudonyms;
use super::seal::Dictionary;
use crate::flow::Net;
use crate::wire::{Addr, Mac};

/// What stands before a flow's identifier in JSON.
const FLOW_ID: &str = "\"flow_id\":";
/// What stands before the fingerprint of the key in an alert or a model.
const KEY_FIELD: &str = "\"pseudonyms\":";

/// Something in a text that may be, or have, a pseudonym.
pub(super) enum Token<'t> {
    /// An address, with its prefix where it is a network.
    Addr(Addr, Option<u8>),
    /// A MAC address with colons.
    Mac(Mac),
    /// A MAC address of twelve digits alone.
    BareMac(Mac),
    /// The form of a label's pseudonym.
    Label(&'t str),
    /// A flow's identifier.
    FlowId(u64),
}

/// The text with what `replace` makes of its tokens.
pub(super) fn replaced<'t>(text: &'t str, mut replace: impl FnMut(Token<'_>) -> Option<String>) -> Cow<'t, str> {
    let mut made = String::new();
    let (mut written, mut at) = (0, 0);
    while at < text.len() {
        let Some((token, end)) = token_at(text, at) else {
            at = next_start(text, at);
            continue;
        };
        if let Some(new) = replace(token) {
            made.push_str(&text[written..at]);
            made.push_str(&new);
            written = end;
        }
        at = end;
    }
    if written == 0 {
        return Cow::Borrowed(text);
    }
    made.push_str(&text[written..]);
    Cow::Owned(made)
}

/// Is the whole text one token?
pub(super) fn is_token(text: &str) -> bool {
    token_at(text, 0).is_some_and(|(_, end)| end == text.len())
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii()
}

/// Behind the word, or the character, at `at`.
fn next_start(text: &str, at: usize) -> usize {
    let bytes = text.as_bytes();
    if is_word(bytes[at]) { at + bytes[at..].iter().take_while(|byte| is_word(**byte)).count() } else { at + 1 }
}

/// The token that begins at `at`, where no word is under way, and its end.
fn token_at(text: &str, at: usize) -> Option<(Token<'_>, usize)> {
    let rest = text.get(at..)?;
    let bytes = rest.as_bytes();
    let first = *bytes.first()?;
    if at > 0 && is_word(text.as_bytes()[at - 1]) {
        return None;
    }
    let ends = |length: usize| bytes.get(length).is_none_or(|byte| !is_word(*byte));
    if matches!(first, b'n' | b's' | b'N' | b'S') {
        let label = rest.get(..2 + HASH_CHARS)?;
        return (is_pseudonym(label) && ends(label.len())).then(|| (Token::Label(label), at + label.len()));
    }
    if first.is_ascii_digit() && at >= FLOW_ID.len() && text[..at].trim_end().ends_with(FLOW_ID) {
        let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
        return Some((Token::FlowId(rest[..digits].parse().ok()?), at + digits));
    }
    if !first.is_ascii_hexdigit() && first != b':' {
        return None;
    }
    let run = bytes.iter().take_while(|byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.')).count();
    if !ends(run) {
        return None;
    }
    let run = &rest[..run];
    if let Some(mac) = mac(run) {
        let token = if run.contains(':') { Token::Mac(mac) } else { Token::BareMac(mac) };
        return Some((token, at + run.len()));
    }
    // A dot or a colon of the sentence, or a port, may follow.
    let candidates =
        [run, run.trim_end_matches('.'), run.trim_end_matches([':', '.']), run.split(':').next().unwrap_or_default()];
    let (addr, end) = candidates.into_iter().find_map(|text| Some((text.parse::<Addr>().ok()?, text.len())))?;
    let prefix = rest[end..].strip_prefix('/').map(|rest| &rest[..rest.len().min(4)]);
    let digits = prefix.map_or(0, |prefix| prefix.bytes().take_while(u8::is_ascii_digit).count());
    let prefix = prefix.and_then(|prefix| prefix[..digits].parse::<u8>().ok());
    let prefix = prefix.filter(|length| *length <= if addr.is_v4() { 32 } else { 128 });
    let end = prefix.map_or(end, |_| end + 1 + digits);
    Some((Token::Addr(addr, prefix), at + end))
}

/// Six pairs of hexadecimal digits with colons between, or twelve digits with a letter among them.
fn mac(text: &str) -> Option<Mac> {
    let digits: String = match text.len() {
        17 if text.bytes().enumerate().all(|(place, byte)| (byte == b':') == (place % 3 == 2)) => text.replace(':', ""),
        12 if text.bytes().any(|byte| byte.is_ascii_alphabetic()) => text.to_owned(),
        _ => return None,
    };
    let is_hex = digits.len() == 12 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let [_, _, mac @ ..] = u64::from_str_radix(&digits, 16).ok().filter(|_| is_hex)?.to_be_bytes();
    Some(Mac(mac))
}

/// What was turned back in a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Revealed {
    /// Addresses and networks.
    pub addresses: u64,
    /// MAC addresses.
    pub macs: u64,
    /// Labels of names.
    pub names: u64,
    /// Flow identifiers.
    pub flow_ids: u64,
    /// Labels of names that nothing is known of; they stay.
    pub unknown_names: u64,
}

impl Revealed {
    /// Everything that was turned back.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.addresses + self.macs + self.names + self.flow_ids
    }
}

/// Turns pseudonyms in texts back.
pub struct Revealer {
    pseudonyms: Pseudonyms,
    fingerprint: String,
    dictionary: Dictionary,
    /// What was turned back so far.
    pub revealed: Revealed,
}

impl Revealer {
    /// One with the key and the names that it sealed.
    #[must_use]
    pub fn new(key: &Key, dictionary: Dictionary) -> Self {
        let (pseudonyms, fingerprint) = (Pseudonyms::new(key), key.fingerprint());
        Self { pseudonyms, fingerprint, dictionary, revealed: Revealed::default() }
    }

    /// The fingerprint of another key that the text says its pseudonyms are of.
    #[must_use]
    pub fn other_key<'t>(&self, text: &'t str) -> Option<&'t str> {
        let of = |(place, _): (usize, &str)| text[place + KEY_FIELD.len()..].trim_start().strip_prefix('"')?.get(..16);
        text.match_indices(KEY_FIELD).filter_map(of).find(|told| *told != self.fingerprint)
    }

    /// The text with what its pseudonyms stand for.
    pub fn reveal<'t>(&mut self, text: &'t str) -> Cow<'t, str> {
        let Self { pseudonyms, dictionary, revealed, .. } = self;
        replaced(text, |token| match token {
            Token::Addr(addr, prefix) => {
                let real = pseudonyms.addr_of(addr);
                (real != addr).then(|| {
                    revealed.addresses += 1;
                    match prefix {
                        None => real.to_string(),
                        Some(prefix) => network(real, prefix),
                    }
                })
            }
            Token::Mac(mac) | Token::BareMac(mac) => {
                let real = pseudonyms.mac_of(mac);
                (real != mac).then(|| {
                    revealed.macs += 1;
                    let told = real.to_string();
                    if matches!(token, Token::BareMac(_)) { told.replace(':', "") } else { told }
                })
            }
            Token::Label(label) => {
                let known = dictionary.get(label).map(str::to_owned);
                *if known.is_some() { &mut revealed.names } else { &mut revealed.unknown_names } += 1;
                known
            }
            Token::FlowId(id) => {
                revealed.flow_ids += 1;
                Some(pseudonyms.id_of(id).to_string())
            }
        })
    }
}

/// A network; one address alone where the prefix is that of one.
fn network(addr: Addr, prefix: u8) -> String {
    let text = format!("{addr}/{prefix}");
    text.parse::<Net>().map_or(text, |net| {
        let told = net.to_string();
        if told.contains('/') { told } else { format!("{told}/{prefix}") }
    })
}

#[cfg(test)]
mod tests {
    use super::super::name::Names;
    use super::super::seal::Seal;
    use super::*;

    /// Each token in brackets.
    fn marked(text: &str) -> String {
        replaced(text, |token| {
            Some(match token {
                Token::Addr(addr, prefix) => format!("[{addr} {prefix:?}]"),
                Token::Mac(mac) => format!("[{mac}]"),
                Token::BareMac(mac) => format!("[bare {mac}]"),
                Token::Label(label) => format!("[{label}]"),
                Token::FlowId(id) => format!("[flow {id}]"),
            })
        })
        .into_owned()
    }

    #[test]
    fn tokens_are_found_and_words_and_numbers_are_none() {
        for (text, wanted) in [
            ("from 10.0.0.1.", "from [10.0.0.1 None]."),
            ("10.0.0.1:443 <> [fe80::1]:53", "[10.0.0.1 None]:443 <> [[fe80::1 None]]:53"),
            ("10.0.0.0/8,fd00::/8", "[10.0.0.0 Some(8)],[fd00:: Some(8)]"),
            ("{\"src_ip\":\"::1\",\"flow_id\":17}", "{\"src_ip\":\"[::1 None]\",\"flow_id\":[flow 17]}"),
            ("00:09:5c:01:02:03 00095c010203", "[00:09:5c:01:02:03] [bare 00:09:5c:01:02:03]"),
            ("x n-abcdefghijklmnop.example", "x [n-abcdefghijklmnop].example"),
            (
                "un-abcdefghijklmnop n-abcdefghijklmno1 n-abcdefghijklmnopq",
                "un-abcdefghijklmnop n-abcdefghijklmno1 n-abcdefghijklmnopq",
            ),
            (
                "2026-01-31T09:12:03.417201+0000 1.5 sha256:00aa 1:abc= v10.0.0.1 300.1.1.1",
                "2026-01-31T09:12:03.417201+0000 1.5 sha256:00aa 1:abc= v10.0.0.1 300.1.1.1",
            ),
            ("", ""),
            ("\u{e9}10.0.0.1\u{e9} 10.0.0.2", "\u{e9}10.0.0.1\u{e9} [10.0.0.2 None]"),
        ] {
            assert_eq!(marked(text), wanted);
        }
    }

    #[test]
    fn a_text_comes_back() {
        let key = Key::new([4; 32]);
        let (mut names, seal, mut dictionary) = (Pseudonyms::new(&key), Seal::new(&key), Dictionary::new(&key));
        let name = Names::new(&key).name("pacs.hospital.example", |label, _| dictionary.take(&seal.seal(&label)).unwrap());
        let addr = names.addr("10.1.2.3".parse().unwrap());
        let net = "10.1.0.0/16".parse::<Net>().unwrap().mapped(|addr| names.addr(addr));
        let mac = names.mac(Mac([0, 9, 0x5c, 1, 2, 3]));
        let text = format!("{addr} ({mac}, {name}) in {net}, n-aaaaaaaaaaaaaaaa, 224.0.0.1, \"flow_id\":{}", names.id(99));
        let mut revealer = Revealer::new(&key, dictionary);
        assert_eq!(
            revealer.reveal(&text),
            "10.1.2.3 (00:09:5c:01:02:03, pacs.hospital.example) in 10.1.0.0/16, n-aaaaaaaaaaaaaaaa, 224.0.0.1, \"flow_id\":99"
        );
        let wanted = Revealed { addresses: 2, macs: 1, names: 2, flow_ids: 1, unknown_names: 1 };
        assert_eq!((revealer.revealed, wanted.total()), (wanted, 6));
        let said = |fingerprint: &str| format!("{{\"pseudonyms\":\"{fingerprint}\"}}");
        assert_eq!(revealer.other_key(&said(&key.fingerprint())), None);
        assert_eq!(revealer.other_key(&said("0123456789abcdef")), Some("0123456789abcdef"));
    }
}
