#!/usr/bin/env bash
# The gates of the house rules that no lint holds. Prints what is over the line, and fails.
set -euo pipefail
cd "$(dirname "$0")/.."
bad=0
say() { printf '%s\n' "$1"; bad=1; }
# What is near a limit is told and fails nothing: there is time to look for the seam.
warn() { printf 'near the limit: %s\n' "$1"; }

sources=$(git ls-files --cached --others --exclude-standard '*.rs' | grep -vE '(^|/)(tests|benches)/|tests\.rs$')

# Files: 400 lines without tests.
for f in $sources; do
    lines=$(awk '/^#\[cfg\(test\)\]/{exit} {n++} END{print n+0}' "$f")
    [ "$lines" -le 400 ] || say "$f: $lines lines without its tests (400 are allowed): it is usually two things"
    [ "$lines" -le 350 ] || [ "$lines" -gt 400 ] || warn "$f: $lines lines without its tests, of 400: split it before it must be"
done

# Structs: 16 fields (settings, a call's limits and table rows aside, which mirror what they stand for).
for f in $(printf '%s\n' $sources | grep -vE '^src/(settings|cli|store)|^protocol/src/call/policy'); do
    awk -v f="$f" '
        /^#\[cfg\(test\)\]/ { exit }
        /^ *(pub(\([a-z]+\))? )?struct [A-Za-z]+.*\{ *$/ { name = $0; fields = 0; inside = 1; next }
        inside && /^ *\}/ { if (fields > 16) { printf "%s: %s has %d fields (16 are allowed)\n", f, name, fields; bad = 1 } inside = 0 }
        inside && /^ *(pub(\([a-z]+\))? )?[a-z_0-9]+: / { fields++ }
        END { exit bad }' "$f" || bad=1
done

# No unbounded queue, no ignored test, no sleep that waits for something in a test.
grep -nE 'unbounded_channel|mpsc::unbounded|mpsc::channel\(\)' $sources && say "unbounded channel: every queue has a bound and a policy for when it is full" || true
tests=$(git ls-files --cached --others --exclude-standard '*.rs' | grep -E '(^|/)tests/|tests\.rs$' || true)
if [ -n "$tests" ]; then
    grep -nE '#\[ignore' $tests $sources && say "ignored test: a test runs or says why it cannot" || true
    grep -nE 'thread::sleep' $tests && say "a sleep is not synchronisation: await the condition" || true
fi

# Rooms: who may name what.
grep -nE '(^|[^_])(diesel|diesel_async)::' $(printf '%s\n' $sources | grep -vE '^src/store') && say "only src/store names Diesel" || true
grep -nE 'actix_web_actors' $(printf '%s\n' $sources | grep -vE '^actors/src/caller_leg') && say "actix-web-actors stays in the carrier's leg" || true
for f in $(printf '%s\n' $sources | grep -E '^(protocol|codecs)/src'); do
    awk '/^#\[cfg\(test\)\]/{exit} /Instant::now|SystemTime::now/{print FILENAME": "$0; bad=1} END{exit bad}' "$f" || say "protocol and codecs are told the time"
done
grep -nE '^(tokio|actix|futures|mio|async)[a-z_-]* *(=|\.)' protocol/Cargo.toml codecs/Cargo.toml && say "protocol and codecs have no runtime" || true
tools/rooms.pl $(printf '%s\n' $sources | grep -E '^src/') || say "rooms of src/ lean on each other as they may not (tools/rooms.pl)"
tools/dependencies.pl || say "a dependency that nobody names: out with it, or say above it that it is there for its features alone"
tools/third-party.sh --check || bad=1
tools/packaging.sh || say "what it is installed with does not fit its settings (tools/packaging.sh)"
# What would undo the build: a second TLS, libclang, a version of h2 with a known hole, a second HTTP stack.
awk '/^name = /{ gsub(/"/, ""); name = $3 } /^version = /{ gsub(/"/, ""); print name, $3 }' Cargo.lock \
    | grep -E '^(aws-lc-rs|aws-lc-sys|openssl|openssl-sys|native-tls|tonic|bindgen) |^h2 0\.[0-3]\.' \
    && say "these crates are not to be built: look with cargo tree -i which feature brought them" || true
grep -nE 'panic *= *"abort"' Cargo.toml && say "panics must unwind: supervision depends on it" || true

# Sentences are for people: what is decided on has a type or a code.
tools/prose.pl $(printf '%s\n' $sources | grep -vE '^(simulator|tools)/') || say "words meant for people are compared or matched: decide on a type or a code (tools/prose.pl)"

# Data says where: only src/outgoing makes clients for that.
grep -nE 'reqwest::(get|blocking|ClientBuilder)|Client::(new|builder|default)\(' $(printf '%s\n' $sources | grep -E '^(src|actors)/' | grep -vE '^src/outgoing') && say "HTTP clients are made by src/outgoing: it looks where they go" || true

[ "$bad" -eq 0 ] && echo "gates: all hold"
exit "$bad"
