"""Keys, certificates and accounts of the lab, made when somebody first asks; they are gone with the box."""

import contextlib
import fcntl
import subprocess
from pathlib import Path

from ..work import RUN

KEYS = RUN / "keys"
# The key that administrators, backups and whoever finds it log in with.
SSH_KEY = KEYS / "id_ed25519"
AUTHORITY, _CA_KEY = KEYS / "ca.pem", KEYS / "ca.key"
_TRUSTED = Path("/etc/ssl/certs/ca-certificates.crt")


@contextlib.contextmanager
def _alone():
    """One process at a time: several activities ask at the same moment."""
    with open(RUN / "keys.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        KEYS.mkdir(exist_ok=True)
        yield


def _make(*argv) -> str:
    """Runs a program that has to succeed; what it says."""
    argv = [str(word) for word in argv]
    return subprocess.run(argv, check=True, stdin=subprocess.DEVNULL, capture_output=True, text=True).stdout


def ssh_host_key() -> Path:
    """The host key of all SSH servers; with it comes the key for logging in as root."""
    host_key = KEYS / "ssh_host_ed25519_key"
    with _alone():
        if not host_key.exists():
            _make("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", SSH_KEY)
            home = Path("/root/.ssh")
            home.mkdir(mode=0o700, exist_ok=True)
            (home / "authorized_keys").write_text(SSH_KEY.with_suffix(".pub").read_text())
            _make("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", host_key)
    return host_key


def certificate(*names: str) -> tuple[Path, Path]:
    """Files of a server's certificate, for these names or addresses, by the lab's authority, and of its key. All programs of the
    box trust that authority."""
    own, key = KEYS / f"{names[0]}.pem", KEYS / f"{names[0]}.key"
    with _alone():
        if not AUTHORITY.exists():
            _sign(AUTHORITY, _CA_KEY, "Lab Authority", "basicConstraints=critical,CA:TRUE", "keyUsage=keyCertSign")
            with open(_TRUSTED, "a") as trusted:
                trusted.write(AUTHORITY.read_text())
        if not own.exists():
            subject = ",".join(f"{'IP' if name[-1].isdigit() or ':' in name else 'DNS'}:{name}" for name in names)
            _sign(own, key, names[0], "basicConstraints=CA:FALSE", f"subjectAltName={subject}",
                  issuer=["-CA", AUTHORITY, "-CAkey", _CA_KEY])
    return own, key


def _sign(own: Path, key: Path, name: str, *extensions: str, issuer=()) -> None:
    bare = KEYS / "openssl.cnf"
    bare.write_text("[req]\ndistinguished_name = name\n[name]\n")
    _make("openssl", "req", "-x509", "-config", bare, "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
          "-days", 90, "-subj", f"/O=Hospital Lab/CN={name}", *(word for each in extensions for word in ("-addext", each)),
          *issuer, "-keyout", key, "-out", own)


def add_account(name: str, number: int, password: str | None = None) -> None:
    """A person's or a service's account in the box, which all hosts share."""
    line = f"{name}:x:{number}:65534::/tmp:/bin/sh\n"
    with _alone():
        if line in Path("/etc/passwd").read_text():
            return
        with open("/etc/passwd", "a") as accounts:
            accounts.write(line)
        with open("/etc/shadow", "a") as shadow:
            shadow.write(f"{name}:{_make('openssl', 'passwd', '-6', password).strip() if password else '!'}:20000:0:99999:7:::\n")
