#!/usr/bin/env bash
# Runs every test, benches once included, and ends with one line of counts.
set -uo pipefail
cargo="${CARGO:-cargo}"
log="$(mktemp)"
trap 'rm -f "$log"' EXIT
status=0
{
    "$cargo" test --locked --workspace --doc --quiet &&
        "$cargo" test --locked --workspace --all-targets --no-fail-fast
} 2>&1 | tee "$log" || status=$?
awk '/^test result: / { passed += $4; failed += $6; ignored += $8 } END { printf "%d passed, %d failed, %d skipped\n", passed, failed, ignored }' "$log"
exit "$status"
