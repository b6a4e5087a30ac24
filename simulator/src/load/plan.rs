//! What a load test is to do.

use std::fmt;
use std::time::Duration;

use url::Url;

use crate::exotel::{CallError, WebhookAuth};

/// One load test.
#[derive(Clone, Debug)]
pub struct LoadPlan {
    /// Calls at once: 1 to 65,535.
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
    /// `http://host:port` of the simulated model behind the target, for its measurement tap.
    pub model: Option<Url>,
    /// Decides where in its script each caller begins.
    pub seed: u64,
    /// How much agent audio the target lets a caller have ahead, the message being sent included, in milliseconds: sending later
    /// than that allows is latency.
    pub lead_ms: u32,
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
        /// The number called.
        to: String,
    },
    /// A bare media socket, `ws://`.
    Media(Url),
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
    pub(super) fn check(&self) -> Result<(), LoadError> {
        let wrong = if !(1..=65_535).contains(&self.calls) {
            "calls must be 1 to 65,535"
        } else if self.frame_ms == 0 || self.frame_ms > 200 || !self.frame_ms.is_multiple_of(20) {
            "frame-ms must be a multiple of 20, at most 200"
        } else if self.secs < Duration::from_secs(1) {
            "secs must be at least 1"
        } else {
            return Ok(());
        };
        Err(LoadError::Plan(wrong.into()))
    }
}

/// How a load test is getting on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Progress {
    /// `ramp`, `settle` or `steady`.
    pub phase: &'static str,
    /// Since the start, in seconds.
    pub elapsed_secs: f64,
    /// Calls planned.
    pub planned: usize,
    /// Calls open now.
    pub live: usize,
    /// Calls that would not open, or ended early.
    pub lost: usize,
    /// Frames of caller audio sent so far.
    pub frames_sent: u64,
    /// Messages of agent audio received so far.
    pub messages_received: u64,
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:>6.1} s  {:<6}  {}/{} calls live, {} lost, {} frames sent, {} messages received",
            self.elapsed_secs, self.phase, self.live, self.planned, self.lost, self.frames_sent, self.messages_received
        )
    }
}
