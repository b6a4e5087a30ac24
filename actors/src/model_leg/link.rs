//! All there is of a connection, and what is said on it.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use codecs::SampleRate;
use futures_util::{Sink, Stream};
use protocol::realtime::command::{self, ClientEvent};
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};

use super::convert::Converter;
use super::dial::{Connection, DialError, Target};
use super::scratch::{self, Scratch};

/// Caller audio (as written) that waits for a server that does not read: about 2 s.
const UNSENT_AUDIO: usize = 128 << 10;
/// A server that has not read for this long is taken for dead.
const STALLED: Duration = Duration::from_secs(10);
/// Middleboxes forget silent connections, and nobody tells.
const PING_EVERY: Duration = Duration::from_secs(15);
/// A server from which nothing at all comes for so long after it was asked is gone. Some answer pings late while their audio flows.
const SILENT: Duration = Duration::from_secs(20);

/// All there is of a connection: it can go to another thread, mid-dial and mid-frame.
pub(crate) struct LegState {
    pub(super) link: Link,
    pub(super) convert: Converter,
    /// It came from another thread: its socket is (or will be) registered there.
    pub(super) arrived: bool,
    /// Something was written that was not flushed.
    pub(super) dirty: bool,
    /// Something may lie read and unparsed above the socket, which then need not be readable.
    pub(super) unread: bool,
    /// Caller audio written since all was flushed last, bytes.
    unsent: usize,
    /// Since when the server has not read.
    stalled: Option<Instant>,
    /// When a ping went out behind which nothing has come, and the last one.
    unanswered: Option<Instant>,
    pub(super) pinged: Instant,
}

pub(super) enum Link {
    Dialling(Pin<Box<dyn Future<Output = Result<Connection, DialError>> + Send>>),
    Open(Box<Connection>),
    /// We closed; the server's answer is awaited for a beat, so that it sees a clean end.
    Closing(Box<Connection>),
    Over,
}

impl LegState {
    pub(super) fn dialling(target: Target) -> Self {
        Self {
            link: Link::Dialling(Box::pin(target.dial())),
            convert: Converter::new(SampleRate::default()),
            arrived: false,
            dirty: false,
            unread: true,
            unsent: 0,
            stalled: None,
            unanswered: None,
            pinged: Instant::now(),
        }
    }

    /// Puts a text frame into the write buffer; it leaves with the next flush.
    pub(super) fn write(&mut self, message: Message) -> Result<(), Error> {
        let Link::Open(connection) = &mut self.link else { return Ok(()) };
        self.dirty = true;
        Pin::new(connection.as_mut()).start_send(message)
    }

    /// Writes caller audio. False when it had to be dropped: the server does not read.
    pub(super) fn append(&mut self, pcm: &[u8]) -> Result<bool, Error> {
        if self.unsent > UNSENT_AUDIO {
            return Ok(false);
        }
        let frame = scratch::with(|Scratch { audio, pcm: other, text, wire }| {
            audio.clear();
            self.convert.encode(pcm, other, audio);
            if audio.is_empty() {
                return None;
            }
            command::write_append(text, audio);
            // Once the frame is in the connection's own buffer nobody else holds it, and its place here is used again.
            wire.extend_from_slice(text.as_bytes());
            // Made as a frame and not as a message, since what was written as text need not be checked for being text.
            Some(Frame::message(wire.split().freeze(), OpCode::Data(Data::Text), true))
        });
        let Some(frame) = frame else { return Ok(true) };
        self.unsent += frame.len();
        match self.write(Message::Frame(frame)) {
            Err(Error::WriteBufferFull(_)) => Ok(false),
            other => other.map(|()| true),
        }
    }

    pub(super) fn send(&mut self, event: &ClientEvent) -> Result<(), Error> {
        if let ClientEvent::SessionUpdate(config) = event {
            // Until the server says what it really uses, it uses what was asked.
            self.convert.set_input(config.format);
            self.convert.set_output(config.format);
        }
        let mut text = String::new();
        command::write(&mut text, event);
        self.write(Message::Text(text.into()))
    }

    /// Sends what is in the write buffer, as far as the socket takes it.
    pub(super) fn flush(&mut self, task: &mut Context<'_>) -> Result<(), Error> {
        let Link::Open(connection) = &mut self.link else { return Ok(()) };
        if self.dirty {
            match Pin::new(connection.as_mut()).poll_flush(task) {
                Poll::Pending => {
                    self.stalled.get_or_insert_with(Instant::now);
                }
                Poll::Ready(done) => {
                    done?;
                    (self.dirty, self.unsent, self.stalled) = (false, 0, None);
                }
            }
        }
        Ok(())
    }

    /// The next message, and that something may be left to read. Whatever comes is a sign of life.
    pub(super) fn read(&mut self, task: &mut Context<'_>) -> Poll<Option<Result<Message, Error>>> {
        let Link::Open(connection) = &mut self.link else { return Poll::Pending };
        let next = Pin::new(connection.as_mut()).poll_next(task);
        self.unread = next.is_ready();
        if matches!(next, Poll::Ready(Some(Ok(_)))) {
            self.unanswered = None;
        }
        next
    }

    /// The regular look: is the other side alive, and is it time to ask? The error is for the record.
    pub(super) fn beat(&mut self, now: Instant) -> Result<(), String> {
        if self.stalled.is_some_and(|since| now.duration_since(since) >= STALLED) {
            return Err(format!("the model has not read for {} s", STALLED.as_secs()));
        }
        if self.unanswered.is_some_and(|since| now.duration_since(since) >= SILENT) {
            return Err(format!(
                "nothing came from the model for {} s, not even the answer to a ping",
                SILENT.as_secs()
            ));
        }
        if now.duration_since(self.pinged) >= PING_EVERY {
            self.pinged = now;
            self.unanswered.get_or_insert(now);
            self.write(Message::Ping(Bytes::new())).map_err(|error| error.to_string())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
