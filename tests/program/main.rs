//! What runs the program as a person does: its commands, what they read and write, and what other programs say of the same captures.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests fail by panicking and say what they skip"
)]

#[path = "../inventory_make/mod.rs"]
mod inventory_make;
#[path = "../report_support/mod.rs"]
mod report_support;
#[path = "../serve_support/mod.rs"]
mod serve_support;
#[path = "../sink_support/mod.rs"]
mod sink_support;
#[path = "../support/mod.rs"]
mod support;

mod answers;
mod app_secure_captures;
mod app_tshark;
mod cli;
mod compare;
mod dataset_hospital;
mod determinism;
mod eval_cli;
mod eve;
mod evidence;
mod explain;
mod flood;
mod flow_files;
mod flow_mistakes;
mod flows_by_hand;
mod inventory;
mod inventory_captures;
mod lake;
mod lake_readers;
mod learn;
mod model_reproduces;
mod oracle_argus;
mod oracle_awkward;
mod oracle_tshark;
mod outputs;
mod packet_path;
mod pseudonyms;
mod readme;
mod report;
mod serve_program;
mod state;
mod train;
