//! The audit log: every webhook and every step of a call's life, append-only, each row chained to the one before it.

use std::fmt;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use protocol::ids::CallSid;

use super::columns::{Maybe, Time, Word};
use super::schema::audit_log;
use super::{Store, StoreError, query, transaction};

mod chain;
mod verify;

pub(super) use chain::{Covered, GENESIS, Link};
pub use verify::Whole;

/// One entry.
#[derive(Clone, PartialEq, Queryable, Selectable)]
#[diesel(table_name = audit_log)]
pub struct AuditEntry {
    /// When.
    #[diesel(deserialize_as = Time)]
    pub at: DateTime<Utc>,
    /// What: `webhook.call-start`, `call.media-started`, ...
    pub kind: String,
    /// Which call, when it is about one.
    #[diesel(deserialize_as = Maybe<CallSid>)]
    pub call_sid: Option<CallSid>,
    /// Where it came from.
    pub remote_addr: Option<String>,
    /// `X-Request-Id` of the answer.
    pub request_id: Option<String>,
    /// How it went, in a word or two.
    pub outcome: String,
    /// Everything that was told, unknown fields included.
    #[diesel(deserialize_as = Word<serde_json::Value>)]
    pub payload: serde_json::Value,
}

impl AuditEntry {
    /// Something that happened in a call, and that no request asked for.
    #[must_use]
    pub fn step(
        call: &CallSid,
        at: DateTime<Utc>,
        kind: impl Into<String>,
        outcome: impl Into<String>,
        payload: serde_json::Value,
    ) -> Self {
        let (kind, outcome) = (kind.into(), outcome.into());
        Self { at, kind, call_sid: Some(call.clone()), remote_addr: None, request_id: None, outcome, payload }
    }
}

/// Without the payload: it holds phone numbers.
impl fmt::Debug for AuditEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditEntry")
            .field("at", &self.at)
            .field("kind", &self.kind)
            .field("call_sid", &self.call_sid)
            .field("outcome", &self.outcome)
            .finish_non_exhaustive()
    }
}

/// Which entries to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditPage {
    /// Of that call.
    pub call: Option<CallSid>,
    /// Of the calls of that client.
    pub client: Option<i64>,
    /// Of that kind: `webhook.call-start`, or all of `webhook`.
    pub kind: Option<String>,
    /// That went so.
    pub outcome: Option<String>,
    /// From then on.
    pub since: Option<DateTime<Utc>>,
    /// Before then.
    pub until: Option<DateTime<Utc>>,
    /// At most.
    pub limit: i64,
}

impl Store {
    /// Appends entries, in their order, all or none. What happens in requests and calls goes through [`crate::calls::writer::RecordWriter`].
    ///
    /// # Errors
    /// When the database fails.
    pub async fn append_audit(&self, entries: Vec<AuditEntry>) -> Result<(), StoreError> {
        transaction!(self, audit::append(&entries))
    }

    /// The same, leaving out those that are there already: for entries whose first append may have been committed without an answer.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn append_audit_again(&self, entries: Vec<AuditEntry>) -> Result<(), StoreError> {
        transaction!(self, audit::append_again(&entries))
    }

    /// The id and hash of the last entry; none when somebody took them away.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audit_head(&self) -> Result<Option<(i64, String)>, StoreError> {
        query!(self, read, audit::end())
    }

    /// The entries of a call, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audit_of_call(&self, sid: &CallSid) -> Result<Vec<AuditEntry>, StoreError> {
        let sid = sid.clone();
        query!(self, read, audit::of_call(&sid))
    }

    /// The latest entries, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn recent_audit(&self, limit: i64) -> Result<Vec<AuditEntry>, StoreError> {
        self.audit_page(AuditPage { limit, ..AuditPage::default() }).await
    }

    /// Those of the latest entries that are asked for, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audit_page(&self, page: AuditPage) -> Result<Vec<AuditEntry>, StoreError> {
        query!(self, read, audit::page(&page))
    }
}

#[cfg(test)]
mod tests;
