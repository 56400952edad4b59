"""What every network has: names, leases, time, logs and monitoring."""

from ..plan import ADVERSARY_DOMAINS, DOMAIN, HOSTS, SITES, SUBNETS, adversary, site, site6
from ..work import Work, life, server

# Leases are renewed at half of their time, which dnsmasq lets be two real minutes at least.
_LEASE = "4m"
_ASKING = [host for host in HOSTS.values() if host.dhcp]


def _dnsmasq(w: Work, *options: str) -> None:
    """Runs dnsmasq without settings of the box. An empty group means that it keeps its own, by which the ledger knows it."""
    w.serve("dnsmasq", "--keep-in-foreground", "--user=root", "--group=", "--conf-file=/dev/null", "--no-hosts", "--no-resolv",
            "--pid-file=", "--log-facility=-", *options)


@server("names", "infra")
def names(w: Work) -> None:
    """The hospital's resolver: its own names, and everybody else's from outside."""
    records = [f"--host-record={host.fqdn},{host.name},{host.v4},{host.v6}" for host in HOSTS.values() if host.inside]
    # Like a resolver that asks the servers of a domain itself.
    records += [f"--server=/{domain}/{adversary(domain)}" for domain in ADVERSARY_DOMAINS]
    _dnsmasq(w, f"--domain={DOMAIN}", f"--local=/{DOMAIN}/", "--bogus-priv", "--local-ttl=60", "--cache-size=1000",
             f"--server={site('resolver.example')}", f"--server={site6('resolver.example')}", *records)


@server("public names", "internet")
def public_names(w: Work) -> None:
    """The provider's resolver, which knows all sites; any other name does not exist."""
    records = [f"--host-record={name},{site(name)},{site6(name)}" for name in SITES]
    records += [f"--host-record=www.{name},{site(name)},{site6(name)}" for name in SITES]
    _dnsmasq(w, "--local-ttl=60", "--address=/#/", *records)


@server("leases", "router")
def leases(w: Work) -> None:
    """The router's DHCP server: a fixed address for each known interface."""
    options = []
    for name in ("workstations", "guest"):
        subnet = SUBNETS[name]
        options += [f"--interface={name}", f"--dhcp-range=set:{name},{subnet.v4}.200,{subnet.v4}.230,255.255.255.0,{_LEASE}",
                    f"--dhcp-option=tag:{name},option:router,{subnet.v4}.1"]
    options += [f"--dhcp-host={host.mac},{host.v4},{host.name},{_LEASE}" for host in _ASKING]
    _dnsmasq(w, "--port=0", "--bind-interfaces", "--dhcp-authoritative", "--no-ping", f"--dhcp-leasefile={w.dir}/leases",
             f"--dhcp-option=option:dns-server,{HOSTS['infra'].v4}", f"--domain={DOMAIN}", *options)


_TAKE_LEASE = """#!/bin/sh
case $1 in
bound | renew)
    ip addr replace "$ip/24" dev "$interface"
    ip route replace default via "$router" ;;
esac
"""


@server("lease", *_ASKING)
def lease(w: Work) -> None:
    """A host asks for its address and renews it."""
    script = w.dir / "take-lease"
    script.write_text(_TAKE_LEASE)
    script.chmod(0o755)
    w.serve("udhcpc", "-f", "-i", "eth0", "-s", script, "-t", "20", "-T", "1", "-A", "2", "-x", f"hostname:{w.host.name}")


@life("pings", "infra")
def pings(w: Work) -> None:
    """Monitoring asks every server whether it is there."""
    for _ in w.every(300):
        for host in HOSTS.values():
            if host.subnet is SUBNETS["servers"] and host.name != "infra":
                w.run("ping", "-n", "-c", "1", "-W", "1", host.v4)
