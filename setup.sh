#!/bin/sh
# Installs what building needs (a C compiler and libpcap's headers) and, with the word "tests", the tools that some tests
# compare with; with the word "lab" only what datasets/lab needs. Uses apt, with sudo where that is needed. Safe to run again: what is there is left alone.
set -eu

say() { printf '%s\n' "$*"; }

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif ! command -v sudo >/dev/null 2>&1; then
        say "setup: neither root nor sudo: cannot run: $*" >&2
        return 1
    elif [ -t 0 ]; then
        sudo "$@"
    else
        sudo -n "$@"
    fi
}

# Installs packages; the index is fetched once, and only when something is missing.
fetched=no
install() {
    command -v apt-get >/dev/null 2>&1 || { say "setup: no apt-get here" >&2; return 1; }
    if [ "$fetched" = no ]; then
        as_root apt-get -q -o DPkg::Lock::Timeout=300 update || return 1
        fetched=yes
    fi
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get -q -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "$@"
}

# Can a C program be linked against libpcap? Rust links with the same compiler.
links_libpcap() {
    try=$(mktemp -d)
    printf '#include <pcap.h>\nint main(void) { return pcap_lib_version() == 0; }\n' >"$try/try.c"
    if cc -o "$try/try" "$try/try.c" -lpcap >/dev/null 2>&1; then found=0; else found=1; fi
    rm -rf "$try"
    return "$found"
}

# What the lab needs outside its box (datasets/lab): no Rust.
if [ "${1:-}" = lab ]; then
    PATH="$PATH:/usr/sbin:/sbin"
    for pair in unshare:util-linux flock:util-linux mmdebstrap:mmdebstrap python3:python3 zstd:zstd; do
        command -v "${pair%%:*}" >/dev/null 2>&1 || install "${pair##*:}" >/dev/null 2>&1 || true
        command -v "${pair%%:*}" >/dev/null 2>&1 && continue
        say "setup: ${pair%%:*} is missing and could not be installed (package ${pair##*:})" >&2
        exit 1
    done
    exit 0
fi

if ! command -v cargo >/dev/null 2>&1 && [ -r "${HOME:-/root}/.cargo/env" ]; then
    . "${HOME:-/root}/.cargo/env"
fi
if ! command -v cargo >/dev/null 2>&1; then
    say "setup: cargo is missing: install Rust from https://rustup.rs and run this again" >&2
    exit 1
fi

if links_libpcap; then
    say "setup: C compiler and libpcap are there"
else
    install gcc libc6-dev libpcap-dev pkg-config || true
    if ! links_libpcap; then
        say "setup: still missing: a C compiler (cc) or the headers of libpcap (pcap.h)." >&2
        say "setup: on Debian and Ubuntu: apt-get install gcc libc6-dev libpcap-dev pkg-config" >&2
        exit 1
    fi
    say "setup: C compiler and libpcap are installed"
fi

[ "${1:-}" = tests ] || exit 0

# Programs that tests compare with; a test without its program says so and passes.
need() {
    command -v "$1" >/dev/null 2>&1 && return
    install "$2" >/dev/null 2>&1 && command -v "$1" >/dev/null 2>&1 && { say "setup: $1 is installed"; return; }
    say "setup: $1 is missing and could not be installed (package $2): tests that need it are skipped"
}
# The same for a file.
need_file() {
    [ -r "$1" ] && return
    install "$2" >/dev/null 2>&1 && [ -r "$1" ] && { say "setup: $2 is installed"; return; }
    say "setup: $1 is missing and could not be installed (package $2): tests that need it are skipped"
}
PATH="$PATH:/usr/sbin:/sbin"
need tshark tshark
# argus comes with a service that would listen on every interface; only the programs are wanted.
if ! command -v argus >/dev/null 2>&1 && [ -d /run/systemd/system ]; then as_root systemctl mask argus.service >/dev/null 2>&1 || true; fi
need argus argus-server
need ra argus-client
need ip iproute2
need valgrind valgrind
# As with argus, only the program is wanted.
if ! command -v rsyslogd >/dev/null 2>&1 && [ -d /run/systemd/system ]; then as_root systemctl mask rsyslog.service >/dev/null 2>&1 || true; fi
need rsyslogd rsyslog
need_file "/usr/lib/$(uname -m)-linux-gnu/rsyslog/lmnsd_gtls.so" rsyslog-gnutls
# As with argus, only the program is wanted.
if ! command -v nats-server >/dev/null 2>&1 && [ -d /run/systemd/system ]; then as_root systemctl mask nats-server.service >/dev/null 2>&1 || true; fi
need nats-server nats-server
need python3 python3
need_file /usr/share/ieee-data/oui.csv ieee-data
# What reads folders of Parquet, in an environment of its own; AUSCULT_TEST_PYTHON names another.
readers="${AUSCULT_TEST_PYTHON:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/auscult-tests/python}"
reads_parquet() { "$readers/bin/python" -c 'import duckdb, polars' >/dev/null 2>&1; }
if ! reads_parquet; then
    command -v python3 >/dev/null 2>&1 && python3 -m venv "$readers" >/dev/null 2>&1 || install python3-venv >/dev/null 2>&1 || true
    { [ -x "$readers/bin/pip" ] || python3 -m venv "$readers"; } >/dev/null 2>&1 &&
        timeout 300 "$readers/bin/pip" install -q --disable-pip-version-check 'duckdb>=1.4,<3' 'polars>=1.30,<3' >/dev/null 2>&1 || true
    if reads_parquet; then
        say "setup: duckdb and polars are installed in $readers"
    else
        say "setup: duckdb and polars could not be installed from PyPI: tests that need them are skipped"
    fi
fi
for part in clippy fmt; do
    cargo "$part" --version >/dev/null 2>&1 && continue
    rustup component add "$(echo "$part" | sed s/fmt/rustfmt/)" >/dev/null 2>&1 ||
        say "setup: cargo $part is missing and could not be installed: its check is skipped"
done
