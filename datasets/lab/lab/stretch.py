"""Spreads a run over the lab's own day: arrivals move apart by the run's time factor, everything within an action keeps its pace.

usage: stretch FROM TO [DAY]

An action is what one activity of one host sends without a pause of a second; it keeps its inner times and moves as a whole. What
a server begins on behalf of others (a resolver's own questions) moves with the conversation that it is, since a server never
pauses. Labels, phases and the manifest move along. The result starts at the lab's time of day on a Monday, or DAY days later; so several runs make a week.

Limits: what two activities do in answer to each other (a question to the resolver, and the resolver's own to another) drifts apart by
the factor; keep-alives of lasting connections come at factor times their interval.
"""

import csv
import json
import sys
from array import array
from bisect import bisect_right
from collections import defaultdict
from pathlib import Path

from . import packets, truth

PAUSE_MICROS = 1_000_000
# Monday 2026-06-01, 00:00 UTC.
MONDAY_MICROS = 1_780_272_000_000_000


class Stretch:
    """Maps the times of a run. `begin`: the run's start; `target`: where it goes; `factor`: lab seconds per second."""

    def __init__(self, begin: int, target: int, factor: float):
        self.begin, self.target, self.factor = begin, target, factor
        self._starts: dict[str, array] = {}

    def learn(self, actor: str, times: list[int]) -> None:
        """Takes all times of an actor and finds where its actions begin."""
        times.sort()
        starts = array("q")
        last = None
        for micros in times:
            if last is None or micros - last > PAUSE_MICROS:
                starts.append(micros)
            last = micros
        self._starts[actor] = starts

    def linear(self, micros: int) -> int:
        return self.target + round((micros - self.begin) * self.factor)

    def of(self, actor: str, micros: int) -> int:
        starts = self._starts[actor]
        start = starts[max(0, bisect_right(starts, micros) - 1)]
        return self.linear(start) + micros - start


def stretch(source: Path, target: Path, day: int) -> None:
    """Writes the stretched copy of a run; holds the whole capture in memory."""
    manifest = json.loads((source / "manifest.json").read_text())
    with open(source / "labels.csv", newline="") as file:
        labels = list(csv.DictReader(file))
    hour, minute = map(int, manifest["lab_time_at_start"].split(":"))
    at = MONDAY_MICROS + day * 86_400_000_000 + (hour * 60 + minute) * 60_000_000
    move = Stretch(micros_of(manifest["start"]), at, manifest["lab_seconds_per_second"])
    target.mkdir(parents=True, exist_ok=True)
    found = _capture(source, target, move, labels, set(manifest["servers"]))

    def moved(row: dict) -> dict:
        """What no packet shows, or only packets from the middle of a conversation, moves by the clock."""
        return row | {name: text_of(move.linear(micros_of(row[name]))) for name in ("start", "end", "split") if name in row}

    write_rows(target / "labels.csv", truth.COLUMNS, [row if id(row) in found else moved(row) for row in labels])
    with open(source / "phases.csv", newline="") as file:
        reader = csv.DictReader(file)
        write_rows(target / "phases.csv", reader.fieldnames, [moved(row) for row in reader])
    manifest = moved(manifest)
    manifest["phases"] = [moved(phase) for phase in manifest["phases"]]
    manifest["stretched"] = {"by": manifest["lab_seconds_per_second"], "of": manifest["sha256"]}
    manifest["lab_seconds_per_second"] = 1
    manifest["sha256"] = {name: packets.digest(target / name) for name in ("capture.pcap", "labels.csv", "phases.csv")}
    (target / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")


def _capture(source: Path, target: Path, move: Stretch, labels: list[dict], servers: set[str]) -> set[int]:
    """Writes the capture with its new times, and puts those of the conversations into the labels' rows; gives the rows' ids."""
    told, turned = defaultdict(list), defaultdict(list)
    for row in labels:
        told[tuple(row[name] for name in truth.COLUMNS[:6])].append(row)
        turned[truth.ends(row)].append(row)
    frames = list(truth.walk(str(source / "capture.pcap")))
    # A conversation is complete, and equal to its row, only now.
    conversations = {id(conversation): conversation for *_, conversation in frames if conversation is not None}
    actors, found, times = {}, [], defaultdict(list)
    for number, (place, conversation) in enumerate(conversations.items()):
        rows = told[tuple(truth.row(conversation)[:6])]
        row = rows.pop(0) if rows else _under_way(conversation, turned)
        actors[place] = _actor(conversation, row, servers, number)
        found.append((conversation, row))
    owners = [actors[id(conversation)] if conversation is not None else "others" for *_, conversation in frames]
    for actor, (micros, *_) in zip(owners, frames):
        times[actor].append(micros)
    for actor, its_times in times.items():
        move.learn(actor, its_times)
    moved = array("q", (move.of(actor, micros) for actor, (micros, *_) in zip(owners, frames)))
    with packets.Writer(str(target / "capture.pcap")) as out:
        for place in sorted(range(len(frames)), key=moved.__getitem__):
            out.write(moved[place], *frames[place][1:3])
    for conversation, row in found:
        if row is not None:
            actor = actors[id(conversation)]
            row["start"], row["end"] = (text_of(move.of(actor, micros)) for micros in (conversation.start, conversation.end))
    return {id(row) for _, row in found if row is not None}


def _under_way(conversation: truth.Conversation, turned: dict) -> dict | None:
    """The row of a conversation of which the beginning was cut off, so that it may look turned about."""
    own = dict(zip(truth.COLUMNS[:7], truth.row(conversation)))
    overlaps = (row for row in turned[truth.ends(own)] if row["start"] <= own["end"] and row["end"] >= own["start"])
    return next(overlaps, None)


def _actor(conversation: truth.Conversation, row: dict | None, servers: set[str], number: int) -> str:
    """Who moves together: a host's activity, an attack; a server's own conversations each by themselves."""
    if row is None:
        return "others"
    if row["label"] == truth.BACKGROUND:
        return f"{row['detail']} of {conversation.sender or conversation.key[0]}"
    return f"{row['detail']} {number}" if row["detail"] in servers else row["detail"]


def write_rows(path: Path, columns, rows: list[dict]) -> None:
    with open(path, "w", newline="") as file:
        out = csv.DictWriter(file, columns, lineterminator="\n")
        out.writeheader()
        out.writerows(rows)


def micros_of(text: str) -> int:
    seconds, _, rest = text.partition(".")
    return int(seconds) * 1_000_000 + int(rest.ljust(6, "0")[:6])


def text_of(micros: int) -> str:
    return f"{micros // 1_000_000}.{micros % 1_000_000:06d}"


def main() -> int:
    if len(sys.argv) not in (3, 4) or not sys.argv[3:] == [day for day in sys.argv[3:] if day.isdigit()]:
        print(__doc__, file=sys.stderr)
        return 2
    stretch(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]) if sys.argv[3:] else 0)
    return 0


if __name__ == "__main__":
    sys.exit(main())
