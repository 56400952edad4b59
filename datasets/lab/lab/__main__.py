"""The command line of the lab; `run --help`."""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from . import attacks, ledger, life, packets, plan, scenarios, truth, work
from .clock import Clock, hour_of
from .network import MONITOR, Network, Tap
from .scenarios import SCENARIOS, Scenario, Step

OUT = Path("/out")
# Servers come up, leases are given.
WARM_UP = 15.0
# What a host may still be saying when the lab has ended.
DRAIN = 3.0
CAPTURE, LABELS, PHASES, MANIFEST = "capture.pcap", "labels.csv", "phases.csv", "manifest.json"
WANTED_PROTOCOLS = ("dicom", "hl7", "smb2", "tls", "dns", "mqtt")


def say(text: str) -> None:
    print(f"lab: {text}", file=sys.stderr, flush=True)


def main() -> int:
    options = _parser().parse_args()
    if options.list:
        # A reader that has seen enough is no error.
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        _list()
        return 0
    if not options.scenario or not options.out:
        say("--scenario and --out are needed (or --list)")
        return 2
    scenario = SCENARIOS[options.scenario]
    steps = _steps(scenario, options)
    work.prepare()
    signal.signal(signal.SIGTERM, _interrupt)
    return Lab(scenario, steps, options).run()


def _interrupt(*_):
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="run", description="Runs the hospital's network in a box and records its SPAN port.",
                                     formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--list", action="store_true", help="explain every scenario and every attack, and end")
    parser.add_argument("--scenario", choices=SCENARIOS, help="what happens")
    parser.add_argument("--out", metavar="DIR", help=f"folder for {CAPTURE}, {LABELS}, {PHASES} and {MANIFEST}")
    parser.add_argument("--seed", type=int, default=1, help="of all that is random")
    parser.add_argument("--minutes", type=float, help="real minutes (default: the scenario's)")
    parser.add_argument("--factor", type=float, help="lab seconds per real second (default: the scenario's)")
    parser.add_argument("--hour", help="the lab's time of day at the start, HH:MM (default: the scenario's)")
    parser.add_argument("--attack", action="append", default=[], metavar="NAME:HOST[:INTENSITY[@PART]]",
                        help="one attack more, at a part (0 to 1) of the time after the split (default: normal@0)")
    parser.add_argument("--without", action="append", default=[], choices=sorted(_attacks()), metavar="ATTACK",
                        help="leave an attack out")
    parser.add_argument("--intensity", choices=scenarios.INTENSITIES, help="of all attacks (default: the scenario's)")
    parser.add_argument("--split", type=float, help="part of the time before the first attack (default: the scenario's)")
    parser.add_argument("--listen", metavar="COMMAND", help="shell command that runs outside the box but hears the SPAN port as mon0; "
                        "it is told TERM at the end; its working directory is DIR")
    parser.add_argument("--keep-logs", action="store_true", help="copy the activities' logs to DIR/log")
    return parser


def _attacks() -> dict[str, work.Activity]:
    return {name: activity for name, activity in work.ACTIVITIES.items() if activity.kind == "attack"}


def _list() -> None:
    print("Scenarios\n")
    for scenario in SCENARIOS.values():
        end = (scenario.hour + scenario.minutes * scenario.factor / 60) % 24
        print(f"  {scenario.name}: {scenario.text}")
        print(f"      {scenario.minutes:g} minutes for {_time(scenario.hour)} to {_time(end)}, first attack after {scenario.split:.0%}"
              if scenario.steps else f"      {scenario.minutes:g} minutes for {_time(scenario.hour)} to {_time(end)}")
        for step in scenario.steps:
            print(f"      {step.at:4.0%}  {step.attack} by {step.host}, {step.intensity}")
    print("\nAttacks (each can be loud, normal or quiet)\n")
    for attack in sorted(_attacks().values(), key=lambda each: each.name):
        print(f"  {attack.name}: {attack.text}")
    print("\nHosts\n")
    for host in plan.HOSTS.values():
        print(f"  {host.name:<12} {host.v4:<15} {host.role}{', plugged in later' if host.absent else ''}")


def _time(hour: float) -> str:
    return f"{int(hour):02d}:{int(hour % 1 * 60):02d}"


def _steps(scenario: Scenario, options) -> list[Step]:
    steps = [step for step in scenario.steps if step.attack not in options.without]
    for text in options.attack:
        what, _, part = text.partition("@")
        name, host, intensity = (what.split(":") + [scenarios.NORMAL])[:3] if what.count(":") else (what, "", "")
        if name not in _attacks() or host not in plan.HOSTS or intensity not in scenarios.INTENSITIES:
            sys.exit(f"lab: --attack {text}: wanted NAME:HOST[:INTENSITY[@PART]] of `run --list`")
        steps.append(Step(name, host, intensity, float(part or 0)))
    if options.intensity:
        steps = [Step(step.attack, step.host, options.intensity, step.at) for step in steps]
    return sorted(steps, key=lambda step: step.at)


class Lab:
    """One run, from wires to manifest."""

    def __init__(self, scenario: Scenario, steps: list[Step], options):
        self.scenario, self.steps, self.options = scenario, steps, options
        self.minutes = options.minutes or scenario.minutes
        self.factor = options.factor or scenario.factor
        self.hour = hour_of(options.hour) if options.hour else scenario.hour
        self.split = min(1.0, scenario.split if options.split is None else options.split) if steps else 1.0
        self.network = Network()
        self.groups: dict[int, tuple[str, str, bool]] = {}
        self.phases: list[truth.Phase] = []
        self.children: dict[int, str] = {}

    def run(self) -> int:
        say(f"scenario {self.scenario.name}, seed {self.options.seed}: {self.minutes:g} minutes from {_time(self.hour)}, "
            f"{self.factor:g} times as fast as life")
        self.network.build()
        record = ledger.Ledger("/run/lab/ledger.tsv")
        tap = Tap(str(OUT / CAPTURE))
        listener = self._listen()
        time.sleep(3 if listener else 1)
        began = time.time()
        self.clock = Clock(began, began + WARM_UP + self.minutes * 60, self.hour - WARM_UP * self.factor / 3600, self.factor)
        # The clock's hours are those of the time after the warm-up.
        whole = True
        try:
            for activity in work.ACTIVITIES.values():
                if activity.kind == "server":
                    self._start(activity)
            time.sleep(WARM_UP / 2)
            for activity in work.ACTIVITIES.values():
                if activity.kind == "life":
                    self._start(activity)
            time.sleep(WARM_UP / 2)
            self._attacks(began + WARM_UP)
            while not self.clock.over():
                self._reap()
                time.sleep(0.5)
        except KeyboardInterrupt:
            say("interrupted: writing what there is")
            whole = False
        time.sleep(DRAIN if whole else 0.5)
        self._stop()
        # Connections of programs that were killed are closed by the kernel.
        time.sleep(2)
        counters = tap.stop()
        record.stop()
        if listener:
            self._end_listener(listener)
        return self._write(began + WARM_UP, counters, whole)

    def _start(self, activity: work.Activity, *arguments, host: plan.Host | None = None) -> int:
        for name in [host.name] if host else activity.hosts:
            group = work.GROUP_FIRST + len(self.groups)
            self.groups[group] = name, activity.name, activity.kind == "attack"
            pid = work.spawn(activity, plan.machine(name), group, self.clock, self.options.seed, self.network, *arguments)
            self.children[pid] = f"{name}: {activity.name}"
        return pid

    def _attacks(self, began: float) -> None:
        """Starts the attacks when their time has come; several may run at the same time."""
        running: dict[int, tuple[Step, float]] = {}
        first = began + self.minutes * 60 * self.split
        waiting = list(self.steps)
        while (waiting or running) and not self.clock.over():
            while waiting and time.time() >= first + waiting[0].at * (self.clock.until - first):
                step = waiting.pop(0)
                say(f"{time.time() - began:6.0f} s  {step.attack} by {step.host}, {step.intensity}")
                pid = self._start(_attacks()[step.attack], step.intensity, host=plan.HOSTS[step.host])
                running[pid] = step, time.time()
            for pid in self._reap():
                if pid in running:
                    self._phase(*running.pop(pid))
            time.sleep(0.1)
        for step, start in running.values():
            self._phase(step, start)

    def _phase(self, step: Step, start: float) -> None:
        self.phases.append(truth.Phase(step.attack, step.host, step.intensity, start, min(time.time(), self.clock.until)))

    def _reap(self) -> list[int]:
        """Processes that have ended; as the first process of its namespace the lab inherits orphans too."""
        ended = []
        while True:
            try:
                pid, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            ended.append(pid)
        return ended

    def _listen(self):
        if not self.options.listen:
            return None
        # Descriptor 9 is the root of the system around the box.
        def leave():
            work.enter_namespace(MONITOR)
            os.fchdir(9)
            os.chroot(".")
            os.chdir(os.environ["LAB_OUT"])
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
        return subprocess.Popen(["sh", "-c", f"exec {self.options.listen}"], preexec_fn=leave, stdin=subprocess.DEVNULL, env=environment,
                                pass_fds=[9], start_new_session=True)

    def _end_listener(self, listener) -> None:
        listener.terminate()
        try:
            status = listener.wait(timeout=60)
        except subprocess.TimeoutExpired:
            listener.kill()
            status = "killed after 60 s"
        say(f"--listen ended with status {status}")

    def _stop(self) -> None:
        """Ends all activities: everything but the recorders, which lead sessions of their own."""
        for pid in self.children:
            try:
                os.killpg(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self._reap()

    def _write(self, began: float, counters: dict[str, int], whole: bool) -> int:
        say("joining the capture with the ledger")
        found = truth.conversations(str(OUT / CAPTURE))
        ran = {phase.attack for phase in self.phases}
        causes = [(name, *cause) for name, attack in _attacks().items() if name in ran for cause in attack.causes]
        owned = {host: name for name, attack in _attacks().items() if name in ran for host in attack.owns}
        owners = truth.Owners("/run/lab/ledger.tsv", self.groups, self.phases, causes, owned)
        errors = truth.judge(found, owners)
        truth.write(str(OUT / LABELS), found, self._declared())
        errors += truth.check(found, str(OUT / LABELS))
        protocols = _protocols(OUT / CAPTURE)
        missing = [name for name in WANTED_PROTOCOLS if not protocols.get(name)]
        lost = counters.get("dropped by kernel", 0)
        activities = _activities()
        self._write_phases()
        self._write_manifest(began, counters, found, protocols, activities, errors)
        if self.options.keep_logs:
            subprocess.run(["cp", "-r", "/run/lab/log", "/run/lab/ledger.tsv", str(OUT)], check=True)
        failed = sum(each["failed"] for each in activities)
        say(f"{counters.get('captured', 0)} packets, {lost} lost; {len(found)} conversations: {truth.counts(found)}; "
            f"{sum(each['runs'] for each in activities)} program runs, {failed} failed")
        for error in errors[:20]:
            say(f"error: {error}")
        if len(errors) > 20:
            say(f"error: {len(errors) - 20} more")
        if missing and whole:
            say(f"error: tshark finds none of: {', '.join(missing)}")
        if lost:
            say("error: the recorder lost packets")
        return 1 if errors or lost or (missing and whole) else 0

    def _declared(self) -> list[list[str]]:
        path = work.RUN / "declared.tsv"
        return [line.split("\t") for line in path.read_text().splitlines()] if path.exists() else []

    def _write_phases(self) -> None:
        with open(OUT / PHASES, "w") as out:
            out.write("attack,host,address,intensity,start,end\n")
            for phase in sorted(self.phases, key=lambda phase: phase.start):
                out.write(f"{phase.attack},{phase.host},{plan.HOSTS[phase.host].v4},{phase.intensity},{phase.start:.6f},{phase.end:.6f}\n")

    def _write_manifest(self, began, counters, found, protocols, activities, errors) -> None:
        manifest = {
            "name": self.scenario.name,
            "description": self.scenario.text,
            "made_by": "datasets/lab/run",
            "command": _command(self),
            "seed": self.options.seed,
            "minutes": self.minutes,
            "lab_seconds_per_second": self.factor,
            "lab_time_at_start": _time(self.hour),
            "start": f"{began:.6f}",
            "end": f"{self.clock.until:.6f}",
            "split": f"{min((phase.start for phase in self.phases), default=self.clock.until):.6f}",
            "local_nets": [f"{subnet.v4}.0/24" for subnet in plan.SUBNETS.values() if subnet.name != plan.OUTSIDE],
            "hosts": [
                {"name": host.name, "role": host.role, "subnet": host.subnet.name, "ipv4": host.v4, "ipv6": host.v6, "mac": host.mac,
                 **({"more": list(host.more)} if host.more else {})}
                for host in plan.HOSTS.values()
            ],
            "phases": [
                {"attack": phase.attack, "host": phase.host, "intensity": phase.intensity, "start": f"{phase.start:.6f}",
                 "end": f"{phase.end:.6f}", "what": _attacks()[phase.attack].text}
                for phase in sorted(self.phases, key=lambda phase: phase.start)
            ],
            "recorder": counters,
            "conversations": truth.counts(found),
            "unexplained": len(errors),
            "protocols": protocols,
            "servers": [f"{host}: {name}" for name, each in work.ACTIVITIES.items() if each.kind == "server" for host in each.hosts],
            "activities": activities,
            "programs": _programs(),
            "kernel": os.uname().release,
            "sha256": {name: packets.digest(OUT / name) for name in (CAPTURE, LABELS, PHASES)},
        }
        (OUT / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n")


def _command(lab: Lab) -> str:
    options = lab.options
    words = [f"--scenario {lab.scenario.name}", f"--seed {options.seed}", f"--minutes {lab.minutes:g}"]
    words += [f"--{name} {value}" for name in ("factor", "hour", "intensity", "split") if (value := getattr(options, name)) is not None]
    words += [f"--attack {text}" for text in options.attack] + [f"--without {name}" for name in options.without]
    return "datasets/lab/run " + " ".join(words)


def _protocols(path: Path) -> dict[str, int]:
    """Frames by protocol, as tshark dissects them."""
    said = subprocess.run(["tshark", "-r", str(path), "-q", "-z", "io,phs"], capture_output=True, text=True).stdout
    frames: dict[str, int] = {}
    for line in said.splitlines():
        name, _, rest = line.strip().partition(" ")
        if "frames:" in rest:
            frames[name] = frames.get(name, 0) + int(rest.split("frames:")[1].split()[0])
    return dict(sorted(frames.items()))


def _activities() -> list[dict]:
    """How often each activity ran a program, and how often that failed."""
    rows = [path.read_text().rstrip("\n").split("\t") for path in sorted((work.RUN / "counts").iterdir())]
    return [{"host": row[0], "activity": row[1], "runs": int(row[2]), "failed": int(row[3])} for row in rows if len(row) == 4]


def _programs() -> dict[str, str]:
    """Versions of what the box holds."""
    wanted = [line.strip() for line in open("/lab/packages") if line.strip() and not line.startswith("#")]
    said = subprocess.run(["dpkg-query", "-W", "-f", "${Package}\t${Version}\n", *wanted], capture_output=True, text=True).stdout
    return dict(line.split("\t") for line in said.splitlines())


if __name__ == "__main__":
    sys.exit(main())
