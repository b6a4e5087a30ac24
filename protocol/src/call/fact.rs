//! What happened in a call, as told to its record, its supervisor and its history. Nothing here is audio.

use std::time::Instant;

use codecs::SampleRate;

use crate::ids::{ItemId, StreamSid};
use crate::realtime::event::Usage;

/// One thing that happened. Times are ms since the media stream began (0 before it).
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    /// The carrier's stream began.
    MediaStarted {
        /// The stream.
        stream: StreamSid,
        /// Its rate.
        rate: SampleRate,
        /// By the caller's monotonic clock: what every `at_ms` counts from.
        at: Instant,
    },
    /// A model connection is being opened: the first (1), or again.
    ModelDialled {
        /// Counts from 1 over the whole call.
        attempt: u32,
    },
    /// The model took our configuration.
    ModelReady {
        /// ms since it was dialled.
        after_ms: u64,
    },
    /// A model connection was lost or refused.
    ModelLost {
        /// In words.
        cause: String,
    },
    /// The first agent audio of the call went to the caller.
    FirstAudio {
        /// ms since the media stream began.
        after_ms: u64,
    },
    /// The caller began a turn.
    CallerSpoke {
        /// Its item.
        item: ItemId,
        /// When.
        at_ms: u64,
    },
    /// The caller's turn ended.
    CallerStopped {
        /// Its item.
        item: ItemId,
        /// When speech (not the closing silence) ended.
        at_ms: u64,
    },
    /// The caller's words, late and advisory.
    CallerText {
        /// Its item.
        item: ItemId,
        /// The words.
        text: String,
    },
    /// The first audio of an answer went to the caller.
    Answered {
        /// ms from the caller's last speech.
        after_ms: u64,
    },
    /// Agent content began to be generated.
    AgentBegan {
        /// Its item.
        item: ItemId,
        /// When.
        at_ms: u64,
    },
    /// More of the agent's words are known (they run ahead of the audio).
    AgentText {
        /// Its item.
        item: ItemId,
        /// The next words.
        delta: String,
    },
    /// The ledger of an item moved.
    Heard {
        /// Its item.
        item: ItemId,
        /// ms generated so far.
        generated_ms: u64,
        /// ms heard so far.
        heard_ms: u64,
    },
    /// The caller cut the agent short.
    Interrupted {
        /// The item being heard.
        item: ItemId,
        /// The truncation point.
        heard_ms: u64,
        /// What was generated and never heard, over all items cut.
        unheard_ms: u64,
        /// When.
        at_ms: u64,
    },
    /// A turn of the transcript is final (or known better: the same `index` again replaces it).
    Turn(Turn),
    /// The model called a function.
    ToolCalled {
        /// Pairs it with its result.
        call_id: String,
        /// The function.
        name: String,
        /// JSON.
        arguments: String,
    },
    /// A function's result was given to the model.
    ToolReturned {
        /// Of which call.
        call_id: String,
        /// JSON or words.
        output: String,
    },
    /// The caller pressed a key.
    Dtmf {
        /// The key.
        digit: char,
    },
    /// Tokens of one response.
    Usage(Usage),
    /// A response failed.
    ResponseFailed {
        /// e.g. `rate_limit_exceeded`.
        code: String,
    },
    /// The server reported an error.
    ModelError {
        /// Its code, else its type.
        code: String,
        /// Its message.
        message: String,
    },
    /// The call was rebuilt from its history after a fault of ours.
    Resumed,
    /// Frames lost, late or dropped, or events not understood, since the last such fact.
    Counted {
        /// What: a fixed word such as `caller_lost`, `uplink_dropped`, `late_delta`, `stale_mark`, `unknown_event`.
        what: &'static str,
        /// How many.
        count: u64,
    },
    /// The call is over.
    Ended(Ended),
}

/// One turn of the transcript.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Position in the conversation, from 0.
    pub index: u32,
    /// Who spoke.
    pub who: Who,
    /// The words; of the agent only what was heard.
    pub text: String,
    /// When it began, ms since the media stream began.
    pub at_ms: u64,
    /// Audio heard, ms (agent) or spoken, ms (caller).
    pub heard_ms: u64,
    /// Audio generated, ms (agent); 0 for the caller.
    pub generated_ms: u64,
    /// The caller cut it short.
    pub interrupted: bool,
}

/// A side of the conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Who {
    /// The person on the phone.
    Caller,
    /// The model.
    Agent,
}

/// Why a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The carrier said so: the caller hung up, or the applet ended.
    CallerHungUp {
        /// `stop.reason`, or none when the socket just went.
        reason: Option<String>,
    },
    /// The agent said goodbye.
    AgentHungUp,
    /// The agent handed the caller on to a person.
    Transferred {
        /// Why, in the agent's words.
        reason: String,
    },
    /// An operator ended it.
    Operator,
    /// A webhook said the call had ended.
    CallEnd {
        /// The status told.
        status: String,
    },
    /// The longest call that is allowed.
    TooLong,
    /// The media socket never came.
    NoMedia,
    /// The socket stayed open, but no audio came any more.
    MediaSilent,
    /// The model could not be reached, refused, or stayed silent; in words.
    ModelFailed {
        /// In words.
        cause: String,
    },
    /// Our own fault: the supervisor gave up.
    GaveUp {
        /// In words.
        cause: String,
    },
    /// The gateway is stopping.
    Shutdown,
}

impl Ended {
    /// The stored status: `completed`, or `failed` when the caller did not get what they called for.
    #[must_use]
    pub fn status(&self) -> &'static str {
        match self {
            Self::CallerHungUp { .. }
            | Self::AgentHungUp
            | Self::Transferred { .. }
            | Self::Operator
            | Self::CallEnd { .. }
            | Self::TooLong => "completed",
            Self::NoMedia | Self::MediaSilent | Self::ModelFailed { .. } | Self::GaveUp { .. } | Self::Shutdown => {
                "failed"
            }
        }
    }

    /// In words, for the record and for people.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::CallerHungUp { reason: Some(reason) } => format!("the caller's side ended the stream ({reason})"),
            Self::CallerHungUp { reason: None } => "the carrier's socket closed".to_owned(),
            Self::AgentHungUp => "the agent ended the call".to_owned(),
            Self::Transferred { reason } => format!("the agent handed the call on: {reason}"),
            Self::Operator => "an operator ended the call".to_owned(),
            Self::CallEnd { status } => format!("the carrier reported the call as {status}"),
            Self::TooLong => "the longest call allowed was reached".to_owned(),
            Self::NoMedia => "the media stream never started".to_owned(),
            Self::MediaSilent => "the carrier sent no more audio".to_owned(),
            Self::ModelFailed { cause } => format!("the model failed: {cause}"),
            Self::GaveUp { cause } => format!("the gateway gave up after repeated faults: {cause}"),
            Self::Shutdown => "the gateway stopped".to_owned(),
        }
    }
}
