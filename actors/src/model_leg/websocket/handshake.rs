//! A socket during its handshake, of which no more is read than the answer's head: what came right behind it is kept.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::WebSocket;
use crate::model_leg::dial::Socket;

/// What ends a head.
const END: &[u8] = b"\r\n\r\n";

/// See the module.
#[derive(Debug)]
pub(in crate::model_leg) struct Handshake {
    socket: Socket,
    /// Bytes of [`END`] that came last.
    ending: usize,
    early: Vec<u8>,
}

impl Handshake {
    pub(in crate::model_leg) const fn new(socket: Socket) -> Self {
        Self { socket, ending: 0, early: Vec::new() }
    }

    /// The handshake is done.
    pub(in crate::model_leg) fn done(self) -> WebSocket {
        WebSocket::new(self.socket, &self.early)
    }

    /// How many of these bytes belong to the head.
    fn of_head(&mut self, bytes: &[u8]) -> usize {
        for (at, byte) in bytes.iter().enumerate() {
            if self.ending == END.len() {
                return at;
            }
            self.ending = if *byte == END[self.ending] { self.ending + 1 } else { usize::from(*byte == END[0]) };
        }
        bytes.len()
    }
}

impl AsyncRead for Handshake {
    fn poll_read(mut self: Pin<&mut Self>, task: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.socket).poll_read(task, buf))?;
        let head = before + self.of_head(&buf.filled()[before..]);
        self.early.extend_from_slice(&buf.filled()[head..]);
        buf.set_filled(head);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Handshake {
    fn poll_write(mut self: Pin<&mut Self>, task: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(task, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(task)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(task)
    }
}
