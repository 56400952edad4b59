//! Pipes that have names here, and calls that go through them.

use crate::app::dcerpc::{self, DceRpcFacts};

/// Services by the start of their pipe's name. The last ones are those of well-known tools that run commands elsewhere.
const SERVICES: [&str; 26] = [
    "svcctl",
    "samr",
    "lsarpc",
    "lsass",
    "srvsvc",
    "wkssvc",
    "winreg",
    "atsvc",
    "epmapper",
    "netlogon",
    "drsuapi",
    "spoolss",
    "browser",
    "eventlog",
    "ntsvcs",
    "efsrpc",
    "netdfs",
    "initshutdown",
    "protected_storage",
    "w32time",
    "trkwks",
    "dssetup",
    "fssagentrpc",
    "psexesvc",
    "paexec",
    "remcom_communication",
];
/// Of the list's end, those whose names go on with the machine's.
const OPEN_ENDED: usize = 3;

/// The service whose pipe has this name.
pub(super) fn service(name: &[u8]) -> Option<&'static str> {
    let folder = name.get(..5).filter(|folder| folder.eq_ignore_ascii_case(b"pipe\\"));
    let name = if folder.is_some() { name.get(5..)? } else { name };
    SERVICES.iter().enumerate().find_map(|(place, service)| {
        let start = name.get(..service.len()).filter(|start| start.eq_ignore_ascii_case(service.as_bytes()))?;
        (start.len() == name.len() || place + OPEN_ENDED >= SERVICES.len()).then_some(*service)
    })
}

/// Reads what was sent through a pipe, if it is a remote procedure call.
pub(super) fn call(facts: &mut Option<Box<DceRpcFacts>>, bytes: &[u8], pipe: u64) {
    if dcerpc::is_message(bytes) {
        facts.get_or_insert_default().message(bytes, pipe);
    }
}
