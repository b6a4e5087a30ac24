//! For whoever knows the clients: admits the calls whose media stream comes to a node that nobody told of them.

use std::future::Future;
use std::pin::Pin;

use protocol::exotel::stream::Start;
use protocol::ids::CallSid;

use crate::admission::Admission;
use crate::media::MediaRefusal;

/// Why the front desk does not admit a call. The words are for people: they go to the log and to the audit log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeskError {
    /// Asking again changes nothing: nobody has that number, or the call is over, or somebody else's.
    #[error("{0}")]
    Denied(String),
    /// Asking again may help: there are too many calls, or the database is away.
    #[error("{0}")]
    Unavailable(String),
}

/// What the [`FrontDesk`] says of a call.
pub type DeskAnswer = Pin<Box<dyn Future<Output = Result<Admission, DeskError>> + Send>>;

/// Admits the calls whose media stream comes to a node that nobody told of them.
pub trait FrontDesk: Send + Sync + 'static {
    /// A stream on a static media URL, which no webhook announced: looks the client up and writes the call down.
    fn admit(&self, start: Start) -> DeskAnswer;

    /// A further stream on a static media URL, of a call that is here or was a moment ago.
    fn readmit(&self, start: Start) -> DeskAnswer {
        self.admit(start)
    }

    /// The stream of a call that was announced to another node: writes down that it is here. One of all that ask gets it.
    fn take(&self, start: Start) -> DeskAnswer;

    /// A media socket was turned away after its upgrade: for the audit log.
    fn refused(&self, call: Option<&CallSid>, why: &MediaRefusal);
}
