//! What is on record of one call, and who is told of it.

use std::sync::{Arc, Mutex, OnceLock};
use std::time::SystemTime;

use protocol::call::Clock;
use protocol::call::end::Ended;
use protocol::call::fact::Fact;
use protocol::call::history::History;
use protocol::ids::CallSid;

use super::meters::{Meters, Told};
use crate::recorder::{AudioSink, Recorder, Step, SupervisorEvent};
use crate::sync::lock;

/// The facts of one call: every one goes to its history, the metrics, the recorder and the sink. Outlives the actors that tell them.
pub(super) struct FactLog {
    sid: CallSid,
    client: String,
    /// The client's own; none: the node's.
    model: Option<String>,
    meters: Arc<Meters>,
    recorder: Arc<dyn Recorder>,
    /// Where what each side hears goes, if it is recorded.
    sink: Option<Arc<dyn AudioSink>>,
    clock: Clock,
    history: Mutex<History>,
    ended: OnceLock<Ended>,
}

impl FactLog {
    pub(super) fn new(
        (sid, client, model): (CallSid, String, Option<String>),
        meters: Arc<Meters>,
        recorder: Arc<dyn Recorder>,
        sink: Option<Arc<dyn AudioSink>>,
        clock: Clock,
        history: History,
    ) -> Self {
        Self { sid, client, model, meters, recorder, sink, clock, history: Mutex::new(history), ended: OnceLock::new() }
    }

    /// Puts a fact on record. The end of a call is recorded once.
    pub(super) fn record(&self, fact: &Fact) {
        let mut history = lock(&self.history);
        // Nothing happens after the end: of an actor that was still on its way to another arbiter it would open the row again.
        match fact {
            Fact::Ended(ended) if self.ended.set(ended.clone()).is_ok() => {}
            _ if self.ended.get().is_some() => return,
            _ => {}
        }
        history.apply(fact);
        let started = history.started();
        let told = Told { call: &self.sid, client: &self.client, model: self.model.as_deref() };
        self.meters.fact(told, fact);
        self.recorder.record(&self.sid, SystemTime::now(), fact);
        drop(history);
        match (fact, &self.sink) {
            // Whether it is over for good is known when the call is gone.
            (Fact::Left(_) | Fact::Ended(_), Some(sink)) => sink.paused(),
            (Fact::MediaStarted { rate, wall, .. }, Some(sink)) => {
                let wall = started.unwrap_or(*wall);
                sink.began(*rate, Clock { now: self.clock.moment(wall), wall });
            }
            _ => {}
        }
    }

    /// One line of log for an event of the call's supervision, and its record.
    pub(super) fn supervised(&self, event: SupervisorEvent<'_>) {
        let (call_sid, SupervisorEvent { step, actor, cause, count, fault }) = (&self.sid, event);
        let name = step.name();
        match (step, fault) {
            (Step::GiveUp, _) => {
                tracing::error!(target: "supervisor", %call_sid, actor, event = name, cause, count);
            }
            (_, true) => tracing::warn!(target: "supervisor", %call_sid, actor, event = name, cause, count),
            (_, false) => tracing::info!(target: "supervisor", %call_sid, actor, event = name, cause, count),
        }
        self.recorder.supervised(&self.sid, SystemTime::now(), &event);
    }

    /// A snapshot of the facts so far.
    pub(super) fn history(&self) -> History {
        lock(&self.history).clone()
    }

    /// Lets go of words older than so many turns; about what is left takes of memory, bytes.
    pub(super) fn rest(&self, turns: usize) -> usize {
        let mut history = lock(&self.history);
        history.forget_words(turns);
        history.weight()
    }

    /// Why the caller left, while only their last words are awaited.
    pub(super) fn left(&self) -> Option<Ended> {
        lock(&self.history).left().cloned()
    }

    /// How the call ended, once that is on record.
    pub(super) fn ended(&self) -> Option<&Ended> {
        self.ended.get()
    }

    /// Whether the stream's start is on record.
    pub(super) fn media_started(&self) -> bool {
        lock(&self.history).stream().is_some()
    }

    /// What takes the call's sound.
    pub(super) const fn sink(&self) -> Option<&Arc<dyn AudioSink>> {
        self.sink.as_ref()
    }
}
