#!/usr/bin/env bash
# Fuzzes what comes from outside, and the call itself. TARGETS and SECS (of each) choose; what is found is left in tools/fuzz/artifacts.
set -euo pipefail
cd "$(dirname "$0")/.."
SECS=${SECS:-60}
TARGETS=${TARGETS:-carrier model webhook worst_texts resampler call}
command -v c++ >/dev/null || { echo "make fuzz needs a C++ compiler for libFuzzer: apt-get install g++" >&2; exit 1; }
if ! cargo fuzz --version >/dev/null 2>&1; then
    echo "make fuzz needs cargo-fuzz, which is not here. Installing it with cargo (about a minute)."
    cargo install --quiet --locked cargo-fuzz
fi
# Without sanitizers, which need a nightly compiler: our code has no unsafe for them to look at.
cargo fuzz build --fuzz-dir tools/fuzz -s none
for target in $TARGETS; do
    echo "== $target, $SECS s"
    corpus=tools/fuzz/corpus/$target
    mkdir -p "$corpus"
    cargo fuzz run --fuzz-dir tools/fuzz -s none "$target" "$corpus" "tools/fuzz/seeds/$target" -- \
        -max_total_time="$SECS" -max_len=65536 -timeout=10 -print_final_stats=1 2>&1 | grep -E "^(==|stat::|Done|SUMMARY|thread|.*panicked|.*ERROR|Test unit|error)" || true
    if compgen -G "tools/fuzz/artifacts/$target/*" >/dev/null; then
        echo "$target: found something, see tools/fuzz/artifacts/$target" >&2
        exit 1
    fi
done
echo "fuzz: $(echo "$TARGETS" | wc -w) targets, nothing found"
