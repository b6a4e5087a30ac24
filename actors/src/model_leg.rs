//! One Realtime connection of one call.
//!
//! The socket is one unsplit stream. The call writes to it in its own turn (`shared.rs`), with one system call for all that came of one thing
//! that happened; a future on this actor's own context (the [`Pump`]) reads, and writes what the socket had no room for.

mod budget;
mod convert;
mod dial;
mod legs;
mod link;
mod receive;
mod scratch;
mod send;
mod shared;
mod websocket;

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::{Duration, Instant};

use actix::dev::ActorFuture;
use actix::{Actor, ActorContext, Addr, AsyncContext, Context, Handler, Message as ActixMessage};
use codecs::SampleRate;
use protocol::call::io::{ConnId, Input, ModelEvent};
use tokio::time::{Interval, MissedTickBehavior, interval_at};

use crate::call_actor::{CallActor, Deliver};
use crate::switchboard::registry::CallSlot;
use budget::{Budget, FLOOD, Verdict};
use convert::Converter;
pub use dial::ModelEndpoint;
pub(crate) use dial::{Connection, Target, client_tls};
pub(crate) use legs::Legs;
use link::{Link, LinkEvent};
use receive::{Audio, Said};
use shared::Shared;

/// How often the connection is looked after.
const BEAT: Duration = Duration::from_secs(5);

/// The call lets the connection go: why, if it is not that its time has come.
#[derive(ActixMessage)]
#[rtype(result = "()")]
struct Close(Option<String>);

/// All there is of a leg's connection: it can go to another thread, mid-dial and mid-frame.
pub(crate) struct LegState {
    link: Link,
    convert: Converter,
}

impl LegState {
    fn dialling(target: Target) -> Self {
        Self { link: Link::dialling(target), convert: Converter::new(SampleRate::default()) }
    }

    /// It is on this thread from now on.
    pub(crate) fn arrive(&mut self) {
        self.link.arrive();
        self.convert.rehome();
    }
}

/// One connection's driver.
pub(crate) struct ModelLeg {
    slot: Arc<CallSlot>,
    pub(crate) call: Addr<CallActor>,
    pub(crate) conn: ConnId,
    budget: Budget,
    connection: Shared,
    /// Why it ends, once that is known.
    cause: Rc<Cell<Option<String>>>,
}

impl ModelLeg {
    /// Past the mailbox's bound: what comes of a server has a budget, and is read a few at a time.
    fn tell(&self, event: ModelEvent) {
        self.call.do_send(Deliver(Input::Model(self.conn, event)));
    }

    /// Media may be dropped, and is then counted; it never grows a queue.
    fn tell_audio(&self, Audio { key, pcm }: Audio) {
        let audio = Deliver(Input::Model(self.conn, ModelEvent::Audio { key, pcm }));
        if self.call.try_send(audio).is_err() {
            self.slot.meters.dropped.delta.increment(1);
        }
    }

    /// The connection is over: said once.
    fn end(&mut self, event: ModelEvent) {
        if self.connection.take().is_some() {
            if let ModelEvent::Refused(_, words) | ModelEvent::TurnedAway(_, words) | ModelEvent::Closed(words) = &event
            {
                self.because(words);
            }
            self.tell(event);
        }
    }

    /// Keeps why it ends: the first reason is the one.
    pub(crate) fn because(&self, words: &str) {
        self.cause.set(self.cause.take().or_else(|| Some(words.to_owned())));
    }

    /// One message of the server.
    fn receive(&mut self, text: &str) {
        let Some(mut state) = self.connection.state() else { return };
        let (tail, said) = receive::text(&mut state.convert, text);
        drop(state);
        tail.into_iter().for_each(|audio| self.tell_audio(audio));
        match said {
            Said::Audio(audio) => self.tell_audio(audio),
            Said::Event(event) => match self.budget.judge(&event, Instant::now()) {
                Verdict::Take => self.tell(ModelEvent::Server(event)),
                Verdict::Drop => {}
                Verdict::GiveUp => self.end(ModelEvent::Closed(FLOOD.to_owned())),
            },
            Said::Nothing => {}
            Said::Junk => self.slot.meters.junk.model.increment(1),
        }
    }

    fn happened(&mut self, event: LinkEvent) {
        match event {
            LinkEvent::Opened => self.tell(ModelEvent::Opened),
            LinkEvent::Text(text) => self.receive(&text),
            LinkEvent::Junk => self.slot.meters.junk.model.increment(1),
            LinkEvent::Pong(after) => {
                self.slot.meters.round_trip(after);
                let ms = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
                self.tell(ModelEvent::RoundTrip { ms });
            }
            LinkEvent::Over(Some(why)) => self.end(why.into()),
            LinkEvent::Over(None) => drop(self.connection.take()),
        }
    }

    /// Drives the connection as far as it goes. Ready when it is over.
    fn pump(&mut self, task: &mut TaskContext<'_>) -> Poll<()> {
        loop {
            let Some(mut state) = self.connection.state() else { return Poll::Ready(()) };
            let event = ready!(state.link.poll(task));
            drop(state);
            self.happened(event);
        }
    }

    /// Looks after the connection. Ready when it is over.
    fn beat(&mut self, task: &mut TaskContext<'_>) -> Poll<()> {
        let event = self.connection.state().and_then(|mut state| state.link.beat(Instant::now(), task));
        event.into_iter().for_each(|event| self.happened(event));
        if self.connection.state().is_some() { Poll::Pending } else { Poll::Ready(()) }
    }

    /// Everything there is of the connection, for another arbiter.
    pub(crate) fn give_away(&self) -> Option<Box<LegState>> {
        self.connection.take()
    }
}

impl Actor for ModelLeg {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let mut beat = interval_at(tokio::time::Instant::now() + BEAT, BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ctx.spawn(Pump { beat });
    }
}

impl Drop for ModelLeg {
    /// Whatever took the leg, a panic included: its call hears of it.
    fn drop(&mut self) {
        self.end(ModelEvent::Closed("the connection's actor is gone".to_owned()));
    }
}

impl Handler<Close> for ModelLeg {
    type Result = ();

    fn handle(&mut self, Close(why): Close, ctx: &mut Context<Self>) {
        if let Some(why) = why {
            return self.end(ModelEvent::Closed(why));
        }
        self.cause.set(Some("its call let it go".to_owned()));
        if !self.connection.state().is_some_and(|mut state| state.link.close()) {
            self.connection.take();
            ctx.stop();
        }
    }
}

/// Polled by the leg's context after its mailbox, with the task's own waker.
struct Pump {
    beat: Interval,
}

impl ActorFuture<ModelLeg> for Pump {
    type Output = ();

    fn poll(
        mut self: Pin<&mut Self>,
        leg: &mut ModelLeg,
        ctx: &mut Context<ModelLeg>,
        task: &mut TaskContext<'_>,
    ) -> Poll<()> {
        leg.connection.read_by(task);
        if leg.pump(task).is_ready() {
            ctx.stop();
            return Poll::Ready(());
        }
        while self.beat.poll_tick(task).is_ready() {
            if leg.beat(task).is_ready() {
                ctx.stop();
                return Poll::Ready(());
            }
        }
        Poll::Pending
    }
}
