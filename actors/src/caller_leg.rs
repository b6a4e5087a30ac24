//! The carrier's media socket: the one file that knows actix-web-actors, so that a move to its successor touches nothing else.
//!
//! The socket's actor is polled by the task of its connection (`socket.rs`): while its peer does not read, it stands still, mailbox and
//! timers included. So it is a codec and no more: every deadline of a call is the call's, and audio that does not fit into this
//! actor's mailbox goes back to the call.
//!
//! Audio counts as sent once the actor wrote it. What is beyond is not known: what it wrote in one turn, what the kernel takes, the
//! network, the carrier. While any of it is stuck the socket is not read either, and a call from which no frame comes takes nothing for
//! played.

mod budget;
mod join;
mod line;
mod parts;
mod socket;
mod upgrade;

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use actix::{Actor, ActorContext, Addr, AsyncContext, Handler, Message, SpawnHandle, StreamHandler, WrapFuture};
use actix_http::ws::Item;
use actix_web::{HttpRequest, HttpResponse};
use actix_web_actors::ws::{self, CloseCode, CloseReason, ProtocolError, WebsocketContext};
use protocol::call::io::CallerCommand;
use protocol::exotel::stream::{self, CarrierMessage};

use crate::call_actor::CallActor;
use crate::media::{MediaEntry, MediaRefusal};
use crate::switchboard::Switchboard;
use budget::{Kind, Pace};
use line::Line;
use parts::{NotWhole, Parts};
use socket::MediaSocket;
pub use upgrade::answer_upgrade;

/// The longest message taken, in one frame or in several. The carrier's are about 1 KiB, its limit is 100 KB.
const LONGEST_MESSAGE: usize = 256 << 10;
/// Commands the leg may have waiting while its peer does not read. A call gives it its lead, so only small messages get so far.
const MAILBOX: usize = 64;
/// A socket on which no stream starts is somebody else's.
const START_WITHIN: Duration = Duration::from_secs(10);
/// What fits into a close frame.
const CLOSE_WORDS: usize = 123;

/// What the call wants of the socket.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Command(pub(crate) CallerCommand);

/// The call's actor, from now on.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Publish(pub(crate) Addr<CallActor>);

/// The carrier retried its handshake: the newest socket wins.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Superseded;

/// One media socket.
pub(crate) struct CallerLeg {
    board: Switchboard,
    stage: Stage,
    parts: Parts,
    pace: Pace,
    start_timer: SpawnHandle,
    noted: Rc<Noted>,
}

/// What the actor and its socket's task tell each other.
#[derive(Default)]
struct Noted {
    /// The actor is over: what it wrote is the last of it.
    stopped: Cell<bool>,
    /// A frame's head claims more than is taken.
    too_long: Cell<bool>,
}

enum Stage {
    /// No `start` yet.
    Waiting(MediaEntry),
    /// The front desk is being asked. Nothing is read meanwhile.
    Asking,
    Live(Box<Line>),
    /// Closed from our side.
    Over,
}

type Ctx = WebsocketContext<CallerLeg>;

impl CallerLeg {
    pub(crate) fn new(board: Switchboard, entry: MediaEntry) -> Self {
        Self {
            board,
            stage: Stage::Waiting(entry),
            parts: Parts::default(),
            pace: Pace::new(),
            start_timer: SpawnHandle::default(),
            noted: Rc::default(),
        }
    }

    /// Answers the handshake. [`answer_upgrade`] finds the socket in the answer's extensions, and serves it.
    pub(crate) fn upgrade(self, request: &HttpRequest) -> actix_web::Result<HttpResponse> {
        let mut response = ws::handshake(request)?.finish();
        response.extensions_mut().insert(MediaSocket::new(self));
        Ok(response)
    }

    fn text(&mut self, text: &str, ctx: &mut Ctx) {
        match stream::parse(text) {
            Ok(CarrierMessage::Start(start)) => self.start(*start, ctx),
            Ok(message) => match &mut self.stage {
                Stage::Live(line) => line.message(message, Instant::now()),
                Stage::Waiting(_) if message == CarrierMessage::Connected => {}
                _ => self.board.meters().junk.carrier.increment(1),
            },
            Err(error) => {
                if self.odd(Kind::Junk) {
                    tracing::debug!(%error, "a message of the carrier was dropped");
                }
            }
        }
    }

    /// What is no event, or comes at the wrong time. Whether it is worth a line in the log.
    fn odd(&mut self, kind: Kind) -> bool {
        if let Stage::Live(line) = &mut self.stage {
            return line.odd(kind, Instant::now());
        }
        self.board.meters().junk.carrier.increment(1);
        false
    }

    /// A socket that sends more than its share is not read for a moment: it costs itself, and nobody else.
    fn rest_after(&mut self, message: &Result<ws::Message, ProtocolError>, ctx: &mut Ctx) {
        let bytes = match message {
            Ok(ws::Message::Text(text)) => text.len(),
            Ok(ws::Message::Binary(bytes) | ws::Message::Ping(bytes) | ws::Message::Pong(bytes)) => bytes.len(),
            Ok(ws::Message::Continuation(
                Item::FirstText(part) | Item::FirstBinary(part) | Item::Continue(part) | Item::Last(part),
            )) => part.len(),
            Ok(ws::Message::Close(_) | ws::Message::Nop) | Err(_) => return,
        };
        if let Some(rest) = self.pace.read(bytes, Instant::now()) {
            metrics::counter!("callgate_carrier_rests_total").increment(1);
            ctx.wait(tokio::time::sleep(rest).into_actor(self));
        }
    }

    fn close(&mut self, code: CloseCode, words: &str, ctx: &mut Ctx) {
        let end = (0..=CLOSE_WORDS.min(words.len())).rev().find(|&end| words.is_char_boundary(end));
        let description = Some(words[..end.unwrap_or(0)].to_owned());
        ctx.close(Some(CloseReason { code, description }));
        self.stage = Stage::Over;
        ctx.stop();
    }

    fn part(&mut self, item: &Item, ctx: &mut Ctx) {
        match self.parts.push(item, LONGEST_MESSAGE) {
            Some(Ok(whole)) => self.bytes(&whole, ctx),
            Some(Err(NotWhole)) => drop(self.odd(Kind::Junk)),
            None => {}
        }
    }

    fn bytes(&mut self, bytes: &[u8], ctx: &mut Ctx) {
        match std::str::from_utf8(bytes) {
            Ok(text) => self.text(text, ctx),
            Err(_) => drop(self.odd(Kind::Junk)),
        }
    }
}

impl Actor for CallerLeg {
    type Context = Ctx;

    fn started(&mut self, ctx: &mut Ctx) {
        ctx.set_mailbox_capacity(MAILBOX);
        if let Stage::Waiting(MediaEntry::Token(call)) = &self.stage
            && let Some(slot) = self.board.find(call)
        {
            slot.wait_for_start(ctx.address());
        }
        self.start_timer = ctx.run_later(START_WITHIN, |leg, ctx| {
            let call = match &leg.stage {
                Stage::Waiting(MediaEntry::Token(call) | MediaEntry::Elsewhere(call, _)) => Some(call.clone()),
                _ => None,
            };
            leg.refuse(call.as_ref(), &MediaRefusal::NoStart, ctx);
        });
    }

    fn stopped(&mut self, _: &mut Ctx) {
        // Now, and not when the last bytes have left: the call hears that its socket is gone.
        self.stage = Stage::Over;
        self.noted.stopped.set(true);
    }
}

impl StreamHandler<Result<ws::Message, ProtocolError>> for CallerLeg {
    fn handle(&mut self, message: Result<ws::Message, ProtocolError>, ctx: &mut Ctx) {
        self.rest_after(&message, ctx);
        match message {
            Ok(ws::Message::Text(text)) => self.text(&text, ctx),
            Ok(ws::Message::Binary(bytes)) => self.bytes(&bytes, ctx),
            Ok(ws::Message::Continuation(item)) => self.part(&item, ctx),
            Ok(ws::Message::Ping(payload)) => ctx.pong(&payload),
            Ok(ws::Message::Pong(_) | ws::Message::Nop) => {}
            Ok(ws::Message::Close(_)) => {
                ctx.close(Some(CloseCode::Normal.into()));
                ctx.stop();
            }
            Err(error) => {
                let is_long = self.noted.too_long.get() || matches!(error, ProtocolError::Overflow);
                let code = if is_long { CloseCode::Size } else { CloseCode::Protocol };
                self.board.meters().junk.carrier.increment(1);
                // Dropping the line tells the call that its socket is gone.
                self.close(code, &error.to_string(), ctx);
            }
        }
    }
}

impl Handler<Command> for CallerLeg {
    type Result = ();

    fn handle(&mut self, Command(command): Command, ctx: &mut Ctx) {
        let mut text = String::new();
        match (command, &mut self.stage) {
            (CallerCommand::Close, _) => return self.close(CloseCode::Normal, "", ctx),
            (CallerCommand::Play { pcm, mark }, Stage::Live(line)) => {
                line.slot.meters.frames_out.increment(1);
                stream::write_media(&mut text, &line.stream, &line.encoding.encode(&pcm));
                if let Some(mark) = mark {
                    ctx.text(std::mem::take(&mut text));
                    stream::write_mark(&mut text, &line.stream, mark);
                    line.sent(mark, pcm);
                }
            }
            (CallerCommand::Clear, Stage::Live(line)) => stream::write_clear(&mut text, &line.stream),
            _ => return,
        }
        ctx.text(text);
    }
}

impl Handler<Publish> for CallerLeg {
    type Result = ();

    fn handle(&mut self, Publish(call): Publish, _: &mut Ctx) {
        if let Stage::Live(line) = &mut self.stage {
            line.connect(call);
        }
    }
}

impl Handler<Superseded> for CallerLeg {
    type Result = ();

    fn handle(&mut self, _: Superseded, ctx: &mut Ctx) {
        if matches!(self.stage, Stage::Waiting(_)) {
            self.close(CloseCode::Normal, "a newer media socket of this call took over", ctx);
        }
    }
}
