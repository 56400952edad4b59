#!/usr/bin/env python3
"""The driver of soak.sh, which says what it is for; runs inside the namespace of the sensor."""

import argparse, collections, datetime, http.client, http.server, json, os, pathlib, platform, re, shlex, shutil, signal, subprocess, sys, threading, time

IFACES = ("tap0", "tap1")
PAGE, HOOK = ("127.0.0.1", 8080), ("127.0.0.1", 8081)
DISK_MIB = 24
SAMPLE_S = 5
# What may grow in an hour, as a share of what is used after the warm-up, and what is not told from noise.
GROWTH, NOISE_KIB = 0.05, 2048


def identity(alert):
    """The same for every target; the numbers in the chain are each target's own."""
    return alert["auscult"]["incident"]["id"], alert["auscult"]["incident"]["state"], alert["timestamp"]


class Hook:
    """A web hook that keeps the ids of what it got, and can go away."""

    def __init__(self):
        self.ids, self.server = set(), None

    def come(self):
        ids = self.ids

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                for line in body.splitlines():
                    ids.add(identity(json.loads(line)))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        http.server.ThreadingHTTPServer.allow_reuse_address = True
        self.server = http.server.ThreadingHTTPServer(HOOK, Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def go(self):
        self.server.shutdown()
        self.server.server_close()


class Sender(threading.Thread):
    """Sends recording after recording, over one interface and then the other, and counts what tcpreplay says it sent."""

    def __init__(self, space, files, pps):
        super().__init__(daemon=True)
        self.space, self.files, self.pps = space, files, pps
        # tcpreplay does not count the packet at which it is interrupted.
        self.sent, self.interrupted, self.passes, self.child = 0, 0, 0, None
        self.may_send, self.is_quiet, self.is_over = threading.Event(), threading.Event(), False
        self.is_quiet.set()

    def run(self):
        while not self.is_over:
            self.may_send.wait()
            self.is_quiet.clear()
            file, iface = self.files[self.passes % len(self.files)], IFACES[self.passes % 2]
            command = ["ip", "netns", "exec", self.space, "tcpreplay", "-K", "-i", iface, f"--pps={self.pps}", str(file)]
            self.child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            said = self.child.communicate()[0]
            found = re.search(r"Successful packets:\s+(\d+)", said)
            self.sent += int(found.group(1)) if found else 0
            self.passes += 1
            self.is_quiet.set()
            if self.child.returncode:
                # The interface may be away.
                time.sleep(0.5)

    def go_on(self):
        self.may_send.set()

    def pause(self):
        """Ends what is being sent, and waits until all of it has come."""
        self.may_send.clear()
        while not self.is_quiet.is_set():
            if self.child and self.child.poll() is None:
                self.child.send_signal(signal.SIGINT)
                self.interrupted += 1
            self.is_quiet.wait(0.3)
        time.sleep(1.2)


class Wires:
    """The cables, and what they carried in all, over all their lives."""

    def __init__(self, here, there):
        self.here, self.there = here, there
        self.before = dict.fromkeys(IFACES, 0)
        for name in IFACES:
            self.lay(name)

    def lay(self, name):
        ip = lambda *arguments: subprocess.run(["ip", *arguments], check=True)
        ip("-n", self.here, "link", "add", name, "type", "veth", "peer", "name", name, "netns", self.there)
        for space in (self.here, self.there):
            ip("-n", space, "link", "set", name, "up")

    def cut(self, name):
        self.before[name] += self.now(name)
        subprocess.run(["ip", "-n", self.here, "link", "del", name], check=True)

    def switch(self, name, state):
        subprocess.run(["ip", "-n", self.there, "link", "set", name, state], check=True)

    def now(self, name):
        return int(pathlib.Path(f"/sys/class/net/{name}/statistics/rx_packets").read_text())

    def came(self):
        return sum(self.before[name] + self.now(name) for name in IFACES)


class Watch:
    """The program, over all its lives."""

    def __init__(self, auscult, model, work, disk, further):
        self.work, self.lives, self.child = work, 0, None
        self.alerts = disk / "alerts.json"
        self.command = [
            auscult, "watch", *IFACES, "--model", model, "--alert-budget", "50", "--loss-limit", "100",
            "--alerts", str(self.alerts), "--rotate-size", "2M", "--rotate-keep", "1000",
            "--alerts", f"http://{HOOK[0]}:{HOOK[1]}/alerts", "--spool", str(work / "spool"),
            "--answers", str(work / "answers.json"), "--evidence", str(work / "evidence"), "--evidence-max", "16M", "--evidence-ring", "8M",
            "--adapt", str(work / "versions"), "--adapt-every", "2m", "--state", str(disk / "state"), "--state-every", "5s",
            "--flows", str(work / "flows.json"), "--http", f"{PAGE[0]}:{PAGE[1]}", "--tcp-idle", "60", "--stats", str(work / "stats.json"),
            *further,
        ]
        self.said = work / "said"

    def start(self):
        self.lives += 1
        with self.said.open("ab") as said:
            self.child = subprocess.Popen(self.command, stdout=subprocess.DEVNULL, stderr=said)
        for _ in range(100):
            time.sleep(0.2)
            if self.child.poll() is not None:
                sys.exit(f"auscult ended with {self.child.returncode}:\n{self.said.read_text()}")
            try:
                return self.metrics()
            except OSError:
                pass
        sys.exit("auscult does not serve its page")

    def signal(self, name):
        self.child.send_signal(name)

    def get(self, path):
        page = http.client.HTTPConnection(*PAGE, timeout=10)
        page.request("GET", path)
        answer = page.getresponse()
        body = answer.read()
        page.close()
        return answer.status, body

    def metrics(self):
        found = {}
        for line in self.get("/metrics")[1].decode().splitlines():
            if not line.startswith("#"):
                name, value = line.rsplit(" ", 1)
                found[name.removeprefix("auscult_")] = float(value)
        return found

    def process(self):
        status = pathlib.Path(f"/proc/{self.child.pid}/status").read_text()
        field = lambda name: int(re.search(rf"^{name}:\s+(\d+)", status, re.M).group(1))
        # Not the connections of those who look at the page, this one among them.
        ticks = pathlib.Path(f"/proc/{self.child.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return {"rss_kib": field("VmRSS"), "threads": field("Threads"),
                "fds": len(os.listdir(f"/proc/{self.child.pid}/fd")), "cpu_s": (int(ticks[11]) + int(ticks[12])) / os.sysconf("SC_CLK_TCK")}


def total(metrics, name):
    return int(sum(value for key, value in metrics.items() if key == name or key.startswith(name + "{")))


class Soak:
    def __init__(self, options):
        self.options, self.work = options, pathlib.Path(options.work)
        self.disk = self.work / "disk"
        self.disk.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "tmpfs", str(self.disk)], check=True)
        self.lines, self.failures, self.samples, self.epochs = [], [], [], []
        self.hook = Hook()
        self.hook.come()
        self.wires = Wires(options.here, options.there)
        files = [self.work / f"{name}.pcap" for name in ("everything", "intrusion-loud", "clean")]
        self.sender = Sender(options.here, files, options.pps)
        self.watch = Watch(options.auscult, options.model, self.work, self.disk, shlex.split(options.watch))
        (self.work / "answers.json").touch()
        self.begun, self.injected, self.flow_lines, self.broken = time.monotonic(), collections.Counter(), 0, 0
        self.old_total = {}

    # What is told ---------------------------------------------------------------------------------------------------------

    def say(self, text=""):
        print(text, flush=True)
        self.lines.append(text)

    def check(self, holds, text):
        self.say(f"{'ok    ' if holds else 'FAILED'} {text}")
        if not holds:
            self.failures.append(text)

    def at(self):
        return time.monotonic() - self.begun

    def note(self, text):
        self.say(f"{self.at():7.0f} s  {text}")

    # What is looked at ----------------------------------------------------------------------------------------------------

    def sample(self):
        metrics, process = self.watch.metrics(), self.watch.process()
        for path in ("/healthz", "/api/v1/status", "/api/v1/incidents?limit=50"):
            status = self.watch.get(path)[0]
            if status != 200:
                self.broken += 1
                self.note(f"{path} answers {status}")
        self.samples.append({"at": self.at(), "life": self.watch.lives, **process, "metrics": metrics})
        # Within a life no counter may fall.
        for name, value in metrics.items():
            if "_total" in name and value < self.old_total.get(name, 0):
                self.broken += 1
                self.note(f"{name} fell from {self.old_total[name]:.0f} to {value:.0f}")
        self.old_total = metrics

    def account(self):
        """Frames that came, by the kernel; that were read; that were dropped before."""
        metrics = self.watch.metrics()
        dropped = total(metrics, "capture_drops_total") - int(metrics['capture_drops_total{reason="shed"}'])
        of_kernel = sum(int(value) for key, value in metrics.items() if key.startswith("capture_drops_total") and 'reason="kernel"' in key)
        if total(metrics, "capture_received_total") != total(metrics, "capture_frames_total") + of_kernel:
            self.broken += 1
            self.note("received is not read and dropped by the kernel")
        return self.wires.came(), total(metrics, "capture_frames_total"), dropped, self.sender.sent, self.sender.interrupted

    def begin_epoch(self):
        self.epoch = self.account()

    def end_epoch(self, what, exact=True):
        """Since the last quiet moment every frame that came was read or is counted as dropped."""
        came, read, dropped, sent, interrupted = (now - then for now, then in zip(self.account(), self.epoch))
        self.epochs.append((what, exact, sent, came, read, dropped, interrupted))
        holds = sent <= came <= sent + interrupted and came == read + dropped if exact else max(came, read + dropped) <= sent + interrupted
        if not holds:
            self.broken += 1
            self.note(f"the account does not balance up to {what}: sent {sent}, came {came}, read {read}, dropped {dropped}")
        self.begin_epoch()

    def wait(self, seconds):
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(left, SAMPLE_S))
            self.sample()

    def until_up(self):
        for _ in range(100):
            metrics = self.watch.metrics()
            if all(metrics.get(f'capture_up{{iface="{name}"}}') == 1 for name in IFACES):
                return
            time.sleep(0.1)
        self.check(False, "an interface that is back is not listened to within 10 s")

    # What goes wrong ------------------------------------------------------------------------------------------------------

    def hup(self):
        self.watch.signal(signal.SIGHUP)
        self.watch.signal(signal.SIGHUP)

    def usr1(self):
        self.watch.signal(signal.SIGUSR1)

    def rotate(self):
        old = self.work / "flows.old"
        (self.work / "flows.json").rename(old)
        self.watch.signal(signal.SIGHUP)
        time.sleep(3)
        self.flow_lines += sum(1 for _ in old.open("rb"))
        old.unlink()

    def sink(self):
        self.hook.go()
        self.wait(4)
        self.hook.come()

    def full(self):
        filler = self.disk / "filler"
        subprocess.run(["dd", "if=/dev/zero", f"of={filler}", "bs=64k"], stderr=subprocess.DEVNULL, check=False)
        self.wait(6)
        filler.unlink()

    def down(self):
        self.sender.pause()
        self.end_epoch("before an interface goes down")
        self.wires.switch("tap0", "down")
        time.sleep(2.5)
        self.wires.switch("tap0", "up")
        self.until_up()
        self.begin_epoch()
        self.sender.go_on()

    def removed(self):
        # While frames come: how many came by then nobody can tell to the frame.
        self.sender.pause()
        self.end_epoch("before an interface is removed")
        self.sender.go_on()
        time.sleep(2)
        self.wires.cut("tap0")
        time.sleep(2.5)
        self.wires.lay("tap0")
        self.until_up()
        self.sender.pause()
        self.end_epoch("an interface was removed and is back", exact=False)
        self.sender.go_on()

    def page(self):
        readers = []
        for _ in range(8):
            reader = http.client.HTTPConnection(*PAGE, timeout=10)
            reader.request("GET", "/api/v1/events?after=0")
            readers.append(reader)
        time.sleep(1)
        for reader in readers:
            reader.close()

    def still(self):
        self.watch.signal(signal.SIGSTOP)
        time.sleep(1.5)
        self.watch.signal(signal.SIGCONT)

    def kill(self):
        self.sender.pause()
        self.end_epoch("before the kill")
        self.flow_lines += sum(1 for _ in (self.work / "flows.json").open("rb"))
        self.sender.go_on()
        time.sleep(2)
        self.watch.signal(signal.SIGKILL)
        self.watch.child.wait()
        (self.work / "flows.json").unlink()
        time.sleep(2)
        # Nothing may come while nobody has begun to count.
        self.sender.pause()
        self.watch.start()
        self.old_total = {}
        self.begin_epoch()
        self.sender.go_on()

    # The whole ------------------------------------------------------------------------------------------------------------

    def inject(self, fault):
        self.injected[fault.__name__] += 1
        self.note(f"fault: {fault.__name__}")
        fault()

    def run(self):
        faults = [self.hup, self.usr1, self.rotate, self.sink, self.page, self.full, self.still, self.down, self.removed]
        length = 60 * self.options.minutes
        each = min(max(length / (5 * len(faults)), 6), 120)
        self.note("listening")
        self.watch.start()
        self.sender.start()
        self.begin_epoch()
        self.sender.go_on()
        number, killed = 0, False
        while self.at() < length:
            self.wait(each)
            if not killed and self.at() > length / 5:
                killed = True
                self.inject(self.kill)
            else:
                self.inject(faults[number % len(faults)])
                number += 1
        self.inject(self.kill)
        self.wait(each)
        self.sender.pause()
        self.end_epoch("the end")
        self.sample()
        self.watch.signal(signal.SIGINT)
        status = self.watch.child.wait(timeout=60)
        self.check(status == 0, f"INT ends it with status {status}")

    def table(self):
        self.say()
        self.say(f"{'s':>7} {'life':>4} {'RSS KiB':>8} {'fds':>4} {'thr':>4} {'CPU %':>6} {'frames':>9} {'dropped':>7} {'flows':>6} {'alerts':>6} {'open':>5} {'spool':>6}")
        step, before = max(1, len(self.samples) // 60), None
        for place, at in enumerate(self.samples):
            if place % step and place + 1 < len(self.samples):
                continue
            same = before and before["life"] == at["life"] and at["at"] > before["at"]
            cpu = f"{100 * (at['cpu_s'] - before['cpu_s']) / (at['at'] - before['at']):.1f}" if same else "-"
            of = lambda name: total(at["metrics"], name)
            self.say(f"{at['at']:7.0f} {at['life']:4} {at['rss_kib']:8} {at['fds']:4} {at['threads']:4} {cpu:>6} {of('capture_frames_total'):9} "
                     f"{of('capture_drops_total'):7} {of('flows_active'):6} {of('alerts_total'):6} {of('incidents_open'):5} {of('sink_waiting'):6}")
            before = at
        self.say()

    def judge_memory(self):
        life = max(set(at["life"] for at in self.samples), key=lambda life: sum(at["life"] == life for at in self.samples))
        held = [at for at in self.samples if at["life"] == life]
        span = held[-1]["at"] - held[0]["at"]
        held = [at for at in held if at["at"] - held[0]["at"] >= span / 2]
        x, y = [at["at"] / 3600 for at in held], [at["rss_kib"] for at in held]
        mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
        slope = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y)) / (sum((a - mean_x) ** 2 for a in x) or 1)
        grown = slope * (x[-1] - x[0])
        text = (f"memory in the second half of its longest life ({60 * (x[-1] - x[0]):.1f} min, {len(held)} samples): mean {mean_y:.0f} KiB, "
                f"from {min(y)} to {max(y)}, slope {slope:+.0f} KiB/h")
        if span < 1200:
            self.say(f"--     {text}; not judged in less than 20 minutes")
        else:
            limit = GROWTH * mean_y
            self.check(slope <= limit or grown <= NOISE_KIB, f"{text}; at most {limit:.0f} KiB/h, or {NOISE_KIB} KiB in all")
        for what in ("fds", "threads"):
            first, last = held[: len(held) // 3 or 1], held[-(len(held) // 3 or 1):]
            low = lambda part: min(at[what] for at in part)
            # The page's readers come and go.
            self.check(low(last) <= low(first) + 2, f"{what}: {low(first)} after the warm-up, {low(last)} at the end; {max(at[what] for at in held)} at the most")

    def judge(self):
        exact = [epoch for epoch in self.epochs if epoch[1]]
        sent, came, read, dropped, interrupted = (sum(epoch[place] for epoch in exact) for place in (2, 3, 4, 5, 6))
        self.check(all(epoch[2] <= epoch[3] <= epoch[2] + epoch[6] and epoch[3] == epoch[4] + epoch[5] for epoch in exact),
                   f"{len(exact)} stretches without an outage: sent {sent} and up to {interrupted} that tcpreplay did not count, "
                   f"came {came}, read {read} + dropped {dropped}")
        rough = [epoch for epoch in self.epochs if not epoch[1]]
        for epoch in rough:
            self.say(f"--     {epoch[0]}: sent {epoch[2]}, came {epoch[3]}, read {epoch[4]}, dropped {epoch[5]}")
        self.check(self.broken == 0, f"{self.broken} remarks on counters, accounts and answers of the page")
        stats = json.loads((self.work / "stats.json").read_text())["capture"]
        self.check(stats["balanced"], "the last account balances")
        alerts = [json.loads(line) for path in self.disk.glob("alerts.json*") for line in path.open("rb")]
        ids = {identity(alert) for alert in alerts}
        # A line that was noted and perhaps not written is written after a kill.
        twice = len(alerts) - len(ids)
        self.check(ids and twice <= 5 * self.injected["kill"], f"{len(alerts)} lines of alerts, {twice} of them twice after {self.injected['kill']} kills")
        verified = subprocess.run([self.options.auscult, "verify", str(self.watch.alerts)], capture_output=True, text=True, check=False)
        self.check(verified.returncode == 0, f"auscult verify: {verified.stdout.strip() or verified.stderr.strip()}")
        self.check(self.hook.ids == ids, f"the web hook got {len(self.hook.ids & ids)} of {len(ids)}, and {len(self.hook.ids - ids)} others")
        for path in (self.work / "evidence",):
            size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
            self.check(size <= 17 << 20, f"evidence: {size} bytes (at most 16M)")
        state = sum(file.stat().st_size for file in (self.disk / "state").iterdir())
        self.check(state < 8 << 20, f"state: {state} bytes")
        said = self.watch.said.read_text().splitlines()
        self.check(not any("panicked" in line for line in said), "no panic")
        faults = sum(self.injected.values())
        self.check(len(said) <= 40 * faults, f"{len(said)} lines on stderr after {faults} faults")

    def close(self):
        self.sender.is_over = True
        if self.sender.child and self.sender.child.poll() is None:
            self.sender.child.kill()
        if self.watch.child and self.watch.child.poll() is None:
            self.watch.child.kill()


def machine():
    cpu = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    return f"{os.cpu_count()} cores ({cpu.group(1) if cpu else platform.machine()}), Linux {platform.release().split('-')[0]}"


def main():
    parser = argparse.ArgumentParser(prog="soak.sh AUSCULT")
    for name in ("auscult", "model", "work", "here", "there"):
        parser.add_argument(name, help=argparse.SUPPRESS)
    parser.add_argument("--minutes", type=float, default=2, help="how long (2)")
    parser.add_argument("--pps", type=int, default=1000, help="packets a second (1000)")
    parser.add_argument("--watch", default="", help="further flags of watch, as one word")
    parser.add_argument("--commit", default="unknown", help="named in what is kept")
    parser.add_argument("--kept", type=pathlib.Path, help="write what is printed here, too")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    soak = Soak(options)
    try:
        flags = f", watch {options.watch}" if options.watch else ""
        soak.say(f"soak of {options.minutes:g} minutes at {options.pps} packets a second, {datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M} UTC, commit {options.commit}{flags}")
        soak.say(f"{machine()}, load {os.getloadavg()[0]:.1f}")
        soak.run()
        soak.table()
        soak.judge_memory()
        soak.judge()
        soak.say(f"injected: {', '.join(f'{name} {count}' for name, count in soak.injected.items())}")
        soak.say("all checks hold" if not soak.failures else f"{len(soak.failures)} checks FAILED")
    finally:
        soak.close()
    if options.kept:
        options.kept.write_text("\n".join(soak.lines) + "\n")
        shutil.copy(soak.watch.said, options.kept.with_suffix(".stderr"))
    sys.exit(1 if soak.failures else 0)


main()
