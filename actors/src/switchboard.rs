//! Admits, finds, drains and supervises calls.
//!
//! A call is admitted in a webhook's handler, and its model dialled, on whichever arbiter serves that webhook, so that the session is ready
//! when the media socket opens. That socket may be accepted by another arbiter; then the call moves over there, once: see `relocate.rs`.
//!
//! A call whose stream ended, and of which nobody said that it is over, is kept for a while without a place (`switchboard/kept.rs`): if it is
//! admitted again, it goes on from its history. A further stream while one is live shows that the live one is lost: the call is ended
//! there and comes back here.

mod busiest;
mod facts;
mod health;
mod home;
mod meters;
mod recent;
pub(crate) mod registry;
mod reservation;
mod seats;
mod slot;
mod streams;
pub(crate) mod supervise;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use actix_web::{HttpRequest, HttpResponse};
use protocol::call::end::Ended;
use protocol::call::io::Control;
use protocol::ids::CallSid;
use protocol::realtime::event::Usage;
use rustls::ClientConfig;

use crate::admission::{Admission, Admitted, Announced, Phase, Refusal};
use crate::admissions::Admissions;
use crate::call_actor::Origin;
use crate::caller_leg::CallerLeg;
use crate::fault::FaultInjector;
use crate::limits::Limits;
use crate::media::{MediaEntry, MediaRefusal};
use crate::model_leg::{ModelEndpoint, Target, client_tls};
use crate::recorder::Recorder;
pub use health::ModelHealth;
use meters::Meters;
use registry::{CallSlot, Registry};
pub use reservation::Reservation;

/// Every live call of this node. Clones are handles to the same one.
#[derive(Clone)]
pub struct Switchboard(Arc<Inner>);

struct Inner {
    endpoint: ModelEndpoint,
    tls: Option<Arc<ClientConfig>>,
    recorder: Arc<dyn Recorder>,
    admissions: Arc<dyn Admissions>,
    registry: Arc<Registry>,
    meters: Arc<Meters>,
}

impl Switchboard {
    /// A switchboard without calls. The process's metrics recorder must be installed by now.
    ///
    /// Whoever admits needs nothing of the switchboard: it says who may call, and the media socket that asked brings what it said here. So
    /// there is no cycle to break.
    #[must_use]
    pub fn new(
        endpoint: ModelEndpoint,
        limits: Limits,
        recorder: Arc<dyn Recorder>,
        admissions: Arc<dyn Admissions>,
    ) -> Self {
        let meters = Arc::new(Meters::new());
        let registry = Arc::new(Registry::new(limits, Arc::clone(&meters)));
        Self(Arc::new(Inner { endpoint, tls: client_tls(), recorder, admissions, registry, meters }))
    }

    /// The same, with a handle that makes actors of its calls fail: for tests and drills.
    #[must_use]
    pub fn with_faults(
        endpoint: ModelEndpoint,
        limits: Limits,
        recorder: Arc<dyn Recorder>,
        admissions: Arc<dyn Admissions>,
    ) -> (Self, FaultInjector) {
        let board = Self::new(endpoint, limits, recorder, admissions);
        (board.clone(), FaultInjector::new(board))
    }

    /// Says what a response of a model costs, millionths of a US dollar: what it is called, if it is not the node's, and what it used. The
    /// first who says so stays.
    pub fn price_by(&self, pricing: impl Fn(Option<&str>, &Usage) -> Option<u64> + Send + Sync + 'static) {
        let _ = self.0.meters.pricing.set(Box::new(pricing));
    }

    /// Gives a call its place and dials its model, on the current arbiter: its stream is still to come. The same call again changes
    /// nothing; one that was here and may return goes on from there.
    ///
    /// # Errors
    /// As [`Switchboard::reserve`].
    pub fn admit(&self, admission: Admission) -> Result<Admitted, Refusal> {
        self.admit_with(admission, false)
    }

    /// The same for a call whose stream is here: it does not have to wait.
    pub(crate) fn admit_with(&self, admission: Admission, has_stream: bool) -> Result<Admitted, Refusal> {
        if self.find(&admission.call_sid).is_some() {
            return Ok(Admitted { replayed: true });
        }
        Ok(self.reserve(&admission, has_stream)?.admit(admission))
    }

    /// A call that is here, or was and may come back, as it was admitted.
    #[must_use]
    pub fn admission(&self, call: &CallSid) -> Option<Admission> {
        self.find(call).or_else(|| self.0.registry.recent.find(call)).map(|slot| slot.admission())
    }

    /// Another gateway has a further stream of a call that this one has, or had, under that generation: here it is over, and nothing more
    /// is said of it.
    pub fn taken_over(&self, call: &CallSid, generation: i32) {
        let old = |slot: &Arc<CallSlot>| slot.generation <= generation;
        if let Some(slot) = self.find(call).filter(old) {
            slot.end_for_good();
            slot.control(Control::HangUp(Ended::TakenOver));
        }
        if self.0.registry.recent.find(call).as_ref().is_some_and(old) {
            drop(self.0.registry.recent.take(call));
        }
    }

    /// A call comes under a newer generation than it is here: it leaves first. What it came to here stays with the one that comes where the
    /// record says no more.
    pub(crate) async fn clear_way(&self, admission: &Admission) {
        let Some(old) = self.find(&admission.call_sid).filter(|old| old.generation < admission.generation) else {
            return;
        };
        if admission.returns.as_ref().is_some_and(|returns| returns.history.is_none()) {
            return self.loses_its_stream(&old).await;
        }
        old.control(Control::HangUp(Ended::TakenOver));
        self.0.registry.without(&old).await;
    }

    /// Whether a call was here and may come back: admitted again, it goes on from where it was left.
    #[must_use]
    pub fn may_return(&self, call: &CallSid) -> bool {
        self.left_in(call).is_some()
    }

    /// Where a call that may come back was when it left: whether it had its stream here.
    #[must_use]
    pub fn left_in(&self, call: &CallSid) -> Option<Phase> {
        self.0.registry.recent.find(call).map(|before| before.phase())
    }

    /// Which stream the URL of a call that is here is for; a URL lives so long.
    #[must_use]
    pub fn announce(&self, call: &CallSid, life: Duration) -> Option<Announced> {
        self.find(call).map(|slot| slot.announce(life, SystemTime::now()))
    }

    /// Whether a call that is here, or was just now, waits for that stream; none when it is not.
    #[must_use]
    pub fn awaits(&self, call: &CallSid, stream: u32) -> Option<bool> {
        self.find_kept(call).map(|slot| slot.awaits(stream))
    }

    /// Whether a further stream of a call was asked for so lately, and is awaited here, or has begun.
    #[must_use]
    pub fn has_just_returned(&self, call: &CallSid, lately: Duration) -> bool {
        self.find(call).is_some_and(|slot| slot.has_just_returned(lately, SystemTime::now()))
    }

    /// Gives a live call to a further stream of it: ends it where it is, and begins it here from what it came to.
    pub(crate) async fn replace(&self, old: &Arc<CallSlot>) -> Result<(), MediaRefusal> {
        self.loses_its_stream(old).await;
        self.recall(&old.sid)
    }

    /// Ends a call as if its socket had broken, so that it may come back.
    async fn loses_its_stream(&self, old: &Arc<CallSlot>) {
        // The second one for its caller's last words: they are not waited for.
        for _ in 0..2 {
            old.control(Control::HangUp(Ended::CallerHungUp { reason: None }));
        }
        self.0.registry.without(old).await;
    }

    /// Admits a call that was here as it was admitted before.
    fn recall(&self, call: &CallSid) -> Result<(), MediaRefusal> {
        let before = self.0.registry.recent.find(call).ok_or(MediaRefusal::Over)?;
        let admission = before.admission();
        let place = self.reserve(&admission, true).map_err(MediaRefusal::NoRoom)?;
        place.seat(admission, before.target.clone());
        Ok(())
    }

    /// The call of a media socket. One that left after its further stream was asked for is back with it.
    pub(crate) fn find_or_recall(&self, call: &CallSid) -> Option<Arc<CallSlot>> {
        let asked_for = || self.0.registry.recent.find(call).is_some_and(|before| before.disarm());
        if self.find(call).is_none() && asked_for() && self.recall(call).is_err() {
            return None;
        }
        self.find(call)
    }

    fn find_kept(&self, call: &CallSid) -> Option<Arc<CallSlot>> {
        self.find(call).or_else(|| self.0.registry.recent.find(call).filter(|before| before.is_armed()))
    }

    /// A call that was here does not come back.
    pub fn forget_return(&self, call: &CallSid) {
        drop(self.0.registry.recent.take(call));
    }

    /// Keeps no call for its return any more: the node stops.
    pub fn forget_returns(&self) {
        self.0.registry.recent.clear();
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

    /// Upgrades a media socket: [`answer_upgrade`](crate::answer_upgrade) sends the answer, and serves the socket. Whose it is was
    /// checked, or is by the `start` event.
    ///
    /// # Errors
    /// When the request is not a WebSocket handshake, or its token's call is over or has a stream already.
    pub fn media(&self, request: &HttpRequest, entry: MediaEntry) -> actix_web::Result<HttpResponse> {
        if let MediaEntry::Token(call) = &entry {
            let refusal = match self.find_kept(call).map(|slot| slot.takes_start()) {
                Some(true) => None,
                Some(false) => Some(MediaRefusal::AlreadyStarted),
                None => Some(MediaRefusal::NoSuchCall),
            };
            if let Some(why) = refusal {
                self.0.meters.refused.increment(1);
                self.0.admissions.refused(Some(call), &why);
                return Err(actix_web::error::ErrorForbidden(why));
            }
        }
        CallerLeg::new(self.clone(), entry).upgrade(request)
    }

    /// Ends a call, or its stream, as the reason has it. False when it is not here.
    pub fn end(&self, call: &CallSid, ended: Ended) -> bool {
        let (here, for_good) = (self.find(call), !ended.is_provisional());
        if for_good {
            here.iter().for_each(|slot| slot.end_for_good());
        }
        let told = here.map(|slot| slot.control(Control::HangUp(ended))).is_some();
        if for_good {
            // Behind the mark on the slot, so that a call on its way out is not missed.
            drop(self.0.registry.recent.take(call));
        }
        told
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

    /// The call that has the place of that number.
    #[must_use]
    pub fn call_in_place(&self, number: u64) -> Option<CallSid> {
        self.0.registry.all().into_iter().find(|slot| slot.seat.number() == number).map(|slot| slot.sid.clone())
    }

    /// Calls that this node may have.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.0.registry.seats.limit()
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

    pub(crate) fn find(&self, call: &CallSid) -> Option<Arc<CallSlot>> {
        self.0.registry.find(call)
    }

    pub(crate) fn admissions(&self) -> &Arc<dyn Admissions> {
        &self.0.admissions
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
