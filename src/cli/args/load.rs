//! `load`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use simulator::load::{Mix, Slos};
use url::Url;

use super::AuthArgs;

/// `load`. Exit 0: no call was lost; 1: some were; 3: what made the load was itself too slow, so that its figures tell nothing.
#[derive(Args, Clone, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub struct LoadArgs {
    /// What to do with runs that are there.
    #[command(subcommand)]
    pub action: Option<LoadAction>,
    /// Calls at once.
    #[arg(long, default_value_t = 100)]
    pub calls: usize,
    /// Time over which they are opened, s.
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0)]
    pub ramp: f64,
    /// Time measured once all are open, s.
    #[arg(long, value_name = "SECONDS", default_value_t = 20.0)]
    pub secs: f64,
    /// Caller audio in a message, ms: a multiple of 20, at most 200.
    #[arg(long, value_name = "MS", default_value_t = 20)]
    pub frame_ms: u32,
    /// The gateway, through its voicebot webhook.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    pub gateway: Url,
    /// The number called; as often as wanted: in turn.
    #[arg(long, value_name = "NUMBER", default_value = "+918047112233")]
    pub to: Vec<String>,
    /// A bare media socket instead, ws://: no webhook is asked.
    #[arg(long, value_name = "URL")]
    pub media_url: Option<Url>,
    /// The process taken to account for CPU and memory.
    #[arg(long)]
    pub pid: Option<u32>,
    /// Where the gateway has its /metrics, http://host:port: CPU and memory of one that runs elsewhere, and how late its threads are.
    #[arg(long, value_name = "URL")]
    pub metrics_url: Option<Url>,
    /// Bearer token of /metrics. Better by the variable, which the process list does not show.
    #[arg(long, value_name = "TOKEN", env = "ADMIN_TOKEN", hide_env_values = true)]
    pub metrics_token: Option<String>,
    /// The simulated model behind the target (`callgate simulate model --script load`), http://host:port: its end of every latency.
    #[arg(long, value_name = "URL")]
    pub model_url: Option<Url>,
    /// How much audio the target lets a caller have ahead, the message being sent included, ms; sending later than that allows is latency.
    #[arg(long, value_name = "MS", default_value_t = 475)]
    pub lead_ms: u32,
    /// Decides where in its script each caller begins.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// When what makes the load is itself this late (p99), ms, its figures tell nothing of the target: the run is void, exit 3.
    #[arg(long, value_name = "MS", default_value_t = 10.0)]
    pub void_over: f64,
    /// Print the report as JSON.
    #[arg(long)]
    pub json: bool,
    /// What callers do.
    #[command(flatten)]
    pub scenario: ScenarioArgs,
    /// How many calls it carries.
    #[command(flatten)]
    pub find: FindArgs,
    /// Where the run goes.
    #[command(flatten)]
    pub kept: KeptArgs,
    /// Credentials.
    #[command(flatten)]
    pub auth: AuthArgs,
}

/// What callers do.
#[derive(Args, Clone, Debug)]
pub struct ScenarioArgs {
    /// How many of the callers do what: talk, barge (in), (press) keys, (ask for what needs the function `lookup` as a) tool.
    #[arg(long, value_name = "ROLE=SHARE,...", default_value = "talk=1")]
    pub mix: Mix,
    /// Calls come and go: so many begin a second. --calls is then --cps times --hold.
    #[arg(long, value_name = "CALLS", requires = "hold", conflicts_with = "calls")]
    pub cps: Option<f64>,
    /// How long one lasts, s: half as long to half as long again.
    #[arg(long, value_name = "SECONDS", requires = "cps")]
    pub hold: Option<f64>,
    /// The carrier echoes no mark for a third of the calls, and all hang up without a word.
    #[arg(long)]
    pub rude: bool,
    /// What goes wrong at the simulated model while it is measured, as `simulate model --fault` has it: slow-ms=300,junk.
    #[arg(long, value_name = "FAULT,...", value_delimiter = ',')]
    pub faults: Vec<String>,
}

/// How many calls it carries.
#[derive(Args, Clone, Debug)]
pub struct FindArgs {
    /// Look for how many calls the target carries: from --calls on doubled until a promise breaks, then halved in between.
    #[arg(long, conflicts_with_all = ["cps", "secs", "floor"])]
    pub find: bool,
    /// How long each step is measured, s.
    #[arg(long, value_name = "SECONDS", default_value_t = 20.0, requires = "find")]
    pub step_secs: f64,
    /// The most calls that are tried.
    #[arg(long, value_name = "CALLS", default_value_t = 2000, requires = "find")]
    pub max: usize,
    /// Promise: added latency either way, p99, ms.
    #[arg(long, value_name = "MS", default_value_t = 10.0, requires = "find")]
    pub p99: f64,
    /// Promise: first audio after the media socket opened, p99, ms [default: not looked at].
    #[arg(long, value_name = "MS", requires = "find")]
    pub first_audio: Option<f64>,
    /// Promise: the webhook's answer, p99, ms [default: not looked at].
    #[arg(long, value_name = "MS", requires = "find")]
    pub webhook: Option<f64>,
    /// Promise: calls that are refused, fail or end early, and frames that are lost.
    #[arg(long, value_name = "PERCENT", default_value = "0.1%", value_parser = percent, requires = "find")]
    pub refusals: f64,
}

impl FindArgs {
    /// What was promised.
    #[must_use]
    pub fn slos(&self) -> Slos {
        Slos { p99_ms: self.p99, first_audio_ms: self.first_audio, webhook_ms: self.webhook, refusals: self.refusals }
    }
}

/// Where the run goes.
#[derive(Args, Clone, Debug)]
pub struct KeptArgs {
    /// Write the run to a file: parameters, machine, distributions, second by second (JSON), for `load compare`.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Draw the run as a page of one file that needs no script: latency over time, percentiles, CPU, calls.
    #[arg(long, value_name = "FILE.html")]
    pub report: Option<PathBuf>,
    /// Words about the run for its file: which database, whether calls were recorded.
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub note: String,
    /// A run of the same load against a bare bridge (--media-url, --out): what it took stands beside this one's, as ratios.
    #[arg(long, value_name = "FILE")]
    pub floor: Option<PathBuf>,
}

/// What to do with runs that are there.
#[derive(Clone, Debug, Subcommand)]
pub enum LoadAction {
    /// Two runs beside each other. Exit 1: something got worse.
    Compare(CompareArgs),
    /// A run's page, from its file.
    Report(ReportArgs),
}

/// `load report`.
#[derive(Args, Clone, Debug)]
pub struct ReportArgs {
    /// A run's file.
    pub run: PathBuf,
    /// Where the page goes [default: beside it, as .html].
    #[arg(long, value_name = "FILE.html")]
    pub out: Option<PathBuf>,
    /// Write its pictures too, each as an SVG that stands by itself.
    #[arg(long, value_name = "FOLDER")]
    pub pictures: Option<PathBuf>,
}

/// `load compare`.
#[derive(Args, Clone, Debug)]
pub struct CompareArgs {
    /// A run's file.
    pub old: PathBuf,
    /// A later run's.
    pub new: PathBuf,
    /// By how much a figure may be worse.
    #[arg(long, value_name = "PERCENT", default_value = "10%", value_parser = percent)]
    pub fail_over: f64,
    /// Compare them though they are of different loads or machines.
    #[arg(long)]
    pub anyway: bool,
}

/// `10%` or `10`, as a share of 1.
fn percent(text: &str) -> Result<f64, String> {
    let number = text.trim_end_matches('%').trim().parse::<f64>().ok();
    let number = number.filter(|percent| (0.0..=1_000.0).contains(percent));
    number.map(|percent| percent / 100.0).ok_or_else(|| "give a percentage from 0 to 1000, such as 10%".to_owned())
}
