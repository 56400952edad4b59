//! INT, TERM, HUP and USR1.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context as _;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::flag;

/// A flag that the first INT or TERM sets, so that the program drains and reports; the second ends it at once.
///
/// # Errors
/// When the system refuses the handlers.
pub fn on_signals() -> anyhow::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // Order matters: the default action is armed by the signal that sets the flag, and acts on the next.
        flag::register_conditional_default(signal, Arc::clone(&stop)).context("setting a signal handler")?;
        flag::register(signal, Arc::clone(&stop)).context("setting a signal handler")?;
    }
    Ok(stop)
}

/// A flag that HUP sets: a file may have been moved away.
///
/// # Errors
/// When the system refuses the handler.
pub fn on_hangup() -> anyhow::Result<Arc<AtomicBool>> {
    let reopen = Arc::new(AtomicBool::new(false));
    flag::register(SIGHUP, Arc::clone(&reopen)).context("setting a signal handler")?;
    Ok(reopen)
}

/// A flag that USR1 sets: how is it going? USR2 asks the same.
///
/// # Errors
/// When the system refuses the handler.
pub fn on_question() -> anyhow::Result<Arc<AtomicBool>> {
    let asked = Arc::new(AtomicBool::new(false));
    for signal in [SIGUSR1, SIGUSR2] {
        flag::register(signal, Arc::clone(&asked)).context("setting a signal handler")?;
    }
    Ok(asked)
}
