//! MQTT 3.1.1 packets.

fn packet(kind: u8, content: &[u8]) -> Vec<u8> {
    let mut packet = vec![kind];
    let mut left = content.len();
    loop {
        let more = left > 127;
        packet.push((left % 128) as u8 | if more { 128 } else { 0 });
        left /= 128;
        if !more {
            break;
        }
    }
    packet.extend(content);
    packet
}

fn text(text: &str) -> Vec<u8> {
    [&(text.len() as u16).to_be_bytes()[..], text.as_bytes()].concat()
}

/// CONNECT with a clean session and 60 s of keep-alive.
pub fn connect(client: &str) -> Vec<u8> {
    packet(0x10, &[text("MQTT"), vec![4, 2, 0, 60], text(client)].concat())
}

/// CONNACK: accepted.
pub fn accepted() -> Vec<u8> {
    packet(0x20, &[0, 0])
}

/// PUBLISH without acknowledgement.
pub fn publish(topic: &str, content: &str) -> Vec<u8> {
    packet(0x30, &[text(topic), content.as_bytes().to_vec()].concat())
}

/// PINGREQ.
pub fn ping() -> Vec<u8> {
    packet(0xc0, &[])
}

/// PINGRESP.
pub fn pong() -> Vec<u8> {
    packet(0xd0, &[])
}
