//! What our own recordings are kept as.

use std::str::FromStr;

/// `RECORDING_FORMAT`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RecordingFormat {
    /// Opus, and G.711 while the disk would be full before all that waits is encoded.
    #[default]
    Auto,
    /// Opus.
    Opus,
    /// G.711.
    Wav,
}

impl FromStr for RecordingFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "opus" => Ok(Self::Opus),
            "wav" => Ok(Self::Wav),
            other => Err(format!("`{other}` is not known: use auto, opus or wav")),
        }
    }
}

/// What one of them is kept as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileType {
    /// Opus in Ogg: small.
    Opus,
    /// G.711 (μ-law) in WAV: four times as large, and hardly any work.
    Wav,
}

impl FileType {
    /// What its name ends with.
    pub const fn ending(self) -> &'static str {
        match self {
            Self::Opus => "opus",
            Self::Wav => "wav",
        }
    }

    /// As HTTP calls it.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Opus => "audio/ogg",
            Self::Wav => "audio/wav",
        }
    }
}
