//! Who is on the line: one [`CallSlot`] a call, found by its CallSid from any arbiter.

mod presence;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{self, ThreadId};
use std::time::{Instant, SystemTime};

use actix::Addr;
use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use protocol::call::fact::{Ended, Fact};
use protocol::call::history::History;
use protocol::call::io::{CallerCommand, CallerEvent, Control, Input};
use protocol::call::policy::{Policy, Setup};
use protocol::ids::CallSid;
use tokio::sync::oneshot;
use tracing::Span;

use super::meters::Meters;
use super::seats::{Asked, Seat, Seats, Taken};
use crate::api::{Admission, Limits, Phase, Recorder, Refusal, Step, SupervisorEvent, Tape};
use crate::call_actor::{Attach, CallActor, Deliver, Detach, Moved};
use crate::caller_leg::{CallerLeg, Command, Publish, Superseded};
use crate::model_leg::Target;
pub(crate) use presence::Presence;

/// Controls kept for a call that is between two actors. One hang-up is enough to end it.
const CONTROLS_HELD: usize = 16;

/// A lock is poisoned only if a fold of facts panicked; what it holds is still the best there is.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Everything of one call that must outlive its actors.
pub(crate) struct CallSlot {
    pub(crate) sid: CallSid,
    pub(crate) client: String,
    pub(crate) policy: Arc<Policy>,
    pub(crate) setup: Arc<Setup>,
    pub(crate) target: Target,
    pub(crate) limits: Limits,
    pub(crate) meters: Arc<Meters>,
    pub(crate) span: Span,
    seat: Seat,
    recorder: Arc<dyn Recorder>,
    /// Where what each side hears goes, if it is recorded.
    pub(crate) tape: Option<Arc<dyn Tape>>,
    history: Arc<Mutex<History>>,
    ended: AtomicBool,
    media_started: AtomicBool,
    state: Mutex<State>,
}

struct State {
    phase: Phase,
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

impl CallSlot {
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
        self.media_started.load(Ordering::Acquire)
    }

    /// Whether the end of the call is on record.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// Puts a fact on record: history, metrics, recorder. The end of a call is recorded once.
    pub(crate) fn record(&self, fact: &Fact) {
        match fact {
            Fact::Ended(_) if self.ended.swap(true, Ordering::AcqRel) => return,
            Fact::Left(_) => {
                self.tape.iter().for_each(|tape| tape.ended());
                self.leave();
            }
            Fact::Ended(_) => self.tape.iter().for_each(|tape| tape.ended()),
            Fact::MediaStarted { rate, at, .. } => {
                self.media_started.store(true, Ordering::Release);
                self.tape.iter().for_each(|tape| tape.began(*rate, *at));
            }
            _ => {}
        }
        lock(&self.history).apply(fact);
        self.meters.fact(&self.sid, fact);
        self.recorder.record(&self.sid, SystemTime::now(), fact);
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
        match &lock(&self.state).home {
            Home::At(_, call) => Some(call.clone()),
            Home::Between(_) | Home::Moving(_) => None,
        }
    }

    /// A media socket was opened for this call: of two before the `start`, the newest wins.
    pub(crate) fn wait_for_start(&self, leg: Addr<CallerLeg>) {
        let older = lock(&self.state).waiting.replace(leg);
        if let Some(older) = older {
            older.do_send(Superseded);
        }
    }

    /// A media socket got its `start`: the call becomes live on the current arbiter. The error is for people.
    pub(crate) fn attach(&self, leg: &Addr<CallerLeg>) -> Result<Attached, &'static str> {
        let mut state = lock(&self.state);
        if state.phase == Phase::Live {
            return Err("this call's media stream has started already");
        }
        if state.waiting.as_ref().is_some_and(|waiting| waiting != leg) {
            return Err("a newer media socket of this call took over");
        }
        let presence = state.presence.upgrade().ok_or("this call is over")?;
        if !presence.is_seated() {
            return Err("this call's stream came too late: its place was given away");
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

/// All calls of the node.
pub(crate) struct Registry {
    calls: DashMap<CallSid, Arc<CallSlot>>,
    pub(crate) seats: Seats,
    limits: Limits,
    meters: Arc<Meters>,
}

/// What an admission came to.
pub(crate) enum Admitted {
    /// The call was here already.
    Replayed,
    /// It has a place now, for as long as the guard lives.
    Seated(Arc<Presence>),
}

impl Registry {
    pub(crate) fn new(limits: Limits, meters: Arc<Meters>) -> Self {
        let seats = Seats::new(limits.clone(), Arc::clone(&meters));
        Self { calls: DashMap::new(), seats, limits, meters }
    }

    pub(crate) fn find(&self, sid: &CallSid) -> Option<Arc<CallSlot>> {
        self.calls.get(sid).map(|slot| Arc::clone(&slot))
    }

    /// Every call of this moment.
    pub(crate) fn all(&self) -> Vec<Arc<CallSlot>> {
        self.calls.iter().map(|slot| Arc::clone(&slot)).collect()
    }

    /// Takes no new calls from now on.
    pub(crate) fn drain(&self) {
        self.seats.drain();
        self.hurry();
    }

    /// Gives a call its place. The insert decides what is a replay; the seats decide what is too much, and who gives way.
    pub(crate) fn admit(
        self: &Arc<Self>,
        mut admission: Admission,
        target: Target,
        recorder: Arc<dyn Recorder>,
        has_stream: bool,
    ) -> Result<Admitted, Refusal> {
        let vacant = match self.calls.entry(admission.call_sid.clone()) {
            Entry::Occupied(_) => return Ok(Admitted::Replayed),
            Entry::Vacant(vacant) => vacant,
        };
        let Taken { seat, gives_way, few_wait } =
            self.seats.take(&admission.call_sid, asked(&admission, has_stream), Instant::now())?;
        if !few_wait {
            Arc::make_mut(&mut admission.policy).greet_early = false;
        }
        let slot = Arc::new(CallSlot {
            span: tracing::info_span!("call", call_sid = %admission.call_sid, client = %admission.client),
            tape: if admission.policy.record { recorder.tape(&admission.call_sid) } else { None },
            sid: admission.call_sid,
            client: admission.client,
            policy: admission.policy,
            setup: Arc::new(admission.setup),
            target,
            limits: self.limits.clone(),
            meters: Arc::clone(&self.meters),
            seat,
            recorder,
            history: Arc::default(),
            ended: AtomicBool::new(false),
            media_started: AtomicBool::new(false),
            state: Mutex::new(State {
                phase: Phase::Waiting,
                home: Home::Between(Vec::new()),
                presence: Weak::new(),
                waiting: None,
                caller: None,
            }),
        });
        let presence = Arc::new(Presence::new(Arc::clone(self), Arc::clone(&slot)));
        lock(&slot.state).presence = Arc::downgrade(&presence);
        vacant.insert(slot);
        // Only now: the table is locked until the insert.
        if let Some(loser) = gives_way.and_then(|loser| self.find(&loser)) {
            tracing::info!(call_sid = %loser.sid, "a call whose stream did not come gives its place to another");
            loser.control(Control::HangUp(Ended::NoMedia));
        }
        Ok(Admitted::Seated(presence))
    }
}

fn asked(admission: &Admission, has_stream: bool) -> Asked<'_> {
    Asked {
        client: &admission.client,
        max_concurrent: admission.max_concurrent,
        wait: (!has_stream).then_some(admission.policy.media_wait),
    }
}
