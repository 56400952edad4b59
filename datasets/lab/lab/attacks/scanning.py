"""Looking around: ports, hosts, services."""

from ..plan import HOSTS
from ..work import Work, attack


@attack("port-scan")
def port_scan(w: Work, intensity: str) -> None:
    """A SYN scan of the servers' ports with nmap: the 1000 usual ones at full speed, 200 slower, or 60 with long pauses."""
    ports = {"loud": "1000", "normal": "200", "quiet": "60"}[intensity]
    pace = {"loud": ["-T4"], "normal": ["--max-rate", "20"], "quiet": ["--scan-delay", f"{10 / w.clock.factor:.2f}s"]}[intensity]
    targets = [HOSTS[name].v4 for name in ("pacs", "his", "files")]
    w.run("nmap", "-n", "-Pn", "--send-ip", "-sS", "--top-ports", ports, "--max-retries", "1", *pace, *targets, timeout=600)
