"""Makes a small copy of a run: headers and first bytes, compressed.

usage: small FROM TO [SECONDS]

FROM is a folder that `run` made. TO gets `capture.pcap.zst` (every packet, with its time and its length on the wire, but with no more
bytes than recognition needs), `labels.csv.zst`, `phases.csv` and `manifest.json`. With SECONDS that much of the beginning is left
out, for a run that would be too large; the labels then count what is left.
"""

import csv
import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

from . import packets, truth

# Recognition reads the first bytes of a conversation; of later packets the headers are enough.
FIRST_PACKETS = 3
FIRST_BYTES = 256
_SNAP = 14 + 60 + 60 + FIRST_BYTES


def cut(source: Path, target: Path, since: int = 0) -> list[truth.Conversation]:
    """Copies a capture without the rest of the payloads, from `since` (microseconds since the epoch) on; gives the conversations with
    what is left of them. ICMP keeps the packet that an error speaks of."""
    carried: dict[int, int] = {}
    left: dict[int, truth.Conversation] = {}
    with packets.Writer(str(target), _SNAP) as out:
        for micros, length, frame, conversation in truth.walk(str(source)):
            if micros < since:
                continue
            packet = packets.dissect(frame)
            if packet:
                own = left.setdefault(id(conversation), truth.Conversation(conversation.key, micros, micros, whole=conversation))
                own.count(micros, length)
            if packet and packet.payload and packet.key[4] in ("tcp", "udp"):
                carried[id(conversation)] = carried.get(id(conversation), 0) + (len(frame) > packet.payload)
                keep = FIRST_BYTES if carried[id(conversation)] <= FIRST_PACKETS else 0
                frame = frame[: packet.payload + keep]
            out.write(micros, length, frame[:_SNAP])
    return list(left.values())


def relabel(source: Path, target: Path, left: list[truth.Conversation]) -> None:
    """Copies the labels of the conversations of which something is left, with the counts of that."""
    rows = defaultdict(list)
    with open(source, newline="") as file:
        labels = list(csv.DictReader(file))
    for row in labels:
        rows[tuple(row[name] for name in truth.COLUMNS[:6])].append(row)
    kept = [row for row in labels if row["packets"] == "0"]
    for conversation in left:
        told = rows[tuple(truth.row(conversation.whole)[:6])]
        if told:
            row = told.pop(0)
            kept.append(row | dict(zip(truth.COLUMNS[:9], truth.row(conversation))))
    with open(target, "w", newline="") as file:
        out = csv.DictWriter(file, truth.COLUMNS, lineterminator="\n")
        out.writeheader()
        out.writerows(kept)


def main() -> int:
    if len(sys.argv) not in (3, 4) or not all(word.isdigit() for word in sys.argv[3:]):
        print(__doc__, file=sys.stderr)
        return 2
    source, target = Path(sys.argv[1]), Path(sys.argv[2])
    left_out = int(sys.argv[3]) if sys.argv[3:] else 0
    manifest = json.loads((source / "manifest.json").read_text())
    target.mkdir(parents=True, exist_ok=True)
    since = round((float(manifest["start"]) + left_out) * 1e6) if left_out else 0
    left = cut(source / "capture.pcap", target / "capture.pcap", since)
    relabel(source / "labels.csv", target / "labels.csv", left)
    for name in ("capture.pcap", "labels.csv"):
        subprocess.run(["zstd", "-q", "-f", "-19", "--long=24", "--rm", str(target / name)], check=True)
    (target / "phases.csv").write_bytes((source / "phases.csv").read_bytes())
    manifest["small"] = {"of": manifest.pop("sha256"), "payload_bytes": FIRST_BYTES, "in_the_first_packets": FIRST_PACKETS,
                         "seconds_left_out": left_out, "conversations": len(left)}
    manifest["sha256"] = {name: packets.digest(target / name) for name in ("capture.pcap.zst", "labels.csv.zst", "phases.csv")}
    (target / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
