#!/usr/bin/env bash
# Throw-away PostgreSQL clusters for tests: never a server that is already there. Each has a folder, a port and (unless NO_TLS is
# set) a certificate of its own, and is gone when the process it was started for is.
#
#   tools/postgres.sh start PID      makes and starts one for as long as process PID lives; prints DIR=… PORT=… URL=… CA=…
#   tools/postgres.sh crash DIR      stops it as a crash would; its data stays
#   tools/postgres.sh resume DIR     starts it again
#   tools/postgres.sh remove DIR     stops it and removes every trace
#
# DURABLE=1 keeps fsync on; NICE=19 lets everything else go first; OPTIONS="-c name=value" is given to the server.
set -euo pipefail

bin="$(dirname "$(command -v initdb 2>/dev/null || ls -d /usr/lib/postgresql/*/bin/initdb 2>/dev/null | sort -V | tail -1)" 2>/dev/null || true)"
# Debian links some programs into /usr/bin or /usr/local/bin, not all: the real folder has them together.
[ -e "$bin/initdb" ] && bin="$(dirname "$(readlink -f "$bin/initdb")")"
if [ ! -x "$bin/postgres" ]; then
    echo "PostgreSQL is not installed: run tools/setup.sh, or leave its tests out (cargo test -- --skip on_postgres)" >&2
    exit 69
fi

# The server refuses to run as root.
as_owner() {
    if [ "$(id -u)" -eq 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi
}

up() { # DIR
    as_owner nice -n "${NICE:-0}" "$bin/pg_ctl" start -w -t 60 -s -D "$1/data" -l "$1/log" -o "$(cat "$1/options")" >&2 ||
        { tail -5 "$1/log" >&2; return 1; }
}

remove() { # DIR
    case "$1" in */callgate-postgres-*) ;; *) echo "$1 is not one of ours" >&2; return 1 ;; esac
    local postmaster
    postmaster="$(head -1 "$1/data/postmaster.pid" 2>/dev/null || true)"
    if [ -n "$postmaster" ]; then
        # One that a test has halted would not hear the signal.
        pkill -CONT -P "$postmaster" 2>/dev/null || true
        kill -CONT "$postmaster" 2>/dev/null || true
        as_owner "$bin/pg_ctl" stop -m immediate -s -t 10 -D "$1/data" >/dev/null 2>&1 || kill -KILL "$postmaster" 2>/dev/null || true
    fi
    rm -rf "$1"
}

certificates() { # DIR: an authority of one day, and the server's certificate for localhost and 127.0.0.1
    local dir="$1"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj "/CN=callgate test authority" \
        -keyout "$dir/ca.key" -out "$dir/ca.pem" 2>/dev/null
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=localhost" \
        -keyout "$dir/server.key" -out "$dir/server.csr" 2>/dev/null
    openssl x509 -req -in "$dir/server.csr" -CA "$dir/ca.pem" -CAkey "$dir/ca.key" -CAcreateserial -days 1 -out "$dir/server.pem" \
        -extfile <(printf 'basicConstraints=CA:FALSE\nsubjectAltName=DNS:localhost,IP:127.0.0.1\n') 2>/dev/null
    chmod 600 "$dir/server.key"
}

start() { # PID
    local dir port options
    dir="$(mktemp -d "${TMPDIR:-/tmp}/callgate-postgres-XXXXXX")"
    chmod 755 "$dir"
    # From here on it goes with the process it is for, however that ends.
    # It carries what it needs: this file may not be here any more by then.
    setsid bash -c "$(declare -f as_owner remove); bin=\$3; while kill -0 \$1 2>/dev/null && [ -d \$2 ]; do sleep 0.5; done; [ ! -d \$2 ] || remove \$2" \
        watch "$1" "$dir" "$bin" >/dev/null 2>&1 </dev/null &
    options="-c listen_addresses=127.0.0.1 -c max_connections=300 -c unix_socket_directories=$dir -c shared_buffers=32MB ${OPTIONS:-}"
    [ -n "${DURABLE:-}" ] || options="$options -c fsync=off -c synchronous_commit=off -c full_page_writes=off"
    if [ -z "${NO_TLS:-}" ]; then
        certificates "$dir"
        options="$options -c ssl=on -c ssl_cert_file=$dir/server.pem -c ssl_key_file=$dir/server.key"
    fi
    [ "$(id -u)" -ne 0 ] || chown -R postgres "$dir"
    # On the wire it is loopback of this machine and of this hour: trusted, so that tests need no password.
    as_owner "$bin/initdb" -D "$dir/data" -U callgate --auth=trust --encoding=UTF8 --locale=C --no-sync >/dev/null
    for _ in 1 2 3 4 5; do
        port=$((20000 + RANDOM % 12000))
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && continue
        echo "$options -c port=$port" >"$dir/options"
        if up "$dir"; then
            echo "DIR=$dir PORT=$port URL=postgres://callgate@localhost:$port/postgres CA=$dir/ca.pem"
            return 0
        fi
    done
    remove "$dir"
    return 1
}

case "${1:-}" in
    start) start "${2:?for which process}" ;;
    crash) as_owner "$bin/pg_ctl" stop -m immediate -s -D "${2:?which}/data" ;;
    resume) up "${2:?which}" ;;
    remove) remove "${2:?which}" ;;
    *) sed -n '2,10p' "$0" >&2; exit 64 ;;
esac
