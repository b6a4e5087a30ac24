//! Why a call does not begin, or does not go on.

use std::time::Duration;

use actors::{JoinError, Refusal};
use protocol::exotel::webhook::{FieldError, FieldProblem};

use crate::store::StoreError;

/// Why a use case refuses.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// A field is missing or malformed.
    #[error("{0}")]
    Field(FieldError),
    /// No active client has that number.
    #[error("no active client has that number")]
    UnknownClient,
    /// Nobody has heard of it.
    #[error("no call has that CallSid: a Connect applet stands behind a Voicebot applet of the same flow")]
    UnknownCall,
    /// It came in by a number of another client's.
    #[error("the call is another client's than the number that was called")]
    AnotherClient,
    /// The caller goes to nobody whom we know.
    #[error("the caller goes to no destination of the client's")]
    NoTransfer,
    /// It ended for good, or too long ago.
    #[error("the call is over: no further stream of it is taken")]
    Over,
    /// Another socket has the stream.
    #[error("the media token was used up by the call's first stream, or the call is over")]
    StreamUsed,
    /// Too many in a minute.
    #[error("too many {what}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// When it may be tried again.
        retry_after: Duration,
    },
    /// This node is draining or full, or the client has all the calls it may have.
    #[error("{0}")]
    NoRoom(Refusal),
    /// The database did not answer in time, or failed.
    #[error("the storage is away: the request was not written down")]
    StorageAway,
}

impl Refused {
    /// The word for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Field(error) => match error.problem {
                FieldProblem::Body(_) => "malformed_body",
                FieldProblem::Missing(_) => "missing_field",
                FieldProblem::Malformed(_) => "malformed_field",
            },
            Self::UnknownClient => "unknown_client",
            Self::UnknownCall => "unknown_call",
            Self::AnotherClient => "another_client",
            Self::NoTransfer => "no_transfer",
            Self::Over => "call_over",
            Self::StreamUsed => "token_used",
            Self::TooMany { .. } => "rate_limited",
            Self::NoRoom(Refusal::Draining) => "draining",
            Self::NoRoom(Refusal::Full) => "full",
            Self::NoRoom(Refusal::ClientFull) => "client_full",
            Self::StorageAway => "storage_away",
        }
    }

    /// Counts it.
    pub(crate) fn count(&self) -> &Self {
        metrics::counter!("callgate_refusals_total", "code" => self.code()).increment(1);
        self
    }
}

impl From<FieldError> for Refused {
    fn from(error: FieldError) -> Self {
        Self::Field(error)
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self::NoRoom(refusal)
    }
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        // Logged once, here: the answer says no more than that the storage is away.
        tracing::error!(%error, "the database failed a request");
        Self::StorageAway
    }
}

impl From<&Refused> for JoinError {
    fn from(refused: &Refused) -> Self {
        let words = refused.to_string();
        match refused {
            Refused::StorageAway | Refused::NoRoom(_) | Refused::TooMany { .. } => Self::Unavailable(words),
            _ => Self::Denied(words),
        }
    }
}
