//! Who has the floor: one response at a time, barge-in, what the model owes.

use std::time::{Duration, Instant};

use super::context::{Context, millis};
use super::deadlines::Timer;
use super::fact::Fact;
use super::io::ConnId;
use super::playout::{Cut, Playout};
use crate::ids::{ItemId, ResponseId};
use crate::realtime::command::ClientEvent;
use crate::realtime::event::ResponseStatus;
use crate::realtime::failure::{is_fatal_code, retry_after};

/// Responses whose late deltas are dropped; more than a handful are never open at once.
const DISCARDED: usize = 16;
/// First pause before a failed response is asked for again, when the server names none.
const RETRY_PAUSE: Duration = Duration::from_millis(500);
/// Longest pause a caller is asked to sit through.
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(5);

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    /// The caller has the floor, by the server's VAD.
    speaking: Option<ItemId>,
    /// The response being generated.
    active: Option<ResponseId>,
    /// We asked for a response and it has not begun.
    requested: bool,
    /// A response is wanted as soon as none is active: its instructions, if any of its own.
    wanted: Option<Option<String>>,
    /// Cut responses: their late deltas are dropped.
    discarded: Vec<ResponseId>,
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
}

impl Turn {
    /// The caller is owed a word of the agent's. Neither a lost session nor a "hello?" of theirs makes the wait start over.
    pub(crate) fn owe(&mut self, cx: &mut Context) {
        let since = *self.waiting.get_or_insert(cx.now);
        let left = cx.policy.patience.saturating_sub(self.waited);
        cx.deadlines.set(Timer::Patience, since + left);
    }

    /// The caller speaks up: that is no silence, but no answer either.
    fn wait_pauses(&mut self, cx: &mut Context) {
        if let Some(since) = self.waiting.take() {
            let wait = cx.now.saturating_duration_since(since);
            self.waited += if wait < PAUSE { Duration::ZERO } else { wait };
        }
        cx.deadlines.clear(Timer::Patience);
    }

    /// The agent was heard, or has nothing to say.
    fn wait_is_over(&mut self, cx: &mut Context) {
        (self.waiting, self.waited) = (None, Duration::ZERO);
        cx.deadlines.clear(Timer::Patience);
    }

    /// Whether nobody speaks, nothing is generated and nothing is owed.
    pub(crate) fn is_quiet(&self, cx: &Context) -> bool {
        let generating = self.active.is_some() || self.requested || self.wanted.is_some();
        self.speaking.is_none() && !generating && !cx.deadlines.is_set(Timer::Answer)
    }

    pub(crate) fn caller_speaks(&self) -> bool {
        self.speaking.is_some()
    }

    pub(crate) fn is_discarded(&self, response: &ResponseId) -> bool {
        self.discarded.contains(response)
    }

    /// The caller began to speak. Whatever of the agent was not heard yet is dropped, in the order flush, clear, truncate.
    pub(crate) fn caller_began(&mut self, cx: &mut Context, playout: &mut Playout, conn: ConnId, item: ItemId) {
        cx.record(Fact::CallerSpoke { item: item.clone(), at_ms: cx.at_ms() });
        self.speaking = Some(item);
        self.unanswered = None;
        self.wait_pauses(cx);
        cx.deadlines.clear(Timer::Answer);
        cx.deadlines.clear(Timer::RetryResponse);
        // The server cancels what it generates by itself (`interrupt_response`): a cancel of ours would only race with it.
        if let Some(active) = self.active.clone() {
            self.discard(active);
        }
        for response in playout.responses() {
            self.discard(response);
        }
        let cuts = playout.interrupt(cx);
        truncate(cx, conn, &cuts);
    }

    fn discard(&mut self, response: ResponseId) {
        if !self.discarded.contains(&response) {
            if self.discarded.len() == DISCARDED {
                self.discarded.remove(0);
            }
            self.discarded.push(response);
        }
    }

    /// The caller stopped; `last` is when they last spoke.
    pub(crate) fn caller_ended(&mut self, cx: &mut Context, item: &ItemId, last: Instant) {
        self.speaking = None;
        let at_ms = cx.at_ms().saturating_sub(millis(cx.now.saturating_duration_since(last)));
        cx.record(Fact::CallerStopped { item: item.clone(), at_ms });
        self.unanswered = Some(last);
        self.owe(cx);
        cx.deadlines.set(Timer::Answer, cx.now + cx.policy.answer_wait);
    }

    /// Asks for a response now, or as soon as the active one is done: a server takes one at a time.
    pub(crate) fn request(&mut self, cx: &mut Context, conn: ConnId, instructions: Option<String>) {
        cx.deadlines.set(Timer::Answer, cx.now + cx.policy.answer_wait);
        if cx.history.started().is_some() {
            self.owe(cx);
        }
        if self.active.is_some() || self.requested || self.speaking.is_some() {
            self.wanted = Some(instructions);
            return;
        }
        self.requested = true;
        cx.send(conn, ClientEvent::CreateResponse { instructions });
    }

    pub(crate) fn response_began(&mut self, cx: &mut Context, conn: ConnId, response: ResponseId) {
        self.requested = false;
        self.active = Some(response.clone());
        if self.speaking.is_some() {
            // One that we asked for crossed with the caller's first word; the server cancels only what was under way.
            self.discard(response.clone());
            return cx.send(conn, ClientEvent::CancelResponse { response });
        }
        cx.deadlines.set(Timer::Answer, cx.now + cx.policy.answer_wait);
    }

    /// Audio of a response that counts came in.
    pub(crate) fn audio_came(&mut self, cx: &mut Context) {
        self.silences = 0;
        self.failures = 0;
        cx.deadlines.clear(Timer::Answer);
    }

    /// The first audio of an answer goes out: how long the caller waited for it.
    pub(crate) fn answered(&mut self, cx: &mut Context) {
        self.wait_is_over(cx);
        if let Some(last) = self.unanswered.take() {
            cx.record(Fact::Answered { after_ms: millis(cx.now.saturating_duration_since(last)) });
        }
    }

    /// A response ended.
    pub(crate) fn response_ended(
        &mut self,
        cx: &mut Context,
        conn: ConnId,
        response: &ResponseId,
        status: &ResponseStatus,
    ) -> Verdict {
        let cut = self.discarded.iter().position(|r| r == response).map(|at| self.discarded.remove(at)).is_some();
        if self.active.as_ref() == Some(response) || self.active.is_none() {
            self.active = None;
            self.requested = false;
        }
        if let ResponseStatus::Failed { code, message } = status
            && !cut
        {
            return self.response_failed(cx, code, message);
        }
        if self.speaking.is_some() {
            // The caller has the floor: the server answers that turn by itself.
            self.wanted = None;
        } else if self.active.is_none()
            && let Some(instructions) = self.wanted.take()
        {
            self.request(cx, conn, instructions);
        } else if !cut && self.active.is_none() {
            self.wait_is_over(cx);
            cx.deadlines.clear(Timer::Answer);
        }
        Verdict::Continue
    }

    /// Failures are told here and nowhere else: left alone, the caller would hear silence for ever.
    fn response_failed(&mut self, cx: &mut Context, code: &str, message: &str) -> Verdict {
        cx.record(Fact::ResponseFailed { code: code.to_owned() });
        self.failures += 1;
        if is_fatal_code(code) || self.failures > cx.policy.response_retries {
            return Verdict::GiveUp(format!("the response failed: {code}"));
        }
        let pause = retry_after(message).unwrap_or(RETRY_PAUSE).min(RETRY_PAUSE_MAX);
        self.wanted = None;
        cx.deadlines.clear(Timer::Answer);
        cx.deadlines.set(Timer::RetryResponse, cx.now + pause);
        Verdict::Continue
    }

    /// The server refused a request because a response is active: it is wanted after that one.
    pub(crate) fn request_refused(&mut self) {
        if std::mem::take(&mut self.requested) {
            self.wanted = Some(None);
        }
    }

    /// The answer did not come in time.
    pub(crate) fn answer_expired(&mut self, wait: Duration) -> Verdict {
        self.silences += 1;
        match self.silences {
            1 => Verdict::Redial,
            n => Verdict::GiveUp(format!("no answer within {} ms, {n} times in a row", millis(wait))),
        }
    }

    /// The session is gone, and with it all that was in progress there.
    pub(crate) fn session_lost(&mut self, cx: &mut Context) {
        self.speaking = None;
        self.active = None;
        self.requested = false;
        self.wanted = None;
        self.discarded.clear();
        cx.deadlines.clear(Timer::Answer);
        cx.deadlines.clear(Timer::RetryResponse);
        if cx.deadlines.is_set(Timer::Deaf) {
            // They spoke to a session that did not show that it heard, and ended before that could be told: they wait all the same.
            cx.deadlines.clear(Timer::Deaf);
            self.owe(cx);
        }
    }
}

/// Tells the model what was not heard, at most once an item, and the record that the agent was cut short.
fn truncate(cx: &mut Context, conn: ConnId, cuts: &[Cut]) {
    let unheard_ms = cuts.iter().map(|c| c.generated_ms - c.heard_ms).sum();
    for (index, cut) in cuts.iter().enumerate() {
        if cut.tell {
            cx.send(
                conn,
                ClientEvent::Truncate {
                    item: cut.key.item.clone(),
                    content_index: cut.key.content_index,
                    audio_end_ms: cut.heard_ms,
                },
            );
        }
        let item = cut.key.item.clone();
        cx.record(Fact::Heard { item: item.clone(), generated_ms: cut.generated_ms, heard_ms: cut.heard_ms });
        if cut.heard_ms < cut.generated_ms {
            // What was generated and never heard is told once, with the item that was being heard.
            let unheard_ms = if index == 0 { unheard_ms } else { 0 };
            let at_ms = cx.at_ms();
            cx.record(Fact::Interrupted { item: item.clone(), heard_ms: cut.heard_ms, unheard_ms, at_ms });
        }
        cx.record_turn(&item);
    }
}
