//! Whether an interface is there and can be heard, as Linux tells in its files.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// How an interface stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    /// It hears, as far as the system tells; its number, where it has one.
    Up(Option<u32>),
    /// It is switched off, or nothing is plugged in.
    Down(u32),
    /// There is none of that name.
    Gone,
}

/// Looks how `interface` stands. It is taken to be up where the system does not tell: it has no such files, they may not be read, or
/// it is `any`.
pub(super) fn look(interface: &str) -> Presence {
    let folder = folder(interface);
    if interface == "any" || !folder.parent().is_some_and(Path::exists) {
        return Presence::Up(None);
    }
    let index = match number(&folder, "ifindex") {
        Ok(index) => index,
        Err(error) if error.kind() == ErrorKind::NotFound => return Presence::Gone,
        Err(_) => return Presence::Up(None),
    };
    // "operstate" says the same up to a second later.
    match number(&folder, "carrier") {
        Ok(0) => Presence::Down(index),
        // Where it is switched off there is nothing to read.
        Err(error) if error.kind() == ErrorKind::InvalidInput => Presence::Down(index),
        Ok(_) | Err(_) => Presence::Up(Some(index)),
    }
}

/// The interfaces that there are, in the order of their names; none where the system does not tell. (libpcap's own list also asks for what
/// is no network interface, and fails as a whole where a part of that may not be asked for.)
pub(super) fn names() -> Vec<String> {
    let entries = fs::read_dir(folder("")).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort_unstable();
    names
}

/// Bytes of the largest packet that `interface` carries, without its header.
pub(super) fn mtu(interface: &str) -> Option<u32> {
    number(&folder(interface), "mtu").ok()
}

/// Has its card a clock of its own (a PTP hardware clock)?
pub(super) fn has_clock(interface: &str) -> bool {
    folder(interface).join("device/ptp").exists()
}

fn folder(interface: &str) -> PathBuf {
    Path::new("/sys/class/net").join(interface)
}

fn number(folder: &Path, file: &str) -> io::Result<u32> {
    fs::read_to_string(folder.join(file))?.trim().parse().map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_what_is_there_from_what_is_not() {
        if !Path::new("/sys/class/net/lo").exists() {
            return;
        }
        assert!(matches!(look("lo"), Presence::Up(Some(_)) | Presence::Down(_)));
        assert_eq!((look("nosuch0"), look("any")), (Presence::Gone, Presence::Up(None)));
        assert!(mtu("lo").is_some_and(|bytes| bytes >= 1280) && mtu("nosuch0").is_none());
    }
}
