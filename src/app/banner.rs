//! Protocols that talk in lines of text, and Telnet.

use super::reader::{first_line, holds};
use super::{App, Ports};

const SIP_METHODS: [&str; 14] = [
    "INVITE",
    "REGISTER",
    "OPTIONS",
    "ACK",
    "BYE",
    "CANCEL",
    "SUBSCRIBE",
    "NOTIFY",
    "PUBLISH",
    "INFO",
    "REFER",
    "MESSAGE",
    "UPDATE",
    "PRACK",
];

/// Bytes behind the options of Telnet that must be text.
const TEXT_BYTES: usize = 16;

/// The application of a stream that starts so.
pub(super) fn stream(ports: Ports, payload: &[u8]) -> Option<App> {
    let line = first_line(payload);
    match payload {
        [b'S', b'S', b'H', b'-', ..] => Some(App::Ssh),
        [b'R', b'F', b'B', b' ', b'0', b'0', ..] => Some(App::Rfb),
        [0xff, 0xfb..=0xfe, _, ..] if is_telnet(payload) => Some(App::Telnet),
        [b'2', b'2', b'0', b' ' | b'-', ..] => greeting(ports, line),
        [b'*', b' ', b'O', b'K', ..] if ports.has(143) || holds(line, b"imap") => Some(App::Imap),
        [b'+', b'O', b'K', ..] if ports.has(110) || holds(line, b"pop") => Some(App::Pop3),
        [b'U', b'S', b'E', b'R', b' ', ..] if ports.has(21) => Some(App::Ftp),
        [b'U', b'S', b'E', b'R', b' ', ..] if ports.has(110) => Some(App::Pop3),
        _ if line.get(..5).is_some_and(|word| word.eq_ignore_ascii_case(b"ehlo ") || word.eq_ignore_ascii_case(b"helo ")) => {
            Some(App::Smtp)
        }
        _ if is_sip(payload) => Some(App::Sip),
        _ if is_syslog(payload) || is_counted_syslog(payload) => Some(App::Syslog),
        _ => None,
    }
}

/// Options that are agreed on (RFC 854: will, won't, do, don't), and behind them nothing, more commands or text: any data may begin with one.
fn is_telnet(payload: &[u8]) -> bool {
    let mut rest = payload;
    while let [0xff, 0xfb..=0xfe, _, behind @ ..] = rest {
        rest = behind;
    }
    let is_text = |byte: &u8| (0x07..=0x0d).contains(byte) || matches!(byte, 0 | 0x1b | 0x20..=0x7e);
    rest.first() == Some(&0xff) || rest.iter().take(TEXT_BYTES).all(is_text)
}

/// Mail and file transfer servers greet alike.
fn greeting(ports: Ports, line: &[u8]) -> Option<App> {
    match () {
        // What they say of themselves comes behind their names, which may hold either.
        () if holds(line, b" smtp") || holds(line, b" esmtp") => Some(App::Smtp),
        () if holds(line, b" proftp") || holds(line, b"(vsftp") || holds(line, b" ftp") => Some(App::Ftp),
        () if ports.has(25) || ports.has(587) => Some(App::Smtp),
        () if holds(line, b"ftp") => Some(App::Ftp),
        () if holds(line, b"smtp") || holds(line, b"mail") => Some(App::Smtp),
        () if ports.has(21) => Some(App::Ftp),
        () => None,
    }
}

/// A request or a response of SIP.
pub(super) fn is_sip(payload: &[u8]) -> bool {
    if payload.starts_with(b"SIP/2.0 ") {
        return true;
    }
    let space = payload.iter().take(12).position(|b| *b == b' ');
    let Some((method, target)) = space.map(|space| payload.split_at(space)) else { return false };
    let is_target = target.starts_with(b" sip:") || target.starts_with(b" sips:") || target.starts_with(b" tel:");
    is_target && SIP_METHODS.iter().any(|known| known.as_bytes() == method)
}

/// A message that starts with its priority, `<0>` to `<191>`.
pub(super) fn is_syslog(payload: &[u8]) -> bool {
    let Some(rest) = payload.strip_prefix(b"<") else { return false };
    let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    let priority = rest.iter().take(digits).take(4).fold(0u32, |sum, b| sum * 10 + u32::from(b - b'0'));
    (1..=3).contains(&digits) && priority <= 191 && rest.get(digits) == Some(&b'>') && rest.len() > digits + 1
}

/// The same behind the message's length (RFC 6587, 3.4.1).
fn is_counted_syslog(payload: &[u8]) -> bool {
    let digits = payload.iter().take_while(|b| b.is_ascii_digit()).count();
    (1..=5).contains(&digits) && payload.get(digits) == Some(&b' ') && payload.get(digits + 1..).is_some_and(is_syslog)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_server_is_not_taken_for_what_its_name_holds() {
        let greets = |port: u16, line: &str| stream(Ports { protocol: 6, orig: 40_000, resp: port }, line.as_bytes());
        assert_eq!(greets(25, "220 mx.craftpath.example ESMTP Postfix\r\n"), Some(App::Smtp));
        assert_eq!(greets(2525, "220 mx.craftpath.example ESMTP Postfix\r\n"), Some(App::Smtp));
        assert_eq!(greets(25, "220 craftpath.example\r\n"), Some(App::Smtp));
        assert_eq!([2121, 25].map(|port| greets(port, "220 ProFTPD ready\r\n")), [Some(App::Ftp); 2]);
        assert_eq!(greets(25, "220 (vsFTPd 3.0.5)\r\n"), Some(App::Ftp));
        assert_eq!(greets(21, "220 ready\r\n"), Some(App::Ftp));
        assert_eq!(greets(9999, "220 ready\r\n"), None);
    }

    #[test]
    fn any_data_may_begin_with_an_option_of_telnet() {
        let speaks = |payload: &[u8]| stream(Ports { protocol: 6, orig: 40_000, resp: 2649 }, payload);
        let login = [&[0xff, 0xfd, 1, 0xff, 0xfb, 3][..], b"\r\nlogin: "].concat();
        for options in [&[0xff, 0xfd, 1][..], &login, &[0xff, 0xfb, 24, 0xff, 0xfa, 24, 1, 0xff, 0xf0]] {
            assert_eq!(speaks(options), Some(App::Telnet), "{options:?}");
        }
        assert_eq!(speaks(&[0xff, 0xfd, 0x23, 0x6c, 0x62, 0xd0, 0, 0xbe]), None, "a part of a backup");
    }
}
