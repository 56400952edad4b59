"""People at their desks: printing."""

import socket

from ..plan import HOSTS
from ..work import Work, life, server

_RAW_PORT = 9100


@server("printing", "printer")
def printing(w: Work) -> None:
    """The printer's IPP service."""
    spool = w.dir / "spool"
    spool.mkdir(exist_ok=True)
    w.serve("ippeveprinter", "-p", "631", "-r", "off", "-n", w.host.fqdn, "-d", spool, "-f", "application/pdf,text/plain,image/jpeg",
            "-s", "60", "Lab Printer")


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
            w.run("ipptool", "-q", "-T", "20", "-f", page, f"ipp://{printer.fqdn}:631/ipp/print", "print-job.test")
        else:
            w.run("nc", "-N", "-w", "10", printer.fqdn, _RAW_PORT, input=b"\x1b%-12345X@PJL JOB\n" + page.read_bytes())
