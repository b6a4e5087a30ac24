//! What is told of the jobs as a whole, and the end of those that are over.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use super::Stage;
use crate::store::{Store, StoreError};

const COUNT: Duration = Duration::from_secs(10);
/// Every so many counts, finished jobs are looked through.
const FORGET_EVERY: u32 = 360;
/// How long a job that was done is known as done.
const DONE_FOR: TimeDelta = TimeDelta::days(7);
/// How long one that was given up can be looked at, or one that is parked can be mended.
const FAILED_FOR: TimeDelta = TimeDelta::days(90);

/// Counts what waits, and forgets what is long over, until told to stop.
pub(super) async fn keep(store: Store, kinds: Vec<&'static str>, mut stage: watch::Receiver<Stage>) {
    let mut tick = interval(COUNT);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for round in 0u32.. {
        tokio::select! {
            _ = stage.wait_for(|stage| *stage != Stage::Working) => return,
            _ = tick.tick() => {}
        }
        // A database that is away is told of elsewhere; the figures then stay as they were.
        let _ = count(&store, &kinds).await;
        if round.is_multiple_of(FORGET_EVERY) {
            let now = Utc::now();
            let _ = store.forget_jobs(now - DONE_FOR, now - FAILED_FOR).await;
        }
    }
}

async fn count(store: &Store, kinds: &[&'static str]) -> Result<(), StoreError> {
    let waiting = store.waiting_jobs().await?;
    for kind in kinds {
        let found = waiting.iter().find(|waiting| waiting.kind == *kind);
        let count = found.map_or(0, |found| found.count);
        let age = found.map_or(0.0, |found| (Utc::now() - found.oldest).as_seconds_f64().max(0.0));
        metrics::gauge!("callgate_jobs_waiting", "kind" => *kind).set(count as f64);
        metrics::gauge!("callgate_jobs_oldest_seconds", "kind" => *kind).set(age);
    }
    let parked = store.parked_jobs(kinds.to_vec()).await?;
    for kind in kinds {
        let count = parked.iter().find(|(parked, _)| parked == kind).map_or(0, |(_, count)| *count);
        metrics::gauge!("callgate_jobs_parked", "kind" => *kind).set(count as f64);
    }
    Ok(())
}
