#!/usr/bin/env bash
# Makes a Debian package of a release build, and prints where it is. DEBFULLNAME and DEBEMAIL say who made it; what is given besides goes to cargo-deb.
set -euo pipefail
cd "$(dirname "$0")/.."
if ! cargo deb --version >/dev/null 2>&1; then
    # The one that was tried.
    echo "callgate.deb is made by cargo-deb, which is not here. Installing it with cargo (3.8.0)." >&2
    cargo install --quiet --locked cargo-deb --version 3.8.0
fi
staged=target/packaging
rm -rf "$staged"
mkdir -p "$staged"
# The unit of `make install`, for a binary that lies where a package's do.
sed 's|^ExecStart=/usr/local/bin/|ExecStart=/usr/bin/|' packaging/callgate.service >"$staged/callgate.service"
tools/share.sh "${BIN:-${CARGO_TARGET_DIR:-target}/release/callgate}" "$staged/share"
[ -z "${DEBEMAIL:-}" ] || set -- --maintainer "${DEBFULLNAME:-callgate} <$DEBEMAIL>" "$@"
cargo deb --quiet --locked --no-build --strip "$@"
