"""Capture files and the few headers that the truth needs. Small on purpose: it must not share code with what it judges."""

import hashlib
import socket
import struct
from dataclasses import dataclass, replace

_PCAP = struct.Struct("<IHHiIII")
_RECORD = struct.Struct("<IIII")
_MAGIC = 0xA1B2C3D4
ETHERNET = 1
TCP, UDP, ICMP, ICMP6 = 6, 17, 1, 58
ARP = "arp"
UNADDRESSED = "0.0.0.0"
PROTOCOLS = {TCP: "tcp", UDP: "udp", ICMP: "icmp", ICMP6: "icmpv6"}


@dataclass(frozen=True)
class Packet:
    """Key: (source, destination, source port, destination port, protocol) with protocol a name or a number as text; ports are
    None where there are none. `begins`: a TCP segment with SYN and without ACK. `ends`: with FIN or RST. `about`: the key of the packet that an ICMP error
    speaks of."""

    key: tuple
    begins: bool = False
    ends: bool = False
    about: tuple | None = None
    # Where the payload of the transport starts in the frame.
    payload: int = 0
    # The sender's hardware address: of ARP, and of a host that has no address yet.
    sender: str | None = None
    # ICMP echo requests and replies: their identifier.
    echo: int | None = None


def key_text(key: tuple) -> str:
    return ",".join("" if part is None else str(part) for part in key)


def key_of(text: str) -> tuple:
    source, destination, from_port, to_port, protocol = text.split(",")
    return source, destination, int(from_port) if from_port else None, int(to_port) if to_port else None, protocol


def reverse(key: tuple) -> tuple:
    return key[1], key[0], key[3], key[2], key[4]


def both_ways(key: tuple) -> tuple:
    """One form for both directions."""
    return min(key, reverse(key), key=lambda each: [str(part) for part in each])


def dissect(frame: bytes) -> Packet | None:
    """The headers of an Ethernet frame; None for what is neither IP nor ARP."""
    if len(frame) < 14:
        return None
    kind = frame[12] << 8 | frame[13]
    if kind == 0x0800:
        packet = _ip4(frame, 14)
        return replace(packet, sender=frame[6:12].hex(":")) if packet and packet.key[0] == UNADDRESSED else packet
    if kind == 0x86DD:
        return _ip6(frame, 14)
    if kind == 0x0806 and len(frame) >= 42:
        source, target = socket.inet_ntoa(frame[28:32]), socket.inet_ntoa(frame[38:42])
        return Packet((source, target, None, None, ARP), sender=frame[22:28].hex(":"))
    return None


def _ip4(frame: bytes, at: int) -> Packet | None:
    if len(frame) < at + 20:
        return None
    length = (frame[at] & 15) * 4
    source, destination = socket.inet_ntoa(frame[at + 12 : at + 16]), socket.inet_ntoa(frame[at + 16 : at + 20])
    if (frame[at + 6] << 8 | frame[at + 7]) & 0x1FFF:
        return Packet((source, destination, None, None, "fragment"), payload=at + length)
    return _transport(frame, at + length, frame[at + 9], source, destination)


def _ip6(frame: bytes, at: int) -> Packet | None:
    if len(frame) < at + 40:
        return None
    source = socket.inet_ntop(socket.AF_INET6, frame[at + 8 : at + 24])
    destination = socket.inet_ntop(socket.AF_INET6, frame[at + 24 : at + 40])
    protocol, at = frame[at + 6], at + 40
    # Hop-by-hop, routing and destination options.
    while protocol in (0, 43, 60) and len(frame) >= at + 8:
        protocol, at = frame[at], at + 8 + frame[at + 1] * 8
    return _transport(frame, at, protocol, source, destination)


def _transport(frame: bytes, at: int, protocol: int, source: str, destination: str) -> Packet:
    name = PROTOCOLS.get(protocol, str(protocol))
    if protocol == TCP and len(frame) >= at + 14:
        ports, flags = struct.unpack_from("!HH", frame, at), frame[at + 13]
        return Packet((source, destination, *ports, name), flags & 0x12 == 2, bool(flags & 5), payload=at + (frame[at + 12] >> 4) * 4)
    if protocol == UDP and len(frame) >= at + 8:
        return Packet((source, destination, *struct.unpack_from("!HH", frame, at), name), payload=at + 8)
    about = echo = None
    if protocol in (ICMP, ICMP6) and len(frame) >= at + 8:
        kind = frame[at]
        if kind in ((0, 8) if protocol == ICMP else (128, 129)):
            echo = frame[at + 4] << 8 | frame[at + 5]
        elif kind in ((3, 4, 5, 11, 12) if protocol == ICMP else (1, 2, 3, 4)):
            inner = (_ip4 if protocol == ICMP else _ip6)(frame, at + 8)
            about = inner.key if inner else None
    return Packet((source, destination, None, None, name), about=about, payload=at + 8, echo=echo)


def read(path: str):
    """Yields (time in microseconds since the epoch, length on the wire, captured bytes) of a little-endian pcap file."""
    with open(path, "rb", buffering=1 << 20) as file:
        head = file.read(_PCAP.size)
        if len(head) < _PCAP.size or _PCAP.unpack(head)[0] != _MAGIC or _PCAP.unpack(head)[6] != ETHERNET:
            raise ValueError(f"{path}: not a little-endian Ethernet pcap file with microseconds")
        while True:
            record = file.read(_RECORD.size)
            if len(record) < _RECORD.size:
                return
            seconds, micros, kept, length = _RECORD.unpack(record)
            frame = file.read(kept)
            if len(frame) < kept:
                return
            yield seconds * 1_000_000 + micros, length, frame


class Writer:
    """Writes a pcap file as `read` reads it."""

    def __init__(self, path: str, snap: int = 262_144):
        self._file = open(path, "wb", buffering=1 << 20)
        self._file.write(_PCAP.pack(_MAGIC, 2, 4, 0, 0, snap, ETHERNET))

    def write(self, micros: int, length: int, frame: bytes) -> None:
        self._file.write(_RECORD.pack(micros // 1_000_000, micros % 1_000_000, len(frame), length))
        self._file.write(frame)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._file.close()


def digest(path) -> str:
    """SHA-256 of a file, as `sha256sum` prints it."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
