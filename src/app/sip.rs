//! SIP: requests by method, responses by class, software, countries called (RFC 3261, 7). No caller is kept, and of who is called no more than
//! the country.

use serde::Serialize;

use super::called::country;
use super::count::{bump, note};
use super::lines::{greeting, lines};
use super::listen::{Heard, Listen, Place};
use super::logins::{Logins, is_stale};

/// Requests by their method.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SipMethods {
    /// Calls.
    pub invite: u32,
    /// Registrations.
    pub register: u32,
    /// Questions what the other side can do; scanners send them.
    pub options: u32,
    /// Confirmations of calls.
    pub ack: u32,
    /// Ends of calls.
    pub bye: u32,
    /// Calls that were given up.
    pub cancel: u32,
    /// Subscriptions and what they bring.
    pub event: u32,
    /// Any other.
    pub other: u32,
}

/// Responses by their class.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SipResponses {
    /// Under way (1xx).
    pub provisional: u32,
    /// Done (2xx).
    pub success: u32,
    /// Elsewhere (3xx).
    pub redirection: u32,
    /// A proof is asked for (401, 407).
    pub unauthorized: u32,
    /// Any other mistake of the client (4xx).
    pub client_error: u32,
    /// A mistake of the server (5xx), or none can do it (6xx).
    pub server_error: u32,
}

/// Facts of a flow of SIP.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SipFacts {
    /// Requests by their method.
    pub methods: SipMethods,
    /// Responses by their class.
    pub responses: SipResponses,
    /// Requests with a proof of who asks (`Authorization`) that were turned down (RFC 3261, 22).
    pub login_failure: u32,
    /// Answers that somebody is not there or not allowed (403, 404, 484, 604): those of calls that are merely not taken are no such.
    #[serde(skip)]
    pub refused: u32,
    /// Such requests that were not answered yet.
    #[serde(skip)]
    pub awaiting: u32,
    /// Software of the side that asks, up to 64 characters.
    pub user_agent: Option<Box<str>>,
    /// Software of the side that answers, up to 64 characters.
    pub server: Option<Box<str>>,
    /// Countries of the numbers that are called: "+44 (United Kingdom)", or "at home" for those that do not leave the country.
    pub countries_called: Vec<&'static str>,
    /// Who logs in.
    #[serde(skip)]
    pub logins: Logins,
}

impl Listen for SipFacts {
    const MOST_LOOKS: Option<u8> = None;

    fn hear(&mut self, heard: &Heard<'_>, _: &mut Place) -> bool {
        self.message(heard.payload.bytes, heard.asks);
        true
    }
}

impl SipFacts {
    fn message(&mut self, message: &[u8], asks: bool) {
        let mut lines = lines(message);
        let Some(first) = lines.next() else { return };
        let is_response = first.starts_with(b"SIP/2.0 ");
        if is_response {
            self.response(first);
        } else if first.ends_with(b" SIP/2.0") {
            self.request(first, asks);
        } else {
            return;
        }
        // What is under way is no answer yet; an ACK gets none, though it holds the proof of what it confirms.
        let is_answer = is_response && first.get(8) != Some(&b'1') && self.awaiting > 0;
        let may_prove = !is_response && !first.starts_with(b"ACK ") && !first.starts_with(b"CANCEL ");
        let (mut proves, mut was_stale) = (false, false);
        for line in lines {
            let Some(colon) = line.iter().position(|b| *b == b':') else { break };
            let (name, value) = line.split_at(colon);
            let value = value.get(1..).unwrap_or_default();
            let is = |names: [&[u8]; 2]| names.iter().any(|known| name.eq_ignore_ascii_case(known));
            if is([b"user-agent", b"server"]) {
                let place = if is_response { &mut self.server } else { &mut self.user_agent };
                if place.is_none() {
                    *place = greeting(value);
                }
            }
            if may_prove && is([b"authorization", b"proxy-authorization"]) {
                proves = true;
                self.logins.ask_with(value);
            }
            // The proof was sound, but for what it was made of.
            was_stale |= is([b"www-authenticate", b"proxy-authenticate"]) && is_stale(value);
        }
        self.awaiting = self.awaiting.saturating_add(proves.into()) - u32::from(is_answer);
        // Whose answer is the next one?
        if self.awaiting > 1 {
            self.logins.ask(b"");
        }
        if is_response && matches!(first.get(8..11), Some(b"403" | b"404" | b"484" | b"604")) {
            bump(&mut self.refused);
        }
        if is_answer && !was_stale && matches!(first.get(8..11), Some(b"401" | b"407")) {
            self.logins.refuse();
            bump(&mut self.login_failure);
        }
        if is_answer && first.get(8) == Some(&b'2') {
            self.logins.admit();
        }
    }

    fn request(&mut self, line: &[u8], asks: bool) {
        let methods = &mut self.methods;
        let mut words = line.split(|b| *b == b' ');
        let method = words.next().unwrap_or_default();
        // What the other side sends on is called by somebody else.
        if asks
            && method == b"INVITE"
            && let Some(country) = words.next().and_then(country)
        {
            note(&mut self.countries_called, country);
        }
        bump(match method {
            b"INVITE" => &mut methods.invite,
            b"REGISTER" => &mut methods.register,
            b"OPTIONS" => &mut methods.options,
            b"ACK" => &mut methods.ack,
            b"BYE" => &mut methods.bye,
            b"CANCEL" => &mut methods.cancel,
            b"SUBSCRIBE" | b"NOTIFY" | b"PUBLISH" => &mut methods.event,
            _ => &mut methods.other,
        });
    }

    fn response(&mut self, line: &[u8]) {
        let responses = &mut self.responses;
        bump(match line.get(8..11) {
            Some([b'1', ..]) => &mut responses.provisional,
            Some([b'2', ..]) => &mut responses.success,
            Some([b'3', ..]) => &mut responses.redirection,
            Some(b"401" | b"407") => &mut responses.unauthorized,
            Some([b'4', ..]) => &mut responses.client_error,
            Some([b'5' | b'6', ..]) => &mut responses.server_error,
            _ => return,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::called::AT_HOME;
    use super::*;

    #[test]
    fn a_proof_that_is_turned_down_is_a_login_that_failed() {
        let failures = |answers: &[&str]| {
            let mut sip = SipFacts::default();
            let with = "Authorization: Digest username=a\r\n";
            let mut say =
                |line: &str, field: &str| sip.message(format!("{line}\r\nUser-Agent: x\r\n{field}\r\n").as_bytes(), true);
            // What is asked without a proof is asked for one, which is no failure.
            say("REGISTER sip:pbx SIP/2.0", "");
            say("SIP/2.0 401 Unauthorized", "");
            for answer in answers {
                say("REGISTER sip:pbx SIP/2.0", with);
                say("SIP/2.0 100 Trying", "");
                let (line, field) = answer.split_once('|').unwrap_or((answer, ""));
                say(&format!("SIP/2.0 {line}"), field);
                // It holds the proof again, and gets no answer.
                say("ACK sip:pbx SIP/2.0", with);
            }
            say("INVITE sip:pbx SIP/2.0", "");
            say("SIP/2.0 407 Proxy Authentication Required", "");
            sip.login_failure
        };
        assert_eq!([failures(&["200 OK"]), failures(&["401 Unauthorized", "407 Again", "200 OK"])], [0, 2]);
        assert_eq!(failures(&["401 Unauthorized|WWW-Authenticate: Digest stale=TRUE\r\n", "403 Forbidden"]), 0);
    }

    #[test]
    fn methods_classes_and_software_without_people() {
        let mut sip = SipFacts::default();
        sip.message(
            b"INVITE sip:smith@ward.example SIP/2.0\r\nFrom: <sip:jones@ward.example>\r\nUser-Agent: Phone 7\r\n\r\nv=0\r\n",
            true,
        );
        sip.message(b"SIP/2.0 407 Proxy Authentication Required\r\nVia: x\r\nServer: Asterisk PBX 18\r\n\r\n", true);
        sip.message(b"SIP/2.0 200 OK\r\n\r\n", true);
        sip.message(b"no message of SIP", true);
        assert_eq!((sip.methods.invite, sip.responses.unauthorized, sip.responses.success), (1, 1, 1));
        assert_eq!((sip.user_agent.as_deref(), sip.server.as_deref()), (Some("Phone 7"), Some("Asterisk PBX 18")));
        let kept = serde_json::to_string(&sip).unwrap();
        assert!(!kept.contains("smith") && !kept.contains("jones"), "{kept}");
        for number in ["4411", "0044207946000", "4412"] {
            sip.message(format!("INVITE sip:{number}@ward.example SIP/2.0\r\n\r\n").as_bytes(), true);
        }
        sip.message(b"INVITE sip:0025212345678@ward.example SIP/2.0\r\n\r\n", false);
        sip.message(b"ACK sip:0025212345678@ward.example SIP/2.0\r\n\r\n", true);
        assert_eq!(sip.countries_called, [AT_HOME, "+44 (United Kingdom)"]);
        let kept = serde_json::to_string(&sip).unwrap();
        assert!(!kept.contains("207946"), "{kept}");
    }
}
