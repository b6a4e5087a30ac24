//! Buffers for the span of one message, shared by all connections of a thread: they stay in its cache, and a call holds none.

use std::cell::RefCell;

/// See the module. Nothing lasts from one use to the next.
#[derive(Default)]
pub(super) struct Scratch {
    /// Audio in the server's format.
    pub(super) audio: Vec<u8>,
    /// Audio between two converters.
    pub(super) pcm: Vec<u8>,
    /// A message as written.
    pub(super) text: String,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// Lends the thread's buffers. Not to be asked for again within.
pub(super) fn with<R>(work: impl FnOnce(&mut Scratch) -> R) -> R {
    SCRATCH.with(|scratch| match scratch.try_borrow_mut() {
        Ok(mut scratch) => work(&mut scratch),
        Err(_) => work(&mut Scratch::default()),
    })
}
