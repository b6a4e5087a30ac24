//! The number of a call under load, keyed into the first second of its audio: 40 ms slots of a 1 kHz tone at about
//! -45 dBFS (1) or silence (0): 1, 0, 1, then 16 bits of the number, the highest first, then the bit that makes their
//! count of ones even.

use codecs::level::rms_dbfs;

/// 5 ms of s16le at 8 kHz: the grain in which a slot's beginning is found.
const BLOCK_BYTES: usize = 80;
const SLOT_BLOCKS: usize = 8;
const SYNC: [bool; 3] = [true, false, true];
const SLOTS: usize = SYNC.len() + 16 + 1;
/// The middle of a slot, which a filter's delay or a cut in the wrong place cannot reach.
const MIDDLE: std::ops::Range<usize> = 2..6;
/// How far from the first loud block the first slot may begin.
const SLACK_BLOCKS: usize = 3;
/// Between the tone and silence.
const THRESHOLD_DBFS: f32 = -53.0;
/// 5 s of silence, the preamble, and its slack.
const WINDOW_BLOCKS: usize = 1_000 + SLOTS * SLOT_BLOCKS + 2 * SLACK_BLOCKS;

#[derive(Debug, Default)]
pub(super) struct Preamble {
    /// dBFS of each block, until the call is known or the window is over.
    levels: Vec<f32>,
    blocks: usize,
    call: Option<u16>,
}

impl Preamble {
    /// Takes whole frames of s16le at 8 kHz.
    pub(super) fn push(&mut self, pcm: &[u8]) {
        if !self.pending() {
            return;
        }
        self.blocks += pcm.len() / BLOCK_BYTES;
        // Silence before the first tone is of no interest.
        for level in pcm.chunks_exact(BLOCK_BYTES).map(rms_dbfs) {
            if !self.levels.is_empty() || level > THRESHOLD_DBFS {
                self.levels.push(level);
            }
        }
        while self.levels.len() >= SLOTS * SLOT_BLOCKS + SLACK_BLOCKS {
            self.call = (0..=2 * SLACK_BLOCKS).find_map(|shift| self.decode(shift));
            if self.call.is_some() {
                break;
            }
            // That was a noise: look from the next loud block on.
            let next = self.levels.iter().skip(1).position(|level| *level > THRESHOLD_DBFS);
            self.levels.drain(..next.map_or(self.levels.len(), |next| next + 1));
        }
        if !self.pending() {
            self.levels = Vec::new();
        }
    }

    pub(super) fn pending(&self) -> bool {
        self.call.is_none() && self.blocks < WINDOW_BLOCKS
    }

    pub(super) fn call(&self) -> Option<u16> {
        self.call
    }

    /// Reads the slots as if the first began `shift` blocks after the earliest place it may be at.
    fn decode(&self, shift: usize) -> Option<u16> {
        // The nearest shifts first: 0, +1, -1, +2, …
        let shift = shift.div_ceil(2).cast_signed() * if shift % 2 == 1 { 1 } else { -1 };
        let slot = |index: usize| {
            let mut loud = 0;
            for block in MIDDLE {
                let at = (index * SLOT_BLOCKS + block).checked_add_signed(shift)?;
                loud += usize::from(*self.levels.get(at)? > THRESHOLD_DBFS);
            }
            match loud {
                0 | 1 => Some(false),
                3.. => Some(true),
                _ => None,
            }
        };
        for (index, expected) in SYNC.iter().enumerate() {
            if slot(index)? != *expected {
                return None;
            }
        }
        let mut call = 0;
        for index in 0..16 {
            call = call << 1 | u16::from(slot(SYNC.len() + index)?);
        }
        let parity = slot(SLOTS - 1)?;
        (parity == (call.count_ones() % 2 == 1)).then_some(call)
    }
}

#[cfg(test)]
mod tests {
    use codecs::g711;

    use super::*;

    fn keyed(call: u16, peak: f32) -> Vec<i16> {
        let bits = (0..16).rev().map(|bit| call >> bit & 1 == 1);
        let slots = SYNC.into_iter().chain(bits).chain([call.count_ones() % 2 == 1]);
        let tone = |n: u16| (peak * (std::f32::consts::TAU * f32::from(n) / 8.0).sin()) as i16;
        slots.flat_map(|on| (0..320_u16).map(move |n| if on { tone(n) } else { 0 })).collect()
    }

    fn decoded(samples: &[i16]) -> Option<u16> {
        let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        let (mut coded, mut pcm) = (Vec::new(), Vec::new());
        g711::pcm_to_ulaw(&bytes, &mut coded);
        g711::ulaw_to_pcm(&coded, &mut pcm);
        let mut preamble = Preamble::default();
        pcm.chunks_exact(320).for_each(|frame| preamble.push(frame));
        preamble.call()
    }

    #[test]
    fn every_offset_and_any_silence_before_it_is_read_through_g711() {
        for call in [0, 1, 0x8000, 0x5555, 0xffff, 1_234] {
            for silence in [0, 1, 37, 80, 119, 159, 8_000, 40_000] {
                let mut samples = vec![0; silence];
                samples.extend(keyed(call, 260.0));
                samples.extend([0; 1_600]);
                assert_eq!(decoded(&samples), Some(call), "{call} after {silence} samples");
            }
        }
    }

    #[test]
    fn slots_up_to_15_ms_out_of_place_are_read() {
        for early in [0, 60, 119] {
            // A click before the preamble moves where it seems to begin.
            let mut samples = vec![0; 1_000];
            samples.extend([300; 40]);
            samples.extend(vec![0; 119 - early]);
            samples.extend(keyed(77, 260.0));
            samples.extend([0; 1_600]);
            assert_eq!(decoded(&samples), Some(77));
        }
    }

    #[test]
    fn a_noise_before_the_preamble_does_not_hide_it() {
        let mut samples = vec![0; 3_000];
        samples.extend([900; 250]);
        samples.extend([0; 2_000]);
        samples.extend(keyed(300, 260.0));
        samples.extend([0; 8_000]);
        assert_eq!(decoded(&samples), Some(300));
    }

    #[test]
    fn speech_and_silence_are_no_preamble() {
        let speech: Vec<i16> = (0..64_000).map(|n| ((n % 97) * 200) as i16).collect();
        assert_eq!((decoded(&speech), decoded(&[0; 64_000])), (None, None));
    }
}
