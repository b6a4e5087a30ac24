//! The model's side of a call: its events, and what they lead to.

use std::time::Duration;

use super::deadlines::Timer;
use super::fact::{Ended, Fact};
use super::history::Owed;
use super::io::{ConnId, ModelEvent};
use super::playout::Pushed;
use super::policy::Setup;
use super::session::{self, Outcome};
use super::turn::Verdict;
use super::uplink::Uplink;
use super::{Call, Closing, Phase};
use crate::realtime::command::{ClientEvent, NewItem};
use crate::realtime::event::{ContentKey, FunctionCall, ResponseDone, ServerError, ServerEvent};
use crate::realtime::failure::is_fatal;

/// Speech that goes on is noticed by a new session within this.
const NOTICE: Duration = Duration::from_secs(1);

impl Call {
    pub(super) fn model(&mut self, conn: ConnId, event: ModelEvent) {
        if !self.session.knows(conn) {
            return self.cx.count("stale_model_event", 1);
        }
        match event {
            ModelEvent::Audio { key, pcm } => self.model_audio(conn, &key, &pcm),
            ModelEvent::Server(event) => self.server(conn, event),
            ModelEvent::Opened => self.session.opened(&mut self.cx, conn),
            ModelEvent::Refused(cause) if self.session.is_current(conn) => {
                self.cx.record(Fact::ModelLost { cause: cause.clone() });
                self.end(Ended::ModelFailed { cause });
            }
            ModelEvent::Refused(cause) | ModelEvent::Closed(cause) => {
                let outcome = self.session.lost(&mut self.cx, conn, &cause);
                self.session_outcome(outcome);
            }
        }
    }

    pub(super) fn model_audio(&mut self, conn: ConnId, key: &ContentKey, pcm: &[u8]) {
        if self.turn.is_discarded(&key.response) {
            return self.cx.count("late_delta", 1);
        }
        self.greet = false;
        self.turn.audio_came(&mut self.cx);
        self.heard_by_server();
        if self.playout.push(&mut self.cx, key, pcm) == Pushed::Overflow {
            self.cx.count("playout_overflow", 1);
            self.cx.send(conn, ClientEvent::CancelResponse { response: key.response.clone() });
        }
    }

    /// The server shows that it hears the caller, or that it speaks.
    pub(super) fn heard_by_server(&mut self) {
        self.uplink.forget_voice();
        self.cx.deadlines.clear(Timer::Deaf);
    }

    pub(super) fn server(&mut self, conn: ConnId, event: ServerEvent) {
        match event {
            ServerEvent::SessionUpdated { .. } => {
                let outcome = self.session.updated(&mut self.cx, conn);
                self.session_outcome(outcome);
            }
            ServerEvent::Error(error) => self.server_error(conn, &error),
            // Until it takes over, a replacement has nothing to say.
            _ if !self.session.is_current(conn) => {}
            ServerEvent::SpeechStarted { item, .. } => {
                self.heard_by_server();
                self.keep_open(conn);
                self.turn.caller_began(&mut self.cx, &mut self.playout, conn, item);
                Uplink::watch_gap(&mut self.cx, true);
            }
            ServerEvent::SpeechStopped { item, audio_end_ms } => {
                // The server's end of speech includes the closing silence; what was appended since is its own delay.
                let behind = self.uplink.appended_ms().saturating_sub(audio_end_ms).min(2000);
                let silence = Duration::from_millis(u64::from(self.cx.policy.vad.silence_duration_ms) + behind);
                let detected = self.cx.now.checked_sub(silence).unwrap_or(self.cx.now);
                let last = self.uplink.last_speech(detected);
                self.turn.caller_ended(&mut self.cx, &item, last);
                Uplink::watch_gap(&mut self.cx, false);
            }
            ServerEvent::InputTranscript { item, text } => {
                self.cx.record(Fact::CallerText { item: item.clone(), text });
                self.cx.record_turn(&item);
            }
            ServerEvent::ResponseCreated { response, .. } => self.turn.response_began(&mut self.cx, conn, response),
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

    pub(super) fn response_done(&mut self, conn: ConnId, done: &ResponseDone) {
        self.cx.record(Fact::Usage(done.usage));
        self.playout.response_done(&mut self.cx, &done.response);
        let verdict = self.turn.response_ended(&mut self.cx, conn, &done.response, &done.status);
        self.verdict(verdict);
        self.goodbye_generated();
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
        let FunctionCall { call_id, name, arguments, .. } = call;
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
        let code = if error.code.is_empty() { &error.kind } else { &error.code };
        self.cx.record(Fact::ModelError { code: code.clone(), message: error.message.clone() });
        let outcome = match code.as_str() {
            "session_expired" => self.session.lost(&mut self.cx, conn, "the session expired"),
            "conversation_already_has_active_response" => {
                self.turn.request_refused();
                Outcome::Nothing
            }
            _ if is_fatal(error) && self.session.is_current(conn) => {
                Outcome::Failed(format!("{code}: {}", error.message))
            }
            _ if self.session.is_configuring(conn) => self.session.refused_update(&mut self.cx, conn, &error.message),
            _ => self.session.errored(&mut self.cx, conn),
        };
        self.session_outcome(outcome);
    }

    pub(super) fn session_outcome(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Nothing => {}
            Outcome::Ready(conn) => self.session_ready(conn),
            Outcome::Failed(cause) => self.end(Ended::ModelFailed { cause }),
            Outcome::Lost => {
                self.turn.session_lost(&mut self.cx);
                self.playout.model_gone(&mut self.cx);
                self.goodbye_generated();
                if self.phase == Phase::Live && self.cx.history.owed() != Owed::Nothing {
                    self.turn.owe(&mut self.cx);
                }
                self.uplink.close(self.cx.policy.hold_redial);
                if let Some(conn) = self.session.ready() {
                    self.session_ready(conn);
                }
            }
        }
    }

    /// A session takes over: it is told the conversation, then the audio that waited, then what it owes.
    pub(super) fn session_ready(&mut self, conn: ConnId) {
        // Asked before the replay: it is about the session that was lost.
        let owed = self.cx.history.owed();
        session::replay(&mut self.cx, conn);
        self.uplink.open(&mut self.cx, conn);
        let cut_off = self.playout.take_cut_off();
        match owed {
            _ if self.greet => self.ask(conn),
            Owed::Answer => self.ask(conn),
            // If they still speak the server notices, and answers by itself; if they do not, nobody else will.
            Owed::Ear => self.cx.deadlines.set(Timer::RetryResponse, self.cx.now + NOTICE),
            Owed::Rest if cut_off && self.closing.is_none() => {
                let told = "The line to you was lost while you spoke. Go on from the last words the caller heard.";
                self.cx.send(conn, ClientEvent::CreateItem(NewItem::System(told.to_owned())));
                self.ask(conn);
            }
            Owed::Rest | Owed::Nothing => {}
        }
    }

    /// Asks for a response: the greeting, as long as there was none.
    pub(super) fn ask(&mut self, conn: ConnId) {
        let instructions = self.greet.then(|| greeting(&self.cx.setup));
        self.turn.request(&mut self.cx, conn, instructions);
    }

    pub(super) fn verdict(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::Continue => {}
            Verdict::GiveUp(cause) => self.end(Ended::ModelFailed { cause }),
            Verdict::Redial => {
                if let Some(conn) = self.session.ready() {
                    let outcome = self.session.lost(&mut self.cx, conn, "the model did not answer");
                    self.session_outcome(outcome);
                }
            }
        }
    }
}

fn greeting(setup: &Setup) -> String {
    let base = &setup.instructions;
    match setup.greeting.trim() {
        "" => format!("{base}\n\nThe caller has just been connected. Greet the caller briefly, in {}.", setup.language),
        words => format!(
            "{base}\n\nThe caller has just been connected. Greet the caller with these words, in {}, and wait: {words}",
            setup.language
        ),
    }
}

fn transfer_reason(arguments: &str) -> String {
    #[derive(serde::Deserialize)]
    struct Arguments {
        reason: String,
    }
    serde_json::from_str::<Arguments>(arguments).map_or_else(|_| "not said".to_owned(), |a| a.reason)
}
