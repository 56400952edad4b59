//! `--flows DIR/`: how flow records are put into folders.

use std::path::Path;

use clap::Args;

use super::sinks::size;
use super::site::SiteArgs;
use crate::time::{Span, parse_span};

/// How a folder of flow records is written.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub struct LakeArgs {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub site: SiteArgs,
    /// End a Parquet file of a folder of flow records when it is so long
    #[arg(long, value_name = "SIZE", value_parser = size, default_value = "128M")]
    pub part_size: u64,
    /// Begin another for the records that end in the next so long of UTC (5m to 1h)
    #[arg(long, value_name = "SPAN", value_parser = part_span, default_value = "15m")]
    pub part_every: Span,
}

fn part_span(text: &str) -> Result<Span, String> {
    let span = parse_span(text).map_err(|error| error.to_string())?;
    if (Span::from_secs(300)..=Span::from_secs(3600)).contains(&span) { Ok(span) } else { Err("wanted 5m to 1h".to_owned()) }
}

/// Does it name a folder: one that is there, or by a slash at its end?
pub fn is_folder(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().ends_with(b"/") || path.is_dir()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_lasts_five_minutes_to_an_hour() {
        assert_eq!(part_span("15m"), Ok(Span::from_secs(900)));
        assert!(["299s", "61m", "1d", "", "x"].into_iter().all(|text| part_span(text).is_err()));
    }

    #[test]
    fn a_folder_is_one_or_is_written_as_one() {
        let folder = tempfile::tempdir().unwrap();
        assert!(is_folder(folder.path()) && is_folder(Path::new("not/there/")));
        assert!(!is_folder(Path::new("not/there")) && !is_folder(Path::new("-")));
    }
}
