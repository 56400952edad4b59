"""People at their desks: printing."""

import itertools
import socket
import struct
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from ..plan import HOSTS
from ..work import Work, life, server

_IPP_PORT, _RAW_PORT = 631, 9100
# What ipptool does: sends one job.
_PRINT = "/usr/share/cups/ipptool/print-job.test"


def _ipp_attribute(tag: int, name: str, value: bytes) -> bytes:
    return struct.pack(f"!BH{len(name)}sH", tag, len(name), name.encode(), len(value)) + value


class _Ipp(BaseHTTPRequestHandler):
    """Takes every job. Debian's ippeveprinter would do, but it does not start without a daemon for DNS-SD."""

    protocol_version = "HTTP/1.1"
    jobs = itertools.count(1)

    def do_POST(self) -> None:
        version, request = struct.unpack_from("!H2xI", self._body())
        job = next(self.jobs)
        answer = struct.pack("!HHI", version, 0, request) + b"\x01" + _ipp_attribute(0x47, "attributes-charset", b"utf-8")
        answer += _ipp_attribute(0x48, "attributes-natural-language", b"en") + b"\x02"
        answer += _ipp_attribute(0x21, "job-id", struct.pack("!I", job))
        answer += _ipp_attribute(0x45, "job-uri", f"ipp://{HOSTS['printer'].fqdn}/jobs/{job}".encode())
        answer += _ipp_attribute(0x23, "job-state", struct.pack("!I", 3)) + b"\x03"
        self.send_response(200)
        self.send_header("Content-Type", "application/ipp")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers["Content-Length"]))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def log_message(self, *_) -> None:
        """Says nothing."""


class _Server(ThreadingHTTPServer):
    address_family = socket.AF_INET6


@server("printing", "printer")
def printing(_w: Work) -> None:
    """The printer's IPP service."""
    _Server(("", _IPP_PORT), _Ipp).serve_forever()


@server("raw printing", "printer")
def raw_printing(w: Work) -> None:
    """Port 9100 takes whatever comes and prints it."""
    with socket.create_server(("", _RAW_PORT), family=socket.AF_INET6, dualstack_ipv6=True) as listener:
        while True:
            job, _ = listener.accept()
            with job:
                job.settimeout(10)
                try:
                    while job.recv(65536):
                        pass
                except OSError as error:
                    w.log(f"job: {error}")


@life("print jobs", "nurse-1", "nurse-2", "office-1", "office-3")
def print_jobs(w: Work) -> None:
    """Ward lists and letters: most by IPP, those of old programs raw."""
    page = w.dir / "page.pdf"
    printer = HOSTS["printer"]
    for _ in w.people(5000):
        page.write_bytes(b"%PDF-1.7\n" + w.rng.randbytes(w.rng.randint(8000, 50_000)))
        if w.rng.random() < 0.7:
            w.run("ipptool", "-q", "-T", "20", "-f", page, f"ipp://{printer.fqdn}:{_IPP_PORT}/ipp/print", _PRINT)
        else:
            w.run("nc", "-N", "-w", "10", printer.fqdn, _RAW_PORT, input=b"\x1b%-12345X@PJL JOB\n" + page.read_bytes())
