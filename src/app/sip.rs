//! SIP: requests by method, responses by class, software (RFC 3261, 7). No caller and no called party is read.

use serde::Serialize;

use super::count::bump;
use super::lines::{greeting, lines};
use super::listen::{Heard, Listen, Place};

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
    /// Software of the side that asks, up to 64 characters.
    pub user_agent: Option<Box<str>>,
    /// Software of the side that answers, up to 64 characters.
    pub server: Option<Box<str>>,
}

impl Listen for SipFacts {
    const MOST_LOOKS: Option<u8> = None;

    fn hear(&mut self, heard: &Heard<'_>, _: &mut Place) -> bool {
        self.message(heard.payload.bytes);
        true
    }
}

impl SipFacts {
    fn message(&mut self, message: &[u8]) {
        let mut lines = lines(message);
        let Some(first) = lines.next() else { return };
        let is_response = first.starts_with(b"SIP/2.0 ");
        if is_response {
            self.response(first);
        } else if first.ends_with(b" SIP/2.0") {
            self.request(first);
        } else {
            return;
        }
        for line in lines {
            let Some(colon) = line.iter().position(|b| *b == b':') else { return };
            let (name, value) = line.split_at(colon);
            let value = value.get(1..).unwrap_or_default();
            if name.eq_ignore_ascii_case(b"user-agent") || name.eq_ignore_ascii_case(b"server") {
                let place = if is_response { &mut self.server } else { &mut self.user_agent };
                if place.is_none() {
                    *place = greeting(value);
                }
                return;
            }
        }
    }

    fn request(&mut self, line: &[u8]) {
        let methods = &mut self.methods;
        bump(match line.split(|b| *b == b' ').next().unwrap_or_default() {
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
    use super::*;

    #[test]
    fn methods_classes_and_software_without_people() {
        let mut sip = SipFacts::default();
        sip.message(
            b"INVITE sip:smith@ward.example SIP/2.0\r\nFrom: <sip:jones@ward.example>\r\nUser-Agent: Phone 7\r\n\r\nv=0\r\n",
        );
        sip.message(b"SIP/2.0 407 Proxy Authentication Required\r\nVia: x\r\nServer: Asterisk PBX 18\r\n\r\n");
        sip.message(b"SIP/2.0 200 OK\r\n\r\n");
        sip.message(b"no message of SIP");
        assert_eq!((sip.methods.invite, sip.responses.unauthorized, sip.responses.success), (1, 1, 1));
        assert_eq!((sip.user_agent.as_deref(), sip.server.as_deref()), (Some("Phone 7"), Some("Asterisk PBX 18")));
        let kept = serde_json::to_string(&sip).unwrap();
        assert!(!kept.contains("smith") && !kept.contains("jones"), "{kept}");
    }
}
