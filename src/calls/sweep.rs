//! Calls whose gateway died: ended for it, once no gateway can have them any more.
//!
//! Which node has a call is written nowhere: names of nodes come twice when an old instance drains beside its successor. So a call's age
//! decides, and every node looks.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use protocol::ids::CallSid;
use tokio::time::sleep;

use super::writer::RecordWriter;
use crate::store::{Store, StoreError};

/// Beyond the longest call: until its media stream begins, between the clocks of two nodes, until its end is written.
const MARGIN: Duration = Duration::from_secs(300);
/// Between two looks.
const EVERY: Duration = Duration::from_secs(60);
/// The same when there are more.
const SOON: Duration = Duration::from_secs(1);
/// From the first answer of a database to the first call that is ended: nodes that kept a record while it was away write it meanwhile.
const SETTLING: Duration = Duration::from_secs(15);
/// Calls ended in one transaction.
const AT_ONCE: usize = 64;

/// Ends the calls that no gateway has any more.
pub struct Sweep<L> {
    store: Store,
    recorder: RecordWriter,
    max_call: Duration,
    is_live: L,
}

impl<L: Fn(&CallSid) -> bool + Send + Sync> Sweep<L> {
    /// Of a store whose nodes let no call last longer than that. A call of which `is_live` holds goes on here, whatever the clock says.
    #[must_use]
    pub fn new(store: Store, recorder: RecordWriter, max_call: Duration, is_live: L) -> Self {
        Self { store, recorder, max_call, is_live }
    }

    /// Looks every minute, for ever.
    pub async fn keep(self) {
        let mut settled = false;
        loop {
            let pause = match self.lost().await {
                Ok(_) if !settled => {
                    settled = true;
                    SETTLING
                }
                Ok(lost) => match self.end(lost).await {
                    Ok(AT_ONCE) => SOON,
                    Ok(_) => EVERY,
                    Err(error) => failed(&mut settled, &error),
                },
                Err(error) => failed(&mut settled, &error),
            };
            sleep(pause).await;
        }
    }

    /// Calls that are too old to go on anywhere.
    async fn lost(&self) -> Result<Vec<CallSid>, StoreError> {
        let age = TimeDelta::from_std(self.max_call.saturating_add(MARGIN)).unwrap_or(TimeDelta::MAX);
        let Some(before) = Utc::now().checked_sub_signed(age) else { return Ok(Vec::new()) };
        let mut calls = self.store.open_calls(before, AT_ONCE as i64).await?;
        // Older than a call can be: somebody set the clock.
        calls.retain(|call| !(self.is_live)(call));
        Ok(calls)
    }

    async fn end(&self, lost: Vec<CallSid>) -> Result<usize, StoreError> {
        if lost.is_empty() {
            return Ok(0);
        }
        // What this node still has to tell of an end goes first.
        if !self.recorder.flush().await {
            return Err(StoreError::Away("the record still waits for it".to_owned()));
        }
        let ended = self.store.end_lost_calls(lost).await?.len();
        if ended > 0 {
            tracing::warn!(
                calls = ended,
                "these calls are ended: the gateways that had them stopped, and nobody told of their end"
            );
        }
        Ok(ended)
    }
}

/// A database that is away is told of once.
fn failed(settled: &mut bool, error: &StoreError) -> Duration {
    if std::mem::take(settled) {
        tracing::warn!(%error, "calls whose gateway stopped cannot be looked for: tried again");
    }
    SETTLING
}

#[cfg(test)]
mod tests;
