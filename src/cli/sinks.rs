//! Where alerts go and how: the options of all targets, and what became of them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use clap::Args;

use super::exit::Usage;
use super::record_lines::go_on;
use super::stop;
use crate::alert::{Chain, Format};
use crate::pipeline::{Stopwatch, now};
use crate::sink::{
    Delivery, Opened, Place, Report, Retention, Rotation, SinkError, SinkGauge, SinkOptions, Target, Tell, Writer, open,
};
use crate::time::{Span, parse_span};

/// How alerts go to their targets.
#[derive(Debug, Args)]
#[command(next_help_heading = "Alerts")]
pub struct SinkArgs {
    /// Leave the object auscult out of EVE, for readers that accept what Suricata writes alone
    #[arg(long)]
    pub strict_eve: bool,
    /// Begin a new file of alerts before one is longer than this (65536, 500K, 100M, 2G)
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub rotate_size: Option<u64>,
    /// Begin a new file of alerts this often, by the alerts' own time (1h, 1d)
    #[arg(long, value_name = "SPAN", value_parser = parse_span)]
    pub rotate_every: Option<Span>,
    /// Old files to keep, PATH.1 being the newest
    #[arg(long, value_name = "N", default_value_t = 7)]
    pub rotate_keep: u32,
    /// Remove old files of alerts and of a folder of flow records, and old versions of a model that learns on, when they were last
    /// written to longer ago than this (30d, 180d); never a file in use, nor answers
    #[arg(long, value_name = "SPAN", value_parser = parse_span)]
    pub keep: Option<Span>,
    /// Keep alerts for targets on the network in this folder until they have arrived [default: spool in STATE_DIRECTORY, or
    /// auscult/spool in XDG_STATE_HOME or ~/.local/state]
    #[arg(long, value_name = "DIR")]
    pub spool: Option<PathBuf>,
    /// Bytes that may wait for each target; the oldest go when it is full
    #[arg(long, value_name = "SIZE", value_parser = size, default_value = "64M")]
    pub spool_size: u64,
    /// Wait this long at the end for targets on the network
    #[arg(long, value_name = "SPAN", value_parser = parse_span, default_value = "10s")]
    pub drain: Span,
}

/// The smallest spool, file and limit that still hold a line.
const SMALLEST: u64 = 64 << 10;

/// Bytes, with a unit or without.
pub(super) fn size(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is no size such as 65536, 500K, 100M or 2G, at least 64K");
    let (number, unit) = match text.as_bytes().last() {
        Some(b'K' | b'k') => (&text[..text.len() - 1], 10),
        Some(b'M' | b'm') => (&text[..text.len() - 1], 20),
        Some(b'G' | b'g') => (&text[..text.len() - 1], 30),
        _ => (text, 0),
    };
    let bytes = number.parse::<u64>().ok().and_then(|number| number.checked_mul(1 << unit));
    bytes.filter(|&bytes| bytes >= SMALLEST).ok_or_else(wrong)
}

impl SinkArgs {
    /// When what is old is removed.
    pub fn retention(&self) -> Option<Retention> {
        let tell = || -> Tell { Arc::new(|text| tell!("auscult: {text}")) };
        self.keep.map(|keep| Retention { keep, now, tell: tell() })
    }

    /// The folder where alerts wait for targets on the network; none where there is no such target.
    ///
    /// # Errors
    /// When none is named and the system gives none.
    pub fn spool_for(&self, targets: &[Target]) -> anyhow::Result<Option<PathBuf>> {
        let is_needed = targets.iter().any(Target::is_remote);
        is_needed.then(|| self.spool.clone().map_or_else(usual_spool, Ok)).transpose()
    }

    /// A file that never makes room is never old.
    fn check_keep(&self, targets: &[Target]) -> anyhow::Result<()> {
        let rotates = self.rotate_size.is_some() || self.rotate_every.is_some();
        let has_file = targets.iter().any(|target| matches!(target.place, Place::File(_)));
        if self.keep.is_some() && has_file && !rotates {
            return Err(Usage("--keep removes old files of alerts: give --rotate-every or --rotate-size too".to_owned()).into());
        }
        Ok(())
    }
}

/// A target's name, what writes to it, and the chain of the lines that are there.
pub type Begun = (PathBuf, Writer, Chain);

/// All targets while they are in use; those on the network are waited for at the end.
pub struct Deliveries {
    deliveries: Vec<Delivery>,
    /// Looks at each target of `--alerts`, in their order.
    pub gauges: Vec<SinkGauge>,
    patience: Duration,
}

/// Opens the targets of `--alerts`. A program that `watches` goes on behind what stands in files, and opens them again on HUP.
///
/// # Errors
/// Wrong usage, a file that cannot be created, a spool that cannot be used.
pub fn open_all(names: &[String], args: &SinkArgs, watches: bool) -> anyhow::Result<(Vec<Begun>, Deliveries)> {
    let targets: Vec<Target> = names.iter().map(|name| Target::parse(name)).collect::<Result<_, _>>().map_err(told)?;
    args.check_keep(&targets)?;
    let spool = args.spool_for(&targets)?.unwrap_or_default();
    let options = SinkOptions {
        sensor: sensor(),
        rotation: Rotation { size: args.rotate_size.unwrap_or(0), every: args.rotate_every, keep: args.rotate_keep },
        retention: args.retention(),
        goes_on: watches,
        strict_eve: args.strict_eve,
        spool,
        spool_bytes: args.spool_size,
        colour: std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
        hec_token: std::env::var("AUSCULT_HEC_TOKEN").ok(),
        hook_token: std::env::var("AUSCULT_HOOK_TOKEN").ok(),
        tell: Arc::new(|text| tell!("auscult: {text}")),
    };
    let (mut writers, mut deliveries, mut gauges) = (Vec::new(), Vec::new(), Vec::new());
    for (name, target) in names.iter().zip(&targets) {
        let reopen = if watches { stop::on_hangup()? } else { Arc::new(AtomicBool::new(false)) };
        // Strict EVE has no place for a chain, nor has any other format.
        let goes_on = watches && target.format == Format::Eve && !args.strict_eve;
        let chain = if goes_on { chain_behind(&target.place)? } else { Chain::default() };
        let Opened { writer, delivery, gauge } = open(target, name, &options, reopen).map_err(told)?;
        writers.push((PathBuf::from(name), writer, chain));
        deliveries.extend(delivery);
        gauges.push(gauge);
    }
    let patience = Duration::from_nanos(u64::try_from(args.drain.nanos()).unwrap_or(0));
    Ok((writers, Deliveries { deliveries, gauges, patience }))
}

/// The chain of a record in a file that goes on, or whose newest part was just put aside.
fn chain_behind(place: &Place) -> anyhow::Result<Chain> {
    let Place::File(path) = place else { return Ok(Chain::default()) };
    let mut put_aside = path.clone().into_os_string();
    put_aside.push(".1");
    // Pipes and devices hold nothing to go on from.
    let holds = |path: &Path| path.metadata().is_ok_and(|about| about.is_file() && about.len() > 0);
    let newest = [path.clone(), PathBuf::from(put_aside)].into_iter().find(|part| holds(part));
    newest.map_or_else(|| Ok(Chain::default()), |part| Ok(go_on(&part)?.1))
}

impl Deliveries {
    /// Waits until all has arrived, at most as long as was asked for, and says what has not.
    pub fn finish(self) -> Vec<Report> {
        let watch = Stopwatch::start();
        let left = || self.patience.saturating_sub(Duration::from_secs_f64(watch.seconds()));
        let reports: Vec<Report> = self.deliveries.into_iter().map(|delivery| delivery.finish(left())).collect();
        for Report { target, waiting, dropped, refused, spool, error, .. } in &reports {
            if *waiting > 0 {
                let why = error.as_ref().map_or_else(String::new, |error| format!(" ({error})"));
                let spool = spool.display();
                tell!(
                    "auscult: {target}: alerts that have not arrived: {waiting}{why}; they wait in {spool} for the next run with this target"
                );
            }
            if *dropped > 0 {
                tell!("auscult: {target}: alerts lost because the spool was full (--spool-size): {dropped}");
            }
            if *refused > 0 {
                tell!("auscult: {target}: alerts refused: {refused}");
            }
        }
        reports
    }
}

fn told(error: SinkError) -> anyhow::Error {
    match error {
        SinkError::Usage(text) => Usage(text).into(),
        error @ SinkError::Io { .. } => error.into(),
    }
}

/// The name of this machine.
pub fn sensor() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").or_else(|_| std::fs::read_to_string("/etc/hostname"));
    let name = name.unwrap_or_default().trim().to_owned();
    if name.is_empty() { "auscult".to_owned() } else { name }
}

/// The folder that systemd gives a service for what it keeps.
pub fn of_service() -> Option<PathBuf> {
    // It is a list; the first is the service's own.
    let first = std::env::var("STATE_DIRECTORY").ok()?.split(':').next().map(PathBuf::from);
    first.filter(|folder| !folder.as_os_str().is_empty())
}

/// The folder where what is on its way waits, where none is named.
///
/// # Errors
/// When the system gives none.
pub fn usual_spool() -> anyhow::Result<PathBuf> {
    let folder = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let of_service = of_service().map(|folder| folder.join("spool"));
    let state = folder("XDG_STATE_HOME").or_else(|| folder("HOME").map(|home| home.join(".local/state")));
    let found = of_service.or_else(|| state.map(|state| state.join("auscult/spool")));
    found.ok_or_else(|| {
        Usage("--alerts: a target on the network needs a folder for what waits: give --spool DIR".to_owned()).into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_goes_on_behind_the_file_or_the_part_that_was_put_aside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("alerts");
        let behind = |place: &Place| chain_behind(place).unwrap();
        let place = Place::File(path.clone());
        assert_eq!((behind(&place), behind(&Place::Stdout)), (Chain::default(), Chain::default()));
        let line = |seq: u64| format!("{{\"auscult\":{{\"chain\":{{\"seq\":{seq},\"prev\":\"sha256:0\"}}}}}}");
        std::fs::write(folder.path().join("alerts.1"), line(6) + "\n").unwrap();
        assert_eq!(behind(&place).next().seq, 7, "there is no newer part");
        std::fs::write(&path, "").unwrap();
        assert_eq!(behind(&place), Chain::after(line(6).as_bytes()).unwrap(), "the newer part holds nothing yet");
        std::fs::write(&path, line(7) + "\n").unwrap();
        assert_eq!(behind(&place), Chain::after(line(7).as_bytes()).unwrap());
    }

    #[test]
    fn sizes_have_units() {
        assert_eq!(
            ["65536", "500K", "100M", "2G"].map(|text| size(text).unwrap()),
            [65_536, 512_000, 104_857_600, 2_147_483_648]
        );
        for wrong in ["", "K", "1K", "-5M", "1.5G", "99999999999G", "10T"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }
}
