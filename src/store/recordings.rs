//! Recordings: announced at once, stored later, or failed in words.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use protocol::ids::CallSid;
use protocol::wire::clip;
use url::Url;

use super::columns::{Time, Word};
use super::schema::recordings;
use super::{Store, StoreError, query, transaction};

/// The kind of the jobs that fetch the carrier's recordings.
pub const FETCH_RECORDING: &str = "fetch_recording";

/// Recordings of the carrier's that are kept of one call.
pub const MOST_OF_CALL: i64 = 8;
/// Recordings of one client's calls that may wait to be fetched at a time; all calls that are nobody's are one client.
pub const MOST_WAITING: i64 = 1000;
/// What is kept of a URL that nobody will fetch, bytes.
const REFUSED_URL: usize = 512;

/// A recording of the carrier's, as a report tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announced {
    /// Where it is.
    pub url: String,
    /// Why it is not fetched there.
    pub refused: Option<String>,
}

impl Announced {
    /// One that may be fetched.
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), refused: None }
    }

    /// One that may not. Of its URL is kept what can be shown: no password, no more than some hundred bytes.
    pub fn refused(url: &str, why: impl ToString) -> Self {
        let mut shown = url.replace(char::is_control, "\u{fffd}");
        if let Ok(mut parsed) = Url::parse(url)
            && (!parsed.username().is_empty() || parsed.password().is_some())
        {
            // A URL without a host has no user either.
            let _ = parsed.set_username("");
            let _ = parsed.set_password(None);
            shown = parsed.into();
        }
        Self { url: clip(&shown, REFUSED_URL).into_owned(), refused: Some(why.to_string()) }
    }
}

/// What became of a recording that was told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It is on record, and fetched, or was.
    Waits,
    /// It is on record as one that is not fetched.
    Refused,
    /// It is not kept: the call has [`MOST_OF_CALL`].
    CallFull,
    /// It is not kept: [`MOST_WAITING`] of its client wait to be fetched.
    ClientFull,
}

/// What the object store took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Where: `file:///folder/key`, `s3://bucket/prefix/key`.
    pub url: String,
    /// Its size.
    pub bytes: u64,
    /// Its SHA-256, lower-case hex.
    pub sha256: String,
}

/// How far a recording is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordingStatus {
    /// It is still to be fetched, or made.
    Pending,
    /// It is where it shall be.
    Stored,
    /// There will be none.
    Failed,
}

impl RecordingStatus {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::Pending, Self::Stored, Self::Failed];

    /// As stored.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Stored => "stored",
            Self::Failed => "failed",
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }
}

/// A recording.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable)]
pub struct Recording {
    /// Row id.
    pub id: i64,
    /// Its call's row.
    pub call_id: i64,
    /// Where it came from: the carrier's URL, or a word for what we made ourselves. Unique within the call.
    pub source_url: String,
    /// Whether it is where it shall be.
    #[diesel(deserialize_as = Word<RecordingStatus>)]
    pub status: RecordingStatus,
    /// Where it is.
    pub stored_url: Option<String>,
    /// Its size.
    pub bytes: Option<i64>,
    /// SHA-256 of what is stored, lower-case hex.
    pub sha256: Option<String>,
    /// What it is.
    pub content_type: Option<String>,
    /// Why it failed, or why it is not stored yet.
    pub error: Option<String>,
    /// When it was announced.
    #[diesel(deserialize_as = Time)]
    pub created_at: DateTime<Utc>,
    /// When its status became what it is.
    #[diesel(deserialize_as = Time)]
    pub updated_at: DateTime<Utc>,
}

impl Store {
    /// Announces a recording of a call and adds the job that will store it, in one go. The job's payload is `{"recording_id"}`, its key
    /// the same number. Announced again, everything stays as it is, save that a recording which was given up is tried again. Answers with
    /// the recording's id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn announce_recording(
        &self,
        call: &CallSid,
        source: &str,
        kind: &'static str,
        node: Option<&str>,
    ) -> Result<i64, StoreError> {
        let (call, source, node) = (call.clone(), source.to_owned(), node.map(str::to_owned));
        transaction!(self, recordings::announce_own(&call, &source, kind, node.as_deref()))
    }

    /// A recording with its call.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn recording(&self, id: i64) -> Result<Option<(Recording, CallSid)>, StoreError> {
        query!(self, read, recordings::by_id(id))
    }

    /// Whether the caller of its call typed what nobody is told.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn recording_may_have_secret_keys(&self, id: i64) -> Result<bool, StoreError> {
        query!(self, read, recordings::may_have_secret_keys(id))
    }

    /// The recordings of a call, in the order in which they were announced.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn recordings_of_call(&self, call: &CallSid) -> Result<Vec<Recording>, StoreError> {
        let call = call.clone();
        query!(self, read, recordings::of_call(&call))
    }

    /// A recording is where it shall be, and its client will be told. Said again, it stays as it is.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn recording_stored(
        &self,
        id: i64,
        stored: &Stored,
        content_type: Option<&str>,
    ) -> Result<(), StoreError> {
        let (stored, content_type) = (stored.clone(), content_type.map(str::to_owned));
        transaction!(self, recordings::stored(id, &stored, content_type.as_deref()))
    }

    /// There will be no recording. One that is stored stays.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn recording_failed(&self, id: i64, why: &str) -> Result<(), StoreError> {
        let why = why.to_owned();
        query!(self, write, recordings::failed(id, &why))
    }

    /// A recording that is waited for is not there yet. Of any other, nothing is noted.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn recording_put_off(&self, id: i64, why: &str) -> Result<(), StoreError> {
        let why = why.to_owned();
        query!(self, write, recordings::put_off(id, &why))
    }
}
