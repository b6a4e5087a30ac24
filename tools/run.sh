#!/usr/bin/env bash
# Serves. With settings (environment or .env) as they say; with none at all on loopback, with a webhook key made for this run
# and the simulated model, and a client to call.
set -euo pipefail
bin="${CALLGATE:-${CARGO_TARGET_DIR:-target}/debug/callgate}"
if [ -f .env ] || [ -n "${OPENAI_API_KEY:-}${WEBHOOK_KEY:-}${EXOTEL_API_TOKEN:-}${WEBHOOK_AUTH:-}${SIMULATED_MODEL:-}" ]; then
    exec "$bin" serve "$@"
fi
export HOST=127.0.0.1 PORT="${PORT:-8080}" WEBHOOK_AUTH=key,signature,basic SIMULATED_MODEL=on
word() { od -An -N12 -tx1 /dev/urandom | tr -d ' \n'; }
WEBHOOK_KEY="$(word)" EXOTEL_API_KEY=run EXOTEL_API_TOKEN="$(word)" ADMIN_TOKEN="$(word)"
export WEBHOOK_KEY EXOTEL_API_KEY EXOTEL_API_TOKEN ADMIN_TOKEN
number=08047112233
if ! "$bin" client show "$number" >/dev/null 2>&1; then
    "$bin" client add --name "Lotus Clinic" --number "$number" --language en-IN \
        --greeting "Hello, and thank you for calling Lotus Clinic. How can I help you today?" >/dev/null
fi
base="http://127.0.0.1:$PORT"
cat <<EOF

No settings: serving on loopback, with a key made for this run and the simulated model.
For Exotel's applets (with your public https host in place of $base):
  Voicebot, dynamic URL   $base/exotel/voicebot?key=$WEBHOOK_KEY
  Passthru                $base/exotel/passthru?key=$WEBHOOK_KEY
  StatusCallback          $base/exotel/call-end?key=$WEBHOOK_KEY
Try it from a second terminal:
  curl -s '$base/exotel/voicebot?key=$WEBHOOK_KEY&CallSid=demo$RANDOM&CallFrom=09876543210&CallTo=$number'
  $bin simulate call --gateway $base --to $number --key $WEBHOOK_KEY
  $bin calls
For the lines of docs/webhooks.md and docs/api.md, paste this into it first:
  export BASE=$base KEY=$WEBHOOK_KEY TOKEN=$EXOTEL_API_TOKEN ADMIN=$ADMIN_TOKEN

EOF
exec "$bin" serve "$@"
