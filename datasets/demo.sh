#!/bin/sh
# Builds auscult and lets it judge the attack half of the capture in datasets/clinic by a model of the half before it.
# Safe to run again.
set -eu
cd "$(dirname "$0")/.."
[ -r "${HOME:-/root}/.cargo/env" ] && . "${HOME:-/root}/.cargo/env"

# Prints one JSON object with a line for each value (and for each list of plain values), in plain awk: nothing else is sure
# to be installed.
pretty() {
    awk '
    function pad(n,  s) { while (n-- > 0) s = s "  "; return s }
    {
        quoted = escaped = depth = flat = 0
        for (i = 1; i <= length($0); i++) {
            c = substr($0, i, 1)
            if (quoted) {
                printf "%s", c
                if (escaped) escaped = 0
                else if (c == "\\") escaped = 1
                else if (c == "\"") quoted = 0
            } else if (c == "\"") { printf "%s", c; quoted = 1 }
            else if (c == "{" || c == "[") {
                after = substr($0, i + 1, 1)
                flat = c == "[" && after != "{"
                if (after == "}") { printf "{}"; i++ }
                else if (flat) printf "["
                else printf "%s\n%s", c, pad(++depth)
            }
            else if (c == "]" && flat) { printf "]"; flat = 0 }
            else if (c == "}" || c == "]") printf "\n%s%s", pad(--depth), c
            else if (c == ",") printf (flat ? ", " : ",\n%s"), pad(depth)
            else if (c == ":") printf ": "
            else printf "%s", c
        }
        print ""
    }'
}

sh ./setup.sh
echo "demo: building (a few minutes the first time)"
cargo build --release --locked

out="${CARGO_TARGET_DIR:-target}/demo"
mkdir -p "$out"
split=$(sed -n 's/.*"split": "\([0-9]*\).*/\1/p' datasets/clinic/manifest.json)

cat <<END

A synthetic clinic of 24 devices, one morning. The model knows the first 60 % of it. What follows is the rest,
from $(date -u -d "@$split" '+%H:%M' 2>/dev/null || echo "$split") UTC on, in which one office PC is taken over:

  auscult replay datasets/clinic/clinic.pcap.zst --from $split --model models/clinic.json --alerts $out/alerts.jsonl

END
"${CARGO_TARGET_DIR:-target}/release/auscult" replay datasets/clinic/clinic.pcap.zst --from "$split" \
    --model models/clinic.json --alerts "$out/alerts.jsonl"

printf '\nThe first of %s alert lines that has the highest severity (README.md says how to read it):\n\n' \
    "$(wc -l <"$out/alerts.jsonl")"
{ grep -m 1 '"severity":1' "$out/alerts.jsonl" || head -n 1 "$out/alerts.jsonl"; } | pretty
printf '\nAll of them, one JSON object per line: %s\n' "$out/alerts.jsonl"
echo "What really happened: the rows of datasets/clinic/clinic.labels.csv that are labelled malicious."
