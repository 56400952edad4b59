"""Remote administration with SSH."""

from ..plan import HOSTS
from ..work import Work, life, server
from .credentials import SSH_KEY, add_account, ssh_host_key

SERVERS = ("infra", "files", "backup", "his", "db", "admin-1", "pacs", "office-2")
SERVICE_ACCOUNT, SERVICE_PASSWORD = "svc", "changeme1"
OPTIONS = ("-q", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "ConnectTimeout=10")
_LOOKS = ("uptime", "df -h", "free -m", "ps aux", "ip addr", "cat /proc/loadavg", "ls -l /var/log", "dmesg | tail -n 20",
          "ss -tln", "cat /etc/os-release", "last -n 5", "id")


@server("ssh server", *SERVERS)
def ssh_server(w: Work) -> None:
    """sshd: root with the lab's key, the service account with its password."""
    key = ssh_host_key()
    add_account(SERVICE_ACCOUNT, 2000, SERVICE_PASSWORD)
    w.run("mkdir", "-p", "/run/sshd")
    options = ("UsePAM=no", "UseDNS=no", "PermitRootLogin=prohibit-password", "PasswordAuthentication=yes", "PrintMotd=no",
               "MaxStartups=50", "PidFile=none", "AuthorizedKeysFile=/root/.ssh/authorized_keys", "Subsystem=sftp internal-sftp")
    w.serve("/usr/sbin/sshd", "-D", "-e", "-f", "/dev/null", "-h", key, *(word for each in options for word in ("-o", each)))


def ssh(host: str, *command: str) -> list[str]:
    """The command line that runs a command on a host as root."""
    return ["ssh", *OPTIONS, "-i", str(SSH_KEY), "-o", "BatchMode=yes", f"root@{host}", *command]


@life("administration", "admin-1")
def administration(w: Work) -> None:
    """An administrator looks at servers, one or a few commands each."""
    for _ in w.people(1000):
        target = w.rng.choice([name for name in SERVERS if name not in ("admin-1", "office-2")])
        for _ in range(w.rng.randint(1, 3)):
            w.run(*ssh(HOSTS[target].fqdn, w.rng.choice(_LOOKS)), good=range(3))
            if not w.pause(w.rng.uniform(1, 6)):
                return
