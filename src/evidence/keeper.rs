//! From notices and packets to files.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::account::EvidenceAccount;
use super::file::File;
use super::folder::{Folder, FolderError, Refused, file_name};
use super::followed::Followed;
use super::ring::Ring;
use super::slice::{Cut, Slice, Slices};
use crate::capture::{Block, Source};
use crate::detect::Notice;
use crate::feature::Host;
use crate::pseudonym::{self, Pseudonyms};
use crate::time::Timestamp;
use crate::wire::{Addr, Frame, decode};

/// Bytes that wait to be written at the most.
const MOST_WAITING: usize = 8 << 20;

/// How evidence is kept.
#[derive(Clone, Copy, Debug)]
pub struct EvidenceConfig {
    /// How much of each frame.
    pub cut: Cut,
    /// Bytes of all files in the folder at the most.
    pub most_bytes: u64,
    /// Bytes of memory for the latest packets, where they cannot be read a second time; nothing where they can.
    pub ring_bytes: Option<usize>,
}

/// Writes the packets of incidents that were told.
pub struct Evidence {
    config: EvidenceConfig,
    ring: Option<Ring>,
    followed: Followed,
    files: BTreeMap<u64, File>,
    /// Names of these.
    open: BTreeSet<Arc<str>>,
    /// Bytes that wait to be written.
    waiting: usize,
    folder: Folder,
    /// What replaces addresses, as it did in what incidents say.
    pseudonyms: Option<Pseudonyms>,
    account: EvidenceAccount,
    /// Is told what cannot be written, the first time, and what cannot be put in order.
    tell: fn(&str),
    has_told_of_order: bool,
}

impl Evidence {
    /// Evidence in this folder, which is made where it is missing. `tell` is told once when something cannot be written.
    ///
    /// # Errors
    /// When files cannot be written there.
    pub fn open(folder: &Path, config: EvidenceConfig, tell: fn(&str)) -> Result<Self, FolderError> {
        Ok(Self {
            config,
            ring: config.ring_bytes.map(Ring::new),
            followed: Followed::default(),
            files: BTreeMap::new(),
            open: BTreeSet::new(),
            waiting: 0,
            folder: Folder::open(folder, config.most_bytes)?,
            pseudonyms: None,
            account: EvidenceAccount::default(),
            tell,
            has_told_of_order: false,
        })
    }

    /// Replaces addresses in packets by these pseudonyms, by which incidents know them already.
    #[must_use]
    pub fn hiding(self, pseudonyms: Option<Pseudonyms>) -> Self {
        Self { pseudonyms, ..self }
    }

    /// Removes files of incidents that are over, of which `is_over` says that they were kept long enough. Returns how many.
    ///
    /// # Errors
    /// The first file that could not be removed.
    pub fn forget(&mut self, is_over: impl Fn(&Path) -> bool) -> io::Result<usize> {
        self.folder.forget(|name| self.open.contains(name), is_over)
    }

    /// Keeps the packets of a notice's incident. Returns the name of its file in the folder; nothing where there are too many
    /// incidents to follow this one too.
    pub fn notice(&mut self, notice: &Notice) -> Option<Arc<str>> {
        if !self.followed.notice(notice) {
            return None;
        }
        let incident = &notice.incident;
        let what = match self.config.cut {
            Cut::Headers => "headers only",
            Cut::Whole => "with payload",
        };
        let new = || File::new(file_name(incident.id, incident.first).into(), incident, what);
        let file = self.files.entry(incident.id).or_insert_with(new);
        self.open.insert(Arc::clone(&file.name));
        Some(Arc::clone(&file.name))
    }

    /// An answer hides an incident from now on: its packets are kept no more. `is_over` when it ended hidden.
    pub fn hide(&mut self, id: u64, now: Timestamp, is_over: bool) {
        self.followed.hide(id, now, is_over);
    }

    /// No answer hides an incident any more: its packets are kept, with those that came meanwhile where they are still to be had.
    pub fn show(&mut self, id: u64) {
        self.followed.show(id);
    }

    /// Learns that an address is a device's that incidents know by another.
    pub fn alias(&mut self, address: Addr, device: Host) {
        self.followed.alias(address, device);
    }

    /// Takes the packets that came before the next tick. Only where there is a ring.
    pub fn packets(&mut self, mut slices: Slices) {
        if let Some(pseudonyms) = &mut self.pseudonyms {
            slices.rename(|addr| pseudonyms.addr(addr));
        }
        self.account.left_out.too_much_at_once += slices.left_out;
        if !self.followed.is_empty() {
            for slice in slices.iter_from(0) {
                self.offer(&slice);
            }
        }
        if let Some(ring) = &mut self.ring {
            ring.push(slices);
        }
    }

    /// Takes a packet, if it belongs to incidents.
    fn offer(&mut self, slice: &Slice<'_>) {
        for id in self.followed.of(slice) {
            self.put(id, slice);
        }
    }

    fn put(&mut self, id: u64, slice: &Slice<'_>) {
        let Some(file) = self.files.get_mut(&id) else { return };
        let before = file.blocks().len();
        let mut hidden = Vec::new();
        let slice = match &mut self.pseudonyms {
            Some(pseudonyms) => &hide(slice, &mut hidden, pseudonyms),
            None => slice,
        };
        if file.is_over {
            self.account.left_out.folder_full += 1;
        } else if !file.push(slice, self.config.most_bytes) {
            self.account.left_out.incident_full += 1;
        }
        self.waiting += file.blocks().len() - before;
        if self.waiting > MOST_WAITING {
            self.write_all();
        }
    }

    /// A tick is over: looks for what its notices ask for, and writes all that waits.
    pub fn tick(&mut self) {
        if let Some(ring) = self.ring.take() {
            self.search(&ring);
            self.ring = Some(ring);
            self.write_all();
            for id in self.followed.let_go_of_closed() {
                if let Some(file) = self.files.remove(&id) {
                    self.put_in_order(&file);
                    self.open.remove(&file.name);
                }
            }
        }
    }

    /// Looks into the ring for what is followed since it was searched last.
    fn search(&mut self, ring: &Ring) {
        let fresh = self.followed.fresh();
        let Some(&first) = fresh.values().min() else { return };
        for (id, first) in fresh {
            if let Some(file) = self.files.get_mut(&id).filter(|file| !file.lacks_beginning && ring.has_lost(first)) {
                file.lacks_beginning = true;
                self.account.begun_before_ring += 1;
            }
        }
        for slice in ring.since(first) {
            for id in self.followed.newly_of(&slice) {
                self.put(id, &slice);
            }
        }
        self.followed.settle();
    }

    /// Reads the first `frames` frames of the captures a second time, for what incidents ask for by now, as long as it `goes_on`,
    /// which is asked after each block.
    pub fn read_again<S: Source>(&mut self, source: &mut S, frames: u64, goes_on: &mut dyn FnMut(&S) -> bool) {
        self.followed.settle();
        let Some((first, last)) = self.followed.span() else { return };
        let mut block = Block::default();
        let (mut left, mut more) = (frames, true);
        while more && left > 0 && goes_on(source) {
            // Damage was told the first time; what is missing beyond it is counted.
            more = source.fill(&mut block).unwrap_or(true);
            for span in block.frames.iter().take(usize::try_from(left).unwrap_or(usize::MAX)) {
                if span.time < first || span.time > last {
                    continue;
                }
                let frame = block.frame(span);
                let slice = match decode(&frame) {
                    Ok(packet) => Some(Slice::of_packet(&frame, &packet, self.config.cut)),
                    Err(skip) => Slice::of_skipped(&frame, skip, self.config.cut),
                };
                if let Some(slice) = slice {
                    let slice = match &mut self.pseudonyms {
                        Some(pseudonyms) => slice.renamed(|addr| pseudonyms.addr(addr)),
                        None => slice,
                    };
                    self.offer(&slice);
                }
            }
            left = left.saturating_sub(block.frames.len() as u64);
        }
        self.account.not_read_again = left;
    }

    /// Writes what waits. Nothing more will come.
    #[must_use]
    pub fn finish(mut self) -> EvidenceAccount {
        self.tick();
        self.write_all();
        std::mem::take(&mut self.files).values().for_each(|file| self.put_in_order(file));
        self.account.not_followed = self.followed.refused;
        self.account
    }

    fn write_all(&mut self) {
        let waiting = self.files.iter().filter(|(_, file)| file.waiting > 0);
        let mut waiting: Vec<(Arc<str>, u64)> = waiting.map(|(&id, file)| (Arc::clone(&file.name), id)).collect();
        // In the order of time: where there is not room for all, the latest stay.
        waiting.sort_unstable();
        waiting.into_iter().for_each(|(_, id)| self.write(id));
        self.waiting = 0;
    }

    fn write(&mut self, id: u64) {
        let Some(mut file) = self.files.remove(&id) else { return };
        let (removed, written) = if file.is_over { (Vec::new(), Err(Refused::Full)) } else { self.append(&file) };
        self.account.removed_files += removed.len() as u64;
        for name in removed {
            self.files.values_mut().filter(|other| *other.name == *name).for_each(|other| other.is_over = true);
        }
        match written {
            Ok(()) => {
                self.account.files += u64::from(file.packets == 0);
                self.account.bytes += file.blocks().len() as u64;
                self.account.packets += file.written();
            }
            Err(Refused::Full) => self.account.left_out.folder_full += file.not_written(),
            Err(Refused::Unwritable(error)) => {
                if self.account.left_out.unwritable == 0 {
                    let place = self.folder.path().join(&*file.name);
                    (self.tell)(&format!("{}: evidence cannot be written: {error}", place.display()));
                }
                self.account.left_out.unwritable += file.not_written();
            }
        }
        self.files.insert(id, file);
    }

    /// What joined an incident late stands behind what was written before: a file that grows no more is put in order.
    fn put_in_order(&mut self, file: &File) {
        if !file.is_in_order
            && !file.is_over
            && file.packets > 0
            && let Err(error) = self.folder.put_in_order(&file.name)
            && !std::mem::replace(&mut self.has_told_of_order, true)
        {
            let place = self.folder.path().join(&*file.name);
            (self.tell)(&format!("{}: its packets cannot be put in the order of their time: {error}", place.display()));
        }
    }

    fn append(&mut self, file: &File) -> (Vec<String>, Result<(), Refused>) {
        if file.packets == 0
            && let Err(error) = self.folder.begin(&file.name)
        {
            return (Vec::new(), Err(Refused::Unwritable(error)));
        }
        self.folder.append(&file.name, file.blocks(), |name| self.open.contains(name))
    }
}

/// A packet with the addresses in its bytes replaced; what may hold others is cut off.
fn hide<'b>(slice: &Slice<'_>, bytes: &'b mut Vec<u8>, pseudonyms: &mut Pseudonyms) -> Slice<'b> {
    bytes.extend_from_slice(slice.frame.data);
    let kept = pseudonym::frame(bytes, slice.frame.link, pseudonyms);
    bytes.truncate(kept);
    let Slice { frame: Frame { time, link, wire_bytes, .. }, subject, also } = *slice;
    Slice { frame: Frame { time, link, wire_bytes, data: bytes }, subject, also }
}
