//! Who has a call: whoever began it, until somebody else has a media stream of it.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use protocol::ids::{CallSid, StreamSid};

use super::columns::{Maybe, MaybeTime};
use super::ends::open_until;
use super::schema::calls;
use super::{Call, Entry, NodeId, Parties, Store, StoreError, query, transaction};

/// Who has a call, and which of its streams.
#[derive(Clone, Debug, Default, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = calls)]
pub struct Ownership {
    /// The run of a gateway that has it; none: a gateway of the version before, or nobody yet.
    #[diesel(deserialize_as = Maybe<NodeId>)]
    pub owner: Option<NodeId>,
    /// Grows whenever another takes it.
    pub generation: i32,
    /// Media streams that began: see [`Call::streams`].
    pub streams: i32,
    /// When a further stream was asked for; none once it began.
    #[diesel(deserialize_as = MaybeTime)]
    pub asked_at: Option<DateTime<Utc>>,
    /// What became of the last transfer, as the carrier told; none once the call goes on.
    pub dial_status: Option<String>,
}

/// A call that begins.
#[derive(Clone, Debug)]
pub struct NewCall {
    /// Exotel's id.
    pub call_sid: CallSid,
    /// Whose call it is.
    pub client_id: i64,
    /// How it came in.
    pub entry: Entry,
    /// Who called whom.
    pub parties: Parties,
    /// Who begins it.
    pub owner: NodeId,
    /// Its client is told of its calls.
    pub tells: bool,
    /// Now.
    pub at: DateTime<Utc>,
}

/// How a beginning went.
#[derive(Clone, Debug, PartialEq)]
pub enum Begun {
    /// This was the first: whoever asked has the call. Its end may be known already: see [`Call::is_over`].
    New(Call),
    /// It had begun, and whoever asks has it: a replay.
    Ours(Call),
    /// It had ended for a while, and goes on with whoever asks.
    Returned {
        /// Of its end and its last transfer the row tells what it did before.
        call: Call,
        /// Whose it was, and under which generation: perhaps that of whoever asks.
        was: Ownership,
    },
    /// It had begun, and another has it. It is left there: only its media stream shows that it is gone.
    Elsewhere(Call),
    /// It is over for good.
    Over(Call),
}

impl Begun {
    /// The row.
    #[must_use]
    pub const fn call(&self) -> &Call {
        match self {
            Self::New(call)
            | Self::Ours(call)
            | Self::Returned { call, .. }
            | Self::Elsewhere(call)
            | Self::Over(call) => call,
        }
    }
}

/// What a flow of applets comes to behind a call's stream, or behind a transfer.
#[derive(Clone, Debug)]
pub struct FlowResumed {
    /// What became of the transfer, in the carrier's word; none when there was none.
    pub dial_status: Option<String>,
    /// Nothing follows: the end that stands is for good. Else a further stream does, and is waited for from now on.
    pub over: bool,
    /// Now.
    pub at: DateTime<Utc>,
}

/// The start of a media stream that shows who has its call.
#[derive(Clone, Debug)]
pub struct NewStream {
    /// The call.
    pub call_sid: CallSid,
    /// Which of its streams, as its token says; none: the next, whatever was asked for.
    pub number: Option<u32>,
    /// The carrier's id of it.
    pub stream: StreamSid,
    /// Who has it.
    pub owner: NodeId,
    /// Now.
    pub at: DateTime<Utc>,
}

/// What became of a stream that began.
#[derive(Clone, Debug, PartialEq)]
pub enum StreamClaim {
    /// The call is whose who asked: `was` is the row before, `generation` the one that holds from now on, `stream` the number of the stream.
    Granted {
        /// The row as it was found.
        was: Box<Call>,
        /// The generation under which the new owner writes.
        generation: i32,
        /// Which of the call's streams it is, from 1.
        stream: u32,
    },
    /// Another socket has begun this stream.
    Used,
    /// The call is over for good.
    Over,
    /// There is no such call.
    Unknown,
}

impl Call {
    /// Whether the call is over for good: no further stream takes it back.
    #[must_use]
    pub fn is_over_for_good(&self, now: DateTime<Utc>) -> bool {
        let Some(code) = self.ended_code.filter(|_| self.is_over()) else { return self.is_over() };
        // A gateway of the version before does not know when.
        let told = || self.times.ended_at.and_then(|at| open_until(code, at));
        let open_until = self.over_at.filter(|_| code.is_provisional()).or_else(told);
        self.is_over_for_the_carrier() || open_until.is_none_or(|until| until <= now)
    }

    /// Media streams that began.
    #[must_use]
    pub fn streams(&self) -> u32 {
        let streams = u32::try_from(self.ownership.streams).unwrap_or(0);
        // A gateway of the version before counts none.
        streams.max(self.times.media_at.is_some().into())
    }

    /// Whether a media socket may begin that stream: the first, the one that was asked for, or the one before it, whose URL was handed
    /// out again.
    #[must_use]
    pub fn awaits(&self, stream: u32) -> bool {
        let begun = self.streams();
        let asked = begun == 0 || self.ownership.asked_at.is_some();
        stream == begun + 1 || (asked && stream == begun.max(1))
    }
}

impl Store {
    /// Begins a call of a client that is known. Exactly one of any number of callers, at the same time or later, gets [`Begun::New`].
    ///
    /// # Errors
    /// When the database fails.
    pub async fn begin_call(&self, new: NewCall) -> Result<Begun, StoreError> {
        transaction!(self, outbox::begin(&new))
    }

    /// Gives a call to whoever has its media stream: exactly one of any number who ask for the same stream. Whoever had it before
    /// meets a newer generation at the next write.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn take_stream(&self, stream: NewStream) -> Result<StreamClaim, StoreError> {
        transaction!(self, owners::take(&stream))
    }

    /// Notes where the carrier's flow takes a call whose stream is over.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn resume_flow(&self, call: CallSid, flow: FlowResumed) -> Result<(), StoreError> {
        transaction!(self, owners::resume_flow(&call, &flow))
    }

    /// Whether a call of that client has begun.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn has_begun(&self, call: &CallSid, client: i64) -> Result<bool, StoreError> {
        let call = call.clone();
        query!(self, read, owners::has_begun(&call, client))
    }
}
