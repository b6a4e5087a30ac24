//! Who is on the line: one [`CallSlot`] a call, found by its CallSid from any arbiter.

mod presence;

use std::sync::Arc;
use std::time::Instant;

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use protocol::call::end::Ended;
use protocol::call::functions::Ran;
use protocol::call::io::{Control, Effect, EffectId, Input};
use protocol::ids::CallSid;
use tokio::sync::Notify;

use super::meters::Meters;
use super::recent::{RecentCall, RecentCalls};
use super::seats::{Asked, Seats, Taken};
use super::slot::Beginning;
pub(crate) use super::slot::{Attached, CallSlot};
use crate::admission::{Admission, Refusal};
use crate::effects::EffectAnswer;
use crate::limits::Limits;
use crate::model_leg::Target;
use crate::recorder::Recorder;
pub(crate) use presence::Presence;

/// All calls of the node.
pub(crate) struct Registry {
    calls: DashMap<CallSid, Arc<CallSlot>>,
    pub(crate) seats: Seats,
    /// Those that may come back.
    pub(crate) recent: RecentCalls,
    /// Told whenever a call has left.
    left: Notify,
    limits: Limits,
    meters: Arc<Meters>,
}

/// What an admission came to.
pub(crate) enum Admitted {
    /// The call was here already.
    Replayed,
    /// It has a place now, for as long as the guard lives.
    Seated(Arc<Presence>),
}

impl Registry {
    pub(crate) fn new(limits: Limits, meters: Arc<Meters>) -> Self {
        let seats = Seats::new(limits.clone(), Arc::clone(&meters));
        let (calls, recent, left) = (DashMap::new(), RecentCalls::new(limits.max_calls), Notify::new());
        Self { calls, seats, recent, left, limits, meters }
    }

    pub(crate) fn find(&self, sid: &CallSid) -> Option<Arc<CallSlot>> {
        self.calls.get(sid).map(|slot| Arc::clone(&slot))
    }

    /// Has something done for a call.
    fn run(self: &Arc<Self>, slot: &CallSlot, id: EffectId, effect: Effect) {
        let answer = EffectAnswer::new(Arc::downgrade(self), slot.sid.clone(), id);
        match &slot.effects {
            Some(effects) => effects.run(&slot.sid, id, effect, answer),
            None => {
                answer.give(Err("this function is not available on this call".to_owned()));
            }
        }
    }

    /// An effect of a call came to something. One whose stream has ended hears it when it comes back; false when it is over for good.
    pub(crate) fn effect_ran(&self, call: &CallSid, id: EffectId, result: Result<Ran, String>) -> bool {
        let slot = self.find(call).or_else(|| self.recent.find(call));
        match &slot {
            Some(slot) => slot.deliver(Input::Ran { id, result }),
            None => metrics::counter!("callgate_effects_unheard_total").increment(1),
        }
        slot.is_some()
    }

    /// Every call of this moment.
    pub(crate) fn all(&self) -> Vec<Arc<CallSlot>> {
        self.calls.iter().map(|slot| Arc::clone(&slot)).collect()
    }

    /// Takes no new calls from now on.
    pub(crate) fn drain(&self) {
        self.seats.drain();
        self.hurry();
    }

    /// Takes a place for a call. The seats decide what is too much, and who gives way.
    pub(crate) fn reserve(&self, admission: &Admission, has_stream: bool) -> Result<Taken, Refusal> {
        self.seats.take(&admission.call_sid, asked(admission, has_stream), Instant::now())
    }

    /// Gives a call the place that was taken for it. The insert decides what is a replay: that one needs no second place.
    pub(crate) fn seat(
        self: &Arc<Self>,
        mut admission: Admission,
        target: Target,
        recorder: Arc<dyn Recorder>,
        taken: Taken,
    ) -> Admitted {
        let vacant = match self.calls.entry(admission.call_sid.clone()) {
            Entry::Occupied(_) => {
                self.seats.give_back(&admission.client, &taken);
                return Admitted::Replayed;
            }
            Entry::Vacant(vacant) => vacant,
        };
        let Taken { seat, gives_way, few_wait } = taken;
        if !few_wait {
            Arc::make_mut(&mut admission.policy).greet_early = false;
        }
        let before = self.recent.take(&admission.call_sid).map(RecentCall::come_back);
        let (limits, meters) = (self.limits.clone(), Arc::clone(&self.meters));
        let slot = Arc::new(CallSlot::new(Beginning { admission, target, seat, recorder, limits, meters, before }));
        let presence = Arc::new(Presence::new(Arc::clone(self), Arc::clone(&slot)));
        slot.keeps_its_place(&presence);
        vacant.insert(slot);
        // Only now: the table is locked until the insert.
        if let Some(loser) = gives_way {
            self.seats.gave_way(Instant::now());
            self.tell_to_give_way(&loser);
        }
        Admitted::Seated(presence)
    }

    fn tell_to_give_way(&self, loser: &CallSid) {
        if let Some(loser) = self.find(loser) {
            tracing::info!(call_sid = %loser.sid, "a call whose stream did not come gives its place to another");
            loser.control(Control::HangUp(Ended::NoMedia));
        }
    }

    /// Resolves when that call has left.
    pub(crate) async fn without(&self, slot: &Arc<CallSlot>) {
        loop {
            let told = self.left.notified();
            if !self.calls.get(&slot.sid).is_some_and(|here| Arc::ptr_eq(&here, slot)) {
                return;
            }
            told.await;
        }
    }

    /// A call leaves, for a while or for good.
    fn leave(self: &Arc<Self>, slot: &Arc<CallSlot>) {
        if slot.may_return() {
            self.recent.keep(Arc::clone(slot), Arc::downgrade(self));
        } else {
            slot.sink().iter().for_each(|sink| sink.ended());
        }
        self.calls.remove(&slot.sid);
        self.left.notify_waiters();
    }
}

fn asked(admission: &Admission, has_stream: bool) -> Asked<'_> {
    Asked {
        client: &admission.client,
        max_concurrent: admission.max_concurrent,
        wait: (!has_stream).then_some(admission.policy.media_wait),
    }
}
