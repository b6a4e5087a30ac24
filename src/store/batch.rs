//! What the record of running calls writes, many calls in one transaction.

use chrono::{DateTime, Utc};
use protocol::call::end::{EndCode, EndRank, Transfer};
use protocol::call::fact::Turn;
use protocol::call::history::StoredStep;
use protocol::ids::{CallSid, StreamSid};

use super::{CallEndReport, Figures, NodeId, Store, StoreError, transaction};

/// Everything to be written at once: all of it or nothing.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// One entry a call.
    pub calls: Vec<CallUpdate>,
    /// What the carrier reported while the database was away.
    pub reports: Vec<CallEndReport>,
}

/// What is new of one call.
#[derive(Clone, Debug)]
pub struct CallUpdate {
    /// The call.
    pub call_sid: CallSid,
    /// Who tells: of a call that another has by now, nothing is written.
    pub owner: NodeId,
    /// Under which generation of the call; none: whichever that owner has.
    pub generation: Option<i32>,
    /// It had ended, and goes on.
    pub reopened: bool,
    /// A media stream of it began.
    pub media: Option<MediaStart>,
    /// New or better known turns.
    pub turns: Vec<Turn>,
    /// What happened between them, new or better known.
    pub steps: Vec<StoredStep>,
    /// Its caller types what nobody is told.
    pub secret_keys: bool,
    /// The figures so far; none when they did not change.
    pub figures: Option<Figures>,
    /// Its end.
    pub finish: Option<Finish>,
}

/// The start of a media stream.
#[derive(Clone, Debug)]
pub struct MediaStart {
    /// When the first of the call did.
    pub at: DateTime<Utc>,
    /// The stream.
    pub stream: StreamSid,
    /// Which of the call's streams it is, from 1.
    pub number: i32,
}

/// A gateway's account of a call's end.
#[derive(Clone, Debug)]
pub struct Finish {
    /// When, by our clock.
    pub at: DateTime<Utc>,
    /// The stored status.
    pub status: String,
    /// How.
    pub code: EndCode,
    /// The same in words for people.
    pub why: String,
    /// The agent handed the caller on.
    pub transfer: Option<Transfer>,
}

impl Finish {
    /// How much it counts beside other accounts.
    #[must_use]
    pub fn rank(&self) -> EndRank {
        EndRank::of(self.code, &self.status)
    }
}

impl Store {
    /// Writes a batch, but for calls that another has by now: these come back. The same batch again changes nothing.
    ///
    /// # Errors
    /// When the database fails; then nothing was written.
    pub async fn write_batch(&self, batch: Batch) -> Result<Vec<CallSid>, StoreError> {
        let traced = self.traces_calls();
        transaction!(self, outbox::write(&batch, traced))
    }
}
