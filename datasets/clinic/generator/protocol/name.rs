//! DNS messages (RFC 1035), also as multicast DNS (RFC 6762).

/// Record type A.
pub const A: u16 = 1;
/// Record type PTR.
pub const PTR: u16 = 12;
/// Record type TXT.
pub const TXT: u16 = 16;
/// Record type AAAA.
pub const AAAA: u16 = 28;

fn message(id: u16, flags: u16, counts: [u16; 4], name: &str, kind: u16) -> Vec<u8> {
    let mut message = Vec::new();
    for word in [id, flags].into_iter().chain(counts) {
        message.extend(word.to_be_bytes());
    }
    for label in name.split('.') {
        message.push(label.len().min(63) as u8);
        message.extend(label.bytes().take(63));
    }
    message.push(0);
    message.extend(kind.to_be_bytes());
    message.extend([0, 1]);
    message
}

/// A question with recursion desired.
pub fn question(id: u16, name: &str, kind: u16) -> Vec<u8> {
    message(id, 0x0100, [1, 0, 0, 0], name, kind)
}

/// A question to the neighbours.
pub fn multicast_question(name: &str) -> Vec<u8> {
    message(0, 0, [1, 0, 0, 0], name, PTR)
}

/// An answer with one record of this content.
pub fn answer(id: u16, name: &str, kind: u16, ttl_s: u32, content: &[u8]) -> Vec<u8> {
    let mut answer = message(id, 0x8180, [1, 1, 0, 0], name, kind);
    answer.extend([0xc0, 0x0c]);
    answer.extend(kind.to_be_bytes());
    answer.extend([0, 1]);
    answer.extend(ttl_s.to_be_bytes());
    answer.extend((content.len() as u16).to_be_bytes());
    answer.extend(content);
    answer
}

/// An answer without a record; `rcode` 0 is "nothing of this type", 3 "no such name".
pub fn nothing(id: u16, name: &str, kind: u16, rcode: u16) -> Vec<u8> {
    message(id, 0x8180 | rcode, [1, 0, 0, 0], name, kind)
}
