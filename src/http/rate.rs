//! Rate limits: exact sliding windows, by key.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use dashmap::DashMap;

/// The length of every window.
const WINDOW: Duration = Duration::from_secs(60);
/// Checks between two sweeps of keys that have gone quiet.
const SWEEP_EVERY: u32 = 1024;
/// Keys held at most; beyond it a sweep is made at every check. Each holds no more hits than its limit.
const MAX_KEYS: usize = 100_000;

/// Counts hits by key over the last minute.
pub struct Windows<K> {
    hits: DashMap<K, VecDeque<Hit>>,
    checks: AtomicU32,
}

struct Hit {
    at: Instant,
    what: u64,
}

/// A hit too many: when it may be tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooMany {
    /// Until the oldest hit leaves the window.
    pub retry_after: Duration,
}

impl<K: Eq + Hash> Windows<K> {
    /// No hits yet.
    #[must_use]
    pub fn new() -> Self {
        Self { hits: DashMap::new(), checks: AtomicU32::new(0) }
    }

    /// Takes a hit of `key`, unless the window holds `limit` already. The same `what` again within the window is no new hit:
    /// a webhook that is repeated must not be refused for it.
    ///
    /// # Errors
    /// Says when a hit is free again.
    pub fn hit(&self, key: K, what: &impl Hash, limit: u32, now: Instant) -> Result<(), TooMany> {
        self.sweep(now);
        let what = hash(what);
        let mut hits = self.hits.entry(key).or_default();
        while hits.front().is_some_and(|hit| now.saturating_duration_since(hit.at) >= WINDOW) {
            hits.pop_front();
        }
        if hits.iter().any(|hit| hit.what == what) {
            return Ok(());
        }
        if hits.len() < limit as usize {
            hits.push_back(Hit { at: now, what });
            return Ok(());
        }
        let age = hits.front().map_or(Duration::ZERO, |oldest| now.saturating_duration_since(oldest.at));
        Err(TooMany { retry_after: WINDOW.saturating_sub(age) })
    }

    fn sweep(&self, now: Instant) {
        let due = self.checks.fetch_add(1, Ordering::Relaxed) % SWEEP_EVERY == SWEEP_EVERY - 1;
        if due || self.hits.len() >= MAX_KEYS {
            self.hits.retain(|_, hits| hits.back().is_some_and(|hit| now.saturating_duration_since(hit.at) < WINDOW));
        }
    }
}

impl<K: Eq + Hash> Default for Windows<K> {
    fn default() -> Self {
        Self::new()
    }
}

fn hash(what: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_holds_over_any_minute() {
        let windows = Windows::new();
        let start = Instant::now();
        for i in 0..10 {
            windows.hit("caller", &i, 10, start + Duration::from_secs(i)).unwrap();
        }
        let refused = windows.hit("caller", &10, 10, start + Duration::from_secs(15)).unwrap_err();
        assert_eq!(refused.retry_after, Duration::from_secs(45));
        windows.hit("another", &10, 10, start).unwrap();
        windows.hit("caller", &10, 10, start + Duration::from_secs(60)).unwrap();
        windows.hit("caller", &11, 10, start + Duration::from_secs(60)).unwrap_err();
    }

    #[test]
    fn a_repeat_costs_nothing() {
        let windows = Windows::new();
        let now = Instant::now();
        windows.hit(1, &"call", 1, now).unwrap();
        windows.hit(1, &"call", 1, now).unwrap();
        windows.hit(1, &"other", 1, now).unwrap_err();
        windows.hit(1, &"call", 1, now).unwrap();
    }

    #[test]
    fn keys_gone_quiet_are_forgotten() {
        let windows = Windows::new();
        let start = Instant::now();
        for key in 0..500 {
            windows.hit(key, &0, 1, start).unwrap();
        }
        for _ in 0..SWEEP_EVERY {
            windows.hit(0, &0, 1, start + WINDOW).unwrap();
        }
        assert_eq!(windows.hits.len(), 1);
    }
}
