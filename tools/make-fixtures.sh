#!/usr/bin/env bash
# Makes the speech of the simulators from simulator/fixtures/clips.txt: espeak-ng speaks, sox trims, band-limits and normalises.
# The results are committed, so this runs only when the words change. Needs: espeak-ng, sox.
set -euo pipefail
cd "$(dirname "$0")/../simulator/fixtures"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# clips.txt: id | language | who | espeak-ng voice | speed (words a minute) | pitch | text
grep -v '^#' clips.txt | while IFS='|' read -r id _language _who voice speed pitch text; do
    espeak-ng -v "$voice" -s "$speed" -p "$pitch" -w "$tmp/raw.wav" -- "$text" </dev/null
    # 16 kHz mono: resampled to a wire's rate when loaded. Dither off, so that a clip is the same bytes every time.
    sox -D "$tmp/raw.wav" "$tmp/trimmed.wav" gain -n -10 rate -h 16000 highpass 80 lowpass 7000 \
        silence 1 0.01 0.5% reverse silence 1 0.01 0.5% reverse compand 0.005,0.1 6:-60,-60,-30,-20,-10,-9,0,-6 -2 -90 0.1
    sox -D "$tmp/trimmed.wav" -b 16 -c 1 "$id.wav" fade 0.004 -0 0.010 norm -3
    echo "$id $(soxi -D "$id.wav") s"
done
