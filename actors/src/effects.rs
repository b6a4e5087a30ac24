//! What calls want done beside their sockets.

use std::fmt;
use std::sync::Weak;

use protocol::call::functions::Ran;
use protocol::call::io::{Effect, EffectId};
use protocol::ids::CallSid;

use crate::switchboard::registry::Registry;

/// Does what a call wants done: it comes with the call's admission, and lives as long as the call is here. Called on call arbiters: it must
/// not block, and must not fail.
///
/// It outlives the actors of a call: an effect is asked for once, and what it comes to reaches whichever actor has the call by then.
pub trait Effects: fmt::Debug + Send + Sync + 'static {
    /// Does one thing for one call. The call and the number are the key by which a peer that is asked twice can tell.
    fn run(&self, call: &CallSid, id: EffectId, effect: Effect, answer: EffectAnswer);

    /// Nobody waits for it any more: it may be given up.
    fn cancel(&self, _call: &CallSid, _id: EffectId) {}
}

/// Where the result of an effect goes, from any thread, now or later. The call counts the time: an answer that is dropped, or comes when it
/// has given up, costs nothing but that.
pub struct EffectAnswer {
    registry: Weak<Registry>,
    call: CallSid,
    id: EffectId,
}

impl EffectAnswer {
    pub(crate) const fn new(registry: Weak<Registry>, call: CallSid, id: EffectId) -> Self {
        Self { registry, call, id }
    }

    /// What the model is told; of an effect that failed, what is wrong. False when nobody hears it: the call is over for good.
    pub fn give(self, result: Result<Ran, String>) -> bool {
        self.registry.upgrade().is_some_and(|registry| registry.effect_ran(&self.call, self.id, result))
    }
}
