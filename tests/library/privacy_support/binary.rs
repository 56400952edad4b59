//! Conversations in bytes.

use auscult::app::App;
use auscult::app::Side::{Orig, Resp};

use super::{MARK, Marked, wide};
use crate::app_support::{associate, command, dns, pdu, tcp, udp, value, vec8, vec16};
use crate::clinical_support::industrial::{bacnet_talk, dnp3_talk, enip_talk, iec104_talk, modbus_talk, opcua_talk, s7_talk};

pub fn all() -> Vec<Marked> {
    vec![
        dicom(),
        mqtt(),
        smb(),
        snmp(),
        ldap(),
        kerberos(),
        dns_texts(),
        radius(),
        tftp(),
        coap(),
        postgres(),
        rdp(),
        discovery(),
        ("Modbus", tcp(502), App::Modbus, modbus_talk(*MARK.as_bytes().first_chunk().unwrap_or(&[0; 4]))),
        ("Modbus, further", tcp(502), App::Modbus, modbus_talk(*MARK.as_bytes().last_chunk().unwrap_or(&[0; 4]))),
        ("DNP3", tcp(20000), App::Dnp3, dnp3_talk(MARK.as_bytes())),
        ("IEC 104", tcp(2404), App::Iec104, iec104_talk(MARK.as_bytes())),
        ("S7", tcp(102), App::S7Comm, s7_talk(MARK.as_bytes())),
        ("EtherNet/IP", tcp(44818), App::EthernetIp, enip_talk(MARK.as_bytes())),
        ("BACnet", udp(47808), App::Bacnet, bacnet_talk(MARK.as_bytes())),
        ("OPC UA", tcp(4840), App::OpcUa, opcua_talk(MARK)),
    ]
}

fn dicom() -> Marked {
    let person = [&[0x10, 0, 0x10, 0, b'P', b'N', MARK.len() as u8, 0][..], MARK.as_bytes()].concat();
    let data = |control| value(control, &person.repeat(30));
    let identity = [&[2, 0][..], &vec16(MARK.as_bytes()), &vec16(MARK.as_bytes())].concat();
    let user = [&[0x58, 0][..], &vec16(&identity)].concat();
    let mut request = associate("ARCHIVE", "CT1");
    request.extend([&[0x50, 0][..], &vec16(&user)].concat());
    let bytes = (request.len() as u32 - 6).to_be_bytes();
    request.splice(2..6, bytes);
    let talk = vec![
        (Orig, request),
        (Resp, pdu(2, &associate("ARCHIVE", "CT1")[6..])),
        (Orig, [command(1), data(0), data(2), command(0x20), data(2)].concat()),
        (Resp, [command(0x8020), data(2)].concat()),
        // A sender that puts both into one PDU.
        (Orig, pdu(4, &[&command(0x21)[6..], &data(2)[6..]].concat())),
        (Orig, [command(0x140), data(2), pdu(5, &[0; 4])].concat()),
    ];
    ("DICOM", tcp(11112), App::Dicom, talk)
}

fn mqtt() -> Marked {
    let mark = vec16(MARK.as_bytes());
    let packet = |first: u8, body: &[u8]| [&[first, body.len() as u8][..], body].concat();
    let connect = packet(0x10, &[&vec16(b"MQTT")[..], &[4, 0xc6, 0, 60], &vec16(b"pump"), &mark, &mark, &mark, &mark].concat());
    let publish = packet(0x30, &[&mark[..], MARK.as_bytes(), &[7; 50]].concat());
    let subscribe = packet(0x82, &[&[0, 1][..], &mark, &[0], &vec16(b"#"), &[0]].concat());
    let talk = vec![
        (Orig, connect),
        (Resp, packet(0x20, &[0, 0])),
        (Orig, [subscribe, publish.clone(), publish.clone()].concat()),
        (Resp, publish),
    ];
    ("MQTT", tcp(1883), App::Mqtt, talk)
}

/// A message of SMB 2 behind its header.
fn smb2(command: u16, body: &[u8]) -> Vec<u8> {
    let header = [&[0xfe][..], b"SMB", &[64, 0, 0, 0, 0, 0, 0, 0], &command.to_le_bytes(), &[0; 50]].concat();
    [&[0, 0][..], &vec16(&[&header, body].concat())].concat()
}

fn smb() -> Marked {
    let mark = wide(MARK);
    let bytes = |part: &[u8]| (part.len() as u16).to_le_bytes();
    // NTLM's third message: six fields with their length twice and their place, then the texts.
    let field = |at: u8, part: &[u8]| [&bytes(part)[..], &bytes(part), &[at, 0, 0, 0]].concat();
    let fields = [field(88, &mark), field(88, &mark), field(88, &[]), field(88, &mark), field(88, &[]), field(88, &[])].concat();
    let ntlm = [&b"NTLMSSP\0\x03\0\0\0"[..], &fields, &[1, 0x82, 0x88, 0xe2], &[0; 24], &mark].concat();
    let setup = [&[25, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 88, 0][..], &bytes(&ntlm), &[0; 8], &ntlm].concat();
    let share = wide(&format!("\\\\FILES\\{MARK}"));
    let tree = [&[9, 0, 0, 0, 72, 0][..], &bytes(&share), &share].concat();
    let create = [&[57, 0][..], &[0; 42], &[120, 0], &bytes(&mark), &[0; 8], &mark].concat();
    let write = [&[49, 0, 112, 0][..], &[40, 0, 0, 0], &[0; 40], MARK.as_bytes(), &mark].concat();
    let talk = vec![
        (
            Orig,
            smb2(
                0,
                &[
                    36, 0, 2, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                    2, 2, 0, 3,
                ],
            ),
        ),
        (Resp, smb2(0, &[&[65, 0, 1, 0, 0, 3, 0, 0][..], &[7; 56]].concat())),
        (Orig, smb2(1, &setup)),
        (Resp, smb2(1, &[9, 0, 0, 0, 72, 0, 0, 0])),
        (Orig, smb2(3, &tree)),
        (Resp, smb2(3, &[16, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])),
        (Orig, [smb2(5, &create), smb2(9, &write)].concat()),
    ];
    ("SMB", tcp(445), App::Smb, talk)
}

/// A value of BER with a short length.
fn ber(tag: u8, body: &[u8]) -> Vec<u8> {
    [&[tag][..], &if body.len() < 128 { vec![body.len() as u8] } else { vec![0x81, body.len() as u8] }, body].concat()
}

fn snmp() -> Marked {
    let bind = |text: &[u8]| ber(0x30, &ber(0x30, &[ber(6, &[0x2b, 6, 1, 2, 1, 1, 4, 0]), ber(4, text)].concat()));
    let message = |kind, text: &[u8]| {
        let pdu = ber(kind, &[&[2, 1, 7, 2, 1, 0, 2, 1, 0][..], &bind(text)].concat());
        ber(0x30, &[&[2, 1, 1][..], &ber(4, MARK.as_bytes()), &pdu].concat())
    };
    let talk = vec![(Orig, message(0xa0, b"")), (Resp, message(0xa2, MARK.as_bytes())), (Orig, message(0xa3, MARK.as_bytes()))];
    ("SNMP", udp(161), App::Snmp, talk)
}

fn ldap() -> Marked {
    let dn = format!("cn={MARK},ou={MARK},dc=example");
    let bind = ber(0x60, &[&[2, 1, 3][..], &ber(4, dn.as_bytes()), &ber(0x80, MARK.as_bytes())].concat());
    let filter = ber(0xa3, &[ber(4, b"uid"), ber(4, MARK.as_bytes())].concat());
    let flags = [0x0a, 1, 2, 0x0a, 1, 0, 2, 1, 0, 2, 1, 0, 1, 1, 0];
    let search = ber(0x63, &[&ber(4, dn.as_bytes())[..], &flags, &filter, &[0x30, 0]].concat());
    let entry = ber(
        0x64,
        &[ber(4, dn.as_bytes()), ber(0x30, &ber(0x30, &[ber(4, b"mail"), ber(0x31, &ber(4, MARK.as_bytes()))].concat()))]
            .concat(),
    );
    let refused = ber(0x61, &[&[0x0a, 1, 49][..], &ber(4, dn.as_bytes()), &ber(4, MARK.as_bytes())].concat());
    let message = |id: u8, operation: &[u8]| ber(0x30, &[&[2, 1, id][..], operation].concat());
    let talk =
        vec![(Orig, message(1, &bind)), (Resp, message(1, &refused)), (Orig, message(2, &search)), (Resp, message(2, &entry))];
    ("LDAP", tcp(389), App::Ldap, talk)
}

fn kerberos() -> Marked {
    let name = |parts: &[&[u8]]| {
        let parts: Vec<u8> = parts.iter().flat_map(|part| ber(0x1b, part)).collect();
        ber(0x30, &[ber(0xa0, &[2, 1, 1]), ber(0xa1, &ber(0x30, &parts))].concat())
    };
    let body = [
        ber(0xa0, &[3, 5, 0, 0x40, 0, 0, 0]),
        ber(0xa1, &name(&[MARK.as_bytes()])),
        ber(0xa2, &ber(0x1b, b"EXAMPLE.ORG")),
        ber(0xa3, &name(&[b"krbtgt", b"EXAMPLE.ORG"])),
        ber(0xa5, &ber(0x18, b"20370913024805Z")),
        ber(0xa7, &[2, 1, 9]),
        ber(0xa8, &ber(0x30, &[2, 1, 18, 2, 1, 23])),
    ]
    .concat();
    let request = ber(0x6a, &ber(0x30, &[&[0xa1, 3, 2, 1, 5, 0xa2, 3, 2, 1, 10][..], &ber(0xa4, &ber(0x30, &body))].concat()));
    let framed = [&(request.len() as u32).to_be_bytes()[..], &request].concat();
    ("Kerberos", tcp(88), App::Kerberos, vec![(Orig, framed)])
}

fn dns_texts() -> Marked {
    let answer = [&[0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 60][..], &vec16(&vec8(MARK.as_bytes()))].concat();
    let response = [dns("a.example.org", 16, 0x8180, 1), answer].concat();
    ("DNS", udp(53), App::Dns, vec![(Orig, dns("a.example.org", 16, 0x0100, 0)), (Resp, response)])
}

fn radius() -> Marked {
    let attribute = |kind: u8, text: &[u8]| [&[kind, text.len() as u8 + 2][..], text].concat();
    let attributes = [1, 2, 24, 31].map(|kind| attribute(kind, MARK.as_bytes())).concat();
    let message = [&[1, 7][..], &(attributes.len() as u16 + 20).to_be_bytes(), &[5; 16], &attributes].concat();
    ("RADIUS", udp(1812), App::Radius, vec![(Orig, message)])
}

fn tftp() -> Marked {
    let request = [&[0, 2][..], MARK.as_bytes(), b"\0octet\0"].concat();
    ("TFTP", udp(69), App::Tftp, vec![(Orig, request), (Orig, [&[0, 3, 0, 1][..], MARK.as_bytes()].concat())])
}

fn coap() -> Marked {
    let message = [&[0x40, 1, 0, 7, 0xb0 | MARK.len() as u8][..], MARK.as_bytes(), &[0xff], MARK.as_bytes()].concat();
    ("CoAP", udp(5683), App::Coap, vec![(Orig, message)])
}

fn postgres() -> Marked {
    let texts = format!("user\0{MARK}\0database\0{MARK}\0\0");
    let start = [&(texts.len() as u32 + 8).to_be_bytes()[..], &[0, 3, 0, 0], texts.as_bytes()].concat();
    let query = format!("SELECT '{MARK}'\0");
    let query = [&b"Q"[..], &(query.len() as u32 + 4).to_be_bytes(), query.as_bytes()].concat();
    ("PostgreSQL", tcp(5432), App::Postgres, vec![(Orig, start), (Resp, vec![b'R', 0, 0, 0, 8, 0, 0, 0, 3]), (Orig, query)])
}

fn rdp() -> Marked {
    let cookie = format!("Cookie: mstshash={MARK}\r\n");
    let body = [&[0xe0, 0, 0, 0, 0, 0][..], cookie.as_bytes(), &[1, 0, 8, 0, 3, 0, 0, 0]].concat();
    let request = [&[3, 0][..], &(body.len() as u16 + 5).to_be_bytes(), &vec8(&body)].concat();
    ("RDP", tcp(3389), App::Rdp, vec![(Orig, request)])
}

fn discovery() -> Marked {
    let hello = format!(
        "<?xml version=\"1.0\"?><s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\" \
         xmlns:a=\"http://schemas.xmlsoap.org/ws/2004/08/addressing\" xmlns:d=\"http://schemas.xmlsoap.org/ws/2005/04/discovery\" \
         xmlns:w=\"http://example.org/printer\"><s:Header><a:Action>http://schemas.xmlsoap.org/ws/2005/04/discovery/Hello</a:Action>\
         <a:MessageID>urn:{MARK}</a:MessageID></s:Header><s:Body><d:Hello><a:EndpointReference><a:Address>urn:{MARK}</a:Address>\
         </a:EndpointReference><d:Types>w:Printer</d:Types><d:Scopes>http://example.org/{MARK}</d:Scopes>\
         <d:XAddrs>http://10.0.0.1/{MARK}</d:XAddrs></d:Hello></s:Body></s:Envelope>"
    );
    ("WS-Discovery", udp(3702), App::WsDiscovery, vec![(Orig, hello.into_bytes())])
}
