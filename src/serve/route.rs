//! What is asked for, and what is answered.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_DISPOSITION, CONTENT_TYPE, HeaderValue, LOCATION, SET_COOKIE, WWW_AUTHENTICATE};
use hyper::{HeaderMap, Method, Request, StatusCode};
use serde_json::{Value, json};
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};

use super::answer::{Answering, Ask, identifier};
use super::board::Shared;
use super::guard::{Guard, Refusal};
use super::health::Pulse;
use super::reply::{self, Reply};
use super::{api, metrics, page, stream};
use crate::report;

/// Bytes of a question's body.
const MOST_BODY_BYTES: usize = 16 << 10;
/// How long a body may take to come.
const BODY_WITHIN: Duration = Duration::from_secs(10);
/// A wrong token costs this long.
const WRONG_TOKEN: Duration = Duration::from_millis(500);

/// What all questions are answered from.
pub(super) struct State {
    pub shared: Arc<Shared>,
    pub pulse: Mutex<Pulse>,
    pub guard: Guard,
    pub answering: Option<Arc<dyn Answering>>,
    /// Streams of events that may be open.
    pub streams: Arc<Semaphore>,
    pub stop: watch::Receiver<bool>,
}

impl State {
    pub fn pulse(&self) -> MutexGuard<'_, Pulse> {
        self.pulse.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Asked = Request<Incoming>;

/// Answers a question.
pub(super) async fn answer(state: &State, asked: Asked) -> Reply {
    let is_tls = state.guard.is_tls();
    let reply = match screened(state, &asked) {
        Ok(who) => routed(state, asked, who).await,
        Err(Refusal::Host) => {
            let what = "this name is not served here: ask for localhost, 127.0.0.1, or a name given with --http-name";
            reply::error(StatusCode::MISDIRECTED_REQUEST, what)
        }
        Err(Refusal::Site) => reply::error(StatusCode::FORBIDDEN, "this comes from another site"),
        Err(Refusal::Token) if asked.uri().path() == "/" => see("/login"),
        Err(Refusal::Token) => {
            let mut reply = reply::error(StatusCode::UNAUTHORIZED, "a token is needed: Authorization: Bearer TOKEN");
            reply.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            reply
        }
    };
    reply::sealed(reply, is_tls)
}

/// Who asks, where the question may be answered at all.
fn screened(state: &State, asked: &Asked) -> Result<String, Refusal> {
    let (guard, headers) = (&state.guard, asked.headers());
    guard.host(headers)?;
    guard.site(headers, !is_reading(asked.method()))?;
    let is_open = matches!(asked.uri().path(), "/healthz" | "/readyz" | "/login" | "/live.css");
    match guard.who(headers) {
        Ok(who) => Ok(who.to_owned()),
        Err(_) if is_open => Ok(String::new()),
        Err(refusal) => Err(refusal),
    }
}

fn is_reading(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

fn see(place: &'static str) -> Reply {
    let mut reply = reply::with(StatusCode::SEE_OTHER, reply::of(reply::TEXT, ""));
    reply.headers_mut().insert(LOCATION, HeaderValue::from_static(place));
    reply
}

async fn routed(state: &State, asked: Asked, who: String) -> Reply {
    let path = asked.uri().path().to_owned();
    let posts = matches!(path.as_str(), "/login" | "/logout" | "/api/v1/answers");
    match *asked.method() {
        Method::GET | Method::HEAD if path != "/logout" => got(state, &asked, &path, &who),
        Method::POST if posts => posted(state, asked, &path, who).await,
        _ => {
            let mut reply = reply::error(StatusCode::METHOD_NOT_ALLOWED, "this cannot be done here");
            let allowed = if posts { "GET, HEAD, POST" } else { "GET, HEAD" };
            reply.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
            reply
        }
    }
}

fn got(state: &State, asked: &Asked, path: &str, who: &str) -> Reply {
    let lock = || state.shared.lock();
    match path {
        "/" => {
            let offer = page::Offer {
                form_token: state.guard.form_token(who),
                can_answer: state.answering.is_some(),
                can_leave: state.guard.asks_for_tokens(),
            };
            reply::of(reply::HTML, page::shell(&lock().report.title, &offer))
        }
        "/login" if state.guard.asks_for_tokens() => reply::of(reply::HTML, page::login(false)),
        "/login" => see("/"),
        "/live.css" => reply::of(reply::CSS, page::style()),
        "/live.js" => reply::of(reply::SCRIPT, page::SCRIPT),
        "/parts" => {
            let account = state.pulse().vitals().gauges.account().0;
            let mut board = lock();
            let is_judging = board.is_judging();
            reply::of(reply::HTML, page::parts(board.report(&account), is_judging))
        }
        "/report.html" => whole_report(state),
        "/metrics" => reply::of(reply::METRICS, metrics::text(&lock(), &state.pulse())),
        "/healthz" => {
            let pulse = state.pulse();
            health(pulse.illness(), &pulse.sinks_away())
        }
        "/readyz" => {
            let learning = (!lock().is_judging()).then(|| "still learning: nothing is judged yet".to_owned());
            health(state.pulse().illness().or(learning), "")
        }
        _ => match (path.strip_prefix("/incident/"), path.strip_prefix("/api/v1/")) {
            (Some(id), _) => {
                let article = identifier(id).and_then(|id| lock().article(id));
                article.map_or_else(not_found, |article| reply::of(reply::HTML, article))
            }
            (None, Some(name)) => api_got(state, asked, name, who),
            (None, None) => not_found(),
        },
    }
}

fn not_found() -> Reply {
    reply::error(StatusCode::NOT_FOUND, "there is no such thing here")
}

/// Well, or why not.
fn health(illness: Option<String>, note: &str) -> Reply {
    match illness {
        None => reply::of(reply::TEXT, format!("ok{note}\n")),
        Some(why) => reply::with(StatusCode::SERVICE_UNAVAILABLE, reply::of(reply::TEXT, why + "\n")),
    }
}

/// The page to keep: opened from a file, its own policy holds.
fn whole_report(state: &State) -> Reply {
    let account = state.pulse().vitals().gauges.account().0;
    let (mut board, mut html) = (state.shared.lock(), Vec::new());
    if !board.is_judging() {
        return reply::error(StatusCode::SERVICE_UNAVAILABLE, "still learning: there is nothing to report yet");
    }
    if let Err(error) = report::write(board.report(&account), &mut html) {
        return reply::error(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string());
    }
    let mut reply = reply::of(reply::HTML, html);
    let saved = HeaderValue::from_static("attachment; filename=\"auscult-report.html\"");
    reply.headers_mut().insert(CONTENT_DISPOSITION, saved);
    reply
}

fn api_got(state: &State, asked: &Asked, name: &str, who: &str) -> Reply {
    let lock = || state.shared.lock();
    let text = asked.uri().query();
    let told = |value: Result<Value, String>| match value {
        Ok(value) => reply::json(StatusCode::OK, &value),
        Err(what) => reply::error(StatusCode::BAD_REQUEST, &what),
    };
    let maybe = |value: Option<Value>| value.map_or_else(not_found, |value| reply::json(StatusCode::OK, &value));
    match name {
        "status" => told(Ok(api::status(&lock(), &state.pulse()))),
        "session" => told(Ok(json!({
            "by": who, "form_token": state.guard.form_token(who), "can_answer": state.answering.is_some(),
        }))),
        "incidents" => told(api::query(text, &api::INCIDENT_PARAMETERS).and_then(|query| api::incidents(&mut lock(), &query))),
        "answers" => told(Ok(api::answers(&lock(), state.answering.is_some()))),
        "devices" => told(api::query(text, &["offset", "limit"]).and_then(|query| api::devices(&mut lock(), &query))),
        "traffic" => told(Ok(api::traffic(&lock()))),
        "model" => maybe(api::model(&lock())),
        "events" => events(state, asked),
        _ => maybe(name.strip_prefix("incidents/").and_then(identifier).and_then(|id| api::incident(&lock(), id))),
    }
}

fn events(state: &State, asked: &Asked) -> Reply {
    let query = match api::query(asked.uri().query(), &["after"]) {
        Ok(query) => query,
        Err(what) => return reply::error(StatusCode::BAD_REQUEST, &what),
    };
    // A browser that lost the connection says what it saw last.
    let last = asked.headers().get("last-event-id").and_then(|value| value.to_str().ok()?.parse().ok());
    let after = last.or_else(|| query.get("after")?.parse().ok());
    match Arc::clone(&state.streams).try_acquire_owned() {
        Ok(permit) => reply::events(stream::begin(&state.shared, after, state.stop.clone(), permit)),
        Err(_) => reply::error(StatusCode::SERVICE_UNAVAILABLE, "as many streams of events as there may be are open"),
    }
}

async fn posted(state: &State, asked: Asked, path: &str, who: String) -> Reply {
    let headers = asked.headers().clone();
    if path == "/logout" {
        let mut reply = see("/login");
        reply.headers_mut().extend(cookie(Guard::no_cookie()));
        return reply;
    }
    let body = match body(asked).await {
        Ok(body) => body,
        Err(reply) => return reply,
    };
    if path == "/login" { log_in(state, &headers, &body).await } else { take_answer(state, &headers, &body, who).await }
}

async fn body(asked: Asked) -> Result<Bytes, Reply> {
    let collected = timeout(BODY_WITHIN, Limited::new(asked.into_body(), MOST_BODY_BYTES).collect()).await;
    match collected {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(_)) => Err(reply::error(StatusCode::PAYLOAD_TOO_LARGE, "the body is cut off, or longer than 16 KiB")),
        Err(_) => Err(reply::error(StatusCode::REQUEST_TIMEOUT, "the body did not come within 10 s")),
    }
}

fn has_type(headers: &HeaderMap, wanted: &str) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case(wanted))
}

fn cookie(text: String) -> HeaderMap {
    HeaderValue::try_from(text).map(|value| HeaderMap::from_iter([(SET_COOKIE, value)])).unwrap_or_default()
}

async fn log_in(state: &State, headers: &HeaderMap, body: &[u8]) -> Reply {
    if !has_type(headers, "application/x-www-form-urlencoded") {
        return reply::error(StatusCode::UNSUPPORTED_MEDIA_TYPE, "wanted application/x-www-form-urlencoded");
    }
    let text = String::from_utf8_lossy(body);
    let token = text.split('&').map(api::pair).find(|(name, _)| name == "token").map(|(_, value)| value);
    if let Some(session) = token.and_then(|token| state.guard.cookie(token.trim())) {
        let mut reply = see("/");
        reply.headers_mut().extend(cookie(session));
        return reply;
    }
    sleep(WRONG_TOKEN).await;
    reply::with(StatusCode::FORBIDDEN, reply::of(reply::HTML, page::login(true)))
}

async fn take_answer(state: &State, headers: &HeaderMap, body: &[u8], who: String) -> Reply {
    let Some(answering) = &state.answering else {
        return reply::error(StatusCode::CONFLICT, "answers are written nowhere: start the program with --answers FILE");
    };
    if !has_type(headers, "application/json") {
        return reply::error(StatusCode::UNSUPPORTED_MEDIA_TYPE, "wanted application/json");
    }
    if !state.guard.has_form_token(headers, &who) {
        let what = "the header X-Auscult-Token is missing or old: GET /api/v1/session tells it";
        return reply::error(StatusCode::FORBIDDEN, what);
    }
    let asked = Ask::read(body).and_then(|ask| ask.answer(&who, &state.shared.lock()));
    let answer = match asked {
        Ok(answer) => answer,
        Err(what) => return reply::error(StatusCode::UNPROCESSABLE_ENTITY, &what),
    };
    let says = answer.hides.as_ref().map(ToString::to_string);
    let answering = Arc::clone(answering);
    // A file is locked and written to disk: others are answered meanwhile.
    match tokio::task::spawn_blocking(move || answering.append(answer)).await {
        Ok(Ok((number, answers))) => {
            state.shared.answered(answers);
            reply::json(StatusCode::CREATED, &json!({"number": number, "by": who, "hides": says}))
        }
        Ok(Err(what)) => reply::error(StatusCode::UNPROCESSABLE_ENTITY, &what),
        Err(error) => reply::error(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}
