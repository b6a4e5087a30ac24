//! Frames that go: written into a buffer of the thread's, which the connection holds until its socket has taken it all.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::AsyncWrite;
use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::OpCode;

use crate::model_leg::dial::Socket;

/// Held for a server that does not read: beyond a long prompt and a replayed history, but no more.
const WAITING: usize = 1 << 20;
/// A buffer that had to grow beyond it is not kept.
const KEPT: usize = 64 << 10;

thread_local! {
    /// The thread's buffer, while no connection has anything in it.
    static SPARE: Cell<Vec<u8>> = Cell::default();
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    bytes: Vec<u8>,
    /// Of these so many have left.
    left: usize,
}

impl Outgoing {
    /// Puts a frame behind what waits. False when there is no room: the other side does not read.
    pub(super) fn push(&mut self, opcode: OpCode, payload: &[u8]) -> bool {
        let mask = rand::random();
        let header = FrameHeader { opcode, mask: Some(mask), ..FrameHeader::default() };
        let length = payload.len() as u64;
        if self.bytes.len() - self.left + header.len(length) + payload.len() > WAITING {
            return false;
        }
        if self.bytes.capacity() == 0 {
            self.bytes = SPARE.take();
        }
        self.bytes.drain(..std::mem::take(&mut self.left));
        // To a vector nothing fails.
        let _ = header.format(length, &mut self.bytes);
        let begins = self.bytes.len();
        self.bytes.extend_from_slice(payload);
        apply(mask, &mut self.bytes[begins..]);
        true
    }

    /// Bytes that it keeps for itself.
    #[cfg(test)]
    pub(super) const fn held(&self) -> usize {
        self.bytes.capacity()
    }

    /// Sends what waits. Ready when all of it has left, and the buffer is the thread's again.
    pub(super) fn poll_flush(&mut self, socket: &mut Socket, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.left < self.bytes.len() {
            match ready!(Pin::new(&mut *socket).poll_write(task, &self.bytes[self.left..]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.left += written,
            }
        }
        let mut buffer = std::mem::take(&mut self.bytes);
        self.left = 0;
        if buffer.capacity() > 0 && buffer.capacity() <= KEPT {
            buffer.clear();
            SPARE.set(buffer);
        }
        Pin::new(socket).poll_flush(task)
    }
}

/// Masks a payload, as a client's have to be.
fn apply(mask: [u8; 4], payload: &mut [u8]) {
    let [a, b, c, d] = mask;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, rest) = payload.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
}
