//! The hours into which records are put.

use std::path::{Path, PathBuf};

use crate::time::{Span, Timestamp, parse};

/// Nanoseconds of an hour.
const HOUR: i64 = 3_600_000_000_000;

/// An hour of UTC, in hours since the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hour(i64);

impl Hour {
    /// The hour that holds this time.
    #[must_use]
    pub const fn of(time: Timestamp) -> Self {
        Self(time.nanos().div_euclid(HOUR))
    }

    /// The first time behind it.
    #[must_use]
    pub fn end(self) -> Timestamp {
        Timestamp::from_nanos(self.0.saturating_mul(HOUR)) + Span::from_secs(3600)
    }

    /// Its folder below a site's: `date=YYYY-MM-DD/hour=HH`.
    #[must_use]
    pub fn folder(self) -> PathBuf {
        let text = Timestamp::from_nanos(self.0.saturating_mul(HOUR)).to_string();
        let (date, time) = text.split_once('T').unwrap_or((&text, ""));
        Path::new(&format!("date={date}")).join(format!("hour={}", time.get(..2).unwrap_or("00")))
    }

    /// The hour that the folders of a path name, where they do.
    #[must_use]
    pub fn of_path(path: &Path) -> Option<Self> {
        let value = |key: &str| {
            let mut names = path.iter().filter_map(|name| name.to_str()?.strip_prefix(key)?.strip_prefix('='));
            names.next_back()
        };
        let (date, hour) = (value("date")?, value("hour")?);
        parse(&format!("{date}T{hour:0>2}:00:00Z")).ok().map(Self::of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_and_its_folder_name_each_other() {
        for (time, folder) in [
            ("2026-03-03T08:59:59.999999999Z", "date=2026-03-03/hour=08"),
            ("2026-03-03T09:00:00Z", "date=2026-03-03/hour=09"),
            ("1969-12-31T23:30:00Z", "date=1969-12-31/hour=23"),
        ] {
            let hour = Hour::of(parse(time).unwrap());
            assert_eq!(hour.folder(), Path::new(folder), "{time}");
            assert_eq!(Hour::of_path(&Path::new("lake/site=a").join(folder).join("part-000000.parquet")), Some(hour));
        }
        let end = Hour::of(parse("2026-03-03T08:10:00Z").unwrap()).end();
        assert_eq!(end, parse("2026-03-03T09:00:00Z").unwrap());
    }

    #[test]
    fn other_paths_name_none() {
        for path in ["lake/part.parquet", "date=2026-03-03/part.parquet", "date=today/hour=09", "date=2026-03-03/hour=25"] {
            assert_eq!(Hour::of_path(Path::new(path)), None, "{path}");
        }
        assert_eq!(Hour::of_path(Path::new("date=2026-03-03/hour=9")), Hour::of_path(Path::new("date=2026-03-03/hour=09")));
    }
}
