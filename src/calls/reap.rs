//! Calls whose gateway died: ended for it, once its lease ran out. Every gateway looks.
//!
//! An outage of the database must reap none: a gateway looks only once it has had its own lease without a gap for as long as a lease is,
//! so that the others have had the time to renew theirs. Which calls a gateway of the version before has is not known: there a call's
//! age decides.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use protocol::ids::CallSid;
use tokio::time::{Instant, sleep};

use super::lease::{Lease, Steady};
use super::writer::RecordWriter;
use crate::store::{LostCall, NodeId, Store, StoreError};

/// Beyond the longest call: until its media stream begins, between the clocks of two nodes, until its end is written.
const MARGIN: Duration = Duration::from_secs(300);
/// Looks in the time of a lease.
const LOOKS: u32 = 4;
/// Calls ended in one transaction.
const AT_ONCE: usize = 64;
/// Between two looks for gateways that are gone for good.
const FORGET_EVERY: Duration = Duration::from_secs(3600);

/// Ends the calls that no gateway has any more.
pub struct Reaper<L> {
    store: Store,
    recorder: RecordWriter,
    node: NodeId,
    lease: Duration,
    steady: Steady,
    max_call: Duration,
    is_live: L,
    /// A look that failed: like an outage.
    failed_at: Option<Instant>,
    forgot_at: Option<Instant>,
}

impl<L: Fn(&CallSid) -> bool + Send + Sync> Reaper<L> {
    /// Of a store whose nodes let no call last longer than that. A call of this gateway of which `is_live` holds goes on, whatever the
    /// clock says.
    #[must_use]
    pub fn new(store: Store, recorder: RecordWriter, lease: &Lease, max_call: Duration, is_live: L) -> Self {
        let (node, steady, lease) = (lease.node().clone(), lease.steady(), lease.length());
        Self { store, recorder, node, lease, steady, max_call, is_live, failed_at: None, forgot_at: None }
    }

    /// Looks again and again, for ever.
    pub async fn keep(mut self) {
        loop {
            sleep(self.lease / LOOKS).await;
            while self.round(Instant::now()).await == AT_ONCE {}
        }
    }

    /// Looks once, if that tells anything now; says how many calls were ended.
    async fn round(&mut self, now: Instant) -> usize {
        if !self.is_settled(now) {
            return 0;
        }
        match self.reap(now).await {
            Ok(ended) => {
                self.failed_at = None;
                ended
            }
            Err(error) => {
                // A database that is away is told of once.
                if self.failed_at.replace(now).is_none() {
                    tracing::warn!(%error, "calls whose gateway stopped cannot be looked for: tried again");
                }
                0
            }
        }
    }

    /// Whether this gateway, and so every other that lives, has had the time to say so.
    fn is_settled(&self, now: Instant) -> bool {
        let since = |at: Instant| now.saturating_duration_since(at) >= self.lease;
        self.steady.borrow().is_some_and(since) && self.failed_at.is_none_or(since)
    }

    async fn reap(&mut self, now: Instant) -> Result<usize, StoreError> {
        if self.forgot_at.is_none_or(|at| now.saturating_duration_since(at) >= FORGET_EVERY) {
            self.store.forget_nodes().await?;
            self.forgot_at = Some(now);
        }
        let lost = self.lost().await?;
        self.end(lost).await
    }

    async fn lost(&self) -> Result<Vec<LostCall>, StoreError> {
        let age = TimeDelta::from_std(self.max_call.saturating_add(MARGIN)).unwrap_or(TimeDelta::MAX);
        let Some(before) = Utc::now().checked_sub_signed(age) else { return Ok(Vec::new()) };
        let mut calls = self.store.lost_calls(&self.node, before, AT_ONCE as i64).await?;
        // Older than a call can be: somebody set the clock.
        calls.retain(|call| {
            call.owner.as_ref().is_some_and(|owner| *owner != self.node) || !(self.is_live)(&call.call_sid)
        });
        Ok(calls)
    }

    async fn end(&self, lost: Vec<LostCall>) -> Result<usize, StoreError> {
        if lost.is_empty() {
            return Ok(0);
        }
        // What this node still has to tell of an end goes first.
        if !self.recorder.flush().await {
            return Err(StoreError::Away("the record still waits for it".to_owned()));
        }
        let ended = self.store.end_lost_calls(&self.node, lost).await?.len();
        if ended > 0 {
            metrics::counter!("callgate_calls_reaped_total").increment(ended as u64);
            tracing::warn!(
                calls = ended,
                "these calls are ended: the gateways that had them stopped, and nobody told of their end"
            );
        }
        Ok(ended)
    }
}

#[cfg(test)]
mod tests;
