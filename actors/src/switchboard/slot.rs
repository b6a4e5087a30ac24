//! One call, as every arbiter knows it: what it is, where it is, what is on record of it.

mod sends;

use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant, SystemTime};

use actix::Addr;
use protocol::call::Clock;
use protocol::call::end::Ended;
use protocol::call::fact::Fact;
use protocol::call::history::History;
use protocol::call::io::{Control, Effect, EffectId, Input};
use protocol::call::policy::{Policy, Setup};
use protocol::ids::CallSid;
use tracing::Span;

use super::facts::FactLog;
use super::home::Home;
use super::meters::Meters;
use super::registry::Presence;
use super::seats::Seat;
use super::streams::Streams;
use crate::admission::{Admission, Announced};
use crate::call_actor::CallActor;
use crate::caller_leg::CallerLeg;
use crate::effects::Effects;
use crate::limits::Limits;
use crate::model_leg::Target;
use crate::recorder::{AudioSink, Recorder, SupervisorEvent};
use crate::sync::lock;
pub(crate) use sends::Attached;

/// Everything of one call that must outlive its actors.
pub(crate) struct CallSlot {
    pub(crate) sid: CallSid,
    pub(crate) client: String,
    pub(crate) max_concurrent: Option<u32>,
    pub(crate) policy: Arc<Policy>,
    pub(crate) setup: Arc<Setup>,
    pub(crate) target: Target,
    /// The tenant's model, instead of the node's.
    model: Option<String>,
    /// What does for the call what it wants done; none: nothing can be.
    pub(crate) effects: Option<Arc<dyn Effects>>,
    pub(crate) limits: Limits,
    pub(crate) meters: Arc<Meters>,
    pub(crate) span: Span,
    pub(crate) seat: Seat,
    /// Under which this node has the call.
    pub(crate) generation: i32,
    /// One reading for the whole call, further streams included.
    pub(crate) clock: Clock,
    facts: FactLog,
    state: Mutex<State>,
}

struct State {
    home: Home<Addr<CallActor>, Addr<CallerLeg>, Input>,
    streams: Streams,
    /// Holds the call's place while its supervisor runs.
    presence: Weak<Presence>,
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

/// Both clocks, as a call that comes here finds them.
fn both_clocks() -> Clock {
    Clock { now: Instant::now(), wall: SystemTime::now() }
}

/// What takes the sound of a call: what took it before, or, if the call was at another node meanwhile, something new.
fn sink(
    admission: &Admission,
    recorder: &dyn Recorder,
    before: Option<&CallSlot>,
    was_elsewhere: bool,
) -> Option<Arc<dyn AudioSink>> {
    match before.and_then(CallSlot::sink) {
        Some(sink) if !was_elsewhere => return Some(Arc::clone(sink)),
        Some(sink) => sink.ended(),
        None => {}
    }
    if admission.policy.record { recorder.sink(&admission.call_sid, admission.generation) } else { None }
}

impl CallSlot {
    /// A call that waits for its stream.
    pub(crate) fn new(beginning: Beginning) -> Self {
        let Beginning { mut admission, target, seat, recorder, limits, meters, before } = beginning;
        let returns = admission.returns.take();
        let remembered = || before.as_ref().map(|before| before.history()).unwrap_or_default();
        let recorded = returns.as_ref().and_then(|returns| returns.history.as_deref().cloned());
        let sink = sink(&admission, &*recorder, before.as_deref(), recorded.is_some());
        let mut history = recorded.unwrap_or_else(remembered);
        let dial_status = returns.as_ref().and_then(|returns| returns.dial_status.as_deref());
        dial_status.into_iter().for_each(|status| history.came_back_from_transfer(status));
        let clock = before.as_ref().map_or_else(both_clocks, |before| before.clock);
        let conversed = history.turns().next().is_some();
        let streams = match (&returns, &before) {
            (Some(returns), _) => Streams::returning(returns.stream, returns.since, conversed),
            (None, Some(before)) => Streams::new(Some(&lock(&before.state).streams), conversed, SystemTime::now()),
            (None, None) => Streams::new(None, conversed, SystemTime::now()),
        };
        let mut home = Home::new();
        for ran in before.iter().flat_map(|before| before.take_ran()) {
            // There is no actor yet: it is told when it starts.
            let _ = home.control(ran);
        }
        Self {
            span: tracing::info_span!("call", call_sid = %admission.call_sid, client = %admission.client),
            facts: FactLog::new(
                (admission.call_sid.clone(), admission.client.clone(), admission.model.clone()),
                Arc::clone(&meters),
                recorder,
                sink,
                clock,
                history,
            ),
            state: Mutex::new(State { home, streams, presence: Weak::new() }),
            sid: admission.call_sid,
            client: admission.client,
            max_concurrent: admission.max_concurrent,
            policy: admission.policy,
            setup: Arc::new(admission.setup),
            target,
            model: admission.model,
            effects: admission.effects,
            limits,
            meters,
            seat,
            generation: admission.generation,
            clock,
        }
    }

    /// Who keeps the call's place.
    pub(crate) fn keeps_its_place(&self, presence: &Arc<Presence>) {
        lock(&self.state).presence = Arc::downgrade(presence);
    }

    /// The call as it was admitted, to be admitted again.
    pub(crate) fn admission(&self) -> Admission {
        Admission {
            call_sid: self.sid.clone(),
            client: self.client.clone(),
            max_concurrent: self.max_concurrent,
            setup: (*self.setup).clone(),
            policy: Arc::clone(&self.policy),
            model: self.model.clone(),
            generation: self.generation,
            returns: None,
            effects: self.effects.clone(),
        }
    }

    /// Has something done for the call: what it comes to reaches whichever actor has the call by then.
    pub(crate) fn run(&self, id: EffectId, effect: Effect) {
        let presence = lock(&self.state).presence.upgrade();
        presence.iter().for_each(|presence| presence.run(id, effect.clone()));
    }

    /// Nobody waits for that any more.
    pub(crate) fn cancel(&self, id: EffectId) {
        self.effects.iter().for_each(|effects| effects.cancel(&self.sid, id));
    }

    /// What effects came to while the call was away.
    fn take_ran(&self) -> impl Iterator<Item = Input> {
        let held = lock(&self.state).home.take_held();
        held.into_iter().filter(|input| matches!(input, Input::Ran { .. }))
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
    pub(crate) const fn sink(&self) -> Option<&Arc<dyn AudioSink>> {
        self.facts.sink()
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

    /// Whether a further stream was asked for so lately.
    pub(crate) fn has_just_returned(&self, lately: Duration, now: SystemTime) -> bool {
        lock(&self.state).streams.has_just_returned(lately, now)
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
