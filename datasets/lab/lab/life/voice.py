"""Telephones: SIP through the exchange, speech (G.711, 20 ms) with RTP directly between the two."""

import queue
import re
import socket
import struct
import threading
import time
import zlib

from ..plan import DOMAIN, HOSTS, with_role
from ..work import Work, life, server

_SIP = 5060
_PHONES = {host.name: host for host in with_role("telephone")}
_FRAME_SECONDS, _FRAME_BYTES = 0.020, 160
_REPORT_SECONDS = 5.0


def _header(message: str, name: str) -> str:
    found = re.search(rf"^{name}: *(.*?)\r?$", message, re.MULTILINE | re.IGNORECASE)
    return found[1] if found else ""


def _numbers_of(message: str) -> tuple[str, int]:
    """The method of a request's or a response's transaction, and its number."""
    number, method = _header(message, "CSeq").split()
    return method, int(number)


@server("telephone exchange", "voice")
def telephone_exchange(w: Work) -> None:
    """A proxy: registers telephones and passes requests on to them, and responses back."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.bind((w.host.v4, _SIP))
        while True:
            data, sender = line.recvfrom(8192)
            message = data.decode(errors="replace")
            if message.startswith("SIP/2.0"):
                # Back to whom the request came from: the second Via; the first is the exchange's own.
                first, _, rest = message.partition("\r\nVia: ")
                back = re.match(r"SIP/2.0/UDP ([\d.]+)", rest.partition("\r\nVia: ")[2])
                if back:
                    line.sendto((first + "\r\nVia: " + rest.partition("\r\nVia: ")[2]).encode(), (back[1], _SIP))
            elif message.startswith("REGISTER"):
                line.sendto(_reply(message, "200 OK").encode(), sender)
            else:
                callee = re.match(r"\w+ sip:([\w-]+)@", message)
                if callee and callee[1] in _PHONES:
                    first, _, rest = message.partition("\r\n")
                    via = f"\r\nVia: SIP/2.0/UDP {w.host.v4};branch=z9hG4bK{zlib.crc32(data):x}\r\n"
                    line.sendto((first + via + rest).encode(), (_PHONES[callee[1]].v4, _SIP))
                elif not message.startswith("ACK"):
                    line.sendto(_reply(message, "404 Not Found").encode(), sender)


def _reply(request: str, status: str, body: str = "") -> str:
    """A response: what identifies the request, repeated."""
    head = request.partition("\r\n\r\n")[0].split("\r\n")
    kept = [line for line in head if line.split(":")[0] in ("Via", "From", "To", "Call-ID", "CSeq")]
    return "\r\n".join([f"SIP/2.0 {status}", *kept, *_content(body)])


def _content(body: str) -> list[str]:
    kind = ["Content-Type: application/sdp"] if body else []
    return [*kind, f"Content-Length: {len(body)}", "", body]


class Telephone:
    """One telephone with its line to the exchange; a thread of its own takes what arrives."""

    def __init__(self, w: Work):
        self.w = w
        self.line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.line.bind((w.host.v4, _SIP))
        self.exchange = HOSTS["voice"].v4, _SIP
        self.replies: queue.Queue[str] = queue.Queue()
        self.sequence = 0
        # Calls by their Call-ID: set when the other side hangs up.
        self.calls: dict[str, threading.Event] = {}
        threading.Thread(target=self._listen, daemon=True).start()

    def request(self, method: str, to: str, call: str, body: str = "") -> None:
        w, me = self.w, self.w.host.name
        if method != "ACK":
            self.sequence += 1
        self.line.sendto("\r\n".join([
            f"{method} sip:{to}@{DOMAIN} SIP/2.0", f"Via: SIP/2.0/UDP {w.host.v4};branch=z9hG4bK{w.rng.getrandbits(48):x}",
            f"From: <sip:{me}@{DOMAIN}>;tag={zlib.crc32(me.encode()):x}", f"To: <sip:{to}@{DOMAIN}>", f"Call-ID: {call}",
            f"CSeq: {self.sequence} {method}", f"Contact: <sip:{me}@{w.host.v4}>", "Max-Forwards: 70", "User-Agent: Lab Phone 2",
            *_content(body)]).encode(), self.exchange)

    def wait(self, method: str, seconds: float) -> str | None:
        """The final response to our last request of a method; None when there is none in time."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            try:
                reply = self.replies.get(timeout=left)
            except queue.Empty:
                return None
            if _numbers_of(reply) == (method, self.sequence) and not reply.startswith("SIP/2.0 1"):
                return reply
        return None

    def register(self) -> bool:
        self.request("REGISTER", self.w.host.name, f"register@{self.w.host.v4}")
        return self.wait("REGISTER", 4) is not None

    def call(self, other: str, seconds: float) -> bool:
        """Calls another telephone and talks; false when nobody takes the call."""
        call = f"{self.w.rng.getrandbits(64):x}@{self.w.host.v4}"
        with _speech_socket(self.w.host.v4) as speech:
            self.request("INVITE", other, call, _offer(self.w.host.v4, speech.getsockname()[1]))
            reply = self.wait("INVITE", 15)
            if reply is None:
                return False
            self.request("ACK", other, call)
            if not reply.startswith("SIP/2.0 200"):
                # Engaged.
                return True
            self.calls[call] = threading.Event()
            _talk(self.w, speech, _media(reply), seconds, self.calls[call])
            del self.calls[call]
        self.request("BYE", other, call)
        return self.wait("BYE", 4) is not None

    def _listen(self) -> None:
        while True:
            data, _ = self.line.recvfrom(8192)
            message = data.decode(errors="replace")
            if message.startswith("SIP/2.0"):
                self.replies.put(message)
            elif message.startswith("INVITE"):
                threading.Thread(target=self._ring, args=(message,), daemon=True).start()
            elif message.startswith("BYE"):
                if hung_up := self.calls.get(_header(message, "Call-ID")):
                    hung_up.set()
                self.line.sendto(_reply(message, "200 OK").encode(), self.exchange)

    def _ring(self, invitation: str) -> None:
        call = _header(invitation, "Call-ID")
        if self.calls:
            self.line.sendto(_reply(invitation, "486 Busy Here").encode(), self.exchange)
            return
        hung_up = self.calls[call] = threading.Event()
        self.line.sendto(_reply(invitation, "180 Ringing").encode(), self.exchange)
        time.sleep(self.w.rng.uniform(1, 4))
        with _speech_socket(self.w.host.v4) as speech:
            offer = _offer(self.w.host.v4, speech.getsockname()[1])
            self.line.sendto(_reply(invitation, "200 OK", offer).encode(), self.exchange)
            _talk(self.w, speech, _media(invitation), 60, hung_up)
        del self.calls[call]


def _offer(address: str, port: int) -> str:
    """What SDP says of our side: where to send speech to, in which coding."""
    return "\r\n".join(("v=0", f"o=- 1 1 IN IP4 {address}", "s=call", f"c=IN IP4 {address}", "t=0 0", f"m=audio {port} RTP/AVP 0",
                        "a=rtpmap:0 PCMU/8000", "a=ptime:20", ""))


def _media(message: str) -> tuple[str, int]:
    """Where the other side wants speech."""
    return re.search(r"^c=IN IP4 ([\d.]+)", message, re.MULTILINE)[1], int(re.search(r"^m=audio (\d+)", message, re.MULTILINE)[1])


def _speech_socket(address: str) -> socket.socket:
    """A socket on a free even port, as RTP wants it; the next port is for its reports."""
    for port in range(16384, 32768, 2):
        speech = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            speech.bind((address, port))
            return speech
        except OSError:
            speech.close()
    raise OSError("no port for speech is free")


def _talk(w: Work, speech: socket.socket, there: tuple[str, int], seconds: float, hung_up: threading.Event) -> None:
    """Sends frames of noise at their pace until the time is over or the other side hangs up; what arrives is thrown away."""
    source, stamp, frame = w.rng.getrandbits(32), w.rng.getrandbits(31), w.rng.randbytes(_FRAME_BYTES)
    start = time.monotonic()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as reports:
        reports.bind((w.host.v4, speech.getsockname()[1] + 1))
        for number in range(int(seconds / _FRAME_SECONDS)):
            if hung_up.wait(max(0.0, start + number * _FRAME_SECONDS - time.monotonic())):
                return
            now = stamp + number * _FRAME_BYTES & 0xFFFFFFFF
            speech.sendto(struct.pack("!BBHII", 0x80, 0x80 if number == 0 else 0, number & 0xFFFF, now, source) + frame, there)
            if number % int(_REPORT_SECONDS / _FRAME_SECONDS) == 0:
                report = struct.pack("!BBHIQIII", 0x80, 200, 6, source, int((time.time() + 2_208_988_800) * (1 << 32)),
                                     now, number, number * _FRAME_BYTES)
                reports.sendto(report, (there[0], there[1] + 1))


@life("telephone", *_PHONES)
def telephone(w: Work) -> None:
    """Registers at intervals; by day it calls the other one now and then, for some real seconds."""
    phone = Telephone(w)
    other = next(name for name in _PHONES if name != w.host.name)
    for _ in w.every(900):
        _count(w, phone.register())
        if 7 <= w.clock.hour_now() < 19 and w.rng.random() < 0.09 and w.pause(w.rng.uniform(1, 20)):
            _count(w, phone.call(other, w.rng.uniform(4, 10)))


def _count(w: Work, good: bool) -> None:
    w.runs += 1
    if not good and not w.clock.over():
        w.failures += 1
        w.log("the exchange or the other telephone did not answer")
    w._report()
