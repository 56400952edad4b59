//! Command lines that are given to somebody else: what a shell says first when its input and output are a connection (MITRE ATT&CK T1059). Whoever is
//! broken into calls its attacker so, or waits for him; nothing that belongs to a network speaks like that.

use super::reader::holds;
use super::{App, Ports};

/// What shells say that find no terminal, behind their name.
const COMPLAINTS: [&[u8]; 3] =
    [b": no job control in this shell", b"can't access tty; job control turned off", b": cannot set terminal process group"];
/// Names of shells.
const SHELLS: [&[u8]; 6] = [b"bash: ", b"sh: ", b"/bin/sh: ", b"/bin/bash: ", b"-bash: ", b"zsh: "];
/// What the command interpreters of Windows begin with.
const BANNERS: [&[u8]; 4] = [
    b"Microsoft Windows [Version ",
    b"Windows PowerShell running as user ",
    b"Windows PowerShell\r\nCopyright (C)",
    b"Windows PowerShell\nCopyright (C)",
];
/// Bytes in which a complaint is found, and that a prompt has at the most.
const HEAD_BYTES: usize = 120;

/// Ports on which a command line is what is asked for: rexec, rlogin and rsh; of Telnet the port is known.
const LOG_IN_PORTS: [u16; 3] = [512, 513, 514];

/// Does a shell speak here? A prompt alone may be some other program's on the port of that.
pub(super) fn is_start(ports: Ports, payload: &[u8]) -> bool {
    let app = ports.app();
    let is_log_in = app == App::Telnet || LOG_IN_PORTS.iter().any(|&port| ports.has(port));
    !is_log_in && (app == App::Unknown && is_bare_prompt(payload) || is_greeting(payload))
}

fn is_greeting(payload: &[u8]) -> bool {
    let head = payload.get(..HEAD_BYTES).unwrap_or(payload);
    let complains = || {
        let is_shell = SHELLS.iter().any(|name| head.starts_with(name));
        is_shell && COMPLAINTS.iter().any(|complaint| holds(head, complaint))
    };
    BANNERS.iter().any(|banner| head.starts_with(banner)) || complains()
}

/// `/ # `, `sh-5.1$ `, `bash-4.4# `, `C:\>` and nothing else. A lone `$ ` or `# ` may be any console's.
fn is_bare_prompt(payload: &[u8]) -> bool {
    match payload {
        _ if payload.len() > HEAD_BYTES || payload.contains(&b'\n') => false,
        b"/ # " | b"~ # " | b"/ $ " | b"~ $ " => true,
        [b'A'..=b'Z', b':', b'\\', .., b'>'] | [b'P', b'S', b' ', b'A'..=b'Z', b':', b'\\', .., b'>', b' '] => true,
        [version @ .., b'$' | b'#', b' '] => {
            let version = version.strip_prefix(b"bash-").or_else(|| version.strip_prefix(b"sh-"));
            version.is_some_and(|version| !version.is_empty() && version.iter().all(|b| b.is_ascii_digit() || *b == b'.'))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(port: u16) -> Ports {
        Ports { protocol: 6, orig: 50_000, resp: port }
    }

    #[test]
    fn shells_are_told_by_what_they_say_first() {
        let greetings: [&[u8]; 10] = [
            b"/ # ",
            b"sh-5.1$ ",
            b"bash-4.4# ",
            b"bash: no job control in this shell\n$ ",
            b"bash: cannot set terminal process group (812): Inappropriate ioctl for device\n",
            b"/bin/sh: 0: can't access tty; job control turned off\n$ ",
            b"Microsoft Windows [Version 10.0.19045.3570]\r\n(c) Microsoft Corporation. All rights reserved.\r\n\r\nC:\\>",
            b"Windows PowerShell running as user SYSTEM on PC7\r\n",
            b"C:\\Windows\\system32>",
            b"PS C:\\Users\\a> ",
        ];
        for greeting in greetings {
            assert!(is_start(on(4444), greeting), "{}", String::from_utf8_lossy(greeting));
        }
        assert!(is_start(on(443), greetings[3]) && !is_start(on(443), greetings[0]), "a prompt alone may be anything");
        assert!(greetings.iter().all(|greeting| !is_start(on(23), greeting) && !is_start(on(514), greeting)));
    }

    #[test]
    fn what_others_say_is_none() {
        let others: [&[u8]; 13] = [
            b"",
            b"$",
            b"$ ",
            b"<13>Nov 30 10:00:00 ci runner: bash: cannot set terminal process group (1): Inappropriate ioctl",
            b"{\"log\":\"bash: no job control in this shell\"}",
            b"$ GET",
            b"220 mail.example.org ESMTP\r\n",
            b"SSH-2.0-OpenSSH_9.2\r\n",
            b"uid=user1&password=x",
            b"uid=0(root) gid=0(root) groups=0(root)\n",
            b"login: ",
            b"price in $ ",
            b"C:\\>x\r\nC:\\>",
        ];
        for other in others {
            assert!(!is_start(on(4444), other), "{}", String::from_utf8_lossy(other));
        }
    }
}
