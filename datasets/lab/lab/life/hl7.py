"""HL7 version 2 over MLLP: admissions, orders and results, each acknowledged."""

import itertools
import socket
import time

from ..plan import HOSTS, with_role
from ..work import Work, life, server
from .clinical import PATIENTS, accept_all, listen, patient_id, patient_name
from .records import Database

PORT = 2575
_START, _END = b"\x0b", b"\x1c\r"
_LABORATORY = (("718-7", "Haemoglobin", "g/dL", 9, 17), ("2345-7", "Glucose", "mg/dL", 60, 190),
               ("2951-2", "Sodium", "mmol/L", 132, 148), ("2823-3", "Potassium", "mmol/L", 3.2, 5.4),
               ("2160-0", "Creatinine", "mg/dL", 0.5, 2.1), ("6690-2", "Leucocytes", "10*3/uL", 3, 15))
_VITALS = (("8867-4", "Heart rate", "/min", 52, 110), ("59408-5", "Oxygen saturation", "%", 91, 100),
           ("8480-6", "Systolic pressure", "mm[Hg]", 95, 160), ("8462-4", "Diastolic pressure", "mm[Hg]", 55, 95),
           ("9279-1", "Respiratory rate", "/min", 10, 24))


class Peer:
    """An HL7 application on this host that sends messages to another one."""

    def __init__(self, w: Work, to: str):
        self._w, self._to = w, HOSTS[to]
        self._numbers = itertools.count(w.rng.randrange(10**6))
        self._line: socket.socket | None = None

    def message(self, kind: str, *segments: str) -> bytes:
        head = (f"MSH|^~\\&|{self._w.host.name.upper()}|HOSPITAL|{self._to.name.upper()}|HOSPITAL|{_now()}||{kind}|"
                f"{next(self._numbers)}|P|2.5.1")
        return "\r".join((head, *segments, "")).encode()

    def send(self, *messages: bytes, lasting: bool = False) -> None:
        """Sends each message and waits for its acknowledgement, on a lasting connection or on one of its own."""
        try:
            if self._line is None:
                self._line = socket.create_connection((self._to.v4, PORT), timeout=15)
                # Also when nobody has anything to say at night, the line is not silent.
                self._line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                self._line.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 120)
            for message in messages:
                self._line.sendall(_START + message + _END)
                next(_read(self._line))
        except StopIteration:
            self.close()
            raise ConnectionResetError("closed without an acknowledgement") from None
        except OSError:
            self.close()
            raise
        if not lasting:
            self.close()

    def close(self) -> None:
        if self._line:
            self._line.close()
            self._line = None


def _now() -> str:
    return time.strftime("%Y%m%d%H%M%S")


def _read(line: socket.socket):
    """The messages that come in on a connection, until it is closed."""
    held = b""
    while data := line.recv(8192):
        held += data
        while _END in held:
            message, _, held = held.partition(_END)
            yield message.removeprefix(_START)


def _acknowledge(message: bytes, host: str) -> bytes:
    head = message.split(b"\r")[0].decode(errors="replace").split("|")
    event = head[8].partition("^")[2]
    return (f"MSH|^~\\&|{host.upper()}|HOSPITAL|{head[2]}|{head[3]}|{_now()}||ACK^{event}|{head[9]}A|P|2.5.1\r"
            f"MSA|AA|{head[9]}\r").encode()


@server("hl7 listener", "his", "pacs", "analyser")
def hl7_listener(w: Work) -> None:
    """Acknowledges what comes in; the hospital information system also writes results into its database."""
    database = Database(w) if w.host.name == "his" else None

    def serve(line: socket.socket) -> None:
        for message in _read(line):
            if database:
                _store(database, message.decode(errors="replace"))
            line.sendall(_START + _acknowledge(message, w.host.name) + _END)

    accept_all(listen(PORT), serve)


def _store(database: Database, message: str) -> None:
    segments = [segment.split("|") for segment in message.split("\r")]
    patient = next((int(each[3].partition("^")[0][1:]) for each in segments if each[0] == "PID"), 0)
    results = [(each[3].partition("^")[0], float(each[5]), each[6]) for each in segments if each[0] == "OBX"]
    if results:
        database.add_observations(patient, results)


def _pid(number: int) -> str:
    return f"PID|1||{patient_id(number)}^^^HOSPITAL^MR||{patient_name(number)}||{1930 + number % 80}0101|{'OMF'[number % 3]}"


def _results(w: Work, tests) -> list[str]:
    return [f"OBX|{place}|NM|{code}^{name}^LN||{w.rng.uniform(low, high):.1f}|{unit}|{low}-{high}||||F|||{_now()}"
            for place, (code, name, unit, low, high) in enumerate(tests, 1)]


@life("hl7 vital signs", *with_role("patient monitor"))
def hl7_vital_signs(w: Work) -> None:
    """A monitor reports its patient's vital signs on a connection that stays."""
    peer = Peer(w, "his")
    bed = w.host.name.split("-")[1]
    patient = w.rng.randrange(PATIENTS)
    for _ in w.every(400):
        report = peer.message("ORU^R01^ORU_R01", _pid(patient), f"PV1|1|I|WARD^{bed}^1",
                              f"OBR|1|||VITALS^Vital signs|||{_now()}", *_results(w, _VITALS))
        w.attempt(_send_lasting, peer, report)


def _send_lasting(peer: Peer, *messages: bytes) -> None:
    peer.send(*messages, lasting=True)


@life("hl7 results", "analyser")
def hl7_results(w: Work) -> None:
    """A rack of samples is done: their results in a row, on a connection that stays."""
    peer = Peer(w, "his")
    for _ in w.people(420):
        samples = []
        for _ in range(w.rng.randint(1, 5)):
            tests = w.rng.sample(_LABORATORY, w.rng.randint(2, len(_LABORATORY)))
            samples.append(peer.message("ORU^R01^ORU_R01", _pid(w.rng.randrange(PATIENTS)),
                                        f"OBR|1|R{w.rng.randrange(10**6)}||LAB^Laboratory|||{_now()}", *_results(w, tests)))
        w.attempt(_send_lasting, peer, *samples)


@life("hl7 admissions", "his")
def hl7_admissions(w: Work) -> None:
    """Patients come, move and go; the archive is told, each time on a connection of its own."""
    peer = Peer(w, "pacs")
    for _ in w.people(600):
        event = w.rng.choice(("A01", "A03", "A04", "A08", "A08"))
        w.attempt(peer.send, peer.message(f"ADT^{event}^ADT_A01", f"EVN|{event}|{_now()}", _pid(w.rng.randrange(PATIENTS)),
                                          f"PV1|1|I|WARD^{w.rng.randint(1, 6)}^1||||TEST^PHYSICIAN"))


@life("hl7 orders", "his")
def hl7_orders(w: Work) -> None:
    """Examinations are ordered: laboratory tests from the analyser, images by way of the archive."""
    peers = {"LAB": Peer(w, "analyser"), "IMAGE": Peer(w, "pacs")}
    for _ in w.people(500):
        what = w.rng.choice(list(peers))
        number = f"R{w.rng.randrange(10**6)}"
        w.attempt(peers[what].send, peers[what].message(
            "ORM^O01^ORM_O01", _pid(w.rng.randrange(PATIENTS)), f"ORC|NW|{number}|||||^^^{_now()}",
            f"OBR|1|{number}||{what}^Examination"))
