//! The figures of a call.

use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use super::columns::Maybe;
use super::schema::calls;

/// How a call went. None: not known (yet).
#[derive(Clone, Debug, Default, PartialEq, Eq, Queryable, Selectable, Serialize)]
#[diesel(table_name = calls)]
pub struct Figures {
    /// From the start of the media stream to the end (without media: the conversation as the carrier told), ms.
    pub duration_ms: Option<i64>,
    /// The caller spoke, ms.
    pub caller_talk_ms: Option<i64>,
    /// The agent was heard, ms.
    pub agent_talk_ms: Option<i64>,
    /// Turns of the transcript.
    #[serde(rename = "turns")]
    pub turn_count: Option<i32>,
    /// Times the caller cut the agent short.
    pub interruptions: Option<i32>,
    /// From the start of the media stream to the first audio sent to the caller, ms.
    pub first_audio_ms: Option<i64>,
    /// From the caller's last speech to the answer's first audio sent to the caller, ms: median over the turns.
    pub answer_p50_ms: Option<i64>,
    /// The same, 95th percentile.
    pub answer_p95_ms: Option<i64>,
    /// The same, the longest.
    pub answer_max_ms: Option<i64>,
    /// Audio generated and cut before it was heard, ms.
    pub unheard_ms: Option<i64>,
    /// Model connections after the first.
    pub model_reconnects: Option<i32>,
    /// Audio frames lost, late or dropped, both ways.
    pub frames_lost: Option<i64>,
    /// Tokens by kind.
    #[diesel(deserialize_as = Maybe<Tokens>)]
    pub tokens: Option<Tokens>,
    /// Estimated cost, millionths of a US dollar.
    pub cost_microusd: Option<i64>,
}

/// Tokens by kind. Cached ones are part of the inputs. Stored as JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tokens {
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
