//! The beginning of a call: new, or from its history; then the stream that carries it, and the first that is heard.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use codecs::SampleRate;

use super::carry_on::CarryOn;
use super::clips::Clip;
use super::closing::Closing;
use super::context::Context;
use super::context_lookup::ContextLookup;
use super::end::Ended;
use super::fact::Fact;
use super::history::{History, Owed};
use super::holding::Holding;
use super::interruption::Interruption;
use super::io::Output;
use super::last_words::LastWords;
use super::latency::{Awaited, Part};
use super::opening::Opening;
use super::patience::Patience;
use super::playout::Playout;
use super::policy::{Policy, Setup};
use super::session::Session;
use super::tools::Tools;
use super::turn::Turn;
use super::uplink::Uplink;
use super::{Call, Clock, Phase, media, recording};
use crate::ids::StreamSid;

impl Call {
    /// A new call: the model is dialled at once, before the caller's media stream opens.
    #[must_use]
    pub fn new(now: Instant, clock: Clock, policy: Arc<Policy>, setup: Arc<Setup>) -> Self {
        let mut call = Self::with_history(now, clock, policy, setup, History::default());
        media::awaits_start(&mut call.cx);
        call.begin_session();
        call
    }

    /// The model is dialled, unless nothing is to be said; if the client is asked who calls, it is told that first.
    fn begin_session(&mut self) {
        if self.is_said() || self.announcement().is_some() {
            return;
        }
        self.context_lookup.begin(&mut self.cx);
        if self.context_lookup.is_awaited() {
            self.session.hold();
        }
        self.session.dial(&mut self.cx);
    }

    /// Whether the client is closed at this time, and the caller heard so.
    pub(super) fn is_said(&self) -> bool {
        self.cx.setup.closed && !self.opening.greets()
    }

    /// What is played to a caller who comes outside of the hours, if it can be: no model is needed then.
    pub(super) fn announcement(&self) -> Option<Clip> {
        let setup = &self.cx.setup;
        if !setup.closed || self.is_said() {
            return None;
        }
        setup.clips.find(&setup.greeting).cloned()
    }

    /// It is played, and ends the call once it is heard.
    fn announce(&mut self, clip: &Clip) {
        self.opening.audio_came();
        self.closing.answer_begins();
        self.playout.play(&mut self.cx, clip);
        self.goodbye_generated();
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
        call.tools.resume(&mut call.cx);
        call.uplink.keypad.resume(&mut call.cx);
        match call.cx.history.stream().cloned() {
            Some((_, rate, at)) => call.go_live(rate, at),
            None => media::awaits_start(&mut call.cx),
        }
        if call.phase == Phase::Live && call.is_said() {
            call.end(Ended::Closed);
            return call;
        }
        call.begin_session();
        call
    }

    fn with_history(now: Instant, clock: Clock, policy: Arc<Policy>, setup: Arc<Setup>, history: History) -> Self {
        let (on_file, setup) = (Arc::clone(&setup), setup.filled(history.context()));
        Self {
            on_file,
            phase: Phase::Waiting,
            session: Session::new(history.dials()),
            turn: Turn::default(),
            interruption: Interruption::default(),
            patience: Patience::default(),
            playout: Playout::new(policy.chunk_ms, history.resumes()),
            uplink: Uplink::new(policy.hold, history.resumes() > 0),
            opening: Opening::new(&setup, &history),
            closing: Closing::new(setup.closed),
            tools: Tools::default(),
            context_lookup: ContextLookup::default(),
            holding: Holding::default(),
            carry: CarryOn::default(),
            last_words: LastWords::default(),
            cx: Context::new(now, clock, policy, setup, history),
        }
    }

    /// The carrier's stream began.
    pub(super) fn started(&mut self, stream: StreamSid, rate: SampleRate) {
        if self.phase != Phase::Waiting {
            return self.cx.count("second_start", 1);
        }
        let (at_ms, wall) = (self.cx.at_ms(), self.cx.wall());
        self.cx.record(Fact::MediaStarted { stream, rate, at_ms, wall });
        self.go_live(rate, wall);
        if self.is_said() {
            return self.end(Ended::Closed);
        }
        if !self.turn.generates() {
            // What was said before they were there ends the call once it is heard.
            self.goodbye_generated();
        }
        if self.opening.is_due()
            && !self.cx.policy.greet_early
            && let Some(conn) = self.session.ready()
        {
            self.speak_first(conn);
        }
    }

    /// A stream that began then carries the call.
    fn go_live(&mut self, rate: SampleRate, at: SystemTime) {
        self.phase = Phase::Live;
        // Over all streams of the call.
        let first = self.cx.history.started().unwrap_or(at);
        media::began(&mut self.cx, first);
        self.session.carrier_rate(&mut self.cx, rate);
        self.uplink.start(rate, recording::samples_between(first, at, rate));
        if self.opening.is_due() || self.cx.history.owed() != Owed::Nothing {
            self.patience.caller_waits(&mut self.cx);
        }
        self.waits_from_the_beginning(at);
        self.playout.start(&mut self.cx, rate);
        if let Some(clip) = self.announcement() {
            self.announce(&clip);
        }
        self.uplink.keypad.begins(&mut self.cx);
    }

    /// The caller waits for the agent's first word since their stream began; or, in a call that was rebuilt, since they stopped. What a fault of
    /// ours took is ours.
    fn waits_from_the_beginning(&mut self, began: SystemTime) {
        let (now, part) = (self.cx.now, self.model_part());
        let prepared = !self.playout.is_idle();
        if prepared || self.opening.is_due() {
            let part = if prepared { Part::Sending } else { part };
            let from = self.cx.clock.moment(began).min(now);
            self.cx.awaits(Awaited::Greeting, from, Part::Deciding, part);
        } else if let Some(since) = self.cx.history.unanswered_since() {
            let part = if self.tools.are_pending() { Part::Tool } else { part };
            self.cx.awaits(Awaited::Turn, self.cx.clock.moment(since).min(now), Part::Deciding, part);
        }
    }

    /// The agent is heard: audio of that content part went out.
    pub(super) fn audio_went_out(&mut self, serial: u64) {
        self.uplink.keypad.agent_heard();
        if self.opening.first_audio() {
            let after_ms = self.cx.at_ms();
            self.cx.record(Fact::FirstAudio { after_ms });
        }
        if let Some(after_ms) = self.patience.answered(&mut self.cx)
            && let Some(item) = self.playout.item(serial).cloned()
        {
            self.cx.record(Fact::Answered { item, after_ms });
        }
    }
}
