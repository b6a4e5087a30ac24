//! Calls that this node tried to begin and did not come to admit: no room, or a database that answered too late.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use protocol::ids::CallSid;

use super::recent::{Keys, Recent};

/// How long a try is remembered: the carrier comes again within some seconds.
const KEPT: TimeDelta = TimeDelta::seconds(60);
/// Tries held at most: when there are more, the oldest are let go.
const MOST: usize = 16_384;

/// Tells a call that this node began without admitting it from one that another node has: a try keeps its time, and a row that began
/// at that time is its own.
pub(super) struct Tries {
    keys: Keys,
    tries: Mutex<Recent<DateTime<Utc>>>,
}

impl Default for Tries {
    fn default() -> Self {
        let life = Duration::from_secs(KEPT.num_seconds().unsigned_abs());
        Self { keys: Keys::default(), tries: Mutex::new(Recent::new(MOST, life)) }
    }
}

impl Tries {
    /// When this node first tried to begin a call: now, or earlier. To the microsecond, as every database keeps it.
    pub(super) fn at(&self, call: &CallSid, now: DateTime<Utc>) -> DateTime<Utc> {
        let now = now.trunc_subsecs(6);
        let now_ms = u64::try_from(now.timestamp_millis()).unwrap_or(0);
        let mut tries = self.lock();
        let at = tries.meet(self.keys.of(call), now_ms, || now);
        if now - *at >= KEPT {
            *at = now;
        }
        let (at, held) = (*at, tries.len());
        drop(tries);
        metrics::gauge!("callgate_rate_keys", "of" => "tries").set(held as f64);
        at
    }

    /// The call was admitted, or is over.
    pub(super) fn settled(&self, call: &CallSid) {
        self.lock().forget(self.keys.of(call));
    }

    fn lock(&self) -> MutexGuard<'_, Recent<DateTime<Utc>>> {
        self.tries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_try_keeps_its_time_until_it_is_settled_or_old() {
        let (tries, call) = (Tries::default(), CallSid::new("a"));
        let begun = Utc::now();
        let first = tries.at(&call, begun);
        assert_eq!(tries.at(&call, begun + TimeDelta::seconds(59)), first);
        let later = begun + TimeDelta::seconds(61);
        assert_eq!(tries.at(&call, later), later.trunc_subsecs(6));
        tries.settled(&call);
        assert_ne!(tries.at(&call, later + TimeDelta::seconds(1)), later.trunc_subsecs(6));
    }

    #[test]
    fn calls_without_number_leave_a_bounded_memory_and_the_newest_is_known() {
        let (tries, now) = (Tries::default(), Utc::now());
        for n in 0..3 * MOST {
            tries.at(&CallSid::new(format!("{n:x}")), now);
        }
        assert!(tries.lock().len() <= MOST);
        let last = CallSid::new(format!("{:x}", 3 * MOST - 1));
        assert_eq!(tries.at(&last, now + TimeDelta::seconds(5)), now.trunc_subsecs(6));
    }
}
