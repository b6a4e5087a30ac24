//! The model's answers: asked for, heard, broken off, missed; and the functions that it calls with them.

use std::sync::Arc;

use super::end::Ended;
use super::fact::{BrokenBy, Fact};
use super::functions::Ran;
use super::io::{ConnId, EffectId};
use super::latency::Part;
use super::patience::{Patience, Verdict};
use super::playout::Pushed;
use super::tools::{Called, Listener, Steered, Tools};
use super::turn::{Began, Over, Turn, truncate};
use super::{Call, CarryOn, Phase, prompts};
use crate::ids::{ItemId, ResponseId};
use crate::realtime::command::{ClientEvent, NewItem};
use crate::realtime::event::{ContentKey, FunctionCall, ResponseDone, ResponseStatus};

impl Call {
    /// Whether nobody speaks, and nobody owes anybody anything.
    pub(super) fn is_quiet(&self) -> bool {
        self.turn.is_quiet()
            && self.interruption.is_quiet()
            && !Patience::is_due(&self.cx)
            && !CarryOn::listens(&self.cx)
    }

    /// Asks for a response: the greeting, as long as there was none.
    pub(super) fn ask(&mut self, conn: ConnId) {
        let instructions = self.opening.instructions(&self.cx.setup);
        self.request(conn, instructions);
    }

    /// Asks for a response, unless the caller speaks: their server answers that by itself, and has read what it was told by then.
    pub(super) fn request(&mut self, conn: ConnId, instructions: Option<String>) {
        if self.turn.caller_speaks() {
            return;
        }
        self.tools.asked();
        self.closing.answer_begins();
        self.patience.asked(&mut self.cx);
        self.turn.request(&mut self.cx, conn, instructions);
    }

    pub(super) fn model_audio(&mut self, conn: ConnId, key: &ContentKey, pcm: &[u8]) {
        if !self.session.is_current(conn) {
            return self.cx.count("stale_model_event", 1);
        }
        if !self.turn.knows(&key.response) {
            self.response_began(conn, &key.response);
        }
        let unheard = self.turn.caller_speaks() && !self.turn.doubts(&key.response);
        if unheard || self.turn.is_discarded(&key.response) {
            return self.cx.count("late_delta", 1);
        }
        self.opening.audio_came();
        self.patience.audio_came(&mut self.cx);
        self.cx.audio_came(&key.response);
        self.heard_by_server();
        if self.playout.push(&mut self.cx, key, pcm) == Pushed::Overflow {
            self.cx.count("playout_overflow", 1);
            self.give_up_response(conn, &key.response);
        }
    }

    /// Words of the agent's, ahead of their audio.
    pub(super) fn agent_text(&mut self, key: &ContentKey, delta: String) {
        if !self.turn.is_discarded(&key.response) {
            self.playout.expect(&mut self.cx, key);
            self.cx.record(Fact::AgentText { item: key.item.clone(), delta });
        }
    }

    /// All the words of a content part: they count if they did not come before.
    pub(super) fn agent_text_whole(&mut self, item: ItemId, text: String) {
        if self.cx.history.is_wordless(&item) {
            self.cx.record(Fact::AgentText { item, delta: text });
        }
    }

    /// Nothing more of a response is wanted.
    fn give_up_response(&mut self, conn: ConnId, response: &ResponseId) {
        self.turn.discard(response.clone());
        self.cx.send(conn, ClientEvent::CancelResponse { response: response.clone() });
        self.playout.break_off(&mut self.cx, std::slice::from_ref(response), BrokenBy::ResponseCancelled);
        self.playout.response_done(&mut self.cx, response, false);
    }

    /// Others wait behind a response that has stopped coming.
    pub(super) fn voice_stalled(&mut self, response: &ResponseId) {
        if let Some(conn) = self.session.ready() {
            self.cx.count("response_stalled", 1);
            self.give_up_response(conn, response);
        }
    }

    /// A response began.
    pub(super) fn response_began(&mut self, conn: ConnId, response: &ResponseId) {
        let dismissed = self.tools.dismisses(response);
        match self.turn.response_began(&mut self.cx, conn, response, dismissed) {
            Began::Answer => {
                self.cx.response_came();
                self.closing.answer_begins();
                self.tools.answer_begins();
                Patience::expect_answer(&mut self.cx);
            }
            Began::InDoubt => {
                self.cx.response_came();
                self.playout.hold(&mut self.cx, true);
                let silent = self.uplink.is_silent(self.cx.now, self.closing_silence());
                Turn::doubt(&mut self.cx, silent);
            }
            Began::Dismissed => self.tools.dismissed(),
            Began::Unheard => {}
        }
    }

    pub(super) fn response_done(&mut self, conn: ConnId, done: &ResponseDone) {
        let ResponseDone { response, status, usage } = done;
        if !self.turn.ends(response) {
            return self.cx.count("repeated_event", 1);
        }
        self.cx.record(Fact::Usage(*usage));
        if self.turn.doubts(response) {
            self.doubt_ends(conn, *status == ResponseStatus::Cancelled);
        }
        let by = match status {
            ResponseStatus::Completed => None,
            ResponseStatus::Cancelled => Some(BrokenBy::ResponseCancelled),
            ResponseStatus::Failed { .. } => Some(BrokenBy::ResponseFailed),
            ResponseStatus::Incomplete { reason } => {
                self.cx.record(Fact::ResponseIncomplete { reason: reason.clone() });
                Some(BrokenBy::ResponseIncomplete)
            }
        };
        if let Some(by) = by.filter(|_| !self.turn.is_discarded(response)) {
            self.playout.break_off(&mut self.cx, std::slice::from_ref(response), by);
        }
        self.playout.response_done(&mut self.cx, response, by.is_none());
        match self.turn.response_ended(&mut self.cx, conn, response, status) {
            Over::Passed => {}
            Over::AskedAgain => self.patience.asked(&mut self.cx),
            Over::Last if by.is_none() && self.tools.are_pending() => Patience::hold_the_answer(&mut self.cx),
            Over::Last => {
                let verdict = self.patience.response_ended(&mut self.cx, status);
                self.verdict(verdict);
            }
        }
        self.goodbye_generated();
        self.answer_tools();
        if self.is_quiet() && !self.tools.are_pending() && !self.tools.are_due() && !self.carry.is_waiting() {
            self.cx.nothing_comes();
        }
    }

    /// A response in doubt was cancelled: what came of it is not heard. Or it was not, and so the turn was over.
    fn doubt_ends(&mut self, conn: ConnId, cancelled: bool) {
        if cancelled {
            let cuts = self.playout.interrupt(&mut self.cx);
            truncate(&mut self.cx, Some(conn), &cuts);
        } else {
            self.turn_proved();
        }
    }

    /// If the agent said goodbye, no more of it will come.
    pub(super) fn goodbye_generated(&mut self) {
        if self.phase == Phase::Waiting {
            return;
        }
        let remaining = self.playout.remaining(self.cx.now);
        self.closing.generated(&mut self.cx, remaining);
    }

    /// The caller has more to say than the goodbye.
    pub(super) fn cancel_goodbye(&mut self, conn: Option<ConnId>) {
        if let Some(asked) = self.closing.cancel(&mut self.cx) {
            Tools::answer(&mut self.cx, conn, asked, prompts::NOT_ENDED);
        }
    }

    pub(super) fn function_call(&mut self, conn: ConnId, call: FunctionCall) {
        let broken_off = self.turn.is_discarded(&call.response);
        if !call.complete || broken_off {
            self.cx.count("unfinished_tool_call", 1);
            if call.complete {
                self.tools.called_in_vain(&mut self.cx, conn, call);
            }
            return;
        }
        match self.tools.called(&mut self.cx, conn, call, self.uplink.keypad.kept()) {
            Called::Nothing => {}
            Called::Answered => {
                self.functions_returned();
                self.answer_tools();
            }
            Called::Closes(_, by) if self.closing.is_pending() => {
                Tools::answer(&mut self.cx, Some(conn), by, prompts::IS_ENDING);
            }
            Called::Closes(why, by) => self.closing.begin(why, by),
            Called::Collects(id, ask) => self.collect(id, ask),
        }
    }

    /// What was run for a function came to something.
    pub(super) fn effect_ran(&mut self, id: EffectId, result: Result<Ran, String>) {
        if let Some(in_time) = self.context_lookup.answered(&mut self.cx, id) {
            return self.context_known(result, in_time);
        }
        let to = self.listener();
        let steered = self.tools.ran(&mut self.cx, id, result, to);
        self.functions_returned();
        if let Some(Steered { why, answered }) = steered {
            self.closing.steer(why, answered);
        }
        self.answer_tools();
        if !self.turn.generates() {
            self.goodbye_generated();
        }
    }

    /// If all functions have returned that the caller waits for: they wait for the model again.
    pub(super) fn functions_returned(&mut self) {
        if !self.tools.are_pending() {
            let part = self.model_part();
            self.cx.functions_returned(part);
        }
    }

    /// What a caller waits for who waits for the model.
    pub(super) fn model_part(&self) -> Part {
        match self.session.ready() {
            None if self.session.awaits_context() => Part::Tool,
            None => Part::Connecting,
            Some(_) if !self.turn.open_responses().is_empty() => Part::Generating,
            Some(_) if self.turn.generates() => Part::Starting,
            Some(_) => Part::Deciding,
        }
    }

    /// The client said who calls, or that it does not know.
    fn context_known(&mut self, result: Result<Ran, String>, in_time: bool) {
        let context = match result {
            Ok(Ran::Context(context)) => context,
            Ok(Ran::Function(_)) | Err(_) => {
                self.cx.count("context_failed", 1);
                return self.session.release(&mut self.cx);
            }
        };
        if let Some(reason) = context.refuse {
            return self.end(Ended::ContextRefused { reason });
        }
        let context = Arc::new(context);
        self.cx.record(Fact::ContextKnown(Arc::clone(&context)));
        // The texts as they are on file: what was filled already is filled anew.
        self.cx.setup = self.on_file.filled(Some(&context));
        match self.session.ready().filter(|_| !in_time) {
            Some(conn) => {
                self.cx.send(conn, ClientEvent::CreateItem(NewItem::System(prompts::context(&context))));
            }
            None => self.session.release(&mut self.cx),
        }
    }

    /// Who is told what a function came to.
    pub(super) fn listener(&self) -> Listener {
        Listener { conn: self.session.ready(), from: self.carry.from(), speaks: self.turn.caller_speaks() }
    }

    /// If all functions of a response have returned: the model is asked for an answer, when what still plays was heard and told.
    pub(super) fn answer_tools(&mut self) {
        let due = self.tools.want_answer(|response| self.turn.is_open(response)) && !self.closing.is_said_for();
        match self.tools.held_until(self.cx.now) {
            _ if !due => {}
            Some(at) => Patience::expect_answer_by(&mut self.cx, at),
            None => self.ask_when_heard(),
        }
    }

    /// The model is asked for an answer, once what still plays was heard and told.
    fn ask_when_heard(&mut self) {
        if let Some(conn) = self.session.ready()
            && !self.carry.ask_then()
        {
            self.ask(conn);
        }
    }

    /// The model owes an answer for too long. One that it was never asked for is asked for now.
    pub(super) fn answer_overdue(&mut self) {
        if self.session.ready().is_some() && self.tools.overdue() {
            return self.ask_when_heard();
        }
        let verdict = self.patience.not_answered(&mut self.cx);
        self.verdict(verdict);
    }

    /// The caller has waited for a function in silence: a fixed sentence says that somebody is there.
    pub(super) fn fill_the_wait(&mut self) {
        let speaks = self.turn.caller_speaks() || self.interruption.is_open();
        let free = self.playout.is_free() && !speaks && !self.closing.is_pending();
        let words = self.tools.words_meanwhile(&self.cx);
        if let Some(clip) = self.holding.expired(&mut self.cx, free, &words) {
            self.playout.play(&mut self.cx, &clip);
        }
    }

    pub(super) fn verdict(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::Continue => {}
            Verdict::AskAgain => self.ask_again(),
            Verdict::GiveUp(cause) => self.end(Ended::ModelFailed { cause }),
            Verdict::Refused(refusal, cause) => {
                if let Some(conn) = self.session.ready() {
                    self.connection_lost(conn, &cause, Some(refusal));
                }
            }
            Verdict::Redial => {
                if let Some(conn) = self.session.ready() {
                    self.connection_lost(conn, "the model did not answer", None);
                }
            }
        }
    }
}
