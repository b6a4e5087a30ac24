//! Opus, for recordings after a call; never on the live path, where one frame would cost more than all the rest.

use audiopus::coder::{Decoder as RawDecoder, Encoder as RawEncoder};
use audiopus::{Application, Bitrate, Channels as RawChannels, SampleRate as RawRate, Signal};

/// The longest packet of one frame that the format has, with its head.
const MAX_PACKET_BYTES: usize = 1_276;

/// Frames a second: every packet holds 20 ms.
const FRAMES_A_SECOND: u32 = 50;

/// Why Opus failed.
#[derive(Debug, thiserror::Error)]
pub enum OpusError {
    /// Ask for other settings: what was refused, in words.
    #[error("Opus does not take {0}")]
    Settings(String),
    /// Cut the audio into frames of the right length.
    #[error("a frame has {expected} samples, not {got}")]
    FrameLength {
        /// Samples in a frame, all channels together.
        expected: usize,
        /// Samples given.
        got: usize,
    },
    /// Leave this frame out and go on: libopus' own error.
    #[error("Opus: {0}")]
    Codec(#[from] audiopus::Error),
}

/// Channels of an Opus stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channels {
    /// One voice.
    Mono,
    /// Caller and agent, interleaved.
    Stereo,
}

impl Channels {
    /// How many.
    #[must_use]
    pub const fn count(self) -> usize {
        match self {
            Self::Mono => 1,
            Self::Stereo => 2,
        }
    }

    const fn raw(self) -> RawChannels {
        match self {
            Self::Mono => RawChannels::Mono,
            Self::Stereo => RawChannels::Stereo,
        }
    }
}

/// Which of its coders Opus encodes with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coder {
    /// SILK, which knows how voices are made.
    Silk,
    /// CELT, which takes any sound: two thirds of the work at most, and rougher on a voice at the same bitrate.
    Celt,
}

/// What a stream is and how it is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Sample rate in Hz: 8,000, 12,000, 16,000, 24,000 or 48,000.
    pub rate_hz: u32,
    /// Mono or stereo.
    pub channels: Channels,
    /// Bits a second, all channels together: 500 to 512,000.
    pub bitrate_bps: u32,
    /// 0 (fastest) to 10 (best).
    pub complexity: u8,
    /// How it is encoded.
    pub coder: Coder,
}

impl Settings {
    /// A recorded call, both sides in one stream.
    ///
    /// Complexity 0 on purpose. What more of it buys for a telephone's voice is nothing that can be measured: from 0 to 10 the
    /// log-spectral distance of the fixtures' voices goes from 1.2 to 1.0 dB, their segmental SNR not at all, and the work from 1.3 to
    /// 4.7 ms a call-second.
    #[must_use]
    pub const fn recording(rate_hz: u32, coder: Coder) -> Self {
        Self { rate_hz, channels: Channels::Stereo, bitrate_bps: 32_000, complexity: 0, coder }
    }

    /// Samples in a frame of 20 ms, all channels together.
    #[must_use]
    pub const fn frame_samples(&self) -> usize {
        (self.rate_hz / FRAMES_A_SECOND) as usize * self.channels.count()
    }
}

/// Encodes interleaved samples, 20 ms a packet.
#[derive(Debug)]
pub struct Encoder {
    raw: RawEncoder,
    frame_samples: usize,
    lookahead: u32,
}

impl Encoder {
    /// An encoder for speech.
    ///
    /// # Errors
    /// [`OpusError::Settings`] where a setting is out of its range.
    pub fn new(settings: Settings) -> Result<Self, OpusError> {
        let Settings { rate_hz, channels, bitrate_bps, complexity, coder } = settings;
        if !(500..=512_000).contains(&bitrate_bps) {
            return Err(OpusError::Settings(format!("{bitrate_bps} bits a second")));
        }
        if complexity > 10 {
            return Err(OpusError::Settings(format!("complexity {complexity}")));
        }
        // Not `Voip`: its filters take 11 dB of segmental SNR from what was heard, at the same work and the same size.
        let application = match coder {
            Coder::Silk => Application::Audio,
            Coder::Celt => Application::LowDelay,
        };
        let mut raw = RawEncoder::new(raw_rate(rate_hz)?, channels.raw(), application)?;
        raw.set_signal(Signal::Voice)?;
        raw.set_bitrate(Bitrate::BitsPerSecond(bitrate_bps.cast_signed()))?;
        raw.set_complexity(complexity)?;
        let lookahead = raw.lookahead()?;
        Ok(Self { raw, frame_samples: settings.frame_samples(), lookahead })
    }

    /// Samples per channel, at the stream's rate, that the decoder gives before the audio begins: an Ogg header states
    /// them (at 48 kHz) as its pre-skip.
    #[must_use]
    pub const fn lookahead(&self) -> u32 {
        self.lookahead
    }

    /// Appends the packet of one frame to `out`, and returns the packet's length in bytes.
    ///
    /// # Errors
    /// [`OpusError::FrameLength`] if `frame` is not 20 ms; [`OpusError::Codec`] if libopus fails.
    pub fn encode(&mut self, frame: &[i16], out: &mut Vec<u8>) -> Result<usize, OpusError> {
        if frame.len() != self.frame_samples {
            return Err(OpusError::FrameLength { expected: self.frame_samples, got: frame.len() });
        }
        let start = out.len();
        out.resize(start + MAX_PACKET_BYTES, 0);
        let encoded = self.raw.encode(frame, &mut out[start..]);
        out.truncate(start + encoded.as_ref().map_or(0, |len| *len));
        Ok(encoded?)
    }
}

/// Decodes packets of 20 ms to interleaved samples.
#[derive(Debug)]
pub struct Decoder {
    raw: RawDecoder,
    channels: Channels,
    frame_samples: usize,
}

impl Decoder {
    /// A decoder that gives samples at that rate, whatever the encoder's was.
    ///
    /// # Errors
    /// [`OpusError::Settings`] where Opus does not know the rate.
    pub fn new(rate_hz: u32, channels: Channels) -> Result<Self, OpusError> {
        let raw = RawDecoder::new(raw_rate(rate_hz)?, channels.raw())?;
        let frame_samples = (rate_hz / FRAMES_A_SECOND) as usize * channels.count();
        Ok(Self { raw, channels, frame_samples })
    }

    /// Appends the samples of one packet to `out`, and returns how many; a lost packet (`None`) is concealed.
    ///
    /// # Errors
    /// [`OpusError::Codec`] if the packet is none of ours: damaged, empty or longer than 20 ms.
    pub fn decode(&mut self, packet: Option<&[u8]>, out: &mut Vec<i16>) -> Result<usize, OpusError> {
        let packet = packet.map(TryInto::try_into).transpose()?;
        let start = out.len();
        out.resize(start + self.frame_samples, 0);
        let decoded = (&mut out[start..]).try_into().and_then(|room| self.raw.decode(packet, room, false));
        let samples = decoded.as_ref().map_or(0, |frames| frames * self.channels.count());
        out.truncate(start + samples);
        decoded?;
        Ok(samples)
    }
}

fn raw_rate(rate_hz: u32) -> Result<RawRate, OpusError> {
    match rate_hz {
        8_000 => Ok(RawRate::Hz8000),
        12_000 => Ok(RawRate::Hz12000),
        16_000 => Ok(RawRate::Hz16000),
        24_000 => Ok(RawRate::Hz24000),
        48_000 => Ok(RawRate::Hz48000),
        _ => Err(OpusError::Settings(format!("{rate_hz} Hz"))),
    }
}

#[cfg(test)]
mod tests;
