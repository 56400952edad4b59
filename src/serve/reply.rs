//! Answers and what they all say.

use bytes::Bytes;
use hyper::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Response, StatusCode};
use serde_json::{Value, json};
use tokio::sync::mpsc::Receiver;

use super::body::Content;

/// An answer.
pub(super) type Reply = Response<Content>;

/// Nothing but the page's own script, style and data; no frame around it; no form that leads elsewhere.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
    form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

pub(super) const HTML: &str = "text/html; charset=utf-8";
pub(super) const CSS: &str = "text/css; charset=utf-8";
pub(super) const SCRIPT: &str = "text/javascript; charset=utf-8";
pub(super) const TEXT: &str = "text/plain; charset=utf-8";
pub(super) const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";
const JSON: &str = "application/json";
const EVENTS: &str = "text/event-stream";

/// Bytes of a type.
pub(super) fn of(kind: &'static str, content: impl Into<Bytes>) -> Reply {
    let mut reply = Response::new(Content::Whole(content.into()));
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    reply
}

/// JSON.
pub(super) fn json(status: StatusCode, value: &Value) -> Reply {
    with(status, of(JSON, value.to_string() + "\n"))
}

/// An error as programs read it.
pub(super) fn error(status: StatusCode, what: &str) -> Reply {
    json(status, &json!({"error": {"status": status.as_u16(), "message": what}}))
}

/// The same with another status.
pub(super) fn with(status: StatusCode, mut reply: Reply) -> Reply {
    *reply.status_mut() = status;
    reply
}

/// Events.
pub(super) fn events(pieces: Receiver<Bytes>) -> Reply {
    let mut reply = Response::new(Content::Stream(pieces));
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(EVENTS));
    reply
}

/// Says with every answer what a browser may do with it.
pub(super) fn sealed(mut reply: Reply, is_tls: bool) -> Reply {
    let headers = reply.headers_mut();
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if is_tls {
        headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
    reply
}
