//! What we say to a Realtime server.

pub use write::{write, write_append};

use crate::ids::{ItemId, ResponseId};
use crate::realtime::event::AudioFormat;

mod write;

/// One client event. Audio is in the carrier's PCM: the leg converts it to the session's effective format.
#[derive(Clone, Debug, PartialEq)]
pub enum ClientEvent {
    /// Configures the session; all or nothing.
    SessionUpdate(Box<SessionConfig>),
    /// Asks for transcripts of the caller in whatever language they speak, and leaves the rest of the session as it is.
    Transcribe {
        /// The recogniser.
        model: String,
    },
    /// Caller audio: s16le mono at the carrier's rate.
    Append(Vec<u8>),
    /// A part of the conversation told as text (replays, keys pressed, notes).
    CreateItem(NewItem),
    /// Cuts an item at what was heard.
    Truncate {
        /// The assistant item.
        item: ItemId,
        /// The content part.
        content_index: u32,
        /// ms of it that were heard; an integer, never more than was generated.
        audio_end_ms: u64,
    },
    /// Takes an item out of the conversation.
    DeleteItem {
        /// The item.
        item: ItemId,
    },
    /// Asks the model to speak.
    CreateResponse {
        /// Instructions for this response alone (they replace the session's), or none.
        instructions: Option<String>,
    },
    /// Stops generation.
    CancelResponse {
        /// Which.
        response: ResponseId,
    },
}

/// A conversation item that we make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NewItem {
    /// `message`, role `system`.
    System(String),
    /// `message`, role `user`.
    User(String),
    /// `message`, role `assistant` (text: audio cannot be created).
    Assistant(String),
    /// A function call of an earlier session.
    FunctionCall {
        /// Pairs it with its output.
        call_id: String,
        /// The function.
        name: String,
        /// JSON.
        arguments: String,
    },
    /// What a function returned.
    FunctionOutput {
        /// Of which call.
        call_id: String,
        /// JSON or words.
        output: String,
    },
}

/// What `session.update` says.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionConfig {
    /// The system prompt.
    pub instructions: String,
    /// Voice name; none: the server's own.
    pub voice: Option<String>,
    /// Asked of both directions.
    pub format: AudioFormat,
    /// ISO 639-1 for the recogniser; none: it finds out.
    pub transcription_language: Option<String>,
    /// Recogniser; none: the caller is not transcribed.
    pub transcription_model: Option<String>,
    /// VAD.
    pub vad: Vad,
    /// The end of a turn is found by what was said, this eagerly; none: by silence, as [`Self::vad`] says.
    pub semantic: Option<Eagerness>,
    /// Whether the server answers a turn by itself, and stops speaking when the caller begins one.
    pub answers_by_itself: bool,
    /// What the recogniser should expect.
    pub hints: TranscriptionHints,
    /// The caller's noise is reduced before anybody listens.
    pub noise_reduction: Option<NoiseReduction>,
    /// How fast the voice speaks; none: as it does.
    pub speed: Option<f32>,
    /// Function tools; none: of tools nothing is said.
    pub tools: Vec<Tool>,
}

/// Server VAD settings: always sent, since a server's own defaults vary by model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Vad {
    /// 0 to 1.
    pub threshold: f32,
    /// ms kept before speech.
    pub prefix_padding_ms: u32,
    /// ms of silence that end a turn.
    pub silence_duration_ms: u32,
}

/// How eagerly a semantic detector takes a turn for over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Eagerness {
    /// It waits for up to 8 s.
    Low,
    /// 4 s.
    Medium,
    /// 2 s.
    High,
    /// As the server likes.
    Auto,
}

/// Where the microphone is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoiseReduction {
    /// At the mouth, as a telephone is.
    Near,
    /// Across a room.
    Far,
}

/// What a recogniser should expect, in whichever way it can be told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TranscriptionHints {
    /// Languages, ISO 639-1.
    pub languages: Vec<String>,
    /// Words.
    pub keywords: Vec<String>,
    /// The same as one text.
    pub prompt: Option<String>,
}

/// A function the model may call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// When to call it.
    pub description: String,
    /// JSON Schema of its arguments, as JSON text.
    pub parameters: String,
}

#[cfg(test)]
mod tests;
