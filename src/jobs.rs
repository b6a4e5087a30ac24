//! Work that may wait and must not be lost: fetching recordings, telling clients of their calls.
//!
//! What is to be done is a row of `jobs`, written in the same transaction as what it follows from. Here the rows are worked: on the
//! runtime of the background and never on a call's arbiter, a bounded number of each kind at once, each under a lease that is renewed while it
//! runs. A job may be run again after it was done (a worker dies between the work and the word of it), so a [`Handler`] must not mind.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

mod housekeeping;
mod retry;
mod run;
mod worker;

#[cfg(test)]
mod tests;

pub use crate::store::{Job, NewJob};
pub use retry::RetryPolicy;

use crate::store::{Store, StoreError};
use run::Work;
use worker::Worker;

/// Why an attempt failed. The words are stored and shown: no secret, no phone number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JobError {
    /// Another attempt may do better.
    #[error("{0}")]
    Retry(String),
    /// No attempt will.
    #[error("{0}")]
    GiveUp(String),
    /// No attempt will as the settings are: it waits, for as long as one that was given up is kept, until somebody mends them.
    #[error("{0}")]
    Park(String),
}

impl From<StoreError> for JobError {
    fn from(error: StoreError) -> Self {
        Self::Retry(error.to_string())
    }
}

/// Does the jobs of one kind.
pub trait Handler: Send + Sync + 'static {
    /// The kind.
    const KIND: &'static str;
    /// How many are done at once on a node.
    const AT_ONCE: usize;
    /// How long a job is tried.
    const PATIENCE: RetryPolicy;

    /// Does the job. It may be dropped at any `await` when its lease is lost or its time is over, and run again.
    fn run(&self, job: &Job) -> impl Future<Output = Result<(), JobError>> + Send;

    /// The attempt failed, and there will be another: whoever waits is told why here. It may be told twice.
    fn put_off(&self, _job: &Job, _why: &str) -> impl Future<Output = Result<(), StoreError>> + Send {
        async { Ok(()) }
    }

    /// The job is about to be given up: whoever waits for it is told here. It may be told twice.
    fn given_up(&self, _job: &Job, _why: &str) -> impl Future<Output = Result<(), StoreError>> + Send {
        async { Ok(()) }
    }
}

/// Is told of every attempt at a job.
pub trait Watcher: Send + Sync + 'static {
    /// It went so, between these times.
    fn ran<'a>(
        &'a self,
        job: &'a Job,
        outcome: &'static str,
        times: (DateTime<Utc>, DateTime<Utc>),
    ) -> BoxFuture<'a, ()>;
}

/// The handlers of a node, before they start.
pub struct Runner {
    store: Store,
    node: String,
    handlers: Vec<Arc<dyn Work>>,
    watcher: Option<Arc<dyn Watcher>>,
}

/// How far the way down has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Working,
    /// No new job is taken.
    Draining,
    /// What still runs is dropped, and its lease given back.
    Leaving,
}

impl Runner {
    /// Nobody works yet: name the handlers, then start.
    #[must_use]
    pub fn new(store: Store, node: impl Into<String>) -> Self {
        Self { store, node: node.into(), handlers: Vec::new(), watcher: None }
    }

    /// Adds the handler of a kind.
    #[must_use]
    pub fn with(mut self, handler: impl Handler) -> Self {
        self.handlers.push(Arc::new(handler));
        self
    }

    /// Tells somebody of every attempt.
    #[must_use]
    pub fn watched_by(mut self, watcher: impl Watcher) -> Self {
        self.watcher = Some(Arc::new(watcher));
        self
    }

    /// Starts working, on a runtime that carries no calls.
    #[must_use]
    pub fn start(self, runtime: &Handle) -> Running {
        let Self { store, node, handlers, watcher } = self;
        let worker = format!("{node}/{}", uuid::Uuid::now_v7());
        let (stage, told) = watch::channel(Stage::Working);
        let kinds: Vec<&'static str> = handlers.iter().map(|handler| handler.kind()).collect();
        let mut benches = JoinSet::new();
        for handler in handlers {
            let worker = Worker::new(store.clone(), (&node, &worker), handler, watcher.clone());
            benches.spawn_on(worker.work(told.clone()), runtime);
        }
        benches.spawn_on(housekeeping::keep(store, kinds, told), runtime);
        Running { stage, benches }
    }
}

/// Jobs that are being worked. Dropped, it stops at once; its leases then run out by themselves.
pub struct Running {
    stage: watch::Sender<Stage>,
    benches: JoinSet<()>,
}

/// What giving leases back may take.
const LEAVING: Duration = Duration::from_secs(2);

impl Running {
    /// Takes no new job, waits up to `patience` for those that run, and gives back the leases of the rest.
    pub async fn stop(mut self, patience: Duration) {
        self.stage.send_replace(Stage::Draining);
        if timeout(patience, Self::gone(&mut self.benches)).await.is_ok() {
            return;
        }
        self.stage.send_replace(Stage::Leaving);
        if timeout(LEAVING, Self::gone(&mut self.benches)).await.is_err() {
            tracing::warn!(target: "jobs", "leases could not be given back: they run out by themselves");
        }
    }

    async fn gone(benches: &mut JoinSet<()>) {
        while benches.join_next().await.is_some() {}
    }
}
