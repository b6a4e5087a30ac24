//! One Realtime connection of one call.
//!
//! The socket is one unsplit stream. Handlers only put frames into its write buffer; a future on the actor's own context (the
//! [`Pump`]) flushes and reads, and is polled after the mailbox with the task's waker. So one wake-up carries a frame from
//! the mailbox to the socket, with one system call.

mod budget;
mod convert;
mod dial;
mod legs;
mod link;
mod receive;
mod scratch;
mod send;
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
use protocol::call::io::{ConnId, Input, ModelCommand, ModelEvent};
use protocol::realtime::command::ClientEvent;
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

/// How often the connection is looked after.
const BEAT: Duration = Duration::from_secs(5);

/// What the call wants of this connection.
#[derive(ActixMessage)]
#[rtype(result = "()")]
struct Command(ModelCommand);

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

    /// Writes caller audio. False when it had to be dropped: the server does not read.
    fn append(&mut self, pcm: &[u8]) -> bool {
        let Self { link, convert } = self;
        link.has_room() && send::audio(convert, pcm, |text| link.write_audio(text)).unwrap_or(true)
    }
}

/// One connection's driver.
pub(crate) struct ModelLeg {
    slot: Arc<CallSlot>,
    pub(crate) call: Addr<CallActor>,
    pub(crate) conn: ConnId,
    budget: Budget,
    /// None when it was given away, or its end was told.
    state: Option<Box<LegState>>,
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
        if self.state.take().is_some() {
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
        let Some(state) = &mut self.state else { return };
        let (tail, said) = receive::text(&mut state.convert, text);
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
            LinkEvent::Over(None) => self.state = None,
        }
    }

    /// Drives the connection as far as it goes. Ready when it is over.
    fn pump(&mut self, task: &mut TaskContext<'_>) -> Poll<()> {
        while let Some(state) = &mut self.state {
            let event = ready!(state.link.poll(task));
            self.happened(event);
        }
        Poll::Ready(())
    }

    /// Looks after the connection. Ready when it is over.
    fn beat(&mut self, task: &mut TaskContext<'_>) -> Poll<()> {
        if let Some(event) = self.state.as_mut().and_then(|state| state.link.beat(Instant::now(), task)) {
            self.happened(event);
        }
        if self.state.is_some() { Poll::Pending } else { Poll::Ready(()) }
    }

    /// Everything there is of the connection, for another arbiter.
    pub(crate) fn give_away(&mut self) -> Option<Box<LegState>> {
        self.state.take()
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

impl Handler<Command> for ModelLeg {
    type Result = ();

    fn handle(&mut self, Command(command): Command, ctx: &mut Self::Context) {
        let Some(state) = &mut self.state else { return };
        let written = match command {
            ModelCommand::Dial => Ok(()),
            ModelCommand::CarrierRate(rate) => {
                state.convert.set_carrier(rate);
                Ok(())
            }
            ModelCommand::Send(ClientEvent::Append(pcm), _) => {
                if !state.append(&pcm) {
                    self.slot.meters.dropped.append.increment(1);
                }
                Ok(())
            }
            ModelCommand::Send(event, id) => state.link.write(send::event(&mut state.convert, &event, id)),
            ModelCommand::Close => {
                self.cause.set(Some("its call let it go".to_owned()));
                if !state.link.close() {
                    self.state = None;
                    ctx.stop();
                }
                Ok(())
            }
        };
        if let Err(error) = written {
            self.end(ModelEvent::Closed(error.to_string()));
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
        if leg.pump(task).is_ready() {
            leg.state = None;
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
