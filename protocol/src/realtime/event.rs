//! What a Realtime server says (GA names; beta names are mapped on the way in).

use std::borrow::Cow;

pub use parse::parse;

use crate::ids::{ItemId, ResponseId};

mod audio;
mod parse;

/// A server event as parsed from one text frame. Audio stays borrowed base64: it is decoded once, into the buffer it is used from.
#[derive(Debug, PartialEq)]
pub enum Parsed<'a> {
    /// `response.output_audio.delta`.
    Audio {
        /// Which content the audio belongs to.
        key: ContentKey,
        /// base64 in the session's output format.
        delta: Cow<'a, str>,
    },
    /// Anything else.
    Event {
        /// What it says.
        event: ServerEvent,
        /// Words of it were left out: they were more than one event's.
        cut: bool,
    },
}

/// One piece of content of one item of one response: the key of the heard-truth ledger.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ContentKey {
    /// The response.
    pub response: ResponseId,
    /// The item within it.
    pub item: ItemId,
    /// The content part within the item.
    pub content_index: u32,
}

/// An audio format of one direction of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AudioFormat {
    /// s16le mono at a rate in Hz (24,000 at OpenAI; compatible servers differ).
    Pcm {
        /// Samples a second.
        rate: u32,
    },
    /// G.711 mu-law at 8 kHz.
    Pcmu,
    /// G.711 A-law at 8 kHz.
    Pcma,
}

/// Everything a server says that the call acts on, besides audio.
#[derive(Clone, Debug, PartialEq)]
pub enum ServerEvent {
    /// First event of a connection.
    SessionCreated {
        /// Unix seconds when the server will end the session.
        expires_at: Option<i64>,
    },
    /// Our configuration was taken. The formats are the effective ones: they win over what was asked.
    SessionUpdated {
        /// Of what we append.
        input: Option<AudioFormat>,
        /// Of what we get.
        output: Option<AudioFormat>,
        /// Unix seconds when the server will end the session.
        expires_at: Option<i64>,
    },
    /// The server's VAD heard the caller begin.
    SpeechStarted {
        /// The id the user item will have.
        item: ItemId,
        /// ms of audio appended in this session, less the padding that is kept before speech; none if it is not told.
        audio_start_ms: Option<u64>,
    },
    /// The server's VAD heard the caller end.
    SpeechStopped {
        /// The user item.
        item: ItemId,
        /// ms of audio appended in this session, the closing silence included.
        audio_end_ms: u64,
    },
    /// The caller's turn is an item now.
    Committed {
        /// The user item.
        item: ItemId,
    },
    /// Transcript of the caller, from a separate recogniser: late, advisory.
    InputTranscript {
        /// The user item.
        item: ItemId,
        /// The words.
        text: String,
    },
    /// The recogniser gave up on an item.
    InputTranscriptFailed {
        /// The user item.
        item: ItemId,
        /// Why.
        error: ServerError,
    },
    /// A response began.
    ResponseCreated {
        /// Its id.
        response: ResponseId,
        /// The effective output format, when told.
        output: Option<AudioFormat>,
    },
    /// All audio of a content part was *generated* (not heard).
    AudioDone(ContentKey),
    /// Words of the audio (or a text-only part): they run ahead of it.
    TranscriptDelta {
        /// Which content.
        key: ContentKey,
        /// The next words.
        delta: String,
    },
    /// The whole transcript of a content part.
    TranscriptDone {
        /// Which content.
        key: ContentKey,
        /// The words.
        text: String,
    },
    /// A function call, complete (from `response.output_item.done`, once).
    FunctionCall(FunctionCall),
    /// A response ended.
    ResponseDone(ResponseDone),
    /// An error; most leave the session open.
    Error(ServerError),
    /// A kind we know and do not act on.
    Ignored,
    /// A kind we do not know. Counted.
    Unknown {
        /// `type` as sent.
        kind: String,
    },
}

/// The model asks for a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionCall {
    /// The response it came in.
    pub response: ResponseId,
    /// Its item.
    pub item: ItemId,
    /// Pairs the output with the call.
    pub call_id: String,
    /// The function.
    pub name: String,
    /// JSON as the model wrote it; it may be invalid.
    pub arguments: String,
    /// False when the response was cut: never execute then.
    pub complete: bool,
}

/// `response.done`.
#[derive(Clone, Debug, PartialEq)]
pub struct ResponseDone {
    /// The response.
    pub response: ResponseId,
    /// How it ended.
    pub status: ResponseStatus,
    /// What it cost.
    pub usage: Usage,
}

/// How a response ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResponseStatus {
    /// Generated whole.
    Completed,
    /// Cut: `turn_detected` or `client_cancelled`.
    Cancelled,
    /// Cut by a limit: `max_output_tokens` or `content_filter`.
    Incomplete {
        /// The limit, as sent.
        reason: String,
    },
    /// Failed; the only place where rate limits are told.
    Failed {
        /// e.g. `rate_limit_exceeded`; from `code`, else `type`.
        code: String,
        /// As sent; may hold "try again in 7.853s".
        message: String,
    },
}

/// Tokens of one response, by kind. Cached are part of the inputs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Text in.
    pub input_text: u64,
    /// Audio in.
    pub input_audio: u64,
    /// Of the text in, cached.
    pub cached_text: u64,
    /// Of the audio in, cached.
    pub cached_audio: u64,
    /// Text out.
    pub output_text: u64,
    /// Audio out.
    pub output_audio: u64,
}

/// `error`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerError {
    /// `code`, or empty.
    pub code: String,
    /// `type`, or empty.
    pub kind: String,
    /// For people.
    pub message: String,
    /// The field at fault.
    pub param: Option<String>,
    /// The `event_id` of ours that caused it, when told.
    pub event_id: Option<String>,
}

#[cfg(test)]
mod tests;
