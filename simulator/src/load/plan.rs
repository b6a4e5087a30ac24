//! What a load test is to do.

use std::fmt;
use std::time::Duration;

use url::Url;

use super::scenario::{Role, Scenario};
use crate::exotel::{CallError, WebhookAuth};
use crate::model::Faults;

/// Callers from this number on ask for what the model needs a function for.
const TOOL_CALLERS: u16 = crate::model::TOOL_CALLERS;
/// The simulated model measures so many sessions at once.
const MEASURED: usize = 4_000;

/// One load test.
#[derive(Clone, Debug)]
pub struct LoadPlan {
    /// Calls at once: 1 to 49,151. What calls come and go with says how many are open by itself.
    pub calls: usize,
    /// Time over which they are opened, evenly.
    pub ramp: Duration,
    /// Time measured once all are open.
    pub secs: Duration,
    /// Caller audio in a message, in milliseconds: a multiple of 20, at most 200.
    pub frame_ms: u32,
    /// What is loaded.
    pub target: Target,
    /// The process to take to account.
    pub pid: Option<u32>,
    /// Where the target tells of itself.
    pub metrics: Option<MetricsAt>,
    /// `http://host:port` of the simulated model behind the target, for its measurement tap.
    pub model: Option<Url>,
    /// Decides where in its script each caller begins.
    pub seed: u64,
    /// How much agent audio the target lets a caller have ahead, the message being sent included, in milliseconds: sending later
    /// than that allows is latency.
    pub lead_ms: u32,
    /// Later than this, 99 of 100 times, what makes the load is too slow for its figures to be the target's, in milliseconds.
    pub late_ms: f64,
    /// What callers do.
    pub scenario: Scenario,
}

/// What is loaded.
#[derive(Clone, Debug)]
pub enum Target {
    /// A gateway, through its voicebot webhook.
    Gateway {
        /// Base URL of its HTTP side.
        url: Url,
        /// What the webhook is authenticated with.
        auth: WebhookAuth,
        /// The numbers called, in turn.
        to: Vec<String>,
    },
    /// A bare media socket, `ws://`.
    Media(Url),
}

impl Target {
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Gateway { .. } => "gateway",
            Self::Media(_) => "media socket",
        }
    }
}

/// Where a gateway tells of itself.
#[derive(Clone)]
pub struct MetricsAt {
    /// Base URL of the listener that has `/metrics`.
    pub url: Url,
    /// Its Bearer token.
    pub token: Option<String>,
}

impl fmt::Debug for MetricsAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MetricsAt({:?})", self.url.host_str())
    }
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The plan cannot be carried out as it stands: mend it.
    #[error("the load cannot be made: {0}")]
    Plan(String),
    /// The simulated model's tap does not answer.
    #[error("the model's measurements could not be read: {0}")]
    Tap(String),
    /// The gateway does not tell of itself.
    #[error("the gateway's /metrics could not be read: {0}")]
    Metrics(String),
    /// Not one call opened: is the target running, and does it take our calls?
    #[error("no call opened: {0}")]
    NoCalls(String),
}

impl From<CallError> for LoadError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Plan(what) => Self::Plan(what),
            other => Self::NoCalls(other.to_string()),
        }
    }
}

impl LoadPlan {
    /// As the command line has it by default: 100 calls over 5 s, measured for 20 s.
    #[must_use]
    pub fn new(target: Target) -> Self {
        Self {
            calls: 100,
            ramp: Duration::from_secs(5),
            secs: Duration::from_secs(20),
            frame_ms: 20,
            target,
            pid: None,
            metrics: None,
            model: None,
            seed: 1,
            lead_ms: 475,
            late_ms: 10.0,
            scenario: Scenario::default(),
        }
    }

    /// Calls that are open at once.
    pub(super) fn at_once(&self) -> usize {
        self.scenario.churn.map_or(self.calls, |churn| churn.at_once())
    }

    /// Calls that there will be in all, near enough.
    fn in_all(&self) -> usize {
        let later = self.scenario.churn.map_or(0.0, |churn| churn.per_sec * (self.secs.as_secs_f64() + 5.0));
        self.at_once().saturating_add(later as usize)
    }

    /// Whether it can be carried out.
    ///
    /// # Errors
    /// [`LoadError::Plan`], with what to mend.
    pub fn check(&self) -> Result<(), LoadError> {
        let most = usize::from(if self.scenario.mix.has(Role::Tool) { !TOOL_CALLERS } else { TOOL_CALLERS - 1 });
        let churn = self.scenario.churn;
        let in_all = self.in_all();
        let wrong = if !(1..=most).contains(&in_all) {
            format!("calls must be 1 to {most}, those that come later included")
        } else if self.frame_ms == 0 || self.frame_ms > 200 || !self.frame_ms.is_multiple_of(20) {
            "frame-ms must be a multiple of 20, at most 200".into()
        } else if self.secs < Duration::from_secs(1) {
            "secs must be at least 1".into()
        } else if churn.is_some_and(|churn| churn.hold < Duration::from_secs(2)) {
            "hold must be at least 2 seconds: a caller says its number first".into()
        } else if churn.is_some() && self.model.is_some() && in_all > MEASURED {
            format!("{in_all} calls in all are more than the {MEASURED} that the model measures: fewer secs or cps")
        } else if matches!(&self.target, Target::Gateway { to, .. } if to.is_empty()) {
            "to: a number has to be called".into()
        } else if !self.scenario.faults.is_empty() && self.model.is_none() {
            "faults are the simulated model's: name it by --model-url".into()
        } else {
            Faults::from_flags(&self.scenario.faults).map_err(|error| LoadError::Plan(error.to_string()))?;
            return Ok(());
        };
        Err(LoadError::Plan(wrong))
    }
}

/// How a load test is getting on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Progress {
    /// `ramp`, `settle` or `steady`.
    pub phase: &'static str,
    /// Since the start, in seconds.
    pub elapsed_secs: f64,
    /// Calls that are to be open.
    pub planned: usize,
    /// Calls open now.
    pub live: usize,
    /// Calls that would not open, or ended early.
    pub lost: usize,
    /// Frames of caller audio sent so far.
    pub frames_sent: u64,
    /// Messages of agent audio received so far.
    pub messages_received: u64,
    /// CPU that the target used in the last second, in per cent of a core.
    pub cpu_percent: Option<f64>,
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:>6.1} s  {:<6}  {}/{} calls live, {} lost, {} frames sent, {} messages received",
            self.elapsed_secs, self.phase, self.live, self.planned, self.lost, self.frames_sent, self.messages_received
        )?;
        match self.cpu_percent {
            Some(percent) => write!(f, ", {percent:.0} % of a core"),
            None => Ok(()),
        }
    }
}
