"""What is legitimate and yet looks odd: backups, an allowed scanner, long sessions, mistyped passwords."""

from ..plan import HOSTS, SUBNETS
from ..work import RUN, Work, life, server
from .credentials import SSH_KEY
from .remote import OPTIONS, SERVICE_ACCOUNT, SERVICE_PASSWORD, ssh
from .shares import ACCOUNTS, PASSWORD, document, smbclient

_BACKED_UP = ("files", "his", "db")


@server("data to back up", *_BACKED_UP)
def data_to_back_up(w: Work) -> None:
    """A folder that changes a little all day."""
    folder = w.dir / "data"
    folder.mkdir(exist_ok=True)
    for place in range(20):
        (folder / f"part-{place:02d}").write_bytes(document(w.rng, "pdf"))
    for _ in w.every(1800):
        (folder / f"part-{w.rng.randrange(20):02d}").write_bytes(document(w.rng, "pdf"))


@life("backup", "backup")
def backup(w: Work) -> None:
    """Every three hours what has changed, between 22 and 23 everything, pulled with rsync over SSH."""
    remote_shell = " ".join(["ssh", *OPTIONS, "-i", str(SSH_KEY)])
    full_done = False
    for turn in w.every(1800):
        night = 22 <= w.clock.hour_now() < 23
        if turn % 6 == 2 or (night and not full_done):
            for name in _BACKED_UP:
                w.run("rsync", "-a", *(["--ignore-times", "--whole-file"] if night else []), "-e", remote_shell,
                      f"root@{HOSTS[name].fqdn}:{RUN}/hosts/{name}/data/", w.dir / name)
        full_done = night


_SCANS = (("-sS", "--top-ports", "60"), ("-sT", "--top-ports", "40"),
          ("-sV", "--version-intensity", "2", "-p", "22,25,80,445,631,8042"))


@life("vulnerability scan", "scanner")
def vulnerability_scan(w: Work) -> None:
    """The security department's scanner takes a few hosts each time, in bounded portions: who is there, ports, versions."""
    targets = [host for host in HOSTS.values() if host.subnet in (SUBNETS["servers"], SUBNETS["workstations"])
               and not host.absent and host.name not in ("scanner", "phone-1", "phone-2")]
    for turn in w.every(6600, 0.2):
        some = [host.v4 for host in w.rng.sample(targets, 4)]
        w.run("nmap", "-n", "--send-ip", "-sn", "-PE", *(host.v4 for host in targets), timeout=120)
        how = _SCANS[turn % len(_SCANS)]
        w.run("nmap", "-n", "-Pn", "--send-ip", "--max-retries", "1", "--max-rate", "40", *how, *some, timeout=240)


@life("long session", "admin-1")
def long_session(w: Work) -> None:
    """An administrator stays logged in for some minutes and types a command now and then."""
    for _ in w.people(9000):
        name = w.rng.choice(("his", "db", "pacs"))
        with w.start(*ssh(HOSTS[name].fqdn, "-tt"), stdin=-1) as session:
            for _ in range(w.rng.randint(15, 40)):
                session.stdin.write(w.rng.choice((b"uptime\n", b"ls -l /\n", b"ps ax\n", b"date\n", b"wc -l /etc/passwd\n")))
                session.stdin.flush()
                if not w.pause(w.rng.uniform(2, 14)):
                    return
            session.stdin.write(b"exit\n")
            session.stdin.close()


@life("mistyped password", "office-2", "office-3", "admin-1")
def mistyped_password(w: Work) -> None:
    """Somebody's first try, or the first two, have a typing error; then it works."""
    account = next((account for account, host in ACCOUNTS.items() if host == w.host.name), None)
    for _ in w.people(10_000):
        for wrong in [True] * w.rng.choice((1, 1, 2)) + [False]:
            if account:
                w.run(*smbclient("users", account, "ls", PASSWORD.lower() if wrong else PASSWORD), good=(1,) if wrong else (0,))
            else:
                w.run("sshpass", "-p", SERVICE_PASSWORD.upper() if wrong else SERVICE_PASSWORD, "ssh", *OPTIONS,
                      "-o", "PubkeyAuthentication=no", "-o", "NumberOfPasswordPrompts=1",
                      f"{SERVICE_ACCOUNT}@{HOSTS['files'].fqdn}", "uptime", good=(5, 255) if wrong else (0,))
            if not w.pause(w.rng.uniform(2, 6)):
                return


@life("uptime checks", "internet")
def uptime_checks(w: Work) -> None:
    """A service outside looks whether the hospital's mail server answers."""
    for _ in w.every(1800):
        w.run("ping", "-n", "-c", "2", "-i", "0.5", "-W", "2", HOSTS["mail"].v4)
        w.run("nc", "-z", "-w", "4", HOSTS["mail"].v4, "25")
