//! The driver of one call: message -> [`Call::handle`] -> drain -> one timer. It decides nothing.

mod alarm;

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use actix::prelude::SendError;
use actix::{Actor, ActorContext, Addr, AsyncContext, Context, Handler, Message};
use protocol::call::Call;
use protocol::call::fact::Fact;
use protocol::call::io::{CallerCommand, CallerEvent, Input, ModelEvent, Output};

use crate::busy::Working;
use crate::caller_leg::{CallerLeg, Command};
use crate::lag::Lag;
use crate::model_leg::Legs;
use crate::relocate::{Departure, Moved};
use crate::switchboard::registry::CallSlot;
use crate::switchboard::supervise::Exit;
use alarm::Alarm;

/// Messages the call may have waiting: a few seconds of both sides' media, should its arbiter stall.
pub(crate) const MAILBOX: usize = 256;

/// Anything that happens to a call.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Deliver(pub(crate) Input);

/// The caller's media socket, on this arbiter.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Attach(pub(crate) Addr<CallerLeg>);

/// Where a new actor gets its call from.
pub(crate) enum Origin {
    /// Nowhere: the call begins.
    New,
    /// The facts on record, after a fault.
    Resumed,
    /// Another arbiter; none: its actor died there, and the facts on record are what is left.
    Relocated(Option<Moved>),
}

/// One call's driver.
pub(crate) struct CallActor {
    pub(crate) slot: Arc<CallSlot>,
    origin: Option<Origin>,
    call: Option<Box<Call>>,
    pub(crate) legs: Legs,
    caller: Option<Addr<CallerLeg>>,
    /// The call is going to another arbiter.
    pub(crate) departure: Option<Departure>,
    /// When the call was last told of anything; none once the timer has looked at what followed.
    stepped: Option<Instant>,
    /// This thread's, and how much of it the call was told.
    lag: (Rc<Lag>, u64),
    exit: Rc<Cell<Exit>>,
}

impl CallActor {
    pub(crate) fn new(slot: Arc<CallSlot>, origin: Origin, exit: Rc<Cell<Exit>>) -> Self {
        let legs = Legs::new(Arc::clone(&slot));
        let here = Lag::here();
        let lag = (Rc::clone(&here), here.so_far());
        Self { slot, origin: Some(origin), call: None, legs, caller: None, departure: None, stepped: None, lag, exit }
    }

    /// Makes or takes over the call: here and not in [`Self::new`], so that a panic in it is caught like any other.
    fn init(&mut self, ctx: &mut Context<Self>) {
        let (clock, policy, setup) = (self.slot.clock, Arc::clone(&self.slot.policy), Arc::clone(&self.slot.setup));
        match self.origin.take() {
            Some(Origin::New) | None => self.call = Some(Box::new(Call::new(Instant::now(), clock, policy, setup))),
            Some(Origin::Resumed | Origin::Relocated(None)) => {
                let history = self.slot.history();
                self.call = Some(Box::new(Call::resume(Instant::now(), clock, policy, setup, history)));
            }
            Some(Origin::Relocated(Some(moved))) => self.call = Some(moved.unpack(&mut self.legs, &ctx.address())),
        }
    }

    /// Gives the call away once every connection has said its last here.
    pub(crate) fn leave_when_ready(&mut self, ctx: &mut Context<Self>) {
        if let Some(departure) = self.departure.take_if(|departure| departure.is_ready())
            && let Some(call) = self.call.take()
        {
            departure.leave(call);
            self.exit.set(Exit::Moved);
            ctx.stop();
        }
    }

    fn step(&mut self, input: Input, ctx: &mut Context<Self>) {
        let Some(call) = &mut self.call else { return };
        let _working = Working::on(self.slot.seat.number());
        let (lag, seen) = &mut self.lag;
        match lag.since(seen) {
            0 => {}
            // The call was not served for so long, whoever waited for what.
            count => self.slot.record(&Fact::Counted { what: "thread_late_ms", count }),
        }
        let now = Instant::now();
        call.handle(now, input);
        self.stepped = Some(now);
        self.drain(ctx);
    }

    fn drain(&mut self, ctx: &mut Context<Self>) {
        let mut refused = Vec::new();
        while let Some(output) = self.call.as_mut().and_then(|call| call.poll_output()) {
            match output {
                Output::Caller(command) => self.tell_caller(command, &mut refused),
                Output::Model(conn, command) => match &mut self.departure {
                    Some(departure) => departure.keep(conn, command),
                    None => self.legs.command(&ctx.address(), conn, command),
                },
                Output::Record(fact) => self.slot.record(&fact),
                Output::Run { id, effect } => self.slot.run(id, effect),
                Output::Cancel { id } => self.slot.cancel(id),
                Output::Heard(segment) => {
                    if let Some(sink) = self.slot.sink() {
                        sink.take(segment);
                    }
                }
                // It is on record.
                Output::Ended(_) => {
                    self.exit.set(Exit::Done);
                    ctx.stop();
                }
            }
        }
        if let (Some(call), false) = (&mut self.call, refused.is_empty()) {
            refused.into_iter().for_each(|event| call.handle(Instant::now(), Input::Caller(event)));
            return self.drain(ctx);
        }
        self.legs.flush();
    }

    /// The socket's actor stands still while its peer does not read: audio that its full mailbox refuses goes back to the call, and so does
    /// all that follows it here, for its order. The two commands that undo a backlog always get in.
    fn tell_caller(&self, command: CallerCommand, refused: &mut Vec<CallerEvent>) {
        let command = match (&self.caller, command) {
            (Some(caller), command @ (CallerCommand::Clear | CallerCommand::Close)) => {
                return caller.do_send(Command(command));
            }
            (Some(caller), command) if refused.is_empty() => match caller.try_send(Command(command)) {
                Ok(()) => return,
                Err(SendError::Full(Command(command)) | SendError::Closed(Command(command))) => command,
            },
            (_, command) => command,
        };
        match command {
            CallerCommand::Play { pcm, mark: Some(mark) } => refused.push(CallerEvent::Refused { mark, pcm }),
            CallerCommand::Play { mark: None, .. } => self.slot.meters.dropped.playout.increment(1),
            CallerCommand::Clear | CallerCommand::Close => {}
        }
    }
}

impl Actor for CallActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.caller = self.slot.caller();
        self.init(ctx);
        self.drain(ctx);
        ctx.spawn(Alarm::new());
    }
}

impl Handler<Deliver> for CallActor {
    type Result = ();

    fn handle(&mut self, Deliver(input): Deliver, ctx: &mut Self::Context) {
        let gone = match &input {
            Input::Model(conn, ModelEvent::Refused(..) | ModelEvent::TurnedAway(..) | ModelEvent::Closed(_)) => {
                Some(*conn)
            }
            _ => None,
        };
        if let Some(conn) = gone {
            self.legs.forget(conn);
        }
        if matches!(input, Input::Caller(CallerEvent::Gone)) {
            self.caller = None;
        }
        self.step(input, ctx);
        if let (Some(conn), Some(departure)) = (gone, &mut self.departure) {
            departure.closed(conn);
            self.leave_when_ready(ctx);
        }
    }
}

impl Handler<Attach> for CallActor {
    type Result = ();

    fn handle(&mut self, Attach(leg): Attach, _: &mut Self::Context) {
        self.caller = Some(leg);
    }
}
