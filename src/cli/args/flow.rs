//! `simulate call --flow` and `simulate balancer`.

use std::net::SocketAddr;

use clap::{Args, ValueEnum};
use simulator::exotel;

/// A flow of applets around the call (docs/flows.md).
#[derive(Args, Clone, Debug)]
pub struct FlowArgs {
    /// Play a flow of applets instead of one stream.
    #[arg(long, value_enum)]
    pub flow: Option<Flow>,
    /// What Exotel does when a URL or a media socket is refused or not answered: nobody knows.
    #[arg(long, value_enum, default_value = "next", requires = "flow")]
    pub on_refused: OnRefused,
    /// What becomes of a transfer.
    #[arg(long, value_enum, default_value = "no-answer", requires = "flow")]
    pub dial: Dial,
    /// Ask the gateway whom the Connect applet dials (its dynamic URL).
    #[arg(long, requires = "flow")]
    pub connect: bool,
    /// Drop the first stream's connection once its script is done, instead of hanging up.
    #[arg(long, requires = "flow")]
    pub lose_stream: bool,
}

/// How the applets are strung together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Flow {
    /// Voicebot, Passthru, then Connect or Hangup.
    Simple,
    /// The same with Passthru (resume) and further Voicebots behind them.
    Resume,
}

impl From<Flow> for exotel::Flow {
    fn from(flow: Flow) -> Self {
        match flow {
            Flow::Simple => Self::Simple,
            Flow::Resume => Self::Resume,
        }
    }
}

/// What Exotel does when it is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OnRefused {
    /// The next applet.
    Next,
    /// It asks once more.
    Retry,
    /// The call is hung up.
    HangUp,
}

impl From<OnRefused> for exotel::OnRefused {
    fn from(what: OnRefused) -> Self {
        match what {
            OnRefused::Next => Self::Next,
            OnRefused::Retry => Self::Retry,
            OnRefused::HangUp => Self::HangUp,
        }
    }
}

/// What becomes of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Dial {
    /// Somebody answers, and talks for a while.
    Completed,
    /// Nobody answers.
    NoAnswer,
    /// The line is busy.
    Busy,
}

/// `simulate balancer`.
#[derive(Args, Clone, Debug)]
pub struct BalancerArgs {
    /// Where it listens.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8088")]
    pub listen: SocketAddr,
    /// A gateway, 127.0.0.1:8080; as often as there are gateways.
    #[arg(long = "to", value_name = "ADDRESS", required = true)]
    pub gateways: Vec<SocketAddr>,
}
