//! A call and its streams: one after another, and the conversation goes on from one to the next.

use std::time::Duration;

use super::fact::Ended;

/// How long a call whose stream ended may come back.
pub const COMES_BACK_WITHIN: Duration = Duration::from_secs(60);
/// The carrier's word for the end of a call, where it tells that of a stream.
const CALL_ENDED: &str = "callended";

impl Ended {
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
