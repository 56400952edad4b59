"""Puts attacks of one run into the capture of another: what a model makes of learning time that was not clean.

usage: mix CLEAN ATTACKED OUT CONVERSATIONS

CLEAN and ATTACKED are folders with `capture.pcap`, `labels.csv` and `manifest.json`. OUT gets the packets of CLEAN and, moved to its
day at their own time of day, those of so many malicious conversations of ATTACKED: the first of each attack in turn.
"""

import csv
import json
import sys
from collections import defaultdict
from pathlib import Path

from . import packets, truth

DAY_MICROS = 86_400_000_000


def malicious(folder: Path, wanted: int) -> list[tuple[int, int, bytes]]:
    """The packets of so many malicious conversations."""
    with open(folder / "labels.csv", newline="") as file:
        attacks = {truth.ends(row): row["detail"] for row in csv.DictReader(file) if row["label"] == "malicious"}
    frames, by_attack, seen = [], defaultdict(list), set()
    for micros, length, frame, conversation in truth.walk(str(folder / "capture.pcap")):
        if conversation is None:
            continue
        attack = attacks.get(truth.ends(dict(zip(truth.COLUMNS[:5], truth.row(conversation)))))
        if attack is None:
            continue
        if id(conversation) not in seen:
            seen.add(id(conversation))
            by_attack[attack].append(id(conversation))
        frames.append((micros, length, frame, conversation))
    taken: set[int] = set()
    while len(taken) < wanted and any(by_attack.values()):
        for own in by_attack.values():
            if own and len(taken) < wanted:
                taken.add(own.pop(0))
    return [(micros, length, frame) for micros, length, frame, conversation in frames if id(conversation) in taken]


def day_of(folder: Path) -> int:
    """The day on which a run starts, since the epoch."""
    return int(float(json.loads((folder / "manifest.json").read_text())["start"])) // 86_400


def main() -> int:
    if len(sys.argv) != 5 or not sys.argv[4].isdigit():
        print(__doc__, file=sys.stderr)
        return 2
    clean, attacked, out = map(Path, sys.argv[1:4])
    moved = (day_of(clean) - day_of(attacked)) * DAY_MICROS
    frames = [frame[:3] for frame in truth.walk(str(clean / "capture.pcap"))]
    frames += [(micros + moved, length, frame) for micros, length, frame in malicious(attacked, int(sys.argv[4]))]
    with packets.Writer(str(out)) as writer:
        for frame in sorted(frames, key=lambda frame: frame[0]):
            writer.write(*frame)
    return 0


if __name__ == "__main__":
    sys.exit(main())
