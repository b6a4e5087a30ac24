//! Where a call's actor is, which media socket is its caller's, and who has to hear what when either changes.
//!
//! Pure: an address is whatever the driver has, and every method says what is to be sent. It is to be sent before the next method is called:
//! that keeps controls in order.

use std::thread::ThreadId;

use protocol::call::io::Input;

use crate::admission::Phase;
use crate::media::MediaRefusal;

/// Controls kept for a call that is between two actors. One hang-up is enough to end it.
const CONTROLS_HELD: usize = 16;

/// Of one call: `A` is an actor's address, `S` a media socket's, `T` what an actor is told.
#[derive(Debug)]
pub(super) struct Home<A, S, T = Input> {
    place: Place<A>,
    /// Controls for the next actor, in order. Empty while there is one.
    held: Vec<T>,
    /// The newest media socket that has not sent its `start`.
    waiting: Option<S>,
    caller: Caller<S>,
    /// What a socket that went still had to say to the next actor, in order.
    last: Vec<T>,
}

/// Where the call's actor is.
#[derive(Debug)]
enum Place<A> {
    /// On this thread's arbiter.
    At(ThreadId, A),
    /// Between two actors of one arbiter: it starts, or starts again.
    Between,
    /// On its way to another arbiter.
    Moving,
}

/// The media socket of the call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Caller<S> {
    /// None has sent its `start`.
    Awaited,
    /// This one has.
    Here(S),
    /// It was here.
    Gone,
}

/// What becomes of a control.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Routed<A, T> {
    /// It goes to this actor.
    To(A, T),
    /// It goes to the next one.
    Held,
    /// Too many wait for the next one.
    Dropped,
}

/// What a socket that started the stream finds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Started<A> {
    /// The call is on this arbiter: this actor is to hear which socket is its caller's.
    Here(A),
    /// It is on another arbiter: this actor is to give it away, and it is to run here.
    Elsewhere(A),
    /// It has no actor: it is to run here, from its history.
    Nowhere,
}

/// What follows when an actor takes its call.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Taken<S, T> {
    /// What the actor is to be told first: what a socket that is gone still had to say.
    pub(super) last: Vec<T>,
    /// Then: a socket that is here is to hear which actor runs its call; the actor is to hear of one that is gone.
    pub(super) caller: Caller<S>,
    /// And then it is to be told this, in order.
    pub(super) controls: Vec<T>,
}

impl<A: Clone + PartialEq, S: Clone + PartialEq, T> Home<A, S, T> {
    /// A call whose first actor is about to start.
    pub(super) const fn new() -> Self {
        Self { place: Place::Between, held: Vec::new(), waiting: None, caller: Caller::Awaited, last: Vec::new() }
    }

    /// Whether the call has its stream.
    pub(super) const fn phase(&self) -> Phase {
        match self.caller {
            Caller::Awaited => Phase::Waiting,
            Caller::Here(_) | Caller::Gone => Phase::Live,
        }
    }

    /// The media socket, from its `start` until it is gone.
    pub(super) fn caller(&self) -> Option<S> {
        if let Caller::Here(socket) = &self.caller { Some(socket.clone()) } else { None }
    }

    /// The actor, if there is one.
    pub(super) fn actor(&self) -> Option<A> {
        if let Place::At(_, actor) = &self.place { Some(actor.clone()) } else { None }
    }

    /// Somebody tells the call something.
    pub(super) fn control(&mut self, control: T) -> Routed<A, T> {
        match &self.place {
            Place::At(_, actor) => Routed::To(actor.clone(), control),
            Place::Between | Place::Moving if self.held.len() < CONTROLS_HELD => {
                self.held.push(control);
                Routed::Held
            }
            Place::Between | Place::Moving => Routed::Dropped,
        }
    }

    /// What the next actor would have been told, of a call that went before there was one.
    pub(super) fn take_held(&mut self) -> Vec<T> {
        std::mem::take(&mut self.held)
    }

    /// A media socket was opened for the call. The one that is to hear that it was superseded: of two before the `start`, the newest wins.
    pub(super) fn wait_for_start(&mut self, socket: S) -> Option<S> {
        self.waiting.replace(socket)
    }

    /// A socket does not wait for its `start` any more.
    pub(super) fn stop_waiting(&mut self, socket: &S) {
        self.waiting.take_if(|waiting| waiting == socket);
    }

    /// Whether a socket that got its `start` may have the call.
    pub(super) fn check_start(&self, socket: &S) -> Result<(), MediaRefusal> {
        if self.phase() == Phase::Live {
            return Err(MediaRefusal::AlreadyStarted);
        }
        if self.waiting.as_ref().is_some_and(|waiting| waiting != socket) {
            return Err(MediaRefusal::Superseded);
        }
        Ok(())
    }

    /// It has it: the call belongs on this thread's arbiter from now on.
    pub(super) fn start(&mut self, socket: S, here: ThreadId) -> Started<A> {
        self.waiting = None;
        self.caller = Caller::Here(socket);
        match &self.place {
            Place::At(thread, actor) if *thread == here => return Started::Here(actor.clone()),
            _ => {}
        }
        match std::mem::replace(&mut self.place, Place::Moving) {
            Place::At(_, actor) => Started::Elsewhere(actor),
            Place::Between | Place::Moving => Started::Nowhere,
        }
    }

    /// An actor of the call is about to run on this thread's arbiter. None when it may not: the call was taken to another arbiter, and this
    /// is not where it arrives.
    pub(super) fn take(&mut self, actor: A, here: ThreadId, arriving: bool) -> Option<Taken<S, T>> {
        match (&self.place, arriving) {
            (Place::Moving, true) | (Place::Between, false) => {}
            _ => return None,
        }
        self.place = Place::At(here, actor);
        let (last, controls) = (std::mem::take(&mut self.last), std::mem::take(&mut self.held));
        Some(Taken { last, caller: self.caller.clone(), controls })
    }

    /// An actor died. False when the call is not its own any more.
    pub(super) fn withdraw(&mut self, dead: &A) -> bool {
        let own = matches!(&self.place, Place::At(_, actor) if actor == dead);
        if own {
            self.place = Place::Between;
        }
        own
    }

    /// The caller's socket is gone, and this is what no actor has heard of it. Who is to hear that, and then that it is gone; if there is no
    /// actor, the next one does.
    pub(super) fn caller_gone(&mut self, last: Vec<T>) -> Option<(A, Vec<T>)> {
        if !matches!(self.caller, Caller::Here(_)) {
            return None;
        }
        self.caller = Caller::Gone;
        match self.actor() {
            Some(actor) => Some((actor, last)),
            None => {
                self.last = last;
                None
            }
        }
    }

    /// The call is over, or its stream is: the sockets that are to be closed. It has no actor any more.
    pub(super) fn hang_up(&mut self) -> Vec<S> {
        (self.place, self.last) = (Place::Between, Vec::new());
        let caller = self.caller();
        if caller.is_some() {
            self.caller = Caller::Gone;
        }
        caller.into_iter().chain(self.waiting.take()).collect()
    }
}

#[cfg(test)]
mod tests;
