#!/bin/sh
# Makes the models and their cards again. The same source code gives the same bytes; a test compares (tests/program/model_reproduces.rs).
set -eu
cd "$(dirname "$0")/.."
# Of any profile: the bytes do not depend on it.
cargo build --release --locked
auscult="${CARGO_TARGET_DIR:-target}/release/auscult"

make() {
    name=$1
    shift
    "$auscult" train "$@" --seed 1 --out "models/$name.json"
    "$auscult" inspect "models/$name.json" >"models/$name.card.txt"
}

make hospital datasets/hospital/clean-long/capture.pcap.zst
# Wanted is the part of the capture before the first attack.
make clinic datasets/clinic/clinic.pcap.zst --to "$(sed -n 's/.*"split": "\([0-9]*\).*/\1/p' datasets/clinic/manifest.json)"
