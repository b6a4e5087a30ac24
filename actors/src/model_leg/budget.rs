//! How many events of a server its call takes. Audio has a bound of its own: what the call's mailbox does not hold is dropped.

use std::time::Instant;

use protocol::realtime::event::ServerEvent;

use crate::bucket::Bucket;

/// Events at once, and a second: a server that answers ten times as fast as speech sends about 50 a second.
const EVENTS_AT_ONCE: u32 = 2_000;
const EVENTS_A_SECOND: u32 = 500;
/// The same of events that nobody knows: these are counted only.
const UNKNOWN_AT_ONCE: u32 = 100;
const UNKNOWN_A_SECOND: u32 = 10;
/// Why a session is given up that floods its call.
pub(super) const FLOOD: &str = "the model sent more events than a call can take";

/// One session's.
#[derive(Debug)]
pub(super) struct Budget {
    known: Bucket,
    unknown: Bucket,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Take,
    /// It said nothing that anybody would miss.
    Drop,
    /// None of them can be left out, and no call can take so many: the session is lost.
    GiveUp,
}

impl Budget {
    pub(super) const fn new() -> Self {
        let (known, unknown) =
            (Bucket::new(EVENTS_AT_ONCE, EVENTS_A_SECOND), Bucket::new(UNKNOWN_AT_ONCE, UNKNOWN_A_SECOND));
        Self { known, unknown }
    }

    pub(super) fn judge(&mut self, event: &ServerEvent, now: Instant) -> Verdict {
        let (kind, verdict) = match event {
            ServerEvent::Unknown { .. } if self.unknown.take(now) => return Verdict::Take,
            ServerEvent::Unknown { .. } => ("unknown", Verdict::Drop),
            _ if self.known.take(now) => return Verdict::Take,
            _ => ("known", Verdict::GiveUp),
        };
        metrics::counter!("callgate_model_events_dropped_total", "kind" => kind).increment(1);
        verdict
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn ten_thousand_unknown_events_a_second_reach_the_call_as_a_few() {
        let (mut budget, start) = (Budget::new(), Instant::now());
        let junk = ServerEvent::Unknown { kind: "sparkle.delta".to_owned() };
        let taken =
            (0..100_000_u32).filter(|n| budget.judge(&junk, start + *n * Duration::from_micros(100)) == Verdict::Take);
        assert!(taken.count() <= 200);
        let known = ServerEvent::SessionUpdated { input: None, output: None, expires_at: None };
        assert_eq!(budget.judge(&known, start), Verdict::Take, "they do not take the places of others");
    }

    #[test]
    fn a_server_that_floods_its_call_is_given_up_and_a_fast_one_is_not() {
        let known = ServerEvent::SessionUpdated { input: None, output: None, expires_at: None };
        let (mut budget, start) = (Budget::new(), Instant::now());
        assert!((0..60_000).all(|n| budget.judge(&known, start + n * Duration::from_millis(3)) == Verdict::Take));
        let (mut budget, now) = (Budget::new(), Instant::now());
        let taken = (0..10_000).take_while(|_| budget.judge(&known, now) == Verdict::Take).count();
        assert_eq!((taken, budget.judge(&known, now)), (2_000, Verdict::GiveUp));
    }
}
