//! Clips made by arithmetic: for load, where content does not matter, and for measuring sound, where it must be exact.

use std::f32::consts::TAU;

use codecs::SampleRate;

/// Length of the babble in ms: what every answer under load lasts.
const BABBLE_MS: usize = 3_000;
const TONE_MS: usize = 4_000;
const TONE_HZ: f32 = 1_000.0;
/// -12 dBFS at the peak.
const TONE_PEAK: f32 = 0.25;

/// 1 kHz at -12 dBFS peak, from its first sample to its last.
pub(super) fn tone(rate: SampleRate) -> Vec<u8> {
    render(rate, TONE_MS, |seconds| TONE_PEAK * (TAU * TONE_HZ * seconds).sin())
}

/// Something like a voice: harmonics of 140 Hz swelling four times a second. It starts at once and never pauses, so
/// that its first and last frame can be told from silence.
pub(super) fn babble(rate: SampleRate) -> Vec<u8> {
    render(rate, BABBLE_MS, |seconds| {
        let swell = 0.7 + 0.3 * (TAU * 4.0 * seconds).cos();
        let voice: f32 = (1_u8..=20).map(f32::from).map(|n| (TAU * 140.0 * n * seconds + n * n).sin() / n.sqrt()).sum();
        0.09 * swell * voice
    })
}

fn render(rate: SampleRate, ms: usize, value: impl Fn(f32) -> f32) -> Vec<u8> {
    let samples = ms * rate.hz() as usize / 1_000;
    (0..samples)
        .map(|index| value(index as f32 / rate.hz() as f32).clamp(-1.0, 1.0))
        .flat_map(|value| ((value * 32_767.0) as i16).to_le_bytes())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn babble_is_loud_from_first_to_last_frame() {
        for rate in [SampleRate::Hz8000, SampleRate::Hz24000] {
            for frame in babble(rate).chunks(20 * rate.bytes_per_ms()) {
                assert!(codecs::level::rms_dbfs(frame) > -30.0);
            }
        }
    }
}
