"""What happens in each scenario: which attacks, from where, how loud, and when."""

from dataclasses import dataclass

LOUD, NORMAL, QUIET = "loud", "normal", "quiet"
INTENSITIES = (LOUD, NORMAL, QUIET)


@dataclass(frozen=True)
class Step:
    """An attack by a host. `at` is the part of the time after the split that has passed when it begins, 0 to 1."""

    attack: str
    host: str
    intensity: str
    at: float


@dataclass(frozen=True)
class Scenario:
    """A day. `minutes`: default length in real time; `hour`: the lab's time of day at the start; `factor`: lab seconds per real
    second; `split`: the part of the time before the first attack."""

    name: str
    text: str
    minutes: float
    hour: float = 7.0
    factor: float = 16.0
    split: float = 0.5
    steps: tuple[Step, ...] = ()


SCENARIOS: dict[str, Scenario] = {}


def _add(scenario: Scenario) -> None:
    SCENARIOS[scenario.name] = scenario


_add(Scenario("clean", "ordinary life of a working day, 07:00 to 15:00, nothing else", 30, split=1.0))
_add(Scenario("clean-long", "ordinary life from early in the morning to late in the evening, 06:00 to 22:00, nothing else", 60, hour=6.0, split=1.0))


def _attacked(name: str, text: str, minutes: float, split: float, *steps: tuple[float, str, str, str]) -> None:
    """A scenario whose steps begin at real seconds after the split: (seconds, attack, host, intensity). What does not belong
    together is at least half a minute apart."""
    after = minutes * 60 * (1 - split)
    _add(Scenario(name, text, minutes, split=split,
                  steps=tuple(Step(attack, host, intensity, at / after) for at, attack, host, intensity in steps)))


_attacked(
    "intrusion-loud",
    "an intruder in a hurry: scans, guessing, lateral movement, beacon, tunnel, mining, exfiltration, a flood", 20, 0.4,
    (0, "host-sweep", "office-3", LOUD),
    (35, "port-scan", "office-3", LOUD),
    (80, "service-detection", "office-3", LOUD),
    (145, "ssh-guessing", "office-3", LOUD),
    (255, "smb-guessing", "office-3", LOUD),
    (300, "ssh-movement", "office-3", LOUD),
    (365, "https-beacon", "nurse-2", LOUD),
    (400, "dns-tunnel", "office-1", LOUD),
    (480, "cryptominer", "reading-2", LOUD),
    (580, "https-exfiltration", "office-3", LOUD),
    (640, "syn-flood", "office-2", LOUD),
)
_attacked(
    "intrusion-quiet",
    "an intruder with patience, every step slow and small: control channels, scans, spraying, movement, exfiltration", 40, 0.4,
    (0, "slow-connection", "office-1", QUIET),
    (30, "https-beacon", "nurse-2", QUIET),
    (60, "host-sweep", "office-3", QUIET),
    (200, "port-scan", "office-3", QUIET),
    (370, "password-spraying", "office-3", QUIET),
    (400, "dns-tunnel", "reading-2", QUIET),
    (570, "service-detection", "office-3", QUIET),
    (800, "ssh-movement", "office-3", QUIET),
    (900, "slow-exfiltration", "admin-1", QUIET),
    (1040, "smb-movement", "office-1", QUIET),
    (1240, "dns-exfiltration", "reading-2", QUIET),
)
_attacked(
    "ransomware",
    "a mail with a loader, a beacon, a sweep, guessing, lateral movement, upload and encryption of shared files", 18, 0.45,
    (0, "mail-loader", "office-3", NORMAL),
    (65, "https-beacon", "office-3", NORMAL),
    (105, "host-sweep", "office-3", NORMAL),
    (155, "smb-guessing", "office-3", LOUD),
    (210, "smb-movement", "office-3", NORMAL),
    (310, "https-exfiltration", "office-3", NORMAL),
    (380, "ransomware", "office-3", NORMAL),
    (460, "ransomware", "office-1", LOUD),
)
_attacked(
    "insider",
    "an employee at the own workstation: many studies retrieved, sent to a new station outside, and chunks over HTTPS", 20, 0.4,
    (0, "dicom-retrieval", "reading-2", NORMAL),
    (110, "dicom-retrieval", "reading-2", LOUD),
    (190, "dicom-exfiltration", "reading-2", NORMAL),
    (290, "slow-exfiltration", "reading-2", LOUD),
    (500, "slow-exfiltration", "reading-2", NORMAL),
)
_attacked(
    "medical",
    "attacks on medical devices and protocols: DICOM, HL7, MQTT, ARP in another's name, a silent and a strange device", 20, 0.4,
    (0, "dicom-reconnaissance", "office-3", NORMAL),
    (80, "mqtt-sniffing", "nurse-1", NORMAL),
    (155, "mqtt-spoofing", "office-3", NORMAL),
    (275, "hl7-injection", "nurse-2", NORMAL),
    (380, "hl7-flood", "office-2", NORMAL),
    (445, "silent-device", "monitor-4", LOUD),
    (500, "arp-spoofing", "analyser", NORMAL),
    (620, "rogue-device", "rogue", NORMAL),
)
_attacked(
    "everything",
    "every attack once, in a mix of intensities", 43, 0.4,
    (0, "mail-loader", "office-3", NORMAL),
    (75, "https-beacon", "office-3", NORMAL),
    (90, "host-sweep", "office-3", LOUD),
    (125, "port-scan", "office-1", NORMAL),
    (190, "service-detection", "office-1", LOUD),
    (235, "password-spraying", "nurse-2", LOUD),
    (285, "smb-guessing", "nurse-2", NORMAL),
    (335, "ssh-guessing", "office-3", NORMAL),
    (335, "slow-connection", "reading-1", QUIET),
    (515, "ssh-movement", "office-3", LOUD),
    (580, "smb-movement", "office-1", NORMAL),
    (580, "cryptominer", "admin-1", NORMAL),
    (665, "dicom-reconnaissance", "office-2", LOUD),
    (720, "dicom-retrieval", "reading-2", NORMAL),
    (800, "dicom-exfiltration", "reading-2", LOUD),
    (855, "mqtt-sniffing", "nurse-1", NORMAL),
    (855, "mqtt-spoofing", "nurse-2", LOUD),
    (945, "hl7-injection", "nurse-2", LOUD),
    (955, "dns-tunnel", "nurse-1", NORMAL),
    (1015, "hl7-flood", "office-2", NORMAL),
    (1070, "arp-spoofing", "office-3", NORMAL),
    (1090, "slow-exfiltration", "reading-1", NORMAL),
    (1100, "dns-exfiltration", "office-1", LOUD),
    (1175, "https-exfiltration", "office-2", LOUD),
    (1175, "silent-device", "monitor-4", LOUD),
    (1225, "inward-proxy", "office-2", LOUD),
    (1280, "rogue-device", "rogue", LOUD),
    (1280, "slow-http", "guest-1", NORMAL),
    (1380, "ransomware", "office-1", LOUD),
    (1440, "syn-flood", "guest-2", NORMAL),
    (1505, "udp-amplification", "adversary", LOUD),
)
