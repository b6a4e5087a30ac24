//! How many calls a target carries: one load after another, until what was promised breaks.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::plan::{LoadError, LoadPlan, Progress};
use super::search::Search;
use super::slo::{Breach, Cause, Slos};
use super::{LoadReport, LoadRun, run};

/// A step opens its calls no faster than this: how many may begin at once is another question (`--cps`).
const OPENED_A_SECOND: f64 = 50.0;

/// One load of a search.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Step {
    /// Calls at once.
    pub calls: usize,
    /// What it broke: nothing, and it held.
    pub breaches: Vec<Breach>,
    /// Why, if it did.
    pub cause: Option<Cause>,
    /// The larger of both ways' p99, in milliseconds.
    pub p99_ms: Option<f64>,
    /// First audio, p99, in milliseconds.
    pub first_audio_p99_ms: Option<f64>,
    /// CPU of the target, in per cent of one core.
    pub core_percent: Option<f64>,
}

/// What a search found.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Found {
    /// What it was held to.
    pub slos: Slos,
    /// The most calls that held.
    pub knee: usize,
    /// The fewest that broke; none when all held.
    pub broke: Option<usize>,
    /// What broke first.
    pub cause: Option<Cause>,
    /// Calls at the knee for each core that the target may use, or uses where that is not known.
    pub calls_a_core: Option<f64>,
    /// What was tried, in order.
    pub steps: Vec<Step>,
}

impl Step {
    /// Judges a load.
    #[must_use]
    pub fn of(plan: &LoadPlan, report: &LoadReport, slos: &Slos) -> Self {
        let mut breaches = slos.breaches(report);
        if !report.void.is_empty() {
            // Whatever the figures say, nobody knows what they would have been.
            breaches.push(Breach {
                what: "the tester's own lateness, p99".into(),
                measured: report.generator_late_p99_ms.max(report.model_late_p99_ms.unwrap_or(0.0)),
                allowed: plan.late_ms,
                unit: "ms".into(),
            });
        }
        let p99 = [report.times.uplink, report.times.downlink].into_iter().flatten().map(|times| times.p99_ms);
        Self {
            calls: plan.calls,
            cause: (!breaches.is_empty()).then(|| Cause::of(report)),
            breaches,
            p99_ms: p99.max_by(f64::total_cmp),
            first_audio_p99_ms: report.times.first_audio.map(|times| times.p99_ms),
            core_percent: report.process.map(|process| process.core_percent),
        }
    }
}

/// Searches, from the plan's calls up to so many, a load of the plan's length each; and the run at the knee, or the first where none held.
///
/// # Errors
/// As [`run`].
pub async fn find(
    plan: &LoadPlan,
    slos: Slos,
    most: usize,
    mut progress: impl FnMut(&Progress),
    mut stepped: impl FnMut(&Step),
) -> Result<(Found, LoadRun), LoadError> {
    let mut search = Search::new(plan.calls, most);
    let mut steps: Vec<Step> = Vec::new();
    let mut best: Option<(usize, LoadRun)> = None;
    while let Some(calls) = search.next() {
        let ramp = plan.ramp.max(Duration::from_secs_f64(calls as f64 / OPENED_A_SECOND));
        let step_plan = LoadPlan { calls, ramp, seed: plan.seed + steps.len() as u64, ..plan.clone() };
        let done = run(step_plan.clone(), &mut progress).await?;
        let step = Step::of(&step_plan, &done.report, &slos);
        let held = step.breaches.is_empty();
        search.tell(calls, held);
        stepped(&step);
        steps.push(step);
        if best.as_ref().is_none_or(|(most, _)| held && calls > *most) {
            best = Some((if held { calls } else { 0 }, done));
        }
    }
    let run = best.map(|(_, run)| run).unwrap_or_default();
    Ok((Found::of(&search, slos, steps, &run.report), run))
}

impl Found {
    fn of(search: &Search, slos: Slos, steps: Vec<Step>, at_knee: &LoadReport) -> Self {
        let knee = search.knee();
        let broken =
            search.broke().and_then(|broke| steps.iter().rfind(|step| step.calls == broke && step.cause.is_some()));
        let cores =
            at_knee.process.map(|process| process.cores.map_or(process.core_percent / 100.0, |cores| cores as f64));
        Self {
            slos,
            knee,
            broke: search.broke(),
            cause: broken.and_then(|step| step.cause.clone()),
            calls_a_core: cores.filter(|cores| *cores > 0.0).map(|cores| knee as f64 / cores),
            steps,
        }
    }

    /// Whether the tester broke before the target did, so that the target's knee is not known.
    #[must_use]
    pub fn is_void(&self) -> bool {
        self.cause == Some(Cause::Tester)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |number: Option<f64>| number.map_or_else(|| "-".to_owned(), |number| format!("{number:.1}"));
        let (p99, first, cpu) = (number(self.p99_ms), number(self.first_audio_p99_ms), number(self.core_percent));
        write!(f, "{:>7} {p99:>9} {first:>12} {cpu:>8}  ", self.calls)?;
        match self.breaches.as_slice() {
            [] => f.write_str("held"),
            breaches => f.write_str(&breaches.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")),
        }
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:>7} {:>9} {:>12} {:>8}", "calls", "p99, ms", "first, ms", "CPU, %")?;
        for step in &self.steps {
            writeln!(f, "{step}")?;
        }
        write!(f, "knee: {} calls", self.knee)?;
        if let Some(calls) = self.calls_a_core {
            write!(f, ", {calls:.0} a core")?;
        }
        match (self.broke, &self.cause) {
            (None, _) => writeln!(f, "; nothing broke up to there: raise --max"),
            (Some(broke), Some(cause)) => writeln!(f, "; at {broke} broke first: {cause}"),
            (Some(broke), None) => writeln!(f, "; {broke} broke"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Target;
    use super::super::out::tests::run_file;
    use super::*;

    const SLOS: Slos = Slos { p99_ms: 10.0, first_audio_ms: None, webhook_ms: None, refusals: 0.01 };

    fn step(calls: usize, change: impl FnOnce(&mut LoadReport)) -> Step {
        let mut report = run_file(100).run.report;
        change(&mut report);
        let target = Target::Media("ws://127.0.0.1:9/".parse().unwrap());
        Step::of(&LoadPlan { calls, ..LoadPlan::new(target) }, &report, &SLOS)
    }

    fn found(steps: Vec<Step>, most: usize) -> Found {
        let mut search = Search::new(steps[0].calls, most);
        steps.iter().for_each(|step| search.tell(step.calls, step.breaches.is_empty()));
        Found::of(&search, SLOS, steps, &run_file(100).run.report)
    }

    #[test]
    fn the_knee_is_told_in_a_table_and_a_line_with_what_broke_first() {
        let full = |report: &mut LoadReport| {
            report.times.uplink.as_mut().unwrap().p99_ms = 40.0;
            report.process.as_mut().unwrap().core_percent = 190.0;
        };
        let steps = vec![step(100, |_| ()), step(200, full), step(200, full)];
        let text = found(steps, 1_000).to_string();
        assert!(text.ends_with("knee: 100 calls, 50 a core; at 200 broke first: CPU\n"), "{text}");
        assert!(text.contains("    100       4.0"), "{text}");
        assert!(text.contains("caller to model, p99 40.0 ms (allowed: 10.0)"), "{text}");
    }

    #[test]
    fn nothing_that_broke_is_told_as_that() {
        let text = found(vec![step(100, |_| ())], 100).to_string();
        assert!(text.ends_with("knee: 100 calls, 50 a core; nothing broke up to there: raise --max\n"), "{text}");
    }

    #[test]
    fn a_tester_that_is_too_slow_is_what_broke_and_not_the_target() {
        let late = |report: &mut LoadReport| {
            report.generator_late_p99_ms = 30.0;
            report.void.push("late".into());
        };
        let found = found(vec![step(100, |_| ()), step(200, late), step(200, late)], 1_000);
        assert!(found.is_void(), "{found:?}");
        assert!(found.to_string().contains("the tester's own lateness, p99 30.0 ms (allowed: 10.0)"), "{found}");
    }
}
