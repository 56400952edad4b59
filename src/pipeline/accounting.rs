//! What went in, what came out, and where the rest went.

use std::fmt;

use serde::Serialize;

use crate::flow::ShardCounters;
use crate::wire::Skip;

/// Counters of a run. They balance: see [`Accounting::balanced`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accounting {
    /// Frames read.
    pub frames: u64,
    /// Frames that were packets and went to the flow table.
    pub packets: u64,
    /// Bytes of those on the wire.
    pub wire_bytes: u64,
    /// Frames outside the time asked for.
    pub outside_time: u64,
    /// Frames shorter than they were on the wire (cut by the snap length); they are counted as packets too.
    pub cut: u64,
    /// Frames passed over, by reason.
    pub skipped: [u64; Skip::COUNT],
    /// Frames that the kernel or the interface dropped before they could be read (live only).
    pub dropped: u64,
    /// The flow table's account.
    pub flows: ShardCounters,
}

impl Accounting {
    /// Frames passed over for any reason.
    #[must_use]
    pub fn skipped_in_all(&self) -> u64 {
        self.outside_time + self.skipped.iter().sum::<u64>()
    }

    /// frames = packets + Σ skipped, and flows opened = ended + evicted + open.
    #[must_use]
    pub fn balanced(&self) -> bool {
        self.frames == self.packets + self.skipped_in_all() && self.flows.balanced()
    }

    /// Reasons that occurred and their counts.
    pub fn skips(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        let outside = std::iter::once(("outside_time", self.outside_time));
        Skip::ALL.iter().map(|skip| (skip.as_str(), self.skipped[skip.index()])).chain(outside).filter(|&(_, count)| count > 0)
    }
}

impl Serialize for Accounting {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap as _;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("frames", &self.frames)?;
        map.serialize_entry("packets", &self.packets)?;
        map.serialize_entry("wire_bytes", &self.wire_bytes)?;
        map.serialize_entry("cut", &self.cut)?;
        map.serialize_entry("skipped", &self.skips().collect::<std::collections::BTreeMap<_, _>>())?;
        map.serialize_entry("dropped", &self.dropped)?;
        let ShardCounters { opened, ended, evicted, partial, open } = self.flows;
        let flows = [("opened", opened), ("ended", ended), ("evicted", evicted), ("partial", partial), ("open", open)];
        map.serialize_entry("flows", &flows.into_iter().collect::<std::collections::BTreeMap<_, _>>())?;
        map.serialize_entry("balanced", &self.balanced())?;
        map.end()
    }
}

/// A few aligned lines for people.
impl fmt::Display for Accounting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "frames   {} = {} packets", self.frames, self.packets)?;
        for (reason, count) in self.skips() {
            write!(f, " + {count} {reason}")?;
        }
        if self.cut > 0 {
            write!(f, "   ({} cut by the snap length)", self.cut)?;
        }
        if self.dropped > 0 {
            write!(f, "\ndropped  {} frames before they could be read", self.dropped)?;
        }
        let ShardCounters { opened, ended, evicted, partial, open } = self.flows;
        write!(f, "\nflows    {opened} opened = {ended} ended + {evicted} evicted + {open} open; {partial} partial records")?;
        if evicted > 0 {
            write!(f, "\nwarning  the flow table was full: {evicted} flows were ended early (raise --max-flows)")?;
        }
        if !self.balanced() {
            write!(f, "\nwarning  the account does not balance; please report this")?;
        }
        Ok(())
    }
}
