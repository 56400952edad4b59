//! HTTP/1: the first request and the first response, without target and body (RFC 9112).

use serde::{Serialize, Serializer};

use super::listen::{Heard, Listen, Place};
use super::reader::{first_line, holds};
use super::text::{HOST_BYTES, printable};

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

/// Facts of the first exchange of an HTTP connection.
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

    fn hear(&mut self, heard: &Heard<'_>, _: &mut Place) -> bool {
        if heard.asks {
            self.ask(heard.payload.bytes);
        } else {
            self.answer(heard.payload.bytes);
        }
        !self.is_complete()
    }
}

impl HttpFacts {
    /// Reads the head of a request if this is one and none was seen; anything else is passed over.
    fn ask(&mut self, payload: &[u8]) {
        if let (Some(method), None) = (method(payload), self.method) {
            self.method = Some(method);
            self.request = self.headers(payload);
        }
    }

    /// Reads the head of a response in the same way.
    fn answer(&mut self, payload: &[u8]) {
        if let (Some(status), None) = (status(payload), self.status) {
            self.status = Some(status);
            self.response = self.headers(payload);
        }
    }

    /// Have both a request and a response been seen?
    const fn is_complete(&self) -> bool {
        self.method.is_some() && self.status.is_some()
    }

    /// Reads the header lines up to the empty one and returns the class of the content type.
    fn headers(&mut self, payload: &[u8]) -> ContentClass {
        let mut class = ContentClass::None;
        let lines = payload.split(|b| *b == b'\n').skip(1).take(MAX_LINES);
        for line in lines.map(<[u8]>::trim_ascii).take_while(|line| !line.is_empty()) {
            let Some(colon) = line.iter().position(|b| *b == b':') else { continue };
            let (name, value) = line.split_at(colon);
            let value = value.get(1..).unwrap_or_default().trim_ascii();
            if name.eq_ignore_ascii_case(b"host") && self.host.is_none() {
                self.host = Some(printable(without_port(value), HOST_BYTES));
            } else if name.eq_ignore_ascii_case(b"content-type") {
                class = content_class(value);
                self.fhir |= class == ContentClass::Fhir;
            } else if name.eq_ignore_ascii_case(b"accept") {
                self.fhir |= is_fhir(value);
            }
        }
        class
    }
}

/// Is this the start of a request or a response?
pub(super) fn is_message(payload: &[u8]) -> bool {
    method(payload).is_some() || is_response(payload)
}

/// Is this the start of a response?
pub(super) fn is_response(payload: &[u8]) -> bool {
    status(payload).is_some()
}

/// Does a client speak HTTP/2 without having asked (RFC 9113, 3.4)?
pub(super) fn is_version_2(payload: &[u8]) -> bool {
    payload.starts_with(b"PRI * HTTP/2.0\r\n")
}

fn method(payload: &[u8]) -> Option<&'static str> {
    let space = payload.iter().take(12).position(|b| *b == b' ')?;
    let (name, target) = payload.split_at(space);
    let method = METHODS.into_iter().find(|method| method.as_bytes() == name)?;
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
