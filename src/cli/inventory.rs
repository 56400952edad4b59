//! `--inventory`.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::args::InventoryArgs;
use super::hidden::Hidden;
use super::output::create;
use crate::detect::Submission;
use crate::evidence::Slices;
use crate::flow::HomeNets;
use crate::inventory::{Device, Inventory, Vendors, write_csv, write_json};
use crate::pipeline::{Condition, Consumer, Emitted, Progress, Spent};
use crate::sighting::Sighting;
use crate::time::Timestamp;

/// Where packages put the registry of MAC addresses: Debian's `ieee-data`, and `libwireshark-data`.
pub const REGISTRIES: [&str; 2] = ["/usr/share/ieee-data/oui.csv", "/usr/share/wireshark/manuf"];

/// Parts of the registry that the IEEE publishes beside the first: smaller blocks.
const BESIDE: [&str; 4] = ["mam.csv", "oui36.csv", "oui28/mam.csv", "iab.csv"];

/// An inventory that is kept during a run and written at its end.
pub struct InventoryOutput {
    inventory: Inventory,
    vendors: Option<Vendors>,
    path: PathBuf,
    to: Box<dyn Write + Send>,
}

impl InventoryOutput {
    /// Opens what the arguments name; nothing when no inventory is wanted.
    ///
    /// # Errors
    /// A file that cannot be created, or a registry that was named and cannot be read.
    pub fn open(args: &InventoryArgs, home: &HomeNets, hidden: Option<&Hidden>) -> anyhow::Result<Option<Self>> {
        let Some(path) = &args.inventory else { return Ok(None) };
        let vendors = vendors(args.oui.as_deref(), hidden)?;
        let to = create(path)?;
        Ok(Some(Self { inventory: Inventory::new(home_of(home, hidden)), vendors, path: path.clone(), to }))
    }

    /// One that is kept to be asked for its devices, and written nowhere.
    ///
    /// # Errors
    /// A registry that was named and cannot be read.
    pub fn in_memory(oui: Option<&Path>, home: &HomeNets, hidden: Option<&Hidden>) -> anyhow::Result<Self> {
        let (inventory, vendors) = (Inventory::new(home_of(home, hidden)), vendors(oui, hidden)?);
        Ok(Self { inventory, vendors, path: PathBuf::new(), to: Box::new(io::sink()) })
    }

    /// The devices seen so far.
    pub fn devices(&self) -> Vec<Device> {
        self.inventory.devices(self.vendors.as_ref())
    }

    /// Writes the devices.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn finish(self) -> anyhow::Result<()> {
        let devices = self.inventory.devices(self.vendors.as_ref());
        let is_csv = self.path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("csv"));
        let written =
            if is_csv { write_csv(self.to, &devices) } else { write_json(self.to, &devices, self.inventory.counters()) };
        written.with_context(|| format!("{}: cannot be written", self.path.display()))
    }
}

/// The makers of MAC addresses, also where these come as pseudonyms: from the registry that was named with what lies beside it, else the
/// first that a package has put there.
///
/// # Errors
/// A registry that was named and cannot be read.
pub fn vendors(named: Option<&Path>, hidden: Option<&Hidden>) -> anyhow::Result<Option<Vendors>> {
    let path = named.or_else(|| REGISTRIES.iter().map(Path::new).find(|path| path.exists()));
    let Some(path) = path else {
        tell!("auscult: the inventory names no vendors: {} is missing; install ieee-data or give --oui", REGISTRIES[0]);
        return Ok(None);
    };
    let mut vendors = Vendors::default();
    let place = || format!("{}: cannot be read", path.display());
    vendors.read(File::open(path).with_context(place)?).with_context(place)?;
    if path.extension().is_some_and(|ending| ending == "csv") {
        let beside = BESIDE.iter().filter_map(|name| File::open(path.with_file_name(name)).ok());
        // What is beside may be anything.
        beside.for_each(|file| drop(vendors.read(file)));
    }
    Ok(Some(match hidden {
        Some(hidden) => vendors.behind(hidden.real_macs()),
        None => vendors,
    }))
}

/// Home networks as the inventory sees them.
pub fn home_of(home: &HomeNets, hidden: Option<&Hidden>) -> HomeNets {
    hidden.map_or_else(|| home.clone(), |hidden| hidden.home(home))
}

/// Hands everything on, having shown it to the inventory, if there is one.
pub struct Watched<'a> {
    /// What takes the records.
    pub consumer: &'a mut dyn Consumer,
    /// What sees them before.
    pub output: Option<&'a mut InventoryOutput>,
}

impl Consumer for Watched<'_> {
    fn sighting(&mut self, sighting: Sighting) {
        if let Some(output) = &mut self.output {
            output.inventory.sighting(&sighting);
        }
        self.consumer.sighting(sighting);
    }

    fn packets(&mut self, packets: Slices) {
        self.consumer.packets(packets);
    }

    fn record(&mut self, emitted: Emitted) {
        if let Some(output) = &mut self.output {
            output.inventory.record(&emitted.record);
        }
        self.consumer.record(emitted);
    }

    fn tick(&mut self, now: Timestamp) {
        self.consumer.tick(now);
    }

    fn condition(&mut self, condition: Condition) {
        self.consumer.condition(condition);
    }

    fn findings(&mut self, found: Vec<Submission>, now: Timestamp) {
        self.consumer.findings(found, now);
    }

    fn give_back(&mut self, to: &mut Vec<Spent>) {
        self.consumer.give_back(to);
    }

    fn progress(&mut self, progress: Progress) {
        self.consumer.progress(progress);
    }
}
