//! Calls: one row each, whoever speaks of it first.
//!
//! Webhooks come in any order and any number of times, and the gateway has its own view of how a call went. The row is built so that
//! the order does not matter: call-start owns who called whom, and of several accounts of the end the one of the highest
//! [`EndRank`] stands.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use protocol::call::end::{EndCode, EndRank, EndedBy};
use protocol::call::fact::Turn;
use protocol::exotel::status::is_end;
use protocol::ids::{CallSid, PhoneNumber, StreamSid};

use super::columns::{Maybe, MaybeTime, Time, Word};
use super::recordings::{Announced, Kept};
use super::schema::calls;
use super::{Figures, Ownership, Store, StoreError, query, transaction};

pub(super) mod merge;

/// A call.
#[derive(Clone, Debug, PartialEq, Queryable, Selectable)]
pub struct Call {
    /// Row id.
    pub id: i64,
    /// Exotel's id.
    #[diesel(deserialize_as = Word<CallSid>)]
    pub call_sid: CallSid,
    /// Whose call it is; none while only the carrier's reports told of it.
    pub client_id: Option<i64>,
    /// Who called whom.
    #[diesel(embed)]
    pub parties: Parties,
    /// How the call came in; none while call-start (or the media socket) has not been seen.
    #[diesel(deserialize_as = Maybe<Entry>)]
    pub entry: Option<Entry>,
    /// `in-progress`, `completed`, `failed`, or what the carrier said: `busy`, `no-answer`, `canceled`.
    pub status: String,
    /// The most final status of the call that the carrier told.
    pub carrier_status: Option<String>,
    /// Whose account of the end `status`, `ended_code` and `ended_why` are.
    #[diesel(deserialize_as = Maybe<EndedBy>)]
    pub ended_by: Option<EndedBy>,
    /// How it ended.
    #[diesel(deserialize_as = Maybe<EndCode>)]
    pub ended_code: Option<EndCode>,
    /// The [`EndRank`] of that account.
    pub ended_rank: Option<i16>,
    /// How it ended, in words for people.
    pub ended_why: Option<String>,
    /// From when on an end that stands is for good: until then a further stream takes the call back. None: at once, if it ended.
    #[diesel(deserialize_as = MaybeTime)]
    pub over_at: Option<DateTime<Utc>>,
    /// Who has the call.
    #[diesel(embed)]
    pub ownership: Ownership,
    /// When things happened.
    #[diesel(embed)]
    pub times: Times,
    /// The media stream.
    #[diesel(deserialize_as = Maybe<StreamSid>)]
    pub stream_sid: Option<StreamSid>,
    /// How it went.
    #[diesel(embed)]
    pub figures: Figures,
}

impl Call {
    /// Whether the end of the call is known: then nothing may be started for it.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.ended_by.is_some()
    }

    /// The rank of the account of the end that stands.
    pub(super) fn standing(&self) -> Option<EndRank> {
        self.ended_rank.map(EndRank::stored)
    }

    /// Whether the carrier said that the call is over: whatever stream ended then, no other follows.
    #[must_use]
    pub fn is_over_for_the_carrier(&self) -> bool {
        self.carrier_status.as_deref().is_some_and(is_end)
    }
}

/// Who called whom. Numbers are E.164 when they could be understood; the raw form is as the carrier spelt it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = calls)]
pub struct Parties {
    /// Caller, E.164.
    #[diesel(column_name = from_number, deserialize_as = Maybe<PhoneNumber>)]
    pub from: Option<PhoneNumber>,
    /// Caller, raw.
    #[diesel(deserialize_as = Maybe<PhoneNumber>)]
    pub from_raw: Option<PhoneNumber>,
    /// Dialled number, E.164.
    #[diesel(column_name = to_number, deserialize_as = Maybe<PhoneNumber>)]
    pub to: Option<PhoneNumber>,
    /// Dialled number, raw.
    #[diesel(deserialize_as = Maybe<PhoneNumber>)]
    pub to_raw: Option<PhoneNumber>,
    /// As the carrier spells it: `incoming`, `outbound-dial`, ...
    pub direction: Option<String>,
}

/// When things happened, UTC.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = calls)]
pub struct Times {
    /// call-start (or the media socket); until then, the earliest time that was told of the call.
    #[diesel(deserialize_as = Time)]
    pub started_at: DateTime<Utc>,
    /// Answered, as the carrier told.
    #[diesel(deserialize_as = MaybeTime)]
    pub answered_at: Option<DateTime<Utc>>,
    /// The media stream's `start` event.
    #[diesel(deserialize_as = MaybeTime)]
    pub media_at: Option<DateTime<Utc>>,
    /// The end.
    #[diesel(deserialize_as = MaybeTime)]
    pub ended_at: Option<DateTime<Utc>>,
    /// Whose clock that is: ours or the carrier's.
    #[diesel(deserialize_as = Maybe<EndedBy>)]
    pub ended_at_source: Option<EndedBy>,
}

/// How a call came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// The call-start webhook, answered in XML.
    CallStart,
    /// The voicebot webhook, answered in JSON.
    Voicebot,
    /// A static media URL: no webhook.
    Static,
}

impl Entry {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::CallStart, Self::Voicebot, Self::Static];

    /// As stored.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CallStart => "call-start",
            Self::Voicebot => "voicebot",
            Self::Static => "static",
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|entry| entry.name() == name)
    }
}

/// What the carrier says of a call, at its end or on the way to it (StatusCallback, Passthru).
#[derive(Clone, Debug)]
pub struct CallEndReport {
    /// Exotel's id.
    pub call_sid: CallSid,
    /// `queued`, `ringing`, `in-progress`, `completed`, `failed`, `busy`, `no-answer` or `canceled`; others are kept, and end nothing.
    pub status: Option<String>,
    /// Who called whom, as far as told.
    pub parties: Parties,
    /// Numbers of which one may be a client's, as the carrier spelt them, the likeliest first: a call that never began is that client's.
    pub lines: Vec<PhoneNumber>,
    /// When it began.
    pub started_at: Option<DateTime<Utc>>,
    /// When it was answered.
    pub answered_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// How long the conversation was, s.
    pub duration_secs: Option<i64>,
    /// Where a recording can be fetched, or could not.
    pub recording: Option<Announced>,
    /// When we were told.
    pub at: DateTime<Utc>,
    /// It tells of the end of a stream: the call may go on.
    pub stream_only: bool,
}

impl CallEndReport {
    /// One that says nothing yet.
    #[must_use]
    pub fn new(call_sid: CallSid, at: DateTime<Utc>) -> Self {
        Self {
            call_sid,
            status: None,
            parties: Parties::default(),
            lines: Vec::new(),
            started_at: None,
            answered_at: None,
            ended_at: None,
            duration_secs: None,
            recording: None,
            at,
            stream_only: false,
        }
    }
}

/// Which calls to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallPage {
    /// Of that client.
    pub client: Option<i64>,
    /// With that status.
    pub status: Option<String>,
    /// That came in, and are not over.
    pub live: bool,
    /// That ended so.
    pub ended: Option<EndCode>,
    /// Whose caller waited for so many ms for an answer, or for the first word.
    pub slow_ms: Option<i64>,
    /// Started then or later.
    pub since: Option<DateTime<Utc>>,
    /// Started before.
    pub until: Option<DateTime<Utc>>,
    /// Behind the row with that id.
    pub after: Option<i64>,
    /// At most.
    pub limit: i64,
}

/// A call that a caller had with a client before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EarlierCall {
    /// When it began.
    pub at: DateTime<Utc>,
    /// How long it took, ms, if that is known.
    pub duration_ms: Option<i64>,
}

/// A call with its transcript.
#[derive(Clone, Debug, PartialEq)]
pub struct CallWithTurns {
    /// The call.
    pub call: Call,
    /// Its client's name.
    pub client: Option<String>,
    /// What was said, in order; of the agent only what was heard.
    pub turns: Vec<Turn>,
}

/// Open calls that are followed at once, and new ones that one look at them gives.
pub const MOST_FOLLOWED: u16 = 1000;

impl Store {
    /// Writes down what the carrier says of a call, and answers with the row. A call nobody heard of before gets one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn report_call(&self, report: CallEndReport) -> Result<Call, StoreError> {
        Ok(self.report_call_and_recording(report).await?.0)
    }

    /// The same, and what became of the recording that it tells of.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn report_call_and_recording(&self, report: CallEndReport) -> Result<(Call, Option<Kept>), StoreError> {
        transaction!(self, outbox::report(&report))
    }

    /// A call with its transcript.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn call(&self, sid: &CallSid) -> Result<Option<CallWithTurns>, StoreError> {
        let sid = sid.clone();
        query!(self, read, calls::with_turns(&sid))
    }

    /// The latest calls, newest first, each with its client's name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn recent_calls(&self, limit: i64) -> Result<Vec<(Call, Option<String>)>, StoreError> {
        query!(self, read, calls::recent(limit))
    }

    /// A page of calls, the latest row first, each with its client's name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn calls_page(&self, page: CallPage) -> Result<Vec<(Call, Option<String>)>, StoreError> {
        query!(self, read, calls::page(&page))
    }

    /// The calls behind a row, and of those with these ids, the latest first, each with its client's name; at most 1,000 of either.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn calls_followed(
        &self,
        client: Option<i64>,
        behind: i64,
        among: Vec<i64>,
    ) -> Result<Vec<(Call, Option<String>)>, StoreError> {
        query!(self, read, calls::followed(client, behind, &among))
    }

    /// The calls that a caller had with a client before this one, the latest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn earlier_calls(
        &self,
        client: i64,
        caller: &PhoneNumber,
        this: &CallSid,
        limit: i64,
    ) -> Result<Vec<EarlierCall>, StoreError> {
        let (caller, this) = (caller.clone(), this.clone());
        query!(self, read, calls::earlier(client, &caller, &this, limit))
    }

    /// The model that a call's client chose, if it did.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn model_of_call(&self, sid: &CallSid) -> Result<Option<String>, StoreError> {
        let sid = sid.clone();
        query!(self, read, calls::model(&sid))
    }
}
