//! Fixed sentences that are played without a model: their audio was made before the call.

use std::sync::Arc;

use codecs::{Resampler, SampleRate};

/// Rate at which clips are kept, Hz: the model's.
pub const CLIP_RATE: u32 = 24_000;
/// Sentences of one client.
pub const MOST_CLIPS: usize = 64;
/// Of one sentence, ms.
pub const LONGEST_CLIP_MS: usize = 15_000;

/// One sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clip {
    text: Arc<str>,
    /// s16le mono at [`CLIP_RATE`].
    pcm: Arc<[u8]>,
}

impl Clip {
    /// A sentence and its audio, s16le mono at [`CLIP_RATE`]; none if that is empty, or longer than [`LONGEST_CLIP_MS`].
    #[must_use]
    pub fn new(text: &str, pcm: impl Into<Arc<[u8]>>) -> Option<Self> {
        let pcm = pcm.into();
        let longest = LONGEST_CLIP_MS * CLIP_RATE as usize / 1000 * 2;
        (pcm.len() >= 2 && pcm.len() <= longest).then(|| Self { text: text.into(), pcm })
    }

    /// What is said in it.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its audio at a carrier's rate.
    pub(super) fn at(&self, rate: SampleRate) -> Vec<u8> {
        let whole = &self.pcm[..self.pcm.len() / 2 * 2];
        if rate.hz() == CLIP_RATE {
            return whole.to_vec();
        }
        let mut out = Vec::with_capacity(whole.len());
        if let Ok(mut resampler) = Resampler::new(CLIP_RATE, rate.hz()) {
            resampler.push(whole, &mut out);
            resampler.flush(&mut out);
        }
        out
    }
}

/// The fixed sentences of a client, found by their text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Clips(Vec<Clip>);

impl Clips {
    /// The first [`MOST_CLIPS`] of them.
    #[must_use]
    pub fn new(clips: impl IntoIterator<Item = Clip>) -> Self {
        Self(clips.into_iter().take(MOST_CLIPS).collect())
    }

    /// The one of that text.
    #[must_use]
    pub fn find(&self, text: &str) -> Option<&Clip> {
        self.0.iter().find(|clip| clip.text() == text)
    }
}
