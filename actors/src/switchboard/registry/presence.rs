//! The place of a call, and what becomes of it when the caller has left but their last words are awaited.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use protocol::call::fact::{Ended, Fact};
use protocol::call::io::Control;

use super::{CallSlot, Counts, Registry, lock};

/// Calls that wait for their callers' last words have given their places back: this share of all places again, and those beyond it
/// keep theirs.
const LEAVING_SHARE: usize = 4;

/// Keeps a call's place. Dropped when no supervisor runs the call any more, whatever the reason: then its end is on record,
/// its sockets are told to close, and its place is free.
pub(crate) struct Presence {
    registry: Arc<Registry>,
    pub(crate) slot: Arc<CallSlot>,
    /// The place is free already.
    leaving: AtomicBool,
}

impl Presence {
    pub(super) fn new(registry: Arc<Registry>, slot: Arc<CallSlot>) -> Self {
        Self { registry, slot, leaving: AtomicBool::new(false) }
    }

    /// The caller has left. Whether the call has to end now.
    fn leave(&self) -> bool {
        if !self.leaving.load(Ordering::Acquire) && self.registry.count_leaving(&self.slot.client) {
            self.leaving.store(true, Ordering::Release);
        }
        self.registry.is_draining()
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.slot.over(if self.registry.is_draining() {
            Ended::Shutdown
        } else {
            Ended::GaveUp { cause: "the call's arbiter stopped".to_owned() }
        });
        self.slot.hang_up();
        self.registry.calls.remove(&self.slot.sid);
        self.registry.count_out(&self.slot.client, self.leaving.load(Ordering::Acquire));
    }
}

impl CallSlot {
    /// The line is free and so is the call's place, unless too many wait for their callers' last words. A node that stops waits
    /// for none.
    pub(super) fn leave(&self) {
        let presence = lock(&self.state).presence.upgrade();
        if presence.is_some_and(|presence| presence.leave()) {
            self.control(Control::HangUp(Ended::Shutdown));
        }
    }

    /// Puts on record that the call is over: for the reason it had already, if it waited only for its caller's last words.
    pub(crate) fn over(&self, otherwise: Ended) {
        let left = lock(&self.history).left().cloned();
        self.record(&Fact::Ended(left.unwrap_or(otherwise)));
    }
}

impl Registry {
    /// The place of a call that waits for its caller's last words is free. False when too many wait already.
    fn count_leaving(&self, client: &str) -> bool {
        let mut counts = lock(&self.counts);
        let room = counts.leaving < self.limits.max_calls.div_ceil(LEAVING_SHARE);
        if room {
            counts.leaving += 1;
            self.free(&mut counts, client);
        }
        room
    }

    fn count_out(&self, client: &str, leaving: bool) {
        let mut counts = lock(&self.counts);
        if leaving {
            counts.leaving -= 1;
        } else {
            self.free(&mut counts, client);
        }
        if counts.is_empty() {
            self.empty.notify_waiters();
        }
    }

    /// Calls whose callers have left end now.
    pub(super) fn hurry(&self) {
        let leaving = self.all().into_iter().filter(|slot| lock(&slot.history).left().is_some());
        leaving.for_each(|slot| slot.control(Control::HangUp(Ended::Shutdown)));
    }
}

impl Counts {
    /// Whether no call is left.
    pub(super) fn is_empty(&self) -> bool {
        self.live == 0 && self.leaving == 0
    }
}
