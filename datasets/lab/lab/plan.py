"""Who is on the network: subnets, hosts, roles and addresses. Everything else asks here."""

from dataclasses import dataclass

OUTSIDE = "outside"
ROUTER = "router"
DOMAIN = "hospital.example"


@dataclass(frozen=True)
class Subnet:
    """One segment with a switch of its own; the router has the address that ends in 1."""

    name: str
    number: int

    @property
    def v4(self) -> str:
        return "192.31.196" if self.name == OUTSIDE else f"10.60.{self.number}"

    @property
    def v6(self) -> str:
        return "2620:4f:8000:196" if self.name == OUTSIDE else f"fd60:a5c:0:{self.number}"


@dataclass(frozen=True)
class Host:
    """A machine with one interface, `eth0`."""

    name: str
    role: str
    subnet: Subnet
    number: int
    mac: str
    # More addresses of the same machine, in full (an outside machine plays several sites).
    more: tuple[str, ...] = ()
    # Not plugged in until somebody does (`Network.plug`).
    absent: bool = False
    # Asks for its address with DHCP.
    dhcp: bool = False

    @property
    def v4(self) -> str:
        return f"{self.subnet.v4}.{self.number}"

    @property
    def v6(self) -> str:
        return f"{self.subnet.v6}::{self.number:x}"

    @property
    def inside(self) -> bool:
        return self.subnet.name != OUTSIDE

    @property
    def fqdn(self) -> str:
        return f"{self.name}.{DOMAIN}"

    @property
    def addresses(self) -> tuple[str, ...]:
        return (self.v4, self.v6, *self.more)


SUBNETS = {
    name: Subnet(name, number)
    for name, number in (("clinical", 10), ("imaging", 20), ("servers", 30), ("workstations", 40), ("guest", 50), (OUTSIDE, 0))
}

# The first three bytes of an interface's address are its maker's (IEEE registry), as an inventory would expect.
_MAKERS = {
    "philips": "00:09:5c",
    "siemens": "08:00:06",
    "ge": "00:40:9f",
    "dell": "f8:bc:12",
    "hp": "3c:d9:2b",
    "vmware": "00:50:56",
    "yealink": "00:15:65",
    "raspberry": "b8:27:eb",
    "apple": "a4:83:e7",
    "moxa": "00:90:e8",
}


def _host(name, role, subnet, number, maker, **more) -> Host:
    place = SUBNETS[subnet]
    return Host(name, role, place, number, f"{_MAKERS[maker]}:{place.number:02x}:{number >> 8:02x}:{number & 255:02x}", **more)


_HOSTS = [
    *(_host(f"monitor-{i}", "patient monitor", "clinical", 10 + i, "philips") for i in range(1, 7)),
    _host("pumps", "infusion pump gateway", "clinical", 31, "moxa"),
    _host("analyser", "laboratory analyser", "clinical", 41, "siemens"),
    _host("ct", "imaging modality", "imaging", 11, "siemens"),
    _host("mr", "imaging modality", "imaging", 12, "siemens"),
    _host("us", "imaging modality", "imaging", 13, "ge"),
    _host("reading-1", "reading station", "imaging", 21, "dell"),
    _host("reading-2", "reading station", "imaging", 22, "dell"),
    _host("infra", "names, time, logs, monitoring", "servers", 2, "vmware"),
    _host("pacs", "image archive", "servers", 10, "vmware"),
    _host("his", "hospital information system", "servers", 20, "vmware"),
    _host("db", "database", "servers", 21, "vmware"),
    _host("broker", "telemetry broker", "servers", 22, "vmware"),
    _host("files", "file server", "servers", 30, "vmware"),
    _host("mail", "mail server", "servers", 31, "vmware"),
    _host("voice", "telephone exchange", "servers", 32, "vmware"),
    _host("backup", "backup server", "servers", 40, "vmware"),
    _host("scanner", "vulnerability scanner", "servers", 50, "vmware"),
    _host("nurse-1", "ward workstation", "workstations", 11, "hp"),
    _host("nurse-2", "ward workstation", "workstations", 12, "hp"),
    _host("office-1", "office workstation", "workstations", 21, "dell", dhcp=True),
    _host("office-2", "office workstation", "workstations", 22, "dell", dhcp=True),
    _host("office-3", "office workstation", "workstations", 23, "dell", dhcp=True),
    _host("admin-1", "administrator's workstation", "workstations", 31, "dell"),
    _host("printer", "printer", "workstations", 51, "hp"),
    _host("phone-1", "telephone", "workstations", 61, "yealink"),
    _host("phone-2", "telephone", "workstations", 62, "yealink"),
    _host("guest-1", "visitor", "guest", 101, "apple", dhcp=True),
    _host("guest-2", "visitor", "guest", 102, "apple", dhcp=True),
    _host("newcomer", "infusion pump gateway, new", "clinical", 32, "moxa", absent=True),
    _host("rogue", "unknown device", "workstations", 199, "raspberry", absent=True),
    # Outside: one machine plays the sites that people use, another the adversary's.
    _host("internet", "sites, updates, other hospitals", OUTSIDE, 10, "vmware",
          more=tuple(f"192.52.193.{n}" for n in range(10, 40)) + tuple(f"2620:4f:8000:193::{n:x}" for n in range(10, 40))),
    _host("adversary", "the adversary's servers", OUTSIDE, 66, "vmware",
          more=tuple(f"192.175.48.{n}" for n in range(10, 40))),
]

HOSTS: dict[str, Host] = {host.name: host for host in _HOSTS}


# The router as a place where servers run; its other addresses are those of the subnets that end in 1.
GATEWAY = Host(ROUTER, "router", SUBNETS["servers"], 1, "00:1b:54:00:1e:01")


def machine(name: str) -> Host:
    """A host or the router."""
    return GATEWAY if name == ROUTER else HOSTS[name]


# Sites outside: name to the place of its address among those of `internet`; place n has an IPv4 and an IPv6 address.
SITES: dict[str, int] = {
    name: place
    for place, name in enumerate((
        "resolver.example", "updates.medical.example", "clinic-b.example", "mx.example", "time.example", "packages.example",
        "antivirus.example", "cloud.example", "cdn.example", "news.example", "encyclopedia.example", "weather.example",
        "search.example", "journal.medicine.example", "guidelines.medicine.example", "drugs.medicine.example", "insurer.example",
        "travel.example", "shop.example", "bank.example", "social.example", "video.example", "maps.example", "recipes.example",
        "status.example", "gone.example",
    ))
}

# The adversary's domains: name to the place of its address among those of `adversary`; the same address answers for its names.
# Each attack has a domain of its own, so that what the hospital's resolver asks there on its behalf can be told.
ADVERSARY_DOMAINS: dict[str, int] = {
    name: place
    for place, name in enumerate((
        "cdn-telemetry.example",  # https-beacon
        "t.sync-health.example",  # dns-tunnel
        "relay-status.example",  # slow-connection
        "file-drop.example",  # https-exfiltration
        "q.metrics-edge.example",  # dns-exfiltration
        "backup-vault.example",  # slow-exfiltration
        "second-opinion.example",  # dicom-exfiltration
        "pool.hash-rate.example",  # cryptominer
        "update-cache.example",  # smb-movement
        "asset-inventory.example",  # ssh-movement
        "invoice-portal.example",  # mail-loader
    ))
}


def site(name: str) -> str:
    """The IPv4 address of a site outside."""
    return HOSTS["internet"].more[SITES[name]]


def site6(name: str) -> str:
    """The IPv6 address of a site outside."""
    return HOSTS["internet"].more[30 + SITES[name]]


def adversary(domain: str) -> str:
    """The address of one of the adversary's domains."""
    return HOSTS["adversary"].more[ADVERSARY_DOMAINS[domain]]


def with_role(*roles: str) -> list[Host]:
    """All hosts of these roles, in the plan's order."""
    return [host for host in _HOSTS if host.role in roles]
