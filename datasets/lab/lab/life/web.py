"""The web: sites outside, and those who visit them: people, and machines that look for updates."""

import random

from ..plan import SITES, machine, site, site6
from ..work import Work, life, server
from .clinical import away
from .credentials import AUTHORITY, certificate

_ROOT = "/srv/web"
# No web servers: names, time, mail, the other hospital's archive; and a site that does not answer any more.
GONE = "gone.example"
_OTHERS = ("resolver.example", "time.example", "mx.example", "clinic-b.example", GONE)
_MACHINES = ("updates.medical.example", "packages.example", "antivirus.example", "cloud.example", "status.example")
_READ = [name for name in SITES if name not in (*_OTHERS, *_MACHINES, "cdn.example", "video.example", "search.example")]
_PAGES = 6
_FIRMWARE_BYTES = 4_000_000
_SEGMENT_BYTES = 60_000
_AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:115.0) Gecko/20100101 Firefox/115.0"

_NGINX = """daemon off;
user root;
worker_processes 1;
pid {own}/nginx.pid;
error_log {own}/error.log crit;
events {{ worker_connections 512; }}
http {{
    types {{ text/html html; text/css css; application/javascript js; image/jpeg jpg; application/json json; video/mp4 mp4; }}
    default_type application/octet-stream;
    access_log off;
    server_tokens off;
    client_body_temp_path {own}/body;
    fastcgi_temp_path {own}/fastcgi;
    uwsgi_temp_path {own}/uwsgi;
    scgi_temp_path {own}/scgi;
    proxy_temp_path {own}/proxy;
    gzip on;
    gzip_types text/css application/javascript;
{servers}
}}
"""
_SWALLOW = f"""
table inet gone {{
    chain arriving {{
        type filter hook input priority 0; policy accept;
        ip daddr {site(GONE)} drop
        ip6 daddr {site6(GONE)} drop
    }}
}}
"""
_API = """location /api/ { default_type application/json; return 200 '{"status":"ok","next":3600}'; }"""


def _server_block(name: str) -> str:
    own, key = certificate(name, f"www.{name}")
    addresses = site(name), f"[{site6(name)}]"
    # Packages come without TLS, as distributions do it; elsewhere port 80 only leads to 443.
    plain = f"root {_ROOT}/{name}; {_API}" if name == "packages.example" else "return 301 https://$host$request_uri;"
    return "\n".join((
        f"    server {{ {' '.join(f'listen {address}:80;' for address in addresses)} server_name {name}; {plain} }}",
        f"    server {{ {' '.join(f'listen {address}:443 ssl http2;' for address in addresses)} server_name {name};",
        f"        root {_ROOT}/{name}; ssl_certificate {own}; ssl_certificate_key {key}; {_API} }}",
    ))


@server("web sites", "internet")
def web_sites(w: Work) -> None:
    """nginx with all sites, each on its own addresses; one address swallows all that it gets."""
    w.run("nft", "-f", "-", input=_SWALLOW)
    names = [name for name in SITES if name not in _OTHERS]
    for name in names:
        w.run("mkdir", "-p", f"{_ROOT}/{name}")
        _fill(name)
    settings = w.dir / "nginx.conf"
    settings.write_text(_NGINX.format(own=w.dir, servers="\n".join(_server_block(name) for name in names)))
    w.serve("nginx", "-c", settings)


def _objects(name: str, page: int) -> dict[str, int]:
    """What belongs to a page of a site, and sizes in bytes; the same in every run, so that visitors know it too."""
    rng = random.Random(f"{name}/{page}")
    sizes = {f"page-{page}.html": rng.randint(2000, 14_000)}
    for place in range(rng.randint(1, 4)):
        sizes[f"{page}-{place}.{rng.choice(('css', 'js', 'jpg', 'jpg'))}"] = int(min(25_000, rng.lognormvariate(8.2, 0.8)))
    return sizes


def _fill(name: str) -> None:
    rng = random.Random(name)
    sizes = {}
    for page in range(_PAGES):
        sizes.update(_objects(name, page))
    sizes["index.html"] = 3000
    if name == "updates.medical.example":
        sizes["firmware.bin"] = _FIRMWARE_BYTES
    if name == "video.example":
        sizes.update({f"segment-{place}.mp4": _SEGMENT_BYTES for place in range(20)})
    if name == "packages.example":
        sizes.update({"InRelease": 9000, **{f"package-{place}.deb": rng.randint(8000, 60_000) for place in range(40)}})
    if name == "antivirus.example":
        sizes["signatures.bin"] = 40_000
    for path, size in sizes.items():
        with open(f"{_ROOT}/{name}/{path}", "wb") as out:
            out.write(rng.randbytes(size))


def curl(*argv: str, wait: int = 20) -> list[str]:
    return ["curl", "-sS", "-m", str(wait), "--cacert", str(AUTHORITY), *argv]


def _visit(w: Work, name: str, page: int, habits: list[str]) -> None:
    """One page with all that belongs to it, over one connection per site as browsers do."""
    paths = list(_objects(name, page))
    if w.rng.random() < 0.15:
        # An old link: without TLS, redirected.
        w.run(*curl("-L", "-A", _AGENT, *habits, f"http://{name}/{paths[0]}"))
    elsewhere = [f"https://cdn.example/{path}" for path in _objects("cdn.example", page)] if w.rng.random() < 0.3 else []
    w.run(*curl("-Z", "-A", _AGENT, *habits, *(f"https://{name}/{path}" for path in paths), *elsewhere))


def browse(w: Work) -> None:
    """A visit to one or two sites, some pages each, sometimes found by a search."""
    habits = ["-4"] if w.rng.random() < 0.6 else []
    if w.rng.random() < 0.2:
        habits.append("--http1.1")
    if w.rng.random() < 0.3:
        w.run(*curl("-A", _AGENT, *habits, f"https://search.example/api/find?q={w.rng.randrange(1 << 40):x}"))
    for name in w.rng.sample(_READ, w.rng.choice((1, 1, 2))):
        for _ in range(w.rng.choice((1, 1, 2, 3))):
            _visit(w, name, w.rng.randrange(_PAGES), habits)
            if not w.pause(w.rng.uniform(1, 8)):
                return


@life("web browsing", "nurse-1", "nurse-2", "office-1", "office-2", "office-3", "admin-1", "reading-1")
def web_browsing(w: Work) -> None:
    for _ in w.people(4000):
        browse(w)


@life("visitor", "guest-1", "guest-2")
def visitor(w: Work) -> None:
    """Visitors read, and now and then look at a film in segments."""
    for _ in w.people(3400):
        browse(w)
        if w.rng.random() < 0.1:
            for place in range(w.rng.randint(3, 7)):
                w.run(*curl("-A", _AGENT, f"https://video.example/segment-{place}.mp4"))
                if not w.pause(2):
                    return


@life("software updates", "nurse-1", "office-1", "office-3", "reading-2", "infra", "files", "mail", "his")
def software_updates(w: Work) -> None:
    """Package lists some times a day, and the packages that are new."""
    for _ in w.every(9600, 0.2):
        w.run(*curl("-A", "Debian APT-HTTP/1.3 (2.6.1)", "http://packages.example/InRelease"))
        new = [f"http://packages.example/package-{w.rng.randrange(40)}.deb" for _ in range(w.rng.choice((0, 0, 1, 2, 4)))]
        if new:
            w.run(*curl("-A", "Debian APT-HTTP/1.3 (2.6.1)", *new))


@life("virus signatures", "nurse-1", "nurse-2", "office-1", "office-2", "office-3", "admin-1")
def virus_signatures(w: Work) -> None:
    """A protection agent reports, and fetches signatures when there are new ones."""
    for turn in w.every(4800, 0.1):
        agent = ("--tls-max", "1.2", "-A", "agent/7")
        w.run(*curl(*agent, "-d", f'{{"host":"{w.host.name}","found":0}}', "https://antivirus.example/api/report"))
        if turn % 4 == 1:
            w.run(*curl(*agent, "https://antivirus.example/signatures.bin"))


@life("cloud calls", "office-1", "office-2", "admin-1", "printer", "voice", "pumps")
def cloud_calls(w: Work) -> None:
    """Programs and devices that call their maker's cloud."""
    for _ in w.every(3600, 0.3):
        if away(w):
            continue
        body = '{"readings":[' + ",".join(str(w.rng.randrange(1000)) for _ in range(w.rng.randint(5, 200))) + "]}"
        w.run(*curl("-A", f"{w.host.role}/2", "-d", body, "https://cloud.example/api/v2/readings"))


@life("dead link", "office-3", "nurse-2")
def dead_link(w: Work) -> None:
    """Links that lead nowhere: a site that does not answer, a name that is gone, a server that is no longer there."""
    for _ in w.people(6000):
        where = w.rng.choice((f"https://{GONE}/", "http://moved.example/", "http://his.hospital.example:81/old",
                              f"http://{machine('files').subnet.v4}.99/"))
        w.run(*curl("-4", "-A", _AGENT, where, wait=8), good=(6, 7, 28))
