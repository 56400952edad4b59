//! Sensors and detectors over NATS, each test with servers of its own on loopback.
#![cfg(feature = "nats")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "tests fail by panicking and say what they skip")]

#[path = "../support/fleet.rs"]
#[allow(dead_code, reason = "the example uses the rest")]
mod fleet;
#[path = "../support/fleet_roles.rs"]
mod fleet_roles;
#[path = "../support/mod.rs"]
mod support;

mod group;
mod leaf;
mod models;
mod nats_support;
mod skew;
mod slow;
mod stream;
mod training;
