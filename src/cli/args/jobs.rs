//! `jobs`.

use clap::{Args, Subcommand};

use super::Database;

/// `jobs`.
#[derive(Args, Clone, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub struct JobsArgs {
    /// What to do with them instead of listing them.
    #[command(subcommand)]
    pub action: Option<JobsAction>,
    /// Those that were done, too.
    #[arg(long)]
    pub all: bool,
    /// How many of the latest.
    #[arg(long, default_value_t = 50)]
    pub limit: i64,
    /// Only those before this id: the next page.
    #[arg(long, value_name = "ID")]
    pub before: Option<i64>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
    /// Where they are.
    #[command(flatten)]
    pub database: Database,
}

/// What can be done with jobs.
#[derive(Clone, Debug, Subcommand)]
pub enum JobsAction {
    /// Has a job that was given up or is parked tried again, now and with all the patience of a new one.
    Retry(RetryArgs),
}

/// `jobs retry`.
#[derive(Args, Clone, Debug)]
pub struct RetryArgs {
    /// The job, as `callgate jobs` numbers it.
    #[arg(required_unless_present = "all_failed", conflicts_with = "all_failed")]
    pub id: Option<i64>,
    /// Every job that was given up or is parked.
    #[arg(long)]
    pub all_failed: bool,
    /// Where it is.
    #[command(flatten)]
    pub database: Database,
}
