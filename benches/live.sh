#!/bin/sh
# How much `auscult watch` hears without loss, beside tcpdump to /dev/null, argus and softflowd on the same interface, in namespaces
# of its own that it removes again. Every program is sent the same packets in turn, as fast as tcpreplay can, so many rounds.
#
#     sudo sh benches/live.sh target/release/auscult [ROUNDS]
#
# With SENDER=PATH what benches/sender builds sends in its place, for five seconds at each of RATES (packets a second; max is as
# fast as it goes) until the program loses some: the last rate before is its limit. With SPAN=1 they listen to a mirror of the
# interface (tc mirred).
#
#     cargo build --release --manifest-path benches/sender/Cargo.toml
#     sudo SENDER=benches/sender/target/release/sender SPAN=1 sh benches/live.sh target/release/auscult 1
#
# COPIES=N mirrors every frame so often, which reaches further than the sender does; auscult counts them all then
# (--keep-duplicates), and so does everybody else.
#
#     sudo SENDER=benches/sender/target/release/sender SPAN=1 COPIES=4 sh benches/live.sh target/release/auscult 1
#
# SHARE=PERCENT lets auscult have so much of a core and no more (a group of the kernel's, cgroups of version 1 or 2), which shows its
# limit where the sender is slower than a whole core; WATCH="--rings 2" are further words for it; PROGRAMS names some of them.
#
# Needs tcpreplay, tcpdump, argus, ra, softflowd, softflowctl, python3, zstd (Debian: tcpreplay tcpdump argus-server argus-client softflowd).
# Prints a line for each: packets sent and their rate, packets that the program says it got, processor time for each packet and as a
# share of a core while sending. The last lines are of a silent interface.
set -eu
auscult=$(realpath "${1:?usage: live.sh AUSCULT [ROUNDS]}")
rounds=${2:-3}
sender=${SENDER:+$(realpath "$SENDER")}
rates=${RATES:-100000 200000 300000 400000 500000 600000 800000 max}
listen=tap0
programs=${PROGRAMS:-tcpdump argus softflowd auscult}
here=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
from="live-$$-a" to="live-$$-b" running= group=
clean() {
    # Only what this script started.
    [ -z "$running" ] || kill -9 "$running" 2>/dev/null || true
    ip netns del "$from" 2>/dev/null || true
    ip netns del "$to" 2>/dev/null || true
    [ -z "$group" ] || { sleep 0.2; rmdir "$group" 2>/dev/null || true; }
    rm -rf "$work"
}
trap clean EXIT
trap 'exit 1' INT TERM
PATH="$PATH:/usr/sbin:/sbin"
ip netns add "$from"
ip netns add "$to"
ip -n "$from" link add tap0 type veth peer name tap0 netns "$to"
for space in "$from" "$to"; do ip -n "$space" link set lo up; ip -n "$space" link set tap0 up; done

if [ -n "${SPAN:-}" ]; then
    listen=span1
    ip -n "$to" link add name span0 type veth peer name span1
    for port in span0 span1; do ip -n "$to" link set "$port" up; done
    ip netns exec "$to" tc qdisc add dev tap0 clsact
    # Without the quotes: they are several words, one mirror after the other.
    mirrors=$(seq "${COPIES:-1}" | sed 's/.*/action mirred egress mirror dev span0 pipe/' | tr '\n' ' ')
    # shellcheck disable=SC2086
    ip netns exec "$to" tc filter add dev tap0 ingress protocol all u32 match u32 0 0 ${mirrors% pipe }
fi

if [ -n "${SHARE:-}" ]; then
    if [ -d /sys/fs/cgroup/cpu ]; then group=/sys/fs/cgroup/cpu/live-$$ limit=cpu.cfs_quota_us; else group=/sys/fs/cgroup/live-$$ limit=cpu.max; fi
    mkdir "$group"
    echo $((SHARE * 1000)) >"$group/$limit"
fi

# UDP of 1,000 conversations, in frames of this size without their checksum.
packets() {
    python3 - "$@" <<'P'
import struct, sys
size, count, out = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
with open(out, "wb") as f:
    f.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
    for n in range(count):
        flow, length = n % 1000, size - 14
        ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, length, n & 0xffff, 0, 64, 17, 0, bytes([10, 1, flow >> 8, flow & 255]), bytes([10, 2, 0, 1 + flow % 50]))
        total = sum(struct.unpack("!10H", ip)); total = (total & 0xffff) + (total >> 16); total = (total & 0xffff) + (total >> 16)
        ip = ip[:10] + struct.pack("!H", ~total & 0xffff) + ip[12:]
        frame = bytes([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0]) + ip + struct.pack("!HHHH", 20000 + flow, 5000 + flow % 7, length - 20, 0)
        f.write(struct.pack("<IIII", n // 100000, n % 100000 * 10, size, size) + frame.ljust(size, bytes([n & 255])))
P
}
packets 60 100000 "$work/64.pcap"
packets 1514 50000 "$work/1500.pcap"
# The clinic's packets, cut to 256 bytes each: 163 on average.
zstd -dqf "$here/datasets/clinic/clinic.pcap.zst" -o "$work/mixed.pcap"

ticks() { awk '{print $14 + $15}' "/proc/$1/stat"; }
sent() { ip netns exec "$to" cat "/sys/class/net/$listen/statistics/rx_packets"; }
seconds() { date +%s.%N; }

start() {
    case $1 in
    auscult) set -- "$auscult" watch "$listen" --model "$here/models/clinic.json" --alerts /dev/null --stats "$work/stats" ${COPIES:+--keep-duplicates} ${WATCH:-} ;;
    tcpdump) set -- tcpdump -i "$listen" -B 65536 -w /dev/null ;;
    argus) set -- argus -X -i "$listen" -w "$work/argus" ;;
    softflowd) set -- softflowd -d -i "$listen" -n 127.0.0.1:9995 -v 9 -m 1000000 -p "$work/sf.pid" -c "$work/sf.ctl" ;;
    esac
    rm -f "$work/argus" "$work/stats"
    ip netns exec "$to" "$@" >"$work/out" 2>&1 &
    running=$!
    [ "$1" != "$auscult" ] || [ -z "$group" ] || echo "$running" >"$group/cgroup.procs"
    sleep 2
}

# Ends the program. It is waited for by the shell that began it: a command substitution has no children of its own.
finish() {
    if [ "$1" = softflowd ]; then
        ip netns exec "$to" softflowctl -c "$work/sf.ctl" statistics >"$work/sf" 2>&1
        ip netns exec "$to" softflowctl -c "$work/sf.ctl" exit >/dev/null 2>&1 || true
    else
        kill -INT "$running"
    fi
    wait "$running" 2>/dev/null || true
    running=
}

# The packets that the program says it got, once it has ended.
got() {
    case $1 in
    auscult) python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["capture"]["frames"])' "$work/stats" ;;
    tcpdump) awk '/captured/ {print $1}' "$work/out" ;;
    argus) ra -r "$work/argus" -n -s pkts 2>/dev/null | awk '{sum += $1} END {print sum + 0}' ;;
    softflowd) awk '/Packets processed/ {print $3}' "$work/sf" ;;
    esac
}

# The packets of a set: so often with tcpreplay, or for five seconds at a rate.
send() {
    if [ -z "$sender" ]; then
        ip netns exec "$from" tcpreplay -K -t -i tap0 --loop="$2" "$work/$1.pcap"
    elif [ "$3" = max ]; then
        ip netns exec "$from" "$sender" tap0 "$work/$1.pcap" 3000000
    else
        ip netns exec "$from" "$sender" tap0 "$work/$1.pcap" $(($3 * 5)) "$3"
    fi >/dev/null 2>&1
}

# Says how it went; fails where packets were lost.
measure() {
    program=$1 size=$2 loops=$3
    start "$program"
    cpu=$(ticks "$running") before=$(sent) begin=$(seconds)
    send "$size" "$loops" "${4:-max}"
    end=$(seconds) after=$(sent)
    sleep 2
    cpu=$(($(ticks "$running") - cpu))
    finish "$program"
    got=$(got "$program")
    awk -v p="$program" -v f="$size" -v n=$((after - before)) -v s="$begin $end" -v c="$cpu" -v g="$got" -v l="$(cut -d' ' -f1 /proc/loadavg)" 'BEGIN {
        split(s, at, " "); took = at[2] - at[1]; lost = g == "" ? "unknown" : sprintf("%.2f %%", n > g ? (n - g) / n * 100 : 0)
        printf "%-10s %-6s sent %8d at %4.0f k/s, got %8s, lost %s, %5.2f us of CPU a packet, %4.2f of a core (load %s)\n", p, f, n, n / took / 1000, g, lost, c * 1e4 / n, c / 100 / took, l }'
    if [ -z "$got" ]; then sed 's/^/    it said: /' "$work/out"; return 0; fi
    [ $((after - before)) -le "$got" ]
}

# Faster and faster, until some are lost.
limit() {
    for rate in $rates; do
        measure "$1" "$2" "$3" "$rate" || return 0
    done
}

idle() {
    start "$1"
    cpu=$(ticks "$running")
    sleep 30
    cpu=$(($(ticks "$running") - cpu))
    finish "$1"
    awk -v p="$1" -v c="$cpu" 'BEGIN {printf "%-10s silent for 30 s: %.2f %% of a core\n", p, c / 30}'
}

round=0
while [ "$round" -lt "$rounds" ]; do
    round=$((round + 1))
    for set in "64 20" "mixed 18" "1500 30"; do
        for program in $programs; do
            if [ -n "$sender" ]; then limit "$program" $set; else measure "$program" $set || true; fi
        done
    done
done
for program in $programs; do idle "$program"; done
