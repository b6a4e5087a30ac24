//! Two runs beside each other: what got worse, and by how much.

use std::fmt;

use super::out::{Figures, RunFile};
use super::report::LoadReport;
use super::times::Percentiles;

/// A p99.9 of fewer times is of fewer than ten of them: chance.
const ENOUGH_FOR_P99_9: u64 = 10_000;
/// What one run differs from the next by, whatever the share: less is never worse.
const LEAST_MS: f64 = 0.2;
const LEAST_FIRST_AUDIO_MS: f64 = 5.0;
const LEAST_CPU_MS: f64 = 0.02;
const LEAST_KIB: f64 = 3.0;
/// Of calls that are lost, and of ratios to the floor.
const LEAST_SHARE: f64 = 0.001;
const LEAST_RATIO: f64 = 0.03;

/// One figure of both runs. Less is better, but for calls at the knee.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// What it is.
    pub what: String,
    /// Its unit.
    pub unit: &'static str,
    /// In the old run.
    pub old: f64,
    /// In the new one.
    pub new: f64,
    /// Whether it is worse than is allowed; none where it is told only.
    pub worse: Option<bool>,
}

/// Two runs beside each other.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Comparison {
    /// What differs of what they were.
    pub differs: Vec<String>,
    /// Their figures.
    pub rows: Vec<Row>,
    /// By how much of 1 a figure may be worse.
    pub allowed: f64,
}

/// Compares two runs: a figure may be worse by so much of 1.
///
/// # Errors
/// What differs of two runs that are no comparison, unless `anyway`; or that a run is void.
pub fn compare(old: &RunFile, new: &RunFile, allowed: f64, anyway: bool) -> Result<Comparison, Vec<String>> {
    let differs = differences(old, new);
    let void = [("old", old), ("new", new)].into_iter().flat_map(|(which, file)| {
        file.run.report.void.iter().map(move |why| format!("the {which} run is void: {why}"))
    });
    let cannot: Vec<String> = void.chain(differs.iter().cloned()).collect();
    if !cannot.is_empty() && !anyway {
        return Err(cannot);
    }
    Ok(Comparison { differs: cannot, rows: rows(old, new, allowed), allowed })
}

/// What makes two runs no comparison.
fn differences(old: &RunFile, new: &RunFile) -> Vec<String> {
    let (was, is) = (&old.parameters, &new.parameters);
    let or_none = |number: Option<f64>| number.map_or_else(|| "none".to_owned(), |number| number.to_string());
    let words = |words: &[String]| if words.is_empty() { "none".to_owned() } else { words.join(", ") };
    let searched = |file: &RunFile| if file.find.is_some() { "a search" } else { "one load" }.to_owned();
    // How many calls a search ended with is what is compared.
    let calls = |file: &RunFile| if file.find.is_some() { "any".to_owned() } else { file.parameters.calls.to_string() };
    let pairs = [
        ("what was done", searched(old), searched(new)),
        ("what was loaded", was.target.clone(), is.target.clone()),
        ("calls", calls(old), calls(new)),
        ("frame size, ms", was.frame_ms.to_string(), is.frame_ms.to_string()),
        ("audio ahead, ms", was.lead_ms.to_string(), is.lead_ms.to_string()),
        ("mix", was.mix.clone(), is.mix.clone()),
        ("calls a second", or_none(was.cps), or_none(is.cps)),
        ("hold, s", or_none(was.hold_secs), or_none(is.hold_secs)),
        ("rude carriers", was.rude.to_string(), is.rude.to_string()),
        ("faults", words(&was.faults), words(&is.faults)),
        ("processor", old.host.cpu.clone(), new.host.cpu.clone()),
        ("cores", old.host.cores.to_string(), new.host.cores.to_string()),
    ];
    let differ = pairs.into_iter().filter(|(_, was, is)| was != is);
    differ.map(|(what, was, is)| format!("{what}: {was} in the old run, {is} in the new")).collect()
}

fn rows(old: &RunFile, new: &RunFile, allowed: f64) -> Vec<Row> {
    if let (Some(was), Some(is)) = (&old.find, &new.find) {
        // More is better here, and what differs by less than steps are apart is the same.
        let worse = (is.knee as f64) < was.knee as f64 * (1.0 - allowed);
        let what = "calls at the knee".to_owned();
        return vec![Row { what, unit: "calls", old: was.knee as f64, new: is.knee as f64, worse: Some(worse) }];
    }
    let mut rows = Rows { allowed, rows: Vec::new() };
    rows.times(&old.run.report, &new.run.report);
    rows.costs(old, new);
    rows.losses(&old.run.report, &new.run.report);
    rows.rows
}

/// Rows in the making.
struct Rows {
    allowed: f64,
    rows: Vec<Row>,
}

impl Rows {
    /// A figure that both have; judged if there is a difference that is never worse.
    fn add(&mut self, what: String, unit: &'static str, [old, new]: [Option<f64>; 2], least: Option<f64>) {
        if let (Some(old), Some(new)) = (old, new) {
            let worse = least.map(|least| new > old * (1.0 + self.allowed) && new - old > least);
            self.rows.push(Row { what, unit, old, new, worse });
        }
    }

    fn times(&mut self, was: &LoadReport, is: &LoadReport) {
        for (what, was, is, least) in [
            ("caller to model", was.times.uplink, is.times.uplink, LEAST_MS),
            ("model to caller", was.times.downlink, is.times.downlink, LEAST_MS),
            ("first audio", was.times.first_audio, is.times.first_audio, LEAST_FIRST_AUDIO_MS),
            ("webhook answers", was.times.webhook, is.times.webhook, LEAST_MS),
        ] {
            let (Some(was), Some(is)) = (was, is) else { continue };
            let enough = (was.count.min(is.count) >= ENOUGH_FOR_P99_9).then_some(least);
            type Of = fn(&Percentiles) -> f64;
            let of: [(&str, Of, Option<f64>); 5] = [
                ("p50", |times| times.p50_ms, Some(least)),
                ("p90", |times| times.p90_ms, Some(least)),
                ("p99", |times| times.p99_ms, Some(least)),
                ("p99.9", |times| times.p99_9_ms, enough),
                ("max", |times| times.max_ms, None),
            ];
            for (percent, of, least) in of {
                self.add(format!("{what}, {percent}"), "ms", [Some(of(&was)), Some(of(&is))], least);
            }
        }
    }

    fn costs(&mut self, old: &RunFile, new: &RunFile) {
        let (was, is) = (Figures::of(&old.run.report), Figures::of(&new.run.report));
        // Where both have a floor, the machine's own pace is taken out of what they cost.
        let floors = old.floor.zip(new.floor);
        let cpu = [was.cpu_ms_per_call_sec, is.cpu_ms_per_call_sec];
        self.add("CPU a call-second".into(), "ms", cpu, floors.is_none().then_some(LEAST_CPU_MS));
        let memory = [was.rss_kib_per_call, is.rss_kib_per_call];
        self.add("memory a call".into(), "KiB", memory, Some(LEAST_KIB));
        let Some((was_floor, is_floor)) = floors else { return };
        for ((what, was), (_, is)) in was.over(&was_floor).into_iter().zip(is.over(&is_floor)) {
            let least = what.starts_with("CPU").then_some(LEAST_RATIO);
            self.add(format!("{what}, of the floor's"), "x", [was, is], least);
        }
    }

    fn losses(&mut self, was: &LoadReport, is: &LoadReport) {
        let calls = [was, is].map(|report| Some(report.calls.share_lost() * 100.0));
        self.add("calls lost".into(), "%", calls, Some(LEAST_SHARE * 100.0));
        let frames = [was, is]
            .map(|report| report.frames.lost.map(|lost| lost as f64 * 100.0 / (report.frames.sent.max(1) as f64)));
        self.add("frames lost".into(), "%", frames, Some(LEAST_SHARE * 100.0));
    }
}

impl Comparison {
    /// What got worse by more than is allowed.
    pub fn worse(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| row.worse == Some(true))
    }
}

impl Row {
    /// By how much of 100 it changed: none from nothing.
    fn percent(&self) -> Option<f64> {
        (self.old > 0.0).then(|| (self.new / self.old - 1.0) * 100.0)
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, unit, old, new, .. } = self;
        write!(f, "{what}: {old:.2} -> {new:.2} {unit}")?;
        match self.percent() {
            Some(percent) => write!(f, " ({percent:+.0} %)"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for what in &self.differs {
            writeln!(f, "compared all the same, though they differ. {what}")?;
        }
        writeln!(f, "  {:<38} {:>10} {:>10} {:>8}", "", "old", "new", "change")?;
        for row in &self.rows {
            let change = row.percent().map_or_else(String::new, |percent| format!("{percent:+.0} %"));
            let verdict = if row.worse == Some(true) { "  worse" } else { "" };
            let what = format!("{}, {}", row.what, row.unit);
            writeln!(f, "  {what:<38} {:>10.2} {:>10.2} {change:>8}{verdict}", row.old, row.new)?;
        }
        let worse: Vec<String> = self.worse().map(ToString::to_string).collect();
        let allowed = self.allowed * 100.0;
        match worse.as_slice() {
            [] => writeln!(f, "nothing is worse by more than {allowed:.0} %"),
            worse => writeln!(f, "worse by more than {allowed:.0} %: {}", worse.join("; ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::out::tests::run_file;
    use super::super::{Found, Slos};
    use super::*;

    fn worse(old: &RunFile, new: &RunFile) -> Vec<String> {
        let comparison = compare(old, new, 0.1, false).unwrap();
        comparison.worse().map(|row| row.what.clone()).collect()
    }

    #[test]
    fn a_run_is_not_worse_than_itself_nor_than_a_slower_one() {
        assert_eq!(worse(&run_file(100), &run_file(100)), Vec::<String>::new());
        assert_eq!(worse(&run_file(150), &run_file(100)), Vec::<String>::new());
    }

    #[test]
    fn what_got_worse_is_named_with_by_how_much() {
        let comparison = compare(&run_file(100), &run_file(150), 0.1, false).unwrap();
        let told: Vec<String> = comparison.worse().map(ToString::to_string).collect();
        assert!(told.contains(&"CPU a call-second: 1.80 -> 2.70 ms (+50 %)".to_owned()), "{told:?}");
        assert!(told.iter().any(|told| told.starts_with("caller to model, p99: ")), "{told:?}");
        assert!(!told.iter().any(|told| told.contains("max") || told.contains("p99.9")), "{told:?}");
        let text = comparison.to_string();
        assert!(text.contains("worse by more than 10 %: caller to model, p50"), "{text}");
        assert!(compare(&run_file(100), &run_file(150), 0.6, false).unwrap().worse().next().is_none());
    }

    #[test]
    fn a_hair_is_never_worse_whatever_its_share() {
        let (mut old, mut new) = (run_file(100), run_file(100));
        old.run.report.times.uplink.as_mut().unwrap().p50_ms = 0.05;
        new.run.report.times.uplink.as_mut().unwrap().p50_ms = 0.15;
        assert_eq!(worse(&old, &new), Vec::<String>::new());
        new.run.report.times.uplink.as_mut().unwrap().p50_ms = 0.3;
        assert_eq!(worse(&old, &new), ["caller to model, p50"]);
    }

    #[test]
    fn calls_and_frames_that_are_lost_are_worse_than_none() {
        let mut new = run_file(100);
        new.run.report.calls.failed = 3;
        assert_eq!(worse(&run_file(100), &new), ["calls lost"]);
        let mut old = run_file(100);
        (old.run.report.frames.sent, old.run.report.frames.lost) = (1_000, Some(0));
        let mut new = old.clone();
        new.run.report.frames.lost = Some(2);
        assert_eq!(worse(&old, &new), ["frames lost"]);
    }

    #[test]
    fn with_floors_a_slower_machine_is_not_a_worse_build() {
        let floor = |ms| Some(Figures { cpu_ms_per_call_sec: Some(ms), ..Figures::default() });
        let with = |cpu: f64, floor_ms: f64| {
            let mut file = run_file(100);
            file.run.report.process.as_mut().unwrap().cpu_ms_per_call_sec = cpu;
            file.floor = floor(floor_ms);
            file
        };
        assert_eq!(worse(&with(1.8, 1.0), &with(2.7, 1.5)), Vec::<String>::new());
        assert_eq!(worse(&with(1.8, 1.0), &with(2.7, 1.0)), ["CPU a call-second, of the floor's"]);
    }

    #[test]
    fn searches_are_compared_by_their_knees() {
        let with = |knee: usize| {
            let slos = Slos { p99_ms: 10.0, first_audio_ms: None, webhook_ms: None, refusals: 0.0 };
            let found = Found { slos, knee, broke: None, cause: None, calls_a_core: None, steps: Vec::new() };
            let mut file = run_file(100);
            (file.find, file.parameters.calls) = (Some(found), knee);
            file
        };
        assert_eq!(worse(&with(400), &with(365)), Vec::<String>::new());
        assert_eq!(worse(&with(400), &with(350)), ["calls at the knee"]);
        let refused = compare(&with(400), &run_file(100), 0.1, false).unwrap_err();
        assert_eq!(refused[0], "what was done: a search in the old run, one load in the new");
    }

    #[test]
    fn runs_that_are_no_comparison_are_refused_with_what_differs() {
        let mut new = run_file(100);
        (new.parameters.frame_ms, new.parameters.calls) = (100, 200);
        new.run.report.void = vec!["it was late".into()];
        let refused = compare(&run_file(100), &new, 0.1, false).unwrap_err();
        assert_eq!(
            refused,
            [
                "the new run is void: it was late",
                "calls: 300 in the old run, 200 in the new",
                "frame size, ms: 20 in the old run, 100 in the new"
            ]
        );
        let text = compare(&run_file(100), &new, 0.1, true).unwrap().to_string();
        assert!(text.starts_with("compared all the same, though they differ. the new run is void"), "{text}");
        // How long was measured, and with which seed, makes no difference.
        let mut new = run_file(100);
        (new.parameters.secs, new.parameters.seed, new.host.name) = (60.0, 9, "other".into());
        assert!(compare(&run_file(100), &new, 0.1, false).is_ok());
    }
}
