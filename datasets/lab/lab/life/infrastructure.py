"""What every network has: names, time, leases, logs, monitoring, backups."""

from ..plan import ADVERSARY_DOMAINS, DOMAIN, HOSTS, SUBNETS, adversary, site
from ..work import Work, life, server


@server("names", "infra")
def names(w: Work) -> None:
    """The hospital's resolver: its own names, and everybody else's from outside."""
    records = [f"--host-record={host.fqdn},{host.name},{host.v4},{host.v6}" for host in HOSTS.values() if host.inside]
    # Like a resolver that asks the servers of a domain itself.
    records += [f"--server=/{domain}/{adversary(domain)}" for domain in ADVERSARY_DOMAINS]
    w.serve("dnsmasq", "--keep-in-foreground", "--user=root", "--conf-file=/dev/null", "--no-hosts", "--no-resolv", "--pid-file=",
            f"--domain={DOMAIN}", f"--server={site('resolver.example')}", *records)


@life("pings", "infra")
def pings(w: Work) -> None:
    """Monitoring asks every server whether it is there."""
    for _ in w.every(300):
        for host in HOSTS.values():
            if host.subnet is SUBNETS["servers"] and host.name != "infra":
                w.run("ping", "-n", "-c", "1", "-W", "1", host.v4)
