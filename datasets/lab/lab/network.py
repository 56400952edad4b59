"""The wires: one bridge per subnet, a namespace per host, a router between, and a SPAN port.

The namespace that the lab starts in is the switch. What every access port receives from its host is mirrored to `span0`, and
what the router's uplink brings from outside; so each packet is mirrored once, where it enters the network, with its sender's
own address on it. From the router's inner ports only what the router itself says is mirrored.
"""

import os
import signal
import subprocess
from pathlib import Path

from . import plan

MONITOR = "monitor"
TAP = "mon0"
_SPAN = "span0"
_BRIDGE = "br-{}"


def sh(command: str) -> None:
    """Runs a shell command line that has to succeed."""
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{command}: {done.stderr.strip() or done.stdout.strip()}")


def _batch(lines: list[str], namespace: str | None = None) -> None:
    """Runs many `ip` commands in one process."""
    argv = ["ip", *(["-n", namespace] if namespace else []), "-batch", "-"]
    done = subprocess.run(argv, input="\n".join(lines) + "\n", capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"ip in {namespace or 'the switch'}: {done.stderr.strip()}")


def port_of(host: plan.Host) -> str:
    """The name of the switch's port to a host."""
    return f"p-{host.name}"


class Network:
    """The lab's network; lives as long as the namespace that it was built in."""

    def __init__(self):
        self._switch = os.open("/proc/self/ns/net", os.O_RDONLY)

    def build(self) -> None:
        # What the kernel does by itself on the switch would be heard as a station that is nowhere.
        for scope in ("all", "default"):
            Path(f"/proc/sys/net/ipv6/conf/{scope}/disable_ipv6").write_text("1")
        sh("ip link set lo up")
        for name in (MONITOR, plan.ROUTER, *plan.HOSTS):
            sh(f"ip netns add {name}")
        _batch([f"link add {_SPAN} mtu 9000 type veth peer name {TAP} mtu 9000 netns {MONITOR}", f"link set {_SPAN} up"])
        sh(f"ip netns exec {MONITOR} sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.{TAP}.disable_ipv6=1")
        _batch(["link set lo up", f"link set {TAP} up promisc on"], MONITOR)
        for subnet in plan.SUBNETS.values():
            self._segment(subnet)
        for host in plan.HOSTS.values():
            self._attach(host)
        sh(f"ip netns exec {plan.ROUTER} sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1")

    def _segment(self, subnet: plan.Subnet) -> None:
        bridge, port, inner = _BRIDGE.format(subnet.name)[:15], f"r-{subnet.name}"[:15], subnet.name[:15]
        mac = f"00:1b:54:00:{subnet.number:02x}:01"
        _batch([
            f"link add {bridge} type bridge mcast_snooping 0 stp_state 0",
            f"link set {bridge} up",
            f"link add {port} type veth peer name {inner} netns {plan.ROUTER}",
            f"link set {port} master {bridge}",
            f"link set {port} up",
        ])
        _batch([
            "link set lo up",
            f"link set {inner} address {mac}",
            f"addr add {subnet.v4}.1/24 dev {inner}",
            f"addr add {subnet.v6}::1/64 dev {inner} nodad",
            f"link set {inner} up",
        ], plan.ROUTER)
        if subnet.name == plan.OUTSIDE:
            # The outside machines' further addresses lie behind their first ones.
            for host in plan.HOSTS.values():
                if not host.inside:
                    _batch([f"route add {address} via {host.v6 if ':' in address else host.v4}" for address in host.more], plan.ROUTER)
        self._plain_frames(port)
        self._plain_frames(inner, plan.ROUTER)
        sh(f"tc qdisc add dev {port} clsact")
        if subnet.name == plan.OUTSIDE:
            self._mirror(port, "egress", "protocol all u32 match u32 0 0")
        # The link-local address that the kernel makes from the router's hardware address.
        link_local = f"fe80::21b:54ff:fe00:{subnet.number:02x}01"
        for place, what in enumerate((
            "protocol arp u32 match u32 0 0",
            f"protocol ip u32 match ip src {subnet.v4}.1/32",
            f"protocol ipv6 u32 match ip6 src {subnet.v6}::1/128",
            f"protocol ipv6 u32 match ip6 src {link_local}/128",
        )):
            self._mirror(port, "ingress", what, place + 1)

    def _attach(self, host: plan.Host) -> None:
        name, port = host.name, port_of(host)
        _batch([
            f"link add {port} type veth peer name eth0 netns {name}",
            f"link set {port} master {_BRIDGE.format(host.subnet.name)[:15]}",
            f"link set {port} {'down' if host.absent else 'up'}",
        ])
        gateway = host.subnet
        lines = ["link set lo up", f"link set eth0 address {host.mac}", "link set eth0 up"]
        # A host that asks for its address still gets the planned one: the lease is fixed. Until then it has none.
        if not host.dhcp:
            lines += [f"addr add {host.v4}/24 dev eth0", f"route add default via {gateway.v4}.1"]
        lines += [f"addr add {host.v6}/64 dev eth0 nodad", f"route add default via {gateway.v6}::1"]
        for address in host.more:
            lines.append(f"addr add {address}/{128 if ':' in address else 32} dev eth0{' nodad' if ':' in address else ''}")
        _batch(lines, name)
        # A host that takes no part in routing, and does not leak what its programs send to itself.
        sh(f"ip netns exec {name} sysctl -qw net.ipv4.ip_unprivileged_port_start=0 net.ipv4.ping_group_range='0 2147483647' "
           "net.ipv6.conf.all.accept_ra=0 net.ipv6.conf.eth0.accept_ra=0 net.ipv4.conf.all.send_redirects=0")
        self._plain_frames(port)
        self._plain_frames("eth0", name)
        sh(f"tc qdisc add dev {port} clsact")
        if host.inside:
            self._mirror(port, "ingress", "protocol all u32 match u32 0 0")

    def _mirror(self, port: str, side: str, what: str, place: int = 1) -> None:
        sh(f"tc filter add dev {port} {side} prio {place} {what} action mirred egress mirror dev {_SPAN}")

    def _plain_frames(self, device: str, namespace: str | None = None) -> None:
        """Frames as a wire carries them: no segments above the MTU, checksums filled in."""
        enter = f"ip netns exec {namespace} " if namespace else ""
        sh(f"{enter}ethtool -K {device} tso off gso off gro off tx off rx off sg off >/dev/null")

    def plug(self, host: plan.Host, plugged: bool = True) -> None:
        """Plugs a host's cable in, or pulls it; from any process of the lab."""
        with open(f"/proc/self/fd/{self._switch}") as switch:
            command = f"ip link set {port_of(host)} {'up' if plugged else 'down'}"
            done = subprocess.run(["nsenter", f"--net=/proc/self/fd/{switch.fileno()}", *command.split()],
                                  pass_fds=[switch.fileno()], capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"{command}: {done.stderr.strip()}")


class Tap:
    """The recorder on the SPAN port: tcpdump, whose own count of drops goes into the manifest."""

    def __init__(self, path: str):
        self._process = subprocess.Popen(
            ["ip", "netns", "exec", MONITOR, "tcpdump", "-i", TAP, "-n", "-s", "0", "-B", "262144", "-Z", "root", "-w", path],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True)

    def stop(self) -> dict[str, int]:
        """Ends the recording; how many packets were captured and lost."""
        self._process.send_signal(signal.SIGINT)
        _, said = self._process.communicate(timeout=60)
        counts = {}
        for line in said.splitlines():
            number, _, what = line.partition(" ")
            if number.isdigit():
                counts[what.replace("packets ", "").replace("packet ", "")] = int(number)
        return counts
