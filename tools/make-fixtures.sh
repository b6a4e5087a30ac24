#!/usr/bin/env bash
# Makes the speech of the simulators from simulator/fixtures/clips.txt: espeak-ng speaks, sox trims, band-limits and normalises. A voice
# called `cough` is none: sox makes a burst of noise and the breath behind it, and there are no words.
# The results are committed, so this runs only when the words change. Needs: espeak-ng, sox.
set -euo pipefail
cd "$(dirname "$0")/../simulator/fixtures"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# clips.txt: id | language | who | espeak-ng voice | speed (words a minute) | pitch | text
grep -v '^#' clips.txt | while IFS='|' read -r id _language _who voice speed pitch text; do
    if [ "$voice" = cough ]; then
        # The seed of the noise is sox's own, so that a cough is the same bytes every time.
        sox -R -D -n -r 16000 -c 1 "$tmp/burst.wav" synth 0.05 whitenoise gain -1 fade t 0.004 0.05 0.01
        sox -R -D -n -r 16000 -c 1 "$tmp/breath.wav" synth 0.17 pinknoise gain -1 fade t 0.005 0.17 0.09
        sox -D "$tmp/burst.wav" "$tmp/breath.wav" "$tmp/raw.wav"
    else
        espeak-ng -v "$voice" -s "$speed" -p "$pitch" -w "$tmp/raw.wav" -- "$text" </dev/null
    fi
    # 16 kHz mono: resampled to a wire's rate when loaded. Dither off, so that a clip is the same bytes every time.
    sox -D "$tmp/raw.wav" "$tmp/trimmed.wav" gain -n -10 rate -h 16000 highpass 80 lowpass 7000 \
        silence 1 0.01 0.5% reverse silence 1 0.01 0.5% reverse compand 0.005,0.1 6:-60,-60,-30,-20,-10,-9,0,-6 -2 -90 0.1
    sox -D "$tmp/trimmed.wav" -b 16 -c 1 "$id.wav" fade 0.004 -0 0.010 norm -3
    echo "$id $(soxi -D "$id.wav") s"
done
