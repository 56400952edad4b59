//! Internet relay chat (RFC 1459, RFC 2812): told from how a client registers and a server greets. No line is kept.

use super::Ports;

/// Lines that are looked at.
const MOST_LINES: usize = 8;
/// Longest line, in bytes, its end included (RFC 1459, 2.3).
const MOST_LINE_BYTES: usize = 512;

/// Does a chat start so? A client names itself by `USER` with its four parameters, or asks for abilities; a server's first
/// line speaks of the connection. What other text may start with counts on
/// IRC's port: `NICK` alone, and what a chat says later.
pub(super) fn is_start(ports: Ports, payload: &[u8]) -> bool {
    let text = payload.get(..MOST_LINES * MOST_LINE_BYTES).unwrap_or(payload);
    let mut lines = text.split_inclusive(|byte| *byte == b'\n').take(MOST_LINES).map_while(whole_line).peekable();
    let is_server = lines.peek().is_some_and(|line| is_greeting(line));
    is_server || is_registration(lines, ports.has(6667))
}

/// A line without its end, if it ends and is text.
fn whole_line(line: &[u8]) -> Option<&[u8]> {
    let line = line.strip_suffix(b"\n")?;
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let is_text = !line.iter().any(|byte| matches!(byte, 0 | b'\r'));
    (is_text && line.len() <= MOST_LINE_BYTES).then_some(line)
}

/// Lines with which a client registers, and no others before.
fn is_registration<'a>(lines: impl Iterator<Item = &'a [u8]>, on_port: bool) -> bool {
    let mut has_nick = false;
    for line in lines {
        let mut words = line.split(|byte| *byte == b' ');
        let command = words.next().unwrap_or_default().to_ascii_uppercase();
        match &command[..] {
            b"CAP" => return matches!(words.next(), Some(b"LS" | b"REQ")),
            b"USER" => return is_user(line),
            b"NICK" if words.next().is_some_and(is_nick) && words.next().is_none() => has_nick = true,
            b"PASS" if words.by_ref().count() == 1 => {}
            // A chat that began before the capture.
            b"JOIN" | b"MODE" | b"PING" | b"PONG" | b"PRIVMSG" if on_port => return words.next().is_some(),
            _ => return false,
        }
    }
    has_nick && on_port
}

/// `USER name mode unused :real name`. Other protocols have a `USER` with one parameter.
fn is_user(line: &[u8]) -> bool {
    let mut words = line.splitn(5, |byte| *byte == b' ').skip(1);
    let plain = words.by_ref().take(3).filter(|word| !word.is_empty() && word.first() != Some(&b':')).count();
    plain == 3 && words.next().is_some_and(|name| !name.is_empty())
}

fn is_nick(nick: &[u8]) -> bool {
    let nick = nick.strip_prefix(b":").unwrap_or(nick);
    let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || b"[]\\`_^{|}-".contains(byte);
    (1..=64).contains(&nick.len()) && nick.iter().all(is_letter) && !nick.first().is_some_and(u8::is_ascii_digit)
}

/// `:host 001 nick :...` after registration, or a notice before it (`NOTICE AUTH`, `NOTICE *`).
fn is_greeting(line: &[u8]) -> bool {
    let (prefix, rest) = match line.strip_prefix(b":") {
        Some(line) => match line.iter().position(|byte| *byte == b' ') {
            Some(space) => line.split_at(space),
            None => return false,
        },
        None => (&b""[..], line),
    };
    let rest = rest.strip_prefix(b" ").unwrap_or(rest);
    let is_host = prefix.len() <= 255 && prefix.iter().all(|byte| byte.is_ascii_graphic());
    let is_notice = rest.starts_with(b"NOTICE AUTH :") || rest.starts_with(b"NOTICE * :");
    let is_welcome = || {
        let mut words = rest.strip_prefix(b"001 ").unwrap_or_default().split(|byte| *byte == b' ');
        !prefix.is_empty() && words.next().is_some_and(is_nick) && words.next().is_some_and(|word| word.starts_with(b":"))
    };
    is_host && (is_notice || is_welcome())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(port: u16, text: &str) -> bool {
        is_start(Ports { protocol: 6, orig: 50_000, resp: port }, text.as_bytes())
    }

    #[test]
    fn clients_and_servers_start_so() {
        for text in [
            "NICK ward7\r\nUSER ward7 0 * :Ward Seven\r\n",
            "PASS x\r\nNICK ward7\r\nUSER ward7 8 * w\r\n",
            "CAP LS 302\r\n",
            "USER a b c d\n",
            ":irc.example 001 ward7 :Welcome\r\n:irc.example 002 ward7 :Your host\r\n",
            ":irc.example NOTICE AUTH :*** Looking up your hostname\r\n",
            "NOTICE AUTH :*** Processing connection\r\n",
        ] {
            assert!(on(50_001, text), "{text}");
        }
        assert!(on(6667, "NICK ward7\r\n") && !on(50_001, "NICK ward7\r\n"));
        assert!(on(6667, "PRIVMSG #ward :x\r\n") && !on(50_001, "PRIVMSG #ward :x\r\n"));
    }

    #[test]
    fn other_text_is_none() {
        for text in [
            "USER anonymous\r\nPASS guest\r\n",
            "USER a b c d",
            "NICK two words\r\nUSER a\r\n",
            "PASS x\r\n",
            "220 ready\r\n",
            ":irc.example 002 ward7 :Your host\r\n",
            ": 001 ward7 :Welcome\r\n",
            "NOTICE of sale\r\n",
            "\r\n",
            "",
        ] {
            assert!(!on(50_001, text), "{text}");
        }
        assert!(!on(6667, "NICK 7ward\r\n"));
    }
}
