#!/usr/bin/env bash
# share.sh BIN FOLDER: man pages and completions of a build, below FOLDER as they lie below /usr/share.
set -euo pipefail
bin="$(realpath "$1")"
mkdir -p "$2"
to="$(realpath "$2")"
scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT
# There is no .env there, which might be wrong.
cd "$scratch"
"$bin" man --out man
install -d -m 755 "$to/man/man1"
install -m 644 man/*.1 "$to/man/man1/"
while read -r shell file; do
    "$bin" completions "$shell" >completions
    install -D -m 644 completions "$to/$file"
done <<'FILES'
bash bash-completion/completions/callgate
zsh zsh/site-functions/_callgate
fish fish/vendor_completions.d/callgate.fish
FILES
