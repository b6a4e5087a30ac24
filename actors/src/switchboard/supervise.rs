//! Supervision is Erlang's: let it crash, and the call goes on.
//!
//! `actix::Supervisor` restarts the same instance on `ctx.stop()` and does nothing about a panic; a call needs the reverse. So
//! each call has one task, on the call's arbiter, that polls its actor's context itself, catches what unwinds out of it, and
//! begins another actor from the facts on record. The carrier's socket is not the supervisor's: it stays open meanwhile.

use std::any::Any;
use std::cell::Cell;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::dev::ContextFut;
use actix::{Context, Supervised};
use futures_util::FutureExt;
use protocol::backoff::Backoff;
use protocol::call::end::Ended;
use tracing::Instrument;

use super::registry::{CallSlot, Presence};
use crate::call_actor::{CallActor, MAILBOX, Origin};
use crate::limits::Limits;
use crate::recorder::{Step, SupervisorEvent};

/// Pauses before a restart: the caller hears none of them.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(5), LONGEST_PAUSE);
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// What is told of a call's actor.
const ACTOR: SupervisorEvent<'static> =
    SupervisorEvent { step: Step::Start, actor: "CallActor", cause: None, count: None, fault: false };

/// How an actor's life ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It stopped without the call being over: a fault, unless the actor says otherwise before it stops.
    Stopped,
    /// The call is over.
    Done,
    /// The call went to another arbiter.
    Moved,
}

/// One actor of a call, from birth to death.
pub(crate) struct Life {
    actor: ContextFut<CallActor, Context<CallActor>>,
    exit: Rc<Cell<Exit>>,
}

impl Life {
    /// Makes the actor and publishes its address. None when another arbiter has taken the call.
    pub(crate) fn begin(slot: &Arc<CallSlot>, origin: Origin) -> Option<Self> {
        let arriving = matches!(origin, Origin::Relocated(_));
        let exit = Rc::new(Cell::new(Exit::Stopped));
        let mut ctx = Context::new();
        // Before anyone can know the address: actix's default would not hold what a socket has ready.
        ctx.set_mailbox_capacity(MAILBOX);
        let actor = ctx.into_future(CallActor::new(Arc::clone(slot), origin, Rc::clone(&exit)));
        slot.publish(&actor.address(), arriving).then_some(Self { actor, exit })
    }

    /// Runs it to its end. The error is what panicked.
    async fn run(mut self) -> Result<Exit, String> {
        let outcome = AssertUnwindSafe(&mut self.actor).catch_unwind().await;
        let actor = AssertUnwindSafe(self.actor);
        // What unwound once may do so again in its destructor.
        let _ = catch_unwind(move || drop(actor));
        outcome.map(|()| self.exit.get()).map_err(|payload| panic_message(&*payload).to_owned())
    }
}

impl Supervised for CallActor {}

/// Starts supervising a call on the current arbiter.
pub(crate) fn start(presence: Arc<Presence>, life: Life) {
    let span = presence.slot.span.clone();
    actix_rt::spawn(run(presence, life).instrument(span));
}

/// Supervises a call on the current arbiter, from its first actor here to its last.
pub(crate) async fn run(presence: Arc<Presence>, mut life: Life) {
    let slot = Arc::clone(&presence.slot);
    let mut intensity = Intensity::new(&slot.limits);
    slot.supervised(ACTOR);
    loop {
        let address = life.actor.address();
        let cause = match life.run().await {
            Ok(exit @ (Exit::Done | Exit::Moved)) => {
                let cause = if exit == Exit::Done { "the call is over" } else { "moved to its media socket's arbiter" };
                slot.supervised(SupervisorEvent { step: Step::Stop, cause: Some(cause), ..ACTOR });
                break;
            }
            Ok(Exit::Stopped) => "stopped without the call being over".to_owned(),
            Err(panic) => format!("panicked: {panic}"),
        };
        if !slot.withdraw(&address) {
            slot.supervised(SupervisorEvent { step: Step::Stop, cause: Some(&cause), fault: true, ..ACTOR });
            break;
        }
        let Some((count, pause)) = intensity.restart(Instant::now()) else {
            let count = Some(u64::from(slot.limits.restarts));
            slot.supervised(SupervisorEvent { step: Step::GiveUp, cause: Some(&cause), count, fault: true, ..ACTOR });
            slot.over(Ended::GaveUp { cause });
            break;
        };
        let count = Some(u64::from(count));
        slot.supervised(SupervisorEvent { step: Step::Restart, cause: Some(&cause), count, fault: true, ..ACTOR });
        slot.meters.restarts.increment(1);
        tokio::time::sleep(pause).await;
        match Life::begin(&slot, Origin::Resumed) {
            Some(next) => life = next,
            None => break,
        }
    }
    // Dropping the presence closes the sockets of a call that is over; one that moved has another holder.
}

/// What a panic said.
#[must_use]
pub fn panic_message(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("a panic without words")
}

/// Restart intensity: at most so many in a sliding window.
struct Intensity {
    most: u32,
    window: Duration,
    recent: VecDeque<Instant>,
}

impl Intensity {
    fn new(limits: &Limits) -> Self {
        Self { most: limits.restarts, window: limits.restart_window, recent: VecDeque::new() }
    }

    /// Counts one more restart: which of the window it is, and how long to pause before it. None when it is one too many.
    fn restart(&mut self, now: Instant) -> Option<(u32, Duration)> {
        while self.recent.front().is_some_and(|&at| now.duration_since(at) > self.window) {
            self.recent.pop_front();
        }
        let before = u32::try_from(self.recent.len()).unwrap_or(u32::MAX);
        if before >= self.most {
            return None;
        }
        self.recent.push_back(now);
        Some((before + 1, BACKOFF.pause(before + 1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(restarts: u32) -> Limits {
        let window = Duration::from_secs(10);
        Limits { max_calls: 1, restarts, restart_window: window, gives_way_after: window }
    }

    fn intensity() -> Intensity {
        Intensity::new(&limits(3))
    }

    #[test]
    fn the_fourth_fault_within_the_window_gives_up() {
        let (mut intensity, now) = (intensity(), Instant::now());
        let counts: Vec<_> = (0..4).map(|i| intensity.restart(now + Duration::from_secs(i)).map(|(n, _)| n)).collect();
        assert_eq!(counts, [Some(1), Some(2), Some(3), None]);
    }

    #[test]
    fn faults_far_apart_never_give_up() {
        let (mut intensity, now) = (intensity(), Instant::now());
        assert!((0..100).all(|i| intensity.restart(now + Duration::from_secs(i * 4)).is_some()));
    }

    #[test]
    fn pauses_grow_and_stay_below_what_a_caller_hears() {
        let (mut intensity, now) = (intensity(), Instant::now());
        let pauses: Vec<_> =
            (0..3).filter_map(|_| intensity.restart(now).map(|(_, pause)| pause.as_millis())).collect();
        assert_eq!(pauses, [5, 10, 20]);
        let mut many = Intensity::new(&limits(40));
        assert!((0..40).all(|_| many.restart(now).is_some_and(|(_, pause)| pause <= LONGEST_PAUSE)));
    }
}
