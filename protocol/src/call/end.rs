//! The end of a call: the ways to end, whose account of it stands, and whether the call may come back from it.

mod code;
mod rank;

use std::time::Duration;

pub use code::{EndCode, EndedBy};
pub use rank::EndRank;

use crate::exotel::status::is_call_ended;

/// How long a call whose stream ended may come back.
pub const COMES_BACK_WITHIN: Duration = Duration::from_secs(60);

/// The agent hands a caller on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// Why, in the agent's words.
    pub reason: String,
    /// To which of its client's destinations; none: the flow knows.
    pub to: Option<String>,
    /// What whoever picks up must know, in the agent's words.
    pub summary: Option<String>,
}

impl Transfer {
    /// To whomever the flow has.
    #[must_use]
    pub const fn because(reason: String) -> Self {
        Self { reason, to: None, summary: None }
    }
}

/// Why a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The carrier said so: the caller hung up, or the applet ended.
    CallerHungUp {
        /// `stop.reason`, or none when the socket just went.
        reason: Option<String>,
    },
    /// The agent said goodbye.
    AgentHungUp,
    /// The agent handed the caller on to a person.
    Transferred(Transfer),
    /// An operator ended it.
    Operator,
    /// A webhook said the call had ended.
    CallEnd {
        /// The status told.
        status: String,
    },
    /// The caller said nothing any more, however often they were spoken to.
    CallerSilent,
    /// The client's agent does not answer at this time.
    Closed,
    /// The longest call that is allowed.
    TooLong,
    /// The media socket never came.
    NoMedia,
    /// The socket stayed open, but no audio came any more.
    MediaSilent,
    /// The model could not be reached, refused, or stayed silent; in words.
    ModelFailed {
        /// In words.
        cause: String,
    },
    /// Our own fault: the supervisor gave up.
    GaveUp {
        /// In words.
        cause: String,
    },
    /// The gateway is stopping.
    Shutdown,
    /// The client does not want the call.
    ContextRefused {
        /// Why, in its words.
        reason: String,
    },
    /// Another gateway has a further stream of the call: it goes on there, and here nothing more is said of it.
    TakenOver,
}

impl Ended {
    /// In one word.
    #[must_use]
    pub fn code(&self) -> EndCode {
        match self {
            Self::CallerHungUp { reason: Some(reason) } if is_call_ended(reason) => EndCode::CallerHungUp,
            Self::CallerHungUp { reason: Some(_) } => EndCode::StreamStopped,
            Self::CallerHungUp { reason: None } => EndCode::StreamLost,
            Self::AgentHungUp => EndCode::AgentHungUp,
            Self::Transferred(_) => EndCode::Transferred,
            Self::Operator => EndCode::Operator,
            Self::CallEnd { .. } => EndCode::CarrierReported,
            Self::CallerSilent => EndCode::CallerSilent,
            Self::Closed => EndCode::Closed,
            Self::TooLong => EndCode::TooLong,
            Self::NoMedia => EndCode::NoMedia,
            Self::MediaSilent => EndCode::MediaSilent,
            Self::ModelFailed { .. } => EndCode::ModelFailed,
            Self::GaveUp { .. } => EndCode::GaveUp,
            Self::Shutdown => EndCode::Shutdown,
            Self::ContextRefused { .. } => EndCode::ContextRefused,
            Self::TakenOver => EndCode::TakenOver,
        }
    }

    /// The stored status: `completed`, or `failed` when the caller did not get what they called for.
    #[must_use]
    pub fn status(&self) -> &'static str {
        self.code().status()
    }

    /// Whether another stream of the call may follow: see [`EndCode::is_provisional`].
    #[must_use]
    pub fn is_provisional(&self) -> bool {
        self.code().is_provisional()
    }

    /// In words, for the record and for people. (A gateway of the version before decides on those of `NoMedia` and `Transferred`: they stay as
    /// long as one may run.)
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::CallerHungUp { reason: Some(reason) } => format!("the caller's side ended the stream ({reason})"),
            Self::CallerHungUp { reason: None } => "the carrier's socket closed".to_owned(),
            Self::AgentHungUp => "the agent ended the call".to_owned(),
            Self::Transferred(Transfer { reason, .. }) => format!("the agent handed the call on: {reason}"),
            Self::Operator => "an operator ended the call".to_owned(),
            Self::CallEnd { status } => format!("the carrier reported the call as {status}"),
            Self::CallerSilent => "the caller said nothing any more".to_owned(),
            Self::Closed => "the client is closed at this time".to_owned(),
            Self::TooLong => "the longest call allowed was reached".to_owned(),
            Self::NoMedia => "the media stream never started".to_owned(),
            Self::MediaSilent => "the carrier sent no more audio".to_owned(),
            Self::ModelFailed { cause } => format!("the model failed: {cause}"),
            Self::GaveUp { cause } => format!("the gateway gave up after repeated faults: {cause}"),
            Self::Shutdown => "the gateway stopped".to_owned(),
            Self::ContextRefused { reason } => format!("the client does not take the call: {reason}"),
            Self::TakenOver => "another gateway has the call".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests;
