//! Jobs: what still has to be done, and outlives the process that found out.
//!
//! A row is `waiting` until `run_at`, `running` while somebody has it on lease, and in the end `done` or `failed`; one that a setting
//! forbids is `parked`, and nobody waits for it, until it is put back in line. Whoever leases a job counts an attempt, and that number is the proof of the lease: what a worker says of a job that was taken over since changes
//! nothing. A worker that dies loses its leases when they run out, and the next one goes on from there.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::columns::{MaybeTime, Time, Word};
use super::schema::jobs;
use super::{Store, StoreError, query, transaction};

/// A job.
#[derive(Clone, PartialEq, Queryable, Selectable)]
pub struct Job {
    /// Row id; of two jobs of one ordering the smaller goes first.
    pub id: i64,
    /// What is to be done; decides who does it.
    pub kind: String,
    /// What it is done to; unique within the kind.
    pub key: String,
    /// What the doer needs to know.
    #[diesel(deserialize_as = Word<serde_json::Value>)]
    pub payload: serde_json::Value,
    /// Where it stands.
    #[diesel(deserialize_as = Word<JobStatus>)]
    pub status: JobStatus,
    /// Times it was taken up, the present one included.
    pub attempts: i32,
    /// Not before.
    #[diesel(deserialize_as = Time)]
    pub run_at: DateTime<Utc>,
    /// Why the last attempt failed, in words.
    pub last_error: Option<String>,
    /// When it was found out, or put back in line.
    #[diesel(deserialize_as = Time)]
    pub created_at: DateTime<Utc>,
    /// Who has it on lease.
    pub lease_owner: Option<String>,
    /// Until when.
    #[diesel(deserialize_as = MaybeTime)]
    pub leased_until: Option<DateTime<Utc>>,
    /// Jobs of one ordering are done one after the other, in the order in which they were added.
    pub ordering: Option<String>,
    /// The only node that can do it; none: any.
    pub node: Option<String>,
}

/// Without the payload: it may hold phone numbers.
impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job")
            .field("id", &self.id)
            .field("kind", &self.kind)
            .field("key", &self.key)
            .field("status", &self.status)
            .field("attempts", &self.attempts)
            .finish_non_exhaustive()
    }
}

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobStatus {
    /// To be done, not before `run_at`.
    Waiting,
    /// On lease.
    Running,
    /// Done; kept for a while, so that the same job is not done again.
    Done,
    /// Given up; `last_error` says why.
    Failed,
    /// Not allowed as the settings are, which `last_error` says; done once they are mended.
    Parked,
}

impl JobStatus {
    /// As stored.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Parked => "parked",
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        let all = [Self::Waiting, Self::Running, Self::Done, Self::Failed, Self::Parked];
        all.into_iter().find(|status| status.name() == name)
    }
}

/// A job to be added.
#[derive(Clone)]
pub struct NewJob {
    /// What is to be done.
    pub kind: &'static str,
    /// What it is done to; a second job of that kind and key is not added.
    pub key: String,
    /// What the doer needs to know.
    pub payload: serde_json::Value,
    /// Not before.
    pub run_at: DateTime<Utc>,
    /// Jobs of one ordering are done one after the other.
    pub ordering: Option<String>,
    /// The only node that can do it.
    pub node: Option<String>,
}

impl NewJob {
    /// A job for whichever node comes first, as soon as possible.
    #[must_use]
    pub fn new(kind: &'static str, key: impl Into<String>, payload: serde_json::Value) -> Self {
        Self { kind, key: key.into(), payload, run_at: Utc::now(), ordering: None, node: None }
    }

    /// Not before that time.
    #[must_use]
    pub fn at(self, run_at: DateTime<Utc>) -> Self {
        Self { run_at, ..self }
    }

    /// After all jobs of the same ordering that were added earlier.
    #[must_use]
    pub fn ordered(self, by: impl Into<String>) -> Self {
        Self { ordering: Some(by.into()), ..self }
    }
}

/// What waits of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The kind.
    pub kind: String,
    /// Waiting and running jobs.
    pub count: i64,
    /// When the oldest of them was added.
    pub oldest: DateTime<Utc>,
}

impl Store {
    /// Adds a job; false when there is one of that kind and key already, whatever became of it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn enqueue_job(&self, job: NewJob) -> Result<bool, StoreError> {
        query!(self, write, jobs::enqueue(&job))
    }

    /// Takes up to `limit` jobs of a kind that are due, waiting or with a lease that ran out, for `how_long`. Each is given to one
    /// worker only. `node` is where the worker is.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lease_jobs(
        &self,
        worker: &str,
        kind: &str,
        node: &str,
        limit: i64,
        how_long: Duration,
    ) -> Result<Vec<Job>, StoreError> {
        let (worker, kind, node) = (worker.to_owned(), kind.to_owned(), node.to_owned());
        let at = node.clone();
        let mut ids = query!(self, read, jobs::due(&kind, &at, limit))?;
        ids.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        transaction!(self, jobs::lease(&worker, &node, &ids, how_long))
    }

    /// When the next job of a kind is due on a node, or was; none when there is none that could be taken.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn next_job(&self, kind: &str, node: &str) -> Result<Option<DateTime<Utc>>, StoreError> {
        let (kind, node) = (kind.to_owned(), node.to_owned());
        query!(self, read, jobs::next(&kind, &node))
    }

    /// Keeps a lease for longer; false when it was lost.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn renew_job(&self, job: &Job, how_long: Duration) -> Result<bool, StoreError> {
        let held = (job.id, job.attempts);
        query!(self, write, jobs::renew(held, how_long))
    }

    /// The job is done; false when its lease was lost.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn job_done(&self, job: &Job) -> Result<bool, StoreError> {
        let held = (job.id, job.attempts);
        query!(self, write, jobs::finish(held, JobStatus::Done, None))
    }

    /// The attempt failed; the next one is not before `run_at`. False when the lease was lost.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn retry_job(&self, job: &Job, error: &str, run_at: DateTime<Utc>) -> Result<bool, StoreError> {
        let (held, error) = ((job.id, job.attempts), error.to_owned());
        query!(self, write, jobs::put_back(held, Some(&error), run_at))
    }

    /// Nobody shall try again; false when the lease was lost.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn give_up_job(&self, job: &Job, error: &str) -> Result<bool, StoreError> {
        let (held, error) = ((job.id, job.attempts), error.to_owned());
        query!(self, write, jobs::finish(held, JobStatus::Failed, Some(&error)))
    }

    /// Nobody shall try again as the settings are; false when the lease was lost.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn park_job(&self, job: &Job, why: &str) -> Result<bool, StoreError> {
        let (held, why) = ((job.id, job.attempts), why.to_owned());
        query!(self, write, jobs::finish(held, JobStatus::Parked, Some(&why)))
    }

    /// Puts parked jobs of a kind back in line, due now and as if they were new: those of these clients' calls, and those
    /// of nobody's. Answers with how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unpark_jobs(&self, kind: &'static str, of: Vec<i64>) -> Result<usize, StoreError> {
        query!(self, write, jobs::unpark(kind, &of))
    }

    /// Gives a lease back: somebody else may take the job at once. False when the lease was lost.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn release_job(&self, job: &Job) -> Result<bool, StoreError> {
        let held = (job.id, job.attempts);
        query!(self, write, jobs::put_back(held, None, Utc::now()))
    }

    /// Lets a job of a lost node be done by another, which has what it needs; false when there is no such job, or it is finished.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn move_job(&self, kind: &str, key: &str, node: &str) -> Result<bool, StoreError> {
        let (kind, key, node) = (kind.to_owned(), key.to_owned(), node.to_owned());
        query!(self, write, jobs::relocate(&kind, &key, &node))
    }

    /// Puts a job that failed or is parked back in line, or all of them: due now, with attempts and patience as if it were new. Answers with those
    /// that were.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn retry_failed_jobs(&self, id: Option<i64>) -> Result<Vec<Job>, StoreError> {
        transaction!(self, recordings::retry(id))
    }

    /// A job by its row id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn job(&self, id: i64) -> Result<Option<Job>, StoreError> {
        query!(self, read, jobs::by_id(id))
    }

    /// Jobs before a row id (none: from the newest), newest first; `all` for done ones too.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn jobs(&self, all: bool, before: Option<i64>, limit: i64) -> Result<Vec<Job>, StoreError> {
        query!(self, read, jobs::list(all, before, limit))
    }

    /// What waits, by kind.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn waiting_jobs(&self) -> Result<Vec<Waiting>, StoreError> {
        query!(self, read, jobs::waiting())
    }

    /// What is parked of some kinds.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn parked_jobs(&self, kinds: Vec<&'static str>) -> Result<Vec<(String, i64)>, StoreError> {
        query!(self, read, jobs::parked(&kinds))
    }

    /// Removes finished jobs whose end is older than that: done ones, and given-up or parked ones.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_jobs(&self, done: DateTime<Utc>, failed: DateTime<Utc>) -> Result<usize, StoreError> {
        query!(self, write, jobs::forget(done, failed))
    }
}
