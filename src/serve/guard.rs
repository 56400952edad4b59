//! Who may ask, and from where.

use std::net::IpAddr;

use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, COOKIE, HOST, ORIGIN};
use sha2::{Digest, Sha256};

use super::address::Tokens;

/// The cookie of a browser that has shown a token.
const SESSION: &str = "auscult";
/// The header that every change must carry, with what the page was given.
pub(super) const FORM_TOKEN: &str = "x-auscult-token";

/// Why a question is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It asks for a name that is not ours: another site's name may lead here.
    Host,
    /// It comes from another site.
    Site,
    /// It shows no token, or a wrong one.
    Token,
}

/// Decides by the head of a question.
#[derive(Debug)]
pub(super) struct Guard {
    names: Vec<String>,
    is_tls: bool,
    tokens: Option<Tokens>,
    /// Made anew for every run.
    secret: [u8; 32],
}

impl Guard {
    pub const fn new(names: Vec<String>, is_tls: bool, tokens: Option<Tokens>, secret: [u8; 32]) -> Self {
        Self { names, is_tls, tokens, secret }
    }

    /// Is it asked for by a name of ours? A browser tells the name that a person, or another site, gave it.
    pub fn host(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let mut hosts = headers.get_all(HOST).iter();
        let (Some(host), None) = (hosts.next().and_then(|host| host.to_str().ok()), hosts.next()) else {
            return Err(Refusal::Host);
        };
        let name = name_of(host);
        let is_own = name.eq_ignore_ascii_case("localhost")
            || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
            || self.names.iter().any(|own| own.eq_ignore_ascii_case(name));
        if is_own { Ok(()) } else { Err(Refusal::Host) }
    }

    /// Does it come from a page of ours, or from no page at all?
    pub fn site(&self, headers: &HeaderMap, changes: bool) -> Result<(), Refusal> {
        let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
        let same_origin = text(ORIGIN.as_str()).is_none_or(|origin| {
            let scheme = if self.is_tls { "https://" } else { "http://" };
            origin.strip_prefix(scheme).is_some_and(|host| Some(host) == text(HOST.as_str()))
        });
        // A link from elsewhere may lead here; what it shows, the other site cannot read.
        let same_site = text("sec-fetch-site")
            .is_none_or(|site| matches!(site, "same-origin" | "none") || !changes && text("sec-fetch-mode") == Some("navigate"));
        if same_origin && same_site { Ok(()) } else { Err(Refusal::Site) }
    }

    /// Who asks, where tokens tell people apart.
    pub fn who(&self, headers: &HeaderMap) -> Result<&str, Refusal> {
        let Some(tokens) = &self.tokens else { return Ok("http") };
        let text = |name| headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        let bearer = text(AUTHORIZATION).find_map(|value| value.strip_prefix("Bearer "));
        if let Some(token) = bearer {
            return self.of_token(token.trim()).ok_or(Refusal::Token);
        }
        let cookies = text(COOKIE).flat_map(|cookies| cookies.split(';'));
        let mut ours = cookies.filter_map(|cookie| cookie.trim().strip_prefix(SESSION)?.strip_prefix('='));
        let shown = ours.next().ok_or(Refusal::Token)?;
        let mut known = tokens.iter();
        known.find(|(digest, _)| self.same(shown, &self.session(digest))).map(|(_, name)| name).ok_or(Refusal::Token)
    }

    /// Whose token it is. All are compared, whichever it is.
    fn of_token(&self, token: &str) -> Option<&str> {
        let shown: [u8; 32] = Sha256::digest(token).into();
        let all = self.tokens.iter().flat_map(Tokens::iter);
        all.fold(None, |found, (digest, name)| if self.same_bytes(&shown, digest) { Some(name) } else { found })
    }

    /// The cookie for a token, where it is right.
    pub fn cookie(&self, token: &str) -> Option<String> {
        self.of_token(token)?;
        let session = self.session(&Sha256::digest(token).into());
        let secure = if self.is_tls { "; Secure" } else { "" };
        Some(format!("{SESSION}={session}; Path=/; HttpOnly; SameSite=Strict; Max-Age=43200{secure}"))
    }

    /// The same that takes it away.
    pub fn no_cookie() -> String {
        format!("{SESSION}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0")
    }

    fn session(&self, digest: &[u8; 32]) -> String {
        self.derived(&[b"session", digest])
    }

    /// What a page shows to prove, with each change, that it was read from here.
    pub fn form_token(&self, who: &str) -> String {
        self.derived(&[b"form", who.as_bytes()])
    }

    /// Does a change carry it?
    pub fn has_form_token(&self, headers: &HeaderMap, who: &str) -> bool {
        let shown = headers.get(FORM_TOKEN).and_then(|value| value.to_str().ok());
        shown.is_some_and(|shown| self.same(shown, &self.form_token(who)))
    }

    /// Are tokens asked for?
    pub const fn asks_for_tokens(&self) -> bool {
        self.tokens.is_some()
    }

    /// Is it HTTPS?
    pub const fn is_tls(&self) -> bool {
        self.is_tls
    }

    fn derived(&self, parts: &[&[u8]]) -> String {
        let keyed = parts.iter().fold(Sha256::new().chain_update(self.secret), |hash, part| hash.chain_update(part));
        // Twice, so that nothing can be added behind the parts.
        crate::feature::hex(&Sha256::new().chain_update(self.secret).chain_update(keyed.finalize()).finalize())
    }

    fn same(&self, a: &str, b: &str) -> bool {
        self.same_bytes(a.as_bytes(), b.as_bytes())
    }

    /// Compared by digests under a key that nobody knows, how long it takes says nothing.
    fn same_bytes(&self, a: &[u8], b: &[u8]) -> bool {
        let digest = |bytes: &[u8]| Sha256::new().chain_update(self.secret).chain_update(bytes).finalize();
        digest(a) == digest(b)
    }
}

/// A host without its port, and an IPv6 address without its brackets.
fn name_of(host: &str) -> &str {
    if let Some((address, _)) = host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return address;
    }
    host.rsplit_once(':').map_or(host, |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    fn open() -> Guard {
        Guard::new(vec!["sensor.example.org".to_owned()], false, None, [7; 32])
    }

    #[test]
    fn only_names_of_ours_are_answered() {
        for own in ["localhost:1", "127.0.0.1:8080", "[::1]:8080", "LOCALHOST", "Sensor.example.org:443"] {
            assert_eq!(open().host(&headers(&[("host", own)])), Ok(()), "{own}");
        }
        for other in ["evil.example", "127.0.0.1.evil.example:80", "192.0.2.1", "localhost.evil:80", ""] {
            assert_eq!(open().host(&headers(&[("host", other)])), Err(Refusal::Host), "{other}");
        }
        assert_eq!(open().host(&HeaderMap::new()), Err(Refusal::Host));
    }

    #[test]
    fn changes_come_from_our_own_page_or_from_none() {
        let host = ("host", "127.0.0.1:80");
        let site = |more: &[(&'static str, &str)], changes| open().site(&headers(&[&[host], more].concat()), changes);
        assert_eq!(site(&[], true), Ok(()));
        assert_eq!(site(&[("origin", "http://127.0.0.1:80"), ("sec-fetch-site", "same-origin")], true), Ok(()));
        for origin in ["http://evil.example", "https://127.0.0.1:80", "http://127.0.0.1", "null"] {
            assert_eq!(site(&[("origin", origin)], true), Err(Refusal::Site), "{origin}");
        }
        assert_eq!(site(&[("sec-fetch-site", "same-site")], true), Err(Refusal::Site));
        let link = [("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")];
        assert_eq!((site(&link, false), site(&link, true)), (Ok(()), Err(Refusal::Site)));
        assert_eq!(site(&[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "no-cors")], false), Err(Refusal::Site));
    }

    #[test]
    fn a_token_or_its_cookie_tells_who_asks() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens");
        std::fs::write(&path, "ada 0123456789abcdef\nbob fedcba9876543210").unwrap();
        let guard = Guard::new(Vec::new(), true, Some(Tokens::read(&path).unwrap()), [7; 32]);
        let who = |name: &'static str, value: &str| guard.who(&headers(&[(name, value)])).map(str::to_owned);
        assert_eq!(who("authorization", "Bearer fedcba9876543210"), Ok("bob".to_owned()));
        let cookie = guard.cookie("0123456789abcdef").unwrap();
        assert!(cookie.contains("; HttpOnly; SameSite=Strict") && cookie.ends_with("; Secure"), "{cookie}");
        let pair = cookie.split(';').next().unwrap();
        assert_eq!(who("cookie", &format!("other=1; {pair}")), Ok("ada".to_owned()));
        for wrong in ["Bearer 0123456789abcdeX", "Basic 0123456789abcdef", "Bearer "] {
            assert_eq!(who("authorization", wrong), Err(Refusal::Token), "{wrong}");
        }
        assert_eq!((who("cookie", "auscult=1"), guard.cookie("guess")), (Err(Refusal::Token), None));
        let another_run = Guard::new(Vec::new(), true, guard.tokens.clone(), [8; 32]);
        assert_eq!(another_run.who(&headers(&[("cookie", pair)])), Err(Refusal::Token));
        assert_ne!(guard.form_token("ada"), guard.form_token("bob"));
    }
}
