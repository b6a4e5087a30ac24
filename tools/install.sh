#!/usr/bin/env bash
# Installs a build below PREFIX: /usr/local, or ~/.local of who is not root. DESTDIR stands before it, BIN is the build.
set -euo pipefail
cd "$(dirname "$0")/.."
bin="${BIN:-${CARGO_TARGET_DIR:-target}/release/callgate}"
if [ -z "${PREFIX:-}" ]; then
    [ "$(id -u)" -eq 0 ] && PREFIX=/usr/local || PREFIX="$HOME/.local"
fi
install -D -m 755 "$bin" "${DESTDIR:-}$PREFIX/bin/callgate"
tools/share.sh "$bin" "${DESTDIR:-}$PREFIX/share"
echo "Installed ${DESTDIR:-}$PREFIX/bin/callgate; man pages and completions (bash, zsh, fish) below ${DESTDIR:-}$PREFIX/share"
case ":$PATH:" in *":$PREFIX/bin:"*) ;; *) [ -n "${DESTDIR:-}" ] || echo "$PREFIX/bin is not on PATH: export PATH=\"$PREFIX/bin:\$PATH\"" ;; esac
