//! The carrier's words for how a call stands and how it ended.

/// A call's statuses, the less final first: of two reports the later in this list counts.
pub const STATUSES: [&str; 8] =
    ["queued", "ringing", "in-progress", "canceled", "no-answer", "busy", "failed", "completed"];
/// The status of what went as it should.
pub const COMPLETED: &str = "completed";
/// From here on a status is an end.
const FIRST_END: usize = 3;
/// Those that are, in the same order.
pub const ENDS: &[&str] = STATUSES.split_at(FIRST_END).1;
/// The word for the end of a call, where a `stop` event tells why a stream ended.
const CALL_ENDED: &str = "callended";

/// Whether a status ends a call; whatever else is told does not.
#[must_use]
pub fn is_end(status: &str) -> bool {
    ENDS.contains(&status)
}

/// How final a status is, to be compared. Any known one counts for more than one that nobody documented.
#[must_use]
pub fn finality(status: &str) -> (usize, &str) {
    (STATUSES.iter().position(|known| *known == status).map_or(0, |at| at + 1), status)
}

/// Whether the reason for the end of a stream is that the call ended: in whatever case, and however its words are kept apart.
#[must_use]
pub fn is_call_ended(stop_reason: &str) -> bool {
    let letters = stop_reason.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase());
    letters.eq(CALL_ENDED.chars())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_statuses_the_more_final_one_counts() {
        let falling = ["completed", "failed", "busy", "no-answer", "canceled", "in-progress", "odder", "odd"];
        assert!(falling.windows(2).all(|pair| finality(pair[0]) > finality(pair[1])));
        assert!(ENDS.iter().all(|status| is_end(status)) && ENDS.len() == 5);
        assert!(!is_end("in-progress") && !is_end("odd") && !is_end(""));
    }

    #[test]
    fn a_stream_that_ended_with_the_call_is_told_from_one_that_just_ended() {
        for certain in ["callended", "CallEnded", "call_ended", "call-ended", " callended "] {
            assert!(is_call_ended(certain), "{certain}");
        }
        for open in ["stopped", "", "call", "streamended", "completed", "callended?not"] {
            assert!(!is_call_ended(open), "{open}");
        }
    }
}
