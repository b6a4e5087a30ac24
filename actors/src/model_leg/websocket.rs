//! The WebSocket of one connection, without buffers of its own.
//!
//! tokio-tungstenite makes the handshake. Afterwards it would keep some 60 KiB for each connection, for the longest message that ever came and for
//! the most that ever waited to be written: a third of what a call took. So the frames are read and written here, in buffers that the connections of a
//! thread share; a connection holds what of a frame has not come yet, or has not left.

mod handshake;
mod incoming;
mod outgoing;

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_util::{Sink, Stream};
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Control, Data, OpCode};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::dial::Socket;
pub(super) use handshake::Handshake;
use incoming::Incoming;
use outgoing::Outgoing;

/// The client's end of a WebSocket whose handshake is done.
#[derive(Debug)]
pub(crate) struct WebSocket {
    socket: Socket,
    incoming: Incoming,
    outgoing: Outgoing,
    /// A ping was answered, and the answer has not left.
    owes: bool,
}

impl WebSocket {
    /// After the handshake; `early` is what came right behind it.
    pub(super) fn new(socket: Socket, early: &[u8]) -> Self {
        Self { socket, incoming: Incoming::new(early), outgoing: Outgoing::default(), owes: false }
    }

    /// What the frames go through.
    pub(crate) const fn get_ref(&self) -> &Socket {
        &self.socket
    }

    /// The same, to be changed.
    pub(crate) const fn get_mut(&mut self) -> &mut Socket {
        &mut self.socket
    }

    /// Puts a message of text where the next flush finds it. False when there is no room: the other side does not read.
    pub(super) fn write_text(&mut self, text: &str) -> bool {
        self.outgoing.push(OpCode::Data(Data::Text), text.as_bytes())
    }

    /// Sends what waits, as far as the socket takes it.
    pub(super) fn poll_flush(&mut self, task: &mut Context<'_>) -> Poll<Result<(), Error>> {
        ready!(self.outgoing.poll_flush(&mut self.socket, task))?;
        self.owes = false;
        Poll::Ready(Ok(()))
    }
}

impl Stream for WebSocket {
    type Item = Result<Message, Error>;

    /// The next message; pings are answered. A socket that ends without a close is an error.
    fn poll_next(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if this.owes {
            // An error is the next read's as well.
            let _ = this.poll_flush(task);
        }
        let next = ready!(this.incoming.poll_next(&mut this.socket, task));
        if let Ok(Message::Ping(payload)) = &next {
            // Who sends pings and reads nothing has no answer coming.
            this.owes |= this.outgoing.push(OpCode::Control(Control::Pong), payload);
        }
        Poll::Ready(Some(next))
    }
}

impl Sink<Message> for WebSocket {
    type Error = Error;

    fn poll_ready(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn start_send(self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        let outgoing = &mut self.get_mut().outgoing;
        let taken = match &message {
            Message::Text(text) => outgoing.push(OpCode::Data(Data::Text), text.as_bytes()),
            Message::Binary(bytes) => outgoing.push(OpCode::Data(Data::Binary), bytes),
            Message::Ping(payload) => outgoing.push(OpCode::Control(Control::Ping), payload),
            Message::Pong(payload) => outgoing.push(OpCode::Control(Control::Pong), payload),
            Message::Close(None) => outgoing.push(OpCode::Control(Control::Close), &[]),
            Message::Close(Some(frame)) => {
                let payload = [&u16::from(frame.code).to_be_bytes(), frame.reason.as_bytes()].concat();
                outgoing.push(OpCode::Control(Control::Close), &payload)
            }
            Message::Frame(frame) => outgoing.push(frame.header().opcode, frame.payload()),
        };
        if taken { Ok(()) } else { Err(Error::WriteBufferFull(Box::new(message))) }
    }

    fn poll_flush(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.get_mut().poll_flush(task)
    }

    fn poll_close(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.get_mut().poll_flush(task)
    }
}

#[cfg(test)]
mod tests;
