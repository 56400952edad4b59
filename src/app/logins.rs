//! For how many accounts log-ins fail, without the accounts.

use base64::Engine as _;
use base64::engine::DecodePaddingMode::Indifferent;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use serde::{Deserialize, Serialize};

use super::count::hash;
use super::reader::holds;

/// Longest name that is decoded, in characters.
const MOST_NAME_BYTES: usize = 512;
const BASE64: GeneralPurpose =
    GeneralPurpose::new(&base64::alphabet::STANDARD, GeneralPurposeConfig::new().with_decode_padding_mode(Indifferent));

/// Accounts of log-ins: for each one of 32 bits, which a hash of its name tells and many share, so that none can be told from it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Accounts {
    /// Those of which a log-in failed.
    pub refused: u32,
    /// Those that got in.
    pub admitted: u32,
}

impl Accounts {
    /// Those that were refused since `before`, and all that got in: who did may mistype later.
    pub(super) const fn since(self, before: Self) -> Self {
        Self { refused: self.refused & !before.refused, admitted: self.admitted }
    }
}

/// Who logs in, and how that went so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Logins {
    /// The place of the bit of who asked last; none where nobody did, or without a name.
    asks: Option<u8>,
    /// What of the account the client's next line holds.
    awaits: Awaited,
    /// What became of it.
    pub accounts: Accounts,
}

/// What a line holds of an account, in base64.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Awaited {
    #[default]
    Nothing,
    /// Its name.
    Name,
    /// For whom, who, and the password, apart by a byte of 0 (RFC 4616, 2).
    Plain,
}

impl Logins {
    /// An account asks to get in; its domain does not count.
    pub(super) fn ask(&mut self, name: &[u8]) {
        self.asks = place(name);
    }

    /// The same by the field of a web's or a telephone's request: of the schemes Basic and Digest (RFC 7617, 2; RFC 7616, 3.4).
    pub(super) fn ask_with(&mut self, field: &[u8]) {
        let field = field.trim_ascii();
        let (scheme, rest) = field.split_at(field.iter().position(|byte| *byte == b' ').unwrap_or(field.len()));
        self.asks = None;
        if scheme.eq_ignore_ascii_case(b"basic") {
            self.ask(decoded(rest).split(|byte| *byte == b':').next().unwrap_or_default());
        } else if scheme.eq_ignore_ascii_case(b"digest") {
            let user = rest.split(|byte| *byte == b',').find_map(|part| part.trim_ascii().strip_prefix(b"username="));
            self.ask(user.unwrap_or_default());
        }
    }

    /// Does somebody ask, by name?
    pub(super) const fn is_asked(&self) -> bool {
        self.asks.is_some()
    }

    /// The same by a mechanism that is named first (RFC 4422), with its first message or before it. Of others than PLAIN and LOGIN no account is read.
    pub(super) fn ask_by(&mut self, line: &[u8]) {
        let mut words = line.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
        let mechanism = words.next().unwrap_or_default();
        self.asks = None;
        self.awaits = match () {
            () if mechanism.eq_ignore_ascii_case(b"plain") => Awaited::Plain,
            () if mechanism.eq_ignore_ascii_case(b"login") => Awaited::Name,
            () => Awaited::Nothing,
        };
        if let Some(message) = words.next() {
            self.go_on(message);
        }
    }

    /// The client's next line.
    pub(super) fn go_on(&mut self, line: &[u8]) {
        match std::mem::take(&mut self.awaits) {
            Awaited::Nothing => {}
            Awaited::Name => self.ask(&decoded(line)),
            Awaited::Plain => self.ask(decoded(line).split(|byte| *byte == 0).nth(1).unwrap_or_default()),
        }
    }

    /// The same of who asked elsewhere.
    pub(super) const fn ask_as(&mut self, other: Self) {
        self.asks = other.asks;
    }

    /// Whoever asked last is not let in.
    pub(super) const fn refuse(&mut self) {
        self.accounts.refused |= self.bit();
    }

    /// Whoever asked last is let in.
    pub(super) const fn admit(&mut self) {
        self.accounts.admitted |= self.bit();
    }

    const fn bit(&self) -> u32 {
        match self.asks {
            Some(place) => 1 << place,
            None => 0,
        }
    }
}

/// Does a server that asks for another proof say that the last was sound but for what it was made of (RFC 7616, 3.3)?
pub(super) fn is_stale(challenge: &[u8]) -> bool {
    holds(challenge, b"stale=true") || holds(challenge, b"stale=\"true\"")
}

fn place(name: &[u8]) -> Option<u8> {
    // In the name of an entry of a directory it escapes (RFC 4514, 2.4).
    let is_entry = name.contains(&b'=');
    let name = name.rsplit(|byte| *byte == b'\\' && !is_entry).next().unwrap_or_default();
    let name = name.split(|byte| *byte == b'@').next().unwrap_or_default();
    let name = name.trim_ascii();
    let name = name.strip_prefix(b"\"").unwrap_or(name);
    let name = name.strip_suffix(b"\"").unwrap_or(name);
    (!name.is_empty()).then(|| (hash(name.iter().map(u8::to_ascii_lowercase)) >> 59) as u8)
}

fn decoded(encoded: &[u8]) -> Vec<u8> {
    let encoded = encoded.trim_ascii();
    BASE64.decode(encoded.get(..MOST_NAME_BYTES).unwrap_or(encoded)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tried(names: impl IntoIterator<Item = String>) -> Logins {
        names.into_iter().fold(Logins::default(), |mut logins, name| {
            logins.ask(name.as_bytes());
            logins.refuse();
            logins
        })
    }

    #[test]
    fn accounts_are_counted_once_and_without_their_domain() {
        let refused = |names: &[&str]| tried(names.iter().map(ToString::to_string)).accounts.refused.count_ones();
        assert_eq!(refused(&["alice", "ALICE", "WARD\\alice", "alice@ward.example"]), 1);
        assert_eq!((refused(&["alice", "bob", "carol"]), refused(&["", " ", "WARD\\"])), (3, 0));
    }

    #[test]
    fn what_came_since_is_told_apart() {
        let mut logins = tried(["alice".to_owned(), "bob".to_owned()]);
        logins.admit();
        assert_eq!(logins.accounts.admitted, tried(["bob".to_owned()]).accounts.refused, "bob got in at last");
        let before = logins.accounts;
        logins.ask(b"carol");
        logins.refuse();
        let since = logins.accounts.since(before);
        assert_eq!((since.refused.count_ones(), since.admitted), (1, before.admitted), "who got in once may mistype later");
    }

    #[test]
    fn names_are_read_in_the_encodings_of_mail_and_web() {
        let asked = |ask: fn(&mut Logins)| {
            let mut logins = Logins::default();
            ask(&mut logins);
            logins.asks
        };
        let alice = asked(|logins| logins.ask(b"alice"));
        assert_eq!(asked(|logins| logins.ask_with(b" Basic YWxpY2U6c2VjcmV0")), alice);
        assert_eq!(asked(|logins| logins.ask_with(b"Digest realm=\"ward\", username=\"alice\", nonce=\"a=\"")), alice);
        assert_eq!(asked(|logins| logins.ask_by(b"PLAIN AGFsaWNlAHNlY3JldA==")), alice);
        let goes_on = |logins: &mut Logins| {
            logins.ask_by(b"login");
            [&b"YWxpY2U"[..], b"c2VjcmV0"].into_iter().for_each(|line| logins.go_on(line));
        };
        assert_eq!(asked(goes_on), alice, "the password is passed over");
        assert_eq!(asked(|logins| logins.ask_with(b"Basic no base64!")), None);
        assert_eq!(asked(|logins| logins.ask(b"\"alice\"")), alice, "as IMAP may quote it");
    }
}
