#!/usr/bin/env bash
# Runs every test, benches once included, and ends with one line of counts. What needs PostgreSQL gets a throw-away server; where
# there is none to be had, those tests are counted as skipped.
set -uo pipefail
cd "$(dirname "$0")/.."
cargo="${CARGO:-cargo}"
log="$(mktemp)"
postgres=""
trap 'rm -f "$log"; [ -z "$postgres" ] || tools/postgres.sh remove "$postgres"' EXIT
trap 'exit 130' INT TERM
what=(--all-targets --no-fail-fast)
if [ -n "${CALLGATE_TEST_POSTGRES:-}" ]; then
    echo "PostgreSQL: the one named by CALLGATE_TEST_POSTGRES."
elif started="$(tools/postgres.sh start $$)"; then
    word() { tr ' ' '\n' <<<"$started" | sed -n "s/^$1=//p"; }
    postgres="$(word DIR)"
    export CALLGATE_TEST_POSTGRES="$(word URL)" CALLGATE_TEST_POSTGRES_CA="$(word CA)"
    echo "PostgreSQL: a throw-away server in $postgres, port $(word PORT)."
else
    echo "SKIPPED: every test whose name holds on_postgres, because no PostgreSQL could be started."
    # Benches know no --skip: they go too.
    what=(--lib --bins --tests --no-fail-fast -- --skip on_postgres)
fi
status=0
{
    "$cargo" test --locked --workspace --doc --quiet &&
        "$cargo" test --locked --workspace "${what[@]}"
} 2>&1 | tee "$log" || status=$?
awk '/^test result: / { passed += $4; failed += $6; ignored += $8; skipped += $12 } /SKIPPED test / { passed--; skipped++ } END { printf "%d passed, %d failed, %d skipped\n", passed, failed, ignored + skipped }' "$log"
exit "$status"
