"""Images: modalities, the archive, reading stations, a work list, and another hospital."""

import json
import re
import shutil
import struct
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from ..plan import HOSTS, site
from ..work import Work, life, server
from .clinical import PATIENTS, away, certificate_of, leave, listen, patient_id, patient_name, relay, server_context, wait_until

PORT, TLS_PORT = 11112, 2762
ARCHIVE = HOSTS["pacs"]
TITLES = {"pacs": "PACS", "his": "RIS", "ct": "CT", "mr": "MR", "us": "US", "reading-1": "READING1", "reading-2": "READING2"}
OTHER_SITE, OTHER_TITLE = "clinic-b.example", "OTHERSITE"
_EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
_WORK_LIST = "1.2.840.10008.5.1.4.31"
_LONG = ("OB", "OW", "SQ")


@dataclass(frozen=True)
class Modality:
    """What a modality makes. slices: fewest and most images of a study; size: columns and rows; samples: bytes of one pixel."""

    kind: str
    storage: str
    slices: tuple[int, int]
    size: tuple[int, int]
    samples: int


# Images are small, for a capture that can be kept.
MODALITIES = {
    "ct": Modality("CT", "1.2.840.10008.5.1.4.1.1.2", (5, 10), (64, 64), 2),
    "mr": Modality("MR", "1.2.840.10008.5.1.4.1.1.4", (4, 8), (56, 56), 2),
    "us": Modality("US", "1.2.840.10008.5.1.4.1.1.6.1", (2, 3), (80, 60), 3),
}


def _element(group: int, number: int, kind: str, value) -> bytes:
    """One data element, explicit VR little endian."""
    data = value if isinstance(value, bytes) else struct.pack("<H", value) if kind == "US" else str(value).encode()
    if len(data) % 2:
        data += b"\0" if kind in ("UI", "OB") else b" "
    length = struct.pack("<HI", 0, len(data)) if kind in _LONG else struct.pack("<H", len(data))
    return struct.pack("<HH", group, number) + kind.encode() + length + data


def _elements(rows) -> bytes:
    return b"".join(_element(*row) for row in sorted(rows, key=lambda row: row[:2]))


def _sequence(rows) -> bytes:
    """The value of a sequence with one item."""
    item = _elements(rows)
    return struct.pack("<HHI", 0xFFFE, 0xE000, len(item)) + item


def _write(path: Path, storage: str, instance: str, rows) -> None:
    """A DICOM file: preamble, file meta information, data set."""
    meta = _elements([(2, 1, "OB", b"\0\1"), (2, 2, "UI", storage), (2, 3, "UI", instance),
                      (2, 0x10, "UI", _EXPLICIT_LITTLE_ENDIAN), (2, 0x12, "UI", "2.25.1")])
    head = _elements([(2, 0, "UL", struct.pack("<I", len(meta)))])
    path.write_bytes(bytes(128) + b"DICM" + head + meta + _elements(rows))


def _uid(w: Work) -> str:
    return f"2.25.{w.rng.getrandbits(120)}"


def _patient(w: Work) -> list:
    number = w.rng.randrange(PATIENTS)
    return [(0x10, 0x10, "PN", patient_name(number)), (0x10, 0x20, "LO", patient_id(number)),
            (0x10, 0x30, "DA", f"{1930 + number % 80}0101"), (0x10, 0x40, "CS", "OMF"[number % 3])]


def _pixels(w: Work, modality: Modality, columns: int, rows: int) -> bytes:
    """Noise, and for 16-bit pixels a slope from top to bottom."""
    if modality.samples == 3:
        return w.rng.randbytes(columns * rows * 3)
    return b"".join(bytes((low, row >> 3)) for row in range(rows) for low in w.rng.randbytes(columns))


def make_study(w: Work, folder: Path, modality: Modality, slices: int, size: tuple[int, int]) -> list[Path]:
    """Writes the images of one study of a made-up patient."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    columns, rows = size
    colour = modality.samples == 3
    study, series = _uid(w), _uid(w)
    today, now = time.strftime("%Y%m%d"), time.strftime("%H%M%S")
    common = _patient(w) + [
        (8, 0x16, "UI", modality.storage), (8, 0x20, "DA", today), (8, 0x30, "TM", now),
        (8, 0x50, "SH", f"A{w.rng.randrange(10**6)}"), (8, 0x60, "CS", modality.kind), (8, 0x70, "LO", "Lab (made up)"),
        (8, 0x90, "PN", "TEST^PHYSICIAN"),
        (8, 0x1030, "LO", f"{modality.kind} of a phantom"), (0x20, 0xD, "UI", study), (0x20, 0xE, "UI", series),
        (0x20, 0x10, "SH", "1"), (0x20, 0x11, "IS", 1),
        (0x28, 2, "US", 3 if colour else 1), (0x28, 4, "CS", "RGB" if colour else "MONOCHROME2"),
        (0x28, 0x10, "US", rows), (0x28, 0x11, "US", columns), (0x28, 0x100, "US", 8 if colour else 16),
        (0x28, 0x101, "US", 8 if colour else 12), (0x28, 0x102, "US", 7 if colour else 11), (0x28, 0x103, "US", 0),
    ] + ([(0x28, 6, "US", 0)] if colour else [])
    paths = []
    for number in range(slices):
        instance = _uid(w)
        own = [(8, 0x18, "UI", instance), (0x20, 0x13, "IS", number + 1),
               (0x7FE0, 0x10, "OB" if colour else "OW", _pixels(w, modality, columns, rows))]
        paths.append(folder / f"{number:03d}.dcm")
        _write(paths[-1], modality.storage, instance, common + own)
    return paths


@server("image archive", "pacs")
def image_archive(w: Work) -> None:
    """Orthanc; its C-MOVE sub-operations are its own conversations."""
    (w.dir / "orthanc").mkdir(exist_ok=True)
    stations = {name: [TITLES[name], HOSTS[name].v4, PORT] for name in (*MODALITIES, "reading-1", "reading-2")}
    settings = {
        "Name": "PACS", "StorageDirectory": str(w.dir / "orthanc"), "IndexDirectory": str(w.dir / "orthanc"), "Plugins": [],
        "DicomAet": TITLES["pacs"], "DicomPort": PORT, "DicomCheckCalledAet": True, "DicomAlwaysAllowFind": True,
        "DicomModalities": {**stations, "other-site": [OTHER_TITLE, site(OTHER_SITE), PORT]},
        # Nobody set a password, as is too often so.
        "HttpPort": 8042, "RemoteAccessAllowed": True, "AuthenticationEnabled": False,
        "LimitFindResults": 12, "SyncStorageArea": False, "HttpThreadsCount": 8, "SaveJobs": False,
    }
    (w.dir / "orthanc.json").write_text(json.dumps(settings))
    w.serve("Orthanc", w.dir / "orthanc.json")


@server("image archive relay", "pacs")
def image_archive_relay(w: Work) -> None:
    """Orthanc hears IPv4 without TLS only; this adds DICOM over IPv6 and over TLS."""
    there = ("127.0.0.1", PORT)
    threading.Thread(target=relay, args=(listen(PORT, ARCHIVE.v6), there), daemon=True).start()
    relay(listen(TLS_PORT), there, server_context(w))


@server("reading station", "reading-1", "reading-2")
def reading_station(w: Work) -> None:
    """Takes the images that the archive sends on request."""
    w.serve("storescp", "-dhl", "--fork", "--ignore", "-aet", TITLES[w.host.name], PORT)


@server("clinic b", "internet")
def clinic_b(w: Work) -> None:
    """Another hospital's archive."""
    w.serve("storescp", "-dhl", "--fork", "--ignore", "-aet", OTHER_TITLE, PORT)


@server("work list", "his")
def work_list(w: Work) -> None:
    """What the modalities shall examine today (wlmscpfs, one file per examination)."""
    folder = w.dir / "worklist" / TITLES["his"]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "lockfile").touch()
    for number in range(24):
        kind = w.rng.choice(list(MODALITIES.values())).kind
        step = [(8, 0x60, "CS", kind), (0x40, 1, "AE", kind), (0x40, 2, "DA", time.strftime("%Y%m%d")),
                (0x40, 3, "TM", f"{7 + number // 3:02d}0000"), (0x40, 6, "PN", "TEST^PHYSICIAN"),
                (0x40, 7, "LO", f"{kind} of a phantom"), (0x40, 9, "SH", f"S{number}")]
        rows = _patient(w) + [(8, 0x50, "SH", f"A{number}"), (0x20, 0xD, "UI", _uid(w)),
                              (0x32, 0x1060, "LO", f"{kind} of a phantom"), (0x40, 0x100, "SQ", _sequence(step)),
                              (0x40, 0x1001, "SH", f"R{number}")]
        _write(folder / f"{number}.wl", _WORK_LIST, _uid(w), rows)
    w.serve("wlmscpfs", "-dhl", "-dfr", "-dfp", w.dir / "worklist", PORT)


def _archive(w: Work) -> list:
    """How this host reaches the archive: options, address and port for DCMTK's programs. The MR speaks TLS and the ultrasound
    IPv6, which DCMTK cannot by itself; a relay on the host's loopback does it."""
    if w.host.name == "mr":
        return ["+tla", "+cf", certificate_of("pacs"), ARCHIVE.v4, TLS_PORT]
    if w.host.name != "us":
        return [ARCHIVE.v4, PORT]
    near = listen(0, "127.0.0.1")
    threading.Thread(target=relay, args=(near, (ARCHIVE.v6, PORT)), daemon=True).start()
    return ["127.0.0.1", near.getsockname()[1]]


def _titles(w: Work, called: str = "PACS") -> list:
    return ["-aet", TITLES[w.host.name], "-aec", called]


@life("dicom store", *MODALITIES)
def dicom_store(w: Work) -> None:
    """A study is done: its images go to the archive in one association."""
    modality, archive = MODALITIES[w.host.name], _archive(w)
    for _ in w.people(1000):
        if away(w):
            continue
        images = make_study(w, w.dir / "study", modality, w.rng.randint(*modality.slices), modality.size)
        w.run("storescu", *_titles(w), *archive, *images)


@life("dicom echo", *MODALITIES, "reading-1", "reading-2")
def dicom_echo(w: Work) -> None:
    """Is the archive there? Now and then somebody misspells its title and is rejected."""
    archive = _archive(w)
    for _ in w.every(3600, 0.2):
        if away(w):
            continue
        if w.rng.random() < 0.1:
            w.run("echoscu", *_titles(w, "PACSS"), *archive, good=(0, 1))
            w.pause(4)
        w.run("echoscu", *_titles(w), *archive)


@life("dicom work list", *MODALITIES)
def dicom_work_list(w: Work) -> None:
    """What is next for this modality?"""
    for _ in w.every(1500, 0.1):
        if not away(w):
            _ask_work_list(w)


def _ask_work_list(w: Work) -> None:
    step = "ScheduledProcedureStepSequence[0]."
    keys = [f"{step}Modality={TITLES[w.host.name]}", f"{step}ScheduledStationAETitle", f"{step}ScheduledProcedureStepStartDate",
            f"{step}ScheduledProcedureStepStartTime", "PatientName", "PatientID", "StudyInstanceUID", "AccessionNumber"]
    w.run("findscu", "-W", *_titles(w, TITLES["his"]), *(word for key in keys for word in ("-k", key)), HOSTS["his"].v4, PORT)


@life("dicom reading", "reading-1", "reading-2")
def dicom_reading(w: Work) -> None:
    """Looks for a patient's studies (C-FIND) and has one sent here (C-MOVE)."""
    for _ in w.people(1500):
        keys = ["QueryRetrieveLevel=STUDY", f"PatientID=*{w.rng.randrange(10)}", "PatientName", "StudyDate", "ModalitiesInStudy",
                "StudyInstanceUID"]
        found = w.run("findscu", "-S", "+sr", *_titles(w), *(word for key in keys for word in ("-k", key)), ARCHIVE.v4, PORT)
        # The first is the question itself.
        studies = re.findall(rb"\(0020,000d\) UI \[([0-9.]+)", found.stdout + found.stderr)
        w.pause(w.rng.uniform(2, 6))
        if studies:
            study = w.rng.choice(studies).decode()
            w.run("movescu", "-S", *_titles(w), "-aem", TITLES[w.host.name], "-k", "QueryRetrieveLevel=STUDY",
                  "-k", f"StudyInstanceUID={study}", ARCHIVE.v4, PORT)


@life("archive browser", "admin-1", "reading-2")
def archive_browser(w: Work) -> None:
    """A look into the archive's web interface."""
    base = f"http://{ARCHIVE.v4}:8042"
    for _ in w.people(4000):
        w.run("curl", "-sS", "-A", "Mozilla/5.0", f"{base}/system", f"{base}/statistics",
              f"{base}/patients?since=0&limit=10&expand", f"{base}/studies?since=0&limit=5&expand")


@life("study to another site", "pacs")
def study_to_another_site(w: Work) -> None:
    """Once, a large study goes to another hospital: more than the archive ever sends out otherwise."""
    if wait_until(w, 0.45):
        images = make_study(w, w.dir / "large", MODALITIES["ct"], 20, (176, 176))
        w.run("storescu", *_titles(w, OTHER_TITLE), site(OTHER_SITE), PORT, *images)


@life("modality restart", "mr")
def modality_restart(w: Work) -> None:
    """The MR is restarted: its link goes down for a while, then it asks for archive and work list anew."""
    archive = _archive(w)
    if not wait_until(w, 0.7):
        return
    leave(w, 30)
    # What is under way comes to its end.
    w.pause(5)
    w.network.plug(w.host, False)
    w.pause(20)
    w.network.plug(w.host)
    w.pause(4)
    for _ in range(2):
        w.run("echoscu", *_titles(w), *archive)
        w.pause(2)
    _ask_work_list(w)
