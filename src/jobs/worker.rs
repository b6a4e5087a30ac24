//! The place where the jobs of one kind are done.

use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use super::run::{LEASE, Work, run};
use super::{Job, Stage, Watcher};
use crate::store::{Store, StoreError};

/// How often jobs are looked for that another node added; of our own we are told.
const POLL: Duration = Duration::from_secs(3);
/// Jobs that come together are looked for once.
const GATHER: Duration = Duration::from_millis(25);
/// How long a database that is away is left alone.
const AWAY: Duration = Duration::from_secs(3);

pub(super) struct Worker {
    store: Store,
    node: String,
    worker: String,
    handler: Arc<dyn Work>,
    watcher: Option<Arc<dyn Watcher>>,
    running: JoinSet<()>,
    away: bool,
}

impl Worker {
    pub(super) fn new(
        store: Store,
        (node, worker): (&str, &str),
        handler: Arc<dyn Work>,
        watcher: Option<Arc<dyn Watcher>>,
    ) -> Self {
        let (node, worker) = (node.to_owned(), worker.to_owned());
        Self { store, node, worker, handler, watcher, running: JoinSet::new(), away: false }
    }

    /// Takes what is due and does it, until told to stop; then waits for what runs.
    pub(super) async fn work(mut self, mut stage: watch::Receiver<Stage>) {
        let mut added = self.store.due_jobs();
        while *stage.borrow_and_update() == Stage::Working {
            added.mark_unchanged();
            let again = self.take(&stage).await;
            let has_room = self.has_room();
            tokio::select! {
                // The sender is gone when the whole runner was dropped.
                told = stage.changed() => if told.is_err() { return },
                Ok(()) = added.changed(), if has_room => sleep(GATHER).await,
                Some(_) = self.running.join_next() => {}
                () = sleep_until(again), if has_room => {}
            }
        }
        while self.running.join_next().await.is_some() {}
    }

    fn has_room(&self) -> bool {
        self.running.len() < self.handler.at_once()
    }

    /// Takes what is due and starts it; answers when to look again.
    async fn take(&mut self, stage: &watch::Receiver<Stage>) -> Instant {
        let pause = match self.lease().await {
            Ok((jobs, pause)) => {
                self.away = false;
                for job in jobs {
                    let (store, handler) = (self.store.clone(), Arc::clone(&self.handler));
                    self.running.spawn(run(store, handler, job, stage.clone(), self.watcher.clone()));
                }
                pause
            }
            Err(error) => {
                if !std::mem::replace(&mut self.away, true) {
                    tracing::error!(target: "jobs", kind = self.handler.kind(), %error, "jobs cannot be taken up");
                }
                AWAY
            }
        };
        Instant::now() + pause
    }

    /// Jobs that are due, and how long until there may be more. Whether there are any is asked first: it costs no write.
    async fn lease(&mut self) -> Result<(Vec<Job>, Duration), StoreError> {
        while self.running.try_join_next().is_some() {}
        let free = self.handler.at_once().saturating_sub(self.running.len());
        let kind = self.handler.kind();
        let asked = Instant::now();
        let due = if free > 0 { self.store.next_job(kind, &self.node).await? } else { None };
        // Where very much waits, looking takes its time: it never takes more than a tenth of it.
        let rest = asked.elapsed() * 9;
        let Some(due) = due else { return Ok((Vec::new(), POLL.max(rest))) };
        if let Ok(wait) = (due - Utc::now()).to_std() {
            return Ok((Vec::new(), wait.min(POLL).max(rest)));
        }
        let limit = i64::try_from(free).unwrap_or(i64::MAX);
        let jobs = self.store.lease_jobs(&self.worker, kind, &self.node, limit, LEASE).await?;
        // Others may be due behind these; if another node was quicker, there is no hurry.
        let pause = if jobs.is_empty() { POLL } else { rest };
        Ok((jobs, pause))
    }
}
