#!/bin/sh
# Builds auscult with profile-guided optimisation: built once with counters, run on captures of this repository, and built again by what
# was counted. Puts the program at OUT, target/pgo/auscult unless it is said otherwise.
#
# usage: pgo.sh [OUT]
#
# Twice the time of a release build, and some minutes. What it finds is the same to the byte: only the compiler's guesses of what is
# often done and what seldom become counts. The release profile can be changed by the environment as in any build (CARGO_PROFILE_RELEASE_LTO …).
set -eu
out=${1:+$(realpath -m "$1")}
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-target}/pgo
out=${out:-$target/auscult}
host=$(rustc -vV | sed -n 's/^host: //p')
profdata=$(rustc --print sysroot)/lib/rustlib/$host/bin/llvm-profdata
[ -x "$profdata" ] || {
    echo "pgo: the compiler's llvm-profdata is missing; get it with: rustup component add llvm-tools" >&2
    exit 1
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Build scripts and macros are not counted, since a target is named.
build() { RUSTFLAGS="${RUSTFLAGS:-} $1" cargo build --release --locked --bin auscult --target "$host" --target-dir "$2"; }

echo "pgo: building with counters" >&2
build "-Cprofile-generate=$work/counts" "$target/counted"
counted=$target/counted/$host/release/auscult

# What it is run for most: judging by a model of another network and by one of this, teaching itself, learning, tables of flows.
run() { "$counted" "$@" >"$work/said" 2>&1 || { cat "$work/said" >&2; echo "pgo: failed: auscult $*" >&2; exit 1; }; }
echo "pgo: running it on captures of the repository" >&2
for name in clean everything intrusion-loud ransomware; do
    run replay "datasets/hospital/$name/capture.pcap.zst" --model models/hospital.json --alerts "$work/alerts.jsonl"
    run replay "datasets/hospital/$name/capture.pcap.zst" --model models/clinic.json --alerts "$work/alerts.jsonl"
done
run replay datasets/clinic/clinic.pcap.zst --model models/clinic.json --alerts "$work/alerts.jsonl"
run replay datasets/clinic/clinic.pcap.zst --alerts "$work/alerts.jsonl" --flows "$work/flows.csv"
run train datasets/clinic/clinic.pcap.zst --out "$work/model.json"
run flows datasets/hospital/everything/capture.pcap.zst --format csv --out "$work/flows.csv"
"$profdata" merge -o "$work/counts.profdata" "$work/counts"

echo "pgo: building by what was counted" >&2
build "-Cprofile-use=$work/counts.profdata" "$target/built"
mkdir -p "$(dirname "$out")"
cp "$target/built/$host/release/auscult" "$out"
echo "pgo: $out" >&2
