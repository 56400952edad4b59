//! Syslog messages (RFC 5424) and their frames (RFC 6587 and RFC 5425).

use std::fmt::Write as _;

use crate::alert::Message;

/// Facility local0: none of RFC 5424's is for what sensors say.
const FACILITY: u8 = 16;
/// Numbers of `meta sequenceId` go from 1 to this and begin again (RFC 5424, 7.3.1).
const MOST_SEQUENCE: u64 = 2_147_483_647;

/// A message as RFC 5424 writes it, without a frame: the time of the capture in UTC to the microsecond, `sensor` as host name, the class as
/// MSGID, and the number of the message (from 0) as `sequenceId`.
#[must_use]
pub fn frame(message: &Message, sensor: &str, number: u64) -> String {
    let severity = match message.severity {
        1 => 2,
        2 => 4,
        _ => 5,
    };
    let time = message.raised.to_string().replace("+0000", "Z");
    let sequence = number % MOST_SEQUENCE + 1;
    let version = escape_parameter(env!("CARGO_PKG_VERSION"));
    let (host, class) = (printable(sensor, 255), printable(&message.class, 32));
    let mut text = String::with_capacity(160 + message.text.len());
    let _ = write!(
        text,
        "<{}>1 {time} {host} auscult - {class} [origin software=\"auscult\" swVersion=\"{version}\"][meta sequenceId=\"{sequence}\"] ",
        FACILITY * 8 + severity
    );
    // One message is one line wherever it is stored.
    text.extend(message.text.chars().map(|c| if matches!(c, '\n' | '\r' | '\0') { ' ' } else { c }));
    text
}

/// A field of the header: printable ASCII without spaces, `-` where nothing is left.
fn printable(text: &str, most: usize) -> String {
    let kept: String = text.chars().filter(char::is_ascii_graphic).take(most).collect();
    if kept.is_empty() { "-".to_owned() } else { kept }
}

/// The value of a parameter of structured data: `"`, `\` and `]` are escaped (RFC 5424, 6.3.3).
#[must_use]
pub fn escape_parameter(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for c in value.chars() {
        if matches!(c, '"' | '\\' | ']') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// Octets, counted in front (RFC 6587, 3.4.1).
pub(super) fn counted(frame: &str) -> Vec<u8> {
    format!("{} {frame}", frame.len()).into_bytes()
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
    fn a_message_is_written_as_the_rfc_says() {
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(
            frame(&message("CEF:0|x"), "sensor-1", 0),
            format!(
                "<130>1 2026-01-31T09:12:03.417201Z sensor-1 auscult - scan [origin software=\"auscult\" swVersion=\"{version}\"][meta sequenceId=\"1\"] CEF:0|x"
            )
        );
    }

    #[test]
    fn a_message_is_one_line_and_its_header_is_ascii() {
        let text = frame(&message("a\nb\r\0c"), "ra diologie-é", 2_147_483_647);
        assert!(
            text.contains(" radiologie- auscult ") && text.ends_with(" a b  c") && text.contains("sequenceId=\"1\""),
            "{text}"
        );
        assert!(frame(&message(""), "é", 0).contains("Z - auscult"));
    }

    #[test]
    fn octets_are_counted_and_not_letters() {
        assert_eq!(counted("é<"), "3 é<".as_bytes());
    }

    #[test]
    fn parameters_are_escaped() {
        assert_eq!(escape_parameter(r#"a"b\c]d"#), r#"a\"b\\c\]d"#);
    }
}
