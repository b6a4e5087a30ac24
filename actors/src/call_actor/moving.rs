//! Giving a call to another arbiter: see [`crate::switchboard`].

use actix::{ActorContext, Context, Handler, Message};
use protocol::call::Call;
use protocol::call::io::{ConnId, ModelCommand};
use tokio::sync::oneshot;

use super::CallActor;
use crate::model_leg::LegState;
use crate::switchboard::supervise::Exit;

/// Give the call away, with its open connections: its media socket is on another arbiter.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Detach(pub(crate) oneshot::Sender<Moved>);

/// A leg's answer when it was told to yield its connection: its last message.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Yielded(pub(crate) ConnId, pub(crate) Box<LegState>);

/// A call between two arbiters.
pub(crate) struct Moved {
    pub(super) call: Box<Call>,
    pub(super) legs: Vec<(ConnId, Box<LegState>)>,
    /// What the call said to its model while the connections were on their way, in order.
    pub(super) unsaid: Vec<(ConnId, ModelCommand)>,
}

/// A call that is being given away.
pub(super) struct Moving {
    to: oneshot::Sender<Moved>,
    /// Connections whose last event has not come yet.
    pub(super) due: Vec<ConnId>,
    legs: Vec<(ConnId, Box<LegState>)>,
    pub(super) unsaid: Vec<(ConnId, ModelCommand)>,
}

impl CallActor {
    /// Hands the call over once every connection has said its last here.
    pub(super) fn settle(&mut self, ctx: &mut Context<Self>) {
        if let Some(moving) = self.moving.take_if(|moving| moving.due.is_empty())
            && let Some(call) = self.call.take()
        {
            // Should the taker be gone, its arbiter is, and the socket with it: nobody is left to talk to.
            let _ = moving.to.send(Moved { call, legs: moving.legs, unsaid: moving.unsaid });
            self.exit.set(Exit::Moved);
            ctx.stop();
        }
    }
}

impl Handler<Detach> for CallActor {
    type Result = ();

    fn handle(&mut self, Detach(to): Detach, ctx: &mut Self::Context) {
        let due = self.legs.yield_all();
        self.moving = Some(Moving { to, due, legs: Vec::new(), unsaid: Vec::new() });
        self.settle(ctx);
    }
}

impl Handler<Yielded> for CallActor {
    type Result = ();

    fn handle(&mut self, Yielded(conn, state): Yielded, ctx: &mut Self::Context) {
        if let Some(moving) = &mut self.moving {
            moving.due.retain(|&due| due != conn);
            moving.legs.push((conn, state));
            self.settle(ctx);
        }
    }
}
