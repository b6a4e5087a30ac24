//! The model session: configure, ready, redial, roll.

mod config;
mod refusal;
mod roll;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use codecs::SampleRate;

use super::context::{Context, millis};
use super::fact::Fact;
use super::io::{ConnId, ModelCommand};
use super::latency::Part;
use crate::backoff::Backoff;
use crate::realtime::command::ClientEvent;
use crate::realtime::failure::{Field, ProviderRefusal};
use crate::wire::clip;
use config::{Asked, Fields, configure};
pub(crate) use refusal::Refusal;

/// Longest pause between connection attempts.
const MAX_BACKOFF: Duration = Duration::from_secs(2);
/// A session that lived so long was worth dialling: the next is dialled without a pause.
const STABLE: Duration = Duration::from_secs(10);

/// Bytes of the words for why a session was lost.
const MAX_CAUSE: usize = 256;

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    /// One connection attempt.
    Connect,
    /// No usable model.
    ModelWait,
    /// Pause before the next connection attempt.
    Redial,
    /// The session is old.
    Roll,
}

/// One connection.
#[derive(Debug)]
struct Conn {
    id: ConnId,
    stage: Stage,
    since: Instant,
    asked: Asked,
    /// Events of ours had such numbers before it was opened.
    events: u32,
    /// When its server ends it, if it says.
    expires: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Dialling,
    /// Its configuration is not known yet.
    Open,
    Configuring,
    Ready,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Session {
    current: Option<Conn>,
    /// Dialled to take over from an old one in a quiet moment.
    next: Option<Conn>,
    rate: SampleRate,
    /// What a session is told is not known yet.
    held: bool,
    dials: u32,
    failures: u32,
    errors: VecDeque<Instant>,
    /// When sessions that were in use were lost.
    losses: VecDeque<Instant>,
    /// What the server is known not to have.
    lacks: Fields,
}

/// What a session event means to the call.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Nothing to anyone else.
    Nothing,
    /// This session can be used from now on.
    Ready(ConnId),
    /// The session in use is gone; another is there, or being dialled.
    Lost,
    /// A response that was asked for will not come of that.
    RequestRefused(Refusal),
    /// No session will be had.
    Failed(String),
}

impl Session {
    pub(crate) fn new(dials: u32) -> Self {
        Self {
            current: None,
            next: None,
            rate: SampleRate::Hz8000,
            held: false,
            dials,
            failures: 0,
            errors: VecDeque::new(),
            losses: VecDeque::new(),
            lacks: Fields::default(),
        }
    }

    /// The connection that takes events, if it is configured.
    pub(crate) fn ready(&self) -> Option<ConnId> {
        self.current.as_ref().filter(|c| c.stage == Stage::Ready).map(|c| c.id)
    }

    /// Whether what this connection says still matters.
    pub(crate) fn knows(&self, id: ConnId) -> bool {
        self.conn(id).is_some()
    }

    fn conn(&self, id: ConnId) -> Option<&Conn> {
        [&self.current, &self.next].into_iter().flatten().find(|c| c.id == id)
    }

    pub(crate) fn is_current(&self, id: ConnId) -> bool {
        self.current.as_ref().is_some_and(|c| c.id == id)
    }

    /// Whether a connection waits for what it is to be configured with.
    pub(crate) fn awaits_context(&self) -> bool {
        self.current.as_ref().is_some_and(|c| c.stage == Stage::Open)
    }

    /// No session is configured before [`Self::release`].
    pub(crate) const fn hold(&mut self) {
        self.held = true;
    }

    /// Opens the connection of the call.
    pub(crate) fn dial(&mut self, cx: &mut Context) {
        cx.deadlines.set_if_unset(Timer::ModelWait, cx.now + cx.policy.model_wait);
        cx.deadlines.set(Timer::Connect, cx.now + cx.policy.connect_timeout);
        self.current = Some(self.open(cx));
    }

    fn open(&mut self, cx: &mut Context) -> Conn {
        self.dials += 1;
        let id = ConnId(self.dials);
        cx.record(Fact::ModelDialled { attempt: self.dials });
        cx.model(id, ModelCommand::Dial);
        if self.rate != SampleRate::Hz8000 {
            cx.model(id, ModelCommand::CarrierRate(self.rate));
        }
        let (events, asked) = (cx.events(), Asked::default());
        Conn { id, stage: Stage::Dialling, since: cx.now, asked, events, expires: None }
    }

    /// The stream's rate is known.
    pub(crate) fn carrier_rate(&mut self, cx: &mut Context, rate: SampleRate) {
        self.rate = rate;
        if rate != SampleRate::Hz8000 {
            for conn in [&self.current, &self.next].into_iter().flatten() {
                cx.model(conn.id, ModelCommand::CarrierRate(rate));
            }
        }
    }

    /// The socket is open: configure first.
    pub(crate) fn opened(&mut self, cx: &mut Context, id: ConnId) {
        let (lacks, held) = (self.lacks, self.held);
        if let Some(conn) = self.find(id)
            && conn.stage == Stage::Dialling
        {
            if held {
                conn.stage = Stage::Open;
                return cx.spends(Part::Tool);
            }
            conn.stage = Stage::Configuring;
            conn.asked = configure(cx, id, Asked::first(lacks));
        }
    }

    /// It is known how a session is to be configured.
    pub(crate) fn release(&mut self, cx: &mut Context) {
        self.held = false;
        cx.functions_returned(Part::Connecting);
        let lacks = self.lacks;
        for conn in [&mut self.current, &mut self.next].into_iter().flatten().filter(|conn| conn.stage == Stage::Open) {
            conn.stage = Stage::Configuring;
            conn.asked = configure(cx, conn.id, Asked::first(lacks));
        }
    }

    fn find(&mut self, id: ConnId) -> Option<&mut Conn> {
        [&mut self.current, &mut self.next].into_iter().flatten().find(|c| c.id == id)
    }

    /// The configuration was taken.
    pub(crate) fn updated(&mut self, cx: &mut Context, id: ConnId) -> Outcome {
        let Some(conn) = self.find(id).filter(|c| c.stage == Stage::Configuring) else {
            return Outcome::Nothing;
        };
        conn.stage = Stage::Ready;
        let known = conn.asked.known;
        cx.record(Fact::ModelReady { after_ms: millis(cx.now.saturating_duration_since(conn.since)) });
        self.lacks = self.lacks.and(known);
        if !self.is_current(id) {
            return Outcome::Nothing;
        }
        self.errors.clear();
        cx.session_spends(Part::Deciding);
        cx.deadlines.clear(Timer::Connect);
        cx.deadlines.clear(Timer::ModelWait);
        self.arm_roll(cx);
        Outcome::Ready(id)
    }

    /// A transcription failed over the language: from now on the recogniser finds it out.
    pub(crate) fn language_failed(&mut self, cx: &mut Context, id: ConnId) {
        let Some(model) = cx.transcription_model().map(str::to_owned) else { return };
        let asks = |c: &&mut Conn| c.stage == Stage::Ready && c.asked.asks(cx, Field::Language);
        let Some(conn) = self.find(id).filter(asks) else { return };
        conn.asked = conn.asked.any_language();
        let known = conn.asked.known;
        cx.count("language_dropped", 1);
        conn.asked.update = cx.send(id, ClientEvent::Transcribe { model });
        self.lacks = self.lacks.and(known);
    }

    /// Whether the caller's words come as text.
    pub(crate) fn transcribes(&self, cx: &Context) -> bool {
        let asked = self.current.as_ref().filter(|c| c.stage == Stage::Ready).map(|c| c.asked.without);
        cx.transcription_model().is_some() && asked.is_some_and(|without| !without.have(Field::Transcription))
    }

    /// A connection ended, was refused, or is given up.
    pub(crate) fn lost(
        &mut self,
        cx: &mut Context,
        id: ConnId,
        cause: &str,
        refused: Option<ProviderRefusal>,
    ) -> Outcome {
        let told = if cause.is_empty() { "no reason was given" } else { cause };
        cx.count("cause_cut", u64::from(told.len() > MAX_CAUSE));
        let cause = &clip(told, MAX_CAUSE);
        if self.next.as_ref().is_some_and(|c| c.id == id) {
            cx.record(Fact::ModelLost { cause: cause.to_string(), refused });
            self.drop_next(cx);
            return Outcome::Nothing;
        }
        let Some(lost) = self.current.take_if(|c| c.id == id) else { return Outcome::Nothing };
        if cx.now.saturating_duration_since(lost.since) >= STABLE {
            self.failures = 0;
        }
        self.errors.clear();
        cx.session_gone();
        cx.record(Fact::ModelLost { cause: cause.to_string(), refused });
        cx.model(id, ModelCommand::Close);
        if lost.stage == Stage::Ready && self.is_worn_out(cx) {
            let (times, secs) = (cx.policy.session_losses, cx.policy.session_loss_window.as_secs());
            return Outcome::Failed(format!("the session was lost {times} times within {secs} s, last: {cause}"));
        }
        cx.deadlines.clear(Timer::Connect);
        cx.deadlines.set_if_unset(Timer::ModelWait, cx.now + cx.policy.model_wait);
        if let Some(next) = self.next.take() {
            // The replacement is there already, or on its way.
            let ready = next.stage == Stage::Ready;
            self.current = Some(next);
            if ready {
                cx.deadlines.clear(Timer::ModelWait);
                self.arm_roll(cx);
            } else {
                cx.deadlines.set(Timer::Connect, cx.now + cx.policy.connect_timeout);
            }
            return Outcome::Lost;
        }
        if refused.is_some() {
            return Outcome::Failed(cause.to_string());
        }
        let pause = Backoff::new(cx.policy.redial_backoff, MAX_BACKOFF).pause(self.failures);
        self.failures += 1;
        cx.deadlines.set(Timer::Redial, cx.now + pause);
        Outcome::Lost
    }

    /// Counts a session lost: whether it is one too many, however much each of them said.
    fn is_worn_out(&mut self, cx: &Context) -> bool {
        let window = cx.policy.session_loss_window;
        self.losses.push_back(cx.now);
        while self.losses.front().is_some_and(|&at| cx.now.saturating_duration_since(at) > window) {
            self.losses.pop_front();
        }
        self.losses.len() >= cx.policy.session_losses
    }

    pub(super) fn expired(&mut self, cx: &mut Context, timer: Timer) -> Outcome {
        match timer {
            Timer::Connect => return self.connect_expired(cx),
            Timer::ModelWait => {
                return Outcome::Failed(format!("no session within {} ms", millis(cx.policy.model_wait)));
            }
            Timer::Redial => self.dial(cx),
            Timer::Roll => self.roll(cx),
        }
        Outcome::Nothing
    }

    /// The attempt took too long.
    fn connect_expired(&mut self, cx: &mut Context) -> Outcome {
        let Some(conn) = self.current.as_ref().filter(|c| c.stage != Stage::Ready) else { return Outcome::Nothing };
        let what = if conn.stage == Stage::Dialling { "a connection" } else { "session.updated" };
        let cause = format!("no {what} within {} ms", millis(cx.policy.connect_timeout));
        let id = conn.id;
        self.lost(cx, id, &cause, None)
    }

    /// Closes whatever is open.
    pub(crate) fn close(&mut self, cx: &mut Context) {
        for conn in [self.current.take(), self.next.take()].into_iter().flatten() {
            cx.model(conn.id, ModelCommand::Close);
        }
    }
}
