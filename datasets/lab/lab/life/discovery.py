"""What hosts call into their segment to find each other: mDNS, LLMNR, SSDP and WS-Discovery."""

import select
import socket
import struct
import time

from ..work import Work, life

_MDNS, _LLMNR, _SSDP, _WSD = 5353, 5355, 1900, 3702
_GROUPS = {_MDNS: ("224.0.0.251", "ff02::fb"), _LLMNR: ("224.0.0.252", "ff02::1:3"), _SSDP: ("239.255.255.250", "ff02::c"),
           _WSD: ("239.255.255.250", "ff02::c")}
_PTR, _A = 12, 1
_SERVICES = ("_ipp._tcp.local", "_airplay._tcp.local", "_googlecast._tcp.local", "_smb._tcp.local", "_spotify-connect._tcp.local")
_SEARCH = "M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: \"ssdp:discover\"\r\nMX: 2\r\nST: {}\r\n\r\n"
_FOUND = ("{}\r\nCACHE-CONTROL: max-age=1800\r\nLOCATION: http://{}:631/\r\n{}: urn:schemas-upnp-org:device:Printer:1\r\n{}"
          "USN: uuid:lab-printer\r\n\r\n")
_PROBE = """<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" \
xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery"><s:Header>\
<a:Action>http://schemas.xmlsoap.org/ws/2005/04/discovery/{}</a:Action><a:MessageID>urn:uuid:{}</a:MessageID>\
<a:To>urn:schemas-xmlsoap-org:ws:2005:04:discovery</a:To></s:Header><s:Body>{}</s:Body></s:Envelope>"""


def _dns_name(name: str) -> bytes:
    return b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\0"


def _question(number: int, name: str, kind: int) -> bytes:
    return struct.pack("!6H", number, 0, 1, 0, 0, 0) + _dns_name(name) + struct.pack("!2H", kind, 1)


def _announcement(service: str, instance: str) -> bytes:
    """An mDNS answer that nobody asked for: a service has an instance."""
    target = _dns_name(instance)
    record = _dns_name(service) + struct.pack("!2HIH", _PTR, 1, 4500, len(target)) + target
    return struct.pack("!6H", 0, 0x8400, 0, 1, 0, 0) + record


def _socket(v6: bool, port: int = 0) -> socket.socket:
    """A UDP socket for the segment's groups; with a port, one that belongs to the protocol and is joined to its group."""
    there = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_DGRAM)
    if v6:
        device = socket.if_nametoindex("eth0")
        there.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        there.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, device)
        there.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP, 0)
    else:
        there.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 0)
        there.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1 if port != _MDNS else 255)
    if port:
        there.bind(("", port))
        group = _GROUPS[port][v6]
        if v6:
            membership = socket.inet_pton(socket.AF_INET6, group) + struct.pack("I", device)
            there.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, membership)
        else:
            there.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(group) + socket.inet_aton("0.0.0.0"))
    return there


def _call(w: Work, port: int, message: bytes, v6: bool = False) -> None:
    """Says something to a protocol's group from a fresh port, twice as its clients do against loss."""
    with _socket(v6) as out:
        for _ in range(2):
            w.attempt(out.sendto, message, (_GROUPS[port][v6], port))
            w.pause(0.2)


@life("discovery", "office-1", "office-2", "office-3", "nurse-1", "nurse-2", "admin-1", "guest-1", "guest-2")
def discovery(w: Work) -> None:
    """Desktops look for printers, shares, players and the proxy of the network."""
    both = {v6: _socket(v6, _MDNS) for v6 in (False, True)}
    for _ in w.people(1500):
        v6 = w.rng.random() < 0.4
        match w.rng.choice((_MDNS, _MDNS, _LLMNR, _SSDP, _WSD)):
            case 5353:
                for service in w.rng.sample(_SERVICES, 2):
                    w.attempt(both[v6].sendto, _question(0, service, _PTR), (_GROUPS[_MDNS][v6], _MDNS))
            case 5355:
                _call(w, _LLMNR, _question(w.rng.randrange(65536), w.rng.choice(("wpad", "fileserver", "old-printer")), _A), v6)
            case 1900:
                _call(w, _SSDP, _SEARCH.format(w.rng.choice(("ssdp:all", "upnp:rootdevice"))).encode())
            case 3702:
                _call(w, _WSD, _PROBE.format("Probe", f"{w.rng.getrandbits(64):016x}", "<d:Probe/>").encode(), v6)


@life("announcements", "printer")
def announcements(w: Work) -> None:
    """The printer says that it is there, and answers those who look for it."""
    ears = {port: _socket(False, port) for port in (_MDNS, _SSDP, _WSD)}
    notify = _FOUND.format("NOTIFY * HTTP/1.1\r\nHOST: 239.255.255.250:1900", w.host.v4, "NT", "NTS: ssdp:alive\r\n").encode()
    hello = _announcement("_ipp._tcp.local", "Lab Printer._ipp._tcp.local")
    due = time.monotonic()
    while not w.clock.over():
        if time.monotonic() >= due:
            w.attempt(ears[_MDNS].sendto, hello, (_GROUPS[_MDNS][0], _MDNS))
            w.attempt(ears[_SSDP].sendto, notify, (_GROUPS[_SSDP][0], _SSDP))
            due += w.rng.uniform(1500, 2100) / w.clock.factor
        heard, _, _ = select.select(list(ears.values()), [], [], max(0.0, due - time.monotonic()))
        for ear in heard:
            message, asker = ear.recvfrom(4096)
            answer = _answer(w, message)
            if answer:
                w.attempt(ear.sendto, answer, asker)


def _answer(w: Work, question: bytes) -> bytes | None:
    if question.startswith(b"M-SEARCH"):
        return _FOUND.format("HTTP/1.1 200 OK", w.host.v4, "ST", "EXT:\r\n").encode()
    if b"discovery/Probe<" in question:
        return _PROBE.format("ProbeMatches", f"{w.rng.getrandbits(64):016x}", "<d:ProbeMatches/>").encode()
    return None
