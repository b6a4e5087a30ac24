//! One job: run under a lease, and what becomes of it.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::{Handler, Job, JobError, RetryPolicy, Stage, Watcher};
use crate::store::{Store, StoreError};

/// How long a job is leased, and again each time it is renewed: so long it stays with a worker that died.
pub(super) const LEASE: Duration = Duration::from_secs(60);
const RENEW: Duration = Duration::from_secs(15);
/// A worker that could not renew lets go so long before the lease ends: clocks of two nodes differ.
const MARGIN: Duration = Duration::from_secs(15);
/// Between two tries to write down what became of a job.
const SETTLE: Duration = Duration::from_millis(500);

/// A [`Handler`] of any kind.
pub(super) trait Work: Send + Sync {
    fn kind(&self) -> &'static str;
    fn at_once(&self) -> usize;
    fn patience(&self) -> RetryPolicy;
    fn run<'a>(&'a self, job: &'a Job) -> BoxFuture<'a, Result<(), JobError>>;
    fn put_off<'a>(&'a self, job: &'a Job, why: &'a str) -> BoxFuture<'a, Result<(), StoreError>>;
    fn given_up<'a>(&'a self, job: &'a Job, why: &'a str) -> BoxFuture<'a, Result<(), StoreError>>;
}

impl<H: Handler> Work for H {
    fn kind(&self) -> &'static str {
        H::KIND
    }

    fn at_once(&self) -> usize {
        H::AT_ONCE
    }

    fn patience(&self) -> RetryPolicy {
        H::PATIENCE
    }

    fn run<'a>(&'a self, job: &'a Job) -> BoxFuture<'a, Result<(), JobError>> {
        Handler::run(self, job).boxed()
    }

    fn put_off<'a>(&'a self, job: &'a Job, why: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        Handler::put_off(self, job, why).boxed()
    }

    fn given_up<'a>(&'a self, job: &'a Job, why: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        Handler::given_up(self, job, why).boxed()
    }
}

/// What became of an attempt.
#[derive(Clone, Debug)]
enum Outcome {
    Done,
    Retry(String),
    GiveUp(String),
    Park(String),
    /// Somebody else has the job.
    Lost,
    /// This node stops.
    Released,
}

/// Runs a leased job to its end and writes down what became of it.
pub(super) async fn run(
    store: Store,
    handler: Arc<dyn Work>,
    job: Job,
    mut stage: watch::Receiver<Stage>,
    watcher: Option<Arc<dyn Watcher>>,
) {
    let began = Utc::now();
    let outcome = tokio::select! {
        outcome = attempt(&*handler, &job) => outcome,
        () = keep(&store, &job) => Outcome::Lost,
        _ = stage.wait_for(|stage| *stage == Stage::Leaving) => Outcome::Released,
    };
    tell(&job, &outcome);
    let name = match &outcome {
        Outcome::Done => "done",
        Outcome::Retry(_) => "retry",
        Outcome::GiveUp(_) => "given_up",
        Outcome::Park(_) => "parked",
        Outcome::Lost => "lost",
        Outcome::Released => "released",
    };
    metrics::counter!("callgate_jobs_total", "kind" => handler.kind(), "outcome" => name).increment(1);
    let times = (began, Utc::now());
    settled(&store, &*handler, &job, &outcome).await;
    // Behind the word of it: whoever watches holds up no job.
    if let Some(watcher) = watcher {
        watcher.ran(&job, name, times).await;
    }
}

/// Writes down what became of it, for as long as nobody else may have the job.
async fn settled(store: &Store, handler: &dyn Work, job: &Job, outcome: &Outcome) {
    // After that the lease is over, and the job is done again.
    let last = Instant::now() + LEASE - MARGIN;
    while let Err(error) = settle(store, handler, job, outcome).await {
        if Instant::now() >= last {
            tracing::error!(target: "jobs", kind = job.kind, key = job.key, %error, "what became of a job could not be written: it will be done again");
            return;
        }
        sleep(SETTLE).await;
    }
}

/// One attempt, within its time; a panic is an error like others.
async fn attempt(handler: &dyn Work, job: &Job) -> Outcome {
    let patience = handler.patience();
    // Counted before the attempt: a job that kills its worker every time is given up as well.
    if job.attempts > patience.most_attempts {
        let last = job.last_error.as_deref().unwrap_or("its workers died");
        return Outcome::GiveUp(format!("{last} (given up after {} attempts)", patience.most_attempts));
    }
    let result = match timeout(patience.one_attempt, AssertUnwindSafe(handler.run(job)).catch_unwind()).await {
        Ok(Ok(result)) => result,
        Ok(Err(panic)) => Err(JobError::Retry(format!("a fault of ours: {}", actors::panic_message(&*panic)))),
        Err(_) => Err(JobError::Retry(format!("it took longer than {} s", patience.one_attempt.as_secs()))),
    };
    let age = (Utc::now() - job.created_at).to_std().unwrap_or_default();
    match result {
        Ok(()) => Outcome::Done,
        Err(JobError::GiveUp(why)) => Outcome::GiveUp(why),
        Err(JobError::Park(why)) => Outcome::Park(why),
        Err(JobError::Retry(why)) if patience.lasts(job.attempts, age) => Outcome::Retry(why),
        Err(JobError::Retry(why)) => {
            let minutes = age.as_secs() / 60;
            Outcome::GiveUp(format!("{why} (given up after {} attempts in {minutes} min)", job.attempts))
        }
    }
}

/// Renews the lease for as long as it can be; resolves when it is lost, or as good as.
async fn keep(store: &Store, job: &Job) {
    let mut sure = Instant::now();
    loop {
        sleep(RENEW).await;
        let asked = Instant::now();
        match timeout(RENEW, store.renew_job(job, LEASE)).await {
            Ok(Ok(true)) => sure = asked,
            Ok(Ok(false)) => return,
            // The database is away: the lease holds for a while.
            Ok(Err(_)) | Err(_) if asked + RENEW < sure + LEASE - MARGIN => {}
            Ok(Err(_)) | Err(_) => return,
        }
    }
}

/// The one log line of an attempt that failed.
fn tell(job: &Job, outcome: &Outcome) {
    let Job { kind, key, attempts, .. } = job;
    match outcome {
        Outcome::Done | Outcome::Released => tracing::debug!(target: "jobs", kind, key, attempts, ?outcome, "ended"),
        Outcome::Retry(error) => {
            tracing::warn!(target: "jobs", kind, key, attempts, error, "a job failed and is tried again")
        }
        Outcome::GiveUp(error) => tracing::error!(target: "jobs", kind, key, attempts, error, "a job is given up"),
        Outcome::Park(error) => {
            tracing::warn!(target: "jobs", kind, key, attempts, error, "a job is parked until it is allowed")
        }
        Outcome::Lost => tracing::warn!(target: "jobs", kind, key, attempts, "a job's lease was lost"),
    }
}

/// Writes down what became of a job. Whoever waits for it is told first if it is put off or given up: a job in between is told again.
async fn settle(store: &Store, handler: &dyn Work, job: &Job, outcome: &Outcome) -> Result<(), StoreError> {
    match outcome {
        Outcome::Done => store.job_done(job).await?,
        Outcome::Retry(why) => {
            handler.put_off(job, why).await?;
            store.retry_job(job, why, Utc::now() + handler.patience().pause(job.attempts)).await?
        }
        Outcome::GiveUp(why) => {
            handler.given_up(job, why).await?;
            store.give_up_job(job, why).await?
        }
        Outcome::Park(why) => {
            handler.put_off(job, why).await?;
            store.park_job(job, why).await?
        }
        Outcome::Released => store.release_job(job).await?,
        Outcome::Lost => false,
    };
    Ok(())
}
