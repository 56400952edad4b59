//! Two network namespaces with a cable between them, and the program listening at one end.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::support::{Folder, have, lines};

/// Two namespaces with a cable between them; both go away with this, also when a test fails.
pub struct Wire {
    pub here: String,
    pub there: String,
}

pub const HERE: &str = "10.99.7.1";
pub const THERE: &str = "10.99.7.2";

pub fn ip(arguments: &[&str]) -> Result<(), String> {
    let output = Command::new("ip").args(arguments).output().map_err(|error| error.to_string())?;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()) }
}

impl Wire {
    /// Says why and gives nothing where there is no permission.
    pub fn lay(name: &str) -> Option<Self> {
        if !have("ip", "-Version") || !have("python3", "--version") {
            return None;
        }
        let id = std::process::id();
        let wire = Self { here: format!("auscult-{name}-{id}-a"), there: format!("auscult-{name}-{id}-b") };
        match wire.set_up() {
            Ok(()) => Some(wire),
            Err(error) => {
                println!("skipped: no network namespaces ({error}); this test needs root");
                None
            }
        }
    }

    fn set_up(&self) -> Result<(), String> {
        ip(&["netns", "add", &self.here])?;
        ip(&["netns", "add", &self.there])?;
        ip(&["-n", &self.here, "link", "add", "tap0", "type", "veth", "peer", "name", "tap0", "netns", &self.there])?;
        for (space, address) in [(&self.here, HERE), (&self.there, THERE)] {
            ip(&["-n", space, "addr", "add", &format!("{address}/24"), "dev", "tap0"])?;
            ip(&["-n", space, "link", "set", "lo", "up"])?;
            ip(&["-n", space, "link", "set", "tap0", "up"])?;
        }
        Ok(())
    }

    /// Lets a switch's mirror port, `span1` over there, have a copy of what passes the other end of the cable in either direction.
    pub fn mirror(&self) {
        ip(&["-n", &self.there, "link", "add", "name", "span0", "type", "veth", "peer", "name", "span1"]).unwrap();
        for port in ["span0", "span1"] {
            ip(&["-n", &self.there, "link", "set", port, "up"]).unwrap();
        }
        let tc = |arguments: &str| {
            assert!(Self::inside(&self.there, "tc").args(arguments.split(' ')).status().unwrap().success(), "{arguments}");
        };
        tc("qdisc add dev tap0 clsact");
        for side in ["ingress", "egress"] {
            tc(&format!("filter add dev tap0 {side} protocol all u32 match u32 0 0 action mirred egress mirror dev span0"));
        }
    }

    pub fn inside(space: &str, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", space, program]).stdin(Stdio::null());
        command
    }

    /// Starts a Python program in a namespace and waits for its first line.
    pub fn python(space: &str, program: &str) -> (Guard, String) {
        let mut child = Self::inside(space, "python3").args(["-u", "-c", program]).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        (Guard(child), line)
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        // What runs inside was ended by its guard; the cable goes with its namespaces.
        for space in [&self.here, &self.there] {
            let _ = ip(&["netns", "del", space]);
        }
    }
}

/// A process that does not outlive its test.
pub struct Guard(pub Child);

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The program listening inside `wire`, from when it says that it does.
pub fn watch(wire: &Wire, interface: &str, arguments: &[&str]) -> (Guard, BufReader<std::process::ChildStderr>) {
    watch_on(wire, &[interface], arguments)
}

/// The same on several interfaces.
pub fn watch_on(wire: &Wire, interfaces: &[&str], arguments: &[&str]) -> (Guard, BufReader<std::process::ChildStderr>) {
    let mut command = Wire::inside(&wire.there, env!("CARGO_BIN_EXE_auscult"));
    let mut child =
        command.arg("watch").args(interfaces).args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let guard = Guard(child);
    let mut line = String::new();
    stderr.read_line(&mut line).unwrap();
    assert!(line.contains(&format!("listening on {}", interfaces.join(", "))), "{line}");
    (guard, stderr)
}

/// Ends it with a signal and gives its status, and what it said.
pub fn end(mut watching: Guard, mut stderr: BufReader<std::process::ChildStderr>, signal: &str) -> (i32, String) {
    // `ip netns exec` becomes the program: the child is the program itself.
    assert!(Command::new("kill").args([signal, &watching.0.id().to_string()]).status().unwrap().success());
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut said = String::new();
        let _ = stderr.read_to_string(&mut said);
        let _ = tell.send(said);
    });
    let Ok(said) = told.recv_timeout(Duration::from_secs(20)) else { panic!("{signal} does not end it") };
    (watching.0.wait().unwrap().code().unwrap_or(-1), said)
}

/// Tries 300 ports, of which none answers.
pub const SCAN: &str = "
import socket
for port in range(20000, 20300):
    s = socket.socket(); s.settimeout(1)
    try: s.connect(('10.99.7.2', port))
    except OSError: pass
    s.close()
print('done')
";

/// Lines of a file that is being written, once there are at least so many.
pub fn at_least(folder: &Folder, name: &str, least: usize) -> Vec<Value> {
    for _ in 0..160 {
        let found = std::fs::read(folder.path(name)).map(|bytes| lines(&bytes)).unwrap_or_default();
        if found.len() >= least {
            return found;
        }
        std::thread::sleep(Duration::from_millis(250));
    }
    panic!("{name} has fewer than {least} lines after 40 s");
}
