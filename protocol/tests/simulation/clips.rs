//! Fixed sentences, and how each of them sounds at the carrier's rate.

use std::sync::{Arc, LazyLock};

use codecs::{Resampler, SampleRate};
use protocol::call::clips::{CLIP_RATE, Clip, Clips};

/// Words, and how long they take, ms.
const SENTENCES: [(&str, usize); 3] =
    [("One moment.", 900), ("I am still looking.", 1_400), ("It takes a while.", 1_170)];

/// What a caller hears who waits.
pub(crate) fn hold_words() -> Vec<String> {
    SENTENCES.map(|(words, _)| words.to_owned()).into()
}

/// The same as audio.
pub(crate) fn made() -> Arc<Clips> {
    static MADE: LazyLock<Arc<Clips>> = LazyLock::new(|| {
        let clip = |(words, ms)| Clip::new(words, noise(words, ms)).expect("it is short enough");
        Arc::new(Clips::new(SENTENCES.map(clip)))
    });
    Arc::clone(&MADE)
}

/// Whether anybody else says that.
pub(crate) fn is_one(words: &str) -> bool {
    SENTENCES.iter().any(|(known, _)| *known == words)
}

/// One at a carrier's rate.
pub(crate) fn sound(words: &str, rate: SampleRate) -> Vec<u8> {
    let (_, ms) = SENTENCES.into_iter().find(|(known, _)| *known == words).expect("a sentence that was made");
    let mut resampler = Resampler::new(CLIP_RATE, rate.hz()).expect("a rate of a carrier's");
    let mut out = Vec::new();
    resampler.push(&noise(words, ms), &mut out);
    resampler.flush(&mut out);
    out
}

/// No two of them are alike anywhere.
fn noise(words: &str, ms: usize) -> Vec<u8> {
    let mut state = words.len() as u32;
    let samples = (0..ms * CLIP_RATE as usize / 1000).flat_map(|_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        ((state >> 18) as i16).to_le_bytes()
    });
    samples.collect()
}
