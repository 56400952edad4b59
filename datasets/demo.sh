#!/bin/sh
# Builds auscult and lets it judge a recording of the lab's hospital under attack by a model of an ordinary day.
# Safe to run again.
set -eu
cd "$(dirname "$0")/.."
[ -r "${HOME:-/root}/.cargo/env" ] && . "${HOME:-/root}/.cargo/env"

# Epoch seconds as a time of day.
clock() { date -u -d "@${1%.*}" '+%H:%M:%S' 2>/dev/null || echo "${1%.*}"; }

first_attack() { sed -n '2s/^[^,]*,[^,]*,[^,]*,[^,]*,\([^,]*\),.*/\1/p' "$day/phases.csv"; }

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
                if (c == "[" && after != "{") { printf "["; flat++ }
                else if (after == "}") { printf "{}"; i++ }
                else printf "%s\n%s", c, pad(++depth)
            }
            else if (c == "]" && flat) { printf "]"; flat-- }
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
day=datasets/hospital/intrusion-loud

cat <<END

A small hospital: real programs on 38 machines in a network in a box, recorded at a SPAN port. The model has heard another,
ordinary day. In this recording an intruder takes over an office PC at $(clock "$(first_attack)") UTC:

  auscult replay $day/capture.pcap.zst --model models/hospital.json --alerts $out/alerts.jsonl

END
"${CARGO_TARGET_DIR:-target}/release/auscult" replay "$day/capture.pcap.zst" --model models/hospital.json \
    --alerts "$out/alerts.jsonl"

printf '\nThe first of %s alert lines that has the highest severity (README.md says how to read it):\n\n' \
    "$(wc -l <"$out/alerts.jsonl")"
{ grep -m 1 '"severity":1' "$out/alerts.jsonl" || head -n 1 "$out/alerts.jsonl"; } | pretty
printf '\nAll of them, one JSON object per line: %s\n' "$out/alerts.jsonl"
printf '\nWhat really happened (%s):\n\n' "$day/phases.csv"
tail -n +2 "$day/phases.csv" | while IFS=, read -r attack _ address intensity start end; do
    printf '  %s to %s  %-20s by %s, %s\n' "$(clock "$start")" "$(clock "$end")" "$attack" "$address" "$intensity"
done
