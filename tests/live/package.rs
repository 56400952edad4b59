//! The Debian package: it is made, installed, started as its unit starts it, upgraded, removed and purged, in a root of its own over this
//! system's files, which stay as they are.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};

use crate::support::{Folder, have, project};

/// What happens inside: $1 is the folder of the packages, $2 one for the root that is made.
const INSIDE: &str = r##"
set -eu
mount -t tmpfs none "$2" && mkdir "$2/up" "$2/work" "$2/system" "$2/packages"
cp "$1"/*.deb "$2/packages"
mount -t overlay overlay -o "lowerdir=/,upperdir=$2/up,workdir=$2/work" "$2/system" || { echo "skipped: no overlay"; exit 0; }
# The list of packages is a copy: this system's own may change meanwhile, which an overlay does not stand.
cp -a /var/lib/dpkg "$2/dpkg"; mount --bind "$2/dpkg" "$2/system/var/lib/dpkg"
mount --bind "$2/packages" "$2/system/mnt"; mount -t proc proc "$2/system/proc"; mount -t sysfs sysfs "$2/system/sys"
mount --rbind /dev "$2/system/dev"; mount -t tmpfs none "$2/system/run"
exec chroot "$2/system" /bin/sh -eu <<'CHROOT'
export PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LC_ALL=C HOME=/root
as_service() {
    exec setpriv --reuid auscult --regid auscult --init-groups --no-new-privs --bounding-set -all,+net_raw \
        --inh-caps -all,+net_raw --ambient-caps -all,+net_raw env STATE_DIRECTORY=/var/lib/auscult LOGS_DIRECTORY=/var/log/auscult "$@"
}
dpkg -i /mnt/auscult_0.0.1_*.deb
start=$(sed -n 's/^ExecStart=//p' /usr/lib/systemd/system/auscult.service)
echo "version: $(dpkg-query -W -f '${Version} ${Status}' auscult)"
echo "folders: $(stat -c '%U:%G:%a' /etc/auscult /var/lib/auscult /var/log/auscult | paste -sd' ')"
echo "enabled: $(readlink /etc/systemd/system/multi-user.target.wants/auscult.service)"
echo "manual: $(zcat /usr/share/man/man1/auscult-watch.1.gz | grep -c '^\.SH')"
echo "verified: $(dpkg --verify auscult && echo whole)"
auscult replay --help >/dev/null
auscult inspect /usr/share/auscult/models/clinic.json >/dev/null
ip link set lo up; ip link add eth1 type veth peer name eth2; ip link set eth1 up; ip link set eth2 up
as_service $start 2>/tmp/said & pid=$!
n=0; until grep -q "listening on eth1" /tmp/said || [ $n -gt 100 ]; do sleep 0.1; n=$((n+1)); done
sleep 1
grep -E '^(Uid|CapEff|NoNewPrivs|Seccomp):' /proc/$pid/status | tr -s '\t ' ' ' | sed 's/^/status: /'
kill -TERM $pid; wait $pid && echo "ended: 0" || echo "ended: $?"
sed 's/^/said: /' /tmp/said
echo "# ours" >> /etc/auscult/auscult.toml
dpkg -i /mnt/auscult_0.0.2_*.deb </dev/null
echo "version: $(dpkg-query -W -f '${Version} ${Status}' auscult)"
echo "edited: $(tail -1 /etc/auscult/auscult.toml) $(ls /etc/auscult | paste -sd' ')"
dpkg -r auscult
echo "removed: $(ls -d /usr/bin/auscult /usr/share/auscult 2>/dev/null | wc -l) $(ls /etc/auscult | paste -sd' ') $(ls -d /var/lib/auscult)"
dpkg -P auscult
echo "purged: $(ls -d /etc/auscult /var/lib/auscult /var/log/auscult /usr/lib/systemd/system/auscult.service 2>/dev/null | wc -l)"
echo "known: $(dpkg-query -W auscult 2>/dev/null | wc -l)"
find /etc/systemd /var/lib/systemd -name '*auscult*' | sed 's/^/left: /'
CHROOT
"##;

pub fn package(folder: &Folder, version: &str) -> String {
    let mut command = Command::new("sh");
    command.arg(project("dist/deb.sh")).arg(env!("CARGO_BIN_EXE_auscult")).arg(folder.path("")).arg(version);
    let output = command.env("DEB_COMPRESSION", "none").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn the_package_installs_starts_upgrades_and_goes() {
    if !nix::unistd::geteuid().is_root() || !have("dpkg-deb", "--version") || !have("unshare", "--version") {
        println!("skipped: needs root, dpkg-deb and unshare");
        return;
    }
    if !have("systemd-sysusers", "--version")
        || !have("deb-systemd-helper", "--help") && !std::path::Path::new("/usr/bin/deb-systemd-helper").exists()
    {
        println!("skipped: needs systemd-sysusers and deb-systemd-helper (packages systemd, init-system-helpers)");
        return;
    }
    let folder = Folder::new();
    package(&folder, "0.0.1");
    let newer = package(&folder, "0.0.2");
    if have("lintian", "--version") {
        // The project has no mail address, and this package is not compressed, which takes long.
        let passed_over = "bogus-mail-host,bogus-mail-host-in-debian-changelog,uses-no-compression-for-control-tarball,uses-no-compression-for-data-tarball";
        let mut lintian = Command::new("lintian");
        let output = lintian.args(["--fail-on", "error", "--suppress-tags", passed_over, &newer]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
    let root = folder.path("root");
    std::fs::create_dir(&root).unwrap();
    let mut command = Command::new("timeout");
    command.args(["120", "unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "sh", "-c", INSIDE, "inside"]);
    let output = command.arg(folder.path("")).arg(&root).stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let all = format!("{said}{}", String::from_utf8_lossy(&output.stderr));
    if said.contains("skipped: no overlay") || all.contains("unshare failed") || all.contains("dependency problems") {
        println!("skipped: no root of its own here ({})", all.lines().last().unwrap_or_default());
        return;
    }
    assert!(output.status.success(), "{all}");
    let line = |wanted: &str| assert!(said.lines().any(|line| line == wanted), "no line {wanted:?} in:\n{all}");
    line("version: 0.0.1 install ok installed");
    line("folders: root:auscult:750 auscult:auscult:750 auscult:auscult:750");
    let enabled = said.lines().find_map(|line| line.strip_prefix("enabled: "));
    assert!(enabled.is_some_and(|unit| unit.ends_with("/lib/systemd/system/auscult.service")), "{all}");
    line("verified: whole");
    assert!(
        said.contains("said: auscult: listening on eth1")
            && said.contains("said: auscult: runs as auscult, with CAP_NET_RAW alone; no new privileges"),
        "{all}"
    );
    line("status: CapEff: 0000000000002000");
    line("status: NoNewPrivs: 1");
    assert!(!said.contains("status: Uid: 0 "), "{all}");
    line("ended: 0");
    line("version: 0.0.2 install ok installed");
    line("edited: # ours auscult.toml");
    line("removed: 0 auscult.toml /var/lib/auscult");
    line("purged: 0");
    line("known: 0");
    assert!(!said.contains("\nleft: "), "{all}");
}

/// The unit's filter of system calls lets the program give up what it does not need, and does not give back what that took.
#[test]
fn the_unit_lets_the_program_close_more() {
    let unit = std::fs::read_to_string(project("dist/auscult.service")).unwrap();
    let groups = |name: &str| -> Option<BTreeSet<String>> {
        let output = Command::new("systemd-analyze").args(["syscall-filter", name]).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        let names = text.lines().skip(1).map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        output.status.success().then(|| names.map(str::to_owned).collect())
    };
    if groups("@system-service").is_none() {
        println!("skipped: no systemd-analyze");
        return;
    }
    let mut allowed = BTreeSet::new();
    for line in unit.lines().filter_map(|line| line.strip_prefix("SystemCallFilter=")) {
        let (takes, names) = line.strip_prefix('~').map_or((false, line), |names| (true, names));
        let mut waiting: Vec<String> = names.split_whitespace().map(str::to_owned).collect();
        while let Some(name) = waiting.pop() {
            match name.strip_prefix('@') {
                Some(_) => waiting.extend(groups(&name).unwrap()),
                None if takes => drop(allowed.remove(&name)),
                None => drop(allowed.insert(name)),
            }
        }
    }
    for needed in
        ["prctl", "seccomp", "landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self", "openat", "socket"]
    {
        assert!(allowed.contains(needed), "{needed} is not let through");
    }
    for never in ["capset", "setuid", "mount", "bpf", "chroot", "reboot"] {
        assert!(!allowed.contains(never), "{never} is let through");
    }
}
