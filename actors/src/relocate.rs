//! Moving a call to the arbiter of its media socket. Whoever reads about calls may skip this room.
//!
//! A call is admitted in a webhook's handler, and its model dialled, on whichever arbiter serves that webhook. Its media
//! socket may be accepted by another one; then, at the `start` event, the call moves over there, once, so that nothing of a frame
//! ever crosses threads again:
//!
//! 1. The call's home says so (`switchboard/home.rs`; controls wait from then on), and its actor is asked to [`Detach`].
//! 2. The actor asks each connection to [`Yield`]; every leg answers with all there is of it, as its last message. Nothing is lost:
//!    what came earlier is ahead of the answer in the mailbox, and a frame read in part lies in the connection's own buffer.
//! 3. The call and its connections travel as plain data; a dial in progress does too, as the future it is. On the new arbiter
//!    a new actor takes them, the sockets are registered with that arbiter's reactor, and what the call said meanwhile is said.
//!
//! A call whose actor dies on the way is rebuilt from its history, like any other.

use std::sync::Arc;

use actix::{ActorContext, Addr, Context, Handler, Message};
use protocol::call::Call;
use protocol::call::io::{ConnId, ModelCommand};
use tokio::sync::oneshot;
use tracing::Instrument;

use crate::call_actor::{CallActor, Origin};
use crate::model_leg::{LegState, Legs, ModelLeg};
use crate::switchboard::registry::Presence;
use crate::switchboard::supervise::{self, Life};

/// Give the call away, with its open connections: its media socket is on another arbiter.
#[derive(Message)]
#[rtype(result = "()")]
struct Detach(oneshot::Sender<Moved>);

/// Give the connection to another arbiter.
#[derive(Message)]
#[rtype(result = "()")]
struct Yield;

/// A leg's answer: its last message.
#[derive(Message)]
#[rtype(result = "()")]
struct Yielded(ConnId, Box<LegState>);

/// A call between two arbiters.
pub(crate) struct Moved {
    call: Box<Call>,
    legs: Vec<(ConnId, Box<LegState>)>,
    /// What the call said to its model while the connections were on their way, in order.
    unsaid: Vec<(ConnId, ModelCommand)>,
}

impl Moved {
    /// Takes the connections into `legs`, on this arbiter, and says what was not said; `me` is the call's new actor.
    pub(crate) fn unpack(self, legs: &mut Legs, me: &Addr<CallActor>) -> Box<Call> {
        for (conn, mut state) in self.legs {
            state.arrive();
            legs.open(me, conn, state);
        }
        self.unsaid.into_iter().for_each(|(conn, command)| legs.command(me, conn, command));
        self.call
    }
}

/// A call that is being given away.
pub(crate) struct Departure {
    to: oneshot::Sender<Moved>,
    /// Connections whose last event has not come yet.
    due: Vec<ConnId>,
    legs: Vec<(ConnId, Box<LegState>)>,
    unsaid: Vec<(ConnId, ModelCommand)>,
}

impl Departure {
    fn new(to: oneshot::Sender<Moved>, legs: &mut Legs) -> Self {
        let yielding = legs.take_all().map(|(conn, leg)| {
            leg.do_send(Yield);
            conn
        });
        Self { to, due: yielding.collect(), legs: Vec::new(), unsaid: Vec::new() }
    }

    /// The call says something to a model's connection that is on its way.
    pub(crate) fn keep(&mut self, conn: ConnId, command: ModelCommand) {
        self.unsaid.push((conn, command));
    }

    /// A connection has said its last here: it was closed instead.
    pub(crate) fn closed(&mut self, conn: ConnId) {
        self.due.retain(|&due| due != conn);
    }

    /// Whether every connection has said its last here.
    pub(crate) const fn is_ready(&self) -> bool {
        self.due.is_empty()
    }

    /// Hands the call over.
    pub(crate) fn leave(self, call: Box<Call>) {
        // Should the taker be gone, its arbiter is, and the socket with it: nobody is left to talk to.
        let _ = self.to.send(Moved { call, legs: self.legs, unsaid: self.unsaid });
    }
}

impl Handler<Detach> for CallActor {
    type Result = ();

    fn handle(&mut self, Detach(to): Detach, ctx: &mut Context<Self>) {
        self.departure = Some(Departure::new(to, &mut self.legs));
        self.leave_when_ready(ctx);
    }
}

impl Handler<Yielded> for CallActor {
    type Result = ();

    fn handle(&mut self, Yielded(conn, state): Yielded, ctx: &mut Context<Self>) {
        if let Some(departure) = &mut self.departure {
            departure.closed(conn);
            departure.legs.push((conn, state));
            self.leave_when_ready(ctx);
        }
    }
}

impl Handler<Yield> for ModelLeg {
    type Result = ();

    fn handle(&mut self, _: Yield, ctx: &mut Context<Self>) {
        self.because("moved to its media socket's arbiter");
        if let Some(state) = self.give_away() {
            self.call.do_send(Yielded(self.conn, state));
        }
        ctx.stop();
    }
}

/// A call on its way to this arbiter.
pub(crate) struct Coming {
    moved: oneshot::Receiver<Moved>,
    presence: Arc<Presence>,
}

impl Coming {
    /// The actor that has it is asked for it.
    pub(crate) fn from_actor(actor: &Addr<CallActor>, presence: Arc<Presence>) -> Self {
        let (to, moved) = oneshot::channel();
        actor.do_send(Detach(to));
        Self { moved, presence }
    }

    /// It has no actor: nobody will answer.
    pub(crate) fn from_history(presence: Arc<Presence>) -> Self {
        Self { moved: oneshot::channel().1, presence }
    }

    /// Takes the call over, and supervises it here from then on.
    pub(crate) fn run_here(self) {
        let Self { moved, presence } = self;
        let span = presence.slot.span.clone();
        let arrival = async move {
            // None: its actor died on the other side, and history is what is left.
            let origin = Origin::Relocated(moved.await.ok());
            if presence.slot.has_ended() {
                return;
            }
            presence.slot.meters.rehomed.increment(1);
            if let Some(life) = Life::begin(&presence.slot, origin) {
                supervise::run(presence, life).await;
            }
        };
        actix_rt::spawn(arrival.instrument(span));
    }
}
