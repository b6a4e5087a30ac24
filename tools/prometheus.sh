#!/usr/bin/env bash
# Prometheus' own tools, for the rules of ops/: from the path, else Debian's package unpacked below target/ (nothing is installed or
# started). `tools/prometheus.sh bin` prints the folder; `tools/prometheus.sh rules` checks the rules and runs their cases.
set -euo pipefail
cd "$(dirname "$0")/.."
folder="${CARGO_TARGET_DIR:-target}/prometheus"
bin() {
    if command -v promtool >/dev/null; then dirname "$(command -v promtool)"; return; fi
    if [ ! -x "$folder/usr/bin/promtool" ]; then
        command -v apt-get >/dev/null || { echo "promtool is missing, and there is no apt-get to fetch it with" >&2; return 1; }
        mkdir -p "$folder/deb" && chmod 777 "$folder/deb"
        (cd "$folder/deb" && { apt-get download -qq prometheus || { sudo=""; [ "$(id -u)" -eq 0 ] || sudo=sudo; $sudo apt-get update -qq && apt-get download -qq prometheus; }; }) >&2
        dpkg -x "$folder"/deb/prometheus_*.deb "$folder" && rm -rf "$folder/deb"
    fi
    echo "$(cd "$folder" && pwd)/usr/bin"
}
case "${1:-}" in
    bin) bin ;;
    rules)
        tool="$(bin)/promtool"
        "$tool" check rules ops/prometheus/callgate.rules.yml
        cd ops/prometheus && "$tool" test rules callgate.test.yml
        ;;
    *) echo "usage: tools/prometheus.sh bin|rules" >&2; exit 64 ;;
esac
