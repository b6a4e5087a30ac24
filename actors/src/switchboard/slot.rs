//! One call, as every arbiter knows it: what it is, where it is, what is on record of it.

use std::sync::{Arc, Mutex, Weak};
use std::thread;
use std::time::{Duration, SystemTime};

use actix::Addr;
use protocol::call::Clock;
use protocol::call::end::Ended;
use protocol::call::fact::Fact;
use protocol::call::history::History;
use protocol::call::io::{CallerCommand, CallerEvent, Control, Input};
use protocol::call::policy::{Policy, Setup};
use protocol::ids::CallSid;
use tracing::Span;

use super::facts::FactLog;
use super::home::{Caller, Home, Routed, Started};
use super::meters::Meters;
use super::registry::{Presence, read_clocks};
use super::seats::Seat;
use super::streams::Streams;
use crate::admission::{Admission, Announced, Phase};
use crate::call_actor::{Attach, CallActor, Deliver};
use crate::caller_leg::{CallerLeg, Command, Publish, Superseded};
use crate::limits::Limits;
use crate::media::MediaRefusal;
use crate::model_leg::Target;
use crate::recorder::{Recorder, SupervisorEvent, Tape};
use crate::relocate::Coming;
use crate::sync::lock;

/// Everything of one call that must outlive its actors.
pub(crate) struct CallSlot {
    pub(crate) sid: CallSid,
    pub(crate) client: String,
    pub(crate) max_concurrent: Option<u32>,
    pub(crate) policy: Arc<Policy>,
    pub(crate) setup: Arc<Setup>,
    pub(crate) target: Target,
    pub(crate) limits: Limits,
    pub(crate) meters: Arc<Meters>,
    pub(crate) span: Span,
    pub(crate) seat: Seat,
    /// One reading for the whole call, further streams included.
    pub(crate) clock: Clock,
    facts: FactLog,
    state: Mutex<State>,
}

struct State {
    home: Home<Addr<CallActor>, Addr<CallerLeg>>,
    streams: Streams,
    /// Holds the call's place while its supervisor runs.
    presence: Weak<Presence>,
}

/// What a media socket gets when its `start` was taken.
pub(crate) enum Attached {
    /// The call is on this arbiter.
    Here(Addr<CallActor>),
    /// It is on its way: somebody must run it here.
    Coming(Coming),
}

/// What a call begins with.
pub(crate) struct Beginning {
    pub(crate) admission: Admission,
    pub(crate) target: Target,
    pub(crate) seat: Seat,
    pub(crate) recorder: Arc<dyn Recorder>,
    pub(crate) limits: Limits,
    pub(crate) meters: Arc<Meters>,
    /// The same call, which was here before and comes back.
    pub(crate) before: Option<Arc<CallSlot>>,
}

impl CallSlot {
    /// A call that waits for its stream.
    pub(crate) fn new(beginning: Beginning) -> Self {
        let Beginning { admission, target, seat, recorder, limits, meters, before } = beginning;
        let new_tape = || if admission.policy.record { recorder.tape(&admission.call_sid) } else { None };
        let tape = before.as_ref().and_then(|before| before.tape().cloned()).or_else(new_tape);
        let history = before.as_ref().map(|before| before.history()).unwrap_or_default();
        let clock = before.as_ref().map_or_else(read_clocks, |before| before.clock);
        let conversed = history.turns().next().is_some();
        let streams = match &before {
            Some(before) => Streams::new(Some(&lock(&before.state).streams), conversed, SystemTime::now()),
            None => Streams::new(None, conversed, SystemTime::now()),
        };
        Self {
            span: tracing::info_span!("call", call_sid = %admission.call_sid, client = %admission.client),
            facts: FactLog::new(admission.call_sid.clone(), Arc::clone(&meters), recorder, tape, clock, history),
            state: Mutex::new(State { home: Home::new(), streams, presence: Weak::new() }),
            sid: admission.call_sid,
            client: admission.client,
            max_concurrent: admission.max_concurrent,
            policy: admission.policy,
            setup: Arc::new(admission.setup),
            target,
            limits,
            meters,
            seat,
            clock,
        }
    }

    /// Who keeps the call's place.
    pub(crate) fn keeps_its_place(&self, presence: &Arc<Presence>) {
        lock(&self.state).presence = Arc::downgrade(presence);
    }

    /// The call as it was admitted, to be admitted again. Its model is in its target.
    pub(crate) fn admission(&self) -> Admission {
        Admission {
            call_sid: self.sid.clone(),
            client: self.client.clone(),
            max_concurrent: self.max_concurrent,
            setup: (*self.setup).clone(),
            policy: Arc::clone(&self.policy),
            model: None,
        }
    }

    /// Puts a fact on record.
    pub(crate) fn record(&self, fact: &Fact) {
        self.facts.record(fact);
        if matches!(fact, Fact::Left(_)) && !self.has_ended() {
            self.leave();
        }
    }

    /// The line is free and so is the call's place, unless too many wait for their callers' last words. A node that stops waits
    /// for none.
    fn leave(&self) {
        let presence = lock(&self.state).presence.upgrade();
        if presence.is_some_and(|presence| presence.leave()) {
            self.control(Control::HangUp(Ended::Shutdown));
        }
    }

    /// Whether the call waits only for its caller's last words.
    pub(crate) fn has_left(&self) -> bool {
        self.facts.left().is_some()
    }

    /// Whether the end of the call is on record.
    pub(crate) fn has_ended(&self) -> bool {
        self.facts.ended().is_some()
    }

    /// Puts on record that the call is over: for the reason it had already, if it waited only for its caller's last words.
    pub(crate) fn over(&self, otherwise: Ended) {
        self.record(&Fact::Ended(self.facts.left().unwrap_or(otherwise)));
    }

    /// Tells the log and the recorder of the call's supervision.
    pub(crate) fn supervised(&self, event: SupervisorEvent<'_>) {
        self.facts.supervised(event);
    }

    /// A snapshot of the facts so far.
    pub(crate) fn history(&self) -> History {
        self.facts.history()
    }

    /// Whether any actor of the call has taken the `start` event.
    pub(crate) fn media_started(&self) -> bool {
        self.facts.media_started()
    }

    /// What takes the call's sound, if it is recorded.
    pub(crate) const fn tape(&self) -> Option<&Arc<dyn Tape>> {
        self.facts.tape()
    }

    /// Lets go of what no later stream needs; about what is left takes of memory, bytes.
    pub(crate) fn rest(&self) -> usize {
        let history = self.facts.rest(self.policy.replay_turns);
        size_of::<Self>() + self.setup.instructions.len() + self.setup.greeting.len() + history
    }

    /// Which stream the call's URL is for, which opens something for so long.
    pub(crate) fn announce(&self, life: Duration, now: SystemTime) -> Announced {
        let State { home, streams, .. } = &mut *lock(&self.state);
        streams.announce(home.phase(), life, now)
    }

    /// Whether a media socket may start a stream.
    pub(crate) fn takes_start(&self) -> bool {
        let state = lock(&self.state);
        state.streams.takes_start(state.home.phase())
    }

    /// Whether it may start that one.
    pub(crate) fn awaits(&self, stream: u32) -> bool {
        let state = lock(&self.state);
        state.streams.awaits(stream, state.home.phase())
    }

    /// Whether the carrier asked for a further stream while this one is live.
    pub(crate) fn is_armed(&self) -> bool {
        lock(&self.state).streams.is_armed()
    }

    /// A further stream takes the call of a live one, if the carrier asked for it: once.
    pub(crate) fn disarm(&self) -> bool {
        lock(&self.state).streams.disarm()
    }

    /// Nobody brings this call back any more.
    pub(crate) fn end_for_good(&self) {
        lock(&self.state).streams.end_for_good();
    }

    /// Whether the call has been here before.
    pub(crate) fn has_returned(&self) -> bool {
        lock(&self.state).streams.has_returned()
    }

    /// Whether a call that leaves may come back.
    pub(crate) fn may_return(&self) -> bool {
        self.facts.ended().is_some_and(Ended::is_provisional) && !lock(&self.state).streams.is_over()
    }
}

/// Where the call is: what [`Home`] decides, sent under its lock, so that nothing overtakes anything.
impl CallSlot {
    /// Where the call is, as a token's bearer may know it.
    pub(crate) fn phase(&self) -> Phase {
        lock(&self.state).home.phase()
    }

    /// The media socket, if the stream has begun.
    pub(crate) fn caller(&self) -> Option<Addr<CallerLeg>> {
        lock(&self.state).home.caller()
    }

    /// The call's actor, if it has one.
    pub(crate) fn actor(&self) -> Option<Addr<CallActor>> {
        lock(&self.state).home.actor()
    }

    /// Gives a control to whichever actor runs the call, now or when there is one again.
    pub(crate) fn control(&self, control: Control) {
        match lock(&self.state).home.control(Input::Control(control)) {
            Routed::To(call, control) => call.do_send(Deliver(control)),
            Routed::Held => {}
            Routed::Dropped => metrics::counter!("callgate_controls_dropped_total").increment(1),
        }
    }

    /// A media socket was opened for this call: of two before the `start`, the newest wins.
    pub(crate) fn wait_for_start(&self, leg: Addr<CallerLeg>) {
        if let Some(older) = lock(&self.state).home.wait_for_start(leg) {
            older.do_send(Superseded);
        }
    }

    /// A media socket that is about to take the place of the one there is: it stays when that one goes.
    pub(crate) fn stop_waiting(&self, leg: &Addr<CallerLeg>) {
        lock(&self.state).home.stop_waiting(leg);
    }

    /// A media socket got its `start`: the call becomes live on the current arbiter.
    pub(crate) fn attach(&self, leg: &Addr<CallerLeg>) -> Result<Attached, MediaRefusal> {
        // Held beyond the lock: should nobody else have it by now, the call ends with it, and that takes the lock.
        let presence = lock(&self.state).presence.upgrade();
        let started = self.start(leg, presence.as_deref())?;
        let presence = presence.ok_or(MediaRefusal::Over)?;
        Ok(match started {
            Started::Here(call) => Attached::Here(call),
            Started::Elsewhere(call) => Attached::Coming(Coming::from_actor(&call, presence)),
            Started::Nowhere => Attached::Coming(Coming::from_history(presence)),
        })
    }

    fn start(
        &self,
        leg: &Addr<CallerLeg>,
        presence: Option<&Presence>,
    ) -> Result<Started<Addr<CallActor>>, MediaRefusal> {
        let mut state = lock(&self.state);
        state.home.check_start(leg)?;
        if !presence.ok_or(MediaRefusal::Over)?.is_seated() {
            return Err(MediaRefusal::PlaceLost);
        }
        let started = state.home.start(leg.clone(), thread::current().id());
        if let Started::Here(call) = &started {
            call.do_send(Attach(leg.clone()));
        }
        Ok(started)
    }

    /// An actor of the call is about to run on this arbiter: everyone who waited for it learns so.
    /// False, and nothing is told, when the call was taken to another arbiter and this is not where it arrives.
    pub(crate) fn publish(&self, call: &Addr<CallActor>, arriving: bool) -> bool {
        let mut state = lock(&self.state);
        let Some(taken) = state.home.take(call.clone(), thread::current().id(), arriving) else { return false };
        taken.last.into_iter().for_each(|event| call.do_send(Deliver(event)));
        match taken.caller {
            Caller::Awaited => {}
            Caller::Here(leg) => leg.do_send(Publish(call.clone())),
            Caller::Gone => call.do_send(Deliver(Input::Caller(CallerEvent::Gone))),
        }
        taken.controls.into_iter().for_each(|control| call.do_send(Deliver(control)));
        true
    }

    /// The call's actor is gone. False when the call has been taken to another arbiter meanwhile.
    pub(crate) fn withdraw(&self, gone: &Addr<CallActor>) -> bool {
        lock(&self.state).home.withdraw(gone)
    }

    /// The media socket of the call is gone, and this is what no actor has heard of it. The call is told, now or when it has an actor again.
    pub(crate) fn caller_gone(&self, last: Vec<Input>) {
        if let Some((call, last)) = lock(&self.state).home.caller_gone(last) {
            let all = last.into_iter().chain([Input::Caller(CallerEvent::Gone)]);
            all.for_each(|event| call.do_send(Deliver(event)));
        }
    }

    /// Closes every media socket of the call, so that the carrier's flow goes on.
    pub(crate) fn hang_up(&self) {
        let legs = lock(&self.state).home.hang_up();
        legs.into_iter().for_each(|leg| leg.do_send(Command(CallerCommand::Close)));
    }
}
