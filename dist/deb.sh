#!/bin/sh
# Makes a Debian package of a binary that was built: dist/deb.sh BINARY FOLDER [VERSION]. Prints the package's path. Needs dpkg-deb and gzip alone,
# and the binary must run here, since it writes its own manual pages and completions.
set -eu
[ $# -ge 2 ] || { echo "usage: dist/deb.sh BINARY FOLDER [VERSION]" >&2; exit 2; }
cd_to=$(cd "$(dirname "$0")/.." && pwd)
binary=$(realpath "$1") folder=$(realpath "$2")
cd "$cd_to"
version=${3:-$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)}
architecture=$(dpkg --print-architecture)
# The same files give the same package.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || stat -c %Y Cargo.lock)}
export SOURCE_DATE_EPOCH
umask 022
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
chmod 755 "$root"

install -D -m 755 "$binary" "$root/usr/bin/auscult"
strip --strip-unneeded "$root/usr/bin/auscult" 2>/dev/null || true
install -D -m 644 dist/auscult.service "$root/usr/lib/systemd/system/auscult.service"
install -D -m 644 dist/sysusers.conf "$root/usr/lib/sysusers.d/auscult.conf"
install -D -m 644 dist/tmpfiles.conf "$root/usr/lib/tmpfiles.d/auscult.conf"
install -D -m 644 dist/auscult.toml "$root/etc/auscult/auscult.toml"
install -d "$root/usr/share/auscult/models" "$root/usr/share/man/man1" "$root/DEBIAN"
install -m 644 models/*.json models/*.card.txt "$root/usr/share/auscult/models"

"$binary" manual "$root/usr/share/man/man1"
for shell in bash:bash-completion/completions/auscult zsh:zsh/vendor-completions/_auscult fish:fish/vendor_completions.d/auscult.fish; do
    place=$root/usr/share/${shell#*:}
    mkdir -p "$(dirname "$place")"
    "$binary" completions "${shell%%:*}" >"$place"
done

doc=$root/usr/share/doc/auscult
install -d "$doc"
install -m 644 README.md auscult.example.toml docs/*.md "$doc"
cat >"$doc/copyright" <<TEXT
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: auscult

Files: *
Copyright: the authors of auscult
License: Apache-2.0 or MIT

License: Apache-2.0
 On Debian systems the text is in /usr/share/common-licenses/Apache-2.0.

License: MIT
$(sed 's/^$/./; s/^/ /' LICENSE-MIT)
TEXT
cp CHANGELOG.md "$doc/changelog"
date=$(LC_ALL=C date -u -R -d "@$SOURCE_DATE_EPOCH")
printf 'auscult (%s) unstable; urgency=medium\n\n  * As changelog.gz says.\n\n -- The authors of auscult <auscult@localhost>  %s\n' \
    "$version" "$date" >"$doc/changelog.Debian"
gzip -9n "$doc/changelog" "$doc/changelog.Debian" "$root"/usr/share/man/man1/*.1

# The C library must know every symbol that the binary asks it for; libpcap tells nanoseconds since 1.5.
libc=$(grep -ao 'GLIBC_2\.[0-9]*' "$binary" | sort -uV | tail -1)
cat >"$root/DEBIAN/control" <<TEXT
Package: auscult
Version: $version
Architecture: $architecture
Maintainer: The authors of auscult <auscult@localhost>
Installed-Size: $(du -sk --exclude=DEBIAN "$root" | cut -f1)
Depends: libc6 (>= ${libc#GLIBC_}), libgcc-s1, libpcap0.8 (>= 1.5.1), init-system-helpers (>= 1.54), systemd | systemd-standalone-sysusers | systemd-sysusers
Recommends: ieee-data
Section: net
Priority: optional
Description: network anomaly detector that explains its alerts
 Listens to a network passively, at a mirror port or in capture files, learns
 what each device normally does, and reports what is unusual for that device,
 with the reasons and with what to check next.
TEXT
echo /etc/auscult/auscult.toml >"$root/DEBIAN/conffiles"
(cd "$root" && find . -type f ! -path './DEBIAN/*' -printf '%P\n' | LC_ALL=C sort | xargs -d '\n' md5sum) >"$root/DEBIAN/md5sums"
for script in postinst prerm postrm; do install -m 755 "dist/debian/$script" "$root/DEBIAN/$script"; done
package=$folder/auscult_${version}_$architecture.deb
dpkg-deb --root-owner-group -Z"${DEB_COMPRESSION:-xz}" --build "$root" "$package" >/dev/null
echo "$package"
