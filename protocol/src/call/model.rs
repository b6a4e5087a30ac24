//! The model's side of a call: its events, and what they lead to.

use super::deadlines::Timer;
use super::end::Ended;
use super::fact::{BrokenBy, Fact};
use super::history::Owed;
use super::io::{ConnId, ModelEvent};
use super::patience::Verdict;
use super::playout::Pushed;
use super::session::{self, Outcome};
use super::turn::truncate;
use super::{Call, Closing, Phase, prompts};
use crate::ids::ResponseId;
use crate::realtime::arguments;
use crate::realtime::command::{ClientEvent, NewItem};
use crate::realtime::event::{ContentKey, FunctionCall, ResponseDone, ResponseStatus, ServerError, ServerEvent};

impl Call {
    pub(super) fn model(&mut self, conn: ConnId, event: ModelEvent) {
        if !self.session.knows(conn) {
            return self.cx.count("stale_model_event", 1);
        }
        match event {
            ModelEvent::Audio { key, pcm } => self.model_audio(conn, &key, &pcm),
            ModelEvent::Server(event) => self.server(conn, event),
            ModelEvent::Opened => self.session.opened(&mut self.cx, conn),
            ModelEvent::Refused(cause) => self.connection_lost(conn, &cause, true),
            ModelEvent::Closed(cause) => self.connection_lost(conn, &cause, false),
        }
    }

    fn connection_lost(&mut self, conn: ConnId, cause: &str, refused: bool) {
        let outcome = self.session.lost(&mut self.cx, conn, cause, refused);
        self.session_outcome(outcome);
    }

    fn model_audio(&mut self, conn: ConnId, key: &ContentKey, pcm: &[u8]) {
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
        (self.greet, self.returned) = (false, false);
        self.turn.patience.audio_came(&mut self.cx);
        self.heard_by_server();
        if self.playout.push(&mut self.cx, key, pcm) == Pushed::Overflow {
            self.cx.count("playout_overflow", 1);
            self.give_up_response(conn, &key.response);
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
    pub(super) fn voice_stalled(&mut self) {
        if let Some(conn) = self.session.ready()
            && let Some(response) = self.playout.stalled_voice(&mut self.cx)
        {
            self.cx.count("response_stalled", 1);
            self.give_up_response(conn, &response);
        }
    }

    fn server(&mut self, conn: ConnId, event: ServerEvent) {
        match event {
            ServerEvent::SessionUpdated { .. } => {
                let outcome = self.session.updated(&mut self.cx, conn);
                self.session_outcome(outcome);
            }
            ServerEvent::Error(error) => self.server_error(conn, &error),
            // Until it takes over, a replacement has nothing to say.
            _ if !self.session.is_current(conn) => {}
            ServerEvent::SpeechStarted { item, .. } => self.speech_started(conn, item),
            ServerEvent::SpeechStopped { item, audio_end_ms } => self.speech_stopped(conn, item, audio_end_ms),
            ServerEvent::Committed { item } => self.committed(conn, item),
            ServerEvent::InputTranscript { item, text } => self.caller_text(item, text),
            ServerEvent::InputTranscriptFailed { item, error } => self.caller_text_failed(conn, item, &error),
            ServerEvent::ResponseCreated { response, .. } => self.response_began(conn, &response),
            ServerEvent::AudioDone(key) => self.playout.content_done(&mut self.cx, &key),
            ServerEvent::TranscriptDelta { key, delta } if !self.turn.is_discarded(&key.response) => {
                self.playout.expect(&mut self.cx, &key);
                self.cx.record(Fact::AgentText { item: key.item, delta });
            }
            ServerEvent::TranscriptDone { key, text } if self.cx.history.is_wordless(&key.item) => {
                self.cx.record(Fact::AgentText { item: key.item, delta: text });
            }
            ServerEvent::FunctionCall(call) => self.function_call(conn, call),
            ServerEvent::ResponseDone(done) => self.response_done(conn, &done),
            ServerEvent::Unknown { .. } => self.cx.count("unknown_event", 1),
            _ => {}
        }
    }

    fn response_done(&mut self, conn: ConnId, done: &ResponseDone) {
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
        let verdict = self.turn.response_ended(&mut self.cx, conn, response, status);
        self.verdict(verdict);
        self.goodbye_generated();
    }

    /// A response in doubt was cancelled: what came of it is not heard. Or it was not, and so the turn was over.
    fn doubt_ends(&mut self, conn: ConnId, cancelled: bool) {
        if cancelled {
            let cuts = self.playout.interrupt(&mut self.cx);
            truncate(&mut self.cx, conn, &cuts);
        } else {
            self.turn_proved();
        }
    }

    /// If there is a goodbye, no more of it will come: the call ends when it was heard.
    fn goodbye_generated(&mut self) {
        if let Some(closing) = &mut self.closing {
            closing.said = true;
            let by = self.playout.remaining(self.cx.now) + self.cx.policy.goodbye_slack;
            self.cx.deadlines.set(Timer::Goodbye, self.cx.now + by);
        }
    }

    pub(super) fn function_call(&mut self, conn: ConnId, call: FunctionCall) {
        if !call.complete || self.turn.is_discarded(&call.response) {
            return self.cx.count("unfinished_tool_call", 1);
        }
        let FunctionCall { call_id, name, arguments, item, .. } = call;
        if !self.turn.takes_call(if call_id.is_empty() { item.as_str() } else { &call_id }) {
            return self.cx.count("repeated_event", 1);
        }
        self.cx.record(Fact::ToolCalled { call_id: call_id.clone(), name: name.clone(), arguments: arguments.clone() });
        let why = match name.as_str() {
            session::END_CALL => Ended::AgentHungUp,
            session::TRANSFER_CALL => Ended::Transferred { reason: transfer_reason(&arguments) },
            _ => {
                // No function of a client's own runs here yet: the model is told, and can say so.
                self.tool_result(conn, call_id, r#"{"error":"this function is not available on this call"}"#);
                return self.ask(conn);
            }
        };
        self.closing = Some(Closing { why, conn, tool_call: call_id, said: false });
    }

    pub(super) fn tool_result(&mut self, conn: ConnId, call_id: String, output: &str) {
        self.cx.record(Fact::ToolReturned { call_id: call_id.clone(), output: output.to_owned() });
        let output = NewItem::FunctionOutput { call_id, output: output.to_owned() };
        self.cx.send(conn, ClientEvent::CreateItem(output));
    }

    /// The caller speaks into the goodbye: there is more to say.
    pub(super) fn keep_open(&mut self, conn: ConnId) {
        if let Some(closing) = self.closing.take() {
            self.cx.deadlines.clear(Timer::Goodbye);
            // A session that took over since knows of no such call, and a result without its call is refused.
            if closing.conn == conn {
                self.tool_result(conn, closing.tool_call, r#"{"error":"not ended: the caller is speaking"}"#);
            }
        }
    }

    pub(super) fn server_error(&mut self, conn: ConnId, error: &ServerError) {
        self.cx.record(Fact::ModelError { code: error.name().to_owned(), message: error.message.clone() });
        let outcome = self.session.failed(&mut self.cx, conn, error);
        self.session_outcome(outcome);
    }

    pub(super) fn session_outcome(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Nothing => {}
            Outcome::Ready(conn) => self.session_ready(conn),
            Outcome::Busy => self.turn.request_refused(),
            Outcome::Failed(cause) => self.end(Ended::ModelFailed { cause }),
            Outcome::Lost => {
                let open = self.turn.open_responses();
                self.turn.session_lost(&mut self.cx);
                self.playout.model_gone(&mut self.cx, &open);
                self.carry = None;
                self.last_words.forget_session();
                self.goodbye_generated();
                if self.phase == Phase::Live && self.cx.history.owed() != Owed::Nothing {
                    self.turn.patience.owe(&mut self.cx);
                }
                self.uplink.close(self.cx.policy.hold_redial);
                if let Some(conn) = self.session.ready() {
                    self.session_ready(conn);
                }
            }
        }
    }

    /// Asks for a response: the greeting, as long as there was none.
    pub(super) fn ask(&mut self, conn: ConnId) {
        let instructions = self.greet.then(|| prompts::greeting(&self.cx.setup));
        self.turn.request(&mut self.cx, conn, instructions);
    }

    pub(super) fn verdict(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::Continue => {}
            Verdict::GiveUp(cause) => self.end(Ended::ModelFailed { cause }),
            Verdict::Refused(cause) => {
                if let Some(conn) = self.session.ready() {
                    self.connection_lost(conn, &cause, true);
                }
            }
            Verdict::Redial => {
                if let Some(conn) = self.session.ready() {
                    self.connection_lost(conn, "the model did not answer", false);
                }
            }
        }
    }
}

fn transfer_reason(arguments: &str) -> String {
    arguments::words(arguments, "reason").unwrap_or_else(|| "not said".to_owned())
}
