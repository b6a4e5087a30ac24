//! The caller's audio: how much there is, when the caller speaks, and which call it is.
//!
//! Everything here runs for every append of every session under load: it works on what is there without allocating,
//! at 8 kHz whatever the format (every third sample of 24 kHz is plenty to tell speech from silence).

mod preamble;
mod vad;

use codecs::level::rms_dbfs;

use super::config::Turns;
use super::format::Format;
use preamble::Preamble;
pub(super) use vad::Heard;
use vad::Vad;

/// 20 ms of s16le at 8 kHz.
const FRAME_BYTES: usize = 320;
/// All times are counted in samples at 24 kHz, of which every format has a whole number in a ms.
pub(super) const TICKS_PER_MS: u64 = 24;

/// One session's input audio buffer.
pub(super) struct Input {
    ticks: u64,
    committed_at: u64,
    /// Decoded audio not yet a frame, s16le at 8 kHz.
    frame: Vec<u8>,
    /// Samples at 24 kHz since the last one taken, modulo 3: at 0 the next is taken.
    phase: usize,
    vad: Vad,
    preamble: Preamble,
}

impl Input {
    pub(super) fn new() -> Self {
        Self {
            ticks: 0,
            committed_at: 0,
            frame: Vec::with_capacity(FRAME_BYTES),
            phase: 0,
            vad: Vad::default(),
            preamble: Preamble::default(),
        }
    }

    /// Takes audio in that format up to the next beginning or end of speech: bytes used, and what it was.
    pub(super) fn append(&mut self, audio: &[u8], format: Format, turns: Option<&Turns>) -> (usize, Option<Heard>) {
        let mut used = 0;
        let mut heard = None;
        while used < audio.len() && heard.is_none() {
            used += self.fill(&audio[used..], format);
            if self.frame.len() == FRAME_BYTES {
                self.preamble.push(&self.frame);
                let level = rms_dbfs(&self.frame);
                self.frame.clear();
                heard = turns.and_then(|turns| self.vad.push(level, turns));
            }
        }
        self.ticks += used as u64 * TICKS_PER_MS / (format.sample_bytes() * format.samples_per_ms()) as u64;
        (used, heard)
    }

    /// Fills the frame from the audio; bytes used.
    fn fill(&mut self, audio: &[u8], format: Format) -> usize {
        match format {
            Format::Pcm => {
                let samples = audio.as_chunks::<2>().0;
                let skipped = (3 - self.phase) % 3;
                let wanted = (FRAME_BYTES - self.frame.len()) / 2;
                let used = samples.len().min(skipped + 3 * wanted - 2);
                for sample in samples[..used].iter().skip(skipped).step_by(3) {
                    self.frame.extend_from_slice(sample);
                }
                self.phase = (self.phase + used) % 3;
                (2 * used).max(1)
            }
            Format::Pcmu | Format::Pcma => {
                let missing = (FRAME_BYTES - self.frame.len()) / 2;
                let codes = &audio[..missing.min(audio.len())];
                format.decode(codes, &mut self.frame);
                codes.len()
            }
        }
    }

    /// [`TICKS_PER_MS`] appended in this session.
    pub(super) fn appended_ticks(&self) -> u64 {
        self.ticks
    }

    /// ms appended in this session.
    pub(super) fn appended_ms(&self) -> u64 {
        self.ticks / TICKS_PER_MS
    }

    /// ms in the buffer: appended, and neither committed nor cleared.
    pub(super) fn buffered_ms(&self) -> f64 {
        (self.ticks - self.committed_at) as f64 / TICKS_PER_MS as f64
    }

    /// Empties the buffer, by a commit or a clear.
    pub(super) fn empty(&mut self) {
        self.committed_at = self.ticks;
    }

    /// dBFS of every 20 ms since the speech began, for the recogniser.
    pub(super) fn speech(&self) -> &[f32] {
        self.vad.speech()
    }

    /// The number of the call, once its preamble was heard.
    pub(super) fn call(&self) -> Option<u16> {
        self.preamble.call()
    }

    /// Whether a preamble may still come.
    pub(super) fn awaits_preamble(&self) -> bool {
        self.preamble.pending()
    }
}
