//! `load`.

use std::io::Write;
use std::time::Duration;

use anyhow::Context;
use simulator::load::{LoadError, LoadPlan, Target, run as load};

use super::Failure;
use super::args::LoadArgs;
use super::simulate::auth;

/// Loads the target; true when no call was lost.
pub(super) async fn run(args: &LoadArgs, screen: &mut impl Write) -> Result<bool, Failure> {
    let seconds = |name: &str, secs: f64| {
        Duration::try_from_secs_f64(secs)
            .map_err(|_| Failure::Usage(format!("--{name} {secs}: seconds, not less than 0")))
    };
    let target = match &args.media_url {
        Some(url) => Target::Media(url.clone()),
        None => Target::Gateway { url: args.gateway.clone(), auth: auth(&args.auth)?, to: args.to.clone() },
    };
    let plan = LoadPlan {
        calls: args.calls,
        ramp: seconds("ramp", args.ramp)?,
        secs: seconds("secs", args.secs)?,
        frame_ms: args.frame_ms,
        target,
        pid: args.pid,
        model: args.model_url.clone(),
        seed: args.seed,
        lead_ms: args.lead_ms,
    };
    let quiet = args.json;
    let report = load(plan, |progress| {
        if !quiet {
            // Progress is for whoever watches: nothing is lost with it.
            let _ = writeln!(screen, "{progress}").and_then(|()| screen.flush());
        }
    })
    .await
    .map_err(|error| match error {
        LoadError::Plan(_) => Failure::Usage(error.to_string()),
        other => Failure::Other(other.into()),
    })?;
    let text = if args.json {
        serde_json::to_string_pretty(&report).context("the report as JSON")?
    } else {
        format!("\n{report}")
    };
    writeln!(screen, "{text}").map_err(anyhow::Error::from)?;
    Ok(report.calls.failed == 0 && report.calls.ended_early == 0)
}
