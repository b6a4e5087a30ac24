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
    /// The call of a function of ours that asked for it, whose result depends on whether it comes to the end; none: a function of the
    /// client's said so, and is not asked again.
    by: Option<Asked>,
    /// What belongs before the end is yet to begin.
    unasked: bool,
    /// The audio that belongs before the end was generated whole.
    said: bool,
}

impl Closing {
    /// Of a call that begins, or is rebuilt: one that comes when nobody answers ends with the first words that are said.
    pub(super) fn new(closed: bool) -> Self {
        let goodbye = Goodbye { why: Ended::Closed, by: None, unasked: true, said: false };
        Self(closed.then_some(goodbye))
    }

    /// The agent asked for the end.
    pub(super) fn begin(&mut self, why: Ended, by: Asked) {
        self.0 = Some(Goodbye { why, by: Some(by), unasked: false, said: false });
    }

    /// A function of the client's says that the call ends: `answered` if the model says something of it first.
    pub(super) fn steer(&mut self, why: Ended, answered: bool) {
        if self.0.is_none() {
            self.0 = Some(Goodbye { why, by: None, unasked: answered, said: false });
        }
    }

    /// The model was asked for an answer, or began one.
    pub(super) fn answer_begins(&mut self) {
        if let Some(goodbye) = &mut self.0 {
            goodbye.unasked = false;
        }
    }

    /// Whether the agent says nothing more, since it said goodbye by itself.
    pub(super) fn is_said_for(&self) -> bool {
        self.0.as_ref().is_some_and(|goodbye| !goodbye.unasked)
    }

    /// Whether the call is about to end.
    pub(super) fn is_pending(&self) -> bool {
        self.0.is_some()
    }

    /// No more of the goodbye will come; so much of it is still to be played.
    pub(super) fn generated(&mut self, cx: &mut Context, remaining: Duration) {
        if let Some(goodbye) = self.0.as_mut().filter(|goodbye| !goodbye.unasked) {
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
        cx.deadlines.clear(Timer::Goodbye);
        let goodbye = self.0.as_mut()?;
        if goodbye.by.is_none() {
            // It ends all the same, once they are answered.
            (goodbye.unasked, goodbye.said) = (true, false);
            return None;
        }
        self.0.take().and_then(|goodbye| goodbye.by)
    }

    /// Playback pauses: a goodbye that is paused is not late.
    pub(super) fn paused(&mut self, cx: &mut Context) {
        cx.deadlines.clear(Timer::Goodbye);
    }

    /// Playback goes on, with so much still to be played.
    pub(super) fn goes_on(&mut self, cx: &mut Context, remaining: Duration) {
        if self.0.as_ref().is_some_and(|goodbye| goodbye.said) {
            cx.deadlines.set(Timer::Goodbye, cx.now + remaining + cx.policy.goodbye_slack);
        }
    }

    /// The call ends otherwise.
    pub(super) fn forget(&mut self) {
        self.0 = None;
    }
}
