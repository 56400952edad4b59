//! Answers to all who ask a link for a name: LLMNR (RFC 4795) and broadcasts of NetBIOS (RFC 1002, 4.2.13).

use super::count::hash;
use super::dns;
use super::nbns;

/// Says a device that a name is its own?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameAnswer {
    /// Hash of the name in small letters, without domain.
    pub name: u64,
    /// Is it the name by which programs look for a proxy (WPAD)?
    pub is_proxy: bool,
    /// From which port it answers: [`LLMNR`] or [`NETBIOS`].
    pub port: u16,
}

impl NameAnswer {
    fn of(name: &[u8], port: u16) -> Self {
        let name = name.split(|byte| *byte == b'.').next().unwrap_or_default().trim_ascii();
        Self { name: hash(name.iter().map(u8::to_ascii_lowercase)), is_proxy: name.eq_ignore_ascii_case(b"wpad"), port }
    }
}

/// Ports of those who answer.
pub const LLMNR: u16 = 5355;
/// The same of NetBIOS.
pub const NETBIOS: u16 = 137;

/// The answer in a payload that comes from such a port; none where it is about anything but a device's own name, or by a server of names that is asked for those
/// of all (WINS).
#[must_use]
pub fn name_answer(payload: &[u8], from: u16) -> Option<NameAnswer> {
    let name = match from {
        LLMNR => dns::answered(payload),
        NETBIOS => nbns::answered(payload),
        _ => None,
    };
    name.map(|name| NameAnswer::of(&name, from))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn llmnr(flags: u16, name: &str, kind: u8, answers: u8) -> Vec<u8> {
        let name = [&[name.len() as u8], name.as_bytes(), &[0, 0, kind, 0, 1]].concat();
        [&[1, 2][..], &flags.to_be_bytes(), &[0, 1, 0, answers, 0, 0, 0, 0], &name].concat()
    }

    fn netbios(flags: u16, name: &str, suffix: u8, group: u8) -> Vec<u8> {
        let coded =
            format!("{name:<15}").bytes().chain([suffix]).flat_map(|b| [b'A' + (b >> 4), b'A' + (b & 15)]).collect::<Vec<_>>();
        let record = [0, 0x20, 0, 1, 0, 0, 0, 9, 0, 6, group, 0, 10, 0, 0, 66];
        [&[1, 2][..], &flags.to_be_bytes(), &[0, 0, 0, 1, 0, 0, 0, 0, 32], &coded, &[0], &record].concat()
    }

    #[test]
    fn a_device_answers_for_its_name_and_one_name_is_the_same_in_both() {
        let answer = name_answer(&llmnr(0x8000, "Files", 1, 1), LLMNR).unwrap();
        let by_netbios = NameAnswer { port: NETBIOS, ..answer };
        assert_eq!(name_answer(&netbios(0x8500, "FILES", 0x20, 0), NETBIOS), Some(by_netbios));
        assert!(!answer.is_proxy && name_answer(&llmnr(0x8000, "wpad", 28, 1), LLMNR).unwrap().is_proxy);
    }

    #[test]
    fn what_is_no_answer_for_a_name_of_its_own_is_none() {
        assert_eq!(name_answer(&llmnr(0x0000, "files", 1, 0), LLMNR), None, "a question");
        assert_eq!(name_answer(&llmnr(0x8000, "files", 1, 0), LLMNR), None, "nothing answered");
        assert_eq!(name_answer(&llmnr(0x8000, "files", 12, 1), LLMNR), None, "for an address");
        assert_eq!(name_answer(&netbios(0x8580, "FILES", 0x20, 0), NETBIOS), None, "a server of names");
        assert_eq!(name_answer(&netbios(0x8500, "WARD", 0, 0x80), NETBIOS), None, "a group's");
        assert_eq!(name_answer(&netbios(0x8500, "WARD", 0x1d, 0), NETBIOS), None, "of who keeps the list of all");
        assert_eq!(name_answer(&netbios(0x8503, "FILES", 0x20, 0), NETBIOS), None, "an error");
        let whole = netbios(0x8500, "FILES", 0x20, 0);
        assert!((0..whole.len() - 5).all(|end| name_answer(&whole[..end], NETBIOS).is_none()), "what is cut");
    }
}
