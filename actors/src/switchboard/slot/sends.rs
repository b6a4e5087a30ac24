//! What [`super::Home`] decides, sent under its lock, so that nothing overtakes anything.

use std::thread;

use actix::Addr;
use protocol::call::io::{CallerCommand, CallerEvent, Control, Input};

use super::CallSlot;
use crate::admission::Phase;
use crate::call_actor::{Attach, CallActor, Deliver};
use crate::caller_leg::{CallerLeg, Command, Publish, Superseded};
use crate::media::MediaRefusal;
use crate::relocate::Coming;
use crate::switchboard::home::{Caller, Routed, Started};
use crate::switchboard::registry::Presence;
use crate::sync::lock;

/// What a media socket gets when its `start` was taken.
pub(crate) enum Attached {
    /// The call is on this arbiter.
    Here(Addr<CallActor>),
    /// It is on its way: somebody must run it here.
    Coming(Coming),
}

impl CallSlot {
    /// Where the call is, as a token's bearer may know it.
    pub(crate) fn phase(&self) -> Phase {
        lock(&self.state).home.phase()
    }

    /// The media socket, if the stream has begun.
    pub(crate) fn caller(&self) -> Option<Addr<CallerLeg>> {
        lock(&self.state).home.caller()
    }

    /// The call's actor, if it has one.
    pub(crate) fn actor(&self) -> Option<Addr<CallActor>> {
        lock(&self.state).home.actor()
    }

    /// Gives a control to whichever actor runs the call, now or when there is one again.
    pub(crate) fn control(&self, control: Control) {
        self.deliver(Input::Control(control));
    }

    /// Tells the call something that comes from neither of its sockets.
    pub(crate) fn deliver(&self, input: Input) {
        match lock(&self.state).home.control(input) {
            Routed::To(call, input) => call.do_send(Deliver(input)),
            Routed::Held => {}
            Routed::Dropped => metrics::counter!("callgate_controls_dropped_total").increment(1),
        }
    }

    /// A media socket was opened for this call: of two before the `start`, the newest wins.
    pub(crate) fn wait_for_start(&self, leg: Addr<CallerLeg>) {
        if let Some(older) = lock(&self.state).home.wait_for_start(leg) {
            older.do_send(Superseded);
        }
    }

    /// A media socket that is about to take the place of the one there is: it stays when that one goes.
    pub(crate) fn stop_waiting(&self, leg: &Addr<CallerLeg>) {
        lock(&self.state).home.stop_waiting(leg);
    }

    /// A media socket got its `start`: the call becomes live on the current arbiter.
    pub(crate) fn attach(&self, leg: &Addr<CallerLeg>) -> Result<Attached, MediaRefusal> {
        // Held beyond the lock: should nobody else have it by now, the call ends with it, and that takes the lock.
        let presence = lock(&self.state).presence.upgrade();
        let started = self.start(leg, presence.as_deref())?;
        let presence = presence.ok_or(MediaRefusal::Over)?;
        Ok(match started {
            Started::Here(call) => Attached::Here(call),
            Started::Elsewhere(call) => Attached::Coming(Coming::from_actor(&call, presence)),
            Started::Nowhere => Attached::Coming(Coming::from_history(presence)),
        })
    }

    fn start(
        &self,
        leg: &Addr<CallerLeg>,
        presence: Option<&Presence>,
    ) -> Result<Started<Addr<CallActor>>, MediaRefusal> {
        let mut state = lock(&self.state);
        state.home.check_start(leg)?;
        if !presence.ok_or(MediaRefusal::Over)?.is_seated() {
            return Err(MediaRefusal::PlaceLost);
        }
        let started = state.home.start(leg.clone(), thread::current().id());
        if let Started::Here(call) = &started {
            call.do_send(Attach(leg.clone()));
        }
        Ok(started)
    }

    /// An actor of the call is about to run on this arbiter: everyone who waited for it learns so.
    /// False, and nothing is told, when the call was taken to another arbiter and this is not where it arrives.
    pub(crate) fn publish(&self, call: &Addr<CallActor>, arriving: bool) -> bool {
        let mut state = lock(&self.state);
        let Some(taken) = state.home.take(call.clone(), thread::current().id(), arriving) else { return false };
        taken.last.into_iter().for_each(|event| call.do_send(Deliver(event)));
        match taken.caller {
            Caller::Awaited => {}
            Caller::Here(leg) => leg.do_send(Publish(call.clone())),
            Caller::Gone => call.do_send(Deliver(Input::Caller(CallerEvent::Gone))),
        }
        taken.controls.into_iter().for_each(|control| call.do_send(Deliver(control)));
        true
    }

    /// The call's actor is gone. False when the call has been taken to another arbiter meanwhile.
    pub(crate) fn withdraw(&self, gone: &Addr<CallActor>) -> bool {
        lock(&self.state).home.withdraw(gone)
    }

    /// The media socket of the call is gone, and this is what no actor has heard of it. The call is told, now or when it has an actor again.
    pub(crate) fn caller_gone(&self, last: Vec<Input>) {
        if let Some((call, last)) = lock(&self.state).home.caller_gone(last) {
            let all = last.into_iter().chain([Input::Caller(CallerEvent::Gone)]);
            all.for_each(|event| call.do_send(Deliver(event)));
        }
    }

    /// Closes every media socket of the call, so that the carrier's flow goes on.
    pub(crate) fn hang_up(&self) {
        let legs = lock(&self.state).home.hang_up();
        legs.into_iter().for_each(|leg| leg.do_send(Command(CallerCommand::Close)));
    }
}
