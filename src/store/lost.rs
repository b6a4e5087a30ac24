//! Calls that no gateway has any more: nobody will tell of their end.

use chrono::{DateTime, Utc};
use protocol::ids::CallSid;

use super::{Store, StoreError, query, transaction};

/// What the audit log calls the end of such a call.
pub(super) const CALL_LOST: &str = "call.lost";
/// Why it ended, in words.
pub(super) const WHY: &str = "its gateway stopped before the call ended, and nobody told of the end";

impl Store {
    /// Calls that began before then and whose end is not known, the oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn open_calls(&self, before: DateTime<Utc>, limit: i64) -> Result<Vec<CallSid>, StoreError> {
        query!(self, read, lost::open(before, limit))
    }

    /// Ends those of these calls whose end is still not known, tells their clients and the audit log, and answers with them. Any other
    /// account of the end, whenever it comes, takes the place of this one.
    ///
    /// # Errors
    /// When the database fails; then none was ended.
    pub async fn end_lost_calls(&self, mut calls: Vec<CallSid>) -> Result<Vec<CallSid>, StoreError> {
        // Rows are taken in one order by whoever writes several: see the record.
        calls.sort_unstable();
        transaction!(self, lost::end(&calls))
    }
}
