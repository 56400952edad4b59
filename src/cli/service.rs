//! What systemd is told of a service of `Type=notify` (sd_notify(3)): that it is ready, that it is alive, that it ends.

use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use crate::pipeline::Stopwatch;

/// Tells the service manager; nobody where the program is no service.
pub struct Service {
    to: Option<(UnixDatagram, SocketAddr)>,
    /// How often it wants to hear that all is well, in seconds.
    every_s: Option<f64>,
    watch: Stopwatch,
    last_s: f64,
}

impl Service {
    /// What the environment says of the manager.
    #[must_use]
    pub fn of_environment() -> Self {
        let to = std::env::var_os("NOTIFY_SOCKET").and_then(|path| {
            let address = match path.as_bytes() {
                [b'@', name @ ..] => SocketAddr::from_abstract_name(name),
                _ => SocketAddr::from_pathname(&path),
            };
            Some((UnixDatagram::unbound().ok()?, address.ok()?))
        });
        let micros = std::env::var("WATCHDOG_USEC").ok().and_then(|text| text.parse::<f64>().ok());
        // Twice in the time after which it would be restarted.
        Self { to, every_s: micros.map(|micros| micros / 2e6), watch: Stopwatch::start(), last_s: 0.0 }
    }

    /// Tells something, as `READY=1`.
    pub fn tell(&self, what: &str) {
        if let Some((socket, address)) = &self.to {
            // A manager that does not listen is no reason to end.
            let _ = socket.send_to_addr(what.as_bytes(), address);
        }
    }

    /// Judging goes on.
    pub fn is_alive(&mut self) {
        let now_s = self.watch.seconds();
        if self.every_s.is_some_and(|every_s| now_s - self.last_s >= every_s) {
            self.last_s = now_s;
            self.tell("WATCHDOG=1");
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.tell("STOPPING=1");
    }
}
