//! What was read from a socket and is not told yet. The buffer is one that the connections of a thread share: it stays in the processor's cache,
//! and a connection keeps only what waits for its rest.

use std::cell::Cell;
use std::future::Future;
use std::io;
use std::ops::{Deref, DerefMut};
use std::pin::pin;
use std::task::{Context, Poll};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt};

/// A thread's buffer: some deltas of 250 ms, which are 18 KiB each.
const BUFFER: usize = 64 << 10;
/// At least so much is read at once, if it is there.
const ROOM: usize = BUFFER / 2;

thread_local! {
    /// The thread's buffer, while no connection reads into it.
    static SPARE: Cell<BytesMut> = Cell::default();
}

/// See the module.
#[derive(Debug)]
pub(crate) struct ReadBuffer {
    /// In the thread's buffer, or (what waits for its rest) in one of its own.
    bytes: BytesMut,
    /// `bytes` is the thread's.
    lent: bool,
}

impl ReadBuffer {
    /// `early` was read before.
    pub(crate) fn new(early: &[u8]) -> Self {
        Self { bytes: BytesMut::from(early), lent: false }
    }

    /// Reads on. `wanted` is how long what waits for its rest is going to be; a length that is only claimed is not believed: its place grows
    /// as it comes.
    pub(crate) fn poll_read<S: AsyncRead + Unpin>(
        &mut self,
        wanted: usize,
        socket: &mut S,
        task: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if self.bytes.is_empty() && !self.lent {
            (self.bytes, self.lent) = (SPARE.take(), true);
            // From its beginning, which was used last.
            self.bytes.reserve(BUFFER);
        }
        self.bytes.reserve(if self.lent { ROOM } else { wanted.saturating_sub(self.bytes.len()).clamp(1, BUFFER) });
        pin!(socket.read_buf(&mut self.bytes)).poll(task)
    }

    /// Leaves the buffer to the thread's other connections, with what there is in it copied out.
    pub(crate) fn give_back(&mut self, wanted: usize) {
        if !self.lent {
            return;
        }
        let mut part = BytesMut::new();
        if !self.bytes.is_empty() {
            part.reserve(wanted.min(BUFFER));
            part.extend_from_slice(&self.bytes);
        }
        let mut buffer = std::mem::replace(&mut self.bytes, part);
        buffer.clear();
        SPARE.set(buffer);
        self.lent = false;
    }
}

impl Deref for ReadBuffer {
    type Target = BytesMut;

    fn deref(&self) -> &BytesMut {
        &self.bytes
    }
}

impl DerefMut for ReadBuffer {
    fn deref_mut(&mut self) -> &mut BytesMut {
        &mut self.bytes
    }
}
