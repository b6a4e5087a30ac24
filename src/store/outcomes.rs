//! What was found out of calls that are over.

use chrono::{DateTime, Utc};
use protocol::ids::CallSid;
use serde_json::Value;

use super::{Call, Store, StoreError, query, transaction};

/// The kind of the jobs that have it found out.
pub const ANALYSE_CALL: &str = "analyse_call";
/// It is known, or will not be.
pub const CALL_ANALYSED: &str = "call.analysed";

/// What was found out of a call, or why it was not.
#[derive(Clone, Debug, PartialEq)]
pub struct CallOutcome {
    /// How far that came.
    pub status: OutcomeStatus,
    /// What was found out, as the client's schema says.
    pub outcome: Option<Value>,
    /// Why nothing was.
    pub why: Option<String>,
    /// The model that was asked.
    pub model: Option<String>,
    /// Since when it stands so.
    pub updated_at: DateTime<Utc>,
}

/// How far it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutcomeStatus {
    /// It is known.
    Done,
    /// It will not be: the model was asked in vain.
    Failed,
    /// Another attempt follows.
    Waiting,
    /// Nobody was asked.
    Skipped,
}

impl OutcomeStatus {
    /// All of them.
    pub(crate) const ALL: [Self; 4] = [Self::Done, Self::Failed, Self::Waiting, Self::Skipped];

    /// As stored and told.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Waiting => "waiting",
            Self::Skipped => "skipped",
        }
    }

    /// Of a word that was stored.
    pub(super) fn stored(name: &str) -> Self {
        Self::ALL.into_iter().find(|status| status.name() == name).unwrap_or(Self::Skipped)
    }

    /// Whether nothing follows: that is told.
    pub(super) const fn is_final(self) -> bool {
        matches!(self, Self::Done | Self::Failed)
    }
}

impl Store {
    /// Puts on record what was found out of a call, and tells the client. What is known already stays. False when there is no such call.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_outcome(&self, call: &CallSid, outcome: CallOutcome) -> Result<bool, StoreError> {
        let call = call.clone();
        transaction!(self, outcomes::set(&call, &outcome))
    }

    /// What was found out of a call; none: nobody was to, or has yet.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn outcome_of_call(&self, call: &Call) -> Result<Option<CallOutcome>, StoreError> {
        let id = call.id;
        query!(self, read, outcomes::of_call(id))
    }
}
