//! What clients are told of their calls: each event is a job, added in the same transaction as what it tells of.

use chrono::{DateTime, TimeDelta, Utc};
use protocol::call::COMES_BACK_WITHIN;
use protocol::call::end::{EndCode, EndedBy};
use protocol::ids::{CallSid, Secret};

use super::{Client, Recording, Store, StoreError, query, transaction};

/// The kind of the jobs that tell clients.
pub const SEND_EVENT: &str = "send_event";
/// Begun.
pub const CALL_STARTED: &str = "call.started";
/// Ended, by whichever account of it stands.
pub const CALL_ENDED: &str = "call.ended";
/// A recording can be had.
pub const RECORDING_STORED: &str = "recording.stored";

/// How long the carrier's word of an end waits for ours, which says more.
const OUR_WORD: TimeDelta = TimeDelta::seconds(5);
/// How long an end waits that may be none. A little longer than a gateway takes the call back, so that none goes on that was told to
/// be over.
pub(super) const RETURN: TimeDelta = TimeDelta::seconds(COMES_BACK_WITHIN.as_secs().cast_signed() + 5);

/// How long the end that stands waits before it is told: for the call to come back, unless the carrier said that it is over, or for our
/// own word.
pub(super) fn wait(end: EndCode, over_for_the_carrier: bool) -> TimeDelta {
    match end.by() {
        _ if end.is_provisional() && !over_for_the_carrier => RETURN,
        EndedBy::Carrier => OUR_WORD,
        EndedBy::Gateway | EndedBy::Reaper => TimeDelta::zero(),
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

/// What an event tells of, as it is when it is told.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// The call.
    pub call: super::Call,
    /// Whose it is.
    pub client: Client,
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

    /// What there is to tell of a call, or of a recording of it; none when there is no such call, or it is nobody's.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn told_of(&self, call: &CallSid, recording: Option<i64>) -> Result<Option<Told>, StoreError> {
        let call = call.clone();
        query!(self, read, outbox::told(&call, recording))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_told_at_once_if_nothing_more_can_come() {
        assert_eq!(wait(EndCode::AgentHungUp, false), TimeDelta::zero());
        assert_eq!(wait(EndCode::StreamStopped, true), TimeDelta::zero(), "the carrier says that it is over");
        assert_eq!(wait(EndCode::Reaped, false), RETURN, "its gateway died, not the call");
    }

    #[test]
    fn an_end_that_may_be_none_and_one_that_is_the_carriers_word_wait() {
        assert_eq!(wait(EndCode::StreamStopped, false), RETURN);
        assert_eq!(wait(EndCode::StreamReported, false), RETURN);
        assert_eq!(wait(EndCode::CarrierReported, true), OUR_WORD);
    }
}
