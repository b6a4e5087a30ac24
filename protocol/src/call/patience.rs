//! How long the caller waits for the agent, over sessions that are lost and words of theirs that nobody answers; and what that leads to.

use std::time::{Duration, Instant};

use super::context::{Context, millis};
use super::deadlines::Timer;
use super::fact::Fact;
use crate::realtime::failure::{Failure, retry_after};

/// First pause before a failed response is asked for again, when the server names none.
const RETRY_PAUSE: Duration = Duration::from_millis(500);
/// Longest pause a caller is asked to sit through.
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(5);
/// A pause within what the caller says is no wait for an answer.
const PAUSE: Duration = Duration::from_secs(2);

/// What a failed or missing answer leads to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Carry on.
    Continue,
    /// Take another session.
    Redial,
    /// The caller is not kept waiting any longer.
    GiveUp(String),
    /// The provider would not answer however often it is asked.
    Refused(String),
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Patience {
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
    /// The caller is owed a word of the agent's. Neither a lost session nor a "hello?" of theirs makes the wait start over.
    pub(crate) fn owe(&mut self, cx: &mut Context) {
        let since = *self.waiting.get_or_insert(cx.now);
        let left = cx.policy.patience.saturating_sub(self.waited);
        cx.deadlines.set(Timer::Patience, since + left);
    }

    /// The caller speaks up: that is no silence, but no answer either.
    pub(crate) fn pauses(&mut self, cx: &mut Context) {
        self.unanswered = None;
        if let Some(since) = self.waiting.take() {
            let wait = cx.now.saturating_duration_since(since);
            self.waited += if wait < PAUSE { Duration::ZERO } else { wait };
        }
        cx.deadlines.clear(Timer::Patience);
    }

    /// The caller said something, last at that moment: an answer is due.
    pub(crate) fn spoke(&mut self, cx: &mut Context, last: Instant) {
        self.unanswered = Some(last);
        self.owe(cx);
        cx.deadlines.set(Timer::Answer, cx.now + cx.policy.answer_wait);
    }

    /// Whether the caller said something and heard nothing since.
    pub(crate) fn is_tried(&self) -> bool {
        self.waiting.is_some()
    }

    /// The agent was heard, or has nothing to say.
    pub(crate) fn is_over(&mut self, cx: &mut Context) {
        (self.waiting, self.waited) = (None, Duration::ZERO);
        cx.deadlines.clear(Timer::Patience);
    }

    /// Audio of a response that counts came in.
    pub(crate) fn audio_came(&mut self, cx: &mut Context) {
        (self.silences, self.failures) = (0, 0);
        cx.deadlines.clear(Timer::Answer);
    }

    /// The first audio of an answer goes out: how long the caller waited for it.
    pub(crate) fn answered(&mut self, cx: &mut Context) {
        self.is_over(cx);
        if let Some(last) = self.unanswered.take() {
            cx.record(Fact::Answered { after_ms: millis(cx.now.saturating_duration_since(last)) });
        }
    }

    /// A response failed. Left alone, the caller would hear silence for ever.
    pub(crate) fn failed(&mut self, cx: &mut Context, code: &str, message: &str) -> Verdict {
        self.failures += 1;
        if Failure::of_code(code) == Failure::Refused {
            return Verdict::Refused(format!("the response failed: {code}"));
        }
        if self.failures > cx.policy.response_retries {
            return Verdict::GiveUp(format!("the response failed: {code}"));
        }
        let pause = retry_after(message).unwrap_or(RETRY_PAUSE).min(RETRY_PAUSE_MAX);
        cx.deadlines.clear(Timer::Answer);
        cx.deadlines.set(Timer::RetryResponse, cx.now + pause);
        Verdict::Continue
    }

    /// The answer did not come in time.
    pub(crate) fn answer_expired(&mut self, wait: Duration) -> Verdict {
        self.silences += 1;
        match self.silences {
            1 => Verdict::Redial,
            n => Verdict::GiveUp(format!("no answer within {} ms, {n} times in a row", millis(wait))),
        }
    }
}
