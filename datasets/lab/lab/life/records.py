"""Patient records: the database, the FHIR service on top of it, those who use it, and the maker's updates of the pump gateway."""

import http.client
import http.server
import json
import re
import ssl
import subprocess
import threading
import urllib.parse
from pathlib import Path

from ..plan import HOSTS
from ..work import Work, life, server
from .clinical import PATIENTS, accept_all, away, certificate_of, join, leave, listen, patient_id, server_context, wait_until

FHIR = "application/fhir+json"
HTTP_PORT, TLS_PORT = 8080, 8443
UPDATES = "https://updates.medical.example/firmware.bin"
_DATA = Path("/var/lib/postgresql/15/main")
_TABLES = f"""
create role his login;
create database hospital owner his;
\\connect hospital his
create table patients (id int primary key, name text, born date, ward text, bed int);
create table observations
    (id serial primary key, patient int, code text, value numeric, unit text, at timestamptz default now());
create index on observations (patient);
insert into patients
    select n, 'TEST^PATIENT ' || n, date '1930-01-01' + n * 60, 'WARD', 1 + n % 6 from generate_series(0, {PATIENTS - 1}) n;
insert into observations (patient, code, value, unit)
    select n % {PATIENTS}, '8867-4', 60 + n % 40, '/min' from generate_series(1, 6000) n;
"""


@server("database", "db")
def database(w: Work) -> None:
    """PostgreSQL; it refuses to be root, but keeps the group by which it is known."""
    (w.dir / "hba.conf").write_text("local all all trust\nhost all all 0.0.0.0/0 trust\nhost all all ::/0 trust\n")
    threading.Thread(target=_fill, args=(w,), daemon=True).start()
    settings = {"listen_addresses": "*", "unix_socket_directories": "/tmp", "hba_file": w.dir / "hba.conf", "fsync": "off",
                "ssl": "off", "external_pid_file": "/tmp/postgres.pid", "config_file": "/etc/postgresql/15/main/postgresql.conf"}
    w.serve("setpriv", "--reuid=postgres", f"--regid={w.group}", "--clear-groups",
            "/usr/lib/postgresql/15/bin/postgres", "-D", _DATA,
            *(word for name, value in settings.items() for word in ("-c", f"{name}={value}")))


def _fill(w: Work) -> None:
    while subprocess.run(["pg_isready", "-q", "-h", "/tmp", "-U", "postgres"]).returncode != 0:
        w.pause(0.2)
    w.run("psql", "-qX", "-h", "/tmp", "-U", "postgres", input=_TABLES)


class Database:
    """One lasting connection to the database: psql that is told one query a line and answers with one line."""

    def __init__(self, w: Work):
        self._w, self._turn = w, threading.Lock()
        self._psql: subprocess.Popen | None = None

    def ask(self, query: str) -> str:
        with self._turn:
            if self._psql is None or self._psql.poll() is not None:
                self._psql = self._w.start(*_psql(), "-v", "VERBOSITY=terse", stdin=subprocess.PIPE,
                                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            self._psql.stdin.write(query.replace("\n", " ") + ";\n")
            self._psql.stdin.flush()
            line = self._psql.stdout.readline().rstrip("\n")
        if not line or line.startswith(("ERROR", "FATAL", "psql:")):
            raise OSError(f"{query}: {line}")
        return line

    def rows(self, query: str) -> list[dict]:
        return json.loads(self.ask(f"select coalesce(jsonb_agg(r), '[]') from ({query}) r"))

    def add_observations(self, patient: int, results: list[tuple[str, float, str]]) -> int:
        """Adds (code, value, unit) of a patient; gives the number of the last."""
        values = ", ".join(f"({patient}, {_quoted(code)}, {value}, {_quoted(unit)})" for code, value, unit in results)
        added = f"with added as (insert into observations (patient, code, value, unit) values {values} returning id)"
        return int(self.ask(f"{added} select max(id) from added"))


def _psql() -> list[str]:
    return ["psql", "-qAtX", f"host={HOSTS['db'].v4} dbname=hospital user=his sslmode=disable gssencmode=disable "
            "connect_timeout=5 keepalives_idle=120"]


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _patient(row: dict) -> dict:
    family, _, given = row["name"].partition("^")
    return {"resourceType": "Patient", "id": str(row["id"]),
            "identifier": [{"system": "urn:hospital.example", "value": patient_id(row["id"])}],
            "name": [{"family": family, "given": [given]}], "birthDate": row["born"]}


def _observation(row: dict) -> dict:
    own = {"id": str(row["id"]), "effectiveDateTime": row["at"]}
    return _reading(row["patient"], row["code"], row["value"], row["unit"]) | own


def _reading(patient: int, code: str, value: float, unit: str) -> dict:
    return {"resourceType": "Observation", "status": "final", "subject": {"reference": f"Patient/{patient}"},
            "code": {"coding": [{"system": "http://loinc.org", "code": code}]}, "valueQuantity": {"value": value, "unit": unit}}


def _bundle(resources: list[dict]) -> dict:
    return {"resourceType": "Bundle", "type": "searchset", "total": len(resources),
            "entry": [{"resource": each} for each in resources]}


class Fhir(http.server.BaseHTTPRequestHandler):
    """The little of FHIR R4 that the hospital's programs ask for."""

    protocol_version = "HTTP/1.1"
    server_version = "records/1"
    wbufsize = -1
    timeout = 30
    database: Database

    def do_GET(self) -> None:
        url = urllib.parse.urlsplit(self.path)
        wanted = {name: values[0] for name, values in urllib.parse.parse_qs(url.query).items()}
        path = url.path.removeprefix("/fhir/")
        if path == "metadata":
            self._answer(200, {"resourceType": "CapabilityStatement", "status": "active", "fhirVersion": "4.0.1",
                               "format": [FHIR]})
        elif match := re.fullmatch(r"Patient/(\d{1,6})", path):
            found = self.database.rows(f"select * from patients where id = {match[1]}")
            self._answer(200, _patient(found[0])) if found else self._answer(404, _outcome("not-found"))
        elif path == "Patient":
            bed = _number(wanted.get("location"))
            found = self.database.rows(f"select * from patients where bed = {bed} order by id limit 8")
            self._answer(200, _bundle([_patient(row) for row in found]))
        elif path == "Observation":
            patient = _number(wanted.get("patient"))
            found = self.database.rows(f"select * from observations where patient = {patient} order by id desc limit 10")
            self._answer(200, _bundle([_observation(row) for row in found]))
        else:
            self._answer(404, _outcome("not-found"))

    def do_POST(self) -> None:
        body = self.rfile.read(min(int(self.headers.get("Content-Length") or 0), 1 << 16))
        try:
            resource = json.loads(body)
            if resource["resourceType"] == "Observation":
                patient = int(resource["subject"]["reference"].removeprefix("Patient/"))
                value = resource["valueQuantity"]
                code = resource["code"]["coding"][0]["code"]
                resource["id"] = str(self.database.add_observations(patient, [(code, float(value["value"]), value["unit"])]))
        except (ValueError, KeyError, TypeError, IndexError):
            return self._answer(400, _outcome("invalid"))
        self._answer(201, resource)

    def _answer(self, status: int, resource: dict) -> None:
        body = json.dumps(resource).encode()
        self.send_response(status)
        self.send_header("Content-Type", FHIR)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_) -> None:
        pass


def _number(text: str | None) -> int:
    """A number of up to six digits; 0 for anything else."""
    return int(text) if re.fullmatch(r"[0-9]{1,6}", text or "") else 0


def _outcome(code: str) -> dict:
    return {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": code}]}


@server("fhir service", "his")
def records(w: Work) -> None:
    """The FHIR service over HTTP and TLS; each answer comes from the database."""
    handler = type("Handler", (Fhir,), {"database": Database(w)})
    context = server_context(w)

    def plain(connection) -> None:
        handler(connection, connection.getpeername(), None)

    def encrypted(connection) -> None:
        with context.wrap_socket(connection, server_side=True) as line:
            plain(line)

    threading.Thread(target=accept_all, args=(listen(HTTP_PORT), plain), daemon=True).start()
    accept_all(listen(TLS_PORT), encrypted)


@life("record look-up", "nurse-1", "nurse-2", "office-1", "office-2", "office-3")
def look_up_records(w: Work) -> None:
    """Somebody looks for patients and what was observed, and at the ward writes something down."""
    nurse = w.host.role == "ward workstation"
    base = f"https://his.hospital.example:{TLS_PORT}/fhir" if nurse else f"http://his.hospital.example:{HTTP_PORT}/fhir"
    curl = ["curl", "-sS", "--max-time", "20", "--cacert", certificate_of("his"), "-A", "Mozilla/5.0", "-H", f"Accept: {FHIR}"]
    for _ in w.people(520 if nurse else 900):
        patient = w.rng.randrange(PATIENTS)
        w.run(*curl, f"{base}/Patient?location={w.rng.randint(1, 6)}", f"{base}/Patient/{patient}",
              f"{base}/Observation?patient={patient}")
        if nurse and w.rng.random() < 0.4 and w.pause(w.rng.uniform(3, 12)):
            w.run(*curl, "-H", f"Content-Type: {FHIR}", "-d", "@-", f"{base}/Observation",
                  input=json.dumps(_reading(patient, "8310-5", round(w.rng.uniform(36.2, 39.1), 1), "Cel")))


@life("pump records", "pumps", "newcomer")
def pump_records(w: Work) -> None:
    """A gateway makes itself known, then reports what its pumps gave and asks for patients."""
    join(w)
    context = ssl.create_default_context(cafile=str(certificate_of("his")))
    w.attempt(_tell, context, "POST", "/fhir/Device", {"resourceType": "Device", "deviceName": [{"name": w.host.name}]})
    for turn in w.every(560, 0.1):
        if away(w):
            continue
        patient = w.rng.randrange(PATIENTS)
        if turn % 4 == 3:
            w.attempt(_tell, context, "GET", f"/fhir/Patient/{patient}")
        else:
            given = _reading(patient, "30992-0", round(w.rng.uniform(1, 60), 1), "mL")
            w.attempt(_tell, context, "POST", "/fhir/Observation", given)


def _tell(context: ssl.SSLContext, method: str, path: str, resource: dict | None = None) -> None:
    line = http.client.HTTPSConnection(HOSTS["his"].fqdn, TLS_PORT, timeout=15, context=context)
    try:
        line.request(method, path, json.dumps(resource) if resource else None, {"Content-Type": FHIR, "Accept": FHIR})
        line.getresponse().read()
    finally:
        line.close()


@life("firmware update", "pumps")
def firmware_update(w: Work) -> None:
    """Once, the gateway loads new firmware from its maker's site, and restarts: silence for a minute."""
    if not wait_until(w, 0.3):
        return
    # It takes any certificate, as such devices do, and its line is slow. A site that cannot be reached is no failure: the gateway
    # would try another day.
    loaded = w.run("curl", "-sSk", "--fail", "--connect-timeout", "10", "--max-time", "120", "--limit-rate", "400k",
                   "-A", "gateway-updater/2.1", "-o", w.dir / "firmware.bin", UPDATES, timeout=130, good=range(256))
    if loaded.returncode != 0:
        return w.log(f"no update: {loaded.stderr.decode(errors='replace')}")
    # First its activities end, then its link is down.
    leave(w, 85)
    w.pause(20)
    w.network.plug(w.host, False)
    w.pause(60)
    w.network.plug(w.host)


@life("reports", "his")
def reports(w: Work) -> None:
    """Figures of the day every hour in a session of their own; at night a report that reads everything."""
    for _ in w.every(3600):
        w.run(*_psql(), "-c", "select ward, bed, count(*) from patients group by 1, 2 order by 1, 2",
              "-c", "select code, count(*), avg(value) from observations group by 1")
        if 1 <= w.clock.hour_now() < 5:
            w.run(*_psql(), "-c", "select name, o.* from observations o join patients p on p.id = o.patient limit 4000")
