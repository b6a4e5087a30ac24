//! Who answers a caller that speaks while functions run: nobody, until these have returned.
//!
//! The server's detector would answer them by itself, with a response that knows nothing of what the functions come to, and theirs would be
//! a second answer. So what it begins meanwhile is cancelled, and one answer is asked for that has read both. A caller is kept waiting for
//! it no longer than for any answer of a model.

use std::time::{Duration, Instant};

use super::{Running, Tools};
use crate::ids::ResponseId;

/// A server that answers a turn by itself begins within that.
const BEGINS_WITHIN: Duration = Duration::from_secs(1);
/// One that has answered nothing that long after the turn of a caller who spoke into a result will not do so by itself.
pub(in crate::call) const REMINDED_AFTER: Duration = Duration::from_millis(2_500);

/// An answer that is ours to ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held {
    /// Until then the server may begin one of its own.
    Until(Instant),
    /// It did, and that was cancelled; or it will not.
    Dismissed,
}

impl Tools {
    /// What the caller said is over. Whether that is answered by us, once the functions have returned that run.
    pub(in crate::call) fn hold_the_answer(&mut self, now: Instant) -> bool {
        let pending = self.are_pending();
        if pending {
            self.held = Some(Held::Until(now + BEGINS_WITHIN));
        }
        pending
    }

    /// The server's own answer is out of the way, or will not come.
    pub(in crate::call) fn dismissed(&mut self) {
        self.held = Some(Held::Dismissed);
    }

    /// Whether an answer that nobody asked for is unwanted now.
    pub(in crate::call) fn dismisses(&self, response: &ResponseId) -> bool {
        let of_it = |running: &Running| running.call.response == *response;
        (self.are_pending() || self.held.is_some()) && !self.running.iter().any(of_it)
    }

    /// Until when an answer of the server's own may stand in the way of ours.
    pub(in crate::call) fn held_until(&self, now: Instant) -> Option<Instant> {
        match self.held {
            Some(Held::Until(at)) if at > now => Some(at),
            _ => None,
        }
    }

    /// A response begins, or is asked for, that has read all that its session was told.
    pub(in crate::call) fn answer_begins(&mut self) {
        (self.held, self.unread) = (None, false);
    }

    /// Whether results were told that no response has read.
    pub(in crate::call) const fn are_unread(&self) -> bool {
        self.unread
    }

    /// An answer is overdue: whether that is ours to ask for.
    pub(in crate::call) fn overdue(&mut self) -> bool {
        self.held.take().is_some() | std::mem::take(&mut self.unread)
    }

    /// Whether the caller has spoken since a function began that runs.
    pub(in crate::call) fn are_overtaken(&self) -> bool {
        self.running.iter().any(|running| running.overtaken && !running.silent)
    }
}
