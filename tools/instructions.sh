#!/usr/bin/env bash
# Counts instructions, and compares them with the counts that are stored: time wobbles, instructions do not. More than 3 % off fails.
#
#   tools/instructions.sh               a message of audio between two sockets (protocol/benches/media.rs)
#   tools/instructions.sh recordings    a minute that is encoded (benches/recordings.rs): its build takes as long as a release, so it is no part of `make check`
#
# UPDATE=1 stores the counts instead. They are of one compiler and one kind of processor, or of one libopus: with another there is nothing to
# compare, which is said.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v valgrind >/dev/null || { echo "valgrind is missing: apt-get install valgrind" >&2; exit 1; }
# The filters, and libopus, use what the processor has.
simd="$(grep -qw avx2 /proc/cpuinfo && grep -qw fma /proc/cpuinfo && echo avx2 || echo sse2)"
rust="$(rustc --version | cut -d' ' -f2)"

bench() { # PACKAGE NAME: the program
    local built
    built="$(cargo bench --locked -p "$1" --bench "$2" --no-run 2>&1)" || { echo "$built" >&2; return 1; }
    sed -n 's/.*Executable.*(\(.*\))$/\1/p' <<<"$built"
}
collected() { valgrind --tool=callgrind --callgrind-out-file=/dev/null "$@" 2>&1 | sed -n 's/.*Collected : *\([0-9]*\).*/\1/p'; }

# Lines of a name and a count.
media() {
    local program few many
    program="$(bench callgate-protocol media)"
    for name in up-20ms up-100ms down-200ms; do
        # Of so many messages of a kind, all of it: what comes before them, too.
        few="$(collected "$program" --only "$name" --times 100)" many="$(collected "$program" --only "$name" --times 300)"
        [ "${few:-0}" -gt 0 ] && [ "${many:-0}" -gt "$few" ] || { echo "nothing was counted of $name" >&2; return 1; }
        echo "$name $(((many - few) / 200))"
    done
}
recordings() {
    local program count
    program="$(bench callgate recordings)"
    count="$(collected --toggle-collect='*recordings::encoded*' "$program" --count)"
    [ "${count:-0}" -gt 0 ] || { echo "nothing was counted" >&2; return 1; }
    echo "minute $count"
}
compare() { # STORED HERE COUNTS
    local stored="$1" here="$2" counts="$3" of
    echo "instructions, by $here:"
    echo "$counts"
    if [ -n "${UPDATE:-}" ]; then printf '%s\n%s\n' "$here" "$counts" >"$stored"; return 0; fi
    of="$(head -1 "$stored")"
    if [ "$of" != "$here" ]; then
        echo "SKIPPED: the stored counts are of $of, there is nothing to compare. UPDATE=1 tools/instructions.sh"
        return 0
    fi
    awk 'NR == FNR { if (FNR > 1) before[$1] = $2; next } NF { change = 100 * ($2 - before[$1]) / before[$1]; printf "%s: %+.1f %%\n", $1, change; if (change > 3 || change < -3) off = 1 } END { exit off }' \
        "$stored" <(echo "$counts") || { echo "more than 3 % off: find out why, then UPDATE=1 tools/instructions.sh" >&2; return 1; }
}

case "${1:-media}" in
    media) counts="$(media)"; compare protocol/benches/media.instructions "$rust $(uname -m) $simd" "$counts" ;;
    recordings) counts="$(recordings)"; compare benches/recordings.instructions "$rust $(uname -m) $simd, libopus $(pkg-config --modversion opus)" "$counts" ;;
    *) sed -n '2,9p' "$0" >&2; exit 64 ;;
esac
