//! The end of a call: the ways to end, and whether the call may come back from one.

use std::time::Duration;

/// How long a call whose stream ended may come back.
pub const COMES_BACK_WITHIN: Duration = Duration::from_secs(60);
/// The carrier's word for the end of a call, where it tells that of a stream.
const CALL_ENDED: &str = "callended";

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
    Transferred {
        /// Why, in the agent's words.
        reason: String,
    },
    /// An operator ended it.
    Operator,
    /// A webhook said the call had ended.
    CallEnd {
        /// The status told.
        status: String,
    },
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
}

impl Ended {
    /// The stored status: `completed`, or `failed` when the caller did not get what they called for.
    #[must_use]
    pub fn status(&self) -> &'static str {
        match self {
            Self::CallerHungUp { .. }
            | Self::AgentHungUp
            | Self::Transferred { .. }
            | Self::Operator
            | Self::CallEnd { .. }
            | Self::TooLong => "completed",
            Self::NoMedia | Self::MediaSilent | Self::ModelFailed { .. } | Self::GaveUp { .. } | Self::Shutdown => {
                "failed"
            }
        }
    }

    /// In words, for the record and for people.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::CallerHungUp { reason: Some(reason) } => format!("the caller's side ended the stream ({reason})"),
            Self::CallerHungUp { reason: None } => "the carrier's socket closed".to_owned(),
            Self::AgentHungUp => "the agent ended the call".to_owned(),
            Self::Transferred { reason } => format!("the agent handed the call on: {reason}"),
            Self::Operator => "an operator ended the call".to_owned(),
            Self::CallEnd { status } => format!("the carrier reported the call as {status}"),
            Self::TooLong => "the longest call allowed was reached".to_owned(),
            Self::NoMedia => "the media stream never started".to_owned(),
            Self::MediaSilent => "the carrier sent no more audio".to_owned(),
            Self::ModelFailed { cause } => format!("the model failed: {cause}"),
            Self::GaveUp { cause } => format!("the gateway gave up after repeated faults: {cause}"),
            Self::Shutdown => "the gateway stopped".to_owned(),
        }
    }

    /// Whether another stream of the call may follow: nobody said that the call is over, only that this stream of it is.
    #[must_use]
    pub fn is_provisional(&self) -> bool {
        match self {
            Self::CallerHungUp { reason } => !reason.as_deref().is_some_and(is_call_ended),
            Self::Transferred { .. }
            | Self::NoMedia
            | Self::MediaSilent
            | Self::ModelFailed { .. }
            | Self::GaveUp { .. }
            | Self::Shutdown => true,
            Self::AgentHungUp | Self::Operator | Self::CallEnd { .. } | Self::TooLong => false,
        }
    }
}

/// In whatever case, and however its words are kept apart.
fn is_call_ended(reason: &str) -> bool {
    let letters = reason.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase());
    letters.eq(CALL_ENDED.chars())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_speaks_of_the_call_ends_it_for_good() {
        let hung_up = |reason: &str| Ended::CallerHungUp { reason: Some(reason.to_owned()) };
        for certain in ["callended", "CallEnded", "call_ended", "call-ended", " callended "] {
            assert!(!hung_up(certain).is_provisional(), "{certain}");
        }
        for open in ["stopped", "", "call", "streamended", "completed", "callended?not"] {
            assert!(hung_up(open).is_provisional(), "{open}");
        }
        assert!(Ended::CallerHungUp { reason: None }.is_provisional());
        assert!(Ended::Transferred { reason: "billing".to_owned() }.is_provisional());
        for over in [Ended::AgentHungUp, Ended::Operator, Ended::TooLong] {
            assert!(!over.is_provisional(), "{over:?}");
        }
        assert!(!Ended::CallEnd { status: "completed".to_owned() }.is_provisional());
    }
}
