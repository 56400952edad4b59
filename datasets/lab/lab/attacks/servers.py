"""The adversary's servers, all on one machine outside with an address for each domain."""

import http.server
import json
import socketserver
import ssl
import subprocess
import time

from .. import plan
from ..work import RUN, Work, server

TUNNEL_DOMAIN, TUNNEL_PASSWORD = "t.sync-health.example", "lab"
TUNNEL_SERVER, TUNNEL_NET, TUNNEL_PORT = "10.99.0.1", "10.99.0.1/27", 7000
RELAY_PORT, POOL_PORT, ARCHIVE_PORT = 4443, 3333, 11112


@server("adversary names", "adversary")
def names(w: Work) -> None:
    """Answers for the adversary's domains, each at the address that it stands for; the tunnel's domain has a server of its
    own."""
    domains = [domain for domain in plan.ADVERSARY_DOMAINS if domain != TUNNEL_DOMAIN]
    records = [f"--{kind}" for domain in domains for kind in (
        f"address=/{domain}/{plan.adversary(domain)}", f"local=/{domain}/", f"listen-address={plan.adversary(domain)}")]
    w.serve("dnsmasq", "--keep-in-foreground", "--user=root", "--group=", "--conf-file=/dev/null", "--no-hosts", "--no-resolv",
            "--pid-file=", "--bind-interfaces", "--local-ttl=300", *records)


@server("adversary tunnel", "adversary")
def tunnel(w: Work) -> None:
    """The far end of the DNS tunnel, and inside of it a place that takes what is sent."""
    address = plan.adversary(TUNNEL_DOMAIN)
    said = open(RUN / "log" / "adversary.iodined.out", "wb")
    w.start("iodined", "-f", "-c", "-P", TUNNEL_PASSWORD, "-l", address, TUNNEL_NET, TUNNEL_DOMAIN, stdout=said, stderr=said)
    _lines("", TUNNEL_PORT, lambda line: b"ok\n")


@server("adversary web", "adversary")
def web(w: Work) -> None:
    """HTTPS for every domain, each with a certificate that it signed itself."""
    contexts = {domain: _context(w, domain) for domain in plan.ADVERSARY_DOMAINS}

    def choose(connection: ssl.SSLSocket, name: str | None, _) -> None:
        connection.context = contexts.get(name, connection.context)

    first = next(iter(contexts.values()))
    first.sni_callback = choose

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address, daemon_threads, request_queue_size = True, True, 64

        def get_request(self):
            connection, peer = self.socket.accept()
            # The handshake is the handler's, so that nobody who is slow stops the others.
            return first.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), peer

        def handle_error(self, request, client_address) -> None:
            pass

    Server(("", 443), _Site).serve_forever()


class _Site(http.server.BaseHTTPRequestHandler):
    """Orders for those who ask, thanks for those who bring."""

    protocol_version, timeout = "HTTP/1.1", 60

    def do_GET(self) -> None:
        # /take/N gives N bytes, anything else a short order.
        size = self.path.rpartition("/take/")[2]
        self._answer(bytes(range(256)) * (int(size) // 256) if size.isdigit() else json.dumps({"task": "wait"}).encode())

    def do_POST(self) -> None:
        left = int(self.headers.get("Content-Length", 0))
        while left > 0 and (part := self.rfile.read(min(left, 65536))):
            left -= len(part)
        self._answer(b'{"task":"none"}')

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_) -> None:
        pass


def _context(w: Work, domain: str) -> ssl.SSLContext:
    key, certificate = w.dir / f"{domain}.key", w.dir / f"{domain}.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                    "-subj", f"/CN={domain}", "-keyout", key, "-out", certificate], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


@server("adversary relay", "adversary")
def relay(w: Work) -> None:
    """Answers each line that a slow connection brings with a short one."""
    _lines(plan.adversary("relay-status.example"), RELAY_PORT, lambda line: b"." * (8 + line[0] % 24) + b"\n")


@server("adversary pool", "adversary")
def pool(w: Work) -> None:
    """A mining pool that speaks Stratum: answers requests and hands out work every 8 s."""
    place = plan.adversary("pool.hash-rate.example")

    class Miner(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.request.settimeout(1)
            job, waiting = 0, b""
            while not w.clock.over():
                try:
                    waiting += (part := self.request.recv(4096))
                    if not part:
                        return
                except TimeoutError:
                    pass
                *requests, waiting = waiting.split(b"\n")
                for request in requests:
                    self._say({"id": json.loads(request)["id"], "result": True, "error": None})
                if int(time.time() / 8) != job:
                    job = int(time.time() / 8)
                    self._say({"id": None, "method": "mining.notify",
                               "params": [f"{job:x}", f"{job:064x}", f"{job * 7:0120x}", [], True]})

        def _say(self, what: dict) -> None:
            self.wfile.write(json.dumps(what).encode() + b"\n")

    _serve(place, POOL_PORT, Miner)


@server("adversary archive", "adversary")
def archive(w: Work) -> None:
    """Takes every DICOM image that it is sent and keeps none."""
    w.serve("storescp", "--ignore", "--aetitle", "ARCHIVE2", ARCHIVE_PORT)


def _lines(address: str, port: int, answer) -> None:
    """Serves a protocol of lines."""

    class Lines(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            for line in self.rfile:
                self.wfile.write(answer(line))

    _serve(address, port, Lines)


def _serve(address: str, port: int, handler) -> None:
    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address, daemon_threads = True, True

        def handle_error(self, request, client_address) -> None:
            pass

    Server((address, port), handler).serve_forever()
