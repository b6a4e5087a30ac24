//! One call, as every arbiter knows it.

use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::thread::{self, ThreadId};
use std::time::{Duration, SystemTime};

use actix::Addr;
use protocol::call::history::History;
use protocol::call::io::{CallerCommand, CallerEvent, Control, Input};
use protocol::call::policy::{Policy, Setup};
use protocol::call::{end::Ended, fact::Fact};
use protocol::ids::CallSid;
use tokio::sync::oneshot;
use tracing::Span;

use super::meters::Meters;
use super::registry::{Presence, read_clocks};
use super::seats::Seat;
use crate::admission::{Admission, Announced, Phase};
use crate::call_actor::{Attach, CallActor, Deliver, Detach, Moved};
use crate::caller_leg::{CallerLeg, Command, Publish, Superseded};
use crate::limits::Limits;
use crate::media::MediaRefusal;
use crate::model_leg::Target;
use crate::recorder::{Recorder, Step, SupervisorEvent, Tape};
use crate::sync::lock;

/// Controls kept for a call that is between two actors. One hang-up is enough to end it.
const CONTROLS_HELD: usize = 16;

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
    pub(crate) clock: protocol::call::Clock,
    recorder: Arc<dyn Recorder>,
    /// Where what each side hears goes, if it is recorded.
    pub(crate) tape: Option<Arc<dyn Tape>>,
    history: Arc<Mutex<History>>,
    ended: OnceLock<Ended>,
    state: Mutex<State>,
}

struct State {
    phase: Phase,
    /// The stream that the call waits for, or has.
    announced: Announced,
    /// The carrier asked for a further stream while this one is live: whoever brings it takes the call.
    armed: bool,
    /// Somebody spoke of the call's end for good: it will not be back.
    over: bool,
    home: Home,
    /// Holds the call's place while its supervisor runs.
    presence: Weak<Presence>,
    /// The newest media socket that has not sent its `start`.
    waiting: Option<Addr<CallerLeg>>,
    /// The media socket of the call, once it has.
    caller: Option<Addr<CallerLeg>>,
}

/// Where the call's actor is.
enum Home {
    /// On this thread's arbiter.
    At(ThreadId, Addr<CallActor>),
    /// Between two actors of one arbiter (starting, restarting): controls wait here.
    Between(Vec<Control>),
    /// On its way to another arbiter: controls wait here.
    Moving(Vec<Control>),
}

/// What a media socket gets when its `start` was taken.
pub(crate) enum Attached {
    /// The call is on this arbiter.
    Here(Addr<CallActor>),
    /// It is on its way: somebody must run it here, from what the receiver yields (or from its history if that fails).
    Coming(oneshot::Receiver<Moved>, Arc<Presence>),
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
        let tape = before.as_ref().and_then(|before| before.tape.clone()).or_else(new_tape);
        let history = before.as_ref().map(|before| before.history()).unwrap_or_default();
        let clock = before.as_ref().map_or_else(read_clocks, |before| before.clock);
        let announced = Announced {
            stream: before.map_or(1, |before| lock(&before.state).announced.stream + 1),
            since: SystemTime::now(),
            conversed: history.turns().next().is_some(),
        };
        let state = State {
            phase: Phase::Waiting,
            announced,
            armed: false,
            over: false,
            home: Home::Between(Vec::new()),
            presence: Weak::new(),
            waiting: None,
            caller: None,
        };
        Self {
            span: tracing::info_span!("call", call_sid = %admission.call_sid, client = %admission.client),
            tape,
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
            recorder,
            history: Arc::new(Mutex::new(history)),
            ended: OnceLock::new(),
            state: Mutex::new(state),
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

    /// Where the call is, as a token's bearer may know it.
    pub(crate) fn phase(&self) -> Phase {
        lock(&self.state).phase
    }

    /// The media socket, if the stream has begun.
    pub(crate) fn caller(&self) -> Option<Addr<CallerLeg>> {
        lock(&self.state).caller.clone()
    }

    /// A snapshot of the facts so far.
    pub(crate) fn history(&self) -> History {
        lock(&self.history).clone()
    }

    /// Whether any actor of the call has taken the `start` event.
    pub(crate) fn media_started(&self) -> bool {
        lock(&self.history).stream().is_some()
    }

    /// Whether the end of the call is on record.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended.get().is_some()
    }

    /// Puts a fact on record: history, metrics, recorder. The end of a call is recorded once.
    pub(crate) fn record(&self, fact: &Fact) {
        let mut history = lock(&self.history);
        // Nothing happens after the end: of an actor that was still on its way to another arbiter it would open the row again.
        match fact {
            Fact::Ended(ended) if self.ended.set(ended.clone()).is_ok() => {}
            _ if self.ended.get().is_some() => return,
            _ => {}
        }
        history.apply(fact);
        self.meters.fact(&self.sid, fact);
        self.recorder.record(&self.sid, SystemTime::now(), fact);
        drop(history);
        match fact {
            Fact::Left(_) => {
                self.tape.iter().for_each(|tape| tape.paused());
                self.leave();
            }
            // Whether it is over for good is known when the call is gone.
            Fact::Ended(_) => self.tape.iter().for_each(|tape| tape.paused()),
            Fact::MediaStarted { rate, wall, .. } => {
                self.tape.iter().for_each(|tape| tape.began(*rate, self.clock.moment(*wall)));
            }
            _ => {}
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
        lock(&self.history).left().is_some()
    }

    /// Puts on record that the call is over: for the reason it had already, if it waited only for its caller's last words.
    pub(crate) fn over(&self, otherwise: Ended) {
        let left = lock(&self.history).left().cloned();
        self.record(&Fact::Ended(left.unwrap_or(otherwise)));
    }

    /// One line of log for an event of the call's supervision, and its record.
    pub(crate) fn supervised(&self, event: SupervisorEvent<'_>) {
        let (call_sid, SupervisorEvent { step, actor, cause, count, fault }) = (&self.sid, event);
        let name = step.name();
        match (step, fault) {
            (Step::GiveUp, _) => {
                tracing::error!(target: "supervisor", %call_sid, actor, event = name, cause, count);
            }
            (_, true) => tracing::warn!(target: "supervisor", %call_sid, actor, event = name, cause, count),
            (_, false) => tracing::info!(target: "supervisor", %call_sid, actor, event = name, cause, count),
        }
        self.recorder.supervised(&self.sid, SystemTime::now(), &event);
    }

    /// Gives a control to whichever actor runs the call, now or when there is one again.
    pub(crate) fn control(&self, control: Control) {
        match &mut lock(&self.state).home {
            Home::At(_, call) => call.do_send(Deliver(Input::Control(control))),
            Home::Between(held) | Home::Moving(held) if held.len() < CONTROLS_HELD => held.push(control),
            Home::Between(_) | Home::Moving(_) => {}
        }
    }

    /// The call's actor, for fault injection.
    pub(crate) fn actor(&self) -> Option<Addr<CallActor>> {
        if let Home::At(_, call) = &lock(&self.state).home { Some(call.clone()) } else { None }
    }

    /// The stream that the call's URL is for. One that is asked for while the call has its stream is a further one: the carrier would not ask
    /// if it had not lost the first. Its URL is the same as long as that opens anything.
    pub(crate) fn announce(&self, life: Duration, now: SystemTime) -> Announced {
        let mut state = lock(&self.state);
        if state.phase == Phase::Live {
            state.armed = true;
            let age = now.duration_since(state.announced.since).unwrap_or_default();
            if age >= life {
                (state.announced.stream, state.announced.since) = (state.announced.stream + 1, now);
            }
        }
        state.announced
    }

    /// Whether a media socket may start a stream.
    pub(crate) fn takes_start(&self) -> bool {
        let state = lock(&self.state);
        state.phase == Phase::Waiting || state.armed
    }

    /// Whether it may start that one.
    pub(crate) fn awaits(&self, stream: u32) -> bool {
        self.takes_start() && lock(&self.state).announced.stream == stream
    }

    /// Whether the carrier asked for a further stream while this one is live.
    pub(crate) fn is_armed(&self) -> bool {
        lock(&self.state).armed
    }

    /// A further stream takes the call of a live one, if the carrier asked for it: once.
    pub(crate) fn disarm(&self) -> bool {
        std::mem::take(&mut lock(&self.state).armed)
    }

    /// Nobody brings this call back any more.
    pub(crate) fn end_for_good(&self) {
        lock(&self.state).over = true;
    }

    /// Whether the call has been here before.
    pub(crate) fn has_returned(&self) -> bool {
        lock(&self.state).announced.stream > 1
    }

    /// Whether a call that leaves may come back.
    pub(crate) fn may_return(&self) -> bool {
        self.ended.get().is_some_and(Ended::is_provisional) && !lock(&self.state).over
    }

    /// Lets go of what no later stream needs; about what is left takes of memory, bytes.
    pub(crate) fn rest(&self) -> usize {
        let mut history = lock(&self.history);
        history.forget_words(self.policy.replay_turns);
        size_of::<Self>() + self.setup.instructions.len() + self.setup.greeting.len() + history.weight()
    }

    /// A media socket was opened for this call: of two before the `start`, the newest wins.
    pub(crate) fn wait_for_start(&self, leg: Addr<CallerLeg>) {
        if let Some(older) = lock(&self.state).waiting.replace(leg) {
            older.do_send(Superseded);
        }
    }

    /// A media socket that is about to take the place of the one there is: it stays when that one goes.
    pub(crate) fn stop_waiting(&self, leg: &Addr<CallerLeg>) {
        lock(&self.state).waiting.take_if(|waiting| waiting == leg);
    }

    /// A media socket got its `start`: the call becomes live on the current arbiter.
    pub(crate) fn attach(&self, leg: &Addr<CallerLeg>) -> Result<Attached, MediaRefusal> {
        let mut state = lock(&self.state);
        if state.phase == Phase::Live {
            return Err(MediaRefusal::AlreadyStarted);
        }
        if state.waiting.as_ref().is_some_and(|waiting| waiting != leg) {
            return Err(MediaRefusal::Superseded);
        }
        let presence = state.presence.upgrade().ok_or(MediaRefusal::Over)?;
        if !presence.is_seated() {
            return Err(MediaRefusal::PlaceLost);
        }
        state.phase = Phase::Live;
        state.waiting = None;
        state.caller = Some(leg.clone());
        if let Home::At(thread, call) = &state.home
            && *thread == thread::current().id()
        {
            call.do_send(Attach(leg.clone()));
            return Ok(Attached::Here(call.clone()));
        }
        let (to, moved) = oneshot::channel();
        match std::mem::replace(&mut state.home, Home::Moving(Vec::new())) {
            Home::At(_, call) => call.do_send(Detach(to)),
            // Nobody will answer: the call comes back from its history on this arbiter.
            Home::Between(held) | Home::Moving(held) => state.home = Home::Moving(held),
        }
        Ok(Attached::Coming(moved, presence))
    }

    /// An actor of the call is about to run on this arbiter: everyone who waited for it learns so.
    /// False, and nothing is told, when the call was taken to another arbiter and this is not where it arrives.
    pub(crate) fn publish(&self, call: &Addr<CallActor>, arriving: bool) -> bool {
        let mut state = lock(&self.state);
        match (&state.home, arriving) {
            (Home::Moving(_), true) | (Home::Between(_), false) => {}
            _ => return false,
        }
        let home = std::mem::replace(&mut state.home, Home::At(thread::current().id(), call.clone()));
        let caller = state.caller.clone();
        drop(state);
        match caller {
            Some(leg) if leg.connected() => leg.do_send(Publish(call.clone())),
            // The socket went while there was no actor to hear of it.
            Some(_) => call.do_send(Deliver(Input::Caller(CallerEvent::Gone))),
            None => {}
        }
        if let Home::Between(held) | Home::Moving(held) = home {
            held.into_iter().for_each(|control| call.do_send(Deliver(Input::Control(control))));
        }
        true
    }

    /// The call's actor is gone. False when the call has been taken to another arbiter meanwhile.
    pub(crate) fn withdraw(&self, gone: &Addr<CallActor>) -> bool {
        let mut state = lock(&self.state);
        let stays = matches!(&state.home, Home::At(_, call) if call == gone);
        if stays {
            state.home = Home::Between(Vec::new());
        }
        stays
    }

    /// Closes every media socket of the call, so that the carrier's flow goes on.
    pub(crate) fn hang_up(&self) {
        let mut state = lock(&self.state);
        let legs = [state.caller.take(), state.waiting.take()];
        drop(state);
        legs.into_iter().flatten().for_each(|leg| leg.do_send(Command(CallerCommand::Close)));
    }
}
