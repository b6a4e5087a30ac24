#!/usr/bin/env bash
# A stranger's first quarter of an hour, by the clock: a fresh clone, the first call as the README has it, then a greeting and a function of
# one's own as docs/first-agent.md has them. Every command is taken from these pages. FIRST and OWN are how long the two may take, s.
# It builds anew, as a stranger does; TARGET=FOLDER is a folder of an earlier build instead, to try out the pages alone.
set -euo pipefail
top="$(cd "$(dirname "$0")/.." && pwd)"
first="${FIRST:-300}" own="${OWN:-300}"
dir="$(mktemp -d)"
trap 'rm -rf "$dir"' EXIT
for port in 8080 8090 8092; do
    if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then echo "something listens on port $port, which the pages use: end it first" >&2; exit 1; fi
done

# The commands of a page, of one section of it if a heading is given.
commands() {
    awk -v heading="${2:-}" '
        /^## / && !code { inside = $0 == "## " heading }
        /^```/ { code = !code && $0 == "```sh"; next }
        code && (heading == "" || inside)' "$top/$1"
}
# What it says is kept, and shown if it fails.
timed() {
    local what="$1" most="$2" began="$SECONDS"; shift 2
    if ! "$@" >"$dir/said" 2>&1 </dev/null; then tail -40 "$dir/said" >&2; echo "$what: failed" >&2; exit 1; fi
    local took=$((SECONDS - began))
    printf '%-56s %4d s of %d\n' "$what" "$took" "$most"
    [ "$took" -le "$most" ] || { echo "$what: too long" >&2; exit 1; }
}

first_call() {
    git clone -q "$top" "$dir/callgate" || return 1
    cd "$dir/callgate"
    commands README.md "Hear a call, without any account" >"$dir/first.sh"
    grep -q . "$dir/first.sh" || return 1
    bash -eu "$dir/first.sh"
    test -s demo-call.wav
}

own_agent() {
    # shellcheck disable=SC2016 # it is looked for as it stands there
    grep -qF 'export PATH="$PWD/target/debug:$PATH"' "$top/README.md" || return 1
    export PATH="${CARGO_TARGET_DIR:-$dir/callgate/target}/debug:$PATH"
    mkdir "$dir/own" && cd "$dir/own"
    commands docs/first-agent.md >"$dir/own.sh"
    grep -q . "$dir/own.sh" || return 1
    # `timeout` leads a group of its own: what the page leaves running ends with it.
    local status=0
    timeout "$((own + 60))" bash -eu "$dir/own.sh" & local page=$!
    wait "$page" || status=$?
    kill -KILL -- "-$page" 2>/dev/null || true
    [ "$status" -eq 0 ] && grep -q 'book_slot' "$dir/said" && grep -q 'Monday, 10:30' "$dir/said"
}

[ -z "${TARGET:-}" ] || export CARGO_TARGET_DIR="$TARGET"
timed "the first call, from nothing (make demo)" "$first" first_call
timed "an own greeting and a function (docs/first-agent.md)" "$own" own_agent
