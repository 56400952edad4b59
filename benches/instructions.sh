#!/bin/sh
# Instructions per packet, counted by callgrind, against the limits in instructions.tsv: stable where time is not.
#
# usage: instructions.sh BINARY [--write]    (--write renews the limits with what was counted)
#
# The start (arguments, the model's file) is counted alone, with a time in which the capture has no packet, and taken off. Counts depend on the
# compiler and on how the program was built: the limits are those of the build that the tests use (profile dev).
set -eu
cd "$(dirname "$0")/.."
binary=$(realpath "$1")
limits=benches/instructions.tsv
capture=datasets/clinic/clinic.pcap.zst
# The first 23 minutes: some 30,000 packets.
until=1772531400
never=4000000000
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

count() {
    valgrind --tool=callgrind --callgrind-out-file="$work/calls" "$binary" "$@" >"$work/out" 2>"$work/err" || {
        echo "instructions: failed under valgrind: $*" >&2
        tail -5 "$work/err" >&2
        exit 1
    }
    sed -n 's/^==[0-9]*== Collected : \([0-9]*\).*/\1/p' "$work/err"
}

packets=$("$binary" flows "$capture" --to "$until" --format csv --out /dev/null 2>&1 | sed -n 's/^frames .* = \([0-9]*\) packets.*/\1/p')
[ "${packets:-0}" -gt 0 ] || { echo "instructions: no packets in $capture" >&2; exit 1; }

per_packet() {
    all=$(count "$@" --to "$until")
    start=$(count "$@" --from "$never")
    echo $(((all - start) / packets))
}

flows=$(per_packet flows "$capture" --workers 1 --format csv --out /dev/null)
replay=$(per_packet replay "$capture" --workers 1 --model models/clinic.json --alerts /dev/null)

if [ "${2:-}" = --write ]; then
    printf '# what\tinstructions per packet\tallowed growth in percent\n' >"$limits"
    printf 'flows\t%s\t5\nreplay\t%s\t5\n' "$flows" "$replay" >>"$limits"
fi
outcome=0
for pair in "flows $flows" "replay $replay"; do
    name=${pair% *} counted=${pair#* }
    line=$(grep "^$name	" "$limits")
    limit=$(echo "$line" | cut -f2) growth=$(echo "$line" | cut -f3)
    most=$((limit * (100 + growth) / 100))
    echo "instructions per packet: $name $counted, limit $limit + $growth % = $most"
    [ "$counted" -le "$most" ] || { echo "instructions: $name needs more than its limit" >&2; outcome=1; }
done
exit "$outcome"
