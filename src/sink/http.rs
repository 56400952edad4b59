//! Web hooks and Splunk's HTTP Event Collector. The one user of ureq.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use ureq::Agent;
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};

use super::SinkError;
use super::send::{ANSWER, CONNECT, SendError, Sender, later};
use super::target::{Target, TargetOptions};
use super::tls;
use super::writer::SinkOptions;
use crate::alert::{Format, Message};

/// The port of the proxy that the environment names, if it does: what goes to a web hook goes there.
#[must_use]
pub fn proxy_port() -> Option<u16> {
    ureq::Proxy::try_from_env().map(|proxy| proxy.port())
}

/// What is sent.
pub(super) enum Body {
    /// Messages, one a line.
    Lines(&'static str),
    /// Splunk's envelopes.
    Hec { sensor: String, sourcetype: String, index: Option<String>, json: bool },
}

impl Body {
    pub const fn of_hook(format: Format) -> Self {
        Self::Lines(if format.is_json() || matches!(format, Format::Zeek) {
            "application/x-ndjson"
        } else {
            "text/plain; charset=utf-8"
        })
    }

    pub fn of_hec(target: &Target, sensor: &str) -> Self {
        let format = target.format.without_head();
        let sourcetype = target.options.sourcetype.clone().unwrap_or_else(|| format!("auscult:{}", format.name()));
        Self::Hec { sensor: sensor.to_owned(), sourcetype, index: target.options.index.clone(), json: format.is_json() }
    }

    const fn kind(&self) -> &'static str {
        match self {
            Self::Lines(kind) => kind,
            Self::Hec { .. } => "application/json",
        }
    }

    fn bytes(&self, messages: &[Message]) -> Vec<u8> {
        let mut text = String::new();
        for message in messages {
            match self {
                Self::Lines(_) => text.push_str(&message.text),
                Self::Hec { .. } => text.push_str(&self.envelope(message).to_string()),
            }
            text.push('\n');
        }
        text.into_bytes()
    }

    /// An event as the collector takes it: the alert's own time, and its id as an indexed field.
    fn envelope(&self, message: &Message) -> Value {
        let Self::Hec { sensor, sourcetype, index, json } = self else { return Value::Null };
        let event = if *json { serde_json::from_str(&message.text).unwrap_or(Value::Null) } else { json!(message.text) };
        let micros = message.raised.nanos().div_euclid(1000);
        let mut envelope = json!({
            "time": micros as f64 / 1e6, "host": sensor, "source": "auscult", "sourcetype": sourcetype, "event": event,
            "fields": {"auscult_id": message.id},
        });
        if let Some(index) = index {
            envelope["index"] = json!(index);
        }
        envelope
    }
}

/// Posts batches.
pub(super) struct Http {
    agent: Agent,
    address: String,
    body: Body,
    authorization: Option<String>,
}

impl Http {
    pub fn new(address: &str, body: Body, target: &Target, options: &SinkOptions) -> Result<Self, SinkError> {
        let is_hec = matches!(body, Body::Hec { .. });
        let token = match &target.options.token {
            Some(path) => Some(token(path)?),
            None if is_hec => options.hec_token.clone(),
            None => options.hook_token.clone(),
        };
        if is_hec && token.is_none() {
            let what = "the HTTP Event Collector wants a token: name its file with #token=FILE, or set AUSCULT_HEC_TOKEN";
            return Err(SinkError::Usage(what.to_owned()));
        }
        let scheme = if is_hec { "Splunk" } else { "Bearer" };
        let authorization = token.map(|token| format!("{scheme} {token}"));
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("auscult/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(CONNECT))
            .timeout_global(Some(CONNECT + ANSWER));
        if address.starts_with("https:") {
            config = config.https_only(true).tls_config(secured(&target.options)?);
        }
        Ok(Self { agent: config.build().into(), address: address.to_owned(), body, authorization })
    }
}

fn secured(options: &TargetOptions) -> Result<TlsConfig, SinkError> {
    let owned = |certificate: &[u8]| Certificate::from_der(certificate).to_owned();
    let roots: Vec<Certificate<'static>> = tls::roots(options)?.iter().map(|certificate| owned(certificate)).collect();
    let client = match (&options.cert, &options.key) {
        (Some(cert), Some(key)) => {
            tls::private_key(key)?;
            let chain: Vec<Certificate<'static>> =
                tls::certificates(cert)?.iter().map(|certificate| owned(certificate)).collect();
            let wrong = |_| SinkError::Usage(format!("{}: no private key", key.display()));
            Some(ClientCert::new_with_certs(&chain, PrivateKey::from_pem(&tls::read(key)?).map_err(wrong)?))
        }
        _ => None,
    };
    let roots = RootCerts::Specific(Arc::new(roots));
    Ok(TlsConfig::builder().root_certs(roots).client_cert(client).unversioned_rustls_crypto_provider(tls::provider()).build())
}

/// The first line of a file.
fn token(path: &Path) -> Result<String, SinkError> {
    let text = String::from_utf8_lossy(&tls::read(path)?).into_owned();
    let token = text.lines().next().unwrap_or_default().trim();
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(SinkError::Usage(format!("{}: its first line is no token", path.display())));
    }
    Ok(token.to_owned())
}

impl Sender for Http {
    fn send(&mut self, messages: &[Message], _: u64) -> Result<(), SendError> {
        let mut request = self.agent.post(&self.address).header("Content-Type", self.body.kind());
        if let Some(authorization) = &self.authorization {
            request = request.header("Authorization", authorization);
        }
        let mut answer = request.send(&self.body.bytes(messages)).map_err(|error| later("no answer", &error))?;
        let status = answer.status().as_u16();
        if (200..300).contains(&status) {
            return Ok(());
        }
        let said = answer.body_mut().with_config().limit(4096).read_to_string().unwrap_or_default();
        let said: String = said.chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect();
        let error = format!("answered {status} {}", said.trim());
        // These speak of the body; all else (a token, a path, a pause) may be put right.
        if matches!(status, 400 | 413 | 422) { Err(SendError::Never(error)) } else { Err(SendError::Later(error)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    fn message(text: &str) -> Message {
        let raised = Timestamp::from_parts(1_769_850_723, 417_201_999);
        Message { raised, severity: 1, id: "ab-1".into(), class: "scan".into(), text: text.into() }
    }

    #[test]
    fn splunk_gets_envelopes_with_the_alerts_own_time() {
        let target = Target::parse("hec+https://splunk#index=ids").unwrap();
        let body = Body::of_hec(&target, "sensor-1").bytes(&[message("{\"a\":1}")]);
        assert_eq!(
            String::from_utf8(body).unwrap(),
            "{\"time\":1769850723.417201,\"host\":\"sensor-1\",\"source\":\"auscult\",\"sourcetype\":\"auscult:eve\",\"event\":{\"a\":1},\
             \"fields\":{\"auscult_id\":\"ab-1\"},\"index\":\"ids\"}\n"
        );
        let target = Target::parse("cef:hec+https://splunk#sourcetype=cef").unwrap();
        let body = String::from_utf8(Body::of_hec(&target, "s").bytes(&[message("CEF:0|x")])).unwrap();
        assert!(body.contains("\"sourcetype\":\"cef\",\"event\":\"CEF:0|x\"") && !body.contains("index"), "{body}");
    }

    #[test]
    fn a_token_is_the_first_line_of_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, "abc-123\r\nsecond\n").unwrap();
        assert_eq!(token(&path).unwrap(), "abc-123");
        std::fs::write(&path, "two words\n").unwrap();
        let error = token(&path).unwrap_err().to_string();
        assert!(error.contains("no token") && !error.contains("two words"), "{error}");
    }
}
