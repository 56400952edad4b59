//! Old files of alerts go when they have been kept long enough.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::time::UNIX_EPOCH;

use super::deliver::Tell;
use crate::alert::Formatter;
use crate::time::{Span, Timestamp};

/// How long old files are kept.
#[derive(Clone)]
pub struct Retention {
    /// This long after they were written to last.
    pub keep: Span,
    /// The wall clock.
    pub now: fn() -> Timestamp,
    /// Told what is removed.
    pub tell: Tell,
}

impl std::fmt::Debug for Retention {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Retention({} s)", self.keep.as_seconds())
    }
}

impl Retention {
    /// Was the file written to last so long ago that it goes?
    ///
    /// # Errors
    /// When nothing can be known of it.
    pub fn is_over(&self, path: &Path) -> io::Result<bool> {
        let about = path.symlink_metadata()?;
        let written = about.modified()?.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
        let written = Timestamp::from_nanos(i64::try_from(written).unwrap_or(i64::MAX));
        Ok(about.is_file() && written + self.keep < (self.now)())
    }

    /// Removes old files `PATH.1`, `PATH.2` and so on, when they begin as the format's files do; any other file stays.
    ///
    /// # Errors
    /// The first that could not be read or removed; the others were.
    pub(super) fn sweep(&self, path: &Path, formatter: &Formatter) -> io::Result<()> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let mut done = Ok(());
        for entry in std::fs::read_dir(folder)? {
            let old = entry?.file_name().to_string_lossy().into_owned();
            let number = old.strip_prefix(&name).and_then(|rest| rest.strip_prefix('.'));
            if number.is_some_and(|number| number.parse::<u32>().is_ok_and(|parsed| parsed > 0 && parsed.to_string() == number)) {
                done = done.and(self.remove(&folder.join(old), formatter));
            }
        }
        done
    }

    fn remove(&self, path: &Path, formatter: &Formatter) -> io::Result<()> {
        if !self.is_over(path)? {
            return Ok(());
        }
        let mut head = Vec::new();
        File::open(path)?.take(256).read_to_end(&mut head)?;
        if formatter.began(&head) {
            std::fs::remove_file(path)?;
            (self.tell)(&format!("{}: removed, as it is older than --keep", path.display()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::alert::Format;

    /// Ten days after the files of the test are written, whenever that is.
    fn later() -> Timestamp {
        crate::time::parse("2200-01-11T00:00:00Z").unwrap()
    }

    #[test]
    fn old_files_go_and_nothing_else_does() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("alerts");
        let written = std::time::SystemTime::UNIX_EPOCH
            + std::time::Duration::from_secs(crate::time::parse("2200-01-01T00:00:00Z").unwrap().seconds() as u64);
        let eve = "{\"timestamp\":\"2026-01-01T00:00:00.000000+0000\"}\n";
        let names = ["alerts", "alerts.1", "alerts.2", "alerts.03", "alerts.x", "alerts.4", "alerts.1.gz", "other.1", "alerts.5"];
        for name in names {
            let text = if name == "alerts.4" { "not ours\n" } else { eve };
            std::fs::write(folder.path().join(name), text).unwrap();
            let file = File::options().write(true).open(folder.path().join(name)).unwrap();
            let fresh = std::time::Duration::from_secs(if name == "alerts.1" { 9 * 86_400 } else { 0 });
            file.set_modified(written + fresh).unwrap();
        }
        let told = Arc::new(Mutex::new(Vec::new()));
        let telling = Arc::clone(&told);
        let tell: Tell = Arc::new(move |text: &str| telling.lock().unwrap().push(text.to_owned()));
        let retention = Retention { keep: Span::from_secs(5 * 86_400), now: later, tell };
        retention.sweep(&path, &Formatter::new(Format::Eve, "sensor")).unwrap();
        let left: Vec<&str> = names.into_iter().filter(|name| folder.path().join(name).exists()).collect();
        assert_eq!(left, ["alerts", "alerts.1", "alerts.03", "alerts.x", "alerts.4", "alerts.1.gz", "other.1"]);
        assert_eq!(told.lock().unwrap().len(), 2, "alerts.2 and alerts.5");
    }
}
