#!/usr/bin/env bash
# Counts the instructions that a message of audio takes between two sockets (protocol/benches/media.rs), and compares them with the counts that are
# stored: time wobbles, instructions do not. More than 3 % off fails. UPDATE=1 stores the counts instead. They are of one compiler and one kind of
# processor: with another there is nothing to compare, which is said.
set -euo pipefail
cd "$(dirname "$0")/.."
stored=protocol/benches/media.instructions
command -v valgrind >/dev/null || { echo "valgrind is missing: apt-get install valgrind" >&2; exit 1; }
# The filters use what the processor has.
simd="$(grep -qw avx2 /proc/cpuinfo && grep -qw fma /proc/cpuinfo && echo avx2 || echo sse2)"
here="$(rustc --version | cut -d' ' -f2) $(uname -m) $simd"
built="$(cargo bench --locked -p callgate-protocol --bench media --no-run 2>&1)" || { echo "$built" >&2; exit 1; }
bench="$(sed -n 's/.*Executable.*(\(.*\))$/\1/p' <<<"$built")"
counts=""
# Of so many messages of a kind, all of it: what comes before them, too.
count() {
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "$bench" --only "$1" --times "$2" 2>&1 | sed -n 's/.*Collected : *\([0-9]*\).*/\1/p'
}
for name in up-20ms up-100ms down-200ms; do
    few="$(count "$name" 100)" many="$(count "$name" 300)"
    [ "${few:-0}" -gt 0 ] && [ "${many:-0}" -gt "$few" ] || { echo "nothing was counted of $name" >&2; exit 1; }
    counts+="$name $(((many - few) / 200))"$'\n'
done
echo "instructions a message, by Rust $here:"
echo -n "$counts"
if [ -n "${UPDATE:-}" ]; then { echo "$here"; echo -n "$counts"; } >"$stored"; exit 0; fi
of="$(head -1 "$stored")"
if [ "$of" != "$here" ]; then
    echo "SKIPPED: the stored counts are of Rust $of, there is nothing to compare. UPDATE=1 tools/instructions.sh"
    exit 0
fi
awk 'NR == FNR { if (FNR > 1) before[$1] = $2; next } NF { change = 100 * ($2 - before[$1]) / before[$1]; printf "%s: %+.1f %%\n", $1, change; if (change > 3 || change < -3) off = 1 } END { exit off }' \
    "$stored" <(echo -n "$counts") || { echo "more than 3 % off: find out why, then UPDATE=1 tools/instructions.sh" >&2; exit 1; }
