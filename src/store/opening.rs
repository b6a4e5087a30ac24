//! The beginning of a call, from the number that was dialled.

use protocol::ids::{CallSid, PhoneNumber};

use super::{Begun, Client, NewCall, Store, StoreError, transaction};

/// Judges a client's call, knowing whether it has begun before: what is to be written down, or why it is refused. It may be asked more
/// than once.
pub(super) type Judge<E> = Box<dyn Fn(&Client, bool) -> Result<NewCall, E> + Send + Sync>;

/// How it went: none when no active client has the number.
pub type Opening<E> = Option<Result<(Client, Begun), E>>;

impl Store {
    /// Finds the client of the first of those numbers (as the carrier spelt them) that is one's, lets `judge` decide, and begins the call: one transaction, so one way to the database.
    ///
    /// Exactly one of any number of callers, at the same time or later, gets [`Begun::New`]. A call that had begun when its client was disabled goes on; one that had begun with another client stays that one's.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn open_call<E: Send + 'static>(
        &self,
        lines: Vec<PhoneNumber>,
        call: CallSid,
        judge: impl Fn(&Client, bool) -> Result<NewCall, E> + Send + Sync + 'static,
    ) -> Result<Opening<E>, StoreError> {
        let judge: Judge<E> = Box::new(judge);
        transaction!(self, opening::open(&lines, &call, &judge))
    }
}
