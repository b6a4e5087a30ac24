//! From the carrier's sample rate to the model's, and back.

mod fft;
mod polyphase;

use polyphase::{Decimator, Interpolator};

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
        self.stage.as_ref().map_or(0.0, |stage| stage.delay() as f32 * 1_000.0 / self.to_hz as f32)
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

/// A rate to its triple and back, which is what nearly every call needs, takes two thirds of the work and half of the delay that any two rates take.
#[derive(Debug)]
enum Stage {
    Up(Interpolator),
    Down(Box<Decimator>),
    Any(fft::Stage),
}

impl Stage {
    fn new(from_hz: u32, to_hz: u32) -> Option<Self> {
        if from_hz * 3 == to_hz {
            Some(Self::Up(Interpolator::default()))
        } else if from_hz == to_hz * 3 {
            Some(Self::Down(Box::default()))
        } else {
            fft::Stage::new(from_hz, to_hz).map(Self::Any)
        }
    }

    fn push(&mut self, pcm: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::Up(stage) => stage.push(pcm, out),
            Self::Down(stage) => stage.push(pcm, out),
            Self::Any(stage) => stage.push(pcm, out),
        }
    }

    fn flush(&mut self, out: &mut Vec<u8>) {
        match self {
            Self::Up(stage) => stage.flush(out),
            Self::Down(stage) => stage.flush(out),
            Self::Any(stage) => stage.flush(out),
        }
    }

    fn reset(&mut self) {
        match self {
            Self::Up(stage) => *stage = Interpolator::default(),
            Self::Down(stage) => **stage = Decimator::default(),
            Self::Any(stage) => stage.reset(),
        }
    }

    /// In output samples.
    const fn delay(&self) -> usize {
        match self {
            Self::Up(_) => Interpolator::DELAY,
            Self::Down(_) => Decimator::DELAY,
            Self::Any(stage) => stage.delay(),
        }
    }
}

#[cfg(test)]
mod tests;
