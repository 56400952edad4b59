//! What went in, what came out, and where the rest went.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::loss::{TcpAccount, share};
use crate::capture::{InterfaceAccount, link_type_name};
use crate::flow::ShardCounters;
use crate::wire::{Frame, LinkType, Skip};

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
    /// Frames whose packet another frame had brought a moment before.
    pub copies: u64,
    /// Of these, those that are not counted as packets, since the port mirrored both ends of conversations.
    pub duplicates: u64,
    /// Packets with a wrong checksum of IPv4, TCP, UDP or ICMP.
    pub bad_checksums: u64,
    /// Packets whose checksum was not filled in when they were captured.
    pub unfilled_checksums: u64,
    /// Packets that were fragments.
    pub fragments: u64,
    /// Of these, such as honest senders never make (see [`Fragment::odd`](crate::wire::Fragment::odd)).
    pub odd_fragments: u64,
    /// Frames passed over, by reason.
    pub skipped: [u64; Skip::COUNT],
    /// Frames of link types that are not read, by type.
    pub link_types: BTreeMap<LinkType, u64>,
    /// Frames passed over by their EtherType, where they have one, whatever the reason.
    pub ether_types: BTreeMap<u16, u64>,
    /// Frames that the kernel or the interface dropped before they could be read (live only).
    pub dropped: u64,
    /// Packets of whole flows that were let go since there was more than could be judged (live only).
    pub shed: u64,
    /// By interface (live only).
    pub interfaces: Vec<InterfaceAccount>,
    /// What TCP tells of frames that were never captured.
    pub tcp: TcpAccount,
    /// Was more lost than the limit, within a minute or in all?
    pub is_loss_exceeded: bool,
    /// Sightings of devices that were more than are kept in a second; their frames are counted as all others.
    pub sightings_dropped: u64,
    /// The flow table's account.
    pub flows: ShardCounters,
}

impl Accounting {
    /// Counts a frame that is no packet.
    #[cold]
    pub(super) fn skip(&mut self, frame: &Frame<'_>, reason: Skip) {
        self.skipped[reason.index()] += 1;
        if reason == Skip::UnsupportedLinkType {
            *self.link_types.entry(frame.link).or_default() += 1;
        } else if let Some(ether_type) = frame.ether_type() {
            *self.ether_types.entry(ether_type).or_default() += 1;
        }
    }

    /// Takes over what the source says of its interfaces.
    pub(super) fn heard_by(&mut self, interfaces: Vec<InterfaceAccount>) {
        self.dropped = interfaces.iter().map(InterfaceAccount::dropped).sum();
        self.interfaces = interfaces;
    }

    /// Link types that are not read, by number and name, and how many frames had them.
    fn link_type_counts(&self) -> impl Iterator<Item = (String, u64)> + '_ {
        self.link_types.iter().map(|(&link, &count)| match link_type_name(link) {
            Some(name) => (format!("{} {name}", link.0), count),
            None => (link.0.to_string(), count),
        })
    }

    /// Frames passed over for any reason.
    #[must_use]
    pub fn skipped_in_all(&self) -> u64 {
        self.outside_time + self.duplicates + self.skipped.iter().sum::<u64>()
    }

    /// frames = packets + Σ skipped + shed, and flows opened = ended + evicted + open.
    #[must_use]
    pub fn balanced(&self) -> bool {
        self.frames == self.packets + self.skipped_in_all() + self.shed && self.flows.balanced()
    }

    /// Reasons that occurred and their counts.
    pub fn skips(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        let others = [("outside_time", self.outside_time), ("duplicate", self.duplicates)];
        Skip::ALL.iter().map(|skip| (skip.as_str(), self.skipped[skip.index()])).chain(others).filter(|&(_, count)| count > 0)
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
        map.serialize_entry("skipped", &self.skips().collect::<BTreeMap<_, _>>())?;
        map.serialize_entry("skipped_link_types", &self.link_type_counts().collect::<BTreeMap<_, _>>())?;
        let ether_types = self.ether_types.iter().map(|(ether_type, count)| (format!("0x{ether_type:04x}"), count));
        map.serialize_entry("skipped_ether_types", &ether_types.collect::<BTreeMap<_, _>>())?;
        map.serialize_entry("copies", &self.copies)?;
        map.serialize_entry("bad_checksums", &self.bad_checksums)?;
        map.serialize_entry("unfilled_checksums", &self.unfilled_checksums)?;
        map.serialize_entry("fragments", &self.fragments)?;
        map.serialize_entry("odd_fragments", &self.odd_fragments)?;
        map.serialize_entry("dropped", &self.dropped)?;
        map.serialize_entry("shed", &self.shed)?;
        map.serialize_entry("loss_exceeded", &self.is_loss_exceeded)?;
        map.serialize_entry("tcp", &self.tcp)?;
        if !self.interfaces.is_empty() {
            map.serialize_entry("interfaces", &self.interfaces.iter().map(interface_json).collect::<Vec<_>>())?;
        }
        map.serialize_entry("sightings_dropped", &self.sightings_dropped)?;
        let ShardCounters { opened, ended, evicted, partial, open } = self.flows;
        let flows = [("opened", opened), ("ended", ended), ("evicted", evicted), ("partial", partial), ("open", open)];
        map.serialize_entry("flows", &flows.into_iter().collect::<BTreeMap<_, _>>())?;
        map.serialize_entry("balanced", &self.balanced())?;
        map.end()
    }
}

fn interface_json(of: &InterfaceAccount) -> serde_json::Value {
    serde_json::json!({
        "interface": of.interface, "frames": of.frames, "rings": of.rings, "received": of.kernel.received, "dropped_kernel": of.kernel.dropped_kernel,
        "dropped_interface": of.kernel.dropped_interface, "joined": of.joined, "outages": of.outages,
        "unheard_s": of.unheard.as_seconds(), "is_away": of.is_away,
    })
}

/// What was not heard, and why.
fn write_hearing(account: &Accounting, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if account.dropped > 0 {
        let percent = 100.0 * share(account.dropped, account.frames);
        write!(f, "\ndropped  {} frames before they could be read, {percent:.2} % of all", account.dropped)?;
    }
    if account.shed > 0 {
        write!(f, "\nshed     {} packets of whole flows: more came than could be judged", account.shed)?;
    }
    for of in &account.interfaces {
        let name = &of.interface;
        if account.interfaces.len() > 1 || of.dropped() > 0 {
            let kernel = &of.kernel;
            write!(f, "\nheard    {name}: {} frames", of.frames)?;
            write!(f, ", dropped {} by the kernel and {} by the interface", kernel.dropped_kernel, kernel.dropped_interface)?;
        }
        if of.outages > 0 {
            write!(
                f,
                "\nwarning  {name} was not heard for {:.0} s: it was down or away {} times",
                of.unheard.as_seconds(),
                of.outages
            )?;
        }
        if of.joined > 0 {
            write!(
                f,
                "\nwarning  {} frames of {name} were joined from several on their way here, so that sizes and counts are",
                of.joined
            )?;
            write!(f, " not those of the network (ethtool -K {name} gro off lro off)")?;
        }
    }
    if account.tcp.missing_share() > 0.01 {
        let percent = 100.0 * account.tcp.missing_share();
        write!(
            f,
            "\nwarning  {percent:.1} % of the bytes of TCP were acknowledged and never captured: frames were lost on their way here"
        )?;
    }
    if account.tcp.is_one_way() {
        let TcpAccount { one_way, two_way, .. } = account.tcp;
        write!(f, "\nwarning  {one_way} TCP conversations were heard one way only, {two_way} both ways: does the port mirror")?;
        write!(f, " what is sent and what is received?")?;
    }
    Ok(())
}

/// A few aligned lines for people.
impl fmt::Display for Accounting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "frames   {} = {} packets", self.frames, self.packets)?;
        for (reason, count) in self.skips() {
            write!(f, " + {count} {reason}")?;
        }
        if self.shed > 0 {
            write!(f, " + {} shed", self.shed)?;
        }
        if self.cut > 0 {
            write!(f, "   ({} cut by the snap length)", self.cut)?;
        }
        for (link_type, count) in self.link_type_counts() {
            write!(f, "\nwarning  link type {link_type} is not read: {count} frames passed over")?;
        }
        if self.duplicates > 0 {
            write!(
                f,
                "\nnote     {} frames brought a packet a second time, as a port does that mirrors both ends: counted once (--keep-duplicates counts all)",
                self.duplicates
            )?;
        }
        if self.bad_checksums > 0 {
            write!(f, "\nnote     {} packets have a wrong checksum", self.bad_checksums)?;
        }
        if self.unfilled_checksums > 0 {
            write!(
                f,
                "\nnote     {} packets were captured on their sender, before their checksum was filled in",
                self.unfilled_checksums
            )?;
        }
        if self.odd_fragments > 0 {
            write!(
                f,
                "\nwarning  {} of {} fragments overlap, are too short or reach too far: somebody may be hiding from filters",
                self.odd_fragments, self.fragments
            )?;
        }
        write_hearing(self, f)?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    #[test]
    fn a_frame_that_is_no_packet_counts_by_what_it_is() {
        let tagged_arp = [&[0; 12][..], &[0x81, 0, 0, 5, 8, 6]].concat();
        let frame = |link, data| Frame { time: Timestamp::MIN, link, wire_bytes: 18, data };
        let mut account = Accounting::default();
        account.skip(&frame(LinkType::ETHERNET, &tagged_arp), Skip::Arp);
        account.skip(&frame(LinkType(230), &tagged_arp), Skip::UnsupportedLinkType);
        account.skip(&frame(LinkType::ETHERNET, &[]), Skip::TruncatedLink);
        assert_eq!((account.skipped_in_all(), account.ether_types.get(&0x0806)), (3, Some(&1)));
        let stats = serde_json::to_value(&account).unwrap();
        assert_eq!(stats["skipped_link_types"], serde_json::json!({"230 IEEE802_15_4_NOFCS": 1}));
        assert_eq!(stats["skipped_ether_types"], serde_json::json!({"0x0806": 1}));
    }
}
