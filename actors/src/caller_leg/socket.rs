//! The connection of a media socket: one task that reads, lets the actor work, and writes, with nothing between them.
//!
//! actix-http would serve a WebSocket as a request whose body does not end and an answer whose body does not end: through buffers of its own for
//! each connection, 32 KiB each way, and with a turn of the whole connection for every step. Here what is read comes from a buffer that the thread's
//! connections share, and what the actor wrote goes straight to the kernel.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use actix_http::ws::Codec;
use actix_web::error::PayloadError;
use actix_web_actors::ws::WebsocketContext;
use bytes::{Buf, Bytes, BytesMut};
use futures_util::Stream;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::{CallerLeg, LONGEST_MESSAGE, Noted};
use crate::read_buffer::ReadBuffer;

/// The longest head of a client's frame.
const HEAD: usize = 14;
/// For the last bytes of a socket, and for its peer to close it.
const CLOSE_WITHIN: Duration = Duration::from_secs(1);

/// A media socket that was let in. Its handshake is answered; its connection is still to come.
pub(super) struct MediaSocket(CallerLeg);

impl MediaSocket {
    pub(super) const fn new(leg: CallerLeg) -> Self {
        Self(leg)
    }

    /// Answers the handshake and carries the socket until it is closed, on the thread that this is polled by. `early` came right behind the
    /// handshake.
    pub(super) async fn serve<S>(self, socket: S, early: Bytes, mut answer: BytesMut)
    where
        S: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let noted = Rc::clone(&self.0.noted);
        let wire = Wire { socket, incoming: Incoming::new(&early), noted, left: Bytes::new() };
        let wire = Rc::new(RefCell::new(wire));
        // HTTP's buffers are not kept for a call's whole life.
        drop(early);
        {
            let frames = Frames(Rc::clone(&wire));
            let mut leg = pin!(WebsocketContext::with_codec(self.0, frames, Codec::new().max_size(LONGEST_MESSAGE)));
            // The actor has begun when its peer hears of the handshake: of two sockets of a call, the newer one is known to be that.
            let first = poll_fn(|task| Poll::Ready(leg.as_mut().poll_next(task))).await;
            if let Poll::Ready(Some(Ok(bytes))) = first {
                answer.extend_from_slice(&bytes);
            }
            wire.borrow_mut().left = Bytes::copy_from_slice(&answer);
            drop(answer);
            poll_fn(|task| turn(&wire, leg.as_mut(), task)).await;
        }
        if let Some(wire) = Rc::into_inner(wire) {
            let _ = tokio::time::timeout(CLOSE_WITHIN, wire.into_inner().close()).await;
        }
    }
}

/// The socket, and what is on its way between it and the actor.
struct Wire<S> {
    socket: S,
    incoming: Incoming,
    /// Written by the actor, and not taken by the kernel yet.
    left: Bytes,
    noted: Rc<Noted>,
}

/// What was read, and is given to the actor frame by frame: it keeps what it is given, and is to keep no more than a message.
struct Incoming {
    bytes: ReadBuffer,
    /// Bytes that the frame at the head of `bytes` takes, as far as that is known.
    wanted: usize,
    /// The actor has a frame to decode, and asks again when it has done so.
    given: bool,
}

/// One turn of the task. The actor is not asked while anything of it waits to be sent.
fn turn<S, L, E>(wire: &RefCell<Wire<S>>, mut leg: Pin<&mut L>, task: &mut Context<'_>) -> Poll<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
    L: Stream<Item = Result<Bytes, E>>,
{
    loop {
        if ready!(wire.borrow_mut().poll_flush(task)).is_err() {
            return Poll::Ready(());
        }
        let written = leg.as_mut().poll_next(task);
        let mut wire = wire.borrow_mut();
        match written {
            Poll::Ready(Some(Ok(bytes))) => {
                wire.left = bytes;
                // It did all that there was to do before it told what it wrote: to ask again would be another turn for nothing.
                if !wire.noted.stopped.get() && matches!(wire.poll_flush(task), Poll::Ready(Ok(()))) {
                    wire.incoming.rest();
                    return Poll::Pending;
                }
            }
            Poll::Ready(Some(Err(_)) | None) => return Poll::Ready(()),
            Poll::Pending => {
                wire.incoming.rest();
                return Poll::Pending;
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    fn poll_flush(&mut self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.left.is_empty() {
            match ready!(Pin::new(&mut self.socket).poll_write(task, &self.left))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.left.advance(written),
            }
        }
        self.left = Bytes::new();
        Pin::new(&mut self.socket).poll_flush(task)
    }

    /// The last bytes. What the peer still sends is read: a socket that is closed with bytes unread takes its last words back.
    async fn close(mut self) -> io::Result<()> {
        poll_fn(|task| self.poll_flush(task)).await?;
        self.socket.shutdown().await?;
        let mut unread = [0; 1024];
        while self.socket.read(&mut unread).await? > 0 {}
        Ok(())
    }
}

impl Incoming {
    fn new(early: &[u8]) -> Self {
        Self { bytes: ReadBuffer::new(early), wanted: HEAD, given: false }
    }

    /// The turn is over.
    fn rest(&mut self) {
        self.bytes.give_back(self.wanted);
    }

    /// Cuts off the first frame, once it is whole.
    fn frame(&mut self) -> Result<Option<Bytes>, TooLong> {
        let Some(length) = length(&self.bytes) else {
            self.wanted = HEAD;
            return Ok(None);
        };
        if length > HEAD + LONGEST_MESSAGE {
            return Err(TooLong);
        }
        self.wanted = length;
        Ok((self.bytes.len() >= self.wanted).then(|| self.bytes.split_to(self.wanted).freeze()))
    }
}

/// A frame that nobody waits for the end of.
struct TooLong;

/// How long the frame at the head of some bytes is, its head too. None until that much of the head is there; whether it is right is the actor's
/// codec's to say.
fn length(bytes: &[u8]) -> Option<usize> {
    let (&[_, second], rest) = bytes.split_first_chunk()?;
    let (head, payload) = match second & 0x7F {
        126 => (4, u16::from_be_bytes(*rest.first_chunk()?).into()),
        127 => (10, usize::try_from(u64::from_be_bytes(*rest.first_chunk()?)).unwrap_or(usize::MAX)),
        short => (2, usize::from(short)),
    };
    let mask = if second & 0x80 == 0 { 0 } else { 4 };
    Some(payload.saturating_add(head + mask))
}

/// The frames, for the actor's codec.
struct Frames<S>(Rc<RefCell<Wire<S>>>);

impl<S: AsyncRead + AsyncWrite + Unpin> Stream for Frames<S> {
    type Item = Result<Bytes, PayloadError>;

    /// One whole frame; then nothing, once, so that the codec decodes it before it asks for the next.
    fn poll_next(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut wire = self.0.borrow_mut();
        let Wire { socket, incoming, noted, .. } = &mut *wire;
        if std::mem::take(&mut incoming.given) {
            return Poll::Pending;
        }
        loop {
            match incoming.frame() {
                Ok(Some(frame)) => {
                    incoming.given = true;
                    return Poll::Ready(Some(Ok(frame)));
                }
                Ok(None) => {}
                Err(TooLong) => {
                    noted.too_long.set(true);
                    return Poll::Ready(Some(Err(PayloadError::Overflow)));
                }
            }
            match ready!(incoming.bytes.poll_read(incoming.wanted, socket, task)) {
                Ok(0) => return Poll::Ready(None),
                Ok(_) => {}
                Err(error) => return Poll::Ready(Some(Err(error.into()))),
            }
        }
    }
}

#[cfg(test)]
mod tests;
