//! A run as a file: what another run is compared with, and what pictures are drawn from.

use std::fs;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::LoadRun;
use super::find::Found;
use super::plan::{LoadPlan, Target};
use super::report::LoadReport;

/// The format that is written, and the only one that is read.
pub const FORMAT: u32 = 1;

/// A run, with all that tells it from another.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct RunFile {
    /// [`FORMAT`].
    pub format: u32,
    /// By which build, and when.
    pub made: Made,
    /// On which machine the load was made.
    pub host: Host,
    /// What was asked for.
    pub parameters: Parameters,
    /// What was found.
    #[serde(flatten)]
    pub run: LoadRun,
    /// What the floor took: a bridge that does as little as can be done, under the same load.
    #[serde(default)]
    pub floor: Option<Figures>,
    /// What a search found; the run is then the one at the knee.
    #[serde(default)]
    pub find: Option<Found>,
}

/// By which build a run was made, and when.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Made {
    /// Version of the load tester.
    pub version: String,
    /// Its build: commit and date.
    pub build: String,
    /// When the run began, RFC 3339.
    pub date: String,
    /// Words of whoever made it.
    pub note: String,
}

/// A machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Host {
    /// Its name.
    pub name: String,
    /// Model of its processor.
    pub cpu: String,
    /// Cores that the load tester could have used.
    pub cores: usize,
    /// Memory, in MiB.
    pub memory_mib: u64,
}

/// What was asked for. No number that was called, and no secret.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct Parameters {
    /// What was loaded: `gateway` or `media socket`.
    pub target: String,
    /// Where that was: host and port.
    pub address: String,
    /// How many numbers were called.
    pub numbers: usize,
    /// Calls at once.
    pub calls: usize,
    /// Time over which they were opened, in seconds.
    pub ramp_secs: f64,
    /// Time that was measured, in seconds.
    pub secs: f64,
    /// Caller audio in a message, in milliseconds.
    pub frame_ms: u32,
    /// How much audio a caller might have ahead, in milliseconds.
    pub lead_ms: u32,
    /// What everything that varies followed from.
    pub seed: u64,
    /// Who did what: `talk=70,barge=30`.
    pub mix: String,
    /// Calls that began a second, where they came and went.
    pub cps: Option<f64>,
    /// How long one lasted on average, in seconds.
    pub hold_secs: Option<f64>,
    /// Carriers were rude.
    pub rude: bool,
    /// What went wrong at the model.
    pub faults: Vec<String>,
}

/// The figures that are told as ratios to the floor's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct Figures {
    /// CPU in milliseconds per second of open call.
    pub cpu_ms_per_call_sec: Option<f64>,
    /// Memory per open call.
    pub rss_kib_per_call: Option<f64>,
    /// Added latency from caller to model.
    pub uplink_p99_ms: Option<f64>,
    /// Added latency from model to caller.
    pub downlink_p99_ms: Option<f64>,
}

/// A file that is no run of ours.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// Give the right file.
    #[error("it is no run of `callgate load --out`: {0}")]
    Strange(String),
    /// Measure again with one build.
    #[error("it has format {0}, and this build reads format {FORMAT}: measure again with it")]
    Format(u64),
}

impl RunFile {
    /// A run, and all that tells it from another.
    #[must_use]
    pub fn new(made: Made, plan: &LoadPlan, run: LoadRun) -> Self {
        Self {
            format: FORMAT,
            made,
            host: Host::here(),
            parameters: Parameters::of(plan),
            run,
            floor: None,
            find: None,
        }
    }

    /// What it took as ratios to the floor, in words; empty without one.
    #[must_use]
    pub fn ratios(&self) -> String {
        let Some(floor) = self.floor else { return String::new() };
        let ratios = Figures::of(&self.run.report).over(&floor).into_iter();
        let told = ratios.filter_map(|(what, ratio)| Some(format!("{what} {:.2} times", ratio?)));
        format!("  of the floor's: {}\n", told.collect::<Vec<_>>().join(", "))
    }

    /// The file's text.
    #[must_use]
    pub fn text(&self) -> String {
        // Whatever is in it has a form in JSON.
        let mut text = serde_json::to_string(self).unwrap_or_default();
        text.push('\n');
        text
    }

    /// Reads a file's text.
    ///
    /// # Errors
    /// [`FileError`]: it is another file, or of another build.
    pub fn read(text: &str) -> Result<Self, FileError> {
        let strange = |error: serde_json::Error| FileError::Strange(error.to_string());
        let json: Value = serde_json::from_str(text).map_err(strange)?;
        match json["format"].as_u64() {
            Some(format) if format == u64::from(FORMAT) => serde_json::from_value(json).map_err(strange),
            Some(format) => Err(FileError::Format(format)),
            None => Err(FileError::Strange("it has no `format`".into())),
        }
    }
}

impl Host {
    /// This one.
    #[must_use]
    pub fn here() -> Self {
        let line = |path: &str, name: &str| {
            let text = fs::read_to_string(path).unwrap_or_default();
            let value = text.lines().find_map(|line| line.strip_prefix(name)?.split_once(':'));
            value.map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
        };
        let memory = line("/proc/meminfo", "MemTotal");
        let kib = memory.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok());
        Self {
            name: fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned(),
            cpu: line("/proc/cpuinfo", "model name"),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_mib: kib.unwrap_or(0) / 1_024,
        }
    }
}

impl Parameters {
    fn of(plan: &LoadPlan) -> Self {
        let (url, numbers) = match &plan.target {
            Target::Gateway { url, to, .. } => (url, to.len()),
            Target::Media(url) => (url, 0),
        };
        let port = url.port_or_known_default().unwrap_or_default();
        let churn = plan.scenario.churn;
        Self {
            target: plan.target.name().to_owned(),
            address: format!("{}:{port}", url.host_str().unwrap_or_default()),
            numbers,
            calls: plan.at_once(),
            ramp_secs: plan.ramp.as_secs_f64(),
            secs: plan.secs.as_secs_f64(),
            frame_ms: plan.frame_ms,
            lead_ms: plan.lead_ms,
            seed: plan.seed,
            mix: plan.scenario.mix.to_string(),
            cps: churn.map(|churn| churn.per_sec),
            hold_secs: churn.map(|churn| churn.hold.as_secs_f64()),
            rude: plan.scenario.rude,
            faults: plan.scenario.faults.clone(),
        }
    }
}

impl Figures {
    /// Those of a report.
    #[must_use]
    pub fn of(report: &LoadReport) -> Self {
        Self {
            cpu_ms_per_call_sec: report.process.map(|process| process.cpu_ms_per_call_sec),
            rss_kib_per_call: report.process.map(|process| process.rss_kib_per_call),
            uplink_p99_ms: report.times.uplink.map(|times| times.p99_ms),
            downlink_p99_ms: report.times.downlink.map(|times| times.p99_ms),
        }
    }

    /// Each as so many times the floor's, with what it is called.
    pub(super) fn over(&self, floor: &Self) -> [(&'static str, Option<f64>); 4] {
        let ratio = |of: Option<f64>, floor: Option<f64>| Some(of? / floor.filter(|floor| *floor > 0.0)?);
        [
            ("CPU a call-second", ratio(self.cpu_ms_per_call_sec, floor.cpu_ms_per_call_sec)),
            ("memory a call", ratio(self.rss_kib_per_call, floor.rss_kib_per_call)),
            ("caller to model, p99", ratio(self.uplink_p99_ms, floor.uplink_p99_ms)),
            ("model to caller, p99", ratio(self.downlink_p99_ms, floor.downlink_p99_ms)),
        ]
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::load::report::ProcessFigures;
    use crate::load::{CallCounts, Histograms, Sample, Times};

    /// A run of 300 calls whose times are so many per cent of the usual.
    pub(in crate::load) fn run_file(percent: u64) -> RunFile {
        let times = |us: u64| -> Times { (1..=2_000).map(|at| us * percent / 100 + at).collect() };
        let histograms = Histograms {
            uplink: times(1_000),
            downlink: times(2_000),
            first_audio: times(90_000),
            webhook: times(3_000),
        };
        let report = LoadReport {
            target: "gateway".into(),
            window_secs: 20.0,
            frame_ms: 20,
            calls: CallCounts { planned: 300, opened: 300, call_secs: 6_000.0, ..CallCounts::default() },
            times: histograms.timings(),
            process: Some(ProcessFigures {
                pid: Some(7),
                cores: Some(2),
                cpu_ms_per_call_sec: 0.018 * percent as f64,
                core_percent: 54.0,
                rss_kib_per_call: 140.0,
                ..ProcessFigures::default()
            }),
            ..LoadReport::default()
        };
        let sample = |at: u32| Sample {
            at_secs: f64::from(at),
            steady: at > 6,
            calls: 300.min(at as usize * 60),
            cpu_percent: Some(f64::from(50 + at % 5)),
            uplink_p99_ms: (at > 6).then(|| 1.0 + f64::from(at % 3)),
            downlink_p99_ms: (at > 6).then_some(2.5),
            ..Sample::default()
        };
        RunFile {
            format: FORMAT,
            made: Made { version: "0.1.0".into(), build: "commit abc".into(), ..Made::default() },
            host: Host { name: "lab".into(), cpu: "A processor".into(), cores: 2, memory_mib: 4_096 },
            parameters: Parameters {
                target: "gateway".into(),
                calls: 300,
                frame_ms: 20,
                lead_ms: 475,
                mix: "talk=1".into(),
                ..Parameters::default()
            },
            run: LoadRun { report, histograms, series: (1..=26).map(sample).collect() },
            floor: None,
            find: None,
        }
    }

    #[test]
    fn a_run_is_the_same_when_its_file_is_read_back() {
        let mut file = run_file(100);
        file.floor = Some(Figures { cpu_ms_per_call_sec: Some(0.97), ..Figures::default() });
        file.run.report.calls.refusals.insert("full".into(), 3);
        assert_eq!(RunFile::read(&file.text()).unwrap(), file);
        let json: Value = serde_json::from_str(&file.text()).unwrap();
        assert_eq!(json["report"]["uplink"]["count"], 2_000);
        assert_eq!(json["report"]["calls"]["refusals"]["full"], 3);
        assert!(json["histograms"]["uplink"][0].is_array() && json["series"][9]["steady"] == true, "{json}");
    }

    #[test]
    fn a_file_of_something_else_is_told_from_a_run() {
        let wrong = |text: &str| RunFile::read(text).unwrap_err().to_string();
        assert!(wrong("hello").starts_with("it is no run of `callgate load --out`: expected value"));
        assert_eq!(wrong("{}"), "it is no run of `callgate load --out`: it has no `format`");
        assert_eq!(wrong(r#"{"format":9}"#), "it has format 9, and this build reads format 1: measure again with it");
        assert!(wrong(r#"{"format":1}"#).contains("missing field"));
    }

    #[test]
    fn a_file_has_no_number_that_was_called_and_no_secret() {
        let auth = crate::exotel::WebhookAuth { key: Some("s3cret-key".into()), ..Default::default() };
        let url = "http://user:pa55@127.0.0.1:8080/base".parse().unwrap();
        let plan = LoadPlan::new(Target::Gateway { url, auth, to: vec!["+918047112233".into()] });
        let text = RunFile::new(Made::default(), &plan, LoadRun::default()).text();
        for secret in ["s3cret", "pa55", "user", "8047112233"] {
            assert!(!text.contains(secret), "{secret}: {text}");
        }
        assert!(text.contains("\"address\":\"127.0.0.1:8080\",\"numbers\":1"), "{text}");
        assert!(!Host::here().name.is_empty());
    }
}
