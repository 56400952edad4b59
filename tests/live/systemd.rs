//! The package's unit under a systemd of its own, the first process of namespaces of its own over this system's files, which stay as they are.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::package::package;
use crate::support::{Folder, have};

/// What the box is: $1 is a folder with the package, where PROBE is too; $2 one for the root that is made. Nothing of this system's
/// settings or devices can be written from inside.
const BOX: &str = r##"
set -eu
mount -t tmpfs none "$2" && mkdir "$2/up" "$2/work" "$2/system"
cd "$2/system"
mount -t overlay overlay -o "lowerdir=/,upperdir=$2/up,workdir=$2/work" . || { echo "skipped: no overlay"; exit 0; }
cd "$2/system"
mount --bind "$1" srv; mount -t proc proc proc; mount --bind proc/sys proc/sys; mount -o remount,bind,ro proc/sys
mount -t tmpfs none run; mount -t tmpfs none tmp; mount -t tmpfs -o mode=755 none dev
for device in null zero full random urandom tty; do touch dev/$device; mount --bind /dev/$device dev/$device; done
mkdir dev/pts dev/shm; mount -t devpts -o newinstance,ptmxmode=666 devpts dev/pts; ln -s pts/ptmx dev/ptmx; ln -s /proc/self/fd dev/fd
mount -t sysfs -o ro sysfs sys
if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
    mount -t cgroup2 cgroup sys/fs/cgroup
else
    mount -t tmpfs none sys/fs/cgroup; mkdir sys/fs/cgroup/systemd; mount -t cgroup -o none,name=systemd cgroup sys/fs/cgroup/systemd
fi
ip link set lo up; ip link add eth1 type veth peer name eth2; ip link set eth1 up; ip link set eth2 up
chroot . /bin/sh -c 'PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive dpkg -i /srv/*.deb' >&2
echo 0123456789abcdef0123456789abcdef >etc/machine-id
mkdir -p etc/systemd/system/auscult.service.d
printf '[Service]\nRestartSec=1\nWatchdogSec=5\nTimeoutAbortSec=1\n' >etc/systemd/system/auscult.service.d/quick.conf
printf '[Unit]\nWants=auscult.service\n' >etc/systemd/system/box.target
ln -sf box.target etc/systemd/system/default.target
printf '[Unit]\nAfter=auscult.service\n[Service]\nType=oneshot\nExecStart=/bin/sh /srv/probe\nStandardOutput=append:/srv/said\nStandardError=append:/srv/said\n' >etc/systemd/system/probe.service
printf 'Wants=probe.service\n' >>etc/systemd/system/box.target
pivot_root . mnt
exec chroot . /bin/sh -c 'PATH=/usr/sbin:/usr/bin:/sbin:/bin; umount -l /mnt; export container=box; exec /lib/systemd/systemd --system --show-status=no'
"##;

/// What happens in it.
const PROBE: &str = r##"
PATH=/usr/sbin:/usr/bin:/sbin:/bin
echo up
of() { systemctl show auscult -p "$1" --value; }
until_is() { n=0; while [ "$(of "$1")" != "$2" ] && [ $n -lt 100 ]; do sleep 0.2; n=$((n + 1)); done; echo "$3: $(of "$1")"; }
until_is SubState running "state"
main=$(of MainPID)
echo "user: $(ps -o user= -p "$main")"
grep -E '^(CapEff|NoNewPrivs|Seccomp):' "/proc/$main/status" | tr -s '\t ' ' ' | sed 's/^/status: /'
# Longer than the watchdog waits.
sleep 7
echo "alive: $([ "$(of MainPID)" = "$main" ] && of SubState)"
systemctl reload auscult && echo "reloaded: $(of SubState)"
# systemd sends the signal and does not wait for what it does; nor is a line in the journal at once.
n=0; until journalctl -u auscult -o cat | grep -q 'HUP: read again' || [ $n -ge 100 ]; do sleep 0.2; n=$((n + 1)); done
kill -9 "$main"
until_is NRestarts 1 "after kill -9"
until_is SubState running "state"
kill -STOP "$(of MainPID)"
until_is NRestarts 2 "after it hung"
until_is SubState running "state"
systemctl stop auscult; echo "stopped: $(of Result) $(of ExecMainStatus)"
echo "enabled: $(systemctl is-enabled auscult)"
journalctl --sync
journalctl -u auscult --no-pager -o cat | sed 's/^/journal: /'
echo done
"##;

/// Runs with a group of its own in each hierarchy, so that nothing that is made there stays: $1 to $3 are the box, the folder, the root.
const HELD: &str = r##"
groups=
for top in /sys/fs/cgroup /sys/fs/cgroup/*/; do
    [ -f "$top/cgroup.procs" ] || continue
    own="${top%/}/auscult-box-$$"
    mkdir "$own" 2>/dev/null || continue
    groups="$groups $own"
    echo 0 >"$own/cgroup.procs" 2>/dev/null || true
done
timeout -s KILL 100 unshare --pid --mount --net --uts --ipc --cgroup --fork --kill-child sh -c "$1" box "$2" "$3" &
child=$!
n=0
while kill -0 $child 2>/dev/null && ! grep -qx done "$2/said" 2>/dev/null && [ $n -lt 450 ]; do sleep 0.2; n=$((n + 1)); done
pkill -KILL -P $child 2>/dev/null || true
wait $child 2>/dev/null || true
for own in $groups; do
    top=${own%/*}
    echo 0 >"$top/cgroup.procs" 2>/dev/null || true
    # What was killed is in its group until it is gone.
    n=0
    while [ -d "$own" ] && [ $n -lt 50 ]; do
        find "$own" -depth -type d -exec rmdir {} \; 2>/dev/null || true
        sleep 0.1
        n=$((n + 1))
    done
    [ ! -d "$own" ] || echo "left: $own" >&2
done
"##;

#[test]
fn under_systemd_it_is_ready_watched_reloaded_and_started_again() {
    if !nix::unistd::geteuid().is_root() || !have("dpkg-deb", "--version") || !have("unshare", "--version") {
        println!("skipped: needs root, dpkg-deb and unshare");
        return;
    }
    if !Path::new("/lib/systemd/systemd").exists() || !have("systemctl", "--version") {
        println!("skipped: needs systemd (package systemd)");
        return;
    }
    let folder = Folder::new();
    package(&folder, "0.0.1");
    folder.put("probe", PROBE.as_bytes());
    let root = Folder::new();
    let mut command = Command::new("sh");
    command.args(["-c", HELD, "held", BOX]).arg(folder.path("")).arg(root.path(""));
    let output = command.stdin(Stdio::null()).output().unwrap();
    let said = std::fs::read_to_string(folder.path("said")).unwrap_or_default();
    let all = format!("{said}{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if !said.starts_with("up\n") {
        println!("skipped: systemd does not come up in a box here ({})", all.lines().last().unwrap_or_default());
        return;
    }
    assert!(!all.contains("\nleft: "), "{all}");
    let lines: Vec<&str> = said.lines().filter(|line| !line.starts_with("journal: ")).collect();
    let wanted = [
        "up",
        "state: running",
        "user: auscult",
        "status: CapEff: 0000000000002000",
        "status: NoNewPrivs: 1",
        "status: Seccomp: 2",
        "alive: running",
        "reloaded: running",
        "after kill -9: 1",
        "state: running",
        "after it hung: 2",
        "state: running",
        "stopped: success 0",
        "enabled: enabled",
        "done",
    ];
    assert_eq!(lines, wanted, "{all}");
    let journal = |words: &str| said.lines().filter(|line| line.starts_with("journal: ") && line.contains(words)).count();
    assert_eq!((journal("listening on eth1"), journal("HUP: read again"), journal("Watchdog timeout")), (3, 1, 1), "{all}");
}
