//! Faults on purpose: what tests and drills do to the actors of a call, to see it live on.
//!
//! A [`Switchboard`] cannot do that to its calls. Only a [`FaultInjector`] can, and there is none but for the switchboard that it was made
//! with ([`Switchboard::with_faults`]). `serve` makes its own without one: nothing in the service reaches what is below, and the linker
//! leaves it out of the binary.

use std::time::Duration;

use actix::{ActorContext, Context, Handler, Message};
use protocol::ids::CallSid;

use crate::busy::Working;
use crate::call_actor::CallActor;
use crate::model_leg::ModelLeg;
use crate::switchboard::Switchboard;

/// What an injected fault says of itself.
const CAUSE: &str = "a fault was injected";

/// How long a thread is blocked on purpose.
const BLOCKED: Duration = Duration::from_millis(1_500);

/// A fault of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The call's actor panics.
    PanicCall,
    /// The call's actor stops.
    StopCall,
    /// The call's actor keeps its thread to itself for 1.5 s, and does nothing.
    BlockCall,
    /// The newest model connection's actor panics.
    PanicModel,
    /// The newest model connection's actor stops.
    StopModel,
}

/// Makes actors of one switchboard's calls fail.
#[derive(Debug)]
pub struct FaultInjector(Switchboard);

impl FaultInjector {
    pub(crate) const fn new(board: Switchboard) -> Self {
        Self(board)
    }

    /// Makes an actor of a call fail. False when the call is not here, or between two actors.
    pub fn inject(&self, call: &CallSid, fault: Fault) -> bool {
        let actor = self.0.find(call).and_then(|slot| slot.actor());
        actor.map(|actor| actor.do_send(Inject(fault))).is_some()
    }
}

/// Fail.
#[derive(Message)]
#[rtype(result = "()")]
struct Inject(Fault);

impl Handler<Inject> for CallActor {
    type Result = ();

    #[expect(clippy::panic, reason = "a fault asked for by a test or a drill")]
    fn handle(&mut self, Inject(fault): Inject, ctx: &mut Context<Self>) {
        match fault {
            Fault::PanicCall => panic!("{CAUSE}"),
            Fault::StopCall => ctx.stop(),
            Fault::BlockCall => {
                let _working = Working::on(self.slot.seat.number());
                let (_silent, nothing) = std::sync::mpsc::sync_channel::<()>(1);
                // Nobody sends anything.
                let _ = nothing.recv_timeout(BLOCKED);
            }
            Fault::PanicModel | Fault::StopModel => {
                if let Some(leg) = self.legs.newest() {
                    leg.do_send(Inject(fault));
                }
            }
        }
    }
}

impl Handler<Inject> for ModelLeg {
    type Result = ();

    #[expect(clippy::panic, reason = "a fault asked for by a test or a drill")]
    fn handle(&mut self, Inject(fault): Inject, ctx: &mut Context<Self>) {
        if fault == Fault::PanicModel {
            panic!("{CAUSE}");
        }
        self.because(CAUSE);
        ctx.stop();
    }
}
