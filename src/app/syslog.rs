//! Syslog: how many messages of which severity and facility (RFC 5424, 6.2.1; RFC 3164). Hosts, programs and texts are not kept.

use serde::{Serialize, Serializer};

use super::count::bump;
use super::listen::{Heard, Listen, Place};

/// Names of the severities, 0 to 7.
const SEVERITIES: [&str; 8] = ["emergency", "alert", "critical", "error", "warning", "notice", "informational", "debug"];
/// Names of the facilities, 0 to 23.
const FACILITIES: [&str; 24] = [
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "ntp", "audit",
    "alert", "clock", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
];
/// Messages of one segment that are counted.
const MOST_MESSAGES: usize = 256;

/// Facts of a flow of syslog.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SyslogFacts {
    /// Messages whose priority was read.
    pub messages: u32,
    /// The same by severity.
    #[serde(serialize_with = "by_severity")]
    pub severities: [u32; 8],
    /// The same by facility.
    #[serde(serialize_with = "by_facility")]
    pub facilities: [u32; 24],
}

fn by_severity<S: Serializer>(counts: &[u32; 8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(SEVERITIES.iter().zip(counts).filter(|(_, count)| **count > 0))
}

fn by_facility<S: Serializer>(counts: &[u32; 24], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(FACILITIES.iter().zip(counts).filter(|(_, count)| **count > 0))
}

impl Listen for SyslogFacts {
    const MOST_LOOKS: Option<u8> = None;

    fn hear(&mut self, heard: &Heard<'_>, _: &mut Place) -> bool {
        let payload = heard.payload.bytes;
        if heard.ports.is_udp() {
            self.message(payload);
        } else {
            // Each starts a line, or stands behind its length at the start of a segment or right behind the one before.
            self.segment(payload);
        }
        true
    }
}

impl SyslogFacts {
    fn segment(&mut self, mut payload: &[u8]) {
        for _ in 0..MOST_MESSAGES {
            let digits = payload.iter().take(6).take_while(|b| b.is_ascii_digit()).count();
            let length = payload.get(..digits).unwrap_or_default().iter().fold(0, |sum, b| sum * 10 + usize::from(b - b'0'));
            let behind = if length > 0 && payload.get(digits) == Some(&b' ') {
                self.message(payload.get(digits + 1..).unwrap_or_default());
                Some(digits + 1 + length)
            } else {
                self.message(payload);
                payload.iter().position(|b| matches!(b, b'\n' | 0)).map(|end| end + 1)
            };
            let Some(rest) = behind.and_then(|behind| payload.get(behind..)).filter(|rest| !rest.is_empty()) else { return };
            payload = rest;
        }
    }

    fn message(&mut self, message: &[u8]) {
        let Some(priority) = priority(message) else { return };
        bump(&mut self.messages);
        self.severities.get_mut(usize::from(priority & 7)).map(bump);
        self.facilities.get_mut(usize::from(priority >> 3)).map(bump);
    }
}

/// The number in brackets that a message starts with, 0 to 191.
fn priority(message: &[u8]) -> Option<u8> {
    let rest = message.strip_prefix(b"<")?;
    let digits = rest.iter().take(4).take_while(|b| b.is_ascii_digit()).count();
    let number = rest.get(..digits)?.iter().fold(0_u32, |sum, b| sum * 10 + u32::from(b - b'0'));
    let is_sound = (1..=3).contains(&digits) && number <= 191 && rest.get(digits) == Some(&b'>');
    is_sound.then_some(number as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn priorities_are_counted_in_datagrams_and_streams() {
        let mut syslog = SyslogFacts::default();
        syslog.message(b"<34>1 2026-01-31T09:12:03Z ct1 su - - failed");
        syslog.segment(b"21 <165>1 - host app - -17 <3>kernel: smith\n<13>by hand\nno priority\n<999>x\n");
        assert_eq!(syslog.messages, 4);
        let json = serde_json::to_value(&syslog).unwrap();
        assert_eq!(json["severities"], serde_json::json!({"critical": 1, "error": 1, "notice": 2}));
        assert_eq!(json["facilities"], serde_json::json!({"kern": 1, "user": 1, "auth": 1, "local4": 1}));
        assert!(!json.to_string().contains("smith"));
    }
}
