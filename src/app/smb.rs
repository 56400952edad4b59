//! SMB versions 1 to 3: dialect, commands by kind and how many files they touch (MS-SMB2, 2.2; MS-CIFS, 2.2; RFC 1002, 4.3).
//! No name of a share, a file or a user is kept, and no content is looked at but calls through pipes (see [`super::dcerpc`]).

mod pipe;
mod v1;
mod v2;

use serde::Serialize;

use super::count::{Distinct, bump, hash, note};
use super::dcerpc::{self, DceRpcFacts};
use super::frames::{Frames, Span};
use super::listen::{Heard, Listen, Place};
use super::ntlm::NtlmFacts;

/// As much of a message is waited for: a request to open a file with a long name.
const WANTED_BYTES: u32 = 1024;
/// The same of several requests in one message.
const WANTED_BYTES_COMPOUND: u32 = 8192;
/// Access by which a file may be changed: writing, appending, deleting, or all (MS-SMB2, 2.2.13.1.1).
const MAY_CHANGE: u32 = 0x5001_0006;
/// Files that were opened last, one of which is given another name. Several are open at once where several threads work.
const LAST_OPENED: usize = 8;
/// Longest ending that is one.
const MOST_ENDING_BYTES: usize = 16;
/// Endings that people, and programs that deal with files one by one, put behind names.
const USUAL_ENDINGS: [&str; 34] = [
    "7z",
    "ack",
    "arc",
    "archive",
    "backup",
    "bad",
    "bak",
    "bkp",
    "complete",
    "completed",
    "copy",
    "crdownload",
    "done",
    "err",
    "error",
    "failed",
    "gpg",
    "gz",
    "imported",
    "lock",
    "log",
    "ok",
    "old",
    "orig",
    "part",
    "processed",
    "processing",
    "read",
    "sav",
    "sent",
    "temp",
    "tmp",
    "txt",
    "zip",
];
/// Compounds that are followed in one message.
const MOST_COMPOUNDS: usize = 64;

const FRAMES: Frames = Frames { head_bytes: 4, span };

/// Requests by their kind. Of chained requests each counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SmbCommands {
    /// Offers of dialects.
    pub negotiate: u32,
    /// Steps of logging in.
    pub session_setup: u32,
    /// Logging off.
    pub logoff: u32,
    /// Opening a share.
    pub tree_connect: u32,
    /// Leaving a share.
    pub tree_disconnect: u32,
    /// Opening or creating files, folders and pipes.
    pub create: u32,
    /// Closing them.
    pub close: u32,
    /// Reading.
    pub read: u32,
    /// Writing.
    pub write: u32,
    /// Giving a file another name.
    pub rename: u32,
    /// Deleting: asking for it of an open file, by name, or for the time of closing.
    pub delete: u32,
    /// Setting any other property: size, times, attributes, security.
    pub set_info: u32,
    /// Asking for properties.
    pub query_info: u32,
    /// Listing a folder.
    pub query_directory: u32,
    /// Control codes, and transactions on pipes.
    pub ioctl: u32,
    /// All other: echo, flush, lock, notification, cancel.
    pub other: u32,
}

/// Responses that report an error, by its kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SmbErrors {
    /// Access is denied.
    pub access_denied: u32,
    /// The login failed: unknown, wrong, disabled, expired, locked.
    pub logon_failure: u32,
    /// There is no such file, folder or share.
    pub not_found: u32,
    /// Any other error.
    pub other: u32,
}

/// Facts of an SMB connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SmbFacts {
    /// Dialect that the server chose: `3.1.1`, `3.0.2`, `3.0`, `2.1`, `2.0.2`, `NT LM 0.12` (version 1), or `other`.
    pub dialect: Option<&'static str>,
    /// Requests by their kind.
    pub commands: SmbCommands,
    /// Errors by their kind.
    pub errors: SmbErrors,
    /// Different shares that were opened; exact up to 32, then an estimate.
    pub shares: Distinct,
    /// Different files and folders that were opened or deleted, by name within their share; exact up to 32, then an estimate.
    pub files: Distinct,
    /// Files and folders that did not exist before they were opened.
    pub files_created: u32,
    /// Files whose content was given up when they were opened.
    pub files_overwritten: u32,
    /// Different open files that were written to, pipes left out; exact up to 32, then an estimate.
    pub files_written: Distinct,
    /// Bytes that were asked to be written.
    pub write_bytes: u64,
    /// Bytes that were handed out to be read.
    pub read_bytes: u64,
    /// Was an administrative share of a drive or of the system opened: `ADMIN$`?
    pub admin_share: bool,
    /// Was a drive's administrative share opened: `C$`?
    pub drive_share: bool,
    /// Was the share of pipes opened: `IPC$`?
    pub ipc_share: bool,
    /// Files of a domain's policies, or log-on scripts, that were opened to be changed (MITRE ATT&CK T1484.001).
    pub policies_changed: u32,
    /// Was the share of a domain's policies opened: `SYSVOL`?
    #[serde(skip)]
    pub policy_share: bool,
    /// Files that were given their name with an ending behind it, as those are that ransomware has encrypted; not with one that says that a file was kept or dealt
    /// with.
    pub endings_appended: u32,
    /// Services whose pipes were opened, out of a fixed list (`svcctl`, `samr`, `psexesvc`).
    pub named_pipes: Vec<&'static str>,
    /// Were messages encrypted (version 3)? Then their commands are not known.
    pub encrypted: bool,
    /// Were messages compressed? Then their commands are not known.
    pub compressed: bool,
    /// Were messages signed?
    pub signed: bool,
    /// Does the server insist on signing?
    pub signing_required: bool,
    /// Did a login use Kerberos?
    pub kerberos: bool,
    /// NTLM in the logins.
    #[serde(flatten)]
    pub ntlm: NtlmFacts,
    /// Remote procedure calls through pipes.
    pub dcerpc: Option<Box<DceRpcFacts>>,
    /// Hashes of the names that were opened last, the latest first.
    #[serde(skip)]
    pub opened: Option<Box<[u64; LAST_OPENED]>>,
}

impl Listen for SmbFacts {
    const MOST_LOOKS: Option<u8> = None;

    fn hear(&mut self, heard: &Heard<'_>, place: &mut Place) -> bool {
        FRAMES.walk(place, &heard.payload, |message| self.message(message));
        true
    }
}

impl SmbFacts {
    /// Reads a message behind its length.
    fn message(&mut self, message: &[u8]) {
        match message.get(4..).unwrap_or_default() {
            rest @ [0xfe, b'S', b'M', b'B', ..] => self.compounds(rest),
            rest @ [0xff, b'S', b'M', b'B', ..] => v1::message(self, rest),
            [0xfd, b'S', b'M', b'B', ..] => self.encrypted = true,
            [0xfc, b'S', b'M', b'B', ..] => self.compressed = true,
            _ => {}
        }
    }

    fn compounds(&mut self, mut rest: &[u8]) {
        for _ in 0..MOST_COMPOUNDS {
            let next = v2::message(self, rest);
            let Some(following) = next.filter(|next| *next >= 64).and_then(|next| rest.get(next as usize..)) else { break };
            rest = following;
        }
    }

    /// A login's token, which holds NTLM or Kerberos.
    fn token(&mut self, message: &[u8]) {
        self.ntlm.search(message);
        // Kerberos's identifier, a token's number, and the tag of an AP-REQ.
        const AP_REQ: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02, 1, 0, 0x6e];
        if message.windows(AP_REQ.len()).any(|window| window == AP_REQ) {
            self.kerberos = true;
            self.ntlm.logins.ask(b"");
        }
    }

    /// The status of an answer to a login, and whether whoever asked was let in as nobody: a server that does not know the name may do so.
    const fn answered(&mut self, status: u32, is_guest: bool) {
        match status {
            0 if !is_guest => self.ntlm.logins.admit(),
            status if status == 0 || is_logon_failure(status) => self.ntlm.logins.refuse(),
            _ => {}
        }
    }

    /// A share by its path, in bytes of one per character: `\\server\share`.
    fn share(&mut self, path: &[u8]) {
        let share = path.split(|b| *b == b'\\').next_back().unwrap_or_default();
        if share.is_empty() {
            return;
        }
        self.shares.note_hash(hash(share.iter().map(u8::to_ascii_lowercase)));
        match share {
            [drive, b'$'] if drive.is_ascii_alphabetic() => self.drive_share = true,
            _ if share.eq_ignore_ascii_case(b"admin$") => self.admin_share = true,
            _ if share.eq_ignore_ascii_case(b"ipc$") => self.ipc_share = true,
            _ if share.eq_ignore_ascii_case(b"sysvol") => self.policy_share = true,
            _ => {}
        }
    }

    /// A file or pipe by its name, and the access that is asked for; `tree` is the number of its share.
    fn file(&mut self, tree: u32, name: &[u8], access: u32) {
        let trimmed = name.strip_prefix(b"\\").unwrap_or(name);
        if trimmed.is_empty() {
            return;
        }
        if self.policy_share && access & MAY_CHANGE != 0 && is_policy(trimmed) {
            bump(&mut self.policies_changed);
        }
        match pipe::service(trimmed) {
            Some(service) => note(&mut self.named_pipes, service),
            None => {
                self.files.note_hash(hash(trimmed.iter().map(u8::to_ascii_lowercase).chain(tree.to_le_bytes())));
                let opened = self.opened.get_or_insert_default();
                opened.rotate_right(1);
                opened[0] = path(trimmed);
            }
        }
    }

    /// A file that was opened gets another name.
    fn renamed(&mut self, name: &[u8]) {
        let name = name.strip_prefix(b"\\").unwrap_or(name);
        let Some(dot) = name.iter().rposition(|byte| *byte == b'.') else { return };
        let (before, ending) = (&name[..dot], &name[dot + 1..]);
        // Only a file that had an ending gets a further one; numbers and dates are those of a rotation.
        let file = before.rsplit(|byte| *byte == b'\\').next().unwrap_or_default();
        let is_usual = !file.contains(&b'.')
            || ending.iter().all(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'_'))
            || USUAL_ENDINGS.iter().any(|usual| ending.eq_ignore_ascii_case(usual.as_bytes()))
            || ending.len() > MOST_ENDING_BYTES;
        if !is_usual && self.opened.as_deref().is_some_and(|opened| opened.contains(&path(before))) {
            bump(&mut self.endings_appended);
        }
    }

    /// Counts a write, whose data begin so, to an open file or pipe.
    fn written(&mut self, data: &[u8], handle: u64, pipe: u64) {
        if dcerpc::is_message(data) {
            pipe::call(&mut self.dcerpc, data, pipe);
        } else if !data.is_empty() {
            self.files_written.note_hash(handle);
        }
    }

    /// Counts the status of a response (MS-ERREF, 2.3).
    fn status(&mut self, status: u32) {
        let counter = match status {
            // More of the login is to come.
            0xc000_0016 => return,
            0xc000_0022 => &mut self.errors.access_denied,
            status if is_logon_failure(status) => &mut self.errors.logon_failure,
            0xc000_000f | 0xc000_0034 | 0xc000_003a | 0xc000_00cc => &mut self.errors.not_found,
            0xc000_0000.. => &mut self.errors.other,
            // Success, or a warning such as the end of a list.
            _ => return,
        };
        bump(counter);
    }
}

const fn is_logon_failure(status: u32) -> bool {
    matches!(status, 0xc000_0064 | 0xc000_006a | 0xc000_006d..=0xc000_0072 | 0xc000_0193 | 0xc000_0224 | 0xc000_0234)
}

/// Hash of a file's name within its share.
fn path(name: &[u8]) -> u64 {
    hash(name.iter().map(u8::to_ascii_lowercase))
}

/// Is it one of the files that a domain's computers read and obey: behind the domain's name, its policies and scripts (MS-GPOL)?
fn is_policy(name: &[u8]) -> bool {
    let mut parts = name.split(|byte| *byte == b'\\');
    let (domain, folder, file) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default(), parts.next());
    domain.contains(&b'.')
        && (folder.eq_ignore_ascii_case(b"policies") || folder.eq_ignore_ascii_case(b"scripts"))
        && file.is_some_and(|file| !file.is_empty())
}

/// A message behind its length in three bytes; behind NetBIOS, also its requests for a session and its signs of life.
fn span(bytes: &[u8]) -> Option<Span> {
    let [kind, a, b, c, rest @ ..] = bytes else { return None };
    let length = u32::from_be_bytes([0, *a, *b, *c]);
    match kind {
        0 => {
            let start = rest.first_chunk::<4>();
            if start.is_some_and(|[first, name @ ..]| *first < 0xfc || name != b"SMB") || length < 32 {
                return None;
            }
            let has_more = rest.first() == Some(&0xfe) && rest.get(20..24).is_some_and(|next| next != [0; 4]);
            Some(Span { bytes: length + 4, wanted: if has_more { WANTED_BYTES_COMPOUND } else { WANTED_BYTES } })
        }
        0x81..=0x85 if *a == 0 && length <= 72 => Some(Span { bytes: length + 4, wanted: 4 }),
        _ => None,
    }
}

/// Does a message start here?
pub(super) fn is_message(payload: &[u8]) -> bool {
    matches!(payload, [0, _, _, _, 0xfc..=0xff, b'S', b'M', b'B', ..]) && span(payload).is_some()
}

/// Two or four bytes at a place, with the low byte first.
fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().copied().map(u16::from_le_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().copied().map(u32::from_le_bytes)
}
