//! A phone call as a pure state machine: events and time in, commands and facts out.
//!
//! [`Call`] only routes. Each part owns its state and its deadline: `turn` who has the floor, `patience` how long the caller waits,
//! `playout` what was heard, `uplink` the caller's audio, `session` the model's connection, `carry_on` what a new one is told, `ending`
//! the caller's last words. None of them can block, fail, or reach a socket or a clock.

mod carry_on;
mod clock;
mod context;
mod deadlines;
pub mod end;
mod ending;
pub mod fact;
pub mod history;
pub mod io;
mod listening;
mod model;
mod patience;
mod playout;
pub mod policy;
mod prompts;
mod recent;
mod session;
pub mod tape;
mod turn;
mod uplink;

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use codecs::SampleRate;

use crate::ids::StreamSid;
use crate::realtime::command::{ClientEvent, NewItem};
use carry_on::CarryOn;
pub use clock::Clock;
use context::{Context, millis};
use deadlines::Timer;
pub use end::COMES_BACK_WITHIN;
use end::Ended;
use ending::LastWords;
use fact::Fact;
use history::{History, Owed};
use io::{CallerEvent, ConnId, Control, Input, Output};
use playout::Playout;
use policy::{GreetedBy, Policy, Setup};
use session::Session;
use turn::Turn;
use uplink::Uplink;

/// One phone call. Feed it with [`Call::handle`], drain it with [`Call::poll_output`], come back at [`Call::poll_timeout`].
#[derive(Debug)]
pub struct Call {
    cx: Context,
    session: Session,
    turn: Turn,
    playout: Playout,
    uplink: Uplink,
    phase: Phase,
    /// The greeting is still to be had from the model.
    greet: bool,
    /// The caller comes back to a conversation, and was not spoken to yet.
    returned: bool,
    /// The caller was sent audio of the agent's.
    spoken: bool,
    /// Said goodbye: why the call ends once that was heard.
    closing: Option<Closing>,
    /// What the model is told once everything was heard.
    carry: Option<CarryOn>,
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

#[derive(Debug)]
struct Closing {
    why: Ended,
    /// The session that was told to expect a result of this call.
    conn: ConnId,
    tool_call: String,
    /// The audio that belongs before it was generated whole.
    said: bool,
}

impl Call {
    /// A new call: the model is dialled at once, before the caller's media stream opens.
    #[must_use]
    pub fn new(now: Instant, clock: Clock, policy: Arc<Policy>, setup: Arc<Setup>) -> Self {
        let mut call = Self::with_history(now, clock, policy, setup, History::default());
        call.cx.deadlines.set(Timer::MediaWait, now + call.cx.policy.media_wait);
        call.session.dial(&mut call.cx);
        call
    }

    /// A call rebuilt from its history, after a fault or for a further stream: a fresh session is dialled and told the conversation.
    /// The history may be of another process: the clock is of this one.
    #[must_use]
    pub fn resume(now: Instant, clock: Clock, policy: Arc<Policy>, setup: Arc<Setup>, history: History) -> Self {
        let mut history = history;
        history.apply(&Fact::Resumed);
        let mut call = Self::with_history(now, clock, policy, setup, history);
        call.cx.out.push_back(Output::Record(Fact::Resumed));
        if let Some(why) = call.cx.history.left().cloned() {
            // It had ended but for the last words of the caller, which went with its session.
            call.finish(why);
            return call;
        }
        match call.cx.history.stream().cloned() {
            Some((_, rate, at)) => {
                call.phase = Phase::Live;
                call.go_live(rate, at);
            }
            None => call.cx.deadlines.set(Timer::MediaWait, now + call.cx.policy.media_wait),
        }
        call.session.dial(&mut call.cx);
        call
    }

    fn with_history(now: Instant, clock: Clock, policy: Arc<Policy>, setup: Arc<Setup>, history: History) -> Self {
        let greet = setup.greeted_by == GreetedBy::Model && !history.agent_heard();
        Self {
            session: Session::new(history.dials()),
            turn: Turn::default(),
            playout: Playout::new(policy.chunk_ms, history.resumes()),
            uplink: Uplink::new(policy.hold, history.resumes() > 0),
            phase: Phase::Waiting,
            greet,
            returned: history.resumes() > 0 && history.stream().is_none() && history.turns().next().is_some(),
            spoken: history.agent_heard(),
            closing: None,
            carry: None,
            last_words: LastWords::default(),
            cx: Context::new(now, clock, policy, setup, history),
        }
    }

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
            CallerEvent::Dropped { events } => self.cx.count("events_dropped", u64::from(events)),
            CallerEvent::Mark(name) => self.playout.marked(&mut self.cx, &name),
            CallerEvent::Dtmf(digit) => self.dtmf(digit),
            CallerEvent::Stopped(reason) => self.end(Ended::CallerHungUp { reason }),
            CallerEvent::Gone => self.end(Ended::CallerHungUp { reason: None }),
        }
    }

    fn started(&mut self, stream: StreamSid, rate: SampleRate) {
        if self.phase != Phase::Waiting {
            return self.cx.count("second_start", 1);
        }
        self.phase = Phase::Live;
        let (at_ms, wall) = (self.cx.at_ms(), self.cx.wall());
        self.cx.record(Fact::MediaStarted { stream, rate, at_ms, wall });
        self.cx.deadlines.clear(Timer::MediaWait);
        self.go_live(rate, wall);
        if (self.greet || self.returned)
            && !self.cx.policy.greet_early
            && let Some(conn) = self.session.ready()
        {
            self.speak_first(conn);
        }
    }

    /// A stream that began then carries the call.
    fn go_live(&mut self, rate: SampleRate, at: SystemTime) {
        // Over all streams of the call.
        let started = self.cx.history.started().unwrap_or(at);
        let left = self.cx.policy.max_call.saturating_sub(clock::between(started, self.cx.wall()));
        self.cx.deadlines.set(Timer::MaxCall, self.cx.now + left);
        self.cx.deadlines.set(Timer::MediaSilence, self.cx.now + self.cx.policy.media_silence);
        self.session.carrier_rate(&mut self.cx, rate);
        self.uplink.start(rate, tape::samples_between(started, at, rate));
        if self.greet || self.returned || self.cx.history.owed() != Owed::Nothing {
            self.turn.patience.owe(&mut self.cx);
        }
        self.playout.start(&mut self.cx, rate);
    }

    fn caller_audio(&mut self, pcm: Vec<u8>, level_dbfs: f32, sent_ms: Option<u64>) {
        if self.phase != Phase::Live {
            return;
        }
        self.cx.deadlines.set(Timer::MediaSilence, self.cx.now + self.cx.policy.media_silence);
        self.uplink.tape(&mut self.cx, sent_ms, &pcm);
        let spoken = self.uplink.has_spoken(self.cx.now, pcm.len(), level_dbfs);
        if self.turn.caller_speaks() {
            Uplink::watch_gap(&mut self.cx, true);
        } else if spoken && self.playout.is_idle() && self.turn.is_quiet(&self.cx) {
            self.cx.deadlines.set_if_unset(Timer::Deaf, self.cx.now + self.cx.policy.answer_wait);
        }
        self.uplink.push(&mut self.cx, self.session.ready(), pcm);
        self.playout.forgive(&mut self.cx);
    }

    fn dtmf(&mut self, digit: char) {
        self.cx.record(Fact::Dtmf { digit });
        if let Some(conn) = self.session.ready() {
            self.tell_rest();
            let told = NewItem::User(prompts::key_pressed(digit));
            self.cx.send(conn, ClientEvent::CreateItem(told));
            self.turn.request(&mut self.cx, conn, None);
        }
    }

    fn expired(&mut self, timer: Timer) {
        match timer {
            Timer::MediaWait => self.end(Ended::NoMedia),
            Timer::MediaSilence => self.end(Ended::MediaSilent),
            Timer::MaxCall => self.end(Ended::TooLong),
            Timer::Connect => {
                let outcome = self.session.connect_expired(&mut self.cx);
                self.session_outcome(outcome);
            }
            Timer::ModelWait => {
                let cause = format!("no session within {} ms", millis(self.cx.policy.model_wait));
                self.end(Ended::ModelFailed { cause });
            }
            Timer::Redial => self.session.dial(&mut self.cx),
            Timer::Answer | Timer::Deaf => {
                let verdict = self.turn.patience.answer_expired(self.cx.policy.answer_wait);
                self.verdict(verdict);
            }
            Timer::Patience => {
                let cause = format!("the caller had no answer for {} ms", millis(self.cx.policy.patience));
                self.end(Ended::ModelFailed { cause });
            }
            Timer::RetryResponse => self.ask_again(),
            Timer::Notice => {
                if let Some(conn) = self.session.ready() {
                    self.ask(conn);
                }
            }
            Timer::Doubt => self.turn_proved(),
            Timer::Voice => self.voice_stalled(),
            Timer::KeepAlive => self.playout.keep_alive(&mut self.cx),
            Timer::LastWords => self.finish_left(),
            Timer::Roll => self.session.roll(&mut self.cx),
            Timer::Pace => self.playout.pump(&mut self.cx),
            Timer::UplinkGap => self.uplink.fill_gap(&mut self.cx, self.session.ready()),
            Timer::Goodbye => self.finish_closing(),
        }
    }

    /// What follows from the state after any event of a live call.
    fn after(&mut self) {
        if self.playout.take_sent() {
            if !std::mem::replace(&mut self.spoken, true) {
                let after_ms = self.cx.at_ms();
                self.cx.record(Fact::FirstAudio { after_ms });
            }
            self.turn.patience.answered(&mut self.cx);
        }
        if !self.playout.is_idle() {
            return;
        }
        if self.closing.as_ref().is_some_and(|c| c.said) {
            return self.finish_closing();
        }
        if self.carry.is_some() {
            return self.carry_on();
        }
        // Words that are on their way come from the session that heard them.
        if self.turn.is_quiet(&self.cx)
            && !self.last_words.are_on_their_way(self.cx.now)
            && let Some(conn) = self.session.take_over(&mut self.cx)
        {
            // Nobody waits for anything: it is told all, and asked nothing.
            self.turn.forget_session();
            self.last_words.forget_session();
            self.brief(conn, usize::MAX);
        }
    }

    fn finish_closing(&mut self) {
        if let Some(closing) = self.closing.take() {
            self.end(closing.why);
        }
    }
}

#[cfg(test)]
mod tests;
