//! What the drivers ask the service: whether the call of a media stream may begin here, or go on.

use std::future::Future;
use std::pin::Pin;

use protocol::exotel::stream::Start;
use protocol::ids::CallSid;

use crate::admission::Admission;
use crate::media::MediaRefusal;

/// Why a media stream's call is not admitted. The words are for people: they go to the log and to the audit log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JoinError {
    /// Asking again changes nothing: nobody has that number, or the call is over, or its stream somebody else's.
    #[error("{0}")]
    Denied(String),
    /// Asking again may help: there are too many calls, or the database is away.
    #[error("{0}")]
    Unavailable(String),
}

/// A media stream that began, of a call that has to be admitted first.
#[derive(Clone, Debug)]
pub struct Join {
    /// Its `start` event.
    pub start: Start,
    /// Which of the call's streams, by a token that was checked; none: it came by the account's credentials.
    pub stream: Option<u32>,
    /// The call as this node had it last, if it is here or was a moment ago.
    pub here: Option<Admission>,
}

/// What is said of it.
pub type JoinAnswer = Pin<Box<dyn Future<Output = Result<Admission, JoinError>> + Send>>;

/// Admits the calls whose media stream comes to a node that does not wait for it.
pub trait Admissions: Send + Sync + 'static {
    /// Writes down that the stream is here. Of all that ask for the same stream one gets the call.
    fn join(&self, join: Join) -> JoinAnswer;

    /// A media socket was turned away after its upgrade: for the audit log.
    fn refused(&self, call: Option<&CallSid>, why: &MediaRefusal);
}
