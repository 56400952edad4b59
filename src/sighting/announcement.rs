//! What a device tells its neighbours on the wire: the same form for LLDP and CDP.

use crate::app::printable;
use crate::wire::{Addr, Mac};

/// Longest name, description or port that is kept, in characters.
const TEXT_CHARS: usize = 120;

/// What a device says that it is able to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities(pub u8);

impl Capabilities {
    /// Repeats signals.
    pub const REPEATER: Self = Self(1);
    /// Switches frames.
    pub const BRIDGE: Self = Self(2);
    /// Is a wireless access point.
    pub const ACCESS_POINT: Self = Self(4);
    /// Routes packets.
    pub const ROUTER: Self = Self(8);
    /// Is a telephone.
    pub const TELEPHONE: Self = Self(16);
    /// Is an end station and nothing else.
    pub const STATION: Self = Self(32);

    const NAMES: [(Self, &'static str); 6] = [
        (Self::REPEATER, "repeater"),
        (Self::BRIDGE, "bridge"),
        (Self::ACCESS_POINT, "access-point"),
        (Self::ROUTER, "router"),
        (Self::TELEPHONE, "telephone"),
        (Self::STATION, "station"),
    ];

    /// Are all of these among them?
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The same and this one, when `holds`.
    #[must_use]
    pub(super) const fn with(self, other: Self, holds: bool) -> Self {
        if holds { Self(self.0 | other.0) } else { self }
    }

    /// Their names.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES.into_iter().filter(move |(one, _)| self.has(*one)).map(|(_, name)| name)
    }
}

/// What a device told its neighbours of itself. All text is printable ASCII of at most 120 characters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Announcement {
    /// Was it CDP? Else LLDP.
    pub is_cdp: bool,
    /// The MAC address that stands for the whole device, where its identifier is one.
    pub chassis_mac: Option<Mac>,
    /// The device's identifier where it is no MAC address: a name, a serial number, an address.
    pub chassis: Option<Box<str>>,
    /// The port that sent it, as the device calls it.
    pub port: Option<Box<str>>,
    /// The device's name.
    pub name: Option<Box<str>>,
    /// First line of the description of system and software.
    pub description: Option<Box<str>>,
    /// The hardware's name (CDP's platform).
    pub platform: Option<Box<str>>,
    /// What the device is able to do: what is in use, in LLDP.
    pub capabilities: Capabilities,
    /// Address for management.
    pub address: Option<Addr>,
    /// VLAN of untagged frames (CDP); 0 when not told.
    pub native_vlan: u16,
}

/// The first line of a text that is not empty, or nothing.
pub(super) fn line(text: &[u8]) -> Option<Box<str>> {
    let text = text.split(|b| *b == 0).next().unwrap_or_default().trim_ascii();
    let first = text.split(|b| matches!(b, b'\r' | b'\n')).next().unwrap_or_default().trim_ascii();
    (!first.is_empty()).then(|| printable(first, TEXT_CHARS))
}
