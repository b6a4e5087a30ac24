//! The call's deadline on the runtime's clock.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};
use std::time::{Duration, Instant};

use actix::Context;
use actix::dev::ActorFuture;
use protocol::call::io::Input;
use tokio::time::Sleep;

use super::CallActor;

/// The call's one timer, polled with the mailbox. It follows the deadline: what each frame moves further away is moved in the timer as well, which
/// takes no lock there, while a timer that is left to fire too early wakes the thread for nothing, some 1.3 times a call-second.
pub(super) struct Alarm {
    sleep: Pin<Box<Sleep>>,
    not_before: Instant,
}

impl Alarm {
    pub(super) fn new() -> Self {
        Self { sleep: Box::pin(tokio::time::sleep(Duration::ZERO)), not_before: Instant::now() }
    }
}

/// A deadline that stays in the past must not spin the arbiter.
const GRAIN: Duration = Duration::from_millis(1);

impl ActorFuture<CallActor> for Alarm {
    type Output = ();

    fn poll(
        mut self: Pin<&mut Self>,
        actor: &mut CallActor,
        ctx: &mut Context<CallActor>,
        task: &mut TaskContext<'_>,
    ) -> Poll<()> {
        let Self { sleep, not_before } = &mut *self;
        loop {
            let Some(deadline) = actor.call.as_ref().and_then(|call| call.poll_timeout()) else { return Poll::Pending };
            let (wake_at, armed) = (deadline.max(*not_before), sleep.deadline().into_std());
            let stepped = actor.stepped.take();
            if wake_at != armed || sleep.is_elapsed() {
                sleep.as_mut().reset(wake_at.into());
            } else if stepped.is_some_and(|now| now < armed) {
                // A message brought us here, and the timer still waits as it did.
                return Poll::Pending;
            }
            if sleep.as_mut().poll(task).is_pending() {
                return Poll::Pending;
            }
            let now = Instant::now();
            if now >= deadline {
                actor.step(Input::Tick, ctx);
                *not_before = now + GRAIN;
            }
        }
    }
}
