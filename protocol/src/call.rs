//! A phone call as a pure state machine: events and time in, commands and facts out.
//!
//! [`Call`] decides nothing: it hands each event to the part that it concerns. A part owns its state and its timers (`deadlines` says
//! which), and says with a small enum what follows for the others: `media` (the carrier's stream), `uplink` (the caller's audio),
//! `session` (the model's connection), `turn` (who has the floor), `interruption` (what a sound of the caller's is
//! while the agent speaks), `patience` (how long the caller waits, and what follows), `playout`
//! (what was generated, sent and heard), `opening` and `closing` (the first word, and the goodbye that must be heard), `tools` (functions:
//! run once, with a deadline), `context_lookup` (who calls, as the client knows it), `keypad` (keys, collected to entries), `carry_on` (the
//! rest of an answer that was broken off), `last_words` (of a caller who has left), `silence` (of one who says nothing), `stopwatch` (what the time goes to while they wait), `prompts` (every sentence that we say to a model).
//!
//! What takes several parts stands beside them: `beginning`, `listening` (the caller's turns), `judging` (their sounds), `answering` (the model's), `handover` (from
//! one session to the next), `ending`. None of them can block, fail, or reach a socket or a clock.

mod answering;
mod beginning;
mod carry_on;
pub mod clips;
mod clock;
mod closing;
mod collecting;
mod context;
mod context_lookup;
mod deadlines;
pub mod destinations;
pub mod digits;
pub mod end;
mod ending;
pub mod fact;
pub mod functions;
mod handover;
pub mod history;
mod holding;
mod interruption;
pub mod io;
mod judging;
mod keypad;
mod last_words;
pub mod latency;
mod listening;
pub mod listening_words;
mod marks;
mod media;
mod opening;
mod patience;
mod playout;
pub mod policy;
mod prompts;
mod recent;
pub mod recording;
mod session;
mod silence;
mod stopwatch;
pub mod template;
mod tools;
mod turn;
mod uplink;

use std::sync::Arc;
use std::time::Instant;

use carry_on::CarryOn;
pub use clock::Clock;
use closing::Closing;
use context::Context;
use context_lookup::ContextLookup;
use deadlines::Timer;
pub use end::COMES_BACK_WITHIN;
use end::Ended;
use history::History;
use holding::Holding;
use interruption::Interruption;
use io::{CallerEvent, ConnId, Control, Input, ModelEvent, Output};
use last_words::LastWords;
use opening::Opening;
use patience::Patience;
use playout::Playout;
use policy::Setup;
use session::Session;
use tools::Tools;
use turn::Turn;
use uplink::Uplink;

use crate::realtime::event::ServerEvent;

/// One phone call. Feed it with [`Call::handle`], drain it with [`Call::poll_output`], come back at [`Call::poll_timeout`].
#[derive(Debug)]
pub struct Call {
    cx: Context,
    phase: Phase,
    session: Session,
    turn: Turn,
    interruption: Interruption,
    patience: Patience,
    playout: Playout,
    uplink: Uplink,
    opening: Opening,
    closing: Closing,
    tools: Tools,
    /// What the call is about, as it is on file: with the places of its templates.
    on_file: Arc<Setup>,
    context_lookup: ContextLookup,
    holding: Holding,
    carry: CarryOn,
    last_words: LastWords,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The media stream has not started.
    Waiting,
    Live,
    /// The carrier's side is over, and the model may still tell what the caller said last.
    Left,
    Over,
}

impl Call {
    /// Takes one event. Never blocks, never fails.
    pub fn handle(&mut self, now: Instant, input: Input) {
        self.cx.now = now;
        if self.phase == Phase::Over {
            return;
        }
        match input {
            input if self.phase == Phase::Left => self.after_leaving(input),
            Input::Caller(event) => self.caller(event),
            Input::Model(conn, event) => self.model(conn, event),
            Input::Ran { id, result } => self.effect_ran(id, result),
            Input::Control(Control::HangUp(why)) => self.end(why),
            Input::Tick => {}
        }
        while self.phase != Phase::Over {
            let Some(timer) = self.cx.deadlines.expired(now) else { break };
            self.expired(timer);
        }
        if self.phase == Phase::Live {
            self.after();
        }
    }

    /// The next thing to be done, until none is left.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.cx.out.pop_front()
    }

    /// When to come back with [`Input::Tick`] if nothing else happens.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.cx.deadlines.next()
    }

    /// What happened so far.
    #[must_use]
    pub fn history(&self) -> &History {
        &self.cx.history
    }

    /// ms of audio sent to the carrier that it cannot have played yet.
    #[must_use]
    pub fn lead_ms(&self, now: Instant) -> u64 {
        self.playout.lead_ms(now)
    }

    fn caller(&mut self, event: CallerEvent) {
        match event {
            CallerEvent::Audio { pcm, level_dbfs, sent_ms } => self.caller_audio(pcm, level_dbfs, sent_ms),
            CallerEvent::Started { stream, rate } => self.started(stream, rate),
            CallerEvent::Lost { messages } => self.cx.count("caller_lost", u64::from(messages)),
            CallerEvent::Late { messages } => self.cx.count("caller_late", u64::from(messages)),
            CallerEvent::Dropped { events } => self.cx.count("events_dropped", u64::from(events)),
            CallerEvent::Mark(mark) => self.playout.marked(&mut self.cx, mark),
            CallerEvent::Sent { mark, pcm } => self.playout.sent(&mut self.cx, mark, pcm),
            CallerEvent::Refused { mark, pcm } => self.playout.refused(&mut self.cx, mark, pcm),
            CallerEvent::Dtmf(digit) => self.key(digit),
            CallerEvent::Stopped(reason) => self.end(Ended::CallerHungUp { reason }),
            CallerEvent::Gone => self.end(Ended::CallerHungUp { reason: None }),
        }
    }

    fn model(&mut self, conn: ConnId, event: ModelEvent) {
        if !self.session.knows(conn) {
            return self.cx.count("stale_model_event", 1);
        }
        match event {
            ModelEvent::Audio { key, pcm } => self.model_audio(conn, &key, &pcm),
            ModelEvent::Server(event) => self.server(conn, event),
            ModelEvent::Opened => self.session.opened(&mut self.cx, conn),
            ModelEvent::RoundTrip { ms } if self.session.is_current(conn) => self.cx.stopwatch.round_trip(ms),
            ModelEvent::RoundTrip { .. } => {}
            ModelEvent::Refused(why, cause) => self.connection_lost(conn, &cause, Some(why)),
            ModelEvent::TurnedAway(status, cause) => {
                self.cx.count(if status == 429 { "model_rate_limited" } else { "model_turned_away" }, 1);
                self.connection_lost(conn, &cause, None);
            }
            ModelEvent::Closed(cause) => self.connection_lost(conn, &cause, None),
        }
    }

    fn server(&mut self, conn: ConnId, event: ServerEvent) {
        match event {
            ServerEvent::SessionCreated { expires_at } => self.session.expires(&mut self.cx, conn, expires_at),
            ServerEvent::SessionUpdated { expires_at, .. } => {
                self.session.expires(&mut self.cx, conn, expires_at);
                let outcome = self.session.updated(&mut self.cx, conn);
                self.session_outcome(outcome);
            }
            ServerEvent::Error(error) => self.server_error(conn, &error),
            // Until it takes over, a replacement has nothing to say.
            _ if !self.session.is_current(conn) => {}
            ServerEvent::SpeechStarted { item, audio_start_ms } => self.speech_started(conn, item, audio_start_ms),
            ServerEvent::SpeechStopped { item, audio_end_ms } => self.speech_stopped(conn, item, audio_end_ms),
            ServerEvent::Committed { item } => self.committed(conn, item),
            ServerEvent::InputTranscript { item, text } => self.caller_text(item, text),
            ServerEvent::InputTranscriptFailed { item, error } => self.caller_text_failed(conn, item, &error),
            ServerEvent::ResponseCreated { response, .. } => self.response_began(conn, &response),
            ServerEvent::AudioDone(key) => self.playout.content_done(&mut self.cx, &key),
            ServerEvent::TranscriptDelta { key, delta } => self.agent_text(&key, delta),
            ServerEvent::TranscriptDone { key, text } => self.agent_text_whole(key.item, text),
            ServerEvent::FunctionCall(call) => self.function_call(conn, call),
            ServerEvent::ResponseDone(done) => self.response_done(conn, &done),
            ServerEvent::Unknown { .. } => self.cx.count("unknown_event", 1),
            _ => {}
        }
    }

    fn expired(&mut self, timer: Timer) {
        match timer {
            Timer::Playout(timer) => {
                let stalled = self.playout.expired(&mut self.cx, timer);
                stalled.iter().for_each(|response| self.voice_stalled(response));
            }
            Timer::Media(timer) => self.end(media::expired(timer)),
            Timer::Session(timer) => {
                let outcome = self.session.expired(&mut self.cx, timer);
                self.session_outcome(outcome);
            }
            Timer::Patience(patience::Timer::Answer) => self.answer_overdue(),
            Timer::Patience(timer) => {
                let verdict = self.patience.expired(&mut self.cx, timer);
                self.verdict(verdict);
            }
            Timer::CarryOn(_) => self.nothing_noticed(),
            Timer::Turn(_) => self.turn_proved(),
            Timer::Interruption(interruption::Timer::Pause) => self.pause_if_due(),
            Timer::Interruption(interruption::Timer::Words) => self.words_overdue(),
            Timer::Interruption(interruption::Timer::Item) => self.item_overdue(),
            Timer::Uplink(timer) => self.uplink.expired(&mut self.cx, timer, self.session.ready()),
            Timer::Keypad(timer) => {
                let says = self.turn.generates() || !self.playout.is_idle();
                let pressed = self.uplink.keypad.expired(&mut self.cx, timer, says);
                self.pressed(pressed);
            }
            Timer::Tools(timer) => {
                let to = self.listener();
                self.tools.expired(&mut self.cx, timer, to);
                self.functions_returned();
                self.answer_tools();
            }
            Timer::Closing(timer) => {
                let why = self.closing.expired(timer);
                why.into_iter().for_each(|why| self.end(why));
            }
            Timer::LastWords(_) => self.finish_left(),
            Timer::Holding(_) => self.fill_the_wait(),
            Timer::Silence(_) => self.nobody_spoke(),
            Timer::Stopwatch(_) => self.cx.not_taken(),
            Timer::ContextLookup(timer) => {
                self.context_lookup.expired(&mut self.cx, timer);
                self.session.release(&mut self.cx);
            }
        }
    }

    /// What follows from the state after any event of a live call.
    fn after(&mut self) {
        if let Some(serial) = self.playout.take_sent() {
            self.audio_went_out(serial);
        }
        let waits = self.tools.keep_waiting() || Patience::is_retrying(&self.cx);
        self.holding.watch(&mut self.cx, waits, !self.playout.is_idle());
        self.watch_silence();
        if !self.playout.is_idle() {
            return self.uplink.keypad.agent_speaks(&mut self.cx);
        }
        if self.interruption.is_open() {
            return;
        }
        self.answer_kept();
        if let Some(why) = self.closing.heard_out() {
            return self.end(why);
        }
        if self.carry.is_waiting() {
            return self.carry_on();
        }
        self.roll_over();
    }
}

#[cfg(test)]
mod tests;
