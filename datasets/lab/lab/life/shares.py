"""File shares: samba on the file server and people's office documents on it."""

import random

from ..plan import HOSTS
from ..work import Work, life, server
from .credentials import add_account

PASSWORD = "Winter2026"
ACCOUNTS = {"office1": "office-1", "office2": "office-2", "office3": "office-3", "nurse1": "nurse-1"}
FILES_PER_ACCOUNT = 120
_PUBLIC_FILES = 30
_ROOT = "/srv/shares"
_SETTINGS = """[global]
workgroup = HOSPITAL
netbios name = FILES
disable netbios = yes
smb ports = 445
server min protocol = SMB2_10
map to guest = Bad User
load printers = no
printcap name = /dev/null
disable spoolss = yes
private dir = {own}
lock directory = {own}
state directory = {own}
cache directory = {own}
pid directory = {own}
ncalrpc dir = {own}/ncalrpc
log level = 0
[public]
path = {root}/public
read only = no
guest ok = yes
force user = root
[users]
path = {root}/users/%U
valid users = {accounts}
read only = no
force user = root
"""
_TOPICS = ("roster", "minutes", "stock", "letter", "budget", "training", "invoice", "protocol", "inventory", "handover")
_KINDS = ("docx", "xlsx", "pdf", "txt", "csv", "odt")


def document(rng: random.Random, kind: str) -> bytes:
    """Content that resembles an office file: text, or packed data behind the format's first bytes."""
    size = int(min(60_000, rng.lognormvariate(8.6, 0.9)))
    if kind in ("txt", "csv"):
        words = [rng.choice(_TOPICS) for _ in range(size // 8)]
        return (";" if kind == "csv" else " ").join(words).encode() + b"\n"
    return (b"%PDF-1.7\n" if kind == "pdf" else b"PK\x03\x04") + rng.randbytes(size)


def _name(place: int) -> str:
    """What the document at a place of a folder is called from the beginning."""
    return f"{_TOPICS[place % len(_TOPICS)]}-{place:03d}.{_KINDS[place // 3 % len(_KINDS)]}"


def document_name(rng: random.Random) -> str:
    """A name for a new document, unlike those that were there from the beginning."""
    return f"{rng.choice(_TOPICS)}-{rng.randrange(1000, 10_000_000)}.{rng.choice(_KINDS)}"


@server("file shares", "files")
def file_shares(w: Work) -> None:
    """smbd with the share `public`, which guests may write, and `users`, in which each account sees its own folder."""
    w.run("mkdir", "-p", f"{_ROOT}/public")
    settings = w.dir / "smb.conf"
    settings.write_text(_SETTINGS.format(own=w.dir, root=_ROOT, accounts=" ".join(ACCOUNTS)))
    for number, account in enumerate(ACCOUNTS):
        add_account(account, 2001 + number)
        folder = f"{_ROOT}/users/{account}"
        w.run("mkdir", "-p", folder)
        _fill(w.rng, folder, FILES_PER_ACCOUNT)
        w.run("smbpasswd", "-c", settings, "-a", "-s", account, input=f"{PASSWORD}\n{PASSWORD}\n")
    _fill(w.rng, f"{_ROOT}/public", _PUBLIC_FILES)
    w.serve("smbd", "--foreground", "--no-process-group", "--debug-stdout", "-s", settings)


def _fill(rng: random.Random, folder: str, files: int) -> None:
    for place in range(files):
        name = _name(place)
        with open(f"{folder}/{name}", "wb") as out:
            out.write(document(rng, name.rpartition(".")[2]))


def smbclient(share: str, account: str | None, commands: str, password: str = PASSWORD) -> list[str]:
    """The command line that does something on a share, as an account or as a guest."""
    who = ["-U", f"{account}%{password}"] if account else ["-N"]
    return ["smbclient", "-s", "/dev/null", f"//{HOSTS['files'].fqdn}/{share}", *who, "-c", commands]


@life("documents", *ACCOUNTS.values())
def documents(w: Work) -> None:
    """People look into their folder, open documents, and save new ones or new names."""
    account = next(account for account, host in ACCOUNTS.items() if host == w.host.name)
    own = w.dir / "documents"
    own.mkdir(exist_ok=True)
    for _ in w.people(2500):
        share = w.rng.choice(("users", "users", "public"))
        commands, saved = ["ls"], None
        for _ in range(w.rng.randint(1, 4)):
            match w.rng.choice(("open", "open", "save", "rename")):
                case "open":
                    commands.append(f"get {_name(w.rng.randrange(FILES_PER_ACCOUNT if share == 'users' else _PUBLIC_FILES))}")
                case "save":
                    saved = document_name(w.rng)
                    (own / saved).write_bytes(document(w.rng, saved.rpartition(".")[2]))
                    commands.append(f"put {saved}")
                case "rename" if saved:
                    commands.append(f"rename {saved} final-{saved}")
                    saved = None
        w.run(*smbclient(share, account, f"lcd {own}; prompt OFF; " + "; ".join(commands)))
