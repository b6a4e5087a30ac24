//! How callers are understood.

use std::collections::BTreeMap;
use std::time::Duration;

use protocol::call::policy::{self, Confirmed, Detection, Transcriber};
use protocol::realtime::command;
use serde::{Deserialize, Serialize};

/// The word for nobody and nothing.
pub(in crate::agent) const OFF: &str = "off";

/// `[listening]`. What it leaves out is as usual.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listening {
    /// ISO 639-1: what callers speak.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub languages: Vec<String>,
    /// How the end of a turn is found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn_detection: Option<TurnDetection>,
    /// 0 to 1: how loud speech is, to the server's detector.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f32>,
    /// ms kept before speech.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix_ms: Option<u32>,
    /// ms of silence that end a turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silence_ms: Option<u32>,
    /// How eagerly a semantic detector takes a turn for over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eagerness: Option<Eagerness>,
    /// Where the microphone is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noise_reduction: Option<NoiseReduction>,
    /// The recogniser, or `off`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transcription_model: Option<String>,
    /// ISO 639-1: the language that callers are written down in; none: whichever they speak.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transcription_language: Option<String>,
    /// Words that the recogniser should expect.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hint_words: Vec<String>,
    /// What a sound of the caller's does to an agent that speaks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interruptions: Option<Interruptions>,
    /// A shorter sound is no word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_ms: Option<u32>,
    /// A sound that is over by then pauses nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause_after_ms: Option<u32>,
    /// What a listener says without wanting the floor, by language.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub listening_words: BTreeMap<String, Vec<String>>,
}

/// How the end of a turn is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TurnDetection {
    /// By silence.
    Server,
    /// By what was said.
    Semantic,
}

/// How eagerly a semantic detector takes a turn for over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Eagerness {
    /// Within 8 s.
    Low,
    /// Within 4 s.
    Medium,
    /// Within 2 s.
    High,
    /// As the server likes.
    Auto,
}

/// Where the microphone is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoiseReduction {
    /// At the mouth.
    Near,
    /// Across a room.
    Far,
    /// Nothing is reduced.
    Off,
}

/// What a sound of the caller's does to an agent that speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Interruptions {
    /// It silences the agent.
    AtOnce,
    /// It pauses the agent until it is known what it is.
    Confirmed,
    /// Nothing.
    Never,
}

impl Listening {
    pub(super) fn is_empty(&self) -> bool {
        self == &Self::default()
    }

    /// As a call has it.
    #[must_use]
    pub fn of_call(&self) -> policy::Listening {
        let usual = policy::Listening::default();
        policy::Listening {
            languages: self.languages.clone(),
            detection: self.detection(),
            noise_reduction: match self.noise_reduction {
                None => usual.noise_reduction,
                Some(NoiseReduction::Near) => Some(command::NoiseReduction::Near),
                Some(NoiseReduction::Far) => Some(command::NoiseReduction::Far),
                Some(NoiseReduction::Off) => None,
            },
            transcriber: match self.transcription_model.as_deref() {
                None => Transcriber::Usual,
                Some(OFF) => Transcriber::Off,
                Some(model) => Transcriber::Model(model.to_owned()),
            },
            transcription_language: self.transcription_language.clone(),
            hint_words: self.hint_words.clone(),
            interruptions: match self.interruptions {
                None | Some(Interruptions::AtOnce) => policy::Interruptions::AtOnce,
                Some(Interruptions::Never) => policy::Interruptions::Never,
                Some(Interruptions::Confirmed) => policy::Interruptions::Confirmed(self.confirmed()),
            },
            listening_words: self.listening_words.clone(),
        }
    }

    /// The same, with the language that callers are written down in.
    #[must_use]
    pub fn of_call_in(&self, transcription_language: Option<String>) -> policy::Listening {
        policy::Listening { transcription_language, ..self.of_call() }
    }

    fn detection(&self) -> Detection {
        let eagerness = match self.eagerness {
            Some(Eagerness::Low) => command::Eagerness::Low,
            Some(Eagerness::Medium) => command::Eagerness::Medium,
            Some(Eagerness::High) => command::Eagerness::High,
            Some(Eagerness::Auto) | None => command::Eagerness::Auto,
        };
        Detection {
            semantic: (self.turn_detection == Some(TurnDetection::Semantic)).then_some(eagerness),
            threshold: self.threshold,
            prefix_ms: self.prefix_ms,
            silence_ms: self.silence_ms,
        }
    }

    fn confirmed(&self) -> Confirmed {
        let told = |ms: Option<u32>, usual| ms.map_or(usual, |ms| Duration::from_millis(u64::from(ms)));
        let usual = Confirmed::default();
        Confirmed { min: told(self.min_ms, usual.min), pause_after: told(self.pause_after_ms, usual.pause_after) }
    }
}
