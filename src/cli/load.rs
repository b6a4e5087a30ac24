//! `load`.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use chrono::{SecondsFormat, Utc};
use simulator::load::{
    Churn, Figures, LoadError, LoadPlan, Made, MetricsAt, Progress, RunFile, Scenario, Step, Target, compare, find,
    page, pictures, run as load,
};

use super::Failure;
use super::args::{CompareArgs, KeptArgs, LoadAction, LoadArgs, ReportArgs};
use super::simulate::auth;

/// Loads the target, or looks at runs that are there; true when no call was lost and nothing got worse.
pub(super) async fn run(args: &LoadArgs, screen: &mut impl Write) -> Result<bool, Failure> {
    match &args.action {
        Some(LoadAction::Compare(args)) => beside(args, screen),
        Some(LoadAction::Report(args)) => drawn(args, screen),
        None => measure(args, screen).await,
    }
}

/// Loads the target.
async fn measure(args: &LoadArgs, screen: &mut impl Write) -> Result<bool, Failure> {
    let plan = plan(args)?;
    // Read before, so that a wrong file is not found out about afterwards.
    let floor = args.kept.floor.as_deref().map(read).transpose()?;
    let made = Made {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        build: env!("CALLGATE_BUILD").to_owned(),
        date: Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true),
        note: args.kept.note.clone(),
    };
    let file = if args.find.find {
        let stepped = |step: &Step| tell(&format!("step: {}", step.to_string().trim()));
        let told = |progress: &Progress| tell(&progress.to_string());
        let (found, run) = find(&plan, args.find.slos(), args.find.max, told, stepped).await.map_err(failure)?;
        let plan = LoadPlan { calls: found.knee, ..plan };
        RunFile { find: Some(found), ..RunFile::new(made, &plan, run) }
    } else {
        let run = load(plan.clone(), |progress| tell(&progress.to_string())).await.map_err(failure)?;
        let floor = floor.map(|floor| Figures::of(&floor.run.report));
        RunFile { floor, ..RunFile::new(made, &plan, run) }
    };
    keep(&args.kept, &file)?;
    show(args, &file, screen)
}

/// Writes what is to be kept of a run.
fn keep(kept: &KeptArgs, file: &RunFile) -> Result<(), Failure> {
    let write = |path: &Path, text: String| {
        std::fs::write(path, text).with_context(|| format!("writing {}", path.display())).map_err(Failure::Other)
    };
    kept.out.iter().try_for_each(|path| write(path, file.text()))?;
    kept.report.iter().try_for_each(|path| write(path, page(file)))
}

/// Prints a run; true when all was well with it.
fn show(args: &LoadArgs, file: &RunFile, screen: &mut impl Write) -> Result<bool, Failure> {
    let report = &file.run.report;
    let (text, void, well) = match &file.find {
        Some(found) => {
            let void = found.is_void().then(|| "the tester broke before the gateway did".to_owned());
            let json = serde_json::to_string_pretty(found).context("what was found as JSON")?;
            (if args.json { json } else { format!("\n{found}") }, void, found.knee > 0)
        }
        None => {
            let void = (!report.void.is_empty()).then(|| report.void.join("; "));
            let json = serde_json::to_string_pretty(report).context("the report as JSON")?;
            let well = report.calls.failed == 0 && report.calls.ended_early == 0;
            (if args.json { json } else { format!("\n{report}{}", file.ratios()) }, void, well)
        }
    };
    writeln!(screen, "{}", text.trim_end()).and_then(|()| screen.flush()).map_err(anyhow::Error::from)?;
    void.map_or(Ok(well), |why| Err(Failure::Void(why)))
}

fn failure(error: LoadError) -> Failure {
    match error {
        LoadError::Plan(_) => Failure::Usage(error.to_string()),
        other => Failure::Other(other.into()),
    }
}

/// Progress is for whoever watches: nothing is lost with it.
fn tell(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// What the command line asks for.
fn plan(args: &LoadArgs) -> Result<LoadPlan, Failure> {
    let seconds = |name: &str, secs: f64| {
        Duration::try_from_secs_f64(secs)
            .map_err(|_| Failure::Usage(format!("--{name} {secs}: seconds, not less than 0")))
    };
    let target = match &args.media_url {
        Some(url) => Target::Media(url.clone()),
        None => Target::Gateway { url: args.gateway.clone(), auth: auth(&args.auth)?, to: args.to.clone() },
    };
    let asked = &args.scenario;
    let churn = match asked.cps.zip(asked.hold) {
        Some((per_sec, _)) if !(per_sec > 0.0 && per_sec <= 1_000.0) => {
            return Err(Failure::Usage(format!("--cps {per_sec}: calls a second, above 0, at most 1000")));
        }
        Some((per_sec, hold)) => Some(Churn { per_sec, hold: seconds("hold", hold)? }),
        None => None,
    };
    let metrics = args.metrics_url.clone().map(|url| MetricsAt { url, token: args.metrics_token.clone() });
    Ok(LoadPlan {
        calls: args.calls,
        ramp: seconds("ramp", args.ramp)?,
        secs: if args.find.find { seconds("step-secs", args.find.step_secs)? } else { seconds("secs", args.secs)? },
        frame_ms: args.frame_ms,
        pid: args.pid,
        metrics,
        model: args.model_url.clone(),
        seed: args.seed,
        lead_ms: args.lead_ms,
        late_ms: args.void_over,
        scenario: Scenario { mix: asked.mix.clone(), churn, rude: asked.rude, faults: asked.faults.clone() },
        ..LoadPlan::new(target)
    })
}

/// A run from its file.
fn read(path: &Path) -> Result<RunFile, Failure> {
    let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    RunFile::read(&text).map_err(|error| Failure::Usage(format!("{}: {error}", path.display())))
}

/// Two runs beside each other; true when nothing got worse.
fn beside(args: &CompareArgs, screen: &mut impl Write) -> Result<bool, Failure> {
    let (old, new) = (read(&args.old)?, read(&args.new)?);
    let comparison = compare(&old, &new, args.fail_over, args.anyway).map_err(|differs| {
        Failure::Usage(format!("these two are no comparison (--anyway makes one): {}", differs.join("; ")))
    })?;
    write!(screen, "{comparison}").map_err(anyhow::Error::from)?;
    Ok(comparison.worse().next().is_none())
}

/// A run's page, and its pictures where they are wanted.
fn drawn(args: &ReportArgs, screen: &mut impl Write) -> Result<bool, Failure> {
    let file = read(&args.run)?;
    let out = args.out.clone().unwrap_or_else(|| args.run.with_extension("html"));
    std::fs::write(&out, page(&file)).with_context(|| format!("writing {}", out.display()))?;
    writeln!(screen, "{}", out.display()).map_err(anyhow::Error::from)?;
    let Some(folder) = &args.pictures else { return Ok(true) };
    std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    for (name, svg) in pictures(&file) {
        let path = folder.join(format!("{name}.svg"));
        std::fs::write(&path, svg).with_context(|| format!("writing {}", path.display()))?;
        writeln!(screen, "{}", path.display()).map_err(anyhow::Error::from)?;
    }
    Ok(true)
}
