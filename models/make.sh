#!/bin/sh
# Makes clinic.json and its card again. The same source code gives the same bytes; a test compares (tests/model_reproduces.rs).
set -eu
cd "$(dirname "$0")/.."
# Of any profile: the bytes do not depend on it. Wanted is the part of the capture before the first attack.
split=$(sed -n 's/.*"split": "\([0-9]*\).*/\1/p' datasets/clinic/manifest.json)
cargo build --release --locked
auscult="${CARGO_TARGET_DIR:-target}/release/auscult"
"$auscult" train datasets/clinic/clinic.pcap.zst --to "$split" --seed 1 --out models/clinic.json
"$auscult" inspect models/clinic.json >models/clinic.card.txt
