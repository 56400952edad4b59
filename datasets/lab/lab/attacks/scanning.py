"""Looking around: hosts, ports, services.

nmap sends through the kernel's IP layer (`--send-ip`), so that the kernel can say whose packets they are.
"""

from ..plan import HOSTS, SUBNETS
from ..work import Work, attack
from .means import by


@attack("host-sweep")
def host_sweep(w: Work, intensity: str) -> None:
    """A sweep for machines with nmap's pings: two whole subnets at once, 128 addresses at 8 per second, or 30 with long
    pauses."""
    servers, clinical = SUBNETS["servers"].v4, SUBNETS["clinical"].v4
    targets = by(intensity, [f"{servers}.0/24", f"{clinical}.0/24"], [f"{servers}.0-63", f"{clinical}.0-63"],
                 [f"{servers}.1-30"])
    pace = by(intensity, ["-T4", "--min-parallelism", "32"], ["--max-rate", "8"], ["--max-rate", 5 / w.clock.factor])
    w.run("nmap", "-n", "-sn", "--send-ip", "-PE", "--max-retries", "0", *pace, *targets, timeout=400)


@attack("port-scan")
def port_scan(w: Work, intensity: str) -> None:
    """A SYN scan of servers' ports with nmap: the 1000 usual ones of two at 150 a second, 200 of three at 20, or 40 of two
    with long pauses."""
    ports = by(intensity, 1000, 200, 40)
    pace = ["--max-rate", by(intensity, 150, 20, 10 / w.clock.factor)]
    targets = [HOSTS[name].v4 for name in by(intensity, ("pacs", "his"), ("pacs", "his", "files"), ("pacs", "files"))]
    w.run("nmap", "-n", "-Pn", "--send-ip", "-sS", "--top-ports", ports, "--max-retries", "1", *pace, *targets, timeout=400)


@attack("service-detection")
def service_detection(w: Work, intensity: str) -> None:
    """nmap asks open ports what serves there and in which version: nine hosts at once, four in turn, or one port after
    another with long pauses."""
    ports = ("22", "53", "80", "104", "445", "1883", "2575", "5432", "8042", "8080", "11112")
    names = by(intensity, ("pacs", "his", "files", "mail", "broker", "db", "backup", "infra", "voice"),
               ("pacs", "his", "files", "broker"), ("pacs", "his"))
    targets = [HOSTS[name].v4 for name in names]
    command = ("nmap", "-n", "-Pn", "--send-ip", "-sS", "-sV", "--version-intensity", by(intensity, 5, 3, 1),
               "--max-retries", "1", "--host-timeout", "60s")
    if intensity != "quiet":
        pace = ["-T4"] if intensity == "loud" else ["--max-hostgroup", "1"]
        w.run(*command, *pace, "-p", ",".join(ports), *targets, timeout=180)
        return
    for port in ports:
        for target in targets:
            w.run(*command, "-p", port, target)
            if not w.sleep(w.rng.uniform(60, 160)):
                return
