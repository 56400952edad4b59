//! `auscult flows`.

use std::io::{self, Write};

use anyhow::Context as _;

use super::args::{FlowFormat, FlowsArgs};
use super::exit::{Outcome, Usage};
use super::feed::Damage;
use super::hidden::{Hidden, Veiled};
use super::inventory::{InventoryOutput, Watched, home_of};
use super::lake::is_folder;
use super::output::create;
use super::progress::Bar;
use super::{lake_use, setup, stop};
use crate::alert::{ConnLog, CsvTable, FlowTable, TableError, flow_event};
use crate::capture::Source as _;
use crate::flow::{EndReason, FlowRecord, HomeNets};
use crate::pipeline::{Consumer, Emitted, Progress, run};
use crate::time::Timestamp;

/// Writes flow records with their features.
///
/// # Errors
/// Captures that cannot be opened, a file that cannot be written.
pub fn run_flows(args: &FlowsArgs) -> anyhow::Result<Outcome> {
    let config = setup::pipeline(&args.flow, Some(&args.time))?;
    let mut files = setup::captures(&args.inputs)?;
    let mut hidden = Hidden::open(&args.hide)?;
    let mut inventory = InventoryOutput::open(&args.inventory, &config.home, hidden.as_ref())?;
    let place = || format!("{}: cannot be written", args.out.display());
    let table = table(args, home_of(&config.home, hidden.as_ref()))?;
    let mut writer = Writer { table, bar: Bar::of(files.progress().map(|(_, size)| size)), failed: None };
    let stop = stop::on_signals()?;
    let (accounting, damage) = {
        let mut watched = Watched { consumer: &mut writer, output: inventory.as_mut() };
        let mut veiled = Veiled { consumer: &mut watched, hidden: hidden.as_mut() };
        run(&mut files, &config, None, &mut veiled, &stop)
    };
    writer.bar.clear();
    let written = writer.failed.map_or_else(|| writer.table.finish(), Err);
    written.map_err(unwrap_io).with_context(place)?;
    inventory.map_or(Ok(()), InventoryOutput::finish)?;
    hidden.map_or(Ok(()), Hidden::finish)?;
    tell!("{accounting}");
    let mut outcome = Outcome::default();
    outcome.add_damage(&damage.into_iter().map(Damage::Capture).collect::<Vec<_>>());
    Ok(outcome)
}

fn table(args: &FlowsArgs, home: HomeNets) -> anyhow::Result<Box<dyn FlowTable>> {
    if is_folder(&args.out) {
        if args.format != FlowFormat::Parquet {
            let text = format!("--out {}: a folder holds Parquet: give --format parquet", args.out.display());
            return Err(Usage(text).into());
        }
        return Ok(Box::new(lake_use::open(&args.out, &args.lake, false, None)?));
    }
    let place = || format!("{}: cannot be written", args.out.display());
    let to = create(&args.out)?;
    Ok(match args.format {
        FlowFormat::Jsonl => Box::new(JsonTable { to }),
        FlowFormat::Csv => Box::new(CsvTable::new(to).with_context(place)?),
        FlowFormat::Parquet => parquet(to).with_context(place)?,
        FlowFormat::Zeek | FlowFormat::ZeekJson => Box::new(ConnLog::new(to, home, args.format == FlowFormat::ZeekJson)),
    })
}

#[cfg(feature = "parquet")]
fn parquet(to: Box<dyn Write + Send>) -> anyhow::Result<Box<dyn FlowTable>> {
    Ok(Box::new(crate::alert::ParquetTable::new(to)?))
}

#[cfg(not(feature = "parquet"))]
fn parquet(_to: Box<dyn Write + Send>) -> anyhow::Result<Box<dyn FlowTable>> {
    Err(Usage(String::from("--format parquet: this program was built without the feature `parquet`")).into())
}

/// So that a closed pipe is seen as what it is.
fn unwrap_io(error: TableError) -> anyhow::Error {
    match error {
        TableError::Io(error) => error.into(),
        other => other.into(),
    }
}

struct JsonTable<W> {
    to: W,
}

impl<W: Write> FlowTable for JsonTable<W> {
    fn write(&mut self, record: &FlowRecord) -> Result<(), TableError> {
        serde_json::to_writer(&mut self.to, &flow_event(record, None)).map_err(io::Error::from)?;
        Ok(self.to.write_all(b"\n")?)
    }

    fn finish(mut self: Box<Self>) -> Result<(), TableError> {
        Ok(self.to.flush()?)
    }
}

struct Writer {
    table: Box<dyn FlowTable>,
    bar: Bar,
    failed: Option<TableError>,
}

impl Consumer for Writer {
    fn record(&mut self, emitted: Emitted) {
        if self.failed.is_none() && emitted.record.reason != EndReason::FirstLook {
            self.failed = self.table.write(&emitted.record).err();
        }
    }

    fn tick(&mut self, now: Timestamp) {
        self.table.tick(now);
    }

    fn progress(&mut self, progress: Progress) {
        self.bar.set(progress);
    }
}
