#!/usr/bin/env python3
"""What is told of devices that are new: for each device of the lab, the packets of everybody else teach a model, and a
recording in which nothing happens is judged with all of them.

    zstd -d datasets/hospital/clean-long/capture.pcap.zst -o learned.pcap
    zstd -d datasets/hospital/clean/capture.pcap.zst -o judged.pcap
    benches/newcomers.py target/release/auscult learned.pcap judged.pcap datasets/hospital/clean/manifest.json

Prints for each device the incidents about itself, by class, and how many there are about others, who speak to it for the
first time. Needs tcpdump.
"""

import collections
import json
import os
import subprocess
import sys
import tempfile


def opened(auscult, judged, model, alerts):
    """Class and subject of each incident of a recording judged by a model."""
    subprocess.run([auscult, "replay", judged, "--model", model, "--alerts", alerts], check=True, capture_output=True)
    with open(alerts, encoding="utf-8") as lines:
        told = [json.loads(line) for line in lines]
    incidents = [(alert["src_ip"], alert["auscult"]["incident"]) for alert in told]
    return [(incident["class"], subject) for subject, incident in incidents if incident["state"] == "open"]


def main():
    auscult, learned, judged, manifest = sys.argv[1:]
    with open(manifest, encoding="utf-8") as file:
        devices = [device for device in json.load(file)["hosts"] if device["subnet"] != "outside"]
    totals = collections.Counter()
    with tempfile.TemporaryDirectory() as folder:
        others, model, alerts = (os.path.join(folder, name) for name in ("others.pcap", "model.json", "alerts.jsonl"))
        for device in devices:
            addresses = [device[key] for key in ("ipv4", "ipv6") if device.get(key)]
            parts = [f"host {address}" for address in addresses] + [f"ether host {device['mac']}"]
            command = ["tcpdump", "-r", learned, "-w", others, f"not ({' or '.join(parts)})"]
            subprocess.run(command, check=True, capture_output=True)
            command = [auscult, "train", others, "--seed", "1", "--out", model]
            subprocess.run(command, check=True, capture_output=True)
            told = opened(auscult, judged, model, alerts)
            own = [name for name, subject in told if subject in addresses]
            totals["own"] += len(own)
            totals["others"] += len(told) - len(own)
            print(f"{device['name']:12} {device['role']:34} {len(told) - len(own):3} of others, {len(own):2} of its own {' '.join(own)}", flush=True)
    print(f"{len(devices)} devices, each new in turn: {totals['own']} incidents of its own, {totals['others']} of others")


if __name__ == "__main__":
    main()
