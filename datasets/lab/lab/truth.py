"""Joins the capture with the ledger: every conversation gets the activity that began it, and with it its label."""

import bisect
import csv
from collections import Counter, defaultdict
from dataclasses import dataclass

from . import ledger, packets, plan

# As long as a connection, or another exchange, may pause and still be the same.
IDLE_MICROS = {"tcp": 600_000_000}
OTHER_IDLE_MICROS = 60_000_000
# How far the clocks of the two recorders may be apart: both are the kernel's, at different places of the same path.
SLACK = 2.0
BENIGN, MALICIOUS, BACKGROUND = "benign", "malicious", "background"
COLUMNS = ("src_ip", "dst_ip", "src_port", "dst_port", "proto", "start", "end", "packets", "bytes", "label", "detail")


@dataclass
class Conversation:
    """Both directions between two sockets. Times in microseconds since the epoch; bytes with the link layer."""

    key: tuple
    start: int
    end: int
    packets: int = 0
    bytes: int = 0
    ended: bool = False
    about: tuple | None = None
    sender: str | None = None
    label: str = ""
    detail: str = ""
    # Where this is what is left of it: the conversation as it was.
    whole: "Conversation | None" = None

    def count(self, micros: int, length: int) -> None:
        """Counts a packet. Two ports of a switch may deliver out of order."""
        self.start, self.end = min(self.start, micros), max(self.end, micros)
        self.packets += 1
        self.bytes += length


@dataclass(frozen=True)
class Phase:
    """When an attack ran. Times in epoch seconds."""

    attack: str
    host: str
    intensity: str
    start: float
    end: float


def walk(path: str):
    """Yields (time in microseconds, length on the wire, frame, its conversation or None) of a capture.

    ICMP errors are conversations by themselves; echoes are kept apart by their identifier; ARP and hosts without an address (DHCP)
    by the sender's hardware address. A conversation is complete when the walk is over.
    """
    running: dict[tuple, Conversation] = {}
    for micros, length, frame in packets.read(path):
        packet = packets.dissect(frame)
        if packet is None:
            yield micros, length, frame, None
            continue
        identity = packets.both_ways(packet.key), packet.about and packets.both_ways(packet.about), packet.echo, packet.sender
        conversation = running.get(identity)
        idle = IDLE_MICROS.get(packet.key[4], OTHER_IDLE_MICROS)
        if conversation is None or micros - conversation.end > idle or (packet.begins and conversation.ended):
            conversation = Conversation(packet.key, micros, micros, about=packet.about, sender=packet.sender)
            running[identity] = conversation
        conversation.count(micros, length)
        conversation.ended |= packet.ends
        yield micros, length, frame, conversation


def conversations(path: str) -> list[Conversation]:
    """The conversations of a capture in the order of their first packets."""
    return [conversation for _, _, _, conversation in walk(path) if conversation and conversation.packets == 1]


class Owners:
    """What the ledger and the scenario know of who sent a packet."""

    def __init__(self, path: str, groups: dict[int, tuple[str, str, bool]], phases: list[Phase], causes, owned: dict[str, str]):
        """groups: group id to (host, activity, is it an attack); causes: rows (attack, source, destination, port, protocol) of
        what an attack makes others do; owned: the attacker's hosts and their attacks."""
        self._groups, self._phases, self._causes, self._owned = groups, phases, causes, owned
        self._sent = defaultdict(list)
        for entry in ledger.read(path):
            self._sent[entry.key].append((entry.time, entry.group, entry.host))
        for entries in self._sent.values():
            entries.sort(key=lambda entry: entry[0])
        self._host_of = {address: host.name for host in plan.HOSTS.values() for address in host.addresses}
        self._host_of_mac = {host.mac: host.name for host in plan.HOSTS.values()}

    def label(self, conversation: Conversation) -> set[tuple[str, str]]:
        """Every (label, detail) that somebody has a claim to; one is right, none or several is an error."""
        for key in (conversation.key, packets.reverse(conversation.key)):
            claims = self._claims(key, conversation)
            if claims:
                return claims
        host = self._host_of_mac.get(conversation.sender) or self._host_of.get(conversation.key[0])
        if host in self._owned:
            return {(MALICIOUS, self._owned[host])}
        kind = infrastructure(conversation.key)
        return {(BACKGROUND, f"infrastructure: {kind}")} if kind else set()

    def _claims(self, key: tuple, conversation: Conversation) -> set[tuple[str, str]]:
        entries = self._sent.get(key, [])
        first = bisect.bisect_left(entries, conversation.start / 1e6 - SLACK, key=lambda entry: entry[0])
        # Hosts without an address share a key, and so do a router and who speaks ARP in its name; the ledger knows them by name.
        sender = self._host_of_mac.get(conversation.sender, plan.ROUTER) if conversation.sender else None
        groups = set()
        for when, group, host in entries[first:]:
            if when > conversation.end / 1e6 + SLACK:
                break
            if group in self._groups and sender in (None, host):
                groups.add(group)
        return {self._of_group(group, key, conversation) for group in groups}

    def _of_group(self, group: int, key: tuple, conversation: Conversation) -> tuple[str, str]:
        host, activity, is_attack = self._groups[group]
        if is_attack:
            return MALICIOUS, activity
        for attack, source, destination, port, protocol in self._causes:
            if (source, destination, protocol) == (key[0], key[1], key[4]) and port in (None, key[3]) and any(
                phase.attack == attack and phase.start - SLACK <= conversation.start / 1e6 <= phase.end + 60 for phase in self._phases
            ):
                return MALICIOUS, attack
        return BENIGN, f"{host}: {activity}"


def infrastructure(key: tuple) -> str | None:
    """What the kernels say by themselves, by name; None for anything else."""
    if key[4] == packets.ARP:
        return "arp"
    if key[4] == "icmpv6" and (key[0].startswith("fe80:") or key[1].startswith(("ff02:", "fe80:")) or key[0] == "::"):
        return "neighbour discovery and multicast membership"
    if key[4] == "icmpv6":
        return "neighbour discovery"
    if key[4] == "2":
        return "multicast membership"
    return None


def judge(found: list[Conversation], owners: Owners) -> list[str]:
    """Labels all conversations and says which could not be, or not by one owner alone."""
    errors = []
    by_key = defaultdict(list)
    for conversation in found:
        by_key[packets.both_ways(conversation.key)].append(conversation)
    later = []
    for conversation in found:
        if conversation.about is not None:
            later.append(conversation)
            continue
        claims = owners.label(conversation)
        labels = {label for label, _ in claims}
        # Two programs of a host that use the same port within a minute are one conversation on the wire; both ordinary, it is too.
        if len(claims) == 1 or labels == {BENIGN}:
            conversation.label, conversation.detail = labels.pop(), "; ".join(sorted(detail for _, detail in claims))
        else:
            errors.append(f"{'nobody' if not claims else 'more than one'} owns {describe(conversation)}: {sorted(claims)}")
    # An ICMP error belongs to what it complains about.
    for conversation in later:
        cause = [each for each in by_key[packets.both_ways(conversation.about)]
                 if each.about is None and each.start <= conversation.end and each.label]
        if cause:
            conversation.label, conversation.detail = cause[-1].label, cause[-1].detail
        else:
            errors.append(f"nothing caused {describe(conversation)}")
    return errors


def describe(conversation: Conversation) -> str:
    return f"{packets.key_text(conversation.key)} at {conversation.start / 1e6:.6f} ({conversation.packets} packets)"


def ends(row: dict) -> tuple:
    """Both ends of a row and its protocol, whoever began."""
    return frozenset(((row["src_ip"], row["src_port"]), (row["dst_ip"], row["dst_port"]))), row["proto"]


def row(conversation: Conversation) -> list[str]:
    source, destination, from_port, to_port, protocol = ("" if part is None else str(part) for part in conversation.key)
    return [source, destination, from_port, to_port, protocol, f"{conversation.start / 1e6:.6f}", f"{conversation.end / 1e6:.6f}",
            str(conversation.packets), str(conversation.bytes), conversation.label, conversation.detail]


def write(path: str, found: list[Conversation], declared: list[list[str]]) -> None:
    """One row per conversation, then what no packet shows (a device that went silent)."""
    with open(path, "w", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(COLUMNS)
        out.writerows(row(conversation) for conversation in found if conversation.label)
        out.writerows(declared)


def check(found: list[Conversation], path: str) -> list[str]:
    """Reads the labels as a stranger does (blank is any, either direction, malicious wins, then background) and compares. Rows
    of no packets speak of what is missing in a conversation, which may have begun before, so they are not compared."""
    rows = defaultdict(list)
    with open(path, newline="") as file:
        for each in csv.DictReader(file):
            if each["packets"] == "0":
                continue
            start, end = float(each["start"]) * 1e6 - 1, float(each["end"]) * 1e6 + 1
            key = packets.key_of(",".join(each[name] for name in COLUMNS[:5]))
            rows[packets.both_ways(key)].append((start, end, each["label"], each["detail"]))
    errors = []
    for conversation in found:
        fitting = [row for row in rows[packets.both_ways(conversation.key)]
                   if row[0] <= conversation.end and row[1] >= conversation.start]
        told = {row[2:] for row in fitting}
        if not told:
            errors.append(f"no row for {describe(conversation)}")
        attacks = {detail for label, detail in told if label == MALICIOUS}
        if len(attacks) > 1:
            errors.append(f"{describe(conversation)} belongs to several attacks: {sorted(attacks)}")
        if attacks and conversation.label == BENIGN:
            errors.append(f"{describe(conversation)} is benign, but a row of {sorted(attacks)} fits it")
    return errors


def counts(found: list[Conversation]) -> dict[str, int]:
    return dict(sorted(Counter(conversation.label for conversation in found).items()))
