//! One Realtime connection: its socket from the dial to the last frame, what waits to be written, and whether the other side lives.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use futures_util::{Sink, Stream};
use tokio_tungstenite::tungstenite::{Bytes, Error, Message, Utf8Bytes};

use super::dial::{self, Connection, DialError, Target};

/// Caller audio (as written) that waits for a server that does not read: about 2 s.
const UNSENT_AUDIO: usize = 128 << 10;
/// A server that has not read for this long is taken for dead.
const STALLED: Duration = Duration::from_secs(10);
/// Middleboxes forget silent connections, and nobody tells; and what a ping takes is what the way takes. A little less than a beat, so that none
/// is left out.
const PING_EVERY: Duration = Duration::from_secs(4);
/// A server from which nothing at all comes for so long after it was asked is gone. Some answer pings late while their audio flows.
const SILENT: Duration = Duration::from_secs(20);
/// Messages read in one turn, before the call has its own: far fewer than its mailbox holds.
const READ_AT_ONCE: usize = 16;

/// All there is of a connection: it can go to another thread, mid-dial and mid-frame.
pub(super) struct Link {
    stage: Stage,
    /// It came from another thread: its socket is (or will be) registered there.
    arrived: bool,
    /// Something was written that was not flushed.
    dirty: bool,
    /// Something may lie read and unparsed above the socket, which then need not be readable.
    unread: bool,
    /// Messages read since [`Self::poll`] last had nothing to say.
    read: usize,
    /// Caller audio written since all was flushed last, bytes.
    unsent: usize,
    /// Since when the server has not read.
    stalled: Option<Instant>,
    /// When a ping went out behind which nothing has come, and the last one.
    unanswered: Option<Instant>,
    pinged: Instant,
    /// Pings that went out: the last one's number.
    pings: u32,
}

enum Stage {
    Dialling(Pin<Box<dyn Future<Output = Result<Connection, DialError>> + Send>>),
    Open(Box<Connection>),
    /// We closed; the server's answer is awaited for a beat, so that it sees a clean end.
    Closing(Box<Connection>),
    Over,
}

/// What happened on a connection.
pub(super) enum LinkEvent {
    /// It is open.
    Opened,
    /// The server said this.
    Text(Utf8Bytes),
    /// The server said something that is no text.
    Junk,
    /// The last ping was answered after that long.
    Pong(Duration),
    /// It is over, and nothing follows. Why; none when we closed it.
    Over(Option<DialError>),
}

impl Link {
    pub(super) fn dialling(target: Target) -> Self {
        Self {
            stage: Stage::Dialling(Box::pin(target.dial())),
            arrived: false,
            dirty: false,
            unread: true,
            read: 0,
            unsent: 0,
            stalled: None,
            unanswered: None,
            pinged: Instant::now(),
            pings: 0,
        }
    }

    /// It is on this thread from now on.
    pub(super) const fn arrive(&mut self) {
        self.arrived = true;
    }

    /// Writes what waits, then reads; the next thing that happened. Pending when there is nothing, or the call should have its turn.
    pub(super) fn poll(&mut self, task: &mut Context<'_>) -> Poll<LinkEvent> {
        let next = self.poll_next(task);
        if next.is_pending() {
            self.read = 0;
        }
        next
    }

    fn poll_next(&mut self, task: &mut Context<'_>) -> Poll<LinkEvent> {
        loop {
            match &mut self.stage {
                Stage::Over => return Poll::Ready(LinkEvent::Over(None)),
                Stage::Closing(connection) => {
                    // Our close may wait behind what the server has not read.
                    let _ = connection.poll_flush(task);
                    let next = ready!(Pin::new(connection.as_mut()).poll_next(task));
                    if matches!(next, Some(Ok(Message::Close(_)) | Err(_)) | None) {
                        return Poll::Ready(self.over(None));
                    }
                }
                Stage::Dialling(dial) => {
                    let dialled = ready!(dial.as_mut().poll(task));
                    return Poll::Ready(match dialled {
                        Ok(connection) => self.open(connection),
                        Err(error) => self.over(Some(error)),
                    });
                }
                Stage::Open(_) => return self.exchange(task),
            }
        }
    }

    fn open(&mut self, connection: Connection) -> LinkEvent {
        self.stage = Stage::Open(Box::new(connection));
        // Nothing is written to it yet that this could be too much for.
        let _ = self.ping(Instant::now());
        LinkEvent::Opened
    }

    /// Writes, then reads until something happened or nothing is left.
    fn exchange(&mut self, task: &mut Context<'_>) -> Poll<LinkEvent> {
        if let Err(error) = self.settle() {
            return Poll::Ready(self.lost(&error));
        }
        loop {
            if let Err(error) = self.flush(task) {
                return Poll::Ready(self.lost(&error));
            }
            if self.read == READ_AT_ONCE {
                // The call works through these first.
                task.waker().wake_by_ref();
                return Poll::Pending;
            }
            match ready!(self.read(task)) {
                Some(Ok(message)) => {
                    self.read += 1;
                    if let Some(event) = self.message(message) {
                        return Poll::Ready(event);
                    }
                }
                Some(Err(error)) => return Poll::Ready(self.lost(&error)),
                None => return Poll::Ready(self.lost(&"the model's connection ended")),
            }
        }
    }

    /// After a move: the socket becomes this thread's, and whatever was being written goes on here.
    fn settle(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.arrived)
            && let Stage::Open(connection) = &mut self.stage
        {
            connection.get_mut().rehome()?;
            self.dirty = true;
        }
        Ok(())
    }

    /// The next message, and that something may be left to read. Whatever comes is a sign of life.
    fn read(&mut self, task: &mut Context<'_>) -> Poll<Option<Result<Message, Error>>> {
        let Stage::Open(connection) = &mut self.stage else { return Poll::Pending };
        if !self.unread && connection.get_ref().poll_readable(task).is_pending() {
            return Poll::Pending;
        }
        let next = Pin::new(connection.as_mut()).poll_next(task);
        self.unread = next.is_ready();
        if matches!(next, Poll::Ready(Some(Ok(_)))) {
            self.unanswered = None;
        }
        next
    }

    fn message(&mut self, message: Message) -> Option<LinkEvent> {
        match message {
            Message::Text(text) => Some(LinkEvent::Text(text)),
            Message::Binary(bytes) => Some(Utf8Bytes::try_from(bytes).map_or(LinkEvent::Junk, LinkEvent::Text)),
            Message::Ping(_) | Message::Frame(_) => {
                // The answer is in the write buffer.
                self.dirty = true;
                None
            }
            Message::Pong(number) if number[..] == self.pings.to_be_bytes() => {
                Some(LinkEvent::Pong(self.pinged.elapsed()))
            }
            Message::Pong(_) => None,
            Message::Close(frame) => Some(self.over(Some(dial::closed(frame.as_ref())))),
        }
    }

    fn lost(&mut self, why: &dyn std::fmt::Display) -> LinkEvent {
        self.over(Some(DialError::Failed(why.to_string())))
    }

    fn over(&mut self, why: Option<DialError>) -> LinkEvent {
        self.stage = Stage::Over;
        LinkEvent::Over(why)
    }

    /// Puts a message into the write buffer; it leaves with the next flush.
    pub(super) fn write(&mut self, message: Message) -> Result<(), Error> {
        let Stage::Open(connection) = &mut self.stage else { return Ok(()) };
        self.dirty = true;
        Pin::new(connection.as_mut()).start_send(message)
    }

    /// Whether there is room for more caller audio: if not, the server does not read.
    pub(super) const fn has_room(&self) -> bool {
        self.unsent <= UNSENT_AUDIO
    }

    /// Writes caller audio. False when it had to be dropped: the server does not read.
    pub(super) fn write_audio(&mut self, text: &str) -> bool {
        let Stage::Open(connection) = &mut self.stage else { return true };
        self.unsent += text.len();
        self.dirty = true;
        connection.write_text(text)
    }

    /// Closes it. False when there is nobody whose answer is to be awaited: it is over.
    pub(super) fn close(&mut self) -> bool {
        let close = self.write(Message::Close(None));
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Open(connection) if close.is_ok() => {
                self.stage = Stage::Closing(connection);
                true
            }
            _ => false,
        }
    }

    /// Sends what is in the write buffer, as far as the socket takes it.
    fn flush(&mut self, task: &mut Context<'_>) -> Result<(), Error> {
        let Stage::Open(connection) = &mut self.stage else { return Ok(()) };
        if self.dirty {
            match connection.poll_flush(task) {
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

    /// The same, outside of the leg's own turn. A socket that came from another thread waits for that turn.
    pub(super) fn flush_here(&mut self, task: &mut Context<'_>) -> Result<(), Error> {
        if self.arrived { Ok(()) } else { self.flush(task) }
    }

    /// The regular look after it: the end, if it has come to that.
    pub(super) fn beat(&mut self, now: Instant, task: &mut Context<'_>) -> Option<LinkEvent> {
        match self.stage {
            Stage::Dialling(_) => None,
            Stage::Closing(_) | Stage::Over => Some(self.over(None)),
            Stage::Open(_) => {
                let alive = self.look(now).and_then(|()| self.flush(task).map_err(|error| error.to_string()));
                alive.err().map(|why| self.lost(&why))
            }
        }
    }

    /// Is the other side alive, and is it time to ask? The error is for the record.
    fn look(&mut self, now: Instant) -> Result<(), String> {
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
            self.unanswered.get_or_insert(now);
            self.ping(now).map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    /// Asks the other side for a sign of life.
    fn ping(&mut self, now: Instant) -> Result<(), Error> {
        (self.pinged, self.pings) = (now, self.pings.wrapping_add(1));
        self.write(Message::Ping(Bytes::copy_from_slice(&self.pings.to_be_bytes())))
    }
}

#[cfg(test)]
mod tests;
