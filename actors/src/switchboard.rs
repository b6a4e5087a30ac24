//! Admits, finds, drains and supervises calls.
//!
//! A call is admitted in a webhook's handler, and its model dialled, on whichever arbiter serves that webhook. Its media
//! socket may be accepted by another one; then, at the `start` event, the call moves over there, so that nothing of a frame
//! ever crosses threads again:
//!
//! 1. The carrier's leg marks the call as moving (controls wait from then on) and asks its actor to detach.
//! 2. The actor asks each connection to yield; every leg answers with all there is of it, as its last message. Nothing is lost:
//!    what came earlier is ahead of the answer in the mailbox, and a frame read in part lies in the connection's own buffer.
//! 3. The call and its connections travel as plain data; a dial in progress does too, as the future it is. On the new arbiter
//!    a new actor takes them, the sockets are registered with that arbiter's reactor, and what the call said meanwhile is said.
//!
//! A call whose actor dies on the way is rebuilt from its history, like any other.

mod health;
mod meters;
pub(crate) mod registry;
mod seats;
pub(crate) mod supervise;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::{HttpRequest, HttpResponse, web};
use protocol::call::fact::Ended;
use protocol::call::io::Control;
use protocol::ids::CallSid;
use rustls::ClientConfig;

use crate::api::{Admission, Admitted, FrontDesk, Limits, MediaEntry, ModelEndpoint, Phase, Recorder, Refusal};
use crate::call_actor::Birth;
use crate::caller_leg::CallerLeg;
use crate::model_leg::{Target, client_tls};
pub use health::ModelHealth;
use meters::Meters;
use registry::{CallSlot, Registry};
use seats::Asked;
use supervise::Life;

/// Every live call of this node. Clones are handles to the same one.
#[derive(Clone)]
pub struct Switchboard(Arc<Inner>);

struct Inner {
    endpoint: ModelEndpoint,
    tls: Option<Arc<ClientConfig>>,
    recorder: Arc<dyn Recorder>,
    desk: Arc<dyn FrontDesk>,
    registry: Arc<Registry>,
    meters: Arc<Meters>,
}

/// A fault that a test or a drill asks for.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, actix::Message)]
#[rtype(result = "()")]
pub enum Fault {
    /// The call's actor panics.
    PanicCall,
    /// The call's actor stops.
    StopCall,
    /// The newest model connection's actor panics.
    PanicModel,
    /// The newest model connection's actor stops.
    StopModel,
}

impl Switchboard {
    /// A switchboard without calls. The process's metrics recorder must be installed by now.
    ///
    /// The desk needs nothing of the switchboard: it says who may call, and the media socket that asked it brings what it
    /// said here. So there is no cycle to break.
    #[must_use]
    pub fn new(endpoint: ModelEndpoint, limits: Limits, recorder: Arc<dyn Recorder>, desk: Arc<dyn FrontDesk>) -> Self {
        let meters = Arc::new(Meters::new());
        let registry = Arc::new(Registry::new(limits, Arc::clone(&meters)));
        Self(Arc::new(Inner { endpoint, tls: client_tls(), recorder, desk, registry, meters }))
    }

    /// Gives a call its place and dials its model, on the current arbiter: its stream is still to come. The same call again changes
    /// nothing.
    ///
    /// # Errors
    /// When the node or the client has all the calls it may have, or all that may wait, or the node is draining.
    pub fn admit(&self, admission: Admission) -> Result<Admitted, Refusal> {
        self.admit_with(admission, false)
    }

    /// The same for a call whose stream is here: it does not have to wait.
    pub(crate) fn admit_with(&self, admission: Admission, has_stream: bool) -> Result<Admitted, Refusal> {
        let target = Target::new(&self.0.endpoint, admission.model.as_deref(), self.0.tls.clone());
        match self.0.registry.admit(admission, target, Arc::clone(&self.0.recorder), has_stream)? {
            registry::Admitted::Replayed => Ok(Admitted { replayed: true }),
            registry::Admitted::Seated(presence) => {
                if let Some(life) = Life::begin(&presence.slot, Birth::New) {
                    supervise::start(presence, life);
                }
                Ok(Admitted { replayed: false })
            }
        }
    }

    /// Whether a call of that client would be admitted now: asked before a call is written down. [`Switchboard::admit`] decides.
    ///
    /// # Errors
    /// As there.
    pub fn check_room(&self, client: &str, max_concurrent: Option<u32>) -> Result<(), Refusal> {
        let asked = Asked { client, max_concurrent, wait: Some(Duration::ZERO) };
        self.0.registry.seats.check(asked, Instant::now())
    }

    /// Whether this node takes new calls at all.
    ///
    /// # Errors
    /// When it is draining or full.
    pub fn check_node(&self) -> Result<(), Refusal> {
        self.0.registry.seats.check_node(Instant::now())
    }

    /// How the model's provider does, as the calls of this node saw it.
    #[must_use]
    pub fn model_health(&self) -> ModelHealth {
        self.0.meters.health.now()
    }

    /// Where a call is; none when it is not here (any more).
    #[must_use]
    pub fn phase(&self, call: &CallSid) -> Option<Phase> {
        self.find(call).map(|slot| slot.phase())
    }

    /// Upgrades a media socket. Whose it is was checked, or is by the `start` event.
    ///
    /// # Errors
    /// When the request is not a WebSocket handshake, or its token's call is over or has a stream already.
    pub fn media(
        &self,
        request: &HttpRequest,
        body: web::Payload,
        entry: MediaEntry,
    ) -> actix_web::Result<HttpResponse> {
        if let MediaEntry::Token(call) = &entry {
            let problem = match self.phase(call) {
                Some(Phase::Waiting) => None,
                Some(Phase::Live) => Some("this call's media stream has started already"),
                None => Some("there is no such call (any more)"),
            };
            if let Some(problem) = problem {
                self.0.meters.refused.increment(1);
                self.0.desk.refused(Some(call), problem);
                return Err(actix_web::error::ErrorForbidden(problem));
            }
        }
        CallerLeg::new(self.clone(), entry).upgrade(request, body)
    }

    /// Ends a call. False when it is not here.
    pub fn end(&self, call: &CallSid, ended: Ended) -> bool {
        self.find(call).map(|slot| slot.control(Control::HangUp(ended))).is_some()
    }

    /// Ends every call of this moment; says how many.
    pub fn end_all(&self, ended: &Ended) -> usize {
        let calls = self.0.registry.all();
        calls.iter().for_each(|slot| slot.control(Control::HangUp(ended.clone())));
        calls.len()
    }

    /// Calls admitted and not ended, exactly.
    #[must_use]
    pub fn live(&self) -> usize {
        self.0.registry.seats.live()
    }

    /// Takes no new calls from now on. Those that are here go on to their end.
    pub fn drain(&self) {
        self.0.registry.drain();
    }

    /// Whether new calls are refused.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.0.registry.seats.is_draining()
    }

    /// Waits until no call is left; false when some were after `timeout`.
    pub async fn drained(&self, timeout: Duration) -> bool {
        tokio::time::timeout(timeout, self.0.registry.seats.emptied()).await.is_ok()
    }

    /// Makes an actor of a call fail. False when the call is not here, or between two actors.
    #[doc(hidden)]
    pub fn inject_fault(&self, call: &CallSid, fault: Fault) -> bool {
        let actor = self.find(call).and_then(|slot| slot.actor());
        actor.map(|actor| actor.do_send(fault)).is_some()
    }

    pub(crate) fn find(&self, call: &CallSid) -> Option<Arc<CallSlot>> {
        self.0.registry.find(call)
    }

    pub(crate) fn desk(&self) -> &Arc<dyn FrontDesk> {
        &self.0.desk
    }

    pub(crate) fn meters(&self) -> &Arc<Meters> {
        &self.0.meters
    }
}

impl fmt::Debug for Switchboard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Switchboard").field("live", &self.live()).finish_non_exhaustive()
    }
}
