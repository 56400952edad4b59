//! The small protocols: NTP, DHCP, SNMP, syslog, SSDP, HTTP, SSH, printing.

use crate::generator::host::Host;
use crate::generator::random::Rng;

/// An NTP packet (RFC 5905): `mode` 3 asks, 4 answers.
pub fn ntp(rng: &mut Rng, mode: u8) -> Vec<u8> {
    let mut packet = vec![0x20 | mode, if mode == 4 { 2 } else { 3 }, 9, 0xe9];
    packet.resize(44, 0);
    packet.extend(rng.bytes(4));
    packet
}

/// A DHCP message (RFC 2131) of this type: 1 discover, 2 offer, 3 request, 5 acknowledge.
pub fn dhcp(host: Host, kind: u8, transaction: u32, known: bool) -> Vec<u8> {
    let reply = matches!(kind, 2 | 5);
    let mut message = vec![if reply { 2 } else { 1 }, 1, 6, 0];
    message.extend(transaction.to_be_bytes());
    message.extend([0; 4]);
    message.extend(if known { host.v4() } else { [0; 4] });
    message.extend(if reply { host.v4() } else { [0; 4] });
    message.extend([0; 8]);
    message.extend(host.mac());
    message.resize(236, 0);
    message.extend([0x63, 0x82, 0x53, 0x63, 53, 1, kind]);
    message.extend([12, host.name.len() as u8]);
    message.extend(host.name.bytes());
    message.push(255);
    message.resize(300, 0);
    message
}

/// An SNMP v2c message (RFC 3416) about one counter: `kind` 0xa0 asks, 0xa2 answers.
pub fn snmp(rng: &mut Rng, kind: u8, column: u8) -> Vec<u8> {
    let value = if kind == 0xa2 { [&[0x41, 4][..], &(rng.long() >> 2).to_be_bytes()].concat() } else { vec![5, 0] };
    let tagged = |tag: u8, content: &[u8]| [&[tag, content.len() as u8][..], content].concat();
    let name = tagged(6, &[0x2b, 6, 1, 2, 1, 2, 2, 1, column, 1]);
    let bindings = tagged(0x30, &tagged(0x30, &[name, value].concat()));
    let request = [&[2, 2, 0x11, column, 2, 1, 0, 2, 1, 0][..], &bindings].concat();
    tagged(0x30, &[&[2, 1, 1, 4, 6][..], b"clinic", &tagged(kind, &request)].concat())
}

/// A syslog line (RFC 5424).
pub fn syslog(rng: &mut Rng, host: &str, time: &str) -> Vec<u8> {
    let program = *rng.pick(&["cron", "sshd", "kernel", "archive", "engine", "dhcpd"]);
    let (h, m, s) = (&time[..2], &time[2..4], &time[4..]);
    let process = rng.between(300, 32_000);
    let text = *rng.pick(&["session opened", "job finished", "link is up", "queue length 0", "lease renewed, 3 expired"]);
    format!("<30>1 2026-03-03T{h}:{m}:{s}Z {host} {program} {process} - - {text}").into_bytes()
}

/// An SSDP search.
pub fn ssdp() -> Vec<u8> {
    b"M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\nST: ssdp:all\r\n\r\n".to_vec()
}

/// An HTTP request.
pub fn http_get(host: &str, path: &str, agent: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {agent}\r\nAccept: */*\r\n\r\n").into_bytes()
}

/// The head of an HTTP answer with `bytes` bytes of content.
pub fn http_ok(kind: &str, bytes: usize) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nServer: clinic\r\nContent-Type: {kind}\r\nContent-Length: {bytes}\r\n\r\n").into_bytes()
}

/// An SSH banner.
pub fn ssh_banner(software: &str) -> Vec<u8> {
    format!("SSH-2.0-{software}\r\n").into_bytes()
}

/// An SSH packet that is not encrypted yet (RFC 4253, 6) with these strings: 20 offers algorithms, 21 switches to new keys,
/// 30 and 31 exchange the keys.
pub fn ssh_packet(kind: u8, strings: &[Vec<u8>]) -> Vec<u8> {
    let mut content = vec![kind];
    for string in strings {
        content.extend((string.len() as u32).to_be_bytes());
        content.extend(string);
    }
    padded(content)
}

/// The packet around a content: at least four bytes of padding up to a multiple of eight.
fn padded(content: Vec<u8>) -> Vec<u8> {
    let padding = 11 - (content.len() + 8) % 8;
    let mut packet = ((content.len() + padding + 1) as u32).to_be_bytes().to_vec();
    packet.push(padding as u8);
    packet.extend(content);
    packet.resize(packet.len() + padding, 0);
    packet
}

/// An SSH key exchange offer: a cookie and ten lists of algorithms.
pub fn ssh_offer(rng: &mut Rng) -> Vec<u8> {
    let (cipher, check) = ("chacha20-poly1305@openssh.com,aes256-gcm@openssh.com", "hmac-sha2-256-etm@openssh.com,hmac-sha2-512");
    let exchange = "curve25519-sha256,ecdh-sha2-nistp256,diffie-hellman-group14-sha256";
    let mut content = vec![20];
    content.extend(rng.cipher_bytes(16));
    for list in [exchange, "ssh-ed25519,rsa-sha2-512", cipher, cipher, check, check, "none", "none", "", ""] {
        content.extend((list.len() as u32).to_be_bytes());
        content.extend(list.bytes());
    }
    content.extend([0; 5]);
    padded(content)
}

/// The beginning of a print job.
pub fn print_job(number: i64) -> Vec<u8> {
    format!("\x1b%-12345X@PJL JOB NAME=\"letter-{number}\"\r\n@PJL SET COPIES=1\r\n@PJL ENTER LANGUAGE=PCL\r\n").into_bytes()
}
