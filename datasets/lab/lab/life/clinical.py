"""What the clinical modules share: made-up patients, certificates, devices that join or are away for a while, and relays."""

import select
import socket
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path

from ..work import Work

PATIENTS = 400
# The part of the run after which the new device is plugged in.
_JOINS = 0.55


def patient_name(number: int) -> str:
    """As DICOM and HL7 write names: family and given name."""
    return f"TEST^PATIENT {number}"


def patient_id(number: int) -> str:
    return f"P{number:05d}"


def wait_until(w: Work, part: float) -> bool:
    """Waits until a part (0 to 1) of the run has passed; false when the lab ends before."""
    due = w.clock.began + part * (w.clock.until - w.clock.began)
    return w.pause(max(0.0, due - time.time()))


def join(w: Work) -> None:
    """Plugs a host in that is not on the network from the start, when its time has come."""
    if w.host.absent and wait_until(w, _JOINS):
        w.network.plug(w.host)


def leave(w: Work, seconds: float) -> None:
    """All activities of this host that heed `away` are silent from now on for real seconds."""
    (w.dir / "away").write_text(str(time.time() + seconds))


def away(w: Work) -> bool:
    """Whether this host is silent because it restarts."""
    path = w.dir / "away"
    return path.exists() and time.time() < float(path.read_text())


def certificate(w: Work) -> tuple[Path, Path]:
    """Makes a key and a certificate that the host signs itself, as devices come with: (certificate, key)."""
    paths = certificate_of(w.host.name), w.dir / "tls.key"
    names = f"DNS:{w.host.fqdn},DNS:{w.host.name},IP:{w.host.v4},IP:{w.host.v6}"
    w.run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "825",
          "-subj", f"/O=Hospital (made up)/CN={w.host.fqdn}", "-addext", f"subjectAltName={names}",
          "-out", paths[0], "-keyout", paths[1])
    return paths


def certificate_of(host: str) -> Path:
    """Where a host's certificate is, for those who trust it."""
    return Path("/run/lab/hosts", host, "tls.crt")


def server_context(w: Work) -> ssl.SSLContext:
    """TLS of a server on this host, with a certificate of its own."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate(w))
    return context


def listen(port: int, address: str = "::") -> socket.socket:
    """A listening socket; on `::` it takes IPv4 too."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return socket.create_server((address, port), family=family, dualstack_ipv6=address == "::")


def accept_all(listener: socket.socket, serve: Callable[[socket.socket], None]) -> None:
    """Serves each connection in a thread of its own until the lab ends; `serve` may raise OSError."""

    def one(connection: socket.socket) -> None:
        with connection:
            try:
                serve(connection)
            except OSError:
                # The peer is gone.
                pass

    while True:
        threading.Thread(target=one, args=(listener.accept()[0],), daemon=True).start()


def relay(listener: socket.socket, target: tuple[str, int], context: ssl.SSLContext | None = None) -> None:
    """Passes each connection on to another address; with a context, TLS ends here."""

    def one(near: socket.socket) -> None:
        if context:
            near = context.wrap_socket(near, server_side=True)
        with near, socket.create_connection(target) as far:
            other = {near: far, far: near}
            while True:
                for source in select.select([near, far], [], [])[0]:
                    # Larger than a TLS record, so that nothing is left behind that select does not see.
                    data = source.recv(1 << 16)
                    if not data:
                        return
                    other[source].sendall(data)

    accept_all(listener, one)
