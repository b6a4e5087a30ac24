//! Rate limits: exact sliding windows, by key.

use std::collections::{HashSet, VecDeque};
use std::hash::Hash;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

mod recent;

use actors::lock;
use recent::{Keys, Recent};

/// The length of every window.
const WINDOW: Duration = Duration::from_secs(60);
const WINDOW_MS: u64 = 60_000;
/// Keys that one limit remembers at most: beyond it those that were quiet longest are let go.
const MAX_KEYS: usize = 100_000;
/// Locks of one limit.
const SHARDS: usize = 16;
/// Hits among which a repeat is looked for one by one; beyond it they are found by a set.
const FEW: usize = 32;

/// Counts hits by key over the last minute. What a key was is not kept, only its keyed hash.
pub struct Windows {
    /// For the metrics.
    name: &'static str,
    keys: Keys,
    shards: [Mutex<Recent<Hits>>; SHARDS],
    held: AtomicUsize,
    born: Instant,
}

/// A hit that was let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permit {
    /// It counts.
    Through,
    /// It was counted before.
    Again,
}

/// A hit too many: when it may be tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooMany {
    /// Until the oldest hit leaves the window.
    pub retry_after: Duration,
}

impl Windows {
    /// No hits yet. The name is for the metrics.
    #[must_use]
    pub fn new(name: &'static str) -> Self {
        let shard = |_| Mutex::new(Recent::new(MAX_KEYS / SHARDS, WINDOW));
        let shards = std::array::from_fn(shard);
        Self { name, keys: Keys::default(), shards, held: AtomicUsize::new(0), born: Instant::now() }
    }

    /// Takes a hit of `key`, unless the window holds `limit` already. The same `what` again within the window is no new hit:
    /// a webhook that is repeated must not be refused for it. What is refused leaves nothing behind.
    ///
    /// # Errors
    /// Says when a hit is free again.
    pub fn hit(&self, key: &impl Hash, what: &impl Hash, limit: u32, now: Instant) -> Result<Permit, TooMany> {
        let what = self.keys.of(what);
        self.with(key, now, |hits, now_ms| hits.take(Some(what), limit, now_ms))
    }

    /// Takes a hit of which no two are the same.
    ///
    /// # Errors
    /// Says when a hit is free again.
    pub fn count(&self, key: &impl Hash, limit: u32, now: Instant) -> Result<(), TooMany> {
        self.with(key, now, |hits, now_ms| hits.take(None, limit, now_ms)).map(|_| ())
    }

    /// Whether the window holds `limit` already.
    ///
    /// # Errors
    /// Says when a hit is free again.
    pub fn check(&self, key: &impl Hash, limit: u32, now: Instant) -> Result<(), TooMany> {
        self.with(key, now, |hits, now_ms| hits.check(limit, now_ms))
    }

    /// Takes a hit back that was let through: something else refused it.
    pub fn take_back(&self, key: &impl Hash, what: &impl Hash, now: Instant) {
        let what = self.keys.of(what);
        self.with(key, now, |hits, _| hits.take_back(what));
    }

    /// How many keys have hits.
    #[cfg(test)]
    fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    fn with<T>(&self, key: &impl Hash, now: Instant, act: impl FnOnce(&mut Hits, u64) -> T) -> T {
        let key = self.keys.of(key);
        let now_ms = u64::try_from(now.saturating_duration_since(self.born).as_millis()).unwrap_or(u64::MAX);
        let shard = usize::try_from(key >> 32).unwrap_or(0) % SHARDS;
        // Poisoned only if something above panicked: counts are still the best there is.
        let mut shard = lock(&self.shards[shard]);
        let before = shard.len();
        let hits = shard.meet(key, now_ms, Hits::default);
        hits.expire(now_ms);
        let outcome = act(hits, now_ms);
        if hits.recent.is_empty() {
            shard.forget(key);
        }
        let after = shard.len();
        drop(shard);
        self.tell(before, after);
        outcome
    }

    fn tell(&self, before: usize, after: usize) {
        if before == after {
            return;
        }
        // Wraps twice, to the right sum.
        let change = after.wrapping_sub(before);
        let held = self.held.fetch_add(change, Ordering::Relaxed).wrapping_add(change);
        metrics::gauge!("callgate_rate_keys", "of" => self.name).set(held as f64);
    }
}

/// One key's hits within the window, oldest first.
#[derive(Default)]
struct Hits {
    recent: VecDeque<Hit>,
    /// What they are of, once they are many.
    seen: HashSet<u64>,
}

#[derive(Clone, Copy)]
struct Hit {
    at_ms: u64,
    what: Option<u64>,
}

impl Hits {
    fn expire(&mut self, now_ms: u64) {
        while let Some(hit) = self.recent.front().filter(|hit| now_ms.saturating_sub(hit.at_ms) >= WINDOW_MS).copied() {
            self.recent.pop_front();
            self.forget(&hit);
        }
    }

    fn forget(&mut self, hit: &Hit) {
        if self.recent.len() <= FEW {
            self.seen = HashSet::new();
        } else if let Some(what) = hit.what {
            self.seen.remove(&what);
        }
    }

    fn has(&self, what: u64) -> bool {
        match self.recent.len() {
            0..=FEW => self.recent.iter().any(|hit| hit.what == Some(what)),
            _ => self.seen.contains(&what),
        }
    }

    fn check(&self, limit: u32, now_ms: u64) -> Result<(), TooMany> {
        if self.recent.len() < limit as usize {
            return Ok(());
        }
        let age_ms = self.recent.front().map_or(0, |oldest| now_ms.saturating_sub(oldest.at_ms));
        Err(TooMany { retry_after: Duration::from_millis(WINDOW_MS.saturating_sub(age_ms)) })
    }

    fn take(&mut self, what: Option<u64>, limit: u32, now_ms: u64) -> Result<Permit, TooMany> {
        if what.is_some_and(|what| self.has(what)) {
            return Ok(Permit::Again);
        }
        self.check(limit, now_ms)?;
        self.recent.push_back(Hit { at_ms: now_ms, what });
        match self.recent.len().cmp(&(FEW + 1)) {
            std::cmp::Ordering::Less => {}
            std::cmp::Ordering::Equal => self.seen = self.recent.iter().filter_map(|hit| hit.what).collect(),
            std::cmp::Ordering::Greater => self.seen.extend(what),
        }
        Ok(Permit::Through)
    }

    fn take_back(&mut self, what: u64) {
        // It is among the last, so the search is short.
        let at = self.recent.iter().rposition(|hit| hit.what == Some(what));
        if let Some(hit) = at.and_then(|at| self.recent.remove(at)) {
            self.forget(&hit);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_holds_over_any_minute() {
        let windows = Windows::new("test");
        let start = Instant::now();
        for i in 0..10 {
            windows.hit(&"caller", &i, 10, start + Duration::from_secs(i)).unwrap();
        }
        let refused = windows.hit(&"caller", &10, 10, start + Duration::from_secs(15)).unwrap_err();
        assert_eq!(refused.retry_after, Duration::from_secs(45));
        windows.hit(&"another", &10, 10, start).unwrap();
        windows.hit(&"caller", &10, 10, start + Duration::from_secs(60)).unwrap();
        windows.hit(&"caller", &11, 10, start + Duration::from_secs(60)).unwrap_err();
    }

    #[test]
    fn a_repeat_costs_nothing_however_many_calls_there_are() {
        for many in [1, 10, 10_000] {
            let windows = Windows::new("test");
            let now = Instant::now();
            for call in 0..many {
                assert_eq!(windows.hit(&1, &call, many, now), Ok(Permit::Through));
            }
            for call in 0..many {
                assert_eq!(windows.hit(&1, &call, many, now), Ok(Permit::Again));
            }
            windows.hit(&1, &many, many, now).unwrap_err();
        }
    }

    #[test]
    fn a_hit_taken_back_is_free_again_and_may_come_again() {
        let windows = Windows::new("test");
        let now = Instant::now();
        for call in 0..100 {
            windows.hit(&1, &call, 100, now).unwrap();
        }
        windows.take_back(&1, &60, now);
        assert_eq!(windows.hit(&1, &60, 100, now), Ok(Permit::Through));
        windows.hit(&1, &100, 100, now).unwrap_err();
    }

    #[test]
    fn hits_leave_the_window_one_by_one_however_many_there_are() {
        let windows = Windows::new("test");
        let start = Instant::now();
        for call in 0..1000_u32 {
            windows.hit(&1, &call, 1000, start + Duration::from_millis(call.into())).unwrap();
        }
        for call in 0..1000_u32 {
            let at = start + WINDOW + Duration::from_millis(call.into());
            assert_eq!(windows.hit(&1, &call, 1000, at), Ok(Permit::Through), "{call} came a minute ago");
            windows.hit(&1, &"more", 1000, at).unwrap_err();
        }
    }

    #[test]
    fn keys_gone_quiet_are_forgotten() {
        let windows = Windows::new("test");
        let start = Instant::now();
        for key in 0..500 {
            windows.hit(&key, &0, 1, start).unwrap();
        }
        assert_eq!(windows.held(), 500);
        for key in 0..500 {
            windows.hit(&key, &0, 1, start + 3 * WINDOW).unwrap();
        }
        assert_eq!(windows.held(), 500);
        for key in 0..500 {
            windows.check(&key, 1, start + 6 * WINDOW).unwrap();
        }
        assert_eq!(windows.held(), 0);
    }

    #[test]
    fn what_is_refused_leaves_nothing_behind() {
        let windows = Windows::new("test");
        let now = Instant::now();
        for key in 0..1000 {
            windows.hit(&key, &0, 0, now).unwrap_err();
            windows.count(&key, 0, now).unwrap_err();
            windows.check(&key, 5, now).unwrap();
        }
        assert_eq!(windows.held(), 0);
    }

    #[test]
    fn keys_that_change_all_the_time_fill_a_bounded_map_and_nobody_sweeps() {
        let windows = Windows::new("test");
        let now = Instant::now();
        let begun = Instant::now();
        for key in 0..2 * MAX_KEYS {
            windows.count(&key, 240, now).unwrap();
        }
        assert!(windows.held() <= MAX_KEYS, "{} keys", windows.held());
        // A sweep of a full map at every check would take an hour.
        assert!(begun.elapsed() < Duration::from_secs(60));
    }
}
