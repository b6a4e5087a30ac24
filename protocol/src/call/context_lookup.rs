//! Who calls: the client is asked while the model is dialled, and the session is configured once it has answered, or is not waited for
//! any longer. What it says later is told the model as a fact.

use super::context::Context;
use super::fact::Fact;
use super::io::{Effect, EffectId, Output};

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    /// The client should have answered by now.
    Late,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct ContextLookup {
    asked: Option<EffectId>,
    /// The session waits for the answer.
    awaited: bool,
}

impl ContextLookup {
    /// A call begins, or goes on somewhere else: asked once, and not again after a fault of ours.
    pub(super) fn begin(&mut self, cx: &mut Context) {
        let Some(wait) = cx.setup.context else { return };
        if let Some((id, known)) = cx.history.context_asked() {
            self.asked = Some(id).filter(|_| !known);
            return;
        }
        let id = EffectId(cx.history.effects() + 1);
        cx.record(Fact::ContextAsked { id });
        cx.out.push_back(Output::Run { id, effect: Effect::Context });
        cx.deadlines.set(Timer::Late, cx.now + wait);
        (self.asked, self.awaited) = (Some(id), !wait.is_zero());
    }

    /// Whether the session waits for the answer.
    pub(super) const fn is_awaited(&self) -> bool {
        self.awaited
    }

    /// Whether that is the answer: whether it is in time.
    pub(super) fn answered(&mut self, cx: &mut Context, id: EffectId) -> Option<bool> {
        self.asked.take_if(|asked| *asked == id)?;
        cx.deadlines.clear(Timer::Late);
        Some(std::mem::take(&mut self.awaited))
    }

    /// It is not waited for any longer.
    pub(super) fn expired(&mut self, cx: &mut Context, Timer::Late: Timer) {
        cx.count("context_late", 1);
        self.awaited = false;
    }
}
