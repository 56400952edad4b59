"""What every network has: names, leases, time, logs and monitoring."""

import socket
import time

from ..plan import ADVERSARY_DOMAINS, DOMAIN, HOSTS, SITES, SUBNETS, adversary, machine, site, site6
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
    for _ in w.every(600):
        for host in HOSTS.values():
            if host.subnet is SUBNETS["servers"] and host.name != "infra":
                w.run("ping", "-n", "-c", "1", "-W", "1", host.v4)


def _chronyd(w: Work, *lines: str) -> None:
    """chronyd that leaves the machine's clock alone (-x)."""
    w.serve("chronyd", "-d", "-x", "-u", w.account, "cmdport 0", "bindcmdaddress /", f"pidfile {w.dir}/chronyd.pid", *lines)


@server("public time", "internet")
def public_time(w: Work) -> None:
    _chronyd(w, "local stratum 2", "allow all")


@server("time server", "infra")
def time_server(w: Work) -> None:
    """The hospital's clock, itself set by one outside."""
    _chronyd(w, "server time.example iburst minpoll 6 maxpoll 7", "local stratum 5", "allow all")


_OWN_CLOCKS = ("patient monitor", "telephone", "visitor", HOSTS["infra"].role)


@life("time", *(host for host in HOSTS.values() if host.inside and not host.absent and host.role not in _OWN_CLOCKS))
def keep_time(w: Work) -> None:
    """Everybody's clock follows the hospital's: some ask by IPv6, devices only by IPv4."""
    address = HOSTS["infra"].v6 if w.rng.random() < 0.3 else HOSTS["infra"].v4
    _chronyd(w, f"server {address} iburst minpoll 7 maxpoll 7", "port 0")


@server("log server", "infra")
def log_server(w: Work) -> None:
    """rsyslogd for everybody's messages, over UDP and TCP."""
    settings = w.dir / "rsyslog.conf"
    settings.write_text(f'module(load="imudp")\\ninput(type="imudp" port="514")\\nmodule(load="imtcp")\\n'
                        f'input(type="imtcp" port="514")\\n*.* {w.dir}/messages\\n'.replace("\\n", "\n"))
    w.serve("rsyslogd", "-n", "-f", settings, "-i", w.dir / "rsyslogd.pid")


_MESSAGES = ("CRON[{}]: (root) CMD (run-parts /etc/cron.hourly)", "systemd[1]: Started session {}.", "kernel: eth0: link is up",
             "sshd[{}]: Accepted publickey for root", "smartd[{}]: Device: /dev/sda, temperature 31", "app[{}]: request served",
             "app[{}]: cache refreshed")


@life("system log", "pacs", "his", "db", "files", "mail", "backup", "voice", "pumps", "ct", "mr", "printer", "router")
def system_log(w: Work) -> None:
    """Servers and devices report to the log server from one lasting port."""
    target = HOSTS["infra"].v4
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        for _ in w.every(w.rng.uniform(300, 900), 0.5):
            for _ in range(w.rng.choice((1, 1, 1, 2, 4))):
                text = w.rng.choice(_MESSAGES).format(w.rng.randrange(300, 30000))
                stamp = time.strftime("%b %e %H:%M:%S")
                w.attempt(out.sendto, f"<{w.rng.choice((30, 38, 78, 86))}>{stamp} {w.host.name} {text}".encode(), (target, 514))


@life("audit log", "his", "pacs")
def audit_log(w: Work) -> None:
    """Audit messages that must not be lost go over TCP."""
    for _ in w.every(1800, 0.3):
        w.run("logger", "-n", HOSTS["infra"].v4, "-T", "-P", "514", "-t", "audit", "-p", "authpriv.info", "--rfc5424",
              f"user=TEST-USER-{w.rng.randint(1, 40)} object=TEST-PATIENT-{w.rng.randint(1, 900)} action=read")


_MANAGED = ("router", "files", "pacs", "his", "printer")


@server("management agent", *_MANAGED)
def management_agent(w: Work) -> None:
    """snmpd with the community that is everybody's."""
    settings = w.dir / "snmpd.conf"
    settings.write_text(f"rocommunity public\nrocommunity6 public\nsysName {w.host.name}\nsysLocation Lab\n")
    w.serve("snmpd", "-f", "-Lo", "-C", "-c", settings, "-p", w.dir / "snmpd.pid", "udp:161,udp6:161",
            env={"SNMP_PERSISTENT_DIR": str(w.dir / "snmp"), "MIBS": ""})


@life("management", "infra")
def management(w: Work) -> None:
    """Monitoring reads counters of servers and devices, and now and then whole tables."""
    common = ("-v2c", "-c", "public", "-On", "-t", "3")
    counters = [f".1.3.6.1.2.1.2.2.1.{column}.2" for column in (8, 10, 16)] + [".1.3.6.1.2.1.1.3.0", ".1.3.6.1.2.1.1.5.0"]
    for turn in w.every(600):
        for name in _MANAGED:
            w.run("snmpget", *common, machine(name).v4, *counters, env={"MIBS": ""})
            if turn % 8 == 3:
                w.run("snmpbulkwalk", *common, machine(name).v4, ".1.3.6.1.2.1.2.2", env={"MIBS": ""})
