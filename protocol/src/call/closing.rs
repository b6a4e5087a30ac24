//! The goodbye that must be heard: the call ends when it was, unless the caller has more to say.

use std::time::Duration;

use super::context::Context;
use super::end::Ended;
use super::tools::Asked;

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    /// The goodbye should have been heard.
    Goodbye,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Closing(Option<Goodbye>);

#[derive(Debug)]
struct Goodbye {
    why: Ended,
    /// The call of a function that asked for it.
    by: Asked,
    /// The audio that belongs before the end was generated whole.
    said: bool,
}

impl Closing {
    /// The agent asked for the end.
    pub(super) fn begin(&mut self, why: Ended, by: Asked) {
        self.0 = Some(Goodbye { why, by, said: false });
    }

    /// Whether the call is about to end.
    pub(super) fn is_pending(&self) -> bool {
        self.0.is_some()
    }

    /// No more of the goodbye will come; so much of it is still to be played.
    pub(super) fn generated(&mut self, cx: &mut Context, remaining: Duration) {
        if let Some(goodbye) = &mut self.0 {
            goodbye.said = true;
            cx.deadlines.set(Timer::Goodbye, cx.now + remaining + cx.policy.goodbye_slack);
        }
    }

    /// Everything that came was heard: why the call ends now, if that was the goodbye.
    pub(super) fn heard_out(&mut self) -> Option<Ended> {
        self.0.take_if(|goodbye| goodbye.said).map(|goodbye| goodbye.why)
    }

    /// It was waited for long enough.
    pub(super) fn expired(&mut self, Timer::Goodbye: Timer) -> Option<Ended> {
        self.heard_out()
    }

    /// The caller has more to say: the call whose result the agent waits for, if it said goodbye.
    pub(super) fn cancel(&mut self, cx: &mut Context) -> Option<Asked> {
        let goodbye = self.0.take()?;
        cx.deadlines.clear(Timer::Goodbye);
        Some(goodbye.by)
    }

    /// The call ends otherwise.
    pub(super) fn forget(&mut self) {
        self.0 = None;
    }
}
