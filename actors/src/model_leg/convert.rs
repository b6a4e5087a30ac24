//! The carrier's PCM to and from the session's effective formats.
//!
//! It is here and not in the carrier's leg since only the model's leg reads back what formats its server really uses, and so
//! that everything between the two legs is held at the carrier's rate.

use codecs::{Resampler, SampleRate, g711};
use protocol::realtime::event::{AudioFormat, ContentKey};

/// A converter gives in whole blocks of its own: at times this much more than it was just given.
const SLACK_MS: usize = 11;

/// A way of one direction.
enum Stage {
    /// The rates are the same.
    Through,
    /// Between two rates (hertz), and nothing went through yet. A call that waits for its stream needs no converter; and it is made on
    /// the thread that pushes to it, whose streams share their filters.
    Unused(u32, u32),
    /// Between two rates.
    Rate(Box<Resampler>),
    /// There is no converter between them: such audio is dropped, and counted by the caller.
    None,
}

impl Stage {
    const fn new(from_hz: u32, to_hz: u32) -> Self {
        if from_hz == to_hz { Self::Through } else { Self::Unused(from_hz, to_hz) }
    }

    fn push(&mut self, pcm: &[u8], out: &mut Vec<u8>) {
        if let Self::Unused(from_hz, to_hz) = *self {
            let made = Resampler::new(from_hz, to_hz);
            *self = made.map_or(Self::None, |resampler| Self::Rate(Box::new(resampler)));
        }
        match self {
            Self::Through => out.extend_from_slice(pcm),
            Self::Rate(resampler) => resampler.push(pcm, out),
            Self::Unused(..) | Self::None => {}
        }
    }
}

const fn hz(format: AudioFormat) -> u32 {
    match format {
        AudioFormat::Pcm { rate } => rate,
        AudioFormat::Pcmu | AudioFormat::Pcma => 8_000,
    }
}

/// Both directions of one connection. Continuous within an item: state and odd bytes survive from delta to delta.
pub(crate) struct Converter {
    carrier: SampleRate,
    input: AudioFormat,
    output: AudioFormat,
    up: Stage,
    down: Stage,
    /// The content `down` is in the middle of.
    current: Option<ContentKey>,
    /// The first byte of a sample whose second is in the next delta.
    odd: Option<u8>,
    /// Bytes of the server's audio, as s16le, in the current content; and of the carrier's made of it.
    taken: usize,
    made: usize,
    /// `down` was made on another thread, and works best replaced when its content ends.
    foreign: bool,
}

impl Converter {
    /// Between `carrier` and what a server uses that was not asked for anything else.
    pub(crate) fn new(carrier: SampleRate) -> Self {
        let format = AudioFormat::Pcm { rate: 24_000 };
        let (up, down) = (Stage::new(carrier.hz(), hz(format)), Stage::new(hz(format), carrier.hz()));
        Self {
            carrier,
            input: format,
            output: format,
            up,
            down,
            current: None,
            odd: None,
            taken: 0,
            made: 0,
            foreign: false,
        }
    }

    /// Settles on the current thread, whose streams share their filters. Before the caller's audio begins.
    pub(crate) fn rehome(&mut self) {
        self.up = Stage::new(self.carrier.hz(), hz(self.input));
        self.foreign = self.current.is_some();
        if !self.foreign {
            self.down = Stage::new(hz(self.output), self.carrier.hz());
        }
    }

    /// Sets the carrier's rate.
    pub(crate) fn set_carrier(&mut self, carrier: SampleRate) {
        if self.carrier != carrier {
            self.carrier = carrier;
            self.up = Stage::new(carrier.hz(), hz(self.input));
            self.down = Stage::new(hz(self.output), carrier.hz());
        }
    }

    /// Sets what the server takes.
    pub(crate) fn set_input(&mut self, format: AudioFormat) {
        if self.input != format {
            self.input = format;
            self.up = Stage::new(self.carrier.hz(), hz(format));
        }
    }

    /// Sets what the server sends.
    pub(crate) fn set_output(&mut self, format: AudioFormat) {
        if self.output != format {
            self.output = format;
            self.down = Stage::new(hz(format), self.carrier.hz());
            self.odd = None;
        }
    }

    /// Caller audio to what the server takes, appended to `out`; it may be nothing while a block fills up.
    pub(crate) fn encode(&mut self, carrier_pcm: &[u8], scratch: &mut Vec<u8>, out: &mut Vec<u8>) {
        let law = match self.input {
            AudioFormat::Pcm { .. } => return self.up.push(carrier_pcm, out),
            AudioFormat::Pcmu => g711::pcm_to_ulaw,
            AudioFormat::Pcma => g711::pcm_to_alaw,
        };
        scratch.clear();
        self.up.push(carrier_pcm, scratch);
        law(scratch, out);
    }

    /// About how many bytes of the carrier's PCM so many bytes of the server's audio become.
    pub(crate) fn decoded_len(&self, delta: usize) -> usize {
        let samples = if matches!(self.output, AudioFormat::Pcm { .. }) { delta / 2 } else { delta };
        let ms = samples * 1_000 / hz(self.output).max(1) as usize;
        (ms + SLACK_MS) * self.carrier.bytes_per_ms()
    }

    /// Whether audio of `key` continues what came before. If not, [`Self::finish`] what came before first.
    pub(crate) fn continues(&self, key: &ContentKey) -> bool {
        self.current.as_ref().is_none_or(|current| current == key)
    }

    /// A delta of the server's audio to the carrier's PCM, appended to `out`.
    pub(crate) fn decode(&mut self, key: &ContentKey, delta: &[u8], scratch: &mut Vec<u8>, out: &mut Vec<u8>) {
        if self.current.is_none() {
            self.current = Some(key.clone());
        }
        scratch.clear();
        let whole_samples = self.odd.is_none() && delta.len().is_multiple_of(2);
        let pcm = match self.output {
            AudioFormat::Pcm { .. } if whole_samples => delta,
            AudioFormat::Pcm { .. } => {
                scratch.extend(self.odd.take());
                scratch.extend_from_slice(delta);
                if !scratch.len().is_multiple_of(2) {
                    self.odd = scratch.pop();
                }
                scratch
            }
            AudioFormat::Pcmu => {
                g711::ulaw_to_pcm(delta, scratch);
                scratch
            }
            AudioFormat::Pcma => {
                g711::alaw_to_pcm(delta, scratch);
                scratch
            }
        };
        let before = out.len();
        self.down.push(pcm, out);
        self.taken += pcm.len();
        self.made += out.len() - before;
    }

    /// Ends the current content: what the converter still held of it, appended to `out`, and whose it was.
    pub(crate) fn finish(&mut self, out: &mut Vec<u8>) -> Option<ContentKey> {
        let ended = self.current.take()?;
        self.odd = None;
        if let Stage::Rate(resampler) = &mut self.down {
            let before = out.len();
            resampler.flush(out);
            // The filter's own delay is not audio of the server's: the ledger must never hold more than was generated.
            let whole = self.taken / 2 * self.carrier.hz() as usize / hz(self.output) as usize * 2;
            out.truncate(before + whole.saturating_sub(self.made));
        }
        (self.taken, self.made) = (0, 0);
        if std::mem::take(&mut self.foreign) {
            self.down = Stage::new(hz(self.output), self.carrier.hz());
        }
        Some(ended)
    }
}

#[cfg(test)]
mod tests;
