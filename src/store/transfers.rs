//! Where callers were handed on to: one transfer for each stream of a call that a person came behind, whoever asks for it first.

use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use protocol::call::end::EndCode;
use protocol::ids::CallSid;

use super::columns::{Time, Word};
use super::schema::call_transfers;
use super::{Call, Store, StoreError, query, transaction};

/// A caller was handed on to a destination of the client's.
pub const CALL_TRANSFERRED: &str = "call.transferred";
/// Transfers of a call that are shown: the latest.
pub(super) const MOST_SHOWN: i64 = 100;

/// A caller was handed on.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = call_transfers)]
pub struct CallTransfer {
    /// Streams of the call that had begun by then.
    pub number: i32,
    /// When that was decided.
    #[diesel(deserialize_as = Time)]
    pub at: DateTime<Utc>,
    /// Which of the client's destinations; none: whomever the flow has.
    pub destination: Option<String>,
    /// Why.
    pub reason: String,
    /// What whoever picks up must know, in the agent's words.
    pub summary: Option<String>,
    /// The end of the stream that it followed from.
    #[diesel(deserialize_as = Word<EndCode>)]
    pub cause: EndCode,
    /// What became of it, in the carrier's word; none: not told.
    pub outcome: Option<String>,
}

/// A caller is to be handed on, as the row of the call was seen.
#[derive(Clone, Debug)]
pub struct NewTransfer {
    /// The call.
    pub call_sid: CallSid,
    /// Streams of it that had begun.
    pub number: i32,
    /// The end that stood; none: none did.
    pub ended_code: Option<EndCode>,
    /// To which of the client's destinations.
    pub destination: String,
    /// Why.
    pub reason: String,
    /// How long it rings.
    pub rings: Duration,
    /// Now.
    pub at: DateTime<Utc>,
}

/// What a caller who is handed on came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandedOn {
    /// The transfer that stands.
    pub stands: CallTransfer,
    /// It is the one that was asked for, and nobody's before.
    pub decided: bool,
}

impl Store {
    /// Hands a caller on, once: of several who ask the first decides, and all are answered with what stands. None: the call has moved on
    /// since it was looked at.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn hand_on(&self, transfer: NewTransfer) -> Result<Option<HandedOn>, StoreError> {
        transaction!(self, transfers::hand_on(&transfer))
    }

    /// The transfer behind the last stream of a call, if there is one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn transfer_of_call(&self, call: &Call) -> Result<Option<CallTransfer>, StoreError> {
        let (id, number) = (call.id, call.transfer_number());
        query!(self, read, transfers::of_stream(id, number))
    }

    /// The latest transfers of a call, in their order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn transfers_of_call(&self, call: &Call) -> Result<Vec<CallTransfer>, StoreError> {
        let id = call.id;
        query!(self, read, transfers::of_call(id))
    }
}

impl Call {
    /// What a transfer is known by that follows now.
    #[must_use]
    pub fn transfer_number(&self) -> i32 {
        i32::try_from(self.streams()).unwrap_or(i32::MAX)
    }
}
