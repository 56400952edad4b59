//! What is kept of conversations in lines, made by hand: FTP, SMTP, IMAP, POP3.

use Side::{Orig, Resp};
use auscult::app::{AppState, Facts, FtpFacts, MailboxFacts, Side, SmtpFacts};

use crate::app_support::{after, facts, tcp};

fn said<'a>(turns: &[(Side, &'a str)]) -> Vec<(Side, &'a [u8])> {
    turns.iter().map(|(side, text)| (*side, text.as_bytes())).collect()
}

fn ftp(state: &AppState) -> &FtpFacts {
    let Facts::Ftp(ftp) = facts(state) else { panic!("no FTP") };
    ftp
}

#[test]
fn ftp_logins_and_transfers() {
    let state = after(
        tcp(21),
        &said(&[
            (Resp, "220 (vsFTPd 3.0.5)\r\n"),
            (Orig, "USER smith\r\n"),
            (Resp, "331 Please specify the password.\r\n"),
            (Orig, "PASS s3cret\r\n"),
            (Resp, "530 Login incorrect.\r\n"),
            (Orig, "user anonymous\r\nPASS x\r\n"),
            (Resp, "331 ok\r\n230 Login successful.\r\n"),
            (Orig, "PASV\r\n"),
            (Orig, "RETR patients.csv\r\n"),
            (Resp, "550 Failed to open file.\r\n"),
            (Orig, "STOR implant.exe\r\n"),
        ]),
    );
    let got = ftp(&state);
    assert_eq!((got.commands.user, got.commands.retrieve, got.commands.store, got.commands.passive), (2, 1, 1, 1));
    assert_eq!((got.login_failure, got.login_success, got.errors, got.anonymous), (1, 1, 1, true));
    assert_eq!(got.software.as_deref(), Some("(vsFTPd 3.0.5)"));
    let kept = serde_json::to_string(got).unwrap();
    assert!(!kept.contains("smith") && !kept.contains("s3cret") && !kept.contains("patients"), "{kept}");
}

#[test]
fn ftp_turns_to_tls() {
    let state = after(tcp(21), &said(&[(Resp, "220 ftp\r\n"), (Orig, "AUTH TLS\r\n"), (Resp, "234 go\r\n")]));
    assert!(ftp(&state).auth_tls && ftp(&state).auth_tls_accepted);
}

fn smtp(state: &AppState) -> &SmtpFacts {
    let Facts::Smtp(smtp) = facts(state) else { panic!("no SMTP") };
    smtp
}

#[test]
fn a_mail_is_counted_and_not_read() {
    let mail = "Subject: hello\r\nRCPT TO:<x>\r\nDATA\r\n\r\nQUIT\r\n";
    let state = after(
        tcp(25),
        &said(&[
            (Resp, "220 mail.ward.example ESMTP Postfix\r\n"),
            (Orig, "EHLO ct1\r\n"),
            (Resp, "250-mail.ward.example\r\n250-STARTTLS\r\n250 SIZE 1000\r\n"),
            (Orig, "AUTH LOGIN\r\n"),
            (Resp, "334 VXNlcm5hbWU6\r\n"),
            (Orig, "c21pdGg=\r\n"),
            (Resp, "535 5.7.8 no\r\n"),
            (Orig, "MAIL FROM:<smith@ward.example>\r\nRCPT TO:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n"),
            (Resp, "250 ok\r\n550 no\r\n250 ok\r\n354 go on\r\n"),
            (Orig, mail),
            (Orig, "DATA\r\n.\r\n"),
            (Resp, "250 queued\r\n"),
            (Orig, "QUIT\r\n"),
        ]),
    );
    let got = smtp(&state);
    assert_eq!((got.commands.hello, got.commands.mail, got.commands.rcpt, got.commands.data), (1, 1, 2, 1));
    assert_eq!((got.commands.auth, got.commands.other, got.login_failure, got.rejected), (1, 1, 1, 1));
    assert!(got.starttls_offered && !got.starttls);
    assert_eq!(got.software.as_deref(), Some("mail.ward.example ESMTP Postfix"));
    assert!(!serde_json::to_string(got).unwrap().contains("smith"));
}

#[test]
fn what_is_typed_letter_by_letter_is_no_command() {
    let state = after(tcp(25), &said(&[(Resp, "220 mail\r\n"), (Orig, "e"), (Orig, "h"), (Orig, "lo a"), (Orig, "\r\n")]));
    assert_eq!(smtp(&state).commands, Default::default());
}

#[test]
fn a_mail_in_pieces_is_passed_over() {
    let state = after(
        tcp(25),
        &said(&[
            (Orig, "EHLO ct1\r\n"),
            (Orig, "BDAT 20 LAST\r\nMAIL 7"),
            (Orig, "RCPT\r\nDATA\r\n\r\n"),
            (Orig, "RCPT TO:<a@b>\r\n"),
            (Orig, "STARTTLS\r\n"),
        ]),
    );
    let got = smtp(&state);
    assert_eq!((got.commands.data, got.commands.mail, got.commands.rcpt, got.starttls), (1, 0, 1, true));
    let turns = said(&[(Orig, "EHLO a\r\n"), (Orig, "STARTTLS\r\n"), (Resp, "220 go\r\n"), (Orig, "\x16\x03\x01\0\x05hello")]);
    assert!(!after(tcp(25), &turns).wants_more());
}

fn mailbox(state: &AppState) -> &MailboxFacts {
    let Facts::Mailbox(mailbox) = facts(state) else { panic!("no mailbox") };
    mailbox
}

#[test]
fn imap_logins_and_reading() {
    let state = after(
        tcp(143),
        &said(&[
            (Resp, "* OK [CAPABILITY IMAP4rev1 STARTTLS] Dovecot ready.\r\n"),
            (Orig, "a1 LOGIN smith s3cret\r\n"),
            (Resp, "a1 NO [AUTHENTICATIONFAILED] no\r\n"),
            (Orig, "a2 login smith better\r\n"),
            (Resp, "* CAPABILITY x\r\na2 OK in\r\n"),
            (Orig, "a3 SELECT INBOX\r\n"),
            (Resp, "* 3 EXISTS\r\na3 OK\r\n"),
            (Orig, "a4 UID FETCH 1 BODY[]\r\n"),
        ]),
    );
    let got = mailbox(&state);
    assert_eq!((got.commands.login, got.commands.list, got.commands.fetch), (2, 1, 1));
    assert_eq!((got.login_failure, got.login_success, got.starttls_offered), (1, 1, true));
    assert!(!serde_json::to_string(got).unwrap().contains("smith"));
}

#[test]
fn pop3_logins_and_reading() {
    let state = after(
        tcp(110),
        &said(&[
            (Resp, "+OK POP3 ready\r\n"),
            (Orig, "USER smith\r\n"),
            (Resp, "+OK\r\n"),
            (Orig, "PASS s3cret\r\n"),
            (Resp, "-ERR no\r\n"),
            (Orig, "PASS better\r\n"),
            (Resp, "+OK in\r\n"),
            (Orig, "RETR 1\r\n"),
            (Orig, "STLS\r\n"),
        ]),
    );
    let got = mailbox(&state);
    assert_eq!((got.commands.login, got.commands.fetch, got.login_failure, got.login_success), (1, 1, 1, 1));
    assert!(got.starttls);
    assert_eq!(got.software.as_deref(), Some("POP3 ready"));
}

#[test]
fn every_cut_is_safe() {
    let talk = "220 ftp mail\r\nEHLO x\r\nAUTH TLS\r\nBDAT 99 LAST\r\na1 LOGIN x\r\n* OK imap\r\n+OK pop\r\n530 no\r\n";
    for port in [21, 25, 110, 143] {
        for cut in 0..talk.len() {
            let (first, second) = talk.split_at(cut);
            let _ = after(tcp(port), &said(&[(Resp, first), (Orig, second), (Orig, talk), (Resp, talk)]));
        }
    }
}
