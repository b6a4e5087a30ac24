//! Clients: the tenants, found by the number that was dialled.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use protocol::ids::PhoneNumber;

use super::columns::{Time, Word};
use super::schema::clients;
use super::{EventsTarget, Store, StoreError, query};

/// A tenant.
#[derive(Clone, Debug, PartialEq, Queryable, Selectable)]
pub struct Client {
    /// Row id.
    pub id: i64,
    /// For people.
    pub name: String,
    /// E.164; no two clients have the same.
    #[diesel(deserialize_as = Word<PhoneNumber>)]
    pub exotel_number: PhoneNumber,
    /// Takes calls.
    pub active: bool,
    /// ISO 3166 region in which numbers without a country code are read.
    pub region: String,
    /// IANA name.
    pub time_zone: String,
    /// What callers meet.
    #[diesel(embed)]
    pub agent: Agent,
    /// What callers may have.
    #[diesel(embed)]
    pub limits: ClientLimits,
    /// Calls are recorded.
    pub recording: bool,
    /// Where it is told of its calls; none: nowhere.
    pub events_url: Option<String>,
    /// Grows with every change.
    pub version: i32,
    /// When it was added.
    #[diesel(deserialize_as = Time)]
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    #[diesel(deserialize_as = Time)]
    pub updated_at: DateTime<Utc>,
}

/// The agent that answers a client's calls.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = clients)]
pub struct Agent {
    /// What callers are greeted with.
    pub greeting: String,
    /// BCP 47, e.g. `hi-IN`.
    pub language: String,
    /// ISO 639-1: the language that callers are written down in; none: whichever they speak.
    pub transcription_language: Option<String>,
    /// Voice name, or the model's default.
    pub voice: Option<String>,
    /// System prompt.
    pub instructions: String,
    /// Model, or the node's.
    pub model: Option<String>,
    /// Function tools: a JSON array of `{name, description, parameters}`.
    pub tools: String,
}

/// Limits of one client; none: the node's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = clients)]
pub struct ClientLimits {
    /// Live calls.
    pub max_concurrent: Option<i32>,
    /// Calls a minute, over all callers.
    pub calls_per_minute: Option<i32>,
    /// Calls a minute of one caller.
    pub caller_calls_per_minute: Option<i32>,
    /// Longest call, s.
    pub max_call_secs: Option<i32>,
}

/// A client to be added.
#[derive(Clone, Debug)]
pub struct NewClient {
    /// For people.
    pub name: String,
    /// E.164.
    pub exotel_number: PhoneNumber,
    /// ISO 3166 region.
    pub region: String,
    /// IANA name.
    pub time_zone: String,
    /// What callers meet.
    pub agent: Agent,
    /// What callers may have.
    pub limits: ClientLimits,
    /// Calls are recorded.
    pub recording: bool,
}

/// What to change of a client: none leaves a field as it is, `Some(None)` empties it.
#[derive(Clone, Debug, Default)]
pub struct ClientChanges {
    /// For people.
    pub name: Option<String>,
    /// E.164.
    pub exotel_number: Option<PhoneNumber>,
    /// Takes calls.
    pub active: Option<bool>,
    /// ISO 3166 region.
    pub region: Option<String>,
    /// IANA name.
    pub time_zone: Option<String>,
    /// What callers are greeted with.
    pub greeting: Option<String>,
    /// BCP 47.
    pub language: Option<String>,
    /// ISO 639-1.
    pub transcription_language: Option<Option<String>>,
    /// Voice name.
    pub voice: Option<Option<String>>,
    /// System prompt.
    pub instructions: Option<String>,
    /// Model.
    pub model: Option<Option<String>>,
    /// Function tools: a JSON array.
    pub tools: Option<String>,
    /// Calls are recorded.
    pub recording: Option<bool>,
    /// Live calls.
    pub max_concurrent: Option<Option<i32>>,
    /// Calls a minute.
    pub calls_per_minute: Option<Option<i32>>,
    /// Calls a minute of one caller.
    pub caller_calls_per_minute: Option<Option<i32>>,
    /// Longest call, s.
    pub max_call_secs: Option<Option<i32>>,
    /// Where it is told of its calls.
    pub events: Option<Option<EventsTarget>>,
}

impl Store {
    /// Adds a client.
    ///
    /// # Errors
    /// [`StoreError::Taken`] when another client has that number, disabled ones included.
    pub async fn add_client(&self, new: NewClient) -> Result<Client, StoreError> {
        query!(self, write, clients::add(&new, None))
    }

    /// Adds a client that is told of its calls.
    ///
    /// # Errors
    /// As [`Self::add_client`].
    pub async fn add_told_client(&self, new: NewClient, events: EventsTarget) -> Result<Client, StoreError> {
        query!(self, write, clients::add(&new, Some(&events)))
    }

    /// Every client, by name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn clients(&self) -> Result<Vec<Client>, StoreError> {
        query!(self, read, clients::all())
    }

    /// Up to `limit` clients behind a row id, in the order in which they were added.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn clients_page(&self, after: i64, limit: i64) -> Result<Vec<Client>, StoreError> {
        query!(self, read, clients::page(after, limit))
    }

    /// The client of the first of those numbers, as the carrier spelt them, that is one's; whether it is active or not.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn client_of(&self, lines: Vec<PhoneNumber>) -> Result<Option<Client>, StoreError> {
        query!(self, read, clients::by_lines(&lines))
    }

    /// The client of a number in E.164, whether it is active or not.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn client_by_number(&self, number: &PhoneNumber) -> Result<Option<Client>, StoreError> {
        let number = number.clone();
        query!(self, read, clients::by_number(&number))
    }

    /// A client by its row id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn client(&self, id: i64) -> Result<Option<Client>, StoreError> {
        query!(self, read, clients::by_id(id))
    }

    /// Changes a client; none when there is no such client.
    ///
    /// # Errors
    /// [`StoreError::Taken`] when another client has the new number.
    pub async fn change_client(&self, id: i64, changes: ClientChanges) -> Result<Option<Client>, StoreError> {
        query!(self, write, clients::change(id, &changes))
    }
}
