//! The agent of a client as its file has it: the columns of the client's row, its numbers, and the document beside them.

use diesel::result::{DatabaseErrorKind, Error};
use protocol::ids::PhoneNumber;

use super::{Client, ClientChanges, EventsTarget, NewClient, Store, StoreError, query, transaction};

/// A client as a file has it, to be put on record.
#[derive(Clone, Debug)]
pub struct Apply {
    /// The columns. Its number is the first of `numbers`.
    pub client: NewClient,
    /// It takes calls.
    pub active: bool,
    /// All of its numbers.
    pub numbers: Vec<PhoneNumber>,
    /// What there is beyond columns and numbers: JSON.
    pub document: Option<String>,
    /// A text model is asked what came of its calls.
    pub analysed: bool,
    /// Where it is told of its calls; none leaves that as it is, `Some(None)` is nowhere.
    pub events: Option<Option<EventsTarget>>,
    /// The row that is changed and the version of it that was seen; none adds a client.
    pub over: Option<(i64, i32)>,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq)]
pub enum AppliedAgent {
    /// It is on record.
    Done(Box<Client>),
    /// The client was changed meanwhile, or is gone: it is left alone.
    Stale,
}

/// A number of ours, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberOwner {
    /// E.164.
    pub number: PhoneNumber,
    /// The client's row.
    pub id: i64,
    /// What it is called.
    pub client: String,
}

impl Apply {
    /// The columns as changes, each of them told.
    pub(super) fn changes(&self) -> ClientChanges {
        let NewClient { name, exotel_number, region, time_zone, agent, limits, recording } = self.client.clone();
        ClientChanges {
            name: Some(name),
            exotel_number: Some(exotel_number),
            active: Some(self.active),
            region: Some(region),
            time_zone: Some(time_zone),
            greeting: Some(agent.greeting),
            language: Some(agent.language),
            transcription_language: Some(agent.transcription_language),
            voice: Some(agent.voice),
            instructions: Some(agent.instructions),
            model: Some(agent.model),
            tools: Some(agent.tools),
            recording: Some(recording),
            max_concurrent: Some(limits.max_concurrent),
            calls_per_minute: Some(limits.calls_per_minute),
            caller_calls_per_minute: Some(limits.caller_calls_per_minute),
            max_call_secs: Some(limits.max_call_secs),
            events: self.events.clone(),
        }
    }
}

impl Store {
    /// Puts a client's agent on record, all of it or nothing.
    ///
    /// # Errors
    /// [`StoreError::Taken`] when another client has one of the numbers.
    pub async fn apply_agent(&self, apply: Apply) -> Result<AppliedAgent, StoreError> {
        match transaction!(self, agents::apply(&apply)) {
            // Two at once wanted the same number, and the other was first.
            Err(StoreError::Refused(Error::DatabaseError(DatabaseErrorKind::UniqueViolation, _))) => {
                Ok(AppliedAgent::Stale)
            }
            done => done,
        }
    }

    /// The numbers of a client, the one that it is known by first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn numbers_of_client(&self, client: i64) -> Result<Vec<PhoneNumber>, StoreError> {
        query!(self, read, agents::numbers(client))
    }

    /// Of these numbers, in E.164, those that are clients'.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn owners_of(&self, numbers: Vec<PhoneNumber>) -> Result<Vec<NumberOwner>, StoreError> {
        if numbers.is_empty() {
            return Ok(Vec::new());
        }
        query!(self, read, agents::owners(&numbers))
    }

    /// What there is of a client's agent beyond columns and numbers, and the version of it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn document_of_client(&self, client: i64) -> Result<Option<(i32, Option<String>)>, StoreError> {
        query!(self, read, agents::document(client))
    }

    /// Names of active clients whose rows name functions as they were kept before there were documents.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn clients_with_old_tools(&self) -> Result<Vec<String>, StoreError> {
        query!(self, read, agents::with_old_tools())
    }
}
