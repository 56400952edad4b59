//! The `auscult` program: see [`auscult::cli`].

use std::process::ExitCode;

/// Records cross threads: the system's allocator spends a tenth of the time on that (docs/decisions/0007-allocator.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    auscult::cli::run()
}
