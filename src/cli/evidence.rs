//! `--evidence`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::atomic::Ordering;

use anyhow::Context as _;
use clap::Args;

use super::exit::{Usage, in_one_line};
use super::hidden::Hidden;
use super::progress::Bar;
use super::sinks::size;
use super::stop;
use crate::capture::{Files, Input, Source as _, open};
use crate::detect::{Answers, IncidentState, Notice, Subject};
use crate::evidence::{Cut, Evidence, EvidenceAccount, EvidenceConfig, Slices};
use crate::feature::Host;
use crate::pipeline::{PipelineConfig, Progress};
use crate::sink::Retention;
use crate::time::Timestamp;
use crate::wire::Addr;

/// Packets of incidents.
#[derive(Debug, Args)]
#[command(next_help_heading = "Evidence")]
pub struct EvidenceArgs {
    /// Write the packets of every incident that is told to a pcapng file in this folder, cut to their headers
    #[arg(long, value_name = "DIR")]
    pub evidence: Option<PathBuf>,
    /// Write whole packets, with what people said and sent
    #[arg(long, requires = "evidence")]
    pub evidence_payload: bool,
    /// Bytes of all these files in the folder at the most; the oldest go first (65536, 500K, 100M, 2G)
    #[arg(long, value_name = "SIZE", value_parser = size, default_value = "1G", requires = "evidence")]
    pub evidence_max: u64,
    /// Bytes of memory for the latest packets, where they cannot be read again: an incident is told after its first packets
    #[arg(long, value_name = "SIZE", value_parser = size, default_value = "64M", requires = "evidence")]
    pub evidence_ring: u64,
}

impl EvidenceArgs {
    /// Opens the folder; nothing where no evidence is wanted. Captures that can be read `again` are; else the pipeline hands packets on
    /// while it reads.
    ///
    /// # Errors
    /// When files cannot be written to the folder.
    pub fn open(
        &self,
        again: Option<&Files>,
        pipeline: &mut PipelineConfig,
        (hidden, retention): (Option<&Hidden>, Option<Retention>),
    ) -> anyhow::Result<Option<EvidenceOutput>> {
        let Some(folder) = &self.evidence else { return Ok(None) };
        if hidden.is_some() && self.evidence_payload {
            return Err(Usage(
                "--evidence-payload with --pseudonyms: payloads hold names and addresses that no key hides".to_owned(),
            )
            .into());
        }
        let cut = if self.evidence_payload { Cut::Whole } else { Cut::Headers };
        // What has no size is a pipe.
        let again = again.filter(|files| files.progress().is_some());
        let inputs: Option<Vec<Input>> = again.map(|files| files.files().iter().map(|file| file.input.clone()).collect());
        let ring_bytes = if inputs.is_none() { Some(usize::try_from(self.evidence_ring)?) } else { None };
        if inputs.is_none() {
            pipeline.packets = Some(cut);
        }
        let config = EvidenceConfig { cut, most_bytes: self.evidence_max, ring_bytes };
        let evidence = Evidence::open(folder, config, |text| tell!("auscult: {text}"))?;
        let evidence = evidence.hiding(hidden.map(Hidden::pseudonyms));
        let mut output = EvidenceOutput { evidence, inputs, told: BTreeMap::new(), folder: folder.clone(), retention, ticks: 0 };
        output.forget()?;
        Ok(Some(output))
    }
}

/// The packets of incidents that are told.
pub struct EvidenceOutput {
    evidence: Evidence,
    /// Captures to be read again.
    inputs: Option<Vec<Input>>,
    /// Open incidents that were told, as their latest line has them; as many as evidence follows.
    told: BTreeMap<u64, Subject>,
    folder: PathBuf,
    /// When old files go.
    retention: Option<Retention>,
    ticks: u32,
}

/// Ticks, of a second, between two looks for old files.
const TICKS_BETWEEN_LOOKS: u32 = 3600;

impl EvidenceOutput {
    /// Removes files that have been kept long enough.
    fn forget(&mut self) -> anyhow::Result<()> {
        let Some(retention) = &self.retention else { return Ok(()) };
        let gone = self.evidence.forget(|path| retention.is_over(path).unwrap_or(false));
        match gone.with_context(|| format!("{}: old files cannot be removed", self.folder.display()))? {
            0 => {}
            gone => (retention.tell)(&format!("{}: removed {gone} files, as they are older than --keep", self.folder.display())),
        }
        Ok(())
    }

    /// Keeps the packets of a notice's incident. The notice says where.
    pub fn notice(&mut self, notice: &Notice) -> Notice {
        let mut named = notice.clone();
        named.incident.evidence = self.evidence.notice(notice);
        if notice.state == IncidentState::Closed || named.incident.evidence.is_none() {
            self.told.remove(&notice.incident.id);
        } else {
            self.told.insert(notice.incident.id, Subject::of(notice));
        }
        named
    }

    /// An answer hides a notice: the packets of its incident are kept no more.
    pub fn hidden(&mut self, notice: &Notice) {
        let (id, is_over) = (notice.incident.id, notice.state == IncidentState::Closed);
        self.evidence.hide(id, notice.raised, is_over);
        if is_over {
            self.told.remove(&id);
        }
    }

    /// Other answers stand from now on, though incidents may have nothing to tell for minutes yet.
    pub fn answered(&mut self, answers: &Answers, now: Timestamp) {
        for (&id, subject) in &mut self.told {
            subject.raised = now;
            if answers.hiding(subject).is_some() {
                self.evidence.hide(id, now, false);
            } else {
                self.evidence.show(id);
            }
        }
    }

    /// Takes packets.
    pub fn packets(&mut self, packets: Slices) {
        self.evidence.packets(packets);
    }

    /// Learns another address of a device.
    pub fn alias(&mut self, address: Addr, device: Host) {
        self.evidence.alias(address, device);
    }

    /// Writes what is known by now.
    pub fn tick(&mut self) {
        self.evidence.tick();
        self.ticks += 1;
        if self.ticks.is_multiple_of(TICKS_BETWEEN_LOOKS)
            && let Err(error) = self.forget()
        {
            tell!("auscult: {}", in_one_line(&error));
        }
    }

    /// Reads captures again, as many frames of them as were judged.
    ///
    /// # Errors
    /// When they can no longer be opened.
    pub fn read_again(&mut self, frames: u64, bar: &Bar) -> anyhow::Result<()> {
        let Some(inputs) = &self.inputs else { return Ok(()) };
        let stop = stop::on_signals()?;
        let files = &mut open(inputs)?;
        let shown = |read_bytes| bar.set(Progress { read_bytes });
        self.evidence.read_again(files, frames, &mut |files| {
            files.progress().into_iter().for_each(|(done, _)| shown(done));
            !stop.load(Ordering::Relaxed)
        });
        Ok(())
    }

    /// Writes the rest.
    pub fn finish(self) -> EvidenceReport {
        EvidenceReport { folder: self.folder, account: self.evidence.finish() }
    }
}

/// What became of them.
pub struct EvidenceReport {
    folder: PathBuf,
    /// In numbers.
    pub account: EvidenceAccount,
}

impl EvidenceReport {
    /// Is something missing that was to be kept?
    pub const fn has_lost(&self) -> bool {
        self.account.left_out.unwritable > 0 || self.account.not_read_again > 0
    }

    /// For the summary.
    pub fn text(&self) -> String {
        let EvidenceAccount { files, packets, bytes, removed_files, left_out, begun_before_ring, not_followed, not_read_again } =
            &self.account;
        let folder = self.folder.display();
        let mut page = format!("evidence {files} files with {packets} packets, {bytes} bytes, in {folder}\n");
        let notes = [
            (*removed_files, "old files were removed to stay within --evidence-max"),
            (left_out.incident_full, "packets were left out: more than are written of one incident"),
            (left_out.folder_full, "packets were left out: more than --evidence-max allows"),
            (left_out.unwritable, "packets could not be written"),
            (left_out.too_much_at_once, "packets did not fit into the ring: too much at once"),
            (*begun_before_ring, "incidents began before the packets that --evidence-ring held when they were told"),
            (*not_followed, "incidents or conversations were left out: more than can be followed"),
            (*not_read_again, "frames were not read a second time"),
        ];
        for (count, what) in notes.into_iter().filter(|(count, _)| *count > 0) {
            let _ = writeln!(page, "         {count} {what}");
        }
        page
    }
}
