//! What calls the library in this process: every stage of the data's way from bytes to alerts, the page and the ways out.

#![recursion_limit = "256"]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests fail by panicking and say what they skip"
)]

#[path = "../../datasets/clinic/generator/mod.rs"]
mod generator;
#[path = "../report_support/mod.rs"]
mod report_support;
#[path = "../serve_support/mod.rs"]
mod serve_support;
#[path = "../sink_support/mod.rs"]
mod sink_support;
#[path = "../support/mod.rs"]
mod support;

mod alert_formats;
mod app_captures;
mod app_dicom;
mod app_facts;
mod app_hl7_mqtt;
mod app_industrial;
mod app_lab_devices;
mod app_logins;
mod app_names;
mod app_office;
mod app_privacy;
mod app_properties;
mod app_recognition;
mod app_secure;
mod app_starttls;
mod app_support;
mod app_text;
mod app_windows;
mod awkward;
mod awkward_golden;
mod capture_awkward;
mod capture_degrades;
mod capture_errors;
mod capture_faulty;
mod capture_formats;
mod capture_make;
mod capture_property;
mod capture_several;
mod clinical_support;
mod clock_set;
mod dataset_clinic;
mod dataset_truth;
mod eval_oracle;
mod evidence_cut;
mod facts_documented;
mod fleet;
mod flow_looks;
mod fuzz_bodies;
mod layers;
mod office_support;
mod overload;
mod privacy_support;
mod pseudonym_frames;
mod report_hostile;
mod secure_support;
mod serve;
mod shares;
mod sinks;
mod sinks_rsyslog;
mod together;
mod wire_decode;
mod wire_properties;
mod wire_speed;
mod wire_support;
mod wire_tshark;
mod wire_tunnels;
