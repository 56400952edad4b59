//! For how many accounts log-ins fail, told of each protocol by the same story: alice and bob are turned down, carol mistypes and gets in.

use Side::{Orig, Resp};
use auscult::app::{AppState, Ports, Side};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::app_support::{after, facts, tcp, udp};
use crate::app_windows::{der, int, kdc_error, ldap_message, netbios, smb2, wide};

const TRIED: [(&str, bool); 5] = [("alice", false), ("bob", false), ("carol", false), ("carol", true), ("ALICE", false)];

type Talk = Vec<(Side, Vec<u8>)>;

/// The accounts that were kept out, of a conversation or of one for each log-in.
fn kept_out(ports: Ports, hello: &Talk, log_in: impl Fn(&str, bool) -> Talk, is_one: bool) -> u32 {
    let talks: Vec<Talk> = TRIED.iter().map(|&(name, succeeds)| log_in(name, succeeds)).collect();
    let talks = if is_one { vec![talks.concat()] } else { talks };
    let hear = |talk: &Talk| -> AppState {
        let said: Vec<_> = hello.iter().chain(talk).map(|(side, bytes)| (*side, &bytes[..])).collect();
        after(ports, &said)
    };
    let states: Vec<AppState> = talks.iter().map(hear).collect();
    for state in &states {
        let kept = format!("{:?}", facts(state));
        assert!(TRIED.iter().all(|(name, _)| !kept.to_lowercase().contains(&name.to_lowercase())), "{kept}");
    }
    let accounts = states.iter().map(|state| state.events().accounts);
    let [refused, admitted] = accounts.fold([0; 2], |all, each| [all[0] | each.refused, all[1] | each.admitted]);
    (refused & !admitted).count_ones()
}

fn lines(turns: &[(Side, String)]) -> Talk {
    turns.iter().map(|(side, line)| (*side, format!("{line}\r\n").into_bytes())).collect()
}

fn answer(succeeds: bool, yes: &str, no: &str) -> (Side, String) {
    (Resp, if succeeds { yes } else { no }.to_owned())
}

#[test]
fn mail_and_files() {
    let ftp = |name: &str, succeeds| {
        let asks = [(Orig, format!("USER {name}")), (Resp, "331 password".into()), (Orig, "PASS s3cret".into())];
        lines(&[&asks[..], &[answer(succeeds, "230 in", "530 no")]].concat())
    };
    assert_eq!(kept_out(tcp(21), &lines(&[(Resp, "220 files".into())]), ftp, true), 2);
    let pop = |name: &str, succeeds| {
        let asks = [(Orig, format!("USER {name}")), (Resp, "+OK".into()), (Orig, "PASS s3cret".into())];
        lines(&[&asks[..], &[answer(succeeds, "+OK in", "-ERR no")]].concat())
    };
    assert_eq!(kept_out(tcp(110), &lines(&[(Resp, "+OK POP3 ready".into())]), pop, true), 2);
    let imap =
        |name: &str, succeeds| lines(&[(Orig, format!("a1 LOGIN \"{name}\" s3cret")), answer(succeeds, "a1 OK in", "a1 NO no")]);
    let greets = lines(&[(Resp, "* OK IMAP4rev1 ready".into())]);
    assert_eq!(kept_out(tcp(143), &greets, imap, true), 2);
    let plain = |name: &str| STANDARD.encode(format!("\0{name}\0s3cret"));
    // The proof is another each time.
    let apop = |name: &str, succeeds| {
        let proof: String = name.bytes().map(|byte| format!("{byte:02x}")).collect();
        lines(&[(Orig, format!("APOP {name} {proof}")), answer(succeeds, "+OK in", "-ERR no")])
    };
    assert_eq!(kept_out(tcp(110), &lines(&[(Resp, "+OK POP3 ready".into())]), apop, true), 2);
    let imap = |name: &str, succeeds| {
        let asks = [(Orig, "a1 AUTHENTICATE PLAIN".into()), (Resp, "+".into()), (Orig, plain(name))];
        lines(&[&asks[..], &[answer(succeeds, "a1 OK in", "a1 NO no")]].concat())
    };
    assert_eq!(kept_out(tcp(143), &greets, imap, true), 2);
    let smtp =
        |name: &str, succeeds| lines(&[(Orig, format!("AUTH PLAIN {}", plain(name))), answer(succeeds, "235 in", "535 no")]);
    let greets = lines(&[(Resp, "220 mail ESMTP".into()), (Orig, "EHLO x".into()), (Resp, "250 mail".into())]);
    assert_eq!(kept_out(tcp(587), &greets, smtp, true), 2);
    let smtp = |name: &str, succeeds| {
        let asks = [(Orig, "AUTH LOGIN".into()), (Resp, "334 VXNlcm5hbWU6".into()), (Orig, STANDARD.encode(name))];
        let proves = [(Resp, "334 UGFzc3dvcmQ6".into()), (Orig, STANDARD.encode("s3cret"))];
        lines(&[&asks[..], &proves, &[answer(succeeds, "235 in", "535 no")]].concat())
    };
    assert_eq!(kept_out(tcp(587), &greets, smtp, true), 2);
}

#[test]
fn web_and_telephones() {
    let request = |with: &str| format!("GET /admin HTTP/1.1\r\nHost: camera\r\nAuthorization: {with}\r\n\r\n").into_bytes();
    let answer = |status: &str| format!("HTTP/1.1 {status}\r\nWWW-Authenticate: Basic realm=\"x\"\r\n\r\n").into_bytes();
    let of = |succeeds| answer(if succeeds { "200 OK" } else { "401 Unauthorized" });
    let basic = |name: &str, succeeds| {
        vec![(Orig, request(&format!("Basic {}", STANDARD.encode(format!("{name}:s3cret"))))), (Resp, of(succeeds))]
    };
    assert_eq!(kept_out(tcp(80), &Vec::new(), basic, false), 2);
    let digest = |name: &str, succeeds| {
        vec![(Orig, request(&format!("Digest realm=\"camera\", username=\"{name}\", nonce=\"1\""))), (Resp, of(succeeds))]
    };
    assert_eq!(kept_out(tcp(80), &Vec::new(), digest, false), 2);
    let renews = |challenge: &str| {
        let answer = format!("HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Digest realm=\"camera\", {challenge}\r\n\r\n");
        after(tcp(80), &[(Orig, &request("Digest username=\"alice\"")), (Resp, answer.as_bytes())]).events().login_failures
    };
    assert_eq!(["stale=true", "stale=\"TRUE\"", "stale=false"].map(renews), [0, 0, 1], "only what it was made of was wrong");
    let failed =
        |with: &str, status: &str| after(tcp(80), &[(Orig, &request(with)), (Resp, &answer(status))]).events().login_failures;
    assert_eq!([failed("Basic YTpi", "401 No"), failed("Basic YTpi", "403 No"), failed("Bearer x", "401 No")], [1, 0, 0]);
    let sip = |name: &str, succeeds| {
        let with = format!("Authorization: Digest realm=\"pbx\", username=\"{name}\", nonce=\"1\"");
        let said = format!("REGISTER sip:pbx SIP/2.0\r\nUser-Agent: x\r\n{with}\r\n\r\n");
        let answer = if succeeds { "SIP/2.0 200 OK" } else { "SIP/2.0 401 Unauthorized" };
        vec![(Orig, said.into_bytes()), (Resp, format!("{answer}\r\nServer: pbx\r\n\r\n").into_bytes())]
    };
    assert_eq!(kept_out(udp(5060), &Vec::new(), sip, true), 2);
}

/// An NTLM message by which somebody proves who it is (MS-NLMP, 2.2.1.3).
fn authenticate(name: &str) -> Vec<u8> {
    let name = wide(name);
    let field = [(name.len() as u16).to_le_bytes(), (name.len() as u16).to_le_bytes()].concat();
    [&b"NTLMSSP\0\x03\0\0\0"[..], &[0; 24], &field, &64_u32.to_le_bytes(), &[0; 16], &[1, 0, 0, 0], &name].concat()
}

#[test]
fn directories_and_shares() {
    let kerberos = |name: &str, succeeds| {
        let principal = |name: &str| {
            let parts = der(0x30, &[&der(0x1b, &[name.as_bytes()])]);
            der(0x30, &[&der(0xa0, &[&int(1)]), &der(0xa1, &[&parts])])
        };
        let etypes = der(0xa8, &[&der(0x30, &[&int(18)])]);
        let body = der(0x30, &[&der(0xa1, &[&principal(name)]), &der(0xa3, &[&principal("krbtgt")]), &etypes]);
        let fields = [&der(0xa1, &[&int(5)])[..], &der(0xa2, &[&int(10)]), &der(0xa4, &[&body])].concat();
        let admits = der(0x6b, &[&der(0x30, &[&der(0xa0, &[&int(5)]), &der(0xa1, &[&int(11)])])]);
        let asks = der(0x6a, &[&der(0x30, &[&fields])]);
        vec![(Orig, asks), (Resp, if succeeds { admits } else { kdc_error(24) })]
    };
    assert_eq!(kept_out(udp(88), &Vec::new(), kerberos, false), 2);
    let result = |succeeds| {
        let code = if succeeds { 0 } else { 49 };
        ldap_message(&der(0x61, &[&der(10, &[&[code]]), &der(4, &[]), &der(4, &[])]))
    };
    let bind = |name: &str, proof: Vec<u8>| ldap_message(&der(0x60, &[&int(3), &der(4, &[name.as_bytes()]), &proof]));
    let simple = |name: &str, succeeds| {
        vec![(Orig, bind(&format!("{name}@ward.example"), der(0x80, &[b"s3cret"]))), (Resp, result(succeeds))]
    };
    assert_eq!(kept_out(tcp(389), &Vec::new(), simple, true), 2);
    let ntlm = |name: &str, succeeds| {
        let proof = der(0xa3, &[&der(4, &[b"GSS-SPNEGO"]), &der(4, &[&authenticate(name)])]);
        vec![(Orig, bind("", proof)), (Resp, result(succeeds))]
    };
    assert_eq!(kept_out(tcp(389), &Vec::new(), ntlm, true), 2);
    let unproven = |name: &str, succeeds| {
        let unproved = bind(name, der(0x80, &[]));
        [simple(name, succeeds), if succeeds { Vec::new() } else { vec![(Orig, unproved), (Resp, result(true))] }].concat()
    };
    assert_eq!(kept_out(tcp(389), &Vec::new(), unproven, true), 2, "without a password anybody is nobody");
    let smb = |name: &str, succeeds| {
        let status = if succeeds { 0 } else { 0xc000_006d };
        let asks = netbios(&smb2(1, 0, 0, &authenticate(name)));
        vec![(Orig, asks), (Resp, netbios(&smb2(1, 1, status, &[9, 0, 0, 0, 0, 0, 0, 0])))]
    };
    assert_eq!(kept_out(tcp(445), &Vec::new(), smb, true), 2);
    let as_guest = |name: &str, succeeds: bool| {
        let asks = netbios(&smb2(1, 0, 0, &authenticate(name)));
        vec![(Orig, asks), (Resp, netbios(&smb2(1, 1, 0, &[9, 0, u8::from(!succeeds), 0, 0, 0, 0, 0])))]
    };
    assert_eq!(kept_out(tcp(445), &Vec::new(), as_guest, true), 2, "let in as nobody");
}

#[test]
fn databases() {
    let mysql = |name: &str, succeeds| {
        let login = [&[60, 0, 0, 1, 0x85, 0xa2, 0xff, 0][..], &[0; 28], name.as_bytes(), &[0; 20]].concat();
        let answer: &[u8] = if succeeds { &[7, 0, 0, 2, 0, 0, 0] } else { b"\x17\0\0\x02\xff\x15\x04#28000Access" };
        vec![(Orig, login), (Resp, answer.to_vec())]
    };
    let greets = vec![(Resp, b"\x10\0\0\0\x0a8.0.36\0\x08\0\0\0salt".to_vec())];
    assert_eq!(kept_out(tcp(3306), &greets, mysql, false), 2);
    let postgres = |name: &str, succeeds| {
        let words = format!("database\0lis\0user\0{name}\0\0");
        let start = [&(8 + words.len() as u32).to_be_bytes()[..], &0x0003_0000_u32.to_be_bytes(), words.as_bytes()].concat();
        let admits = b"R\0\0\0\x08\0\0\0\0S\0\0\0\x18server_version\x0016.1\0".to_vec();
        let refuses = b"E\0\0\0\x1cSFATAL\0C28P01\0Mpassword\0\0".to_vec();
        vec![(Orig, start), (Resp, if succeeds { admits } else { refuses })]
    };
    assert_eq!(kept_out(tcp(5432), &Vec::new(), postgres, false), 2);
    let tds = |name: &str, succeeds| {
        let packet =
            |kind: u8, body: &[u8]| [&[kind, 1][..], &(8 + body.len() as u16).to_be_bytes(), &[0, 0, 1, 0], body].concat();
        let place = [94_u16.to_le_bytes(), (name.len() as u16).to_le_bytes()].concat();
        let login = [&[7; 40][..], &place, &[0; 50], &wide(name)].concat();
        let refuses = [&[0xaa, 6, 0][..], &18_456_u32.to_le_bytes(), &[1, 14]].concat();
        vec![(Orig, packet(0x10, &login)), (Resp, packet(4, if succeeds { &[0xad, 2, 0, 1, 7] } else { &refuses }))]
    };
    let before = [0, 0, 11, 0, 6, 1, 0, 17, 0, 1, 0xff, 15, 0, 7, 0xd0, 0, 0, 2];
    let packet = |kind: u8| [&[kind, 1, 0, 26, 0, 0, 1, 0][..], &before].concat();
    assert_eq!(kept_out(tcp(1433), &vec![(Orig, packet(0x12)), (Resp, packet(4))], tds, true), 2);
}
