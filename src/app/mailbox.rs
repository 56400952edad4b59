//! IMAP and POP3: commands by kind, how logins end, whether it goes on under TLS (RFC 9051, 6; RFC 1939; RFC 2595). No user, folder or
//! mail is kept.

use serde::Serialize;

use super::Side;
use super::count::bump;
use super::lines::{arguments, command, first_word, greeting, lines};
use super::listen::{Heard, Listen, Place};
use super::logins::Logins;
use super::reader::holds;
use super::starttls::StartTls;

/// Commands by their kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MailboxCommands {
    /// Logins: LOGIN and AUTHENTICATE; USER, APOP and AUTH.
    pub login: u32,
    /// Looking into a folder: SELECT, EXAMINE, STATUS, LIST; LIST, STAT, UIDL.
    pub list: u32,
    /// Taking mail: FETCH, also by UID; RETR, TOP.
    pub fetch: u32,
    /// Putting mail: APPEND.
    pub append: u32,
    /// Deleting or marking mail: STORE, EXPUNGE; DELE.
    pub change: u32,
    /// Any other.
    pub other: u32,
}

/// Facts of an IMAP or POP3 connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MailboxFacts {
    /// First line of the server's greeting, up to 64 characters.
    #[serde(rename = "server_software")]
    pub software: Option<Box<str>>,
    /// Commands by their kind.
    pub commands: MailboxCommands,
    /// Does the server offer TLS?
    pub starttls_offered: bool,
    /// Did the client ask for it?
    pub starttls: bool,
    /// The handshake that followed.
    pub tls: StartTls,
    /// Logins that succeeded.
    pub login_success: u32,
    /// Logins that failed.
    pub login_failure: u32,
    /// Is an answer to a login to come?
    #[serde(skip)]
    in_login: bool,
    /// Who logs in.
    #[serde(skip)]
    pub logins: Logins,
}

impl Listen for MailboxFacts {
    const MOST_LOOKS: Option<u8> = None;

    fn hear(&mut self, heard: &Heard<'_>, place: &mut Place) -> bool {
        if let Some(wants_more) = self.tls.hear(self.starttls, heard, place) {
            return wants_more;
        }
        for line in lines(heard.payload.bytes) {
            if heard.payload.side == Side::Resp { self.answer(line) } else { self.line(line) }
        }
        true
    }
}

impl MailboxFacts {
    fn line(&mut self, line: &[u8]) {
        if self.in_login {
            self.logins.go_on(line);
        }
        // IMAP's commands stand behind a tag, which is no word of POP3; FETCH may stand behind UID.
        let mut words = line.splitn(3, |b| *b == b' ');
        let (first, second) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        if self.pop3(first, line) {
            return;
        }
        let is_tag = (1..=16).contains(&first.len()) && first.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'.');
        if is_tag && !second.is_empty() {
            let rest = words.next().unwrap_or_default();
            let word = if second.eq_ignore_ascii_case(b"uid") { rest } else { second };
            self.imap(word, rest);
        }
    }

    fn imap(&mut self, line: &[u8], rest: &[u8]) {
        let upper = line.split(|b| *b == b' ').next().unwrap_or_default().to_ascii_uppercase();
        let commands = &mut self.commands;
        bump(match &*upper {
            b"LOGIN" => {
                let name = first_word(rest);
                // One that is announced with its length comes later (RFC 9051, 4.3).
                self.logins.ask(if name.starts_with(b"{") { b"" } else { name });
                self.in_login = true;
                &mut commands.login
            }
            b"AUTHENTICATE" => {
                self.logins.ask_by(rest);
                self.in_login = true;
                &mut commands.login
            }
            b"SELECT" | b"EXAMINE" | b"STATUS" | b"LIST" | b"LSUB" | b"SEARCH" => &mut commands.list,
            b"FETCH" => &mut commands.fetch,
            b"APPEND" => &mut commands.append,
            b"STORE" | b"EXPUNGE" | b"MOVE" | b"COPY" | b"DELETE" => &mut commands.change,
            b"STARTTLS" => {
                self.starttls = true;
                &mut commands.other
            }
            b"CAPABILITY" | b"NOOP" | b"LOGOUT" | b"ID" | b"IDLE" | b"CREATE" | b"RENAME" | b"SUBSCRIBE" | b"CLOSE"
            | b"CHECK" | b"ENABLE" | b"NAMESPACE" | b"UNSELECT" | b"COMPRESS" | b"GETQUOTAROOT" => &mut commands.other,
            _ => return,
        });
    }

    /// Counts a command of POP3. Returns whether it was one.
    fn pop3(&mut self, first: &[u8], line: &[u8]) -> bool {
        let (word, length) = command(first);
        let commands = &mut self.commands;
        bump(match word.get(..length).unwrap_or_default() {
            b"USER" => {
                self.logins.ask(arguments(line));
                &mut commands.login
            }
            b"APOP" => {
                self.logins.ask(first_word(arguments(line)));
                self.in_login = true;
                &mut commands.login
            }
            b"AUTH" => {
                self.logins.ask_by(arguments(line));
                self.in_login = true;
                &mut commands.login
            }
            b"PASS" => {
                self.in_login = true;
                return true;
            }
            b"LIST" | b"STAT" | b"UIDL" => &mut commands.list,
            b"RETR" | b"TOP" => &mut commands.fetch,
            b"DELE" => &mut commands.change,
            b"STLS" => {
                self.starttls = true;
                &mut commands.other
            }
            b"CAPA" | b"NOOP" | b"QUIT" | b"RSET" => &mut commands.other,
            _ => return false,
        });
        true
    }

    fn answer(&mut self, line: &[u8]) {
        let mut words = line.splitn(3, |b| *b == b' ');
        let (first, second) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        self.starttls_offered |= line == b"STLS" || first == b"*" && holds(line.get(..512).unwrap_or(line), b"starttls");
        if self.software.is_none() && (first == b"*" && second == b"OK" || first == b"+OK") {
            let text = if first == b"*" { line.get(5..) } else { line.get(4..) };
            self.software = text.and_then(greeting);
        }
        // A plus asks for more; a star is no answer to a tag.
        if !self.in_login || first == b"*" || first == b"+" {
            return;
        }
        let result = if first.starts_with(b"+") || first.starts_with(b"-") { first } else { second };
        match result {
            b"OK" | b"+OK" => {
                self.logins.admit();
                bump(&mut self.login_success);
            }
            b"NO" | b"BAD" | b"-ERR" => {
                self.logins.refuse();
                bump(&mut self.login_failure);
            }
            _ => return,
        }
        self.in_login = false;
    }
}
