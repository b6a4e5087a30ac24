//! The rates a carrier's stream can have.

/// A sample rate of the carrier's stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SampleRate {
    /// 8 kHz: the telephone's own, and the default.
    #[default]
    Hz8000,
    /// 16 kHz.
    Hz16000,
    /// 24 kHz: the model's own.
    Hz24000,
}

impl SampleRate {
    /// Samples a second.
    #[must_use]
    pub const fn hz(self) -> u32 {
        match self {
            Self::Hz8000 => 8_000,
            Self::Hz16000 => 16_000,
            Self::Hz24000 => 24_000,
        }
    }

    /// Bytes of s16le mono in one millisecond.
    #[must_use]
    pub const fn bytes_per_ms(self) -> usize {
        self.hz() as usize / 500
    }

    /// The rate of that many Hz, if it is one of ours.
    #[must_use]
    pub const fn from_hz(hz: u32) -> Option<Self> {
        match hz {
            8_000 => Some(Self::Hz8000),
            16_000 => Some(Self::Hz16000),
            24_000 => Some(Self::Hz24000),
            _ => None,
        }
    }
}
