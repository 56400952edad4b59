#!/bin/sh
# Every check of the project; .ci/run calls this. Safe to run again. Stops at the first check that fails and names it.
set -eu
cd "$(dirname "$0")/.."
[ -r "${HOME:-/root}/.cargo/env" ] && . "${HOME:-/root}/.cargo/env"
export CARGO_INCREMENTAL="${CARGO_INCREMENTAL:-0}"
# Tables of lines for debuggers take a fifth of the time of compiling, and nobody debugs here.
export CARGO_PROFILE_DEV_DEBUG="${CARGO_PROFILE_DEV_DEBUG:-0}"
log=$(mktemp -d)
trap 'rm -rf "$log"' EXIT

step() {
    printf '\n== %s\n' "$1"
    shift
    "$@" && return
    printf '\nFAILED: %s\n' "$*"
    exit 1
}

skip() {
    printf '\n== %s\nskipped: %s\n' "$1" "$2"
    echo "skipped: $1: $2" >>"$log/skipped"
}

# Shows the output of tests that pass too, since that is where they say what they skip. Many tests wait most of their time, for servers
# and for traffic, so that there are more of them than cores.
all_tests() {
    { RUST_TEST_THREADS="${RUST_TEST_THREADS:-$((2 * $(nproc)))}" cargo test --locked --features nats --no-fail-fast -- --show-output 2>&1; echo "$?" >"$log/status"; } | tee "$log/tests"
    grep -h '^skipped:' "$log/tests" | sort -u >>"$log/skipped" || true
    return "$(cat "$log/status")"
}

closing_lines() {
    printf '\n== what was skipped\n'
    if [ -s "$log/skipped" ]; then cat "$log/skipped"; else echo "nothing"; fi
    printf '\n== the test runner'"'"'s closing lines\n'
    grep -E '^( +Running | +Doc-tests |test result: )' "$log/tests" || echo "none: no test ran"
    passed=$(sed -n 's/^test result: .* \([0-9]*\) passed;.*/\1/p' "$log/tests" | paste -sd+ | sed 's/^$/0/')
    failed=$(sed -n 's/^test result: .* \([0-9]*\) failed;.*/\1/p' "$log/tests" | paste -sd+ | sed 's/^$/0/')
    echo "total: $((${passed})) passed, $((${failed})) failed"
}

step "what building and testing need" sh ./setup.sh tests
PATH="$PATH:/usr/sbin:/sbin"
export PATH
if cargo fmt --version >/dev/null 2>&1; then step "format" cargo fmt --check; else skip "format" "cargo fmt is not installed"; fi
if cargo clippy --version >/dev/null 2>&1; then
    step "lints" cargo clippy --locked --all-targets --features nats -- -D warnings
else
    skip "lints" "cargo clippy is not installed"
fi
# All else is built with the fleet; these are what most people build.
step "as it is built by default" cargo check --locked
step "without default features" cargo check --locked --no-default-features
step "the sender of benches/live.sh" cargo check --locked --manifest-path benches/sender/Cargo.toml
step "documentation" env RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --features nats
if cargo deny --version >/dev/null 2>&1; then
    step "licences, sources, doubled crates" cargo deny --locked check bans licenses sources
    # Its database comes over the network, whose absence is no fault of the project.
    if cargo deny --locked fetch db >/dev/null 2>&1; then
        step "advisories" cargo deny --locked check advisories
    else
        skip "advisories" "the advisory database cannot be fetched"
    fi
else
    skip "licences and advisories" "cargo-deny is not installed (cargo install cargo-deny)"
fi
# The targets that reach everything, for a short time each, since every one is a build of its own; the stable toolchain runs the
# bodies of all of them in tests/library/fuzz_bodies.rs.
fuzz_all() {
    for target in ${FUZZ_TARGETS:-decode capture flow model sighting app_any}; do
        mkdir -p "fuzz/corpus/$target"
        cargo +nightly fuzz run "$target" "fuzz/corpus/$target" "fuzz/seeds/$target" -- -max_total_time="${FUZZ_SECONDS:-10}" || return 1
    done
}
if cargo +nightly fuzz --version >/dev/null 2>&1; then
    step "fuzzing" fuzz_all
else
    skip "fuzzing" "no nightly toolchain with cargo-fuzz (the same bodies run in the tests; fuzz/README.md says how to do without)"
fi
# Long, and of this machine's network: only where it is asked for (SOAK_MINUTES=1 and more).
if [ -n "${SOAK_MINUTES:-}" ]; then
    step "the program for the soak" cargo build --locked
    # 77: something that it needs is missing, which it says.
    step "soak" sh -c 'sh benches/soak.sh "$@" || [ $? = 77 ]' soak "${CARGO_TARGET_DIR:-target}/debug/auscult" --minutes "$SOAK_MINUTES"
else
    skip "soak" "SOAK_MINUTES=1 lets watch listen so long to looped traffic with faults (benches/soak.sh)"
fi
printf '\n== tests\n'
if all_tests; then outcome=passed; else outcome=failed; fi
if ! command -v valgrind >/dev/null 2>&1; then
    skip "instructions per packet" "valgrind is not installed"
elif [ "$(uname -m)" != x86_64 ]; then
    skip "instructions per packet" "the limits are those of x86_64"
elif [ "$outcome" = passed ]; then
    step "instructions per packet" sh benches/instructions.sh "${CARGO_TARGET_DIR:-target}/debug/auscult"
fi
closing_lines
[ "$outcome" = passed ] || { printf '\nFAILED: cargo test\n'; exit 1; }
printf '\nall checks passed\n'
