//! Streams that share their filters.
//!
//! A rubato resampler owns its FFT plans, filter and work buffers: some 15 KiB, of which 4 are one stream's state. With
//! hundreds of calls a core, all that would go through the cache for every frame, at the price of computing it twice.
//! So the streams of a thread share instances: each is a channel of one, and only that channel is run.

use std::cell::RefCell;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use rubato::audioadapter_buffers::direct::SparseSequentialSliceOfSlices as Slices;
use rubato::{Fft, FixedSync, Indexing, Resampler as _, WindowFunction};

/// Streams to an instance: more would make each block's walk over the channels dear, fewer the sharing poor.
const CHANNELS: usize = 16;

/// Audio goes through in blocks of 10 ms, half of which is the filter's delay. Longer blocks filter more steeply and
/// wait longer; this length is level to 0.05 dB up to the 3.4 kHz of telephone speech.
const BLOCKS_A_SECOND: usize = 100;

thread_local! {
    static BANKS: RefCell<Vec<Weak<Mutex<Bank>>>> = const { RefCell::new(Vec::new()) };
}

/// One stream's place in a bank. It may move to another thread: that is only slower.
pub(super) struct Lease {
    bank: Arc<Mutex<Bank>>,
    channel: usize,
}

impl Lease {
    /// A place for a new stream; None if no block of at most 50 ms fits both rates.
    pub(super) fn new(from_hz: usize, to_hz: usize) -> Option<Self> {
        BANKS.try_with(|banks| Self::shared(&mut banks.borrow_mut(), from_hz, to_hz)).ok()?
    }

    fn shared(banks: &mut Vec<Weak<Mutex<Bank>>>, from_hz: usize, to_hz: usize) -> Option<Self> {
        banks.retain(|bank| bank.strong_count() > 0);
        for bank in banks.iter().filter_map(Weak::upgrade) {
            let channel = lock(&bank).claim(from_hz, to_hz);
            if let Some(channel) = channel {
                return Some(Self { bank, channel });
            }
        }
        let mut bank = Bank::new(from_hz, to_hz)?;
        let channel = bank.claim(from_hz, to_hz)?;
        let bank = Arc::new(Mutex::new(bank));
        banks.push(Arc::downgrade(&bank));
        Some(Self { bank, channel })
    }

    /// The stream's place for as long as a message takes.
    pub(super) fn open(&self) -> Open<'_> {
        Open { bank: lock(&self.bank), channel: self.channel }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut open = self.open();
        open.silence();
        open.bank.states[self.channel] = State::Free;
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").field("channel", &self.channel).finish_non_exhaustive()
    }
}

/// A panic elsewhere leaves a bank usable: each block overwrites whatever the streams share.
fn lock(bank: &Mutex<Bank>) -> MutexGuard<'_, Bank> {
    bank.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A lease, locked.
pub(super) struct Open<'a> {
    bank: MutexGuard<'a, Bank>,
    channel: usize,
}

impl Open<'_> {
    /// Resamples one block of the input's length.
    pub(super) fn process(&mut self, block: &[f32]) -> &[f32] {
        self.bank.process(self.channel, block);
        &self.bank.output
    }

    /// Forgets the stream so far.
    pub(super) fn silence(&mut self) {
        self.bank.process(self.channel, &[]);
    }

    /// Samples in a block, before and after.
    pub(super) fn block(&self) -> (usize, usize) {
        (self.bank.fft.fft_size_in(), self.bank.fft.fft_size_out())
    }

    /// The filter's delay, in output samples.
    pub(super) fn delay(&self) -> usize {
        self.bank.fft.output_delay()
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Free,
    /// Leased, and nothing of an earlier block is left to come out.
    Quiet,
    /// Leased, and the last block's second half is still to come out.
    Ringing,
}

struct Bank {
    rates_hz: (usize, usize),
    fft: Fft<f32>,
    states: [State; CHANNELS],
    /// Selects the channel to run: all false between blocks.
    active: Indexing,
    output: Vec<f32>,
}

impl Bank {
    fn new(from_hz: usize, to_hz: usize) -> Option<Self> {
        let block = from_hz / BLOCKS_A_SECOND;
        let fft = Fft::new_custom(from_hz, to_hz, block, 1, CHANNELS, WindowFunction::Hann2, FixedSync::Both).ok()?;
        if fft.fft_size_in() > 5 * block {
            return None;
        }
        let output = vec![0.0; fft.fft_size_out()];
        let active = Indexing::new().active_channels_mask(vec![false; CHANNELS]);
        Some(Self { rates_hz: (from_hz, to_hz), fft, states: [State::Free; CHANNELS], active, output })
    }

    fn claim(&mut self, from_hz: usize, to_hz: usize) -> Option<usize> {
        if self.rates_hz != (from_hz, to_hz) {
            return None;
        }
        let channel = self.states.iter().position(|state| *state == State::Free)?;
        self.states[channel] = State::Quiet;
        Some(channel)
    }

    /// Leaves the block's output in `output`. No samples mean a block of silence.
    ///
    /// Silence after silence is silence, exactly, and needs no filter: held and muted calls cost next to nothing.
    fn process(&mut self, channel: usize, block: &[f32]) {
        let silent = block.iter().all(|sample| *sample == 0.0);
        if silent && self.states[channel] == State::Quiet {
            self.output.fill(0.0);
            return;
        }
        self.states[channel] = if silent { State::Quiet } else { State::Ringing };
        self.active.partial_len = silent.then_some(0);
        if !self.run(channel, block) {
            // Only buffers of a wrong size are refused, and a stream's never change theirs.
            self.output.fill(0.0);
        }
    }

    fn run(&mut self, channel: usize, block: &[f32]) -> bool {
        let Self { fft, active, output, .. } = self;
        if let Some(mask) = &mut active.active_channels_mask {
            mask.fill(false);
            mask[channel] = true;
        }
        let mask = active.active_channels_mask.as_deref().unwrap_or_default();
        let frames_out = output.len();
        let mut inputs: [&[f32]; CHANNELS] = [&[]; CHANNELS];
        let mut outputs: [&mut [f32]; CHANNELS] = std::array::from_fn(|_| <&mut [f32]>::default());
        inputs[channel] = block;
        outputs[channel] = output;
        let input = Slices::new(&inputs, CHANNELS, block.len(), mask);
        let output = Slices::new_mut(&mut outputs, CHANNELS, frames_out, mask);
        match (input, output) {
            (Ok(input), Ok(mut output)) => fft.process_into_buffer(&input, &mut output, Some(active)).is_ok(),
            _ => false,
        }
    }
}
