//! NTP: who tells whom the time, and commands that attacks use for amplification (RFC 5905, 7.3; RFC 9327 for mode 6).

use serde::Serialize;

use super::count::bump;
use super::listen::{Heard, Listen, Place};

/// Facts of a flow of NTP.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct NtpFacts {
    /// Version of the last message, 1 to 4.
    pub version: u8,
    /// Messages of clients (mode 3).
    pub client: u32,
    /// Answers of servers (mode 4).
    pub server: u32,
    /// Messages among equals (modes 1 and 2).
    pub symmetric: u32,
    /// Broadcasts (mode 5).
    pub broadcast: u32,
    /// Control messages (mode 6).
    pub control: u32,
    /// Messages of private use (mode 7): an old way to ask a server for its state.
    pub private: u32,
    /// Requests for the list of a server's last clients, whose answer is far longer (mode 7, codes 20 and 42).
    pub monlist: u32,
    /// Stratum of the last answer: 1 is a reference clock, 2 to 15 are behind one, 16 is not in step.
    pub stratum: u8,
    /// Answers of stratum 0 that ask the client to stop or slow down.
    pub kiss_of_death: u32,
}

impl Listen for NtpFacts {
    const MOST_LOOKS: Option<u8> = None;

    fn hear(&mut self, heard: &Heard<'_>, _: &mut Place) -> bool {
        self.message(heard.payload.bytes);
        true
    }
}

impl NtpFacts {
    fn message(&mut self, message: &[u8]) {
        let [first, second, ..] = message else { return };
        self.version = first >> 3 & 7;
        let counter = match first & 7 {
            1 | 2 => &mut self.symmetric,
            3 => &mut self.client,
            4 => {
                if *second == 0 {
                    bump(&mut self.kiss_of_death);
                }
                self.stratum = *second;
                &mut self.server
            }
            5 => {
                self.stratum = *second;
                &mut self.broadcast
            }
            6 => &mut self.control,
            7 => {
                // Behind a number and the implementation, of a request alone.
                if first & 0x80 == 0 && matches!(message.get(3), Some(20 | 42)) {
                    bump(&mut self.monlist);
                }
                &mut self.private
            }
            _ => return,
        };
        bump(counter);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_strata_and_lists_of_clients() {
        let mut ntp = NtpFacts::default();
        for message in
            [&[0x23, 0][..], &[0x24, 2], &[0x24, 0], &[0x17, 0, 3, 42], &[0x97, 0, 3, 42], &[0x16, 1], &[0x23], &[0x20, 0]]
        {
            ntp.message(message);
        }
        assert_eq!((ntp.client, ntp.server, ntp.private, ntp.monlist, ntp.control), (1, 2, 2, 1, 1));
        assert_eq!((ntp.version, ntp.stratum, ntp.kiss_of_death), (4, 0, 1));
    }
}
