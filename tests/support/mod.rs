//! What the tests of the whole program share: running it, its captures, its lines.

#![allow(dead_code, reason = "each test program uses its own part")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "tests fail by panicking")]

pub mod flood;
pub mod packets;
pub mod tshark;

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// When the first attack of the clinic begins: what comes before is normal.
pub const CLINIC_SPLIT: &str = "1772534160";

/// A file of the project.
pub fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The capture that the project made itself.
pub fn clinic() -> PathBuf {
    project("datasets/clinic/clinic.pcap.zst")
}

/// A development capture; says so and returns nothing when it is not there.
pub fn data(name: &str) -> Option<PathBuf> {
    let root = std::env::var_os("AUSCULT_DATA").map_or_else(|| project("../shared/data"), PathBuf::from);
    let path = root.join(name);
    if path.exists() {
        return Some(path);
    }
    println!("skipped: {name} is missing (AUSCULT_DATA names the folder of the captures)");
    None
}

/// Is this program there? Says so when it is not.
pub fn have(program: &str, argument: &str) -> bool {
    let found = Command::new(program).arg(argument).output().is_ok_and(|output| output.status.success());
    if !found {
        println!("skipped: {program} is missing");
    }
    found
}

/// How a run of the program ended.
pub struct Run {
    pub status: i32,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!stderr.contains("panicked"), "{stderr}");
        Self { status: output.status.code().expect("no signal"), stdout: output.stdout, stderr }
    }
}

impl Run {
    /// The lines of stdout, each JSON.
    pub fn lines(&self) -> Vec<Value> {
        lines(&self.stdout)
    }

    /// The same run, having ended with this status.
    #[track_caller]
    pub fn ended(self, status: i32) -> Self {
        assert_eq!(self.status, status, "{}", self.stderr);
        self
    }

    /// The same run, having said all this on stderr.
    #[track_caller]
    pub fn said(self, words: &[&str]) -> Self {
        for word in words {
            assert!(self.stderr.contains(word), "{word:?} is not in:\n{}", self.stderr);
        }
        self
    }
}

/// The program itself.
pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_auscult"));
    command.stdin(Stdio::null());
    command
}

/// Runs the program to its end.
pub fn auscult<S: AsRef<OsStr>>(arguments: &[S]) -> Run {
    program().args(arguments).output().unwrap().into()
}

/// Runs the program with this on its standard input.
pub fn auscult_fed(arguments: &[&str], input: Vec<u8>) -> Run {
    let mut child =
        program().args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let feeder = std::thread::spawn(move || {
        // The program may end before it has read all.
        let _ = stdin.write_all(&input);
    });
    let run = child.wait_with_output().unwrap().into();
    feeder.join().unwrap();
    run
}

/// JSON Lines.
pub fn lines(bytes: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(bytes).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'), "the last line is cut");
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

/// A folder that goes away at the end.
pub struct Folder(tempfile::TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The same as text, for a command line.
    pub fn name(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    /// Writes a file and gives its name.
    pub fn put(&self, name: &str, bytes: &[u8]) -> String {
        std::fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        std::fs::write(self.path(name), bytes).unwrap();
        self.name(name)
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }
}

/// As text, for a command line.
pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Trains on the clinic's normal time.
pub fn clinic_model(folder: &Folder) -> String {
    let model = folder.name("clinic.model.json");
    auscult(&["train", text(&clinic()), "--to", CLINIC_SPLIT, "--out", &model]).ended(0);
    model
}
