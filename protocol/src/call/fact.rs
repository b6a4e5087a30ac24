//! What happened in a call, as told to its record, its supervisor and its history. Nothing here is audio, and nothing means something
//! in one process only: facts can be written down, and read by another.

use std::sync::Arc;
use std::time::SystemTime;

use codecs::SampleRate;

use super::end::Ended;
use super::functions::CallContext;
use super::io::{ConnId, EffectId};
use super::latency::Latency;
use crate::ids::{ItemId, ResponseId, StreamSid};
use crate::realtime::command::NewItem;
use crate::realtime::event::Usage;
use crate::realtime::event_id::EventKind;
use crate::realtime::failure::ProviderRefusal;

/// One thing that happened. Times are ms since the call's first media stream began (0 before it).
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    /// The carrier's stream began.
    MediaStarted {
        /// The stream.
        stream: StreamSid,
        /// Its rate.
        rate: SampleRate,
        /// When; of the first stream 0, and every `at_ms` counts from there.
        at_ms: u64,
        /// When, by the wall clock of the call's process: where another one finds the beginning of the count.
        wall: SystemTime,
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
        /// In words; never empty.
        cause: String,
        /// Why the provider would not have us, if it was that: asking again is no use.
        refused: Option<ProviderRefusal>,
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
    /// The caller made a sound while the agent spoke, and wanted nothing by it: a cough, or what a listener says.
    Backchannel {
        /// Its item.
        item: ItemId,
        /// When.
        at_ms: u64,
        /// How long it was, ms.
        length_ms: u64,
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
        /// The item that it begins with.
        item: ItemId,
        /// ms from the caller's last speech.
        after_ms: u64,
    },
    /// The caller heard what they waited for: how long they did, in its parts.
    Latency(Latency),
    /// Agent content began to be generated.
    AgentBegan {
        /// Its item.
        item: ItemId,
        /// When.
        at_ms: u64,
    },
    /// A fixed sentence is played: the agent's for the caller, and unknown to the model.
    ClipBegan {
        /// Its item, which no model knows.
        item: ItemId,
        /// What is said in it.
        words: String,
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
        /// It was generated to its end: its words belong to this audio and to none that is still to come.
        whole: bool,
    },
    /// Playback of an item began.
    PlaybackBegan {
        /// Its item.
        item: ItemId,
        /// When.
        at_ms: u64,
    },
    /// An answer broke off, and not because the caller spoke: what came of it is all there is.
    BrokenOff {
        /// The item it broke off in.
        item: ItemId,
        /// What broke it off.
        by: BrokenBy,
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
    /// The client is asked who calls.
    ContextAsked {
        /// By what the answer is known.
        id: EffectId,
    },
    /// It has said so.
    ContextKnown(Arc<CallContext>),
    /// Nobody spoke for long, and the caller is spoken to.
    Nudged {
        /// When.
        at_ms: u64,
    },
    /// The model called a function.
    ToolCalled(ToolCall),
    /// A function returned, or was given up: this is its result for the model.
    ToolReturned {
        /// Of which call.
        id: EffectId,
        /// By the name that its session had for it.
        call_id: String,
        /// JSON or words.
        output: String,
    },
    /// A function that was given up came to something after all: the model is told of it in words.
    ToolReturnedLate {
        /// Of which call.
        id: EffectId,
        /// As told.
        words: String,
    },
    /// The caller pressed a key.
    Dtmf {
        /// The key: one of `0-9*#ABCD`, or `?` for what the carrier sent in the place of one.
        digit: char,
    },
    /// The caller types what was asked for, or keys that nobody is told: those of no entry yet are part of it. Which ones is on no record.
    KeysCollected {
        /// No model is told them.
        secret: bool,
        /// The model asked for them.
        asked: bool,
    },
    /// The caller entered keys: the ones pressed since the last entry.
    KeysEntered {
        /// Without the `#` that ended them, unless that was all; of secret ones what stands for them.
        keys: String,
    },
    /// Tokens of one response.
    Usage(Usage),
    /// A response failed.
    ResponseFailed {
        /// e.g. `rate_limit_exceeded`.
        code: String,
    },
    /// A response was cut by a limit of the server's: what came of it is heard, and the call goes on.
    ResponseIncomplete {
        /// e.g. `max_output_tokens` or `content_filter`.
        reason: String,
    },
    /// The server reported an error.
    ModelError {
        /// Its code, else its type.
        code: String,
        /// Its message.
        message: String,
        /// What of ours it refuses, if it says.
        answers: Option<EventKind>,
    },
    /// The call was rebuilt from its history: after a fault of ours, or because it came back after its end.
    Resumed,
    /// Frames lost, late or dropped, or events not understood, since the last such fact.
    Counted {
        /// What: a fixed word such as `caller_lost`, `uplink_dropped`, `late_delta`, `stale_mark`, `unknown_event`.
        what: &'static str,
        /// How many.
        count: u64,
    },
    /// The carrier's side is over, for this reason. The model may still tell the caller's last words; then the call is over.
    Left(Ended),
    /// The call is over.
    Ended(Ended),
}

/// A call of a function by the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolCall {
    /// Over the whole call: what is run for it is run once.
    pub id: EffectId,
    /// The session that called.
    pub conn: ConnId,
    /// The response it came with.
    pub response: ResponseId,
    /// Pairs it with its result, in the words of that session.
    pub call_id: String,
    /// The function.
    pub name: String,
    /// JSON, as the model wrote it.
    pub arguments: String,
    /// When, ms since the call's first media stream began.
    pub at_ms: u64,
    /// How long its result is waited for, ms; none: nothing is run for it.
    pub wait_ms: Option<u64>,
}

impl ToolCall {
    /// The call and its result as a session is told them that knows of neither.
    pub(crate) fn items(&self, output: &str) -> [NewItem; 2] {
        let (call_id, name, arguments) = (self.call_id.clone(), self.name.clone(), self.arguments.clone());
        let output = NewItem::FunctionOutput { call_id: call_id.clone(), output: output.to_owned() };
        [NewItem::FunctionCall { call_id, name, arguments }, output]
    }
}

/// What broke an answer off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BrokenBy {
    /// The session was lost.
    SessionLost,
    /// The response failed in the middle of it.
    ResponseFailed,
    /// A limit of the server's cut it.
    ResponseIncomplete,
    /// The server cancelled it by itself, or it stopped coming.
    ResponseCancelled,
    /// The call ended.
    CallEnded,
}

impl BrokenBy {
    /// As written down.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SessionLost => "session_lost",
            Self::ResponseFailed => "response_failed",
            Self::ResponseIncomplete => "response_incomplete",
            Self::ResponseCancelled => "response_cancelled",
            Self::CallEnded => "call_ended",
        }
    }
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
    /// When it began to be spoken (caller) or played (agent), ms since the media stream began.
    pub at_ms: u64,
    /// Audio heard, ms (agent) or spoken, ms (caller).
    pub heard_ms: u64,
    /// Audio generated, ms (agent); 0 for the caller.
    pub generated_ms: u64,
    /// It was cut short: by the caller, or it broke off.
    pub interrupted: bool,
    /// An answer began with it: ms from the caller's last speech.
    pub answer_ms: Option<u64>,
    /// The caller waited for it: how long until they heard it, in its parts.
    pub latency: Option<Box<Latency>>,
    /// A fixed sentence: the agent's for the caller, and unknown to the model.
    pub clip: bool,
    /// The caller's, who wanted nothing by it: a cough, or what a listener says. The model does not know of it.
    pub backchannel: bool,
}

/// A side of the conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Who {
    /// The person on the phone.
    Caller,
    /// The model.
    Agent,
}
