//! What the tests of `app` share: conversations by hand.

use auscult::app::{App, AppState, Basis, Facts, Payload, Ports, Side};

pub const TCP: u8 = 6;
pub const UDP: u8 = 17;

pub const fn tcp(resp: u16) -> Ports {
    Ports { protocol: TCP, orig: 50_000, resp }
}

pub const fn udp(resp: u16) -> Ports {
    Ports { protocol: UDP, orig: 50_000, resp }
}

/// The state after these payloads.
pub fn after(ports: Ports, payloads: &[(Side, &[u8])]) -> AppState {
    let mut state = AppState::default();
    for (side, payload) in payloads {
        state.observe(ports, &Payload::new(*side, payload, payload.len() as u32));
    }
    state
}

/// The application told from one payload of the initiator on a port that says nothing.
pub fn alone(protocol: u8, payload: &[u8]) -> (App, Basis) {
    let ports = Ports { protocol, orig: 50_000, resp: 50_001 };
    after(ports, &[(Side::Orig, payload)]).app(ports)
}

/// Bytes behind their length in two bytes.
pub fn vec16(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u16).to_be_bytes()[..], bytes].concat()
}

/// Bytes behind their length in one byte.
pub fn vec8(bytes: &[u8]) -> Vec<u8> {
    [&[bytes.len() as u8][..], bytes].concat()
}

pub fn extension(kind: u16, body: &[u8]) -> Vec<u8> {
    [&kind.to_be_bytes()[..], &vec16(body)].concat()
}

/// A client's hello with this name, ALPN offers and further extensions before and behind.
pub fn client_hello(name: &str, before: &[u8]) -> Vec<u8> {
    let server_name = extension(0, &vec16(&[&[0][..], &vec16(name.as_bytes())].concat()));
    let alpn = extension(16, &vec16(&[vec8(&[0x3a, 0x3a]), vec8(b"h2"), vec8(b"http/1.1")].concat()));
    let versions = extension(43, &vec8(&[0x2a, 0x2a, 3, 4, 3, 3]));
    let extensions = vec16(&[before, &alpn, &server_name, &versions].concat());
    let body = [&[3, 3][..], &[7; 32], &vec8(&[9; 32]), &vec16(&[0x13, 1, 0x13, 2]), &vec8(&[0]), &extensions].concat();
    handshake(1, &body)
}

/// A server's hello of TLS 1.2, or of 1.3 when it says so in an extension.
pub fn server_hello(extensions: &[u8]) -> Vec<u8> {
    handshake(2, &[&[3, 3][..], &[8; 32], &vec8(&[9; 32]), &[0x13, 1, 0], &vec16(extensions)].concat())
}

fn handshake(kind: u8, body: &[u8]) -> Vec<u8> {
    let message = [&[kind, 0][..], &vec16(body)].concat();
    [&[0x16, 3, 1][..], &vec16(&message)].concat()
}

/// A DNS message with one question.
pub fn dns(name: &str, kind: u16, flags: u16, answers: u16) -> Vec<u8> {
    let name: Vec<u8> = name.split('.').flat_map(|label| vec8(label.as_bytes())).collect();
    let counts = [0, 1, (answers >> 8) as u8, answers as u8, 0, 0, 0, 0];
    [&[0x12, 0x34][..], &flags.to_be_bytes(), &counts, &name, &[0], &kind.to_be_bytes(), &[0, 1]].concat()
}

/// An A-ASSOCIATE-RQ with these titles.
pub fn associate(called: &str, calling: &str) -> Vec<u8> {
    let body =
        [&[0, 1, 0, 0][..], format!("{called:<16}{calling:<16}").as_bytes(), &[0; 32], &[0x10, 0, 0, 2, b'1', b'.']].concat();
    pdu(1, &body)
}

pub fn pdu(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind, 0][..], &(body.len() as u32).to_be_bytes(), body].concat()
}

/// A P-DATA-TF PDU with a command set that holds this command.
pub fn command(field: u16) -> Vec<u8> {
    let element =
        |number: u16, value: &[u8]| [&[0, 0][..], &number.to_le_bytes(), &(value.len() as u32).to_le_bytes(), value].concat();
    let set = [
        element(0, &64u32.to_le_bytes()),
        element(2, b"1.2.840.10008.1.1\0"),
        element(0x100, &field.to_le_bytes()),
        element(0x110, &[1, 0]),
    ]
    .concat();
    value(3, &set)
}

/// A P-DATA-TF PDU with one value under this control byte.
pub fn value(control: u8, bytes: &[u8]) -> Vec<u8> {
    pdu(4, &[&(bytes.len() as u32 + 2).to_be_bytes()[..], &[1, control], bytes].concat())
}

/// An HL7 message in its frame.
pub fn hl7(kind: &str, rest: &str) -> Vec<u8> {
    format!("\x0bMSH|^~\\&|ANALYSER^1|LAB|LIS|WARD|20260131091203||{kind}|77|P|2.5\r{rest}\x1c\r").into_bytes()
}

pub fn facts(state: &AppState) -> &Facts {
    state.facts().expect("facts")
}
