#!/bin/sh
# `auscult watch` for minutes, hours or days under looped traffic of the lab, with faults injected on a schedule: does memory stay
# flat, does every frame that was sent come out or is counted, does anything drift? In namespaces of its own that it removes again.
#
#     sudo sh benches/soak.sh target/release/auscult [--minutes N] [--pps N] [--watch FLAGS] [--kept FILE]
#
# 2 minutes at 1,000 packets a second unless it is said otherwise; FLAGS are further ones of `watch`. Needs tcpreplay, python3, zstd, iproute2. Prints what it does, a
# table of samples and a verdict for each check; the status is 0 when all hold. --kept writes the same into a file to be kept.
set -eu
auscult=$(realpath "${1:?usage: soak.sh AUSCULT [--minutes N] [--pps N] [--watch FLAGS] [--kept FILE]}")
shift
here=$(cd "$(dirname "$0")/.." && pwd)
PATH="$PATH:/usr/sbin:/sbin"
for tool in tcpreplay python3 zstd ip; do
    command -v "$tool" >/dev/null || { echo "skipped: $tool is not installed"; exit 77; }
done
[ "$(id -u)" = 0 ] || { echo "skipped: network namespaces need root"; exit 77; }
work=$(mktemp -d)
from="soak-$$-a" to="soak-$$-b"
clean() {
    ip netns del "$from" 2>/dev/null || true
    ip netns del "$to" 2>/dev/null || true
    rm -rf "$work"
}
trap clean EXIT
# The driver ends what it started, and then this goes on to clean up.
trap : INT TERM
for space in "$from" "$to"; do
    ip netns add "$space"
    # Nothing may be sent that is not counted.
    ip netns exec "$space" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
    ip -n "$space" link set lo up
done
for name in everything intrusion-loud clean; do
    zstd -dqf "$here/datasets/hospital/$name/capture.pcap.zst" -o "$work/$name.pcap"
done
# Its private mounts go with `ip netns exec`.
ip netns exec "$to" python3 "$here/benches/soak.py" "$auscult" "$here/models/hospital.json" "$work" "$from" "$to" "$@"
