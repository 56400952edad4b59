//! TLS within the connection of another protocol is read on from its first record.

use Side::{Orig, Resp};
use auscult::app::{App, Basis, Side, TlsFacts};

use crate::app_support::{after, client_hello, extension, facts, server_hello, tcp};

type Turns = Vec<(Side, Vec<u8>)>;

/// How each protocol goes over to TLS: application, port and turns.
fn protocols() -> Vec<(App, u16, Turns)> {
    let text = |turns: &[(Side, &str)]| turns.iter().map(|(side, text)| (*side, text.as_bytes().to_vec())).collect::<Turns>();
    let extended = [&[0x30, 0x1d, 2, 1, 1, 0x77, 0x18, 0x80, 0x16][..], b"1.3.6.1.4.1.1466.20037"].concat();
    let rdp = |kind: u8, negotiation: [u8; 8]| [&[3, 0, 0, 19, 14, kind, 0, 0, 0, 0, 0][..], &negotiation].concat();
    let greeting = b"\x0a8.0.36\0\x08\0\0\0saltsalt\0\xff\xff\xff\x02\0\xff\xc1\x15\0\0\0\0\0\0\0\0\0\0saltsaltsalt\0";
    let mysql_greeting = [&[greeting.len() as u8, 0, 0, 0][..], greeting].concat();
    let mysql_tls = [&[32, 0, 0, 1, 0x85, 0xae][..], &[0; 30]].concat();
    vec![
        (
            App::Smtp,
            25,
            text(&[
                (Resp, "220 mx ESMTP\r\n"),
                (Orig, "EHLO a\r\n"),
                (Resp, "250 STARTTLS\r\n"),
                (Orig, "STARTTLS\r\n"),
                (Resp, "220 go\r\n"),
            ]),
        ),
        (App::Imap, 143, text(&[(Resp, "* OK IMAP4rev1 ready\r\n"), (Orig, "a1 STARTTLS\r\n"), (Resp, "a1 OK go\r\n")])),
        (App::Pop3, 110, text(&[(Resp, "+OK POP3 ready\r\n"), (Orig, "STLS\r\n"), (Resp, "+OK go\r\n")])),
        (App::Ftp, 21, text(&[(Resp, "220 ftp ready\r\n"), (Orig, "AUTH TLS\r\n"), (Resp, "234 go\r\n")])),
        (App::Ldap, 389, vec![(Orig, extended), (Resp, vec![0x30, 12, 2, 1, 1, 0x78, 7, 10, 1, 0, 4, 0, 4, 0])]),
        (App::Postgres, 5432, vec![(Orig, vec![0, 0, 0, 8, 4, 210, 22, 47]), (Resp, b"S".to_vec())]),
        (App::Mysql, 3306, vec![(Resp, mysql_greeting), (Orig, mysql_tls)]),
        (App::Rdp, 3389, vec![(Orig, rdp(0xe0, [1, 0, 8, 0, 3, 0, 0, 0])), (Resp, rdp(0xd0, [2, 0, 8, 0, 2, 0, 0, 0]))]),
    ]
}

fn told(turns: &[(Side, Vec<u8>)], port: u16) -> (App, Option<TlsFacts>, bool) {
    let turns: Vec<(Side, &[u8])> = turns.iter().map(|(side, bytes)| (*side, &**bytes)).collect();
    let state = after(tcp(port), &turns);
    let (app, basis) = state.app(tcp(port));
    assert_eq!(basis, Basis::Content, "port {port}");
    (app, facts(&state).tls().cloned(), state.wants_more())
}

#[test]
fn every_protocol_that_goes_over_to_tls_says_what_its_handshake_said() {
    let client = client_hello("mail.ward.example", &extension(51, &[0x77; 900]));
    let server = server_hello(&extension(43, &[3, 4]));
    for (app, port, before) in protocols() {
        let (begun, none, wants_more) = told(&before, port);
        assert_eq!((begun, none, wants_more), (app, None, true), "{app:?} before its handshake");
        for split in [0, 300, client.len() - 1] {
            let (first, second) = client.split_at(split);
            let mut turns = before.clone();
            turns.extend([first, second].into_iter().filter(|part| !part.is_empty()).map(|part| (Orig, part.to_vec())));
            let (_, tls, wants_more) = told(&turns, port);
            let tls = tls.unwrap_or_else(|| panic!("{app:?} split at {split}"));
            assert_eq!((tls.server_name.as_deref(), tls.version_offered, wants_more), (Some("mail.ward.example"), 0x0304, true));
            assert!(tls.ja3.is_some() && tls.ja4.is_some(), "{app:?}");
            turns.push((Resp, server.clone()));
            let (again, tls, wants_more) = told(&turns, port);
            let tls = tls.unwrap();
            assert_eq!((again, tls.cipher, tls.version_chosen, wants_more), (app, 0x1301, 0x0304, false));
        }
    }
}

#[test]
fn what_was_not_asked_for_is_not_read_as_tls() {
    // LDAP's first turn is the request itself; of the others it is a greeting, or a request that nobody has agreed to.
    for (app, port, before) in protocols().into_iter().filter(|(app, ..)| *app != App::Ldap) {
        let turns = [before[0].clone(), (Orig, client_hello("mail.ward.example", &[]))];
        let (begun, tls, _) = told(&turns, port);
        assert!(begun == App::Tls || tls.is_none(), "{app:?}");
    }
}
