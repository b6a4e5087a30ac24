#!/usr/bin/env bash
# Loads a release build: a simulated model, the gateway, and CALLS calls; each a process of its own, so that the gateway's
# CPU and memory are its own. FLOOR=path/to/a/bare/bridge (started as `FLOOR PORT MODEL_HOST:PORT`) loads that too, in the same
# run, for the ratio. DATABASE=postgres stores on a throw-away PostgreSQL instead of SQLite, durable as a real one is; then
# STOP_DATABASE_AT=SECONDS crashes it that long after the calls begin, for STOP_DATABASE_SECS (5), and afterwards counts what is on record.
# A database has a machine of its own, as a rule; here it has the lowest priority instead, unless NICE=0.
# OUTCOMES=1 has a simulated text model find out what came of every call; it is told how many are known, and when the last was.
# RECORDED=N has N recorded calls go before, whose recordings are encoded during the others. RECORDING=on records the calls themselves: it is
# told how much waits to be encoded, when all was, and what the threads that encode took. RECORDING_FORMAT is as the gateway has it.
# ARGS are more words for the load (`--find --p99 10`, `--cps 5 --hold 60`, `--rude`); OUT=FILE and REPORT=FILE.html keep the run. MIX is --mix; its client has the
# function that callers ask for. PIN=1 pins the gateway to the first core, and the tester and the model to the others.
set -euo pipefail
export NICE="${NICE:-19}"
bin="${CALLGATE:-${CARGO_TARGET_DIR:-target}/release/callgate}"
calls="${CALLS:-300}" secs="${SECS:-20}" ramp="${RAMP:-10}" frame_ms="${FRAME_MS:-20}"
dir="$(mktemp -d)"
pids=()
cluster=""
tools="$(cd "$(dirname "$0")" && pwd)"
trap 'kill "${pids[@]}" 2>/dev/null || true; [ -z "$cluster" ] || "$tools/postgres.sh" remove "$cluster"; wait 2>/dev/null || true; rm -rf "$dir"' EXIT

# Waits until something listens on a port.
listening() { for _ in $(seq 100); do (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return 0; sleep 0.1; done; echo "nothing listens on port $1" >&2; return 1; }

# A quiet port each, near one that the system would not hand out.
model_port=$((20000 + RANDOM % 5000)) port=$((25000 + RANDOM % 2500)) floor_port=$((27500 + RANDOM % 2500))
ulimit -n "$(ulimit -Hn)"
case " ${ARGS:-} " in *" --find "* | *" --cps "*) most=20000 ;; *) most=$((calls + 10)) ;; esac
key="$(od -An -N12 -tx1 /dev/urandom | tr -d ' \n')"
# Of two halves of the machine, which one a process has.
half() { local last=$(($(nproc) - 1)); if [ -z "${PIN:-}" ] || [ "$last" -eq 0 ]; then shift; exec "$@"; fi; case "$1" in gateway) shift; exec taskset -c 0 "$@" ;; *) shift; exec taskset -c "1-$last" "$@" ;; esac; }
half tester "$bin" simulate model --port "$model_port" --script load >"$dir/model.log" 2>&1 & pids+=($!)
listening "$model_port"

if [ -n "${FLOOR:-}" ]; then
    "$FLOOR" "$floor_port" "127.0.0.1:$model_port" & floor_pid=$!
    pids+=("$floor_pid")
    listening "$floor_port"
    echo "== the bare bridge: $FLOOR"
    "$bin" load --calls "$calls" --ramp "$ramp" --secs "$secs" --frame-ms "$frame_ms" --pid "$floor_pid" \
        --media-url "ws://127.0.0.1:$floor_port/" --model-url "http://127.0.0.1:$model_port" --out "$dir/floor.json" || true
    kill "$floor_pid"
fi

database="sqlite://$dir/load.db"
if [ "${DATABASE:-sqlite}" = postgres ]; then
    started="$(DURABLE=1 "$tools/postgres.sh" start $$)"
    word() { tr ' ' '\n' <<<"$started" | sed -n "s/^$1=//p"; }
    cluster="$(word DIR)" database="$(word URL)"
elif [ -n "${STOP_DATABASE_AT:-}" ]; then
    echo "STOP_DATABASE_AT needs DATABASE=postgres: SQLite has nothing to stop" >&2
    exit 64
fi

export HOST=127.0.0.1 PORT="$port" DATABASE_URL="$database" WEBHOOK_AUTH=key WEBHOOK_KEY="$key" RUST_LOG="${RUST_LOG:-warn}" \
    REALTIME_URL="ws://127.0.0.1:$model_port/v1/realtime" MAX_CALLS="${MAX_CALLS:-$most}" \
    SPOOL_DIR="$dir/spool" RECORDINGS_URL="file://$dir/recordings"
"$bin" client add --name Load --number +918047112233 --greeting Hello --calls-per-minute 1000000 --caller-calls-per-minute 1000000 \
    --recording "$([ -n "${RECORDED:-}" ] || [ "${RECORDING:-off}" = on ] && echo on || echo off)" >/dev/null
if [ -n "${MIX:-}" ]; then
    export PRIVATE_HOSTS=127.0.0.1
    { "$bin" client export +918047112233; printf '[[tools]]\nname = "lookup"\ndescription = "Looks something up."\nurl = "http://127.0.0.1:%s/lookup"\n' "$model_port"; } >"$dir/agent.toml"
    "$bin" client apply "$dir/agent.toml" >/dev/null
fi
if [ -n "${OUTCOMES:-}" ]; then
    text_port=$((30000 + RANDOM % 2000))
    "$bin" simulate text-model --port "$text_port" --thinks-ms 2000 >"$dir/text.log" 2>&1 & pids+=($!)
    listening "$text_port"
    export OUTCOME_URL="http://127.0.0.1:$text_port/v1" PRIVATE_HOSTS=127.0.0.1
    { "$bin" client export +918047112233; printf '[outcome]\nschema = { type = "object", properties = { settled = { type = "boolean" } } }\n'; } >"$dir/agent.toml"
    "$bin" client apply "$dir/agent.toml" >/dev/null
fi
half gateway "$bin" serve >"$dir/serve.log" 2>&1 & gateway=$!
pids+=("$gateway")
listening "$port"
if [ -n "${RECORDED:-}" ]; then
    "$bin" load --calls "$RECORDED" --seed 2 --ramp 2 --secs "$secs" --frame-ms "$frame_ms" --pid "$gateway" \
        --gateway "http://127.0.0.1:$port" --model-url "http://127.0.0.1:$model_port" --key "$key" >/dev/null
    "$bin" client set +918047112233 --recording "${RECORDING:-off}" >/dev/null
    echo "== of $RECORDED recordings not encoded yet: $(ls "$dir/spool" | wc -l)"
fi
if [ -n "${STOP_DATABASE_AT:-}" ]; then
    {
        sleep "$STOP_DATABASE_AT"
        "$tools/postgres.sh" crash "$cluster" && echo "== the database was stopped"
        sleep "${STOP_DATABASE_SECS:-5}"
        "$tools/postgres.sh" resume "$cluster" && echo "== the database is back"
    } & pids+=($!)
fi
metric() { curl -s "http://127.0.0.1:$port/metrics" | sed -n "s/^$1 //p"; }
if [ "${RECORDING:-off}" = on ]; then
    while sleep 5; do echo "== seconds of audio that wait: $(metric callgate_recordings_backlog_seconds), MiB spooled: $(du -sm "$dir/spool" 2>/dev/null | cut -f1)"; done & pids+=($!)
fi
echo "== callgate, on ${DATABASE:-sqlite}"
words=(--calls "$calls" --ramp "$ramp" --frame-ms "$frame_ms" --pid "$gateway" --metrics-url "http://127.0.0.1:$port"
    --gateway "http://127.0.0.1:$port" --model-url "http://127.0.0.1:$model_port" --note "${NOTE:-${DATABASE:-sqlite}, recording ${RECORDING:-off}}")
case " ${ARGS:-} " in *" --find "*) words+=(--step-secs "$secs") ;; *" --cps "*) words=("${words[@]:2}" --secs "$secs") ;; *) words+=(--secs "$secs") ;; esac
[ -z "${MIX:-}" ] || words+=(--mix "$MIX")
[ -z "${OUT:-}" ] || words+=(--out "$OUT")
[ -z "${REPORT:-}" ] || words+=(--report "$REPORT")
[ ! -f "$dir/floor.json" ] || [[ " ${ARGS:-} " == *" --find "* ]] || words+=(--floor "$dir/floor.json")
# shellcheck disable=SC2086
( half tester "$bin" load "${words[@]}" ${ARGS:-} ) || { status=$?; tail -5 "$dir/serve.log"; exit "$status"; }

if [ -n "${OUTCOMES:-}" ]; then
    ended="$(date +%s)"
    for _ in $(seq 180); do
        waiting="$("$bin" jobs --limit 100000 | grep -c analyse_call || true)"
        [ "$waiting" -eq 0 ] && break
        sleep 1
    done
    echo "== outcomes that are not known yet $(($(date +%s) - ended)) s after the last call: $waiting of $calls"
fi
if [ "${RECORDING:-off}" = on ]; then
    ended="$(date +%s)"
    for _ in $(seq 300); do [ "$(ls "$dir/spool" | wc -l)" -eq 0 ] && break; sleep 1; done
    echo "== recordings that are not stored $(($(date +%s) - ended)) s after the last call: $(ls "$dir/spool" | wc -l) of $calls"
    ticks=0
    for task in /proc/"$gateway"/task/*; do
        grep -q '^callgate-encode' "$task/comm" && ticks=$((ticks + $(awk '{ print $14 + $15 }' "$task/stat")))
    done
    echo "== CPU of the threads that encode: $((ticks * 10)) ms for $((calls * secs)) call-seconds"
fi
[ -z "${RECORDED:-}" ] || echo "== of $RECORDED recordings not encoded yet: $(ls "$dir/spool" | wc -l)"
if [ -n "${STOP_DATABASE_AT:-}" ]; then
    # Written within the longest pause between two attempts.
    for _ in $(seq 30); do
        on_record="$("$bin" calls --limit 10000 | grep -c completed || true)"
        [ "$on_record" -ge "$calls" ] && break
        sleep 1
    done
    echo "== on record as completed: $on_record of $calls"
    [ "$on_record" -ge "$calls" ]
fi
