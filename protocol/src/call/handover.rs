//! From one session of the model's to the next: what is lost with the one, and what the other is told and asked.

use super::carry_on::{CarryOn, Rest};
use super::end::Ended;
use super::fact::Fact;
use super::history::Owed;
use super::io::ConnId;
use super::patience::Patience;
use super::session::{Outcome, Refusal};
use super::turn::Over;
use super::{Call, Phase, prompts};
use crate::realtime::command::{ClientEvent, NewItem};
use crate::realtime::event::{ResponseStatus, ServerError};
use crate::realtime::failure::ProviderRefusal;

impl Call {
    pub(super) fn connection_lost(&mut self, conn: ConnId, cause: &str, refused: Option<ProviderRefusal>) {
        let outcome = self.session.lost(&mut self.cx, conn, cause, refused);
        self.session_outcome(outcome);
    }

    pub(super) fn server_error(&mut self, conn: ConnId, error: &ServerError) {
        let (code, message) = (error.name().to_owned(), error.message.clone());
        let answers = self.session.answers(&self.cx, conn, error);
        self.cx.record(Fact::ModelError { code, message, answers: answers.map(|event| event.kind) });
        let outcome = self.session.failed(&mut self.cx, conn, answers, error);
        self.session_outcome(outcome);
        if let Some(event) = answers.filter(|_| self.session.ready() == Some(conn)) {
            self.tools.item_refused(&mut self.cx, conn, event);
            self.answer_tools();
        }
    }

    pub(super) fn session_outcome(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Nothing => {}
            Outcome::Ready(conn) => self.session_ready(conn),
            Outcome::RequestRefused(refusal) => self.request_refused(refusal),
            Outcome::Failed(cause) => self.end(Ended::ModelFailed { cause }),
            Outcome::Lost => self.session_lost(),
        }
    }

    /// The server will not respond: it is as if the response had failed.
    fn request_refused(&mut self, Refusal { request, busy, code, message }: Refusal) {
        if self.turn.request_refused(&mut self.cx, request, busy) == Over::Last {
            self.cx.record(Fact::ResponseFailed { code: code.clone() });
            let verdict = self.patience.response_ended(&mut self.cx, &ResponseStatus::Failed { code, message });
            self.verdict(verdict);
        }
    }

    /// The session in use is gone, and with it all that was in progress there.
    fn session_lost(&mut self) {
        self.judge_at_last(None);
        self.interruption.forget_session(&mut self.cx);
        let open = self.turn.open_responses();
        self.turn.session_lost(&mut self.cx);
        self.tools.forget_session();
        self.patience.session_lost(&mut self.cx);
        self.playout.model_gone(&mut self.cx, &open);
        self.carry.session_lost(&mut self.cx);
        self.last_words.forget_session();
        self.goodbye_generated();
        if self.phase == Phase::Live && self.cx.history.owed() != Owed::Nothing {
            self.patience.caller_waits(&mut self.cx);
        }
        self.uplink.close(self.cx.policy.hold_redial);
        if let Some(conn) = self.session.ready() {
            self.session_ready(conn);
        }
    }

    /// A session takes over: it is told the conversation, then the audio that waited, then what it owes.
    fn session_ready(&mut self, conn: ConnId) {
        self.takes_over(conn);
        self.types_still();
    }

    fn takes_over(&mut self, conn: ConnId) {
        // Asked before the replay: it is about the session that was lost.
        let owed = self.cx.history.owed();
        let from = self.cx.history.playing_from();
        let first = self.opening.is_due();
        self.brief(conn, from);
        match owed {
            // It is asked for once somebody is there to hear it.
            _ if first && self.phase == Phase::Waiting && !self.cx.policy.greet_early => {}
            _ if first => self.speak_first(conn),
            // What is still to be heard is heard, and nothing is added.
            _ if self.cx.setup.closed => self.goodbye_generated(),
            Owed::Ear => CarryOn::listen(&mut self.cx),
            Owed::Answer | Owed::Rest | Owed::Nothing => {
                // What a function comes to is told with its call, and answered then: asked now, the model would call it again.
                let due = owed != Owed::Nothing || self.tools.are_due();
                let pending = self.tools.are_pending();
                let ask = due && !pending && !self.closing.is_pending();
                if pending && self.tools.are_overtaken() && owed == Owed::Answer {
                    self.tools.dismissed();
                    Patience::expect_answer(&mut self.cx);
                }
                self.carry.wait(Rest { conn, from, ask });
                self.carry_on();
            }
        }
    }

    /// Nobody waits for anything: if a replacement is ready, it is told all, and asked nothing.
    pub(super) fn roll_over(&mut self) {
        // Words that are on their way come from the session that heard them.
        if self.is_quiet()
            && self.tools.are_idle()
            && !self.uplink.keypad.is_collecting(&self.cx)
            && !self.last_words.are_on_their_way(self.cx.now)
            && let Some(conn) = self.session.take_over(&mut self.cx)
        {
            self.turn.forget_session();
            self.interruption.forget_session(&mut self.cx);
            self.tools.forget_session();
            self.last_words.forget_session();
            self.brief(conn, usize::MAX);
        }
    }

    /// A session is told the conversation up to that turn, and then the audio that waited.
    fn brief(&mut self, conn: ConnId, end: usize) {
        for item in prompts::conversation(&self.cx.setup, &self.cx.history, self.cx.policy.replay_turns, end) {
            self.cx.send(conn, ClientEvent::CreateItem(item));
        }
        self.uplink.open(&mut self.cx, conn);
    }

    /// The agent has the first word, in a call that begins or comes back.
    pub(super) fn speak_first(&mut self, conn: ConnId) {
        if let Some(note) = self.opening.note(&self.cx.history) {
            self.cx.send(conn, ClientEvent::CreateItem(NewItem::System(note)));
        }
        self.ask(conn);
    }

    /// A new session noticed nothing of what the caller was saying: they are done, and wait.
    pub(super) fn nothing_noticed(&mut self) {
        if let Some(conn) = self.session.ready() {
            self.ask(conn);
        }
    }

    /// A response failed, and it is time to ask again.
    pub(super) fn ask_again(&mut self) {
        if let Some(conn) = self.session.ready() {
            // This session knows all that was said: only how much of it was heard it does not.
            self.carry.wait(Rest { conn, from: usize::MAX, ask: true });
            self.carry_on();
        }
    }

    /// If everything that came was heard: the model is told so, and goes on.
    pub(super) fn carry_on(&mut self) {
        if self.playout.is_idle()
            && let Some(Rest { conn, ask: true, .. }) = self.tell_rest()
        {
            if let Some(told) = self.cx.history.broken_words().map(prompts::go_on) {
                self.cx.send(conn, ClientEvent::CreateItem(NewItem::System(told)));
            }
            self.ask(conn);
        }
    }

    /// The model is told what was heard of what was being played, and is asked nothing: somebody else has the floor.
    pub(super) fn tell_rest(&mut self) -> Option<Rest> {
        let rest = self.carry.take()?;
        for item in self.cx.history.since(rest.from) {
            self.cx.send(rest.conn, ClientEvent::CreateItem(item));
        }
        Some(rest)
    }
}
