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
mod scratch;

use std::cell::Cell;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::{Duration, Instant};

use actix::dev::ActorFuture;
use actix::{Actor, ActorContext, Addr, AsyncContext, Context, Handler, Message as ActixMessage};
use futures_util::{FutureExt, Stream};
use protocol::call::io::{ConnId, Input, ModelCommand, ModelEvent};
use protocol::realtime::command::ClientEvent;
use protocol::realtime::event::{self, ContentKey, Parsed, ServerEvent};
use protocol::wire;
use tokio::time::{Interval, MissedTickBehavior, interval_at};
use tokio_tungstenite::tungstenite::Message;
use tracing::Instrument;

use crate::call_actor::{CallActor, Deliver, Yielded};
use crate::recorder::{Step, SupervisorEvent};
use crate::switchboard::registry::CallSlot;
use crate::switchboard::supervise::panic_message;
use budget::{Budget, FLOOD, Verdict};
pub use dial::ModelEndpoint;
pub(crate) use dial::{Target, client_tls};
pub(crate) use legs::Legs;
pub(crate) use link::LegState;
use link::Link;
use scratch::Scratch;

/// Commands the leg may have waiting.
const MAILBOX: usize = 256;
/// Messages read in one turn, before the call has its own: far fewer than its mailbox holds.
const READ_AT_ONCE: usize = 16;
/// How often the connection is looked after.
const BEAT: Duration = Duration::from_secs(5);

/// Give the connection to another arbiter.
#[derive(ActixMessage)]
#[rtype(result = "()")]
struct Yield;

/// What the call wants of this connection.
#[derive(ActixMessage)]
#[rtype(result = "()")]
struct Command(ModelCommand);

/// One connection's driver.
pub(crate) struct ModelLeg {
    slot: Arc<CallSlot>,
    call: Addr<CallActor>,
    conn: ConnId,
    budget: Budget,
    /// None when it was given away, or its end was told.
    state: Option<Box<LegState>>,
    /// Why it ends, once that is known.
    cause: Rc<Cell<Option<String>>>,
}

impl ModelLeg {
    /// Starts the leg, and logs how it ends.
    fn start_watched(self) -> Addr<Self> {
        let (slot, conn, known) = (Arc::clone(&self.slot), self.conn.0, Rc::clone(&self.cause));
        let span = slot.span.clone();
        let mut ctx = Context::new();
        ctx.set_mailbox_capacity(MAILBOX);
        let mut leg = ctx.into_future(self);
        let address = leg.address();
        let watched = async move {
            let count = Some(u64::from(conn));
            let began = SupervisorEvent { step: Step::Start, actor: "ModelLeg", cause: None, count, fault: false };
            slot.supervised(began);
            let panic = AssertUnwindSafe(&mut leg).catch_unwind().await.err();
            let cause = panic.map(|panic| format!("panicked: {}", panic_message(&*panic)));
            let fault = cause.is_some();
            let cause = cause.or(known.take()).unwrap_or_else(|| "its call is over".to_owned());
            slot.supervised(SupervisorEvent { step: Step::Stop, cause: Some(&cause), fault, ..began });
        };
        actix_rt::spawn(watched.instrument(span));
        address
    }

    /// Past the mailbox's bound: what comes of a server has a budget, and is read a few at a time.
    fn tell(&self, event: ModelEvent) {
        self.call.do_send(Deliver(Input::Model(self.conn, event)));
    }

    /// Media may be dropped, and is then counted; it never grows a queue.
    fn tell_audio(&self, key: ContentKey, pcm: Vec<u8>) {
        let audio = Deliver(Input::Model(self.conn, ModelEvent::Audio { key, pcm }));
        if self.call.try_send(audio).is_err() {
            self.slot.meters.dropped_delta.increment(1);
        }
    }

    /// The connection is over: said once.
    fn end(&mut self, event: ModelEvent) {
        if self.state.take().is_some() {
            if let ModelEvent::Refused(words) | ModelEvent::Closed(words) = &event {
                self.because(words);
            }
            self.tell(event);
        }
    }

    /// Keeps why it ends: the first reason is the one.
    pub(crate) fn because(&self, words: &str) {
        self.cause.set(self.cause.take().or_else(|| Some(words.to_owned())));
    }

    fn fail(&mut self, error: &dyn std::fmt::Display) {
        self.end(ModelEvent::Closed(error.to_string()));
    }

    fn text(&mut self, text: &str) {
        match event::parse(text) {
            Ok(Parsed::Audio { key, delta }) => self.delta(key, &delta),
            Ok(Parsed::Event(event)) => self.event(event),
            Err(_) => self.slot.meters.junk_model.increment(1),
        }
    }

    fn delta(&mut self, key: ContentKey, delta: &str) {
        if self.state.as_ref().is_some_and(|state| !state.convert.continues(&key)) {
            self.tail();
        }
        let Some(state) = &mut self.state else { return };
        let pcm = scratch::with(|Scratch { audio, pcm: other, .. }| {
            audio.clear();
            wire::decode_base64(delta, audio).ok()?;
            let mut pcm = Vec::with_capacity(state.convert.decoded_len(audio.len()));
            state.convert.decode(&key, audio, other, &mut pcm);
            Some(pcm)
        });
        match pcm {
            Some(pcm) if pcm.is_empty() => {}
            Some(pcm) => self.tell_audio(key, pcm),
            None => self.slot.meters.junk_model.increment(1),
        }
    }

    /// Sends on what the converter still holds of the content that ended.
    fn tail(&mut self) {
        let Some(state) = &mut self.state else { return };
        let mut pcm = Vec::new();
        if let Some(key) = state.convert.finish(&mut pcm)
            && !pcm.is_empty()
        {
            self.tell_audio(key, pcm);
        }
    }

    fn event(&mut self, event: ServerEvent) {
        match &event {
            ServerEvent::Ignored => return,
            // Some compatible servers ping in JSON.
            ServerEvent::Unknown { kind } if kind == "ping" => return,
            ServerEvent::AudioDone(_) | ServerEvent::ResponseDone(_) => self.tail(),
            ServerEvent::SessionUpdated { input, output } => {
                if let Some(state) = &mut self.state {
                    input.iter().for_each(|format| state.convert.set_input(*format));
                    output.iter().for_each(|format| state.convert.set_output(*format));
                }
            }
            ServerEvent::ResponseCreated { output: Some(format), .. } => {
                if let Some(state) = &mut self.state {
                    state.convert.set_output(*format);
                }
            }
            _ => {}
        }
        match self.budget.judge(&event, Instant::now()) {
            Verdict::Take => self.tell(ModelEvent::Server(event)),
            Verdict::Drop => {}
            Verdict::GiveUp => self.fail(&FLOOD),
        }
    }

    fn message(&mut self, message: Message) {
        match message {
            Message::Text(text) => self.text(&text),
            Message::Binary(bytes) => match std::str::from_utf8(&bytes) {
                Ok(text) => self.text(text),
                Err(_) => self.slot.meters.junk_model.increment(1),
            },
            Message::Ping(_) | Message::Frame(_) => {
                // The answer is in the write buffer.
                self.state.iter_mut().for_each(|state| state.dirty = true);
            }
            Message::Pong(_) => {}
            Message::Close(frame) => self.end(dial::closed(frame.as_ref()).into()),
        }
    }

    /// Drives the connection as far as it goes. Ready when it is over.
    fn pump(&mut self, task: &mut TaskContext<'_>) -> Poll<()> {
        loop {
            let Some(state) = &mut self.state else { return Poll::Ready(()) };
            match &mut state.link {
                Link::Over => return Poll::Ready(()),
                Link::Closing(connection) => {
                    let next = ready!(Pin::new(connection.as_mut()).poll_next(task));
                    if !matches!(next, Some(Ok(_))) {
                        return Poll::Ready(());
                    }
                }
                Link::Dialling(dial) => match ready!(dial.as_mut().poll(task)) {
                    Ok(connection) => {
                        state.link = Link::Open(Box::new(connection));
                        state.pinged = Instant::now();
                        self.tell(ModelEvent::Opened);
                    }
                    Err(error) => self.end(error.into()),
                },
                Link::Open(connection) => {
                    if std::mem::take(&mut state.arrived) {
                        if let Err(error) = connection.get_mut().rehome() {
                            self.fail(&error);
                            continue;
                        }
                        state.convert.rehome();
                        // Whatever was being written goes on here.
                        state.dirty = true;
                    }
                    ready!(self.exchange(task));
                }
            }
        }
    }

    /// Looks after the connection. Ready when it is over.
    fn beat(&mut self, task: &mut TaskContext<'_>) -> Poll<()> {
        let Some(state) = &mut self.state else { return Poll::Ready(()) };
        match state.link {
            Link::Closing(_) | Link::Over => self.state = None,
            Link::Dialling(_) => {}
            Link::Open(_) => {
                let alive =
                    state.beat(Instant::now()).and_then(|()| state.flush(task).map_err(|error| error.to_string()));
                if let Err(cause) = alive {
                    self.fail(&cause);
                }
            }
        }
        if self.state.is_some() { Poll::Pending } else { Poll::Ready(()) }
    }

    /// Writes, then reads until nothing is left. Ready when the connection is over.
    fn exchange(&mut self, task: &mut TaskContext<'_>) -> Poll<()> {
        for read in 0.. {
            let Some(state) = &mut self.state else { break };
            if let Err(error) = state.flush(task) {
                self.fail(&error);
                break;
            }
            let Link::Open(connection) = &mut state.link else { break };
            if read == READ_AT_ONCE {
                // The call works through these first.
                task.waker().wake_by_ref();
                return Poll::Pending;
            }
            if !state.unread && connection.get_ref().poll_readable(task).is_pending() {
                return Poll::Pending;
            }
            match state.read(task) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(Ok(message))) => self.message(message),
                Poll::Ready(Some(Err(error))) => self.fail(&error),
                Poll::Ready(None) => self.fail(&"the model's connection ended"),
            }
        }
        Poll::Ready(())
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
            ModelCommand::Send(ClientEvent::Append(pcm)) => state.append(&pcm).map(|taken| {
                if !taken {
                    self.slot.meters.dropped_append.increment(1);
                }
            }),
            ModelCommand::Send(event) => state.send(&event),
            ModelCommand::Close => {
                self.cause.set(Some("its call let it go".to_owned()));
                let close = state.write(Message::Close(None));
                match std::mem::replace(&mut state.link, Link::Over) {
                    Link::Open(connection) if close.is_ok() => state.link = Link::Closing(connection),
                    _ => {
                        self.state = None;
                        ctx.stop();
                    }
                }
                Ok(())
            }
        };
        if let Err(error) = written {
            self.fail(&error);
        }
    }
}

impl Handler<Yield> for ModelLeg {
    type Result = ();

    fn handle(&mut self, _: Yield, ctx: &mut Self::Context) {
        self.because("moved to its media socket's arbiter");
        if let Some(state) = self.state.take() {
            self.call.do_send(Yielded(self.conn, state));
        }
        ctx.stop();
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
