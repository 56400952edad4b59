//! Rings that share an interface's frames among themselves: packet(7), PACKET_FANOUT.

use std::os::fd::BorrowedFd;

use nix::errno::Errno;
use nix::sys::socket::{getsockopt, setsockopt};
use nix::{getsockopt_impl, setsockopt_impl, sockopt_impl};

sockopt_impl!(
    /// The number of a group in the lower half, its kind in the upper one.
    Fanout,
    Both,
    nix::libc::SOL_PACKET,
    nix::libc::PACKET_FANOUT,
    u32
);

/// A group of rings, of which each frame goes to one: all frames of a conversation, both directions, to the same one as long as that has
/// room, and to another when it has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Group(u32);

impl Group {
    const KIND: u32 = nix::libc::PACKET_FANOUT_HASH | nix::libc::PACKET_FANOUT_FLAG_ROLLOVER;
    const NUMBER: u32 = 0xffff;

    /// Makes a group of this ring, of a number that no other of this network namespace has.
    pub(super) fn new(ring: &BorrowedFd<'_>) -> Result<Self, Errno> {
        setsockopt(ring, Fanout, &((Self::KIND | nix::libc::PACKET_FANOUT_FLAG_UNIQUEID) << 16))?;
        Ok(Self(getsockopt(ring, Fanout)? & Self::NUMBER))
    }

    /// Takes this ring in. The group ends with its last ring.
    pub(super) fn join(self, ring: &BorrowedFd<'_>) -> Result<(), Errno> {
        setsockopt(ring, Fanout, &(self.0 | Self::KIND << 16))
    }
}
