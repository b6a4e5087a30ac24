//! `jobs`: what still has to be done, what was given up, and what is parked.

use std::io::Write;

use anyhow::{Context, anyhow};
use serde_json::json;

use super::args::{JobsAction, JobsArgs, RetryArgs};
use super::client::open_existing;
use super::{Failure, table};
use crate::cli::screen::shown;
use crate::store::{Job, JobStatus};
use crate::time::told;
use crate::views::job_json;

/// Prints them, newest first, or does something with them.
pub(super) async fn run(args: &JobsArgs, screen: &mut impl Write) -> Result<(), Failure> {
    if let Some(JobsAction::Retry(args)) = &args.action {
        return retry(args, screen).await;
    }
    let store = open_existing(&args.database).await?;
    let jobs = store.jobs(args.all, args.before, args.limit.max(1)).await.context("listing the jobs")?;
    let done = if args.json {
        writeln!(screen, "{:#}", json!({ "jobs": jobs.iter().map(job_json).collect::<Vec<_>>() }))
    } else if jobs.is_empty() {
        writeln!(screen, "Nothing is to be done{}.", if args.all { ", and nothing was" } else { "" })
    } else {
        let rows: Vec<Vec<String>> = jobs.iter().map(row).collect();
        table::print(screen, &["id", "status", "kind", "key", "attempts", "next run", "last error"], &rows)
    };
    done.map_err(|error| Failure::Other(error.into()))
}

async fn retry(args: &RetryArgs, screen: &mut impl Write) -> Result<(), Failure> {
    let store = open_existing(&args.database).await?;
    let retried = store.retry_failed_jobs(args.id).await.context("putting jobs back in line")?;
    if let (Some(id), []) = (args.id, &*retried) {
        let known = store.job(id).await.context("looking the job up")?;
        return Err(Failure::Other(match known {
            Some(job) => anyhow!("job {id} is {}, and only a failed one can be retried", job.status.name()),
            None => anyhow!("there is no job {id}: `callgate jobs` shows those that failed"),
        }));
    }
    let told = |job: &Job| format!("Job {} ({} {}) is tried again now.", job.id, shown(&job.kind), shown(&job.key));
    let lines =
        if retried.is_empty() { vec!["No job has failed.".to_owned()] } else { retried.iter().map(told).collect() };
    writeln!(screen, "{}", lines.join("\n")).map_err(|error| Failure::Other(error.into()))
}

fn row(job: &Job) -> Vec<String> {
    let next = match job.status {
        JobStatus::Waiting => told(job.run_at),
        JobStatus::Running => "now".to_owned(),
        JobStatus::Done | JobStatus::Failed | JobStatus::Parked => "–".to_owned(),
    };
    let error = job.last_error.clone().unwrap_or_default();
    let kind = job.kind.clone();
    vec![
        job.id.to_string(),
        job.status.name().to_owned(),
        job.node.as_ref().map_or(kind.clone(), |node| format!("{kind} @{node}")),
        job.key.clone(),
        job.attempts.to_string(),
        next,
        error,
    ]
}
