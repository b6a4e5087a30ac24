//! How the caller of a client's call is listened to, and what a sound of theirs does to an agent that speaks.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::realtime::command::{Eagerness, NoiseReduction, Vad};

/// A client's `[listening]`; what it leaves out is the gateway's.
#[derive(Clone, Debug, PartialEq)]
pub struct Listening {
    /// What the caller may speak, ISO 639-1: whose listening words count. None: the agent's language, and that of the recogniser.
    pub languages: Vec<String>,
    /// How the end of a turn is found.
    pub detection: Detection,
    /// Of the caller's line, before anybody listens. None: as it comes.
    pub noise_reduction: Option<NoiseReduction>,
    /// Who writes the caller's words down.
    pub transcriber: Transcriber,
    /// What the caller speaks, for the recogniser (ISO 639-1, lower case). None: it finds out, and callers may mix languages.
    pub transcription_language: Option<String>,
    /// Words that the recogniser should expect: names, mostly.
    pub hint_words: Vec<String>,
    /// What a sound of the caller's does to an agent that speaks.
    pub interruptions: Interruptions,
    /// What a listener says without wanting the floor, by language (ISO 639-1), instead of the words that are known for it.
    pub listening_words: BTreeMap<String, Vec<String>>,
}

/// How the end of a turn is found.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Detection {
    /// By what was said, and this eagerly; none: by silence.
    pub semantic: Option<Eagerness>,
    /// 0 to 1.
    pub threshold: Option<f32>,
    /// ms kept before speech.
    pub prefix_ms: Option<u32>,
    /// ms of silence that end a turn.
    pub silence_ms: Option<u32>,
}

/// Who writes the caller's words down.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Transcriber {
    /// The gateway's model.
    #[default]
    Usual,
    /// This model.
    Model(String),
    /// Nobody.
    Off,
}

/// What a sound of the caller's does to an agent that speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Interruptions {
    /// It silences the agent: the server decides what a sound is.
    #[default]
    AtOnce,
    /// It pauses the agent until it is known what it is.
    Confirmed(Confirmed),
    /// Nothing: what the caller says is answered when the agent is done.
    Never,
}

impl Interruptions {
    /// Whether it is we who ask for the answer to a turn, and not the server by itself.
    #[must_use]
    pub const fn are_ours(self) -> bool {
        !matches!(self, Self::AtOnce)
    }
}

/// When a sound pauses the agent, and what is too short to be a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Confirmed {
    /// A shorter sound is no word.
    pub min: Duration,
    /// A sound that is over by then pauses nothing.
    pub pause_after: Duration,
}

impl Default for Confirmed {
    fn default() -> Self {
        Self { min: Duration::from_millis(200), pause_after: Duration::from_millis(250) }
    }
}

impl Default for Listening {
    fn default() -> Self {
        Self {
            languages: Vec::new(),
            detection: Detection::default(),
            noise_reduction: Some(NoiseReduction::Near),
            transcriber: Transcriber::default(),
            transcription_language: None,
            hint_words: Vec::new(),
            interruptions: Interruptions::default(),
            listening_words: BTreeMap::new(),
        }
    }
}

impl Detection {
    /// The server's detector of speech: what is not said here is as usual.
    #[must_use]
    pub fn vad(&self, usual: Vad) -> Vad {
        Vad {
            threshold: self.threshold.unwrap_or(usual.threshold),
            prefix_padding_ms: self.prefix_ms.unwrap_or(usual.prefix_padding_ms),
            silence_duration_ms: self.silence_ms.unwrap_or(usual.silence_duration_ms),
        }
    }
}

impl Listening {
    /// Who writes the caller's words down, if anybody does.
    #[must_use]
    pub fn transcription_model<'a>(&'a self, usual: Option<&'a str>) -> Option<&'a str> {
        match &self.transcriber {
            Transcriber::Usual => usual,
            Transcriber::Model(model) => Some(model),
            Transcriber::Off => None,
        }
    }
}
