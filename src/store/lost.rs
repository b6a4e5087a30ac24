//! Calls that no gateway has any more: nobody will tell of their end.

use chrono::{DateTime, Utc};
use protocol::ids::CallSid;

use super::{NodeId, Store, StoreError, query, transaction};

/// What the audit log calls the end of such a call.
pub(super) const CALL_LOST: &str = "call.lost";
/// Why it ended, in words.
pub(super) const WHY: &str = "its gateway stopped before the call ended, and nobody told of the end";

/// A call that nobody seems to have any more.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LostCall {
    /// Exotel's id.
    pub call_sid: CallSid,
    /// When it was looked for: who took it since, has it.
    pub generation: i32,
    /// Whose it is.
    pub owner: Option<NodeId>,
}

impl Store {
    /// Calls whose end is not known and whose gateway's lease ran out, the oldest first. Which calls a gateway of the version before has
    /// is not known, and `node` knows by itself which it has: of these, those that began before then.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lost_calls(
        &self,
        node: &NodeId,
        before: DateTime<Utc>,
        limit: i64,
    ) -> Result<Vec<LostCall>, StoreError> {
        let node = node.clone();
        query!(self, read, lost::find(&node, before, limit))
    }

    /// Ends those of these calls that are still lost, tells their clients and the audit log, and answers with them. Any other account of
    /// the end, whenever it comes, takes the place of this one. A gateway that has no lease itself ends none: what it took for dead may
    /// have been a database that stood still.
    ///
    /// # Errors
    /// When the database fails; then none was ended.
    pub async fn end_lost_calls(&self, node: &NodeId, mut calls: Vec<LostCall>) -> Result<Vec<CallSid>, StoreError> {
        let node = node.clone();
        // Rows are taken in one order by whoever writes several: see the record.
        calls.sort_unstable();
        let traced = self.traces_calls();
        transaction!(self, lost::end(&node, &calls, traced))
    }
}
