#!/usr/bin/env bash
# Drills: what an on-call engineer fears, done to a gateway with live calls, and whether they noticed. Each says what happened;
# the first that fails ends the run with exit 1.
#   1. the model's server is killed in the middle of calls, and comes back: they go on, on a new connection
#   2. the gateway is told to stop (SIGTERM) while calls are live: it refuses new ones, and exits when these are over
#   3. the gateway is killed (SIGKILL) in the middle of calls: the next start reads the same record, and takes calls
#   4. PostgreSQL crashes in the middle of calls, and comes back: no call is lost, and all of them are on record
set -euo pipefail
bin="${CALLGATE:-${CARGO_TARGET_DIR:-target}/debug/callgate}"
tools="$(cd "$(dirname "$0")" && pwd)"
calls="${CALLS:-5}"
dir="$(mktemp -d)"
pids=()
trap 'kill "${pids[@]}" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$dir"' EXIT
model_port=$((20000 + RANDOM % 5000)) port=$((25000 + RANDOM % 5000))
gateway_url="http://127.0.0.1:$port"
key="$(od -An -N12 -tx1 /dev/urandom | tr -d ' \n')"
export HOST=127.0.0.1 PORT="$port" DATABASE_URL="sqlite://$dir/drill.db" WEBHOOK_AUTH=key WEBHOOK_KEY="$key" RUST_LOG=info LOG_FORMAT=json \
    REALTIME_URL="ws://127.0.0.1:$model_port/v1/realtime" RECORDINGS_URL="file://$dir/recordings" SPOOL_DIR="$dir/spool"

fail() { echo "drill failed: $*" >&2; tail -5 "$dir/serve.log" >&2; exit 1; }
# Waits for a condition, a quarter of a second at a time, for half a minute.
await() { for _ in $(seq 120); do "$@" && return 0; sleep 0.25; done; return 1; }
listening() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
start_model() { "$bin" simulate model --port "$model_port" >>"$dir/model.log" 2>&1 & model=$!; pids+=("$model"); await listening "$model_port"; }
start_gateway() { "$bin" serve >>"$dir/serve.log" 2>&1 & gateway=$!; pids+=("$gateway"); await listening "$port"; }
live() { curl -s "$gateway_url/metrics" | awk '/^callgate_calls_live/ {n += $2} END {exit !(n >= '"$1"')}'; }
place_calls() {
    carriers=()
    for n in $(seq "$calls"); do
        "$bin" simulate call --gateway "$gateway_url" --to +918047112233 --from "+9198765432$((n + 10))" --key "$key" --seed "$n" >"$dir/call-$n.log" 2>&1 &
        carriers+=($!)
    done
    await live "$calls" || fail "the calls did not begin"
    # Into the conversation.
    sleep 4
}
# Whether every call came to its end.
calls_end() { for carrier in "${carriers[@]}"; do wait "$carrier" || return 1; done; }
completed() { "$bin" calls --limit 1000 | grep -c completed || true; }
has_completed() { [ "$(completed)" -ge "$1" ]; }

"$bin" client add --name Drill --number +918047112233 --greeting "Hello, this is a drill." --calls-per-minute 1000 >/dev/null

echo "== 1. the model's server is killed under $calls calls"
start_model; start_gateway; place_calls
kill -KILL "$model"; wait "$model" 2>/dev/null || true
sleep 1
start_model
calls_end || fail "a call did not survive its model's server"
await has_completed "$calls" || fail "only $(completed) of $calls calls are on record as completed"
lost=$(grep -c '"ModelLeg"' "$dir/serve.log" || true)
echo "   $calls calls went on and came to their ends; $lost events of model connections in the supervisor's log"

echo "== 2. the gateway is told to stop under $calls calls"
place_calls
kill -TERM "$gateway"
refused() { [ "$(curl -s -o /dev/null -w '%{http_code}' "$gateway_url/readyz")" = 503 ]; }
await refused || fail "readyz did not say that it drains"
status=$(curl -s -o "$dir/answer" -w '%{http_code}' "$gateway_url/exotel/voicebot?key=$key&CallSid=late&CallFrom=09876543299&CallTo=08047112233")
[ "$status" = 503 ] || fail "a new call was answered $status while draining: $(cat "$dir/answer")"
calls_end || fail "a call was cut by the stop"
wait "$gateway" || fail "the gateway did not exit in peace"
has_completed $((2 * calls)) || fail "only $(completed) of $((2 * calls)) calls are on record as completed"
echo "   it refused a new call with 503, $calls calls came to their ends, and it exited"

echo "== 3. the gateway is killed under $calls calls"
start_gateway; place_calls
kill -KILL "$gateway"; wait "$gateway" 2>/dev/null || true
calls_end || true
start_gateway
before=$(completed)
[ "$before" -ge $((2 * calls)) ] || fail "the record shrank to $before completed calls"
"$bin" audit verify >"$dir/verify.log" 2>&1 || fail "the audit log's chain is broken: $(cat "$dir/verify.log")"
place_calls
calls_end || fail "a call after the restart failed"
await has_completed $((before + calls)) || fail "the calls after the restart are not on record"
kill -TERM "$gateway"; wait "$gateway" || fail "the gateway did not exit in peace"
echo "   the record is whole ($(head -1 "$dir/verify.log")), and $calls new calls went well"

echo "== 4. PostgreSQL crashes under 20 calls"
unset DATABASE_URL REALTIME_URL HOST PORT WEBHOOK_AUTH WEBHOOK_KEY
CALLGATE="$bin" CALLS=20 RAMP=2 SECS=14 DATABASE=postgres STOP_DATABASE_AT=5 STOP_DATABASE_SECS=4 RUST_LOG=off "$tools/load.sh" >"$dir/load.log" 2>&1 \
    || { cat "$dir/load.log" >&2; fail "calls were lost, or are not on record"; }
grep -E "^==|caller to model|model to caller" "$dir/load.log" | sed 's/^/   /'
echo "drills: all passed"
