"""Who sent what, as the kernel says it.

Every activity runs under a group id of its own. In each host's namespace nftables logs, on the way out, the first segment of
each TCP connection and every other packet, and the kernel adds the group id of the process whose socket sent it (NFULA_GID of
nfnetlink_log). A packet that waits for its neighbour's address may outlive its socket, so it also carries the group id as its mark from
where it was sent; packet sockets, which pass that place by, do not wait. Packets that no process sent (ARP, neighbour discovery,
resets, ICMP errors) have neither. The ledger is the only source of the ground truth; nothing is inferred from how traffic looks.
"""

import ctypes
import os
import selectors
import signal
import socket
import struct
import subprocess
import time
from dataclasses import dataclass

from . import packets, plan
from .work import GROUP_FIRST, GROUPS_MAX, enter_namespace

_GROUP = 5
_HEAD_BYTES = 160
_NETLINK_NETFILTER = 12
_SO_RCVBUFFORCE = 33
_ULOG_PACKET, _ULOG_CONFIG = (4 << 8) | 0, (4 << 8) | 1
_PAYLOAD, _GID, _MARK, _TIMESTAMP = 9, 14, 2, 3
# nftables takes no group id for a mark but by way of a map.
_SAME = ", ".join(f"{group} : {group}" for group in range(GROUP_FIRST, GROUP_FIRST + GROUPS_MAX))
_RULES = f"""
table inet ledger {{
    chain out {{
        type filter hook output priority 0; policy accept;
        meta mark set meta skgid map {{ {_SAME} }}
    }}
}}
table netdev ledger {{
    chain out {{
        type filter hook egress device eth0 priority 0; policy accept;
        tcp flags & (syn | ack) == syn log group {_GROUP} snaplen {_HEAD_BYTES}
        meta l4proto != tcp log group {_GROUP} snaplen {_HEAD_BYTES}
        ether type arp log group {_GROUP} snaplen {_HEAD_BYTES}
    }}
}}
"""
# Of what leaves the router's inner ports, only what the router itself says: its address is a subnet's first.
_INNER = [subnet for subnet in plan.SUBNETS.values() if subnet.name != plan.OUTSIDE]
_ROUTER_RULES = f"""
table netdev ledger {{
    chain out {{
        type filter hook egress devices = {{ {", ".join(subnet.name for subnet in _INNER)} }} priority 0; policy accept;
        ip saddr {{ {", ".join(f"{subnet.v4}.1" for subnet in _INNER)} }} meta l4proto != tcp log group {_GROUP} snaplen {_HEAD_BYTES}
    }}
}}
"""


@dataclass(frozen=True)
class Entry:
    """One packet that left a host: when, whose, under which group id (None: the kernel's own), and its conversation's key as the
    sender sees it."""

    time: float
    host: str
    group: int | None
    key: tuple


class Ledger:
    """Writes `path` from a process of its own until it is stopped: time, host, group id or `-`, key."""

    def __init__(self, path: str):
        # Held by the parent only so that the child can tell that everything is set up.
        ready, told = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(ready)
            status = 1
            try:
                os.setsid()
                _record(path, told)
                status = 0
            finally:
                os._exit(status)
        os.close(told)
        with os.fdopen(ready, "rb") as line:
            if line.read(5) != b"ready":
                raise RuntimeError("the ledger could not start: does this kernel have nfnetlink_log and nftables' netdev egress hook?")

    def stop(self) -> None:
        os.kill(self._pid, signal.SIGTERM)
        _, status = os.waitpid(self._pid, 0)
        if status != 0:
            raise RuntimeError("the ledger lost entries or failed: its truth would have gaps")


def _record(path: str, told: int) -> None:
    stop = []
    signal.signal(signal.SIGTERM, lambda *_: stop.append(True))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    choose = selectors.DefaultSelector()
    for host, rules in [*((host, _RULES) for host in plan.HOSTS), (plan.ROUTER, _ROUTER_RULES)]:
        enter_namespace(host)
        subprocess.run(["nft", "-f", "-"], input=rules, text=True, check=True)
        choose.register(_listener(), selectors.EVENT_READ, host)
    ctypes.CDLL(None).setns(home, 0)
    with open(path, "w") as out:
        os.write(told, b"ready")
        os.close(told)
        last = None
        # A little longer than the signal, for what the kernel still holds (it flushes once a second).
        while last is None or time.monotonic() < last:
            if stop and last is None:
                last = time.monotonic() + 2.5
            for key, _ in choose.select(0.5):
                for entry in _entries(key.fileobj.recv(1 << 18), key.data):
                    out.write(f"{entry.time:.6f}\t{entry.host}\t{'-' if entry.group is None else entry.group}\t"
                              f"{packets.key_text(entry.key)}\n")


def _attribute(kind: int, body: bytes) -> bytes:
    return struct.pack("HH", 4 + len(body), kind) + body + bytes(-len(body) % 4)


def _listener() -> socket.socket:
    """A socket that receives the log of the namespace that the process is in."""
    log = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER)
    log.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 1 << 24)
    log.bind((0, 0))
    bind, copy_heads = _attribute(1, b"\x01"), _attribute(2, struct.pack("!IBB", _HEAD_BYTES, 2, 0))
    for order in (bind, copy_heads):
        body = struct.pack("!BBH", 0, 0, _GROUP) + order
        log.send(struct.pack("IHHII", 16 + len(body), _ULOG_CONFIG, 1 | 4, 1, 0) + body)
        error = struct.unpack_from("i", log.recv(4096), 16)[0]
        if error:
            raise OSError(-error, "nfnetlink_log refuses")
    return log


def _entries(datagram: bytes, host: str):
    place = 0
    while place + 16 <= len(datagram):
        length, kind = struct.unpack_from("IH", datagram, place)
        if length < 16:
            return
        if kind == _ULOG_PACKET:
            found = dict(_attributes(datagram[place + 20 : place + length]))
            packet = packets.dissect(found.get(_PAYLOAD, b""))
            if packet:
                stamp = found.get(_TIMESTAMP)
                when = struct.unpack("!QQ", stamp) if stamp else None
                group = found.get(_GID) or found.get(_MARK)
                yield Entry(when[0] + when[1] / 1e6 if when else time.time(), host, struct.unpack("!I", group)[0] if group else None,
                            packet.key)
        place += (length + 3) & ~3


def _attributes(body: bytes):
    place = 0
    while place + 4 <= len(body):
        length, kind = struct.unpack_from("HH", body, place)
        if length < 4:
            return
        yield kind & 0x3FFF, body[place + 4 : place + length]
        place += (length + 3) & ~3


def read(path: str):
    """Reads a ledger back."""
    with open(path) as lines:
        for line in lines:
            when, host, group, key = line.rstrip("\n").split("\t")
            yield Entry(float(when), host, None if group == "-" else int(group), packets.key_of(key))
