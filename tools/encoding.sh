#!/usr/bin/env bash
# Counts the instructions that encoding a minute of a call takes (benches/recordings.rs), and compares them with the count that is stored: time
# wobbles, instructions do not. UPDATE=1 stores the count instead. A count is of one libopus: with another there is nothing to compare.
set -euo pipefail
cd "$(dirname "$0")/.."
stored=benches/recordings.instructions
command -v valgrind >/dev/null || { echo "valgrind is missing: apt-get install valgrind" >&2; exit 1; }
opus="$(pkg-config --modversion opus)"
bench="$(cargo bench --locked --bench recordings --no-run 2>&1 | sed -n 's/.*Executable.*(\(.*\))$/\1/p')"
[ -x "$bench" ] || { echo "the bench was not built: cargo bench --bench recordings --no-run" >&2; exit 1; }
count="$(valgrind --tool=callgrind --callgrind-out-file=/dev/null --toggle-collect='*recordings::encoded*' "$bench" --count 2>&1 |
    sed -n 's/.*Collected : *\([0-9]*\).*/\1/p')"
[ "${count:-0}" -gt 0 ] || { echo "nothing was counted" >&2; exit 1; }
echo "a minute is encoded with $count instructions, libopus $opus"
if [ -n "${UPDATE:-}" ]; then echo "$opus $count" >"$stored"; exit 0; fi
[ -f "$stored" ] || { echo "no count is stored: UPDATE=1 tools/encoding.sh"; exit 0; }
read -r of before <"$stored"
[ "$of" = "$opus" ] || { echo "the stored count is of libopus $of: nothing to compare"; exit 0; }
awk -v now="$count" -v before="$before" 'BEGIN { change = 100 * (now - before) / before; printf "%+.1f %% of the stored %d\n", change, before; exit change > 3 || change < -3 }' ||
    { echo "more than 3 % off: find out why, then UPDATE=1 tools/encoding.sh" >&2; exit 1; }
