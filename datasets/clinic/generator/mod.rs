//! Makes the clinic data set: from a seed alone, the same bytes on every machine.
//!
//! The way: actors (`life`, `attack`) script conversations (`tcp`, `datagram`) that say what `protocol` builds; `net` turns
//! them into frames for the `capture` and rows for the `label` file.

mod attack;
mod capture;
mod clock;
mod datagram;
mod host;
mod label;
mod life;
mod manifest;
mod net;
mod protocol;
mod random;
mod tcp;

use std::io;
use std::path::Path;

/// The capture's file name.
pub const CAPTURE: &str = "clinic.pcap.zst";
/// The ground truth's file name.
pub const LABELS: &str = "clinic.labels.csv";
/// The manifest's file name.
pub const MANIFEST: &str = "manifest.json";
/// Effort of the compression, 1 to 22.
const ZSTD_LEVEL: i32 = 19;

/// A data set: its three files.
pub struct DataSet {
    /// Name and content of each file.
    pub files: [(&'static str, Vec<u8>); 3],
}

/// Makes the data set of a seed.
///
/// # Errors
/// When a frame cannot be built or the compression fails.
pub fn generate(seed: u64) -> io::Result<DataSet> {
    let mut net = net::Net::new(seed);
    life::live(&mut net);
    attack::strike(&mut net);
    if let Some(fault) = net.fault() {
        return Err(io::Error::other(fault.to_owned()));
    }
    let (frames, wire_bytes) = (net.capture.frames(), net.capture.wire_bytes());
    let rows = net.labels.into_rows();
    let mut counts = manifest::Counts::new(&rows, frames, wire_bytes);
    let pcap = net.capture.into_pcap();
    counts.pcap_bytes = pcap.len();
    let capture = zstd::bulk::compress(&pcap, ZSTD_LEVEL)?;
    let labels = label::csv(&rows).into_bytes();
    let manifest = manifest::Manifest::new(seed, &rows, counts, &[(CAPTURE, &capture), (LABELS, &labels)]);
    let mut manifest = serde_json::to_vec_pretty(&manifest)?;
    manifest.push(b'\n');
    Ok(DataSet { files: [(CAPTURE, capture), (LABELS, labels), (MANIFEST, manifest)] })
}

/// Writes the files into a folder that exists.
///
/// # Errors
/// When a file cannot be written; says which.
pub fn write(data_set: &DataSet, folder: &Path) -> io::Result<()> {
    for (name, content) in &data_set.files {
        let path = folder.join(name);
        std::fs::write(&path, content).map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", path.display())))?;
    }
    Ok(())
}
