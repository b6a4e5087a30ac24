//! How long the caller waits for the agent, over sessions that are lost and words of theirs that nobody answers; and what that leads to.

use std::time::{Duration, Instant};

use super::context::{Context, millis};
use crate::realtime::event::ResponseStatus;
use crate::realtime::failure::{Failure, ProviderRefusal, retry_after};

/// First pause before a failed response is asked for again, when the server names none.
const RETRY_PAUSE: Duration = Duration::from_millis(500);
/// Longest pause a caller is asked to sit through.
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(8);
/// A pause within what the caller says is no wait for an answer.
const PAUSE: Duration = Duration::from_secs(2);

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    /// The model owes an answer.
    Answer,
    /// The caller spoke, and the server's detector noticed nothing.
    VadMissed,
    /// The caller has waited for an answer long enough, over however many sessions.
    Patience,
    /// A failed response is asked for again.
    Retry,
}

/// What a failed or missing answer leads to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Carry on.
    Continue,
    /// Ask for the answer again.
    AskAgain,
    /// Take another session.
    Redial,
    /// The caller is not kept waiting any longer.
    GiveUp(String),
    /// The provider would not answer however often it is asked.
    Refused(ProviderRefusal, String),
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Patience {
    /// When the caller last spoke, while the answer to it was not yet sent.
    unanswered: Option<Instant>,
    /// Since when the caller waits in silence for the agent.
    waiting: Option<Instant>,
    /// What they waited before they spoke up again.
    waited: Duration,
    /// Answers that never came, in a row.
    silences: u32,
    /// Responses that failed, in a row.
    failures: u32,
}

impl Patience {
    /// The caller waits for a word of the agent's. Neither a lost session nor a "hello?" of theirs makes the wait start over.
    pub(super) fn caller_waits(&mut self, cx: &mut Context) {
        let since = *self.waiting.get_or_insert(cx.now);
        let left = cx.policy.patience.saturating_sub(self.waited);
        cx.deadlines.set(Timer::Patience, since + left);
    }

    /// The model is to answer from now on.
    pub(super) fn expect_answer(cx: &mut Context) {
        cx.deadlines.set(Timer::Answer, cx.now + cx.policy.answer_wait);
    }

    /// It is to have begun by then.
    pub(super) fn expect_answer_by(cx: &mut Context, at: Instant) {
        cx.deadlines.set(Timer::Answer, at);
    }

    /// An answer was asked for.
    pub(super) fn asked(&mut self, cx: &mut Context) {
        cx.deadlines.clear(Timer::Retry);
        Self::expect_answer(cx);
        if cx.history.started().is_some() {
            self.caller_waits(cx);
        }
    }

    /// The caller speaks up: that is no silence, but no answer either.
    pub(super) fn caller_began(&mut self, cx: &mut Context) {
        self.unanswered = None;
        if let Some(since) = self.waiting.take() {
            let wait = cx.now.saturating_duration_since(since);
            self.waited += if wait < PAUSE { Duration::ZERO } else { wait };
        }
        for timer in [Timer::Patience, Timer::Answer, Timer::Retry] {
            cx.deadlines.clear(timer);
        }
    }

    /// The caller said something, last at that moment: an answer is due.
    pub(super) fn caller_ended(&mut self, cx: &mut Context, last: Instant) {
        self.unanswered = Some(last);
        self.caller_waits(cx);
        Self::expect_answer(cx);
    }

    /// The caller spoke, and nobody else does: the server shows that it noticed, or is as good as silent.
    pub(super) fn expect_notice(cx: &mut Context) {
        cx.deadlines.set_if_unset(Timer::VadMissed, cx.now + cx.policy.answer_wait);
    }

    /// The server shows that it hears the caller.
    pub(super) fn heard_by_server(cx: &mut Context) {
        cx.deadlines.clear(Timer::VadMissed);
    }

    /// Whether the server is to show that it heard the caller.
    pub(super) fn is_noticing(cx: &Context) -> bool {
        cx.deadlines.is_set(Timer::VadMissed)
    }

    /// Whether the model owes an answer, or is about to be asked again for one.
    pub(super) fn is_due(cx: &Context) -> bool {
        cx.deadlines.is_set(Timer::Answer) || cx.deadlines.is_set(Timer::Retry)
    }

    /// Whether a failed answer is about to be asked for again.
    pub(super) fn is_retrying(cx: &Context) -> bool {
        cx.deadlines.is_set(Timer::Retry)
    }

    /// The agent was heard, or has nothing to say.
    fn is_over(&mut self, cx: &mut Context) {
        (self.waiting, self.waited) = (None, Duration::ZERO);
        cx.deadlines.clear(Timer::Patience);
    }

    /// Audio of a response that counts came in.
    pub(super) fn audio_came(&mut self, cx: &mut Context) {
        (self.silences, self.failures) = (0, 0);
        cx.deadlines.clear(Timer::Answer);
    }

    /// Audio goes out. If an answer begins with it: how long the caller waited for it, ms.
    pub(super) fn answered(&mut self, cx: &mut Context) -> Option<u64> {
        self.is_over(cx);
        self.unanswered.take().map(|last| millis(cx.now.saturating_duration_since(last)))
    }

    /// A response ended that nobody cut, and nothing follows it.
    pub(super) fn response_ended(&mut self, cx: &mut Context, status: &ResponseStatus) -> Verdict {
        match status {
            ResponseStatus::Failed { code, message } => self.failed(cx, code, message),
            // Cut before a word of it was heard: as good as failed.
            ResponseStatus::Incomplete { reason } if self.waiting.is_some() => self.failed(cx, reason, ""),
            _ => {
                self.is_over(cx);
                cx.deadlines.clear(Timer::Answer);
                Verdict::Continue
            }
        }
    }

    /// The answer waits for what a function comes to, and the caller with it.
    pub(super) fn hold_the_answer(cx: &mut Context) {
        // The function has a deadline of its own, and the caller hears meanwhile that somebody is there.
        cx.deadlines.clear(Timer::Patience);
        cx.deadlines.clear(Timer::Answer);
    }

    /// Left alone, the caller would hear silence for ever.
    fn failed(&mut self, cx: &mut Context, code: &str, message: &str) -> Verdict {
        self.failures += 1;
        if let Failure::Refused(refusal) = Failure::of_code(code) {
            return Verdict::Refused(refusal, format!("the response failed: {code}"));
        }
        if self.failures > cx.policy.response_retries {
            return Verdict::GiveUp(format!("the response failed: {code}"));
        }
        let pause = retry_after(message).unwrap_or(RETRY_PAUSE).min(RETRY_PAUSE_MAX);
        cx.deadlines.clear(Timer::Answer);
        cx.deadlines.set(Timer::Retry, cx.now + pause);
        Verdict::Continue
    }

    /// The session is gone. Who spoke to one that did not show that it heard, and ended before that could be told, waits all the same.
    pub(super) fn session_lost(&mut self, cx: &mut Context) {
        cx.deadlines.clear(Timer::Answer);
        cx.deadlines.clear(Timer::Retry);
        if cx.deadlines.is_set(Timer::VadMissed) {
            cx.deadlines.clear(Timer::VadMissed);
            self.caller_waits(cx);
        }
    }

    /// The model should have answered.
    pub(super) fn not_answered(&mut self, cx: &mut Context) -> Verdict {
        self.expired(cx, Timer::Answer)
    }

    pub(super) fn expired(&mut self, cx: &mut Context, timer: Timer) -> Verdict {
        cx.count("model_silent", u64::from(matches!(timer, Timer::Answer | Timer::VadMissed)));
        match timer {
            Timer::Retry => Verdict::AskAgain,
            Timer::Patience => {
                Verdict::GiveUp(format!("the caller had no answer for {} ms", millis(cx.policy.patience)))
            }
            Timer::Answer | Timer::VadMissed => {
                self.silences += 1;
                let wait = millis(cx.policy.answer_wait);
                match self.silences {
                    1 => Verdict::Redial,
                    n => Verdict::GiveUp(format!("no answer within {wait} ms, {n} times in a row")),
                }
            }
        }
    }
}
