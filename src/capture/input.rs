//! What a capture is read from, as the user named it.

use std::fmt;
use std::path::PathBuf;

/// A capture file, a folder of capture files, or standard input.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Input {
    /// A file, a named pipe or a folder.
    Path(PathBuf),
    /// Standard input; `-` on the command line.
    Stdin,
}

impl Input {
    /// Its name without the folder, which may tell more than a model should.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Path(path) => path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
            Self::Stdin => self.to_string(),
        }
    }
}

/// `-` is standard input; a file of that name is `./-`.
impl From<PathBuf> for Input {
    fn from(path: PathBuf) -> Self {
        if path.as_os_str() == "-" { Self::Stdin } else { Self::Path(path) }
    }
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => path.display().fmt(f),
            Self::Stdin => f.write_str("standard input"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dash_is_standard_input() {
        assert_eq!(Input::from(PathBuf::from("-")), Input::Stdin);
        assert_eq!(Input::from(PathBuf::from("./-")), Input::Path(PathBuf::from("./-")));
    }
}
