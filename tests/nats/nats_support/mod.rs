//! Servers of NATS on loopback, which end with the test, and captures that are split among sensors.

#![allow(dead_code, reason = "each test program uses its own part")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "tests fail by panicking and say what they skip")]

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

/// Ports that a Linux gives to no connection by itself.
const PORTS: Range<u16> = 20_000..32_000;

/// A port that is free by now, and that no other test of this program is given: what the system gives out may be a connection's a moment later.
pub fn free_port() -> u16 {
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    // Another run begins elsewhere.
    let run = std::process::id().wrapping_mul(97);
    let any = || PORTS.start + (run.wrapping_add(GIVEN.fetch_add(1, Ordering::Relaxed)) % PORTS.len() as u32) as u16;
    std::iter::repeat_with(any).take(PORTS.len()).find(|&port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()).unwrap()
}

/// The server's program; says so where there is none.
pub fn server_program() -> Option<PathBuf> {
    let mut folders: Vec<PathBuf> = std::env::var_os("PATH").iter().flat_map(std::env::split_paths).collect();
    folders.push("/usr/sbin".into());
    let found = folders.into_iter().map(|folder| folder.join("nats-server")).find(|path| path.is_file());
    if found.is_none() {
        println!("skipped: nats-server is missing");
    }
    found
}

/// A server with its own store.
pub struct Server {
    program: PathBuf,
    pub port: u16,
    folder: tempfile::TempDir,
    config: String,
    child: Option<Child>,
}

impl Server {
    /// Starts one with JetStream; `more` stands in its configuration.
    pub fn start(more: &str) -> Option<Self> {
        let port = free_port();
        let mut server = Self::named("alone", port, more)?;
        server.go_on();
        Some(server)
    }

    /// One that is not started yet.
    pub fn named(name: &str, port: u16, more: &str) -> Option<Self> {
        let mut server = Self::without_store(name, port, more)?;
        server.config += &format!("jetstream {{ store_dir: \"{}\", max_file_store: 8G }}\n", server.folder.path().display());
        Some(server)
    }

    /// One that keeps nothing itself, not started yet.
    pub fn without_store(name: &str, port: u16, more: &str) -> Option<Self> {
        let program = server_program()?;
        let folder = tempfile::tempdir().unwrap();
        let config = format!("server_name: {name}\nlisten: \"127.0.0.1:{port}\"\n{more}\n");
        Some(Self { program, port, folder, config, child: None })
    }

    /// Starts it, again with the same store.
    pub fn go_on(&mut self) {
        let path = self.folder.path().join("server.conf");
        std::fs::write(&path, &self.config).unwrap();
        let mut command = Command::new(&self.program);
        command.arg("-c").arg(&path).arg("-l").arg(self.folder.path().join("log"));
        self.child = Some(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        until("the server listens", || TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok());
    }

    /// Kills it as a loss of power does.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    pub fn address(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Waits until it holds, at most a minute.
#[track_caller]
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..3000 {
        if holds() {
            return;
        }
        thread::sleep(Duration::from_millis(20));
    }
    panic!("{what}: not within a minute");
}

/// The network of the lab that a frame is heard in: the higher of both ends', which is that of errors about it, too; 0 of what is not IP.
fn network(frame: &[u8]) -> usize {
    let higher = match frame.get(12..14) {
        // 10.60.N.0/24, N being a multiple of ten.
        Some([0x08, 0x00]) => frame.get(28).max(frame.get(32)).map(|&part| part / 10),
        // fd60:a5c:0:N::/64, N in hexadecimal.
        Some([0x86, 0xdd]) => frame.get(29).max(frame.get(45)).map(|&part| part / 16),
        _ => None,
    };
    higher.map_or(0, usize::from)
}

/// The last byte of the lower of both addresses of a conversation; 0 of what is not IP.
fn lower_address(frame: &[u8]) -> usize {
    let lower = match frame.get(12..14) {
        Some([0x08, 0x00]) => frame.get(29).min(frame.get(33)),
        Some([0x86, 0xdd]) => frame.get(37).min(frame.get(53)),
        _ => None,
    };
    lower.map_or(0, |&byte| byte.into())
}

/// Splits a capture of the lab into as many as there are sensors, by its networks: each conversation is heard by one, with the errors about it.
pub fn split(capture: &Path, sensors: usize) -> Vec<Vec<u8>> {
    split_by(capture, sensors, network)
}

/// The same by addresses, so that each sensor hears of every network, and errors come to another sensor than what they are about.
pub fn split_by_address(capture: &Path, sensors: usize) -> Vec<Vec<u8>> {
    split_by(capture, sensors, lower_address)
}

fn split_by(capture: &Path, sensors: usize, part: fn(&[u8]) -> usize) -> Vec<Vec<u8>> {
    let bytes = zstd::decode_all(std::fs::File::open(capture).unwrap()).unwrap();
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let mut parts = vec![bytes[..24].to_vec(); sensors];
    let mut at = 24;
    while at < bytes.len() {
        let end = at + 16 + word(at + 8) as usize;
        parts[part(&bytes[at + 16..end]) % sensors].extend_from_slice(&bytes[at..end]);
        at = end;
    }
    parts
}

/// What a server's monitor says.
pub fn get(port: u16, path: &str) -> String {
    let Ok(mut stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else { return String::new() };
    let mut text = String::new();
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
    let _ = stream.read_to_string(&mut text);
    text
}
