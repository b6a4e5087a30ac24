#!/usr/bin/env bash
# Holds the systemd unit, its settings and compose.yaml to the settings that there are (names, and the time that live calls are given), the Debian
# package to what is in the repository, and the image's context to what sources include.
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

# The Debian package (Cargo.toml, tools/deb.sh): its unit is this one with another path, its user is the unit's, and its secrets are not everybody's.
grep -q '^ExecStart=/usr/local/bin/callgate ' packaging/callgate.service || say "packaging/callgate.service: tools/deb.sh expects it to start /usr/local/bin/callgate"
user=$(sed -n 's/^User=//p' packaging/callgate.service)
state=/var/lib/$(sed -n 's/^StateDirectory=//p' packaging/callgate.service)
settings=$(sed -n 's/^EnvironmentFile=//p' packaging/callgate.service)
grep -q "^ *adduser --system .*--home $state .* $user\$" packaging/debian/postinst || say "packaging/debian/postinst does not make the unit's user ($user, $state)"
grep -q "chown root:$user $settings\$" packaging/debian/postinst || say "packaging/debian/postinst does not let $user read $settings"
for script in packaging/debian/*; do
    sh -n "$script" || say "$script is no script"
    { [ -x "$script" ] && grep -q '^#DEBHELPER#$' "$script" && grep -q '^set -e$' "$script"; } ||
        say "$script: it has to be executable, to end with the first failure, and to name #DEBHELPER# for what cargo-deb adds"
done
assets=$(sed -n '/^assets = \[/,/^\]/s/^ *\["\([^"]*\)", "\([^"]*\)", "\([^"]*\)"\],$/\1 \2 \3/p' Cargo.toml)
grep -qx "packaging/callgate.env $(dirname "${settings#/}")/ 640" <<<"$assets" || say "Cargo.toml: $settings is no file of the package with mode 640"
while read -r source _; do
    case "$source" in target/*) continue ;; esac
    [ -e "$source" ] || say "Cargo.toml: the package has $source, which is not here"
done <<<"$assets"

# What sources include has to be in the context of the image.
while IFS=: read -r file _ included; do
    path=$(realpath -m --relative-to=. "$(dirname "$file")/$(cut -d'"' -f2 <<<"$included")")
    grep -qxF "!${path%%/*}" .dockerignore || say "$file includes $path, which .dockerignore leaves out"
done < <(git ls-files -- '*.rs' | grep -vE '(^|/)(tests|benches)(/|\.rs$)' | xargs grep -noE 'include_(str|bytes)!\("[^"]+"\)' || true)
exit "$bad"
