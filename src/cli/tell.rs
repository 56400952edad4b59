//! Lines for people, on stderr.

use std::fmt::Arguments;
use std::io::{self, Write as _};

/// Writes a line to stderr, but never panics as `eprintln!` does where that fails: its reader may have gone away, its disk may be full.
macro_rules! tell {
    ($($text:tt)*) => {
        $crate::cli::tell::line(format_args!($($text)*))
    };
}

/// What [`tell!`] does.
pub fn line(text: Arguments<'_>) {
    // There is nobody left to be told.
    let _ = writeln!(io::stderr(), "{text}");
}
