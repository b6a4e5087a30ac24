//! Calls whose stream ended and that may come back: what they came to so far, for a while and within bounds.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, Weak};

use metrics::{counter, gauge};
use protocol::call::COMES_BACK_WITHIN;
use protocol::ids::CallSid;
use tokio::runtime::Handle;

use super::registry::{CallSlot, Registry};
use crate::sync::lock;

/// What all histories together may take; beyond it the oldest are forgotten. A thousand long calls take a third of it.
const MOST_BYTES: usize = 64 << 20;

/// A call that left.
pub(crate) struct RecentCall {
    slot: Arc<CallSlot>,
    /// Tells one stay of a call from the next.
    id: u64,
    weight: usize,
    back: bool,
}

impl RecentCall {
    /// The call is back, and its recording goes on with it.
    pub(crate) fn come_back(mut self) -> Arc<CallSlot> {
        self.back = true;
        Arc::clone(&self.slot)
    }
}

impl Drop for RecentCall {
    fn drop(&mut self) {
        if !self.back {
            self.slot.sink().iter().for_each(|sink| sink.ended());
        }
    }
}

/// All of them.
pub(crate) struct RecentCalls {
    /// As many as may be live.
    most: usize,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    calls: HashMap<CallSid, RecentCall>,
    /// Oldest first; some are gone by now.
    order: VecDeque<(u64, CallSid)>,
    bytes: usize,
    ids: u64,
}

impl Held {
    fn take(&mut self, call: &CallSid) -> Option<RecentCall> {
        let kept = self.calls.remove(call)?;
        self.bytes -= kept.weight;
        Some(kept)
    }

    fn take_stay(&mut self, call: &CallSid, id: u64) -> Option<RecentCall> {
        if self.calls.get(call).is_some_and(|kept| kept.id == id) { self.take(call) } else { None }
    }

    /// Leaves no more than there may be: what had to go.
    fn bounded(&mut self, most: usize) -> Vec<RecentCall> {
        let mut gone = Vec::new();
        while self.calls.len() > most || self.bytes > MOST_BYTES {
            let Some((id, call)) = self.order.pop_front() else { break };
            gone.extend(self.take_stay(&call, id));
        }
        while self.order.front().is_some_and(|(id, call)| self.calls.get(call).is_none_or(|kept| kept.id != *id)) {
            self.order.pop_front();
        }
        gone
    }
}

impl RecentCalls {
    pub(crate) fn new(most: usize) -> Self {
        Self { most, held: Mutex::default() }
    }

    /// A call that is kept.
    pub(crate) fn find(&self, call: &CallSid) -> Option<Arc<CallSlot>> {
        lock(&self.held).calls.get(call).map(|kept| Arc::clone(&kept.slot))
    }

    /// Takes a call that comes back, or is over for good.
    pub(crate) fn take(&self, call: &CallSid) -> Option<RecentCall> {
        let mut held = lock(&self.held);
        let kept = held.take(call);
        gauge!("callgate_calls_kept").set(held.calls.len() as f64);
        kept
    }

    /// Keeps a call until it comes back, but no longer than it may.
    pub(crate) fn keep(&self, slot: Arc<CallSlot>, registry: Weak<Registry>) {
        let (call, weight) = (slot.sid.clone(), slot.rest());
        let mut held = lock(&self.held);
        held.ids += 1;
        let id = held.ids;
        let before = held.take(&call);
        held.bytes += weight;
        held.order.push_back((id, call.clone()));
        held.calls.insert(call.clone(), RecentCall { slot, id, weight, back: false });
        let gone = held.bounded(self.most);
        gauge!("callgate_calls_kept").set(held.calls.len() as f64);
        // Their recordings end, which is nobody's to wait for.
        drop(held);
        drop(before);
        counter!("callgate_calls_forgotten_total").increment(gone.len() as u64);
        // Without a runtime the process is on its way out, and the registry with it.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                tokio::time::sleep(COMES_BACK_WITHIN).await;
                if let Some(registry) = registry.upgrade() {
                    registry.recent.expire(&call, id);
                }
            });
        }
    }

    fn expire(&self, call: &CallSid, id: u64) {
        let mut held = lock(&self.held);
        let gone = (held.take_stay(call, id), held.bounded(self.most));
        gauge!("callgate_calls_kept").set(held.calls.len() as f64);
        drop(held);
        drop(gone);
    }

    /// Lets go of all of them: the node stops.
    pub(crate) fn clear(&self) {
        let held = std::mem::take(&mut *lock(&self.held));
        gauge!("callgate_calls_kept").set(0.0);
        drop(held);
    }
}
