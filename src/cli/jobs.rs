//! `jobs`: what still has to be done, and what was given up.

use std::io::Write;

use anyhow::Context;

use super::args::JobsArgs;
use super::calls::time;
use super::client::open;
use super::{Failure, table};
use crate::store::{Job, JobStatus};

/// Prints them, newest first.
pub(super) async fn run(args: &JobsArgs, screen: &mut impl Write) -> Result<(), Failure> {
    let store = open(&args.database).await?;
    let jobs = store.jobs(args.all, args.before, args.limit.max(1)).await.context("listing the jobs")?;
    let done = if jobs.is_empty() {
        writeln!(screen, "Nothing is to be done{}.", if args.all { ", and nothing was" } else { "" })
    } else {
        let rows: Vec<Vec<String>> = jobs.iter().map(row).collect();
        table::print(screen, &["id", "status", "kind", "key", "attempts", "next run", "last error"], &rows)
    };
    done.map_err(|error| Failure::Other(error.into()))
}

fn row(job: &Job) -> Vec<String> {
    let next = match job.status {
        JobStatus::Waiting => time(job.run_at),
        JobStatus::Running => "now".to_owned(),
        JobStatus::Done | JobStatus::Failed => "–".to_owned(),
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
