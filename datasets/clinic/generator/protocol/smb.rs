//! SMB 3 over TCP port 445 (MS-SMB2 2.2).

use crate::generator::random::Rng;
use crate::generator::tcp::{Filler, Message};

/// Commands (MS-SMB2 2.2.1.2).
pub mod command {
    /// NEGOTIATE.
    pub const NEGOTIATE: u16 = 0;
    /// SESSION_SETUP.
    pub const SESSION_SETUP: u16 = 1;
    /// TREE_CONNECT.
    pub const TREE_CONNECT: u16 = 3;
    /// CREATE: opens a file.
    pub const CREATE: u16 = 5;
    /// CLOSE.
    pub const CLOSE: u16 = 6;
    /// READ.
    pub const READ: u16 = 8;
    /// WRITE.
    pub const WRITE: u16 = 9;
    /// QUERY_DIRECTORY.
    pub const QUERY_DIRECTORY: u16 = 14;
    /// SET_INFO: renames, among others.
    pub const SET_INFO: u16 = 17;
}

/// A message with this command and `bytes` bytes behind its header.
pub fn message(command: u16, number: u64, response: bool, bytes: usize) -> Message {
    let mut head = ((64 + bytes) as u32).to_be_bytes().to_vec();
    head.extend([0xfe, b'S', b'M', b'B', 64, 0, 1, 0, 0, 0, 0, 0]);
    head.extend(command.to_le_bytes());
    head.extend([32, 0, u8::from(response), 0, 0, 0, 0, 0, 0, 0]);
    head.extend(number.to_le_bytes());
    head.extend([0xff, 0xfe, 0, 0, 1, 0, 0, 0]);
    head.extend([7, 0, 0, 0, 0, 4, 0, 0]);
    head.extend([0; 16]);
    let body = [structure_bytes(command, response).to_le_bytes().to_vec(), vec![0; 62]].concat();
    head.extend(body.iter().take(bytes));
    Message::new(head, 4 + 64 + bytes, Filler::Noise)
}

/// What the first field of a message's body says (MS-SMB2 2.2.3 to 2.2.40): its fixed size, with one more where something
/// of variable length follows.
fn structure_bytes(command: u16, response: bool) -> u16 {
    let (request, answer) = match command {
        command::NEGOTIATE => (36, 65),
        command::SESSION_SETUP => (25, 9),
        command::TREE_CONNECT => (9, 16),
        command::CREATE => (57, 89),
        command::CLOSE => (24, 60),
        command::READ | command::WRITE => (49, 17),
        command::QUERY_DIRECTORY => (33, 9),
        _ => (33, 2),
    };
    if response { answer } else { request }
}

/// The size of an ordinary file of an office.
pub fn file_bytes(rng: &mut Rng) -> usize {
    rng.heavy(16_000).clamp(600, 120_000)
}
