//! What every caller says, rendered once: its number in tones, then two seconds of speech and four of silence, for ever. One that cuts in
//! is silent for two, so that the agent still speaks when it begins again.

use std::f64::consts::TAU;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use codecs::level::rms_dbfs;

use super::scenario::Role;

const HZ: usize = 8_000;
const PER_MS: usize = HZ / 1_000;
const SPEECH_MS: usize = 2_000;
const LOOP_MS: usize = 6_000;
const LOOP_OF_BARGE_MS: usize = 4_000;
const SPEECH_DBFS: f32 = -15.0;

/// One on-off keyed slot of the preamble.
const SLOT_MS: usize = 40;
const TONE_HZ: f64 = 1_000.0;
const TONE_DBFS: f64 = -45.0;

/// The shared part of the script as base64, cut into frames of equal length.
#[derive(Debug)]
pub(super) struct Script {
    base64: Vec<u8>,
    frame_chars: usize,
    frame_bytes: usize,
}

impl Script {
    pub(super) fn render(frame_ms: u32, role: Role) -> Self {
        let frame_bytes = frame_ms as usize * PER_MS * 2;
        let mut pcm = bytes(&speech());
        let loop_ms = if role == Role::Barge { LOOP_OF_BARGE_MS } else { LOOP_MS };
        pcm.resize((loop_ms * PER_MS * 2).next_multiple_of(frame_bytes), 0);
        Self { base64: encode(&pcm, frame_bytes), frame_chars: frame_bytes.div_ceil(3) * 4, frame_bytes }
    }

    /// Frames until it begins again.
    pub(super) fn frames(&self) -> usize {
        self.base64.len() / self.frame_chars
    }

    pub(super) fn frame(&self, index: usize) -> &[u8] {
        let at = index % self.frames() * self.frame_chars;
        &self.base64[at..at + self.frame_chars]
    }

    /// A caller's number, cut alike; silence fills the last frame.
    pub(super) fn preamble(&self, number: u16) -> Preamble {
        let mut pcm = bytes(&preamble(number));
        pcm.resize(pcm.len().next_multiple_of(self.frame_bytes), 0);
        Preamble { base64: encode(&pcm, self.frame_bytes), frame_chars: self.frame_chars }
    }
}

/// What one caller says first.
#[derive(Debug)]
pub(super) struct Preamble {
    base64: Vec<u8>,
    frame_chars: usize,
}

impl Preamble {
    pub(super) fn frames(&self) -> usize {
        self.base64.len() / self.frame_chars
    }

    pub(super) fn frame(&self, index: usize) -> &[u8] {
        self.base64.chunks(self.frame_chars).nth(index).unwrap_or_default()
    }
}

fn encode(pcm: &[u8], frame_bytes: usize) -> Vec<u8> {
    pcm.chunks(frame_bytes).flat_map(|frame| STANDARD.encode(frame).into_bytes()).collect()
}

fn bytes(samples: &[i16]) -> Vec<u8> {
    samples.iter().flat_map(|sample| sample.to_le_bytes()).collect()
}

/// A voice without words: harmonics of a wandering pitch, four syllables a second.
fn speech() -> Vec<i16> {
    let mut phase = 0.0;
    let shape: Vec<f64> = (0..SPEECH_MS * PER_MS)
        .map(|at| {
            let t = at as f64 / HZ as f64;
            phase += TAU * (130.0 + 20.0 * (TAU * 0.7 * t).sin()) / HZ as f64;
            let voiced: f64 = (1..=20).map(|k| (phase * f64::from(k) + f64::from(k * k)).sin() / f64::from(k)).sum();
            voiced * (0.65 - 0.35 * (TAU * 4.0 * t).cos())
        })
        .collect();
    let rms = (shape.iter().map(|sample| sample * sample).sum::<f64>() / shape.len() as f64).sqrt();
    let scale = f64::from(i16::MAX) * 10_f64.powf(f64::from(SPEECH_DBFS) / 20.0) / rms;
    let samples: Vec<i16> = shape.iter().map(|sample| (sample * scale) as i16).collect();
    debug_assert!((rms_dbfs(&bytes(&samples)) - SPEECH_DBFS).abs() < 0.5);
    samples
}

/// Slots of 40 ms, tone for 1: 1 0 1, sixteen bits of the number from the highest, and a slot that makes the ones even.
fn preamble(number: u16) -> Vec<i16> {
    let amplitude = f64::from(i16::MAX) * 10_f64.powf(TONE_DBFS / 20.0) * std::f64::consts::SQRT_2;
    let bits = (0..16).rev().map(|bit| number >> bit & 1 == 1);
    let parity = number.count_ones() % 2 == 1;
    [true, false, true]
        .into_iter()
        .chain(bits)
        .chain([parity])
        .flat_map(|on| {
            (0..SLOT_MS * PER_MS).map(move |at| match on {
                true => ((TAU * TONE_HZ * at as f64 / HZ as f64).sin() * amplitude) as i16,
                false => 0,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(base64: &[u8]) -> Vec<u8> {
        STANDARD.decode(base64).unwrap()
    }

    #[test]
    fn the_script_is_two_seconds_of_speech_and_four_of_silence() {
        for frame_ms in [20, 60, 100, 160] {
            let script = Script::render(frame_ms, Role::Talk);
            let pcm: Vec<u8> = (0..script.frames()).flat_map(|index| decode(script.frame(index))).collect();
            assert_eq!(pcm.len() % (frame_ms as usize * 16), 0);
            assert!((6_000..6_200).contains(&(pcm.len() / 16)));
            assert!((rms_dbfs(&pcm[..32_000]) + 15.0).abs() < 0.5);
            assert!(pcm[32_000..].iter().all(|byte| *byte == 0));
            // No pause long enough to be taken for the end of the utterance.
            assert!(pcm[..32_000].chunks(640).all(|part| rms_dbfs(part) > -32.0));
        }
    }

    #[test]
    fn the_preamble_says_the_number_in_slots() {
        let preamble = Script::render(100, Role::Talk).preamble(0b1000_0000_0000_0011);
        let pcm: Vec<u8> = (0..preamble.frames()).flat_map(|index| decode(preamble.frame(index))).collect();
        assert_eq!(pcm.len(), 800 * 16);
        let slots: String = pcm.chunks(640).map(|slot| if rms_dbfs(slot) > -60.0 { '1' } else { '0' }).collect();
        assert_eq!(slots, "10110000000000000111");
        assert!((rms_dbfs(&pcm[..640]) + 45.0).abs() < 0.5);
    }
}
