//! Conversations in lines of text.

use auscult::app::Side::{Orig, Resp};
use auscult::app::{App, Ports};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::{MARK, Marked};
use crate::app_support::{hl7, tcp, udp};
use crate::clinical_support::Talk;

/// Turns of a talk, the initiator's with `>` in front; `MARK` stands for the marker and `B64` for its base64.
fn turns(text: &[&str]) -> Talk {
    let base64 = BASE64_STANDARD.encode(format!("\0{MARK}\0{MARK}"));
    let fill = |turn: &&str| {
        let (side, turn) = turn.strip_prefix('>').map_or((Resp, *turn), |turn| (Orig, turn));
        (side, turn.replace("MARK", MARK).replace("B64", &base64).into_bytes())
    };
    text.iter().map(fill).collect()
}

fn of(name: &'static str, ports: Ports, app: App, text: &[&str]) -> Marked {
    (name, ports, app, turns(text))
}

pub fn all() -> Vec<Marked> {
    [web(), mail(), vec![health(), files(), terminal(), irc()], calls(), logs()].concat()
}

fn health() -> Marked {
    let person = format!("EVN||1|||{MARK}\rPID|1||{MARK}||{MARK}^JANE\rOBX|1|TX|{MARK}\rZXX|{MARK}\r");
    let large = person.repeat(40);
    // Facilities (MSH-4, MSH-6), security (MSH-8) and what an answer says in words.
    let own =
        format!("\x0bMSH|^~\\&|LAB|{MARK}|LIS|{MARK}|20260131|{MARK}|ORU^R01^{MARK}|{MARK}|P|2.5|{MARK}\rPID|{MARK}\r\x1c\r");
    let batch = format!("\x0bFHS|^~\\&|{MARK}|{MARK}\rBHS|^~\\&|{MARK}\rMSH|^~\\&|LAB\rPID|{MARK}\r\x1c\r");
    let answer = format!("MSA|AE|{MARK}|{MARK}\rERR|{MARK}\r");
    let talk = vec![
        (Orig, [hl7("ORU^R01", &large), own.into()].concat()),
        (Resp, hl7("ACK", &answer)),
        (Orig, [batch.into_bytes(), hl7("ADT^A01", &person)].concat()),
    ];
    ("HL7", tcp(2575), App::Hl7, talk)
}

fn web() -> Vec<Marked> {
    let request = ">POST /MARK/Patient/MARK?name=MARK#MARK HTTP/1.1\r\nHost: fhir.example\r\nAuthorization: Basic B64\r\n\
        Cookie: id=MARK\r\nReferer: http://x.example/MARK\r\nX-Patient: MARK\r\nContent-Type: application/fhir+json\r\n\
        Content-Length: 60\r\n\r\n{\"resourceType\":\"Patient\",\"name\":[{\"family\":\"MARK\"}],\"n\":12345}";
    let response = "HTTP/1.1 302 MARK\r\nSet-Cookie: MARK\r\nLocation: http://fhir.example/MARK?MARK\r\nETag: MARK\r\n\
        Content-Type: text/html\r\nContent-Length: 30\r\n\r\n<html>MARK MARK MARK MARK</html>";
    let list = ">GET /MARK.php HTTP/1.1\r\nHost: fhir.example\r\nAuthorization: Bearer MARK\r\n\r\n";
    vec![
        of("HTTP", tcp(80), App::Http, &[request, response, list, "HTTP/1.1 200 OK\r\n\r\nMARK"]),
        of(
            "SSDP",
            udp(1900),
            App::Ssdp,
            &[">NOTIFY * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nLOCATION: http://10.0.0.1/MARK\r\n\r\n"],
        ),
    ]
}

fn mail() -> Vec<Marked> {
    let smtp = [
        "220 mx.example ESMTP\r\n",
        ">EHLO a.example\r\n",
        "250-mx.example\r\n250 AUTH PLAIN LOGIN\r\n",
        ">AUTH PLAIN B64\r\n",
        "235 ok\r\n",
        ">MAIL FROM:<MARK@MARK.example>\r\n",
        "250 MARK ok\r\n",
        ">RCPT TO:<MARK@a.example>\r\n",
        "250 ok\r\n",
        ">DATA\r\n",
        "354 go\r\n",
        ">From: MARK <MARK@a.example>\r\nSubject: MARK\r\n\r\nMARK\r\nEHLO MARK\r\n.\r\n",
        "250 queued as MARK\r\n",
    ];
    let pop = [
        "+OK POP3 ready\r\n",
        ">USER MARK\r\n",
        "+OK\r\n",
        ">PASS MARK\r\n",
        "+OK\r\n",
        ">RETR 1\r\n",
        "+OK\r\nSubject: MARK\r\n\r\nMARK\r\n.\r\n",
    ];
    let imap = [
        "* OK IMAP4rev1 ready\r\n",
        ">a1 LOGIN MARK \"MARK\"\r\n",
        "a1 OK MARK\r\n",
        ">a2 SELECT MARK\r\n",
        "* 1 FETCH (BODY[] {12}\r\nMARK)\r\n",
    ];
    vec![of("SMTP", tcp(25), App::Smtp, &smtp), of("POP3", tcp(110), App::Pop3, &pop), of("IMAP", tcp(143), App::Imap, &imap)]
}

fn files() -> Marked {
    let ftp = [
        "220 ftp.example FTP ready\r\n",
        ">USER MARK\r\n",
        "331 MARK needs a password\r\n",
        ">PASS MARK\r\n",
        "230 welcome MARK\r\n",
        ">CWD /MARK\r\n",
        ">RETR MARK.dcm\r\n",
        "150 MARK.dcm\r\n",
        ">STOR MARK\r\n",
        "226 ok\r\n",
    ];
    of("FTP", tcp(21), App::Ftp, &ftp)
}

fn terminal() -> Marked {
    let (_, ports, app, mut talk) =
        of("Telnet", tcp(23), App::Telnet, &["login: ", ">MARK\r\n", "Password: ", ">MARK\r\n", "MARK@host$ ", ">cat MARK\r\n"]);
    talk.insert(0, (Resp, vec![0xff, 0xfd, 0x18, 0xff, 0xfd, 0x20]));
    ("Telnet", ports, app, talk)
}

fn irc() -> Marked {
    let irc = [">NICK MARK\r\nUSER MARK 0 * :MARK\r\n", ":irc.example 001 MARK :Welcome MARK\r\n", ">PRIVMSG #MARK :MARK\r\n"];
    of("IRC", tcp(6667), App::Unknown, &irc)
}

fn calls() -> Vec<Marked> {
    let invite = ">INVITE sip:MARK@pbx.example SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=MARK\r\nFrom: \"MARK\" \
        <sip:MARK@pbx.example>;tag=MARK\r\nTo: <sip:MARK@pbx.example>\r\nCall-ID: MARK@10.0.0.1\r\nCSeq: 1 INVITE\r\n\
        Contact: <sip:MARK@10.0.0.1>\r\nAuthorization: Digest username=\"MARK\", response=\"MARK\"\r\n\
        Content-Type: application/sdp\r\nContent-Length: 60\r\n\r\nv=0\r\no=MARK 1 1 IN IP4 10.0.0.1\r\ns=MARK\r\n";
    let answer = "SIP/2.0 200 MARK\r\nFrom: <sip:MARK@pbx.example>\r\nTo: <sip:MARK@pbx.example>\r\nCall-ID: MARK\r\n\
        CSeq: 1 INVITE\r\n\r\n";
    vec![of("SIP", udp(5060), App::Sip, &[invite, answer]), of("SIP over TCP", tcp(5060), App::Sip, &[invite, answer])]
}

fn logs() -> Vec<Marked> {
    let (old, new) = (
        "><34>Jan 31 09:12:03 host su: MARK failed for MARK",
        ">83 <34>1 2026-01-31T09:12:03Z host su - - [x MARK=\"MARK\"] MARK failed for MARK.......",
    );
    vec![of("syslog", udp(514), App::Syslog, &[old, old]), of("syslog over TCP", tcp(601), App::Syslog, &[new])]
}
