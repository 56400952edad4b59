#!/usr/bin/env python3
"""Lets a host of a known network carry out an attack that was recorded in another network.

usage: transplant.py CLEAN ATTACK HOSTS OUT [AFTER]

CLEAN   pcap (Ethernet, microseconds or nanoseconds) of an ordinary day
ATTACK  capture with an attack (Ethernet, Linux cooked or raw IP; other formats than pcap are read with editcap)
HOSTS   CSV whose lines are role,address,mac: one attacker, servers, one resolver, and others, of CLEAN. Of the attack's private
        addresses the one that begins most conversations becomes the attacker; of those that are asked something, the one that is mostly
        asked for names becomes the resolver, the first two others the servers; all others become the others, and after them unused
        addresses of the attacker's subnet. Public addresses stay as they are.
OUT     pcap of the ordinary day with the attack in it
AFTER   hours of CLEAN before the attack begins (4)

Prints the addresses that the attack now has. IPv4 alone is carried over; checksums are made anew.
"""

import csv
import struct
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict

MAGICS = {b"\xd4\xc3\xb2\xa1": ("<", 1), b"\xa1\xb2\xc3\xd4": (">", 1), b"\x4d\x3c\xb2\xa1": ("<", 1000), b"\xa1\xb2\x3c\x4d": (">", 1000)}


def packets(path):
    """Link type, and (microseconds, length on the wire, bytes) of every frame."""
    with open(path, "rb") as file:
        data = file.read()
    if data[:4] not in MAGICS:
        with tempfile.NamedTemporaryFile(suffix=".pcap") as plain:
            subprocess.run(["editcap", "-F", "pcap", path, plain.name], check=True)
            return packets(plain.name)
    endian, parts = MAGICS[data[:4]]
    place, found = 24, []
    while place + 16 <= len(data):
        seconds, part, captured, length = struct.unpack_from(endian + "IIII", data, place)
        place += 16
        found.append((seconds * 10**6 + part // parts, length, data[place : place + captured]))
        place += captured
    return struct.unpack_from(endian + "I", data, 20)[0], found


def ipv4(link, frame):
    """The IPv4 packet in a frame, if there is one."""
    skip = {1: 14, 113: 16, 0: 4}.get(link, 0)
    if link == 1 and frame[12:14] == b"\x81\x00":
        skip = 18
    packet = frame[skip:]
    return packet if len(packet) >= 20 and packet[0] >> 4 == 4 else None


def is_private(address):
    first, second = address[:2]
    return first in (10, 127) or (first, second) in ((192, 168), (169, 254)) or first == 172 and 16 <= second < 32


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ends(packet):
    header, protocol = (packet[0] & 15) * 4, packet[9]
    ports = struct.unpack_from("!HH", packet, header) if protocol in (6, 17) and len(packet) >= header + 4 else (0, 0)
    return (packet[12:16], ports[0]), (packet[16:20], ports[1]), protocol


def places(attack, hosts):
    """New addresses of the attack's private ones."""
    seen, began, asked = set(), Counter(), defaultdict(Counter)
    for _, packet in attack:
        source, target, protocol = ends(packet)
        if frozenset([source, target, protocol]) not in seen:
            seen.add(frozenset([source, target, protocol]))
            began[source[0]] += 1
            asked[target[0]][target[1]] += 1
    local = sorted((a for a in {*began, *asked} if is_private(a) and a[3] != 255), key=lambda a: (-began[a], a))
    attacker = hosts["attacker"][0]
    spare = (bytes([*attacker[:2], attacker[2] + n // 150, 100 + n % 150]) for n in range(150 * (255 - attacker[2])))
    free = {role: iter(hosts[role]) for role in ("attacker", "resolver", "server", "other")}
    moved = {}
    for address in local:
        mostly = asked[address].most_common(1)
        roles = ["other"]
        if not moved:
            roles = ["attacker"]
        elif mostly and len(local) < 20:
            roles = ["resolver"] * (mostly[0][0] == 53) + ["server", "other"]
        moved[address] = next((new for role in roles for new in free[role]), None) or next(spare)
    return moved


def carried(packet, moved, macs):
    """The packet as a frame between its new addresses."""
    packet = bytearray(packet)
    header, total = (packet[0] & 15) * 4, struct.unpack_from("!H", packet, 2)[0]
    packet = packet[: total or len(packet)]
    source, target = (moved.get(bytes(packet[at : at + 4]), bytes(packet[at : at + 4])) for at in (12, 16))
    packet[12:20] = source + target
    packet[10:12] = b"\0\0"
    struct.pack_into("!H", packet, 10, checksum(bytes(packet[:header])))
    is_whole = not struct.unpack_from("!H", packet, 6)[0] & 0x3FFF and total <= len(packet)
    if is_whole and packet[9] == 6 and total >= header + 20:
        packet[header + 16 : header + 18] = b"\0\0"
        pseudo = source + target + struct.pack("!HH", 6, total - header)
        struct.pack_into("!H", packet, header + 16, checksum(pseudo + bytes(packet[header:])))
    if is_whole and packet[9] == 17 and total >= header + 8:
        packet[header + 6 : header + 8] = b"\0\0"
    router = macs["router"]
    return macs.get(target, router) + macs.get(source, router) + b"\x08\0" + bytes(packet)


def main():
    if len(sys.argv) not in (5, 6):
        sys.exit(__doc__)
    clean_path, attack_path, hosts_path, out = sys.argv[1:5]
    after = float(sys.argv[5]) if len(sys.argv) == 6 else 4.0
    hosts, macs = defaultdict(list), {}
    with open(hosts_path, newline="") as file:
        for role, address, mac in csv.reader(file):
            mac = bytes.fromhex(mac.replace(":", ""))
            if role == "router":
                macs["router"] = mac
                continue
            address = bytes(map(int, address.split(".")))
            hosts[role].append(address)
            macs[address] = mac
    _, clean = packets(clean_path)
    link, frames = packets(attack_path)
    attack = [(at, packet) for at, _, frame in frames if (packet := ipv4(link, frame))]
    moved = places(attack, hosts)
    shift = clean[0][0] + int(after * 3600e6) - attack[0][0] if attack else 0
    # The header tells the length of a packet of which the capture kept a part.
    length = lambda frame: max(len(frame), 14 + struct.unpack_from("!H", frame, 16)[0])
    new = [(at + shift, length(frame), frame) for at, frame in ((at, carried(packet, moved, macs)) for at, packet in attack)]
    with open(out, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
        for at, length, frame in sorted(clean + new, key=lambda one: one[0]):
            file.write(struct.pack("<IIII", at // 10**6, at % 10**6, len(frame), max(length, len(frame))) + frame)
    untouched = {end[0] for _, packet in attack for end in ends(packet)[:2]} - {*moved}
    print(" ".join(".".join(map(str, address)) for address in [*moved.values(), *sorted(untouched)]))


if __name__ == "__main__":
    main()
