//! Clips cut into deltas, once for all sessions: under load only the ids around the base64 differ.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use rand::{Rng, SeedableRng, rngs::SmallRng};

use super::format::{BASE64, Format};
use super::handle::lock;
use crate::speech::Clip;

/// Audio of one delta in ms, as measured on the real server; the first is smaller.
const DELTA_MS: std::ops::RangeInclusive<f64> = 188.0..=275.0;
const FIRST_DELTA_MS: std::ops::RangeInclusive<f64> = 60.0..=120.0;

/// A clip in one format, cut into deltas.
#[derive(Debug)]
pub(super) struct Rendering {
    pub(super) pieces: Vec<Piece>,
}

/// One delta.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) base64: Box<str>,
    /// Length of its audio.
    pub(super) ms: f64,
}

/// All renderings of a server.
#[derive(Debug)]
pub(super) struct Renderings {
    seed: u64,
    done: Mutex<HashMap<(&'static str, Format), Arc<Rendering>>>,
}

impl Renderings {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, done: Mutex::default() }
    }

    pub(super) fn get(&self, clip: &Clip, format: Format) -> Arc<Rendering> {
        let mut done = lock(&self.done);
        let rendering = done.entry((clip.id, format)).or_insert_with(|| {
            let salt = clip.id.bytes().fold(0_u64, |salt, byte| salt.wrapping_mul(31).wrapping_add(byte.into()));
            Arc::new(cut(&format.encode(clip), format, &mut SmallRng::seed_from_u64(self.seed ^ salt)))
        });
        Arc::clone(rendering)
    }
}

/// Pieces are whole samples, and not of a whole number of ms: nor are the real server's.
fn cut(audio: &[u8], format: Format, rng: &mut SmallRng) -> Rendering {
    let mut pieces = Vec::new();
    let mut rest = audio;
    while !rest.is_empty() {
        let range = if pieces.is_empty() { FIRST_DELTA_MS } else { DELTA_MS };
        let samples = (rng.random_range(range) * format.samples_per_ms() as f64) as usize;
        let (piece, after) = rest.split_at((samples * format.sample_bytes()).min(rest.len()));
        let ms = (piece.len() / format.sample_bytes()) as f64 / format.samples_per_ms() as f64;
        pieces.push(Piece { base64: BASE64.encode(piece).into(), ms });
        rest = after;
    }
    Rendering { pieces }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::speech;

    #[test]
    fn deltas_join_to_the_clip_and_are_as_long_as_real_ones() {
        let renderings = Renderings::new(7);
        for clip in speech::clips() {
            for format in [Format::Pcm, Format::Pcmu, Format::Pcma] {
                let rendering = renderings.get(clip, format);
                let (last, whole) = rendering.pieces.split_last().unwrap();
                assert!(FIRST_DELTA_MS.contains(&(whole[0].ms + 1.0)) || FIRST_DELTA_MS.contains(&whole[0].ms));
                assert!(whole[1..].iter().all(|piece| (187.0..=276.0).contains(&piece.ms)), "{clip:?}");
                assert!(last.ms <= 276.0);
                let joined: Vec<u8> =
                    rendering.pieces.iter().flat_map(|piece| BASE64.decode(&*piece.base64).unwrap()).collect();
                assert!(joined == format.encode(clip), "{clip:?}");
            }
        }
    }
}
