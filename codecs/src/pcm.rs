//! s16le bytes to samples and back. Every function appends to its output; an odd trailing byte is ignored.

use dasp::Sample;

/// s16le bytes as integer samples.
pub fn bytes_to_i16(bytes: &[u8], out: &mut Vec<i16>) {
    out.extend(bytes.as_chunks::<2>().0.iter().map(|pair| i16::from_le_bytes(*pair)));
}

/// Integer samples as s16le bytes.
pub fn i16_to_bytes(samples: &[i16], out: &mut Vec<u8>) {
    write_pairs(samples, out, |sample| sample.to_le_bytes());
}

/// s16le bytes as samples from -1.0 to 1.0.
pub fn bytes_to_f32(bytes: &[u8], out: &mut Vec<f32>) {
    out.extend(bytes.as_chunks::<2>().0.iter().map(|pair| i16::from_le_bytes(*pair).to_sample::<f32>()));
}

/// Samples from -1.0 to 1.0 as s16le bytes: rounded to nearest, and clipped beyond full scale.
pub fn f32_to_bytes(samples: &[f32], out: &mut Vec<u8>) {
    write_pairs(samples, out, |sample| round_to_i16(sample * 32_768.0).to_le_bytes());
}

/// Appends two bytes for each item. Growing first and filling in place is what lets the loop vectorise.
pub(crate) fn write_pairs<T: Copy>(items: &[T], out: &mut Vec<u8>, pair: impl Fn(T) -> [u8; 2]) {
    let start = out.len();
    out.resize(start + 2 * items.len(), 0);
    for (bytes, item) in out[start..].as_chunks_mut::<2>().0.iter_mut().zip(items) {
        *bytes = pair(*item);
    }
}

/// The nearest integer, clipped. A cast would truncate, which doubles the error, and `round` is a library call on a
/// processor without SSE4.1: adding 1.5 * 2^23 leaves the rounded integer in the low bits of the float instead.
pub(crate) const fn round_to_i16(sample: f32) -> i16 {
    const INTEGER_IN_LOW_BITS: f32 = 12_582_912.0;
    let sample = if sample < -32_768.0 { -32_768.0 } else { sample };
    let sample = if sample > 32_767.0 { 32_767.0 } else { sample };
    (sample + INTEGER_IN_LOW_BITS).to_bits() as i16
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_sample_survives_bytes_and_floats() {
        let samples: Vec<i16> = (i16::MIN..=i16::MAX).collect();
        let (mut bytes, mut back) = (vec![0xee], vec![1]);
        i16_to_bytes(&samples, &mut bytes);
        bytes_to_i16(&bytes[1..], &mut back);
        assert_eq!((bytes[0], back[0], &back[1..]), (0xee, 1, &samples[..]));

        let (mut floats, mut again) = (Vec::new(), Vec::new());
        bytes_to_f32(&bytes[1..], &mut floats);
        f32_to_bytes(&floats, &mut again);
        assert_eq!(again, bytes[1..]);
    }

    #[test]
    fn an_odd_byte_at_the_end_is_ignored() {
        let (mut samples, mut floats) = (Vec::new(), Vec::new());
        bytes_to_i16(&[1, 0, 9], &mut samples);
        bytes_to_f32(&[9], &mut floats);
        assert_eq!((samples, floats), (vec![1], vec![]));
    }

    #[test]
    fn what_is_beyond_full_scale_is_clipped() {
        let wild = [1.0, 2.0, -1.5, f32::INFINITY, f32::NEG_INFINITY];
        let (mut bytes, mut samples) = (Vec::new(), Vec::new());
        f32_to_bytes(&wild, &mut bytes);
        bytes_to_i16(&bytes, &mut samples);
        assert_eq!(samples, [i16::MAX, i16::MAX, i16::MIN, i16::MAX, i16::MIN]);
    }

    proptest! {
        #[test]
        fn rounding_is_to_nearest(sample in -40_000.0_f32..40_000.0) {
            prop_assert_eq!(round_to_i16(sample), sample.round_ties_even() as i16);
        }
    }
}
