#!/usr/bin/env bash
# Writes THIRD-PARTY.md: what is linked into the binary besides our own, with its licence. --check: says whether it is out of date.
set -euo pipefail
cd "$(dirname "$0")/.."
page=THIRD-PARTY.md
list() {
    "${CARGO:-cargo}" tree --locked -p callgate -e normal,no-proc-macro --target x86_64-unknown-linux-gnu --prefix none -f '{p}|{l}|{r}' |
        sed 's/ (\*)$//' | grep -v ' (/' | LC_ALL=C sort -u
}
write() {
    cat <<'HEAD'
# Third-party notices

What is linked into `callgate` besides its own crates, on x86-64 Linux: every crate with its version and its licence, as its authors
declare it. Made by `make third-party` from `Cargo.lock`; `make check` says when it is out of date.

Besides Rust, these bring along: SQLite (`libsqlite3-sys`, public domain), mimalloc (`libmimalloc-sys`, MIT), parts of BoringSSL and fiat-crypto
(`ring`, ISC and MIT), Google's metadata of phone numbers (`rlibphonenumber`, Apache-2.0), IANA's time zones (`chrono-tz`, public domain), Mozilla's
list of certificate authorities (`webpki-roots`, CDLA-Permissive-2.0). libopus (BSD-3-Clause) is linked dynamically and comes from the system.

| crate | version | licence | source |
|---|---|---|---|
HEAD
    awk -F'|' '{ split($1, id, " v"); printf "| %s | %s | %s | %s |\n", id[1], id[2], ($2 == "" ? "see source" : $2), $3 }' <<<"$1"
}
now="$(write "$(list)")"
if [ "${1:-}" = --check ]; then
    [ "$now" = "$(cat "$page" 2>/dev/null)" ] && exit 0
    echo "$page is out of date: make third-party"
    diff <(cat "$page" 2>/dev/null) <(echo "$now") | grep '^[<>]' | head -n 10 || true
    exit 1
fi
echo "$now" >"$page"
echo "$page: $(grep -c '^| [a-z]' "$page") crates"
