//! How loud audio is.

use dasp::Sample;

/// What [`rms_dbfs`] says of digital silence and of no audio at all.
pub const SILENCE_DBFS: f32 = -100.0;

/// Sums kept side by side, so that the adding vectorises: float addition may not be reordered otherwise.
const LANES: usize = 8;

/// The level of s16le audio over its whole length, in dB below a full-scale square wave: a full-scale sine is at
/// -3.01. At least [`SILENCE_DBFS`].
#[must_use]
pub fn rms_dbfs(pcm: &[u8]) -> f32 {
    let (samples, _) = pcm.as_chunks::<2>();
    if samples.is_empty() {
        return SILENCE_DBFS;
    }
    let square = |bytes: &[u8; 2]| {
        let sample: f32 = i16::from_le_bytes(*bytes).to_sample();
        sample * sample
    };
    let (rows, rest) = samples.as_chunks::<LANES>();
    let mut sums = [0.0_f32; LANES];
    for row in rows {
        for (sum, bytes) in sums.iter_mut().zip(row) {
            *sum += square(bytes);
        }
    }
    let power = (sums.iter().sum::<f32>() + rest.iter().map(square).sum::<f32>()) / samples.len() as f32;
    if power > 0.0 { (10.0 * power.log10()).max(SILENCE_DBFS) } else { SILENCE_DBFS }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(amplitude: f64, samples: usize) -> Vec<u8> {
        let sample = |n: usize| (amplitude * (std::f64::consts::TAU * n as f64 / 20.0).sin()).round() as i16;
        (0..samples).flat_map(|n| sample(n).to_le_bytes()).collect()
    }

    #[test]
    fn known_signals_have_their_levels() {
        let square: Vec<u8> = [32_767_i16, -32_768].iter().cycle().take(160).flat_map(|s| s.to_le_bytes()).collect();
        for (pcm, dbfs) in [(tone(32_767.0, 160), -3.01), (tone(3_276.7, 163), -23.0), (square, 0.0)] {
            assert!((rms_dbfs(&pcm) - dbfs).abs() < 0.1, "{} is not {dbfs}", rms_dbfs(&pcm));
        }
        assert!((rms_dbfs(&1_i16.to_le_bytes()) + 90.31).abs() < 0.01);
    }

    #[test]
    fn silence_and_nothing_are_at_the_floor() {
        for pcm in [&[0; 320][..], &[], &[7], &[0, 0]] {
            assert_eq!(rms_dbfs(pcm), SILENCE_DBFS);
        }
    }

    #[test]
    fn an_odd_byte_at_the_end_does_not_count() {
        let mut pcm = tone(1_000.0, 37);
        let level = rms_dbfs(&pcm);
        pcm.push(0x7f);
        assert_eq!(rms_dbfs(&pcm), level);
    }
}
