//! `calls`, `audit`.

use chrono::{DateTime, Utc};
use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use protocol::call::end::EndCode;
use protocol::exotel::status::STATUSES;

use super::Database;
use crate::time;

/// `calls`.
#[derive(Args, Clone, Debug)]
pub struct CallsArgs {
    /// One call: its CallSid.
    #[arg(conflicts_with_all = ["Which", "Span", "CallFilters", "follow"])]
    pub call_sid: Option<String>,
    /// Which of the latest.
    #[command(flatten)]
    pub which: Which,
    /// When they started.
    #[command(flatten)]
    pub span: Span,
    /// What they are like.
    #[command(flatten)]
    pub filters: CallFilters,
    /// Where the sound of the call is, or why there is none.
    #[arg(long, requires = "call_sid")]
    pub listen: bool,
    /// Go on: a line for each call that starts, and one when it ends, until Ctrl-C.
    #[arg(long, conflicts_with = "until")]
    pub follow: bool,
    /// Print JSON, as the API has it (with --follow: one object a line).
    #[arg(long)]
    pub json: bool,
    /// Where they are.
    #[command(flatten)]
    pub database: Database,
}

/// `why`.
#[derive(Args, Clone, Debug)]
pub struct WhyArgs {
    /// Its CallSid.
    pub call_sid: String,
    /// Print JSON, as the API has it.
    #[arg(long)]
    pub json: bool,
    /// Where it is.
    #[command(flatten)]
    pub database: Database,
}

/// Of which client, and how many.
#[derive(Args, Clone, Debug)]
pub struct Which {
    /// Those of a client: its Exotel number, in any spelling, or its id.
    #[arg(long, value_name = "NUMBER|ID")]
    pub client: Option<String>,
    /// How many of the latest.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(i64).range(1..=10_000))]
    pub limit: i64,
}

/// From when to when.
#[derive(Args, Clone, Copy, Debug)]
pub struct Span {
    /// From then on: 2026-11-22T10:00:00Z, 2026-11-22, or how long ago: 90s, 15m, 2h, 3d.
    #[arg(long, value_name = "TIME", value_parser = read)]
    pub since: Option<DateTime<Utc>>,
    /// Before then.
    #[arg(long, value_name = "TIME", value_parser = read)]
    pub until: Option<DateTime<Utc>>,
}

/// What calls are like.
#[derive(Args, Clone, Debug)]
pub struct CallFilters {
    /// Those that are not over.
    #[arg(long)]
    pub live: bool,
    /// Those with that status.
    #[arg(long, value_parser = PossibleValuesParser::new(STATUSES), hide_possible_values = true)]
    pub status: Option<String>,
    /// Those that ended so: a code of the table in docs/ends.md.
    #[arg(long, value_name = "CODE", value_parser = ended)]
    pub ended: Option<EndCode>,
    /// Those whose caller waited so many ms for an answer, or for the first word.
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(i64).range(1..))]
    pub slow: Option<i64>,
}

fn read(text: &str) -> Result<DateTime<Utc>, String> {
    time::read(text, Utc::now()).ok_or_else(|| format!("give {}", time::FORMS))
}

fn ended(name: &str) -> Result<EndCode, String> {
    EndCode::known(name).ok_or_else(|| format!("give one of {}", EndCode::names()))
}

/// `audit`.
#[derive(Debug, Subcommand)]
pub enum Audit {
    /// Checks the chain of hashes; names the first row that was changed or removed, and exits with 1 when there is one.
    Verify(Database),
    /// The latest entries.
    List(AuditListArgs),
}

/// `audit list`.
#[derive(Args, Clone, Debug)]
pub struct AuditListArgs {
    /// Which of the latest.
    #[command(flatten)]
    pub which: Which,
    /// When they were written.
    #[command(flatten)]
    pub span: Span,
    /// Those of a call.
    #[arg(long, value_name = "SID")]
    pub call: Option<String>,
    /// Those of a kind: webhook.call-start, or all of webhook.
    #[arg(long)]
    pub kind: Option<String>,
    /// Those that went so: ok, or the code of a refusal.
    #[arg(long)]
    pub outcome: Option<String>,
    /// Print JSON, payloads and all.
    #[arg(long)]
    pub json: bool,
    /// Where they are.
    #[command(flatten)]
    pub database: Database,
}
