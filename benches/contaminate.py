#!/usr/bin/env python3
"""Puts conversations of attacks into a learning time: what a model makes of time that was not clean.

usage: contaminate.py CAPTURE TO ATTACKED LABELS SHARE CHOICE OUT

CAPTURE   pcap (plain or gzip) whose packets before TO (epoch seconds) are the learning time
ATTACKED  pcap with attacks, LABELS their ground truth; may be the same capture
SHARE     of the conversations of OUT that are attacks, 0 to 1
CHOICE    scattered: drawn evenly over all malicious conversations, each moved to a random moment of the learning time;
          each: the first of every attack in turn, each at the same relative place of the learning time as in ATTACKED
OUT       the learning time with them, as pcap with microseconds

The same input gives the same bytes. IPv4 over Ethernet alone is counted as conversations; all frames of CAPTURE are kept.
"""

import csv
import gzip
import random
import struct
import sys
from collections import defaultdict

SEED = 7
PROTOCOLS = {6: "tcp", 17: "udp", 1: "icmp"}


def frames(path):
    """(microseconds, length on the wire, bytes) of every frame."""
    with gzip.open(path, "rb") if path.endswith(".gz") else open(path, "rb") as file:
        data = file.read()
    magic = data[:4]
    endian = "<" if magic in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    is_nanos = magic in (b"\x4d\x3c\xb2\xa1", b"\xa1\xb2\x3c\x4d")
    place, found = 24, []
    while place + 16 <= len(data):
        seconds, part, captured, length = struct.unpack_from(endian + "IIII", data, place)
        place += 16
        found.append((seconds * 10**6 + (part // 1000 if is_nanos else part), length, data[place : place + captured]))
        place += captured
    return found


def ends(frame):
    """Both ends and the protocol of an IPv4 packet."""
    if len(frame) < 34 or frame[12:14] != b"\x08\x00":
        return None
    header, protocol = (frame[14] & 15) * 4, frame[23]
    source, target = (".".join(map(str, frame[at : at + 4])) for at in (26, 30))
    ports = ("", "")
    if protocol in (6, 17) and len(frame) >= 14 + header + 4:
        ports = struct.unpack_from(">HH", frame, 14 + header)
    pair = frozenset([(source, str(ports[0])), (target, str(ports[1]))])
    return pair, PROTOCOLS.get(protocol, str(protocol))


def malicious(path, labels):
    """The frames of every malicious row, and what attack it is of."""
    with open(labels, newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["label"] == "malicious"]
    by_ends = defaultdict(list)
    for number, row in enumerate(rows):
        ports = ("", "") if row["proto"] == "icmp" else (row["src_port"] or "", row["dst_port"] or "")
        by_ends[frozenset([(row["src_ip"], ports[0]), (row["dst_ip"], ports[1])]), row["proto"]].append(number)
    of_row = defaultdict(list)
    for frame in frames(path):
        for number in by_ends.get(ends(frame[2]), ()):
            row, at = rows[number], frame[0] / 1e6
            if (not row["start"] or float(row["start"]) - 1e-3 <= at) and (not row["end"] or at <= float(row["end"]) + 1e-3):
                of_row[number].append(frame)
                break
    return of_row, {number: rows[number]["detail"] for number in of_row}


def chosen(of_row, attacks, wanted, choice, rng):
    if choice == "scattered":
        return rng.sample(sorted(of_row), min(wanted, len(of_row)))
    pools = defaultdict(list)
    for number in of_row:
        pools[attacks[number]].append(number)
    pools = {attack: sorted(numbers) for attack, numbers in pools.items()}
    taken = []
    while len(taken) < wanted and any(pools.values()):
        for numbers in pools.values():
            if numbers and len(taken) < wanted:
                taken.append(numbers.pop(0))
    return taken


def main():
    if len(sys.argv) != 8 or sys.argv[6] not in ("scattered", "each"):
        print(__doc__, file=sys.stderr)
        return 2
    capture, to, attacked, labels, share, choice, out = sys.argv[1:]
    share, rng = float(share), random.Random(SEED)
    kept = [frame for frame in frames(capture) if frame[0] < float(to) * 1e6]
    first, last = kept[0][0], kept[-1][0]
    conversations = {ends(frame[2]) for frame in kept} - {None}
    of_row, attacks = malicious(attacked, labels)
    taken = chosen(of_row, attacks, max(1, round(len(conversations) * share / (1 - share))), choice, rng)
    begin = min(of[0][0] for of in of_row.values())
    length = max(of[-1][0] for of in of_row.values()) - begin + 1
    for number in taken:
        own = of_row[number]
        if choice == "each":
            at = first + int((own[0][0] - begin) / length * (last - first))
        else:
            at = rng.randint(first, max(first + 1, last - (own[-1][0] - own[0][0])))
        moved = at - own[0][0]
        kept += [(micros + moved, size, data) for micros, size, data in own if micros + moved <= last]
    kept.sort(key=lambda frame: frame[0])
    with open(out, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
        for micros, size, data in kept:
            file.write(struct.pack("<IIII", micros // 10**6, micros % 10**6, len(data), size) + data)
    kinds = sorted({attacks[number] for number in taken})
    print(f"{out}: {len(conversations)} conversations and {len(taken)} of attacks: {', '.join(kinds)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
