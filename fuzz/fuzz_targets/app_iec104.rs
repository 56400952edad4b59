#![no_main]
#[path = "../bodies.rs"]
#[allow(dead_code, reason = "each target runs one body")]
mod bodies;

libfuzzer_sys::fuzz_target!(|data: &[u8]| bodies::run("app_iec104", data));
