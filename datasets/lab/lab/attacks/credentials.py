"""Guessing who may come in."""

from ..plan import HOSTS
from ..work import Work, attack
from .means import EMPLOYEE, PASSWORDS, SERVICE, by, smb_login, turns


@attack("ssh-guessing")
def ssh_guessing(w: Work, intensity: str) -> None:
    """Passwords are tried over SSH with hydra: 40 on each of two servers in parallel, 20 one after another, or one every few
    minutes of the lab's time."""
    words = w.dir / "words"
    if intensity == "quiet":
        for _ in turns(w, 10, 240, 0.4):
            words.write_text(w.rng.choice(PASSWORDS) + "\n")
            _hydra(w, words, ("root",), "backup", "-t", 1)
        return
    words.write_text("\n".join([*PASSWORDS, SERVICE[1]]) + "\n")
    for target in by(intensity, ("files", "backup"), ("backup",), ()):
        _hydra(w, words, by(intensity, ("root", SERVICE[0]), (SERVICE[0],), ()), target,
               *by(intensity, ("-t", 4), ("-t", 1, "-c", 2), ()))


def _hydra(w: Work, words, users: tuple[str, ...], target: str, *pace) -> None:
    accounts = w.dir / "accounts"
    accounts.write_text("\n".join(users) + "\n")
    done = w.run("hydra", "-I", "-L", accounts, "-P", words, *pace, f"ssh://{HOSTS[target].v4}", timeout=200, good=(0, 255))
    w.log(done.stdout[-300:].decode(errors="replace"))


@attack("smb-guessing")
def smb_guessing(w: Work, intensity: str) -> None:
    """Passwords for one account are tried on the file server, each in a session of its own: 40 at once, 15 one a second, or 6
    with long pauses."""
    count, period = by(intensity, (40, 5), (15, 20), (6, 240))
    # The word that fits comes last.
    words = [w.rng.choice(PASSWORDS) for _ in range(count - 1)] + [EMPLOYEE[1]]
    for turn in turns(w, count, period):
        w.log(f"{words[turn % count]}: {smb_login(w, EMPLOYEE[0], words[turn % count])}")


@attack("password-spraying")
def password_spraying(w: Work, intensity: str) -> None:
    """One likely password is tried on many accounts, so that none is locked: three passwords quickly, two slower, or one with
    long pauses."""
    accounts = ("office1", "office2", "office3", "nurse1", "nurse2", "admin", "svc", "reception", "radiology", "pharmacy",
                "it", "guest")
    words, period = by(intensity, (("Hospital1", "Autumn2026", "Winter2026"), 8), (("Autumn2026", "Winter2026"), 24),
                       (("Winter2026",), 200))
    tries = [(account, word) for word in words for account in accounts]
    for (account, word), _ in zip(tries, w.every(period, 0.3)):
        w.log(f"{account} {word}: {smb_login(w, account, word)}")
