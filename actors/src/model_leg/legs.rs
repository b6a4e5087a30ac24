//! The model connections of one call.

use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;

use actix::{Addr, Context};
use futures_util::FutureExt;
use protocol::call::io::{ConnId, ModelCommand};
use tracing::Instrument;

use super::budget::Budget;
use super::shared::Shared;
use super::{Close, LegState, ModelLeg};
use crate::call_actor::CallActor;
use crate::recorder::{Step, SupervisorEvent};
use crate::switchboard::registry::CallSlot;
use crate::switchboard::supervise::panic_message;

/// The connections of one call: one, or two while a session is replaced. They end with whoever holds this.
pub(crate) struct Legs {
    slot: Arc<CallSlot>,
    open: Vec<Open>,
}

struct Open {
    conn: ConnId,
    leg: Addr<ModelLeg>,
    connection: Shared,
    /// Something was said that was not flushed.
    dirty: bool,
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
        let Some(open) = self.open.iter_mut().find(|open| open.conn == conn) else { return };
        if command == ModelCommand::Close {
            open.leg.do_send(Close(None));
            return self.forget(conn);
        }
        let Some(mut state) = open.connection.state() else { return };
        open.dirty = true;
        match state.command(&command) {
            Ok(true) => {}
            Ok(false) => self.slot.meters.dropped.append.increment(1),
            Err(error) => open.leg.do_send(Close(Some(error.to_string()))),
        }
    }

    /// Sends what was said since the last time.
    pub(crate) fn flush(&mut self) {
        for open in self.open.iter_mut().filter(|open| open.dirty) {
            open.dirty = false;
            open.connection.flush();
        }
    }

    /// Starts the leg of a connection.
    pub(crate) fn open(&mut self, me: &Addr<CallActor>, conn: ConnId, state: Box<LegState>) {
        let (slot, budget, connection) = (Arc::clone(&self.slot), Budget::new(), Shared::new(state));
        let (call, theirs) = (me.clone(), connection.clone());
        let leg = ModelLeg { slot, call, conn, budget, connection: theirs, cause: Rc::default() }.start_watched();
        self.open.push(Open { conn, leg, connection, dirty: false });
    }

    /// All connections: they are somebody else's to end.
    pub(crate) fn take_all(&mut self) -> impl Iterator<Item = (ConnId, Addr<ModelLeg>)> {
        self.open.drain(..).map(|open| (open.conn, open.leg))
    }

    /// A connection was closed, or said that it is.
    pub(crate) fn forget(&mut self, conn: ConnId) {
        self.open.retain(|open| open.conn != conn);
    }

    /// The newest connection.
    pub(crate) fn newest(&self) -> Option<&Addr<ModelLeg>> {
        self.open.last().map(|open| &open.leg)
    }
}

impl Drop for Legs {
    fn drop(&mut self) {
        self.open.iter().for_each(|open| open.leg.do_send(Close(None)));
    }
}

impl ModelLeg {
    /// Starts the leg, and logs how it ends.
    fn start_watched(self) -> Addr<Self> {
        let (slot, conn, known) = (Arc::clone(&self.slot), self.conn.0, Rc::clone(&self.cause));
        let span = slot.span.clone();
        let mut leg = Context::new().into_future(self);
        let address = leg.address();
        let watched = async move {
            let count = Some(u64::from(conn));
            let began = SupervisorEvent { step: Step::Start, actor: "ModelLeg", cause: None, count, fault: false };
            slot.supervised(began);
            let panic = AssertUnwindSafe(&mut leg).catch_unwind().await.err();
            let cause = panic.map(|panic| format!("panicked: {}", panic_message(&*panic)));
            let fault = cause.is_some();
            let cause = cause.or(known.take()).unwrap_or_else(|| "its call is over".to_owned());
            slot.supervised(SupervisorEvent { step: Step::Stop, cause: Some(&cause), fault, ..began });
        };
        actix_rt::spawn(watched.instrument(span));
        address
    }
}
