//! HTTP: the first request and the first response, without target and body (RFC 9110, RFC 9112). For the frames of HTTP/2 see
//! [`super::http2`].

use serde::{Serialize, Serializer};

use super::fhir;
use super::http2;
use super::injection;
use super::listen::{Heard, Listen, Payload, Place};
use super::logins::{Logins, is_stale};
use super::reader::{first_line, holds};
use super::text::{HOST_BYTES, NAME_BYTES, printable};

/// Header lines that are looked at in one message.
const MAX_LINES: usize = 64;

const METHODS: [&str; 18] = [
    "GET",
    "POST",
    "HEAD",
    "PUT",
    "DELETE",
    "OPTIONS",
    "PATCH",
    "CONNECT",
    "TRACE",
    "PROPFIND",
    "PROPPATCH",
    "MKCOL",
    "COPY",
    "MOVE",
    "LOCK",
    "UNLOCK",
    "REPORT",
    "SEARCH",
];

/// What kind of content a message carries, from its content type; the type itself is not kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ContentClass {
    /// No content type was seen.
    #[default]
    None,
    /// HTML.
    Html,
    /// Other text.
    Text,
    /// Style sheets, scripts.
    Script,
    /// JSON, other than FHIR.
    Json,
    /// XML, other than FHIR.
    Xml,
    /// Images, sound, video, fonts.
    Media,
    /// A submitted form.
    Form,
    /// FHIR resources, or HL7 messages over HTTP.
    Fhir,
    /// DICOM over the web (PS3.18).
    Dicom,
    /// Archives, programs, unnamed bytes.
    Binary,
    /// Anything else.
    Other,
}

/// Facts of the first exchange of an HTTP connection, version 1 or 2.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct HttpFacts {
    /// Host that the client asked for, without its port, up to 253 characters.
    pub host: Option<Box<str>>,
    /// Method of the request.
    pub method: Option<&'static str>,
    /// Status of the response, 100 to 999.
    pub status: Option<u16>,
    /// What the request carries.
    #[serde(rename = "request_content", serialize_with = "class")]
    pub request: ContentClass,
    /// What the response carries.
    #[serde(rename = "response_content", serialize_with = "class")]
    pub response: ContentClass,
    /// Did either side name a FHIR or HL7 content type, as what it carries or as what it accepts?
    pub fhir: bool,
    /// Type of the FHIR resource that the client asked for (`Patient`), where its request names a FHIR content type. Never an
    /// identifier, never a query.
    pub fhir_resource: Option<&'static str>,
    /// Software of the client as it names itself, up to 64 characters.
    pub user_agent: Option<Box<str>>,
    /// Software of the server in the same way.
    pub server: Option<Box<str>>,
    /// Is it HTTP/2, from the start or after an upgrade?
    pub http2: bool,
    /// Does either side name the content type of gRPC?
    pub grpc: bool,
    /// Is another server than the one that hears it asked for: by CONNECT, or by a whole address of `http` (RFC 9112, 3.2.2)?
    #[serde(skip)]
    pub asks_proxy: bool,
    /// What the request tries to have the server do: `shell command`, `server script`, `SQL injection`, `path traversal`, `loading look-up`,
    /// `cross-site scripting` or, where it runs a script among them, `script in a folder of uploads`. Only the first request of a connection is looked at,
    /// its target, its header fields and the start of its form, 1024 bytes of each.
    pub injection: Option<&'static str>,
    /// Is the body of the request still to come?
    #[serde(skip)]
    pub awaits_body: bool,
    /// Did a log-in by Basic or Digest fail?
    #[serde(skip)]
    pub login_failed: bool,
    /// Who logs in.
    #[serde(skip)]
    pub logins: Logins,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn class<S: Serializer>(class: &ContentClass, serializer: S) -> Result<S::Ok, S::Error> {
    match class {
        ContentClass::None => serializer.serialize_none(),
        class => serializer.serialize_str(&format!("{class:?}").to_lowercase()),
    }
}

impl Listen for HttpFacts {
    /// The response comes after all of the request's body.
    const MOST_LOOKS: Option<u8> = Some(200);

    fn hear(&mut self, heard: &Heard<'_>, place: &mut Place) -> bool {
        let payload = heard.payload;
        self.http2 |= heard.asks && http2::is_preface(payload.bytes);
        if self.http2 {
            self.frames(&payload, heard.asks, place);
        } else if heard.asks {
            self.ask(payload.bytes);
        } else {
            self.answer(&payload, place);
        }
        !self.is_complete()
    }
}

impl HttpFacts {
    /// Reads the head of a request if this is one and none was seen; anything else is passed over.
    fn ask(&mut self, payload: &[u8]) {
        if let (Some(method), None) = (method(payload), self.method) {
            self.method = Some(method);
            self.headers(payload, true);
            let target = payload.split(|b| matches!(b, b' ' | b'\r' | b'\n')).nth(1).unwrap_or_default();
            // Whoever asks a proxy names whom it wants in the line itself, and some do not name it again.
            if let Some(authority) = asked_of_proxy(method, target) {
                self.asks_proxy = true;
                if self.host.is_none() {
                    self.field(b"host", authority, true);
                }
            }
            self.asked(target);
            self.body(after_head(payload).unwrap_or_default());
        } else if self.awaits_body {
            // The head may go on here.
            self.body(after_head(payload).unwrap_or(payload));
        }
    }

    /// Looks at the start of a form, or of what a script may be in.
    fn body(&mut self, body: &[u8]) {
        let may_hold =
            matches!(self.method, Some("POST" | "PUT")) && matches!(self.request, ContentClass::Form | ContentClass::None);
        self.awaits_body = may_hold && body.trim_ascii().is_empty();
        if may_hold && self.injection.is_none() {
            self.injection = injection::in_body(body);
        }
    }

    /// Reads the head of a response in the same way. One that goes over to HTTP/2 is no answer: that follows in frames.
    fn answer(&mut self, payload: &Payload<'_>, place: &mut Place) {
        let (Some(status), None) = (status(payload.bytes), self.status) else { return };
        // An answer in between is none (RFC 9110, 15.2), but for one that goes over to another protocol.
        if matches!(status, 100 | 102..=199) {
            return;
        }
        if status == 101 && is_upgrade(payload.bytes) {
            self.http2 = true;
            let bytes = after_head(payload.bytes).unwrap_or_default();
            let wire_bytes = payload.wire_bytes.saturating_sub((payload.bytes.len() - bytes.len()) as u32);
            self.frames(&Payload { bytes, wire_bytes, ..*payload }, false, place);
            return;
        }
        self.status = Some(status);
        self.headers(payload.bytes, false);
        self.end_login();
    }

    /// Says how a log-in went, once the response was read.
    pub(super) fn end_login(&mut self) {
        if self.status == Some(401) && self.logins.is_asked() {
            self.login_failed = true;
            self.logins.refuse();
        } else if self.status.is_some_and(|status| (200..300).contains(&status)) {
            self.logins.admit();
        }
    }

    /// What the request tries where the server did not turn it down, or send it elsewhere: whoever offers pages to the outside is tried all day.
    #[must_use]
    pub fn injected(&self) -> Option<&'static str> {
        self.injection.filter(|_| self.status.is_some_and(|status| !(300..500).contains(&status)))
    }

    /// Have both a request and a response been seen?
    const fn is_complete(&self) -> bool {
        self.method.is_some() && self.status.is_some()
    }

    /// Reads the header lines up to the empty one.
    fn headers(&mut self, payload: &[u8], is_request: bool) {
        for (name, value) in header_lines(payload) {
            self.field(&name.to_ascii_lowercase(), value, is_request);
        }
    }

    /// Takes what is kept of a header field, its name in lower case; `:method` and `:authority` are those of HTTP/2.
    pub(super) fn field(&mut self, name: &[u8], value: &[u8], is_request: bool) {
        match name {
            b":method" if is_request => self.method = known_method(value),
            b"host" | b":authority" if self.host.is_none() => self.host = Some(printable(without_port(value), HOST_BYTES)),
            b"content-type" => {
                let class = content_class(value);
                *(if is_request { &mut self.request } else { &mut self.response }) = class;
                self.fhir |= class == ContentClass::Fhir;
                self.grpc |= holds(value, b"application/grpc");
            }
            b"accept" => self.fhir |= is_fhir(value),
            b"user-agent" if is_request => self.user_agent = Some(printable(value, NAME_BYTES)),
            b"authorization" if is_request => self.logins.ask_with(value),
            // The proof was sound, but for what it was made of: nobody was turned down.
            b"www-authenticate" if !is_request && is_stale(value) => self.logins.ask(b""),
            b"server" if !is_request => self.server = Some(printable(value, NAME_BYTES)),
            _ => {}
        }
        if is_request && self.injection.is_none() {
            self.injection = injection::in_field(value);
        }
    }

    /// Looks at what is asked for; keeps the type of resource in its path, once the header fields have said that it is FHIR.
    pub(super) fn asked(&mut self, path: &[u8]) {
        self.injection = self.injection.or_else(|| injection::in_target(path));
        if self.fhir && self.fhir_resource.is_none() {
            self.fhir_resource = fhir::resource(path);
        }
    }
}

/// Whom a proxy is asked for by the target of a request; none where the server itself is asked.
fn asked_of_proxy<'t>(method: &str, target: &'t [u8]) -> Option<&'t [u8]> {
    if method == "CONNECT" {
        return Some(target);
    }
    let (scheme, rest) = target.split_at_checked(b"http://".len())?;
    let authority = rest.split(|byte| b"/?#".contains(byte)).next()?;
    scheme.eq_ignore_ascii_case(b"http://").then_some(authority)
}

/// Names and values of the header lines up to the empty one.
fn header_lines(payload: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let lines = payload.split(|b| *b == b'\n').skip(1).take(MAX_LINES).map(<[u8]>::trim_ascii);
    lines.take_while(|line| !line.is_empty()).filter_map(|line| {
        let (name, value) = line.split_at(line.iter().position(|b| *b == b':')?);
        Some((name, value.get(1..).unwrap_or_default().trim_ascii()))
    })
}

/// What follows the empty line, where there is one.
fn after_head(payload: &[u8]) -> Option<&[u8]> {
    let end = payload.windows(4).position(|window| window == b"\r\n\r\n")?;
    payload.get(end + 4..)
}

/// Does an answer go over to HTTP/2 (RFC 7540, 3.2)?
fn is_upgrade(payload: &[u8]) -> bool {
    header_lines(payload).any(|(name, value)| name.eq_ignore_ascii_case(b"upgrade") && value.eq_ignore_ascii_case(b"h2c"))
}

/// Is this the start of a request or a response?
pub(super) fn is_message(payload: &[u8]) -> bool {
    method(payload).is_some() || is_response(payload)
}

/// Is this the start of a response?
pub(super) fn is_response(payload: &[u8]) -> bool {
    status(payload).is_some()
}

fn method(payload: &[u8]) -> Option<&'static str> {
    let space = payload.iter().take(12).position(|b| *b == b' ')?;
    let (name, target) = payload.split_at(space);
    let method = known_method(name)?;
    let target = target.get(1..)?;
    let is_target = match target {
        [b'/' | b'*', ..] => true,
        _ => target.starts_with(b"http") || method == "CONNECT",
    };
    // A line that ends must name the version; one that is cut cannot.
    let line = first_line(target);
    let is_http = line.len() == target.len() || line.len() == 512 || holds(line, b" http/1.");
    (is_target && is_http).then_some(method)
}

pub(super) fn known_method(name: &[u8]) -> Option<&'static str> {
    METHODS.into_iter().find(|method| method.as_bytes() == name)
}

fn status(payload: &[u8]) -> Option<u16> {
    match payload.strip_prefix(b"HTTP/1.")? {
        [b'0' | b'1', b' ', a @ b'1'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9', ..] => {
            Some(u16::from(a - b'0') * 100 + u16::from(b - b'0') * 10 + u16::from(c - b'0'))
        }
        _ => None,
    }
}

/// The host without its port; an IPv6 address keeps its brackets.
fn without_port(host: &[u8]) -> &[u8] {
    let Some(colon) = host.iter().rposition(|b| *b == b':') else { return host };
    let (name, port) = host.split_at(colon);
    let is_port = port.iter().skip(1).all(u8::is_ascii_digit);
    let is_whole = !name.contains(&b':') || name.ends_with(b"]");
    if is_port && is_whole { name } else { host }
}

fn is_fhir(value: &[u8]) -> bool {
    // `json+fhir` and `xml+fhir` are those of FHIR before its third version.
    holds(value, b"application/fhir+") || holds(value, b"+fhir") || holds(value, b"hl7-v2+er7")
}

fn content_class(value: &[u8]) -> ContentClass {
    let is = |word: &str| holds(value, word.as_bytes());
    let starts = |word: &str| value.get(..word.len()).is_some_and(|front| front.eq_ignore_ascii_case(word.as_bytes()));
    match () {
        () if is_fhir(value) => ContentClass::Fhir,
        () if is("dicom") => ContentClass::Dicom,
        () if is("html") => ContentClass::Html,
        () if is("javascript") || is("css") => ContentClass::Script,
        () if is("json") => ContentClass::Json,
        () if starts("image/") || starts("audio/") || starts("video/") || starts("font/") => ContentClass::Media,
        () if is("xml") => ContentClass::Xml,
        () if is("form-urlencoded") || is("form-data") => ContentClass::Form,
        () if starts("text/") => ContentClass::Text,
        () if is("octet-stream") || is("zip") || is("x-msdownload") || is("x-executable") => ContentClass::Binary,
        () => ContentClass::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_no_part_of_the_host() {
        let cases = [("a.example:8080", "a.example"), ("[fd00::1]:80", "[fd00::1]"), ("fd00::1", "fd00::1"), ("a", "a")];
        for (host, want) in cases {
            assert_eq!(without_port(host.as_bytes()), want.as_bytes());
        }
    }

    #[test]
    fn what_a_proxy_is_asked_for_is_named_by_the_line_itself() {
        let asked = |request: &str| {
            let mut http = HttpFacts::default();
            http.ask(request.as_bytes());
            http.host.as_deref().map(str::to_owned)
        };
        assert_eq!(asked("CONNECT a.example:443 HTTP/1.0\r\n\r\n").as_deref(), Some("a.example"));
        assert_eq!(asked("CONNECT a.example:443 HTTP/1.1\r\nHost: b.example\r\n\r\n").as_deref(), Some("b.example"));
        assert_eq!(asked("GET http://a.example:8080?b HTTP/1.0\r\n\r\n").as_deref(), Some("a.example"));
        assert_eq!(asked("GET / HTTP/1.0\r\n\r\n"), None);
    }

    #[test]
    fn an_attack_counts_where_the_server_did_not_turn_it_down_and_wherever_the_body_is() {
        let tries = |asked: &[&str], answers: &[&str]| {
            let (mut http, mut place) = (HttpFacts::default(), Place::default());
            asked.iter().for_each(|part| http.ask(part.as_bytes()));
            answers.iter().for_each(|answer| {
                let bytes = answer.as_bytes();
                http.answer(&Payload::new(super::super::Side::Resp, bytes, bytes.len() as u32), &mut place);
            });
            http.injected()
        };
        let (get, ok) = ("GET /x.php?cmd=whoami HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n");
        let form = "POST /x.php HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\n";
        assert_eq!(tries(&[get], &[ok]), Some("shell command"));
        let refused = ["HTTP/1.1 404 Not Found\r\n\r\n", "HTTP/1.1 301 Moved Permanently\r\n\r\n"];
        assert_eq!(refused.map(|answer| tries(&[get], &[answer])), [None; 2]);
        assert_eq!(tries(&[get], &["HTTP/1.1 100 Continue\r\n\r\n", refused[0]]), None, "the answer is the second");
        let parts = [&[form, "\r\n", "cmd=id"][..], &[form, "X-A: b\r\n\r\ncmd=id"], &[&format!("{form}\r\ncmd=id")]];
        parts.into_iter().for_each(|asked| assert_eq!(tries(asked, &[ok]), Some("shell command"), "{asked:?}"));
        let picture = "POST /x.php HTTP/1.1\r\nContent-Type: image/png\r\n\r\ncmd=id";
        assert_eq!(tries(&[picture], &[ok]), None);
        let kept = serde_json::to_string(&HttpFacts { injection: Some("SQL injection"), ..HttpFacts::default() }).unwrap();
        assert!(kept.contains("\"injection\":\"SQL injection\"") && !kept.contains("awaits"), "{kept}");
    }

    #[test]
    fn passing_on_is_what_a_proxy_agreed_to() {
        let passes_on = |request: &str, status| {
            let mut http = HttpFacts::default();
            http.ask(request.as_bytes());
            super::super::Facts::Http(HttpFacts { status, ..http }).passes_on()
        };
        let (connect, whole) = ("CONNECT a.example:443 HTTP/1.1\r\n\r\n", "GET http://a.example/b HTTP/1.1\r\n\r\n");
        assert!(passes_on(connect, Some(200)) && passes_on(whole, Some(200)) && passes_on(whole, Some(304)));
        assert!(!passes_on(connect, Some(405)) && !passes_on(connect, Some(302)) && !passes_on(connect, None));
        assert!(!passes_on(whole, Some(407)) && !passes_on("GET /http://a.example HTTP/1.1\r\n\r\n", Some(200)));
    }

    #[test]
    fn content_types_fall_into_classes() {
        let cases = [
            ("application/fhir+json; charset=utf-8", ContentClass::Fhir),
            ("application/json+fhir", ContentClass::Fhir),
            ("x-application/hl7-v2+er7", ContentClass::Fhir),
            ("multipart/related; type=\"application/dicom\"", ContentClass::Dicom),
            ("text/html; charset=utf-8", ContentClass::Html),
            ("Application/JSON", ContentClass::Json),
            ("image/svg+xml", ContentClass::Media),
            ("text/xml", ContentClass::Xml),
            ("text/plain", ContentClass::Text),
            ("application/x-www-form-urlencoded", ContentClass::Form),
            ("application/octet-stream", ContentClass::Binary),
            ("application/x-unheard-of", ContentClass::Other),
        ];
        for (value, want) in cases {
            assert_eq!(content_class(value.as_bytes()), want, "{value}");
        }
    }
}
