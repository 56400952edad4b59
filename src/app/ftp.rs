//! FTP's control connection: commands by kind and how logins end (RFC 959, 4; RFC 4217). No user, password or file is kept.

use serde::Serialize;

use super::Side;
use super::count::bump;
use super::lines::{command, greeting, lines, reply};
use super::listen::{Heard, Listen, Place};
use super::logins::Logins;
use super::starttls::StartTls;

/// Commands by their kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FtpCommands {
    /// Logins: USER.
    pub user: u32,
    /// Taking files: RETR.
    pub retrieve: u32,
    /// Putting files: STOR, STOU, APPE.
    pub store: u32,
    /// Deleting files and folders: DELE, RMD.
    pub delete: u32,
    /// Renaming: RNTO.
    pub rename: u32,
    /// Listing: LIST, NLST, MLSD, MLST.
    pub list: u32,
    /// Data connections that the server opens: PORT, EPRT.
    pub active: u32,
    /// Data connections that the client opens: PASV, EPSV.
    pub passive: u32,
    /// Any other.
    pub other: u32,
}

/// Facts of an FTP control connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FtpFacts {
    /// First line of the server's greeting, up to 64 characters: names its software.
    #[serde(rename = "server_software")]
    pub software: Option<Box<str>>,
    /// Commands by their kind.
    pub commands: FtpCommands,
    /// Logins that succeeded (230).
    pub login_success: u32,
    /// Logins that failed (530).
    pub login_failure: u32,
    /// Did the client log in without a name of its own?
    pub anonymous: bool,
    /// Did the client ask for TLS?
    pub auth_tls: bool,
    /// Did the server agree? What follows is encrypted.
    pub auth_tls_accepted: bool,
    /// The handshake that followed.
    pub tls: StartTls,
    /// Errors (4xx and 5xx) other than failed logins.
    pub errors: u32,
    /// Who logs in.
    #[serde(skip)]
    pub logins: Logins,
}

impl Listen for FtpFacts {
    const MOST_LOOKS: Option<u8> = None;

    fn hear(&mut self, heard: &Heard<'_>, place: &mut Place) -> bool {
        if let Some(wants_more) = self.tls.hear(self.auth_tls, heard, place) {
            return wants_more;
        }
        for line in lines(heard.payload.bytes) {
            if heard.payload.side == Side::Orig { self.command(line) } else { self.reply(line) }
        }
        true
    }
}

impl FtpFacts {
    fn command(&mut self, line: &[u8]) {
        let (word, length) = command(line);
        let commands = &mut self.commands;
        let counter = match word.get(..length).unwrap_or_default() {
            b"USER" => {
                let name = line.get(5..).unwrap_or_default().trim_ascii();
                self.anonymous |= name.eq_ignore_ascii_case(b"anonymous") || name.eq_ignore_ascii_case(b"ftp");
                self.logins.ask(name);
                &mut commands.user
            }
            b"RETR" => &mut commands.retrieve,
            b"STOR" | b"STOU" | b"APPE" => &mut commands.store,
            b"DELE" | b"RMD" | b"XRMD" => &mut commands.delete,
            b"RNTO" => &mut commands.rename,
            b"LIST" | b"NLST" | b"MLSD" | b"MLST" => &mut commands.list,
            b"PORT" | b"EPRT" => &mut commands.active,
            b"PASV" | b"EPSV" => &mut commands.passive,
            b"AUTH" => {
                self.auth_tls = true;
                &mut commands.other
            }
            b"" => return,
            _ => &mut commands.other,
        };
        bump(counter);
    }

    fn reply(&mut self, line: &[u8]) {
        match reply(line) {
            Some((220, _)) if self.software.is_none() => self.software = line.get(4..).and_then(greeting),
            Some((230 | 232, true)) => {
                self.logins.admit();
                bump(&mut self.login_success);
            }
            Some((530, true)) => {
                self.logins.refuse();
                bump(&mut self.login_failure);
            }
            Some((234, true)) => self.auth_tls_accepted = self.auth_tls,
            Some((400..=599, true)) => bump(&mut self.errors),
            _ => {}
        }
    }
}
