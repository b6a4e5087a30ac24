//! Calls that this node tried to begin and did not come to admit: no room, or a database that answered too late.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use protocol::ids::CallSid;

/// How long a try is remembered: the carrier comes again within some seconds.
const KEPT: TimeDelta = TimeDelta::seconds(60);
/// Tries held at most: when there are more, the next one is not remembered.
const MOST: usize = 16_384;

/// Tells a call that this node began without admitting it from one that another node has: a try keeps its time, and a row that began
/// at that time is its own.
#[derive(Default)]
pub(super) struct Tries(Mutex<HashMap<CallSid, DateTime<Utc>>>);

impl Tries {
    /// When this node first tried to begin a call: now, or earlier. To the microsecond, as every database keeps it.
    pub(super) fn at(&self, call: &CallSid, now: DateTime<Utc>) -> DateTime<Utc> {
        let now = now.trunc_subsecs(6);
        let mut tries = self.lock();
        if let Some(at) = tries.get(call).filter(|at| now - **at < KEPT) {
            return *at;
        }
        if tries.len() >= MOST {
            tries.retain(|_, at| now - *at < KEPT);
        }
        if tries.len() < MOST {
            tries.insert(call.clone(), now);
        }
        now
    }

    /// The call was admitted, or is over.
    pub(super) fn settled(&self, call: &CallSid) {
        self.lock().remove(call);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<CallSid, DateTime<Utc>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
}
