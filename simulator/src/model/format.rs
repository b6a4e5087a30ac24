//! The audio formats of a session.

use std::sync::LazyLock;

use base64::engine::{Simd, general_purpose::PAD};
use codecs::{SampleRate, g711};
use serde_json::{Value, json};

use crate::speech::Clip;

/// base64 as the wire has it.
pub(super) static BASE64: LazyLock<Simd> = LazyLock::new(|| Simd::standard(PAD));

/// One direction's audio format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Format {
    /// s16le mono at 24 kHz.
    Pcm,
    /// G.711 mu-law.
    Pcmu,
    /// G.711 A-law.
    Pcma,
}

impl Format {
    /// The format a checked configuration names.
    pub(super) fn of(config: &Value) -> Self {
        match config["type"].as_str() {
            Some("audio/pcmu") => Self::Pcmu,
            Some("audio/pcma") => Self::Pcma,
            _ => Self::Pcm,
        }
    }

    pub(super) fn json(self) -> Value {
        match self {
            Self::Pcm => json!({"type": "audio/pcm", "rate": 24_000}),
            Self::Pcmu => json!({"type": "audio/pcmu"}),
            Self::Pcma => json!({"type": "audio/pcma"}),
        }
    }

    /// The one that a server uses that does not do as asked.
    pub(super) fn swapped(self) -> Self {
        if self == Self::Pcm { Self::Pcmu } else { Self::Pcm }
    }

    /// Bytes of one sample.
    pub(super) fn sample_bytes(self) -> usize {
        if self == Self::Pcm { 2 } else { 1 }
    }

    /// Samples of one millisecond.
    pub(super) fn samples_per_ms(self) -> usize {
        if self == Self::Pcm { 24 } else { 8 }
    }

    /// A clip in this format.
    pub(super) fn encode(self, clip: &Clip) -> Vec<u8> {
        let mut out = Vec::new();
        match self {
            Self::Pcm => out.extend_from_slice(&clip.pcm_at(SampleRate::Hz24000)),
            Self::Pcmu => g711::pcm_to_ulaw(&clip.pcm_at(SampleRate::Hz8000), &mut out),
            Self::Pcma => g711::pcm_to_alaw(&clip.pcm_at(SampleRate::Hz8000), &mut out),
        }
        out
    }

    /// Appends audio in this format as s16le, at the format's own rate.
    pub(super) fn decode(self, audio: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::Pcm => out.extend_from_slice(audio),
            Self::Pcmu => g711::ulaw_to_pcm(audio, out),
            Self::Pcma => g711::alaw_to_pcm(audio, out),
        }
    }
}
