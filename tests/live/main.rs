//! What needs the machine itself: interfaces, network and mount namespaces, signals, rights given up, a browser. Most of it is root's.
//!
//! A namespace is named after the process and its test, so no two tests may give it the same name.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests fail by panicking and say what they skip"
)]

#[path = "../serve_support/mod.rs"]
mod serve_support;
#[path = "../support/mod.rs"]
mod support;

mod browser;
mod capture_live;
mod faults;
mod guard;
mod guard_watch;
mod killed;
mod lab;
mod package;
mod serve_browser;
mod signals;
mod systemd;
mod veth_support;
mod watch_faults;
mod watch_mirrors;
mod watch_page;
mod watch_publish;
mod watch_rings;
mod watch_several;
mod watch_veth;
