//! Messages of industrial protocols by hand. `value` is what is written: it must not be kept.

use auscult::app::Side::{Orig, Resp};

use super::Talk;

/// A message of Modbus over TCP.
pub fn modbus(unit: u8, pdu: &[u8]) -> Vec<u8> {
    [&[0, 1, 0, 0][..], &(pdu.len() as u16 + 1).to_be_bytes(), &[unit], pdu].concat()
}

pub fn modbus_talk(value: [u8; 4]) -> Talk {
    let [a, b, c, d] = value;
    vec![
        (Orig, modbus(1, &[3, 0, 0, 0, 2])),
        (Resp, modbus(1, &[3, 4, a, b, c, d])),
        (Orig, [modbus(1, &[6, 0, 1, a, b]), modbus(2, &[16, 0, 1, 0, 2, 4, a, b, c, d])].concat()),
        (Resp, [modbus(1, &[6, 0, 1, a, b]), modbus(2, &[0x90, 2])].concat()),
        (Orig, modbus(2, &[43, 14, 1, 0])),
        (Resp, modbus(2, &[43, 14, 1, 1, 0, 0, 1, 0, 4, a, b, c, d])),
        (Orig, modbus(3, &[0x5a, 0, 0x40])),
    ]
}

fn dnp3_crc(bytes: &[u8]) -> [u8; 2] {
    let step = |crc: u16, _| if crc & 1 == 1 { crc >> 1 ^ 0xa6bc } else { crc >> 1 };
    (!bytes.iter().fold(0_u16, |crc, byte| (0..8).fold(crc ^ u16::from(*byte), step))).to_le_bytes()
}

/// A link frame with user data.
pub fn dnp3(control: u8, to: u16, from: u16, data: &[u8]) -> Vec<u8> {
    let header = [&[5, 0x64, 5 + data.len() as u8, control][..], &to.to_le_bytes(), &from.to_le_bytes()].concat();
    let blocks: Vec<u8> = data.chunks(16).flat_map(|block| [block, &dnp3_crc(block)].concat()).collect();
    [&header[..], &dnp3_crc(&header), &blocks].concat()
}

pub fn dnp3_talk(value: &[u8]) -> Talk {
    let request = |function: u8, rest: &[u8]| dnp3(0xc4, 10, 1, &[&[0xc0, 0xc1, function][..], rest].concat());
    let response = |function: u8, rest: &[u8]| dnp3(0x44, 1, 10, &[&[0xc0, 0xc1, function, 0, 0][..], rest].concat());
    vec![
        (Orig, request(1, &[60, 2, 6, 60, 3, 6])),
        (Resp, response(129, value)),
        (Orig, [request(2, value), request(5, &[12, 1, 0x28, 1, 0, 0, 0, 3])].concat()),
        (Resp, [response(129, &[]), response(130, value)].concat()),
        (Orig, [request(13, &[]), request(0, &[]), request(18, value), dnp3(0xc9, 10, 1, &[])].concat()),
    ]
}

/// A frame of IEC 60870-5-104 with data: its kind, cause and what follows the head.
pub fn iec104(kind: u8, cause: u8, objects: &[u8]) -> Vec<u8> {
    [&[0x68, 10 + objects.len() as u8, 2, 0, 4, 0, kind, 1, cause, 0, 7, 0][..], objects].concat()
}

/// One that starts, stops or tests.
pub const fn iec104_control(first: u8) -> [u8; 6] {
    [0x68, 4, first, 0, 0, 0]
}

pub fn iec104_talk(value: &[u8]) -> Talk {
    vec![
        (Orig, iec104_control(0x07).to_vec()),
        (Resp, iec104_control(0x0b).to_vec()),
        (Orig, iec104(100, 6, &[0, 0, 0, 20])),
        (
            Resp,
            [iec104(100, 7, &[0, 0, 0, 20]), iec104(13, 20, &[&[1, 0, 0][..], value].concat()), iec104(100, 10, &[0, 0, 0, 20])]
                .concat(),
        ),
        (
            Orig,
            [&iec104_control(0x43)[..], &iec104(45, 6, &[1, 0, 0, 0x81]), &iec104(50, 6, &[&[2, 0, 0][..], value].concat())]
                .concat(),
        ),
        (Resp, [iec104(45, 7, &[1, 0, 0, 0x81]), iec104(50, 0x47, &[&[2, 0, 0][..], value].concat())].concat()),
        (Orig, [iec104(105, 6, &[0, 0, 0, 1]), iec104(102, 5, &[1, 0, 0]), [0x68, 4, 1, 0, 8, 0].to_vec()].concat()),
        (Resp, [iec104(30, 3, &[&[1, 0, 0][..], value].concat()), iec104(105, 0x6c, &[0, 0, 0, 1])].concat()),
    ]
}

/// ISO transport over TCP: a data unit of the transport.
pub fn tpkt(unit: &[u8]) -> Vec<u8> {
    [&[3, 0][..], &(unit.len() as u16 + 4).to_be_bytes(), unit].concat()
}

/// A message of S7: its kind, parameters and data.
pub fn s7(kind: u8, parameters: &[u8], data: &[u8]) -> Vec<u8> {
    let lengths = [(parameters.len() as u16).to_be_bytes(), (data.len() as u16).to_be_bytes()].concat();
    let errors: &[u8] = if matches!(kind, 2 | 3) { &[0, 0] } else { &[] };
    tpkt(&[&[2, 0xf0, 0x80, 0x32, kind, 0, 0, 0, 1][..], &lengths, errors, parameters, data].concat())
}

pub fn s7_talk(value: &[u8]) -> Talk {
    let item = [0x12, 0x0a, 0x10, 2, 0, 4, 0, 1, 0x84, 0, 0, 0];
    let data = [&[0, 4, 0, value.len() as u8 * 8][..], value].concat();
    let start = [&[0x28, 0, 0, 0, 0, 0, 0, 0xfd, 0, 0, 9][..], b"P_PROGRAM"].concat();
    let insert = [&[0x28, 0, 0, 0, 0, 0, 0, 0xfd, 0, 0, 5][..], b"_INSE"].concat();
    let stop = [&[0x29, 0, 0, 0, 0, 0, 9][..], b"P_PROGRAM"].concat();
    let request = [0x11, 0xe0, 0, 0, 0, 1, 0, 0xc1, 2, 1, 0, 0xc2, 2, 1, 2, 0xc0, 1, 10];
    let confirm = [0x11, 0xd0, 0, 1, 0, 2, 0, 0xc0, 1, 10, 0xc1, 2, 1, 0, 0xc2, 2, 1, 2];
    vec![
        (Orig, tpkt(&request)),
        (Resp, tpkt(&confirm)),
        (Orig, s7(1, &[0xf0, 0, 0, 1, 0, 1, 1, 0xe0], &[])),
        (Resp, s7(3, &[0xf0, 0, 0, 1, 0, 1, 0, 0xf0], &[])),
        (Orig, s7(1, &[&[4, 1][..], &item].concat(), &[])),
        (Resp, s7(3, &[4, 1], &data)),
        (Orig, [s7(1, &[&[5, 1][..], &item].concat(), &data), s7(1, &stop, &[])].concat()),
        (Orig, [s7(1, &start, &[]), s7(1, &insert, &[])].concat()),
        (Orig, [s7(1, &[0x1a, 0, 1], value), s7(1, &[0x1d, 0, 0], value)].concat()),
        // Reads the system's state: user data of the group of the CPU's functions.
        (Orig, s7(7, &[0, 1, 0x12, 4, 0x11, 0x44, 1, 0], &[0xff, 9, 0, 4, 0, 0x11, 0, 0])),
    ]
}

/// An encapsulated message of EtherNet/IP.
pub fn enip(command: u16, data: &[u8]) -> Vec<u8> {
    [&command.to_le_bytes()[..], &(data.len() as u16).to_le_bytes(), &[7, 0, 0, 0], &[0; 4], &[9; 8], &[0; 4], data].concat()
}

/// A message of CIP without a connection.
pub fn cip(message: &[u8]) -> Vec<u8> {
    let head = [0, 0, 0, 0, 5, 0, 2, 0, 0, 0, 0, 0, 0xb2, 0];
    enip(0x6f, &[&head[..], &(message.len() as u16).to_le_bytes(), message].concat())
}

/// A message of CIP on a connection.
pub fn cip_connected(message: &[u8]) -> Vec<u8> {
    let head = [0, 0, 0, 0, 0, 0, 2, 0, 0xa1, 0, 4, 0, 1, 2, 3, 4, 0xb1, 0];
    enip(0x70, &[&head[..], &(message.len() as u16 + 2).to_le_bytes(), &[1, 0], message].concat())
}

pub fn enip_talk(value: &[u8]) -> Talk {
    let register = enip(0x65, &[1, 0, 0, 0]);
    let path = [&[0x91, value.len() as u8][..], value, if value.len() % 2 == 1 { &[0] } else { &[] }].concat();
    let words = (path.len() / 2) as u8;
    let write = [&[0x4d, words][..], &path, &[0xc3, 0, 1, 0], value].concat();
    let read = [&[0x4c, words][..], &path, &[1, 0]].concat();
    let send_len = (read.len() as u16).to_le_bytes();
    let send = [&[0x52, 2, 0x20, 6, 0x24, 1, 5, 0x99][..], &send_len, &read, &[1, 0, 1, 0]].concat();
    vec![
        (Orig, register.clone()),
        (Resp, register),
        (Orig, cip(&[0x0e, 3, 0x20, 1, 0x24, 1, 0x30, 1])),
        (Resp, cip(&[&[0x8e, 0, 0, 0][..], value].concat())),
        (Orig, [cip(&write), cip(&send)].concat()),
        (Resp, cip(&[0xcd, 0, 5, 0])),
        (Orig, cip(&[0x54, 2, 0x20, 6, 0x24, 1, 5, 0x99, 0, 0])),
        (Orig, [cip_connected(&[7, 2, 0x20, 0x8e, 0x24, 1]), cip_connected(&write)].concat()),
        (Orig, enip(0x63, &[])),
    ]
}

/// A message of BACnet/IP: the function of its link layer, then the application's.
pub fn bacnet(function: u8, message: &[u8]) -> Vec<u8> {
    let body = [&[1, 4][..], message].concat();
    [&[0x81, function][..], &(body.len() as u16 + 4).to_be_bytes(), &body].concat()
}

pub fn bacnet_talk(value: &[u8]) -> Talk {
    let text = [&[0x3e, 0x75, value.len() as u8 + 1, 0][..], value, &[0x3f]].concat();
    let confirmed = |service: u8, rest: &[u8]| bacnet(10, &[&[0, 5, 1, service][..], rest].concat());
    let object = [0x0c, 0, 0x80, 0, 1, 0x19, 0x55];
    vec![
        (Orig, bacnet(11, &[0x10, 8])),
        (Resp, bacnet(11, &[0x10, 0, 0xc4, 2, 0, 0, 1, 0x22, 5, 0xc4, 0x91, 0, 0x21, 1])),
        (Orig, confirmed(12, &object)),
        (Resp, bacnet(10, &[&[0x30, 1, 12][..], &object, &text].concat())),
        (Orig, confirmed(15, &[&object[..], &text].concat())),
        (Resp, bacnet(10, &[0x20, 1, 15])),
        (Orig, confirmed(20, &[&[9, 0, 0x1d, value.len() as u8 + 1, 0][..], value].concat())),
        (Resp, bacnet(10, &[0x50, 1, 20, 0x91, 4, 0x91, 26])),
        (Orig, confirmed(17, &[9, 5, 0x19, 1])),
        (Resp, bacnet(10, &[0x60, 1, 9])),
        (Orig, bacnet(12, &[0, 5, 1, 14])),
    ]
}

fn opcua(kind: &[u8], body: &[u8]) -> Vec<u8> {
    [kind, &(body.len() as u32 + 8).to_le_bytes(), body].concat()
}

fn opcua_text(text: &[u8]) -> Vec<u8> {
    [&(text.len() as u32).to_le_bytes()[..], text].concat()
}

/// A message of OPC UA in the channel's clear: the identifier of its type, then its fields.
pub fn opcua_message(kind: u16, body: &[u8]) -> Vec<u8> {
    opcua(b"MSGF", &[&[1, 0, 0, 0, 1, 0, 0, 0, 51, 0, 0, 0, 1, 0, 0, 0, 1, 0][..], &kind.to_le_bytes(), body].concat())
}

pub fn opcua_talk(value: &str) -> Talk {
    let url = format!("opc.tcp://plc.plant.example:4840/{value}");
    let hello = [&[0; 4][..], &[0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0], &opcua_text(url.as_bytes())].concat();
    let policy = opcua_text(b"http://opcfoundation.org/UA/SecurityPolicy#None");
    let none = [0xff; 4];
    let open = [&[0; 4][..], &policy, &none, &none, &[51, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0xbe, 1], value.as_bytes()].concat();
    let value = value.as_bytes();
    vec![
        (Orig, opcua(b"HELF", &hello)),
        (Resp, opcua(b"ACKF", &[0; 20])),
        (Orig, opcua(b"OPNF", &open)),
        (Resp, opcua(b"OPNF", &open)),
        (Orig, [opcua_message(461, value), opcua_message(467, value)].concat()),
        (Orig, [opcua_message(631, value), opcua_message(673, value), opcua_message(712, value)].concat()),
        (Resp, [opcua_message(634, value), opcua_message(676, value)].concat()),
        (Resp, opcua(b"ERRF", &[&[0, 0, 0x0a, 0x80][..], &opcua_text(value)].concat())),
        (Orig, opcua(b"CLOF", &[&[1, 0, 0, 0, 1, 0, 0, 0, 52, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0xc4, 1][..], value].concat())),
    ]
}
