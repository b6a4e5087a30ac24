//! From the carrier's sample rate to the model's, and back.

mod bank;

use crate::pcm::{round_to_i16, write_pairs};
use bank::{Lease, Open};

/// Why there is no resampler for a pair of rates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResampleError {
    /// Another pair has to be agreed on with the peer.
    #[error("cannot resample from {from_hz} Hz to {to_hz} Hz")]
    Unsupported {
        /// The input's rate.
        from_hz: u32,
        /// The output's rate.
        to_hz: u32,
    },
}

/// Resamples one stream of s16le mono audio.
///
/// What comes out depends only on what went in, not on how it was cut into messages. Best made on the thread that will
/// push to it, since the streams of a thread share their filters.
#[derive(Debug)]
pub struct Resampler {
    from_hz: u32,
    to_hz: u32,
    /// None where both rates are the same.
    stage: Option<Stage>,
}

impl Resampler {
    /// A resampler between two rates from 8 to 48 kHz.
    ///
    /// # Errors
    /// [`ResampleError::Unsupported`] for any other rate, and for two so odd that no block of 50 ms fits both.
    pub fn new(from_hz: u32, to_hz: u32) -> Result<Self, ResampleError> {
        let unsupported = ResampleError::Unsupported { from_hz, to_hz };
        if ![from_hz, to_hz].iter().all(|hz| (8_000..=48_000).contains(hz)) {
            return Err(unsupported);
        }
        let stage = (from_hz != to_hz).then(|| Stage::new(from_hz, to_hz).ok_or(unsupported)).transpose()?;
        Ok(Self { from_hz, to_hz, stage })
    }

    /// Takes whole samples, and appends those that are ready. An odd trailing byte is ignored.
    pub fn push(&mut self, pcm: &[u8], out: &mut Vec<u8>) {
        match &mut self.stage {
            Some(stage) => stage.push(pcm, out),
            None => out.extend_from_slice(&pcm[..pcm.len() & !1]),
        }
    }

    /// Ends the stream: appends all that is still inside, and starts anew. Over its whole life a stream comes out as
    /// long as it went in (rounded up to a sample) and [`delay_ms`](Self::delay_ms) more: the silence it began with.
    pub fn flush(&mut self, out: &mut Vec<u8>) {
        if let Some(stage) = &mut self.stage {
            stage.flush(out);
        }
    }

    /// Forgets the stream so far.
    pub fn reset(&mut self) {
        if let Some(stage) = &mut self.stage {
            stage.reset();
        }
    }

    /// How much later audio comes out than it went in, in milliseconds, when it is pushed in multiples of 10 ms.
    #[must_use]
    pub fn delay_ms(&self) -> f32 {
        self.stage.as_ref().map_or(0.0, |stage| stage.delay as f32 * 1_000.0 / self.to_hz as f32)
    }

    /// The input's rate.
    #[must_use]
    pub const fn from_hz(&self) -> u32 {
        self.from_hz
    }

    /// The output's rate.
    #[must_use]
    pub const fn to_hz(&self) -> u32 {
        self.to_hz
    }
}

#[derive(Debug)]
struct Stage {
    lease: Lease,
    /// The block being gathered: `filled` samples, in 16-bit units.
    block: Box<[f32]>,
    filled: usize,
    /// Samples that a whole block becomes.
    block_out: usize,
    /// The filter's delay, in output samples.
    delay: usize,
    /// Nothing was pushed since the stream began.
    fresh: bool,
}

impl Stage {
    fn new(from_hz: u32, to_hz: u32) -> Option<Self> {
        let lease = Lease::new(from_hz as usize, to_hz as usize)?;
        let open = lease.open();
        let ((block_in, block_out), delay) = (open.block(), open.delay());
        drop(open);
        Some(Self { lease, block: vec![0.0; block_in].into(), filled: 0, block_out, delay, fresh: true })
    }

    fn push(&mut self, pcm: &[u8], out: &mut Vec<u8>) {
        let mut samples = pcm.as_chunks::<2>().0;
        self.fresh &= samples.is_empty();
        let mut open = self.lease.open();
        while !samples.is_empty() {
            let room = &mut self.block[self.filled..];
            let (head, tail) = samples.split_at(samples.len().min(room.len()));
            for (sample, bytes) in room.iter_mut().zip(head) {
                *sample = f32::from(i16::from_le_bytes(*bytes));
            }
            self.filled += head.len();
            samples = tail;
            if self.filled == self.block.len() {
                self.filled = 0;
                process(&mut open, &self.block, self.block_out, out);
            }
        }
    }

    fn flush(&mut self, out: &mut Vec<u8>) {
        if !self.fresh {
            let mut owed = (self.filled * self.block_out).div_ceil(self.block.len()) + self.delay;
            let mut open = self.lease.open();
            while owed > 0 {
                self.block[self.filled..].fill(0.0);
                self.filled = 0;
                let ready = owed.min(self.block_out);
                process(&mut open, &self.block, ready, out);
                owed -= ready;
            }
        }
        self.reset();
    }

    fn reset(&mut self) {
        self.lease.open().silence();
        self.filled = 0;
        self.fresh = true;
    }
}

/// Appends the first `ready` samples that a block becomes.
fn process(open: &mut Open<'_>, block: &[f32], ready: usize, out: &mut Vec<u8>) {
    let output = open.process(block);
    write_pairs(&output[..ready.min(output.len())], out, |sample| round_to_i16(sample).to_le_bytes());
}

#[cfg(test)]
mod tests;
