//! A progress bar on stderr, on a terminal only.

use std::io::IsTerminal as _;

use indicatif::{ProgressBar, ProgressStyle};

use crate::pipeline::Progress;

/// How far reading is, with rate and time left; nothing where stderr is no terminal.
#[derive(Debug)]
pub struct Bar {
    bar: Option<ProgressBar>,
}

impl Bar {
    /// A bar for so many bytes; none where nobody knows how many there are.
    pub fn of(size: Option<u64>) -> Self {
        let bar = size.filter(|_| std::io::stderr().is_terminal()).map(|size| {
            let style = ProgressStyle::with_template("{bar:30} {percent}%  {bytes}/{total_bytes}  {bytes_per_sec}  {eta} left");
            ProgressBar::new(size).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        Self { bar }
    }

    /// None at all.
    pub const fn none() -> Self {
        Self { bar: None }
    }

    /// Moves it.
    pub fn set(&self, progress: Progress) {
        if let Some(bar) = &self.bar {
            bar.set_position(progress.read_bytes);
        }
    }

    /// Takes it away.
    pub fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
