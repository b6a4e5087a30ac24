#!/usr/bin/env bash
# Installs what a build needs and the machine lacks; with `tests`, also what its tests need. Says so first; does nothing when
# nothing is missing.
set -euo pipefail
need=()
if [ "${1:-}" = tests ]; then
    command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || need+=(postgresql)
    command -v openssl >/dev/null || need+=(openssl)
    command -v valgrind >/dev/null || need+=(valgrind)
fi
command -v cc >/dev/null || need+=(build-essential)
command -v pkg-config >/dev/null || need+=(pkg-config)
pkg-config --exists opus 2>/dev/null || need+=(libopus-dev)
if [ "${#need[@]}" -gt 0 ]; then
    echo "callgate needs Debian packages that are not here: ${need[*]}. Installing them with apt-get."
    command -v apt-get >/dev/null || { echo "No apt-get here: install them by hand (C compiler, pkg-config, libopus headers), then run this again." >&2; exit 1; }
    sudo=""
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || { echo "Run as root, or install by hand: apt-get install ${need[*]}" >&2; exit 1; }
        sudo=sudo
    fi
    if [[ " ${need[*]} " == *" postgresql "* ]]; then
        # The tests make throw-away clusters: Debian's package need not make and start one of its own. One that is there stays.
        echo "No PostgreSQL server is set up by this: create_main_cluster = false in /etc/postgresql-common/createcluster.conf."
        if ! grep -qs '^create_main_cluster' /etc/postgresql-common/createcluster.conf; then
            $sudo mkdir -p /etc/postgresql-common
            echo 'create_main_cluster = false' | $sudo tee -a /etc/postgresql-common/createcluster.conf >/dev/null
        fi
    fi
    $sudo apt-get update -qq
    DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends -o Dpkg::Options::=--force-confold "${need[@]}" >/dev/null
fi
if ! command -v cargo >/dev/null && [ -x "$HOME/.cargo/bin/cargo" ]; then
    echo "cargo is in $HOME/.cargo/bin but not on PATH: add it, then run this again." >&2
    exit 1
fi
command -v cargo >/dev/null || { echo "Rust is missing: install it (https://rustup.rs), then run this again." >&2; exit 1; }
