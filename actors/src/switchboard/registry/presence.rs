//! The place of a call, and what becomes of it when the caller has left but their last words are awaited.

use std::sync::Arc;
use std::time::Instant;

use protocol::call::end::Ended;
use protocol::call::io::{Control, Effect, EffectId};

use super::{CallSlot, Registry};

/// Keeps a call's place. Dropped when no supervisor runs the call any more, whatever the reason: then its end is on record,
/// its sockets are told to close, and its place is free.
pub(crate) struct Presence {
    registry: Arc<Registry>,
    pub(crate) slot: Arc<CallSlot>,
}

impl Presence {
    pub(super) const fn new(registry: Arc<Registry>, slot: Arc<CallSlot>) -> Self {
        Self { registry, slot }
    }

    /// The stream began. False when the call had to give its place away meanwhile.
    pub(in crate::switchboard) fn is_seated(&self) -> bool {
        self.registry.seats.seated(&self.slot.client, &self.slot.seat)
    }

    /// Has something done for the call.
    pub(in crate::switchboard) fn run(&self, id: EffectId, effect: Effect) {
        self.registry.run(&self.slot, id, effect);
    }

    /// The caller has left. Whether the call has to end now.
    pub(in crate::switchboard) fn leave(&self) -> bool {
        self.registry.seats.vacate(&self.slot.client, &self.slot.seat, Instant::now());
        self.registry.seats.is_draining()
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.slot.over(if self.registry.seats.is_draining() {
            Ended::Shutdown
        } else {
            Ended::GaveUp { cause: "the call's arbiter stopped".to_owned() }
        });
        self.slot.hang_up();
        self.registry.leave(&self.slot);
        self.registry.seats.leave(&self.slot.client, &self.slot.seat, Instant::now());
    }
}

impl Registry {
    /// Calls whose callers have left end now.
    pub(super) fn hurry(&self) {
        let leaving = self.all().into_iter().filter(|slot| slot.has_left());
        leaving.for_each(|slot| slot.control(Control::HangUp(Ended::Shutdown)));
    }
}
