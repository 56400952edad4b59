"""Activities: what a host does. Each runs in a process of its own, inside its host's network namespace, under a group id of
its own, so that the kernel can say of every packet which activity sent it (see `ledger`)."""

import ctypes
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from . import plan
from .clock import Clock

RUN = Path("/run/lab")
GROUP_FIRST, GROUPS_MAX = 50_000, 1_000
_LIBC = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET = 0x4000_0000
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Activity:
    """Something that hosts do. `kind` is "server" (started first), "life" or "attack"."""

    name: str
    function: Callable
    kind: str
    hosts: tuple[str, ...] = ()
    # For attacks: what `--list` says, and the conversations of innocent servers that it causes, as
    # (source address, destination address, destination port or None, protocol).
    text: str = ""
    causes: tuple[tuple[str, str, int | None, str], ...] = ()
    # Hosts that belong to the attacker: all that they send is the attack.
    owns: tuple[str, ...] = ()


ACTIVITIES: dict[str, Activity] = {}


def _register(activity: Activity) -> None:
    if activity.name in ACTIVITIES:
        raise ValueError(f"two activities are named {activity.name}")
    ACTIVITIES[activity.name] = activity


def _names(hosts) -> tuple[str, ...]:
    return tuple(host if isinstance(host, str) else host.name for host in hosts)


def server(name: str, *hosts):
    """Decorator: a server, started before everything else; the function runs until the lab ends."""
    return lambda function: _register(Activity(name, function, "server", _names(hosts))) or function


def life(name: str, *hosts):
    """Decorator: something that these hosts do all day, one process each."""
    return lambda function: _register(Activity(name, function, "life", _names(hosts))) or function


def attack(name: str, causes=(), owns=()):
    """Decorator: an attack; scenarios say when and from which host. The function's first line of documentation explains it.

    It is called as function(work, intensity) with intensity one of "loud", "normal" and "quiet".
    """

    def wrap(function):
        text = " ".join((function.__doc__ or "").split("\n\n")[0].split())
        _register(Activity(name, function, "attack", (), text, tuple(causes), _names(owns)))
        return function

    return wrap


@dataclass
class Work:
    """What an activity gets: its host, the lab's clock, its own random numbers, and ways to run programs."""

    activity: Activity
    host: plan.Host
    group: int
    clock: Clock
    rng: random.Random
    network: object
    runs: int = 0
    failures: int = 0
    notes: dict = field(default_factory=dict)
    # Where it was started: its logs and counts carry this name, wherever it has gone on to.
    home: plan.Host = field(init=False)

    def __post_init__(self) -> None:
        self.home = self.host

    @property
    def account(self) -> str:
        """The name of an account that is root with this activity's group, for programs that insist on changing to an account."""
        name = f"lab{self.group}"
        for path, line in (("/etc/passwd", f"{name}:x:0:{self.group}::/root:/bin/sh\n"), ("/etc/group", f"{name}:x:{self.group}:\n")):
            if line not in Path(path).read_text():
                with open(path, "a") as accounts:
                    accounts.write(line)
        return name

    @property
    def dir(self) -> Path:
        """A scratch folder of this host."""
        path = RUN / "hosts" / self.host.name
        path.mkdir(parents=True, exist_ok=True)
        return path

    def every(self, period: float, jitter: float = 0.05):
        return self.clock.every(self.rng, period, jitter)

    def people(self, mean: float):
        return self.clock.people(self.rng, mean)

    def sleep(self, lab_seconds: float) -> bool:
        return self.clock.sleep(lab_seconds)

    def pause(self, seconds: float) -> bool:
        """Waits inside a conversation: real seconds."""
        return self.clock.sleep_real(seconds)

    def run(self, *argv, timeout: float = 60, input: bytes | str | None = None, good=(0,), env=None) -> subprocess.CompletedProcess:
        """Runs a program to its end and counts it; a status outside `good` and a timeout count as failures and are logged."""
        argv = [str(word) for word in argv]
        data = input.encode() if isinstance(input, str) else input
        self.runs += 1
        try:
            done = subprocess.run(argv, input=data, stdin=subprocess.DEVNULL if data is None else None, capture_output=True,
                                  timeout=max(1.0, min(timeout, self.clock.until - time.time())), env=env and {**os.environ, **env})
        except subprocess.TimeoutExpired as late:
            done = subprocess.CompletedProcess(argv, -signal.SIGALRM, late.stdout or b"", late.stderr or b"")
        if done.returncode not in good and not self.clock.over():
            self.failures += 1
            self.log(f"{' '.join(argv)[:300]}: status {done.returncode}: {(done.stderr or done.stdout)[-300:].decode(errors='replace')}")
        self._report()
        return done

    def serve(self, *argv, env=None, input: bytes | None = None) -> None:
        """Runs a server until the lab ends, again when it stops before."""
        argv = [str(word) for word in argv]
        while not self.clock.over():
            log = open(RUN / "log" / f"{self.home.name}.{self.activity.name}.out".replace(" ", "-"), "ab")
            process = self.start(*argv, env=env, stdout=log, stderr=log)
            self.runs += 1
            status = process.wait()
            if not self.clock.over():
                self.failures += 1
                self.log(f"{' '.join(argv)[:300]}: the server stopped with status {status}")
                self._report()
                self.pause(2)

    def start(self, *argv, **options) -> subprocess.Popen:
        """Starts a program that the activity talks to or stops itself."""
        options.setdefault("stdin", subprocess.DEVNULL)
        options.setdefault("stdout", subprocess.DEVNULL)
        options.setdefault("stderr", subprocess.DEVNULL)
        extra = options.pop("env", None)
        return subprocess.Popen([str(word) for word in argv], env={**os.environ, **extra} if extra else None, **options)

    def attempt(self, function: Callable, *arguments):
        """Calls a function that talks to the network itself; an OSError counts as a failure and gives None."""
        self.runs += 1
        try:
            return function(*arguments)
        except OSError as error:
            self.failures += not self.clock.over()
            self.log(f"{function.__name__}: {error}")
            return None
        finally:
            self._report()

    def log(self, text: str) -> None:
        with open(RUN / "log" / f"{self.home.name}.{self.activity.name}.log".replace(" ", "-"), "a") as out:
            out.write(f"{time.time():.3f} {text}\n")

    def on(self, host: str) -> "Elsewhere":
        """With this, an attack goes on as itself on another host (what it copied there before runs there)."""
        return Elsewhere(self, host)

    def declare(self, source: str, destination: str, port: int | None, protocol: str, start: float, end: float) -> None:
        """Adds a row to the truth for what no packet shows, such as a silent device. Addresses; times in epoch seconds."""
        columns = (source, destination, "", "" if port is None else port, protocol, f"{start:.6f}", f"{end:.6f}", 0, 0,
                   "malicious", self.activity.name)
        with open(RUN / "declared.tsv", "a") as out:
            out.write("\t".join(map(str, columns)) + "\n")

    def _report(self) -> None:
        path = RUN / "counts" / f"{self.home.name}.{self.activity.name}".replace(" ", "-")
        path.write_text(f"{self.home.name}\t{self.activity.name}\t{self.runs}\t{self.failures}\n")


class Elsewhere:
    """Moves the calling process into another host's namespace for a while."""

    def __init__(self, work: Work, host: str):
        self.work, self.there = work, plan.HOSTS[host]

    def __enter__(self) -> Work:
        enter_namespace(self.there.name)
        self.here, self.work.host = self.work.host, self.there
        return self.work

    def __exit__(self, *_) -> None:
        self.work.host = self.here
        enter_namespace(self.here.name)


def enter_namespace(host: str) -> None:
    """Moves the calling process into a host's network namespace."""
    with open(f"/run/netns/{host}") as space:
        if _LIBC.setns(space.fileno(), _CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"cannot enter the namespace of {host}")


def spawn(activity: Activity, host: plan.Host, group: int, clock: Clock, seed: int, network, *arguments) -> int:
    """Starts one activity on one host and gives its process id."""
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        os.setsid()
        enter_namespace(host.name)
        os.setgroups([])
        os.setresgid(group, group, group)
        work = Work(activity, host, group, clock, random.Random(f"{seed}/{host.name}/{activity.name}"), network)
        os.chdir(work.dir)
        while True:
            try:
                activity.function(work, *arguments)
                status = 0
                break
            except Exception:
                work.failures += 1
                work.log(traceback.format_exc())
                work._report()
                # An attack is not tried twice; life goes on.
                if activity.kind == "attack" or not work.pause(5):
                    break
    finally:
        os._exit(status)


def prepare() -> None:
    """Makes the folders that activities write to, and tells the box its resolver."""
    shutil.rmtree(RUN, ignore_errors=True)
    for name in ("log", "counts", "hosts"):
        (RUN / name).mkdir(parents=True)
    resolver = plan.HOSTS["infra"]
    # Most hosts ask the first; nobody's programs wait long for a lost answer.
    Path("/etc/resolv.conf").write_text(f"search {plan.DOMAIN}\nnameserver {resolver.v4}\nnameserver {resolver.v6}\noptions timeout:2\n")
