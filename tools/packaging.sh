#!/usr/bin/env bash
# Holds the systemd unit, its settings and compose.yaml to the settings that there are: names, and the time that live calls are given.
set -euo pipefail
cd "$(dirname "$0")/.."
bad=0
say() { printf '%s\n' "$1"; bad=1; }
default() { sed -n "s/^# $1=//p" .env.example; }

drain=$(($(default DRAIN_SECS) + 60))
stop=$(sed -n 's/^TimeoutStopSec=//p' packaging/callgate.service)
[ "$stop" -ge "$drain" ] || say "packaging/callgate.service: TimeoutStopSec=$stop is less than DRAIN_SECS and a minute ($drain)"
grace=$(sed -n 's/^    stop_grace_period: \([0-9]*\)m$/\1/p' compose.yaml)
[ $((grace * 60)) -ge "$drain" ] || say "compose.yaml: stop_grace_period is less than DRAIN_SECS and a minute ($drain s)"
files=$(sed -n 's/^LimitNOFILE=//p' packaging/callgate.service)
[ "$files" -ge $((2 * $(default MAX_CALLS) + 200)) ] || say "packaging/callgate.service: LimitNOFILE=$files is too few for MAX_CALLS"
# What is kept lies in the one folder that the service may write to, unless somebody says otherwise.
for kept in DATABASE_URL RECORDINGS_URL SPOOL_DIR CLIPS_DIR; do
    case "$(default "$kept" | sed 's|^[a-z]*://||')" in /*) say "$kept is no path below the working folder: the unit could not write there" ;; esac
done
named="$(sed -n 's/^#\([A-Z_]*\)=.*/\1/p' packaging/callgate.env)
$(sed -n 's/^      \([A-Z_]*\): .*/\1/p' compose.yaml | grep -v '^POSTGRES_\|^CMD$')"
for name in $named; do
    grep -q "^# $name=" .env.example || say "$name is no setting (packaging/callgate.env, compose.yaml)"
done
grep -q '^[^#]' packaging/callgate.env && say "packaging/callgate.env sets something: that is its reader's to do"
[ "$(sed -n '/^    ports:/{n;p}' compose.yaml)" = '      - "8080:8080"' ] || say "compose.yaml publishes more than the port of webhooks"
exit "$bad"
