//! What the carrier tells of the account and not of a call: heartbeats, delivery tests, and kinds that nobody has seen yet.

use protocol::exotel::webhook::Fields;

/// Kinds that are counted under their own name; a sender's word makes no new series.
const KINDS: [&str; 4] = ["heartbeat", "test", "ping", "verification"];
/// Kinds of a call: without a CallSid they are a mistake.
const OF_CALLS: [&str; 6] = ["terminal", "answered", "ringing", "dial", "stream-start", "stream-end"];
/// Where a kind stands.
const NAMES: [&str; 2] = ["EventType", "Event"];

/// The kind of an event that is no call's; none when it is one, or says nothing of its kind.
pub(super) fn kind(fields: &Fields) -> Option<&'static str> {
    if fields.get("CallSid").is_some() {
        return None;
    }
    let told = fields.first(&NAMES)?.trim();
    let is = |known: &&&str| known.eq_ignore_ascii_case(told);
    if OF_CALLS.iter().any(|known| is(&known)) {
        return None;
    }
    Some(KINDS.iter().find(is).copied().unwrap_or("other"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind_of(form: &str) -> Option<&'static str> {
        kind(&Fields::from_urlencoded(form.as_bytes()))
    }

    #[test]
    fn an_event_of_the_account_is_told_from_one_of_a_call() {
        assert_eq!(kind_of("EventType=Heartbeat"), Some("heartbeat"));
        assert_eq!(kind_of("event_type=HEARTBEAT&AccountSid=a"), Some("heartbeat"));
        assert_eq!(kind_of("Event=test&CallSid="), Some("test"));
        assert_eq!(kind_of("EventType=BalanceLow"), Some("other"));
        assert_eq!(kind_of("CallSid=a&EventType=Heartbeat"), None, "a call's");
        for form in ["", "EventType=", "EventType=null", "Status=completed", "EventType=terminal", "EventType=Dial"] {
            assert_eq!(kind_of(form), None, "{form}");
        }
    }
}
