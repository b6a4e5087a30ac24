//! What clients are told of their calls: each event is a job, added in the same transaction as what it tells of.

use chrono::{DateTime, TimeDelta, Utc};
use protocol::call::end::{EndCode, EndedBy};
use protocol::call::fact::Turn;
use protocol::ids::{CallSid, Secret};

use super::{CallOutcome, CallTransfer, Client, Recording, Store, StoreError, ToolRun, query, transaction};

/// The kind of the jobs that tell clients.
pub const SEND_EVENT: &str = "send_event";
/// Begun.
pub const CALL_STARTED: &str = "call.started";
/// Ended, by whichever account of it stands.
pub const CALL_ENDED: &str = "call.ended";
/// What a function that changes something came to when its call was over already.
pub const COMPLETED_AFTER_CALL: &str = "tool.completed_after_call";
/// A recording can be had.
pub const RECORDING_STORED: &str = "recording.stored";

/// How long the carrier's word of an end waits for ours, which says more.
const OUR_WORD: TimeDelta = TimeDelta::seconds(5);

/// When the end that stands is told: once the call cannot come back any more, or behind our own word. The carrier's last word is not
/// waited behind.
pub(super) fn told_at(call: &super::Call, now: DateTime<Utc>) -> DateTime<Utc> {
    let comes_back = call.ended_code.is_some_and(EndCode::is_provisional) && !call.is_over_for_the_carrier();
    let comes_back_until = call.over_at.filter(|_| comes_back);
    match (comes_back_until, call.ended_by) {
        (Some(until), _) => until.max(now),
        (None, Some(EndedBy::Carrier)) => now + OUR_WORD,
        (None, _) => now,
    }
}

/// Where a client is told, and what its events are signed with.
#[derive(Clone, Debug)]
pub struct EventsTarget {
    /// `https://`, or `http://` to this machine.
    pub url: String,
    /// Key of the signature.
    pub secret: Secret,
}

/// What a function came to when its call was over already.
#[derive(Clone, Debug)]
pub struct AfterCall {
    /// The call.
    pub call: CallSid,
    /// Which of the things that it wanted done.
    pub number: u32,
    /// The function.
    pub tool: String,
    /// Whether it was done.
    pub ok: bool,
    /// What came of it.
    pub output: String,
}

/// What an event tells of, as it is when it is told.
#[derive(Clone, Debug, PartialEq)]
pub struct EventSubject {
    /// The call.
    pub call: super::Call,
    /// What was said, as heard.
    pub turns: Vec<Turn>,
    /// The latest functions that it had run, as far as its model was told what they came to.
    pub tools: Vec<ToolRun>,
    /// Where its caller was handed on to, in order.
    pub transfers: Vec<CallTransfer>,
    /// What was found out of it, if that was tried.
    pub outcome: Option<CallOutcome>,
    /// Whose it is.
    pub client: Client,
    /// All of its recordings.
    pub recordings: Vec<Recording>,
    /// The recording, if it is about one.
    pub recording: Option<Recording>,
}

/// A job to tell a call's client something.
pub(super) struct Event<'a> {
    pub(super) call: &'a CallSid,
    pub(super) what: &'static str,
    pub(super) recording: Option<i64>,
    /// Not before.
    pub(super) at: DateTime<Utc>,
}

/// What the job is known by that tells of a call's end.
pub(super) fn ended_key(call: &CallSid) -> String {
    Event { call, what: CALL_ENDED, recording: None, at: DateTime::UNIX_EPOCH }.key()
}

impl Event<'_> {
    /// What the job is known by: one for each thing that is told.
    pub(super) fn key(&self) -> String {
        let Self { what, call, .. } = self;
        self.recording.map_or_else(|| format!("{what}/{call}"), |id| format!("{what}/{call}/{id}"))
    }
}

impl Store {
    /// Where a client is told of its calls; none when it does not want to be.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn events_target(&self, client: i64) -> Result<Option<EventsTarget>, StoreError> {
        query!(self, read, outbox::target(client))
    }

    /// Sets where a client is told; none for nowhere. What is parked since it could not be told is told there. False when there is no such client.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_events_target(&self, client: i64, target: Option<EventsTarget>) -> Result<bool, StoreError> {
        transaction!(self, outbox::set_target(client, target.as_ref()))
    }

    /// Puts on record what a function came to behind its call's end, and tells the client. The same again changes nothing.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn completed_after_call(&self, done: AfterCall) -> Result<(), StoreError> {
        transaction!(self, outbox::completed_after_call(&done))
    }

    /// What there is to tell of a call, or of a recording of it; none when there is no such call, or it is nobody's.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn told_of(&self, call: &CallSid, recording: Option<i64>) -> Result<Option<EventSubject>, StoreError> {
        let call = call.clone();
        query!(self, read, outbox::told(&call, recording))
    }
}
