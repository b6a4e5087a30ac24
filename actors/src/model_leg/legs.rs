//! The model connections of one call.

use std::rc::Rc;
use std::sync::Arc;

use actix::Addr;
use protocol::call::io::{ConnId, ModelCommand};
use protocol::realtime::command::ClientEvent;

use super::budget::Budget;
use super::link::LegState;
use super::{Command, ModelLeg, Yield};
use crate::call_actor::CallActor;
use crate::switchboard::registry::CallSlot;

/// The connections of one call: one, or two while a session is replaced. They end with whoever holds this.
pub(crate) struct Legs {
    slot: Arc<CallSlot>,
    open: Vec<(ConnId, Addr<ModelLeg>)>,
}

impl Legs {
    pub(crate) fn new(slot: Arc<CallSlot>) -> Self {
        Self { slot, open: Vec::new() }
    }

    /// Does what a call wants of a connection; `me` is the call.
    pub(crate) fn command(&mut self, me: &Addr<CallActor>, conn: ConnId, command: ModelCommand) {
        if command == ModelCommand::Dial {
            let state = LegState::dialling(self.slot.target.clone());
            return self.open(me, conn, Box::new(state));
        }
        let Some((_, leg)) = self.open.iter().find(|(id, _)| *id == conn) else { return };
        match command {
            ModelCommand::Send(ClientEvent::Append(_)) => {
                if leg.try_send(Command(command)).is_err() {
                    self.slot.meters.dropped_append.increment(1);
                }
            }
            ModelCommand::Close => {
                leg.do_send(Command(command));
                self.forget(conn);
            }
            _ => leg.do_send(Command(command)),
        }
    }

    /// Takes over a connection from another arbiter.
    pub(crate) fn adopt(&mut self, me: &Addr<CallActor>, conn: ConnId, mut state: Box<LegState>) {
        state.arrived = true;
        self.open(me, conn, state);
    }

    fn open(&mut self, me: &Addr<CallActor>, conn: ConnId, state: Box<LegState>) {
        let (slot, budget) = (Arc::clone(&self.slot), Budget::new());
        let leg = ModelLeg { slot, call: me.clone(), conn, budget, state: Some(state), cause: Rc::default() };
        self.open.push((conn, leg.start_watched()));
    }

    /// Asks every connection to come along. Each answers with [`Yielded`], or has said that it is closed.
    pub(crate) fn yield_all(&mut self) -> Vec<ConnId> {
        let yielding = self.open.drain(..).map(|(conn, leg)| {
            leg.do_send(Yield);
            conn
        });
        yielding.collect()
    }

    /// A connection said that it is closed.
    pub(crate) fn forget(&mut self, conn: ConnId) {
        self.open.retain(|(id, _)| *id != conn);
    }

    /// The newest connection.
    pub(crate) fn newest(&self) -> Option<&Addr<ModelLeg>> {
        self.open.last().map(|(_, leg)| leg)
    }
}

impl Drop for Legs {
    fn drop(&mut self) {
        self.open.iter().for_each(|(_, leg)| leg.do_send(Command(ModelCommand::Close)));
    }
}
