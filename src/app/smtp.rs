//! SMTP: commands by kind, how logins end, whether it goes on under TLS (RFC 5321, 4; RFC 3207; RFC 4954). No sender, recipient or mail
//! is read.

use serde::Serialize;

use super::Side;
use super::count::bump;
use super::lines::{arguments, command, greeting, lines, reply};
use super::listen::{Heard, Listen, Place};
use super::logins::Logins;
use super::starttls::StartTls;

/// Commands by their kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SmtpCommands {
    /// Greetings: HELO, EHLO, LHLO.
    pub hello: u32,
    /// Mails that were begun: MAIL.
    pub mail: u32,
    /// Recipients: RCPT.
    pub rcpt: u32,
    /// Mails that were sent: DATA, and BDAT's last.
    pub data: u32,
    /// Logins: AUTH.
    pub auth: u32,
    /// Asking for users: VRFY, EXPN.
    pub verify: u32,
    /// Any other.
    pub other: u32,
}

/// Facts of an SMTP connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SmtpFacts {
    /// First line of the server's greeting, up to 64 characters.
    #[serde(rename = "server_software")]
    pub software: Option<Box<str>>,
    /// Commands by their kind.
    pub commands: SmtpCommands,
    /// Does the server offer TLS?
    pub starttls_offered: bool,
    /// Did the client take it? What follows is encrypted.
    pub starttls: bool,
    /// The handshake that followed.
    pub tls: StartTls,
    /// Logins that succeeded (235).
    pub login_success: u32,
    /// Logins that failed (535, 534).
    pub login_failure: u32,
    /// Other refusals (4xx and 5xx).
    pub rejected: u32,
    /// Is the client sending a mail?
    #[serde(skip)]
    in_mail: bool,
    /// Is the client logging in? Then its lines are no commands.
    #[serde(skip)]
    in_login: bool,
    /// Who logs in.
    #[serde(skip)]
    pub logins: Logins,
}

impl Listen for SmtpFacts {
    const MOST_LOOKS: Option<u8> = None;

    fn hear(&mut self, heard: &Heard<'_>, place: &mut Place) -> bool {
        if let Some(wants_more) = self.tls.hear(self.starttls, heard, place) {
            return wants_more;
        }
        let payload = heard.payload.bytes;
        if heard.payload.side == Side::Resp {
            lines(payload).for_each(|line| self.reply(line));
            return true;
        }
        // A piece of a mail that was announced with its length goes over the payloads.
        let from = place.skip as usize;
        place.skip = place.skip.saturating_sub(heard.payload.wire_bytes);
        if let Some(rest) = payload.get(from..).filter(|_| !self.in_mail) {
            self.commands(rest, place);
        }
        true
    }
}

impl SmtpFacts {
    fn commands(&mut self, payload: &[u8], place: &mut Place) {
        let mut at = 0;
        for line in payload.split_inclusive(|b| *b == b'\n').take(64) {
            at += line.len();
            let Some(line) = line.strip_suffix(b"\n") else { return };
            if let Some(bytes) = self.command(line.trim_ascii_end()) {
                let rest = payload.len() - at;
                place.skip = u32::try_from((bytes as usize).saturating_sub(rest)).unwrap_or(0);
                // What comes behind a short piece in the same payload is left out.
                return;
            }
        }
    }

    /// Counts a command. Returns the bytes of mail that follow it.
    fn command(&mut self, line: &[u8]) -> Option<u32> {
        if self.in_login {
            self.logins.go_on(line);
            return None;
        }
        let (word, length) = command(line);
        let commands = &mut self.commands;
        let counter = match word.get(..length)? {
            b"HELO" | b"EHLO" | b"LHLO" => &mut commands.hello,
            b"MAIL" => &mut commands.mail,
            b"RCPT" => &mut commands.rcpt,
            b"DATA" => &mut commands.data,
            b"BDAT" => {
                let mut words = line.split(|b| *b == b' ').skip(1);
                let digits = words.next().filter(|digits| !digits.is_empty() && digits.len() <= 9)?;
                let bytes = digits.iter().try_fold(0, |sum, b| b.is_ascii_digit().then(|| sum * 10 + u32::from(b - b'0')))?;
                if words.next().is_some_and(|last| last.eq_ignore_ascii_case(b"last")) {
                    bump(&mut commands.data);
                }
                return Some(bytes);
            }
            b"AUTH" => {
                self.logins.ask_by(arguments(line));
                self.in_login = true;
                &mut commands.auth
            }
            b"VRFY" | b"EXPN" => &mut commands.verify,
            b"STARTTLS" => {
                self.starttls = true;
                &mut commands.other
            }
            b"" => return None,
            _ => &mut commands.other,
        };
        bump(counter);
        None
    }

    fn reply(&mut self, line: &[u8]) {
        let Some((code, is_last)) = reply(line) else { return };
        self.starttls_offered |= code == 250 && line.get(4..).is_some_and(|word| word.eq_ignore_ascii_case(b"starttls"));
        if code == 220 && self.software.is_none() && self.commands.hello == 0 {
            self.software = line.get(4..).and_then(greeting);
        }
        if !is_last {
            return;
        }
        self.in_mail = code == 354;
        self.in_login &= code == 334;
        match code {
            235 => {
                self.logins.admit();
                bump(&mut self.login_success);
            }
            534 | 535 => {
                self.logins.refuse();
                bump(&mut self.login_failure);
            }
            454 if self.starttls => self.starttls = false,
            400..=599 => bump(&mut self.rejected),
            _ => {}
        }
    }
}
