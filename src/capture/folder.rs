//! From what the user named to the files that might be captures.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::Input;
use super::error::CaptureError;

/// Something to be read, and why.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) input: Input,
    /// The number of the folder that it was found in, if it was not named itself: then it need not be a capture.
    pub(super) folder: Option<usize>,
}

/// A folder that was named.
#[derive(Debug)]
pub(super) struct Folder {
    pub(super) path: PathBuf,
    /// Files in it.
    pub(super) files: usize,
    /// Those that are captures, or were named before.
    pub(super) captures: usize,
}

/// What the inputs stand for.
#[derive(Debug, Default)]
pub(super) struct Expanded {
    pub(super) candidates: Vec<Candidate>,
    pub(super) folders: Vec<Folder>,
}

/// Replaces folders by the regular files in them and in their subfolders, sorted by path. A file that is named twice is
/// read once.
pub(super) fn expand(inputs: &[Input]) -> Result<Expanded, CaptureError> {
    let mut all = Expanded::default();
    let mut seen = HashSet::new();
    for input in inputs {
        let Input::Path(path) = input else {
            all.candidates.push(Candidate { input: Input::Stdin, folder: None });
            continue;
        };
        let mut found = Vec::new();
        let mut folder = None;
        if fs::metadata(path).map_err(|error| refused(path, error))?.is_dir() {
            list(path, true, &mut found)?;
            found.sort();
            folder = Some(all.folders.len());
            all.folders.push(Folder { path: path.clone(), files: found.len(), captures: 0 });
        } else {
            found.push(path.clone());
        }
        for file in found {
            if seen.insert(fs::canonicalize(&file).map_err(|error| refused(&file, error))?) {
                all.candidates.push(Candidate { input: Input::Path(file), folder });
            } else if let Some(folder) = folder.and_then(|number| all.folders.get_mut(number)) {
                folder.captures += 1;
            }
        }
    }
    Ok(all)
}

/// Links to files are followed, links to folders are not: a folder cannot be met twice.
fn list(folder: &Path, deeper: bool, found: &mut Vec<PathBuf>) -> Result<(), CaptureError> {
    let entries = fs::read_dir(folder).map_err(|error| refused(folder, error))?;
    for entry in entries {
        let entry = entry.map_err(|error| refused(folder, error))?;
        let path = entry.path();
        let kind = entry.file_type().map_err(|error| refused(&path, error))?;
        if kind.is_dir() && deeper {
            list(&path, false, found)?;
        } else if kind.is_file() || (kind.is_symlink() && fs::metadata(&path).is_ok_and(|target| target.is_file())) {
            found.push(path);
        }
    }
    Ok(())
}

fn refused(path: &Path, source: io::Error) -> CaptureError {
    match source.kind() {
        io::ErrorKind::NotFound => CaptureError::NoSuchFile { path: path.to_path_buf() },
        _ => CaptureError::Unreadable { input: Input::Path(path.to_path_buf()), source },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(inputs: &[&Path]) -> Vec<String> {
        let inputs: Vec<Input> = inputs.iter().map(|path| Input::Path(path.to_path_buf())).collect();
        let name = |c: &Candidate| c.input.to_string().rsplit('/').next().unwrap_or_default().to_owned();
        expand(&inputs).unwrap().candidates.iter().map(name).collect()
    }

    #[test]
    fn looks_one_folder_deep_and_sorts() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("m/deep")).unwrap();
        for name in ["z", "a", "m/k", "m/deep/never"] {
            fs::write(folder.path().join(name), b"x").unwrap();
        }
        assert_eq!(names(&[folder.path()]), ["a", "k", "z"]);
        assert_eq!(names(&[&folder.path().join("z"), folder.path()]), ["z", "a", "k"], "named twice, read once");
    }

    #[cfg(unix)]
    #[test]
    fn follows_links_to_files_only() {
        let folder = tempfile::tempdir().unwrap();
        let other = tempfile::tempdir().unwrap();
        fs::write(other.path().join("real"), b"x").unwrap();
        std::os::unix::fs::symlink(other.path().join("real"), folder.path().join("link")).unwrap();
        std::os::unix::fs::symlink(folder.path(), folder.path().join("loop")).unwrap();
        std::os::unix::fs::symlink(folder.path().join("nowhere"), folder.path().join("broken")).unwrap();
        assert_eq!(names(&[folder.path()]), ["link"]);
    }

    #[test]
    fn says_what_is_not_there() {
        let error = expand(&[Input::Path("no/such/capture.pcap".into())]).unwrap_err();
        assert_eq!(error.to_string(), "no/such/capture.pcap: no such file or folder");
    }
}
