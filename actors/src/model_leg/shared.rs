//! A connection as its two owners have it, on one thread: the call writes to it in its own turn, and the leg's actor reads from it. So what a
//! caller says goes from the call to the socket without a turn of the leg's.

use std::cell::{RefCell, RefMut};
use std::rc::Rc;
use std::task::{Context, Waker};

use protocol::call::io::ModelCommand;
use protocol::realtime::command::ClientEvent;
use tokio_tungstenite::tungstenite::Error;

use super::LegState;
use super::send;

/// See the module.
#[derive(Clone)]
pub(super) struct Shared(Rc<RefCell<Inner>>);

struct Inner {
    /// None when it was given away, or its end was told.
    state: Option<Box<LegState>>,
    /// Of the leg's task, once it has looked at the connection for the first time.
    reader: Option<Waker>,
}

impl Shared {
    pub(super) fn new(state: Box<LegState>) -> Self {
        Self(Rc::new(RefCell::new(Inner { state: Some(state), reader: None })))
    }

    /// The connection, if it is still there.
    pub(super) fn state(&self) -> Option<RefMut<'_, LegState>> {
        RefMut::filter_map(self.0.borrow_mut(), |inner| inner.state.as_deref_mut()).ok()
    }

    /// Nobody has it from now on but who gets it here.
    pub(super) fn take(&self) -> Option<Box<LegState>> {
        self.0.borrow_mut().state.take()
    }

    /// Who reads from it, and hears when its socket has room again.
    pub(super) fn read_by(&self, task: &Context<'_>) {
        let reader = &mut self.0.borrow_mut().reader;
        if reader.as_ref().is_none_or(|reader| !reader.will_wake(task.waker())) {
            *reader = Some(task.waker().clone());
        }
    }

    /// Writes what is in the buffer, as far as the socket takes it. What is left, and what went wrong, is the reader's.
    pub(super) fn flush(&self) {
        let Inner { state: Some(state), reader: Some(reader) } = &mut *self.0.borrow_mut() else { return };
        if state.link.flush_here(&mut Context::from_waker(reader)).is_err() {
            reader.wake_by_ref();
        }
    }
}

impl LegState {
    /// Puts what the call wants said into the write buffer. False when it had to be dropped: the server does not read.
    pub(super) fn command(&mut self, command: &ModelCommand) -> Result<bool, Error> {
        match command {
            ModelCommand::CarrierRate(rate) => self.convert.set_carrier(*rate),
            ModelCommand::Send(ClientEvent::Append(pcm), _) => return Ok(self.append(pcm)),
            ModelCommand::Send(event, id) => self.link.write(send::event(&mut self.convert, event, *id))?,
            // These are the actor's.
            ModelCommand::Dial | ModelCommand::Close => {}
        }
        Ok(true)
    }

    pub(super) fn append(&mut self, pcm: &[u8]) -> bool {
        let Self { link, convert } = self;
        link.has_room() && send::audio(convert, pcm, |text| link.write_audio(text)).unwrap_or(true)
    }
}
