"""What several attacks need: intensities, turns, the adversary's sites, logins."""

import itertools
from collections.abc import Iterator

from ..plan import HOSTS, adversary
from ..scenarios import INTENSITIES
from ..work import Work

# An account that can log in nearly everywhere, as is found too often, and one of an employee.
SERVICE = ("svc", "changeme1")
EMPLOYEE = ("office1", "Winter2026")

# In the order in which they are tried.
PASSWORDS = (
    "password", "123456", "Hospital1", "Welcome1", "admin", "letmein", "Summer2025", "Passw0rd", "qwertz", "clinic",
    "test", "root", "toor", "changeme", "Spring2026", "Autumn2026", "Monday1", "nurse", "doctor", "secret",
)


def by(intensity: str, *choices):
    """The choice for an intensity, given in the order loud, normal, quiet."""
    return choices[INTENSITIES.index(intensity)]


def turns(w: Work, count: int, period: float, jitter: float = 0.2) -> Iterator[int]:
    """At most `count` turns, one per `period` lab seconds."""
    return itertools.islice(w.every(period, jitter), count)


def asks(domain: str) -> tuple[tuple[str, str, int, str], ...]:
    """What the hospital's resolver asks the adversary's name server for an attack (an attack's `causes`)."""
    return ((HOSTS["infra"].v4, adversary(domain), 53, "udp"),)


def https(w: Work, domain: str, path: str, data: bytes | None = None, agent: str = "Mozilla/5.0", timeout: float = 60):
    """One request to a site of the adversary: POST with data, GET without."""
    body = ["--data-binary", "@-", "-H", "Content-Type: application/octet-stream"] if data is not None else []
    return w.run("curl", "-sk", "-4", "--max-time", timeout, "-A", agent, "-o", "/dev/null", *body, f"https://{domain}{path}",
                 input=data, timeout=timeout + 5)


def tool(w: Work, size: int) -> str:
    """A file of random bytes that stands for the adversary's tool; gives its path."""
    path = w.dir / f"{w.activity.name}.bin"
    path.write_bytes(w.rng.randbytes(size))
    return str(path)


def ssh(w: Work, host: str, *command: str, login: tuple[str, str] = SERVICE):
    """Runs a command on another machine over SSH with a password."""
    user, password = login
    return w.run("sshpass", "-p", password, "ssh", *_SSH, f"{user}@{HOSTS[host].v4}", *command)


def scp(w: Work, path: str, host: str, to: str, login: tuple[str, str] = SERVICE):
    """Copies a file to another machine."""
    user, password = login
    return w.run("sshpass", "-p", password, "scp", "-q", *_SSH, path, f"{user}@{HOSTS[host].v4}:{to}")


_SSH = ("-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "PreferredAuthentications=password",
        "-o", "ConnectTimeout=5", "-o", "LogLevel=ERROR")


def smb(w: Work, share: str, commands: str, login: tuple[str, str] = EMPLOYEE, good=(0,), timeout: float = 120):
    """One session with a share of the file server."""
    return w.run("smbclient", "-s", "/dev/null", f"//{HOSTS['files'].v4}/{share}", "-U", "%".join(login), "-c", commands,
                 good=good, timeout=timeout)


def smb_login(w: Work, user: str, password: str) -> bool:
    """Whether the file server takes a password."""
    return smb(w, "users", "exit", (user, password), good=(0, 1)).returncode == 0
