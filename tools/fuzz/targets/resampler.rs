//! What comes out of a resampler does not depend on how its input was cut.
#![no_main]

use codecs::Resampler;
use libfuzzer_sys::fuzz_target;

const RATES: [u32; 4] = [8_000, 16_000, 24_000, 48_000];

fuzz_target!(|data: &[u8]| {
    let [rates, cut, pcm @ ..] = data else { return };
    let (from, to) = (RATES[usize::from(rates & 3)], RATES[usize::from(rates >> 2 & 3)]);
    let pcm = &pcm[..pcm.len() & !1];
    let resample = |piece: usize| {
        let mut resampler = Resampler::new(from, to).expect("a pair of known rates");
        let mut out = Vec::new();
        pcm.chunks(piece).for_each(|piece| resampler.push(piece, &mut out));
        resampler.flush(&mut out);
        out
    };
    assert_eq!(resample(2 * (1 + usize::from(*cut))), resample(pcm.len().max(2)));
});
