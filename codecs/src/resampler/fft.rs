//! Between any two rates, by rubato's FFT: in blocks of 10 ms, 5 ms late.

mod bank;

use bank::{Lease, Open};

use crate::pcm::{round_to_i16, write_pairs};

/// One stream.
#[derive(Debug)]
pub(super) struct Stage {
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
    /// None if no block of at most 50 ms fits both rates.
    pub(super) fn new(from_hz: u32, to_hz: u32) -> Option<Self> {
        let lease = Lease::new(from_hz as usize, to_hz as usize)?;
        let open = lease.open();
        let ((block_in, block_out), delay) = (open.block(), open.delay());
        drop(open);
        Some(Self { lease, block: vec![0.0; block_in].into(), filled: 0, block_out, delay, fresh: true })
    }

    pub(super) fn push(&mut self, pcm: &[u8], out: &mut Vec<u8>) {
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

    pub(super) fn flush(&mut self, out: &mut Vec<u8>) {
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

    /// The filter's delay, in output samples.
    pub(super) const fn delay(&self) -> usize {
        self.delay
    }

    pub(super) fn reset(&mut self) {
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
