"""Mail: the hospital's server, one outside, and those who write."""

import asyncio
import functools
import logging
import random
import smtplib
import ssl
from email.message import EmailMessage
from email.policy import SMTP as SMTP_FORMAT

from ..plan import DOMAIN, HOSTS
from ..work import RUN, Work, life, server
from .credentials import AUTHORITY, certificate
from .shares import ACCOUNTS, PASSWORD, document, document_name

OUTSIDE_SERVER = "mx.example"
_ATTACHMENT_BYTES = 25_000
_WRITERS = {**ACCOUNTS, "nurse2": "nurse-2", "admin1": "admin-1"}
_WORDS = ("ward", "rota", "meeting", "delivery", "report", "question", "room", "lunch", "invoice", "next week",
          "tomorrow", "please", "thanks")


def _serve(w: Work, names: tuple[str, ...], ports: dict[int, bool], deliver) -> None:
    """Runs an SMTP server on ports; true for one on which people log in under TLS. `deliver(envelope)` gets each message."""
    # Only the box has it; whoever just lists scenarios does without.
    from aiosmtpd.smtp import SMTP, AuthResult

    logging.basicConfig(filename=RUN / "log" / f"{w.host.name}.{w.activity.name}.out".replace(" ", "-"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate(*names))

    class Handler:
        async def handle_DATA(self, _server, _session, envelope):
            asyncio.get_running_loop().run_in_executor(None, deliver, envelope)
            return "250 OK: queued"

    def authenticate(_server, _session, _envelope, _mechanism, login):
        return AuthResult(success=login.login.decode() in _WRITERS and login.password == PASSWORD.encode())

    async def run() -> None:
        loop = asyncio.get_running_loop()
        for port, login in ports.items():
            session = functools.partial(SMTP, Handler(), hostname=names[0], tls_context=context, authenticator=authenticate,
                                        auth_required=login, require_starttls=login, ident="ESMTP", loop=loop)
            await loop.create_server(session, None, port)
        await asyncio.Event().wait()

    asyncio.run(run())


@server("mail server", "mail")
def mail_server(w: Work) -> None:
    """Takes mail on 25 from servers and on 587 from people, and passes on what is for outside."""

    def deliver(envelope) -> None:
        outside = [to for to in envelope.rcpt_tos if not to.endswith("@" + DOMAIN)]
        if outside and not envelope.mail_from.endswith("@" + OUTSIDE_SERVER):
            w.attempt(_send, OUTSIDE_SERVER, 25, envelope.mail_from, outside, envelope.content)

    _serve(w, (w.host.fqdn, w.host.v4), {25: False, 587: True}, deliver)


@server("public mail server", "internet")
def public_mail_server(w: Work) -> None:
    """The mail server of everybody outside."""
    _serve(w, (OUTSIDE_SERVER,), {25: False}, lambda envelope: None)


def _send(host: str, port: int, sender: str, to: list[str], content: bytes, account: str | None = None) -> None:
    """One message; with TLS where the server offers it, and with an account where people send."""
    with smtplib.SMTP(host, port, timeout=20) as session:
        session.ehlo()
        if session.has_extn("starttls"):
            session.starttls(context=ssl.create_default_context(cafile=str(AUTHORITY)))
        if account:
            session.login(account, PASSWORD)
        session.sendmail(sender, to, content)


def _message(rng: random.Random, sender: str, to: str) -> bytes:
    message = EmailMessage()
    message["From"], message["To"] = sender, to
    message["Subject"] = " ".join(rng.sample(_WORDS, 3))
    message.set_content("\n".join(" ".join(rng.choices(_WORDS, k=10)) for _ in range(rng.randint(2, 30))))
    if rng.random() < 0.3:
        name = document_name(rng)
        content = document(rng, name.rpartition(".")[2])[:_ATTACHMENT_BYTES]
        message.add_attachment(content, maintype="application", subtype="octet-stream", filename=name)
    return message.as_bytes(policy=SMTP_FORMAT)


def _somebody(rng: random.Random) -> str:
    return f"{rng.choice(list(_WRITERS))}@{DOMAIN}"


def _somebody_outside(rng: random.Random) -> str:
    return f"person{rng.randint(1, 9)}@{OUTSIDE_SERVER}"


@life("mail", *_WRITERS.values())
def write_mail(w: Work) -> None:
    """People write to each other, and now and then to somebody outside."""
    account = next(account for account, host in _WRITERS.items() if host == w.host.name)
    for _ in w.people(4000):
        to = _somebody_outside(w.rng) if w.rng.random() < 0.3 else _somebody(w.rng)
        sender = f"{account}@{DOMAIN}"
        w.attempt(_send, HOSTS["mail"].fqdn, 587, sender, [to], _message(w.rng, sender, to), account)


@life("mail from outside", "internet")
def mail_from_outside(w: Work) -> None:
    """Patients, suppliers and other hospitals write."""
    for _ in w.people(2400):
        sender, to = _somebody_outside(w.rng), _somebody(w.rng)
        w.attempt(_send, HOSTS["mail"].v4, 25, sender, [to], _message(w.rng, sender, to))


@life("notices by mail", "backup", "scanner", "printer")
def notices(w: Work) -> None:
    """Machines report to the administrator, without TLS."""
    for _ in w.every(14_000, 0.3):
        w.run("swaks", "--silent", "2", "--server", HOSTS["mail"].fqdn, "--helo", w.host.fqdn,
              "--from", f"{w.host.name}@{DOMAIN}", "--to", f"admin1@{DOMAIN}",
              "--header", f"Subject: {w.host.name} report", "--body", "All is well.")
