"""Makes a small copy of a run: headers and first bytes, compressed.

usage: small FROM TO

FROM is a folder that `run` made. TO gets `capture.pcap.zst` (every packet, with its time and its length on the wire, but with no more
bytes than recognition needs), `labels.csv.zst`, `phases.csv` and `manifest.json`. What a label says does not change.
"""

import json
import subprocess
import sys
from pathlib import Path

from . import packets

# Recognition reads the first bytes of a conversation; later packets keep a message's head.
FIRST_PACKETS = 6
FIRST_BYTES = 256
LATER_BYTES = 8


def cut(source: Path, target: Path) -> None:
    """Copies a capture without the rest of the payloads."""
    seen: dict[tuple, int] = {}
    with packets.Writer(str(target), 14 + 60 + 60 + FIRST_BYTES) as out:
        for micros, length, frame in packets.read(str(source)):
            packet = packets.dissect(frame)
            if packet and packet.payload:
                key = packets.both_ways(packet.key)
                if packet.begins:
                    seen[key] = 0
                carries = len(frame) > packet.payload
                seen[key] = seen.get(key, 0) + carries
                keep = FIRST_BYTES if seen[key] <= FIRST_PACKETS else LATER_BYTES
                frame = frame[: packet.payload + keep]
            out.write(micros, length, frame[: 14 + 60 + 60 + FIRST_BYTES])


def main() -> int:
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    source, target = Path(sys.argv[1]), Path(sys.argv[2])
    manifest = json.loads((source / "manifest.json").read_text())
    target.mkdir(parents=True, exist_ok=True)
    cut(source / "capture.pcap", target / "capture.pcap")
    (target / "labels.csv").write_bytes((source / "labels.csv").read_bytes())
    for name in ("capture.pcap", "labels.csv"):
        subprocess.run(["zstd", "-q", "-f", "-19", "--long=24", "--rm", str(target / name)], check=True)
    (target / "phases.csv").write_bytes((source / "phases.csv").read_bytes())
    manifest["small"] = {"of": manifest.pop("sha256"), "payload_bytes": FIRST_BYTES, "in_the_first_packets": FIRST_PACKETS,
                         "payload_bytes_later": LATER_BYTES}
    manifest["sha256"] = {name: packets.digest(target / name) for name in ("capture.pcap.zst", "labels.csv.zst", "phases.csv")}
    (target / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
