//! A place that was taken for a call before it is known to begin.

use super::{Admitted, Inner, Origin, Refusal, Switchboard, Target, supervise};
use crate::admission::Admission;
use crate::switchboard::registry;
use crate::switchboard::seats::Taken;
use crate::switchboard::supervise::Life;
use std::sync::Arc;

/// A place on this node, the tenant's share included. [`Reservation::admit`] cannot be refused for want of room; dropped unused, it gives
/// the place back, and whoever was to give way for it stays.
pub struct Reservation {
    board: Arc<Inner>,
    /// Whose share it is of.
    client: String,
    taken: Option<Taken>,
}

impl Switchboard {
    /// Takes a place for a call. `has_stream`: its media stream is here, so it will not wait.
    ///
    /// # Errors
    /// When the node or the client has all the calls it may have, or all that may wait, or the node is draining.
    pub fn reserve(&self, admission: &Admission, has_stream: bool) -> Result<Reservation, Refusal> {
        let taken = self.0.registry.reserve(admission, has_stream)?;
        Ok(Reservation { board: Arc::clone(&self.0), client: admission.client.clone(), taken: Some(taken) })
    }
}

impl Reservation {
    /// Gives the place to the call that it was taken for, and dials its model on the current arbiter. One that is here already changes
    /// nothing; one that was here and may return goes on from there.
    pub fn admit(self, admission: Admission) -> Admitted {
        let target = Target::new(&self.board.endpoint, admission.model.as_deref(), self.board.tls.clone());
        self.seat(admission, target)
    }

    pub(super) fn seat(mut self, admission: Admission, target: Target) -> Admitted {
        let Some(taken) = self.taken.take() else { return Admitted { replayed: true } };
        match self.board.registry.seat(admission, target, Arc::clone(&self.board.recorder), taken) {
            registry::Admitted::Replayed => Admitted { replayed: true },
            registry::Admitted::Seated(presence) => {
                let returned = presence.slot.has_returned();
                metrics::counter!("callgate_calls_returned_total").increment(u64::from(returned));
                let origin = if returned { Origin::Resumed } else { Origin::New };
                if let Some(life) = Life::begin(&presence.slot, origin) {
                    supervise::start(presence, life);
                }
                Admitted { replayed: false }
            }
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if let Some(taken) = self.taken.take() {
            self.board.registry.seats.give_back(&self.client, &taken);
        }
    }
}
