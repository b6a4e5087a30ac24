//! The model connections of one call.

use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;

use actix::{Addr, Context};
use futures_util::FutureExt;
use protocol::call::io::{ConnId, ModelCommand};
use protocol::realtime::command::ClientEvent;
use tracing::Instrument;

use super::budget::Budget;
use super::{Command, LegState, ModelLeg};
use crate::call_actor::CallActor;
use crate::recorder::{Step, SupervisorEvent};
use crate::switchboard::registry::CallSlot;
use crate::switchboard::supervise::panic_message;

/// Commands a leg may have waiting.
const MAILBOX: usize = 256;

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
            ModelCommand::Send(ClientEvent::Append(_), _) => {
                if leg.try_send(Command(command)).is_err() {
                    self.slot.meters.dropped.append.increment(1);
                }
            }
            ModelCommand::Close => {
                leg.do_send(Command(command));
                self.forget(conn);
            }
            _ => leg.do_send(Command(command)),
        }
    }

    /// Starts the leg of a connection.
    pub(crate) fn open(&mut self, me: &Addr<CallActor>, conn: ConnId, state: Box<LegState>) {
        let (slot, budget) = (Arc::clone(&self.slot), Budget::new());
        let leg = ModelLeg { slot, call: me.clone(), conn, budget, state: Some(state), cause: Rc::default() };
        self.open.push((conn, leg.start_watched()));
    }

    /// All connections: they are somebody else's to end.
    pub(crate) fn take_all(&mut self) -> impl Iterator<Item = (ConnId, Addr<ModelLeg>)> {
        self.open.drain(..)
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

impl ModelLeg {
    /// Starts the leg, and logs how it ends.
    fn start_watched(self) -> Addr<Self> {
        let (slot, conn, known) = (Arc::clone(&self.slot), self.conn.0, Rc::clone(&self.cause));
        let span = slot.span.clone();
        let mut ctx = Context::new();
        ctx.set_mailbox_capacity(MAILBOX);
        let mut leg = ctx.into_future(self);
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
