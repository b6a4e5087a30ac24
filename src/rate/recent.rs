//! What was met lately, by a key from outside: a map with a bound, whatever comes.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::time::Duration;

/// Makes keys of one size out of whatever comes from outside, so that nobody's long text is kept, and nobody can choose two that meet.
#[derive(Default)]
pub(super) struct Keys(RandomState);

impl Keys {
    /// The key of something.
    #[must_use]
    pub(super) fn of(&self, what: &(impl Hash + ?Sized)) -> u64 {
        self.0.hash_one(what)
    }
}

/// A map of the last while, in two generations: what was not met for `life` is let go, and when there is too much, so is the older half.
/// Letting go costs nothing by itself, so nobody can make the gateway sweep.
pub(super) struct Recent<V> {
    young: HashMap<u64, V>,
    old: HashMap<u64, V>,
    /// When the young were begun.
    turned_ms: u64,
    most: usize,
    life_ms: u64,
}

impl<V> Recent<V> {
    /// Remembers `most` keys, for `life` since they were last met (and up to twice as long).
    #[must_use]
    pub(super) fn new(most: usize, life: Duration) -> Self {
        let life_ms = u64::try_from(life.as_millis()).unwrap_or(u64::MAX);
        Self { young: HashMap::new(), old: HashMap::new(), turned_ms: 0, most: most.max(2), life_ms }
    }

    /// The value of a key, made if there is none. Time is in ms, on any clock.
    pub(super) fn meet(&mut self, key: u64, now_ms: u64, make: impl FnOnce() -> V) -> &mut V {
        if now_ms.saturating_sub(self.turned_ms) >= self.life_ms {
            self.turn(now_ms);
        }
        let known = self.forget(key);
        if self.young.len() >= self.most / 2 {
            self.turn(now_ms);
        }
        self.young.entry(key).or_insert_with(|| known.unwrap_or_else(make))
    }

    /// Lets a key go.
    pub(super) fn forget(&mut self, key: u64) -> Option<V> {
        self.young.remove(&key).or_else(|| self.old.remove(&key))
    }

    /// How many keys are remembered.
    #[must_use]
    pub(super) fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }

    /// The young are the old from now on.
    fn turn(&mut self, now_ms: u64) {
        let age = now_ms.saturating_sub(self.turned_ms);
        self.turned_ms = now_ms;
        self.old = std::mem::take(&mut self.young);
        if age >= self.life_ms.saturating_mul(2) {
            self.old = HashMap::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFE: Duration = Duration::from_secs(60);

    #[test]
    fn what_is_met_again_in_time_is_still_known() {
        let mut recent = Recent::new(100, LIFE);
        *recent.meet(1, 0, || 0) += 1;
        for minute in 1..10 {
            assert_eq!(*recent.meet(1, minute * 60_000 - 1, || 0), 1);
        }
        assert_eq!(*recent.meet(1, 20 * 60_000, || 0), 0, "it was long ago");
    }

    #[test]
    fn whatever_comes_no_more_than_the_bound_is_kept_and_the_newest_half_is() {
        let mut recent = Recent::new(100, LIFE);
        for key in 0..100_000_u64 {
            recent.meet(key, 0, || key);
            assert!(recent.len() <= 100);
        }
        for key in 99_951..100_000_u64 {
            assert_eq!(*recent.meet(key, 0, || 0), key);
        }
    }

    #[test]
    fn a_quiet_while_empties_it() {
        let mut recent = Recent::new(1000, LIFE);
        for key in 0..400 {
            recent.meet(key, 0, || ());
        }
        recent.meet(0, 120_000, || ());
        assert_eq!(recent.len(), 1);
    }

    #[test]
    fn long_texts_make_keys_as_small_as_short_ones_and_not_the_same_twice() {
        let long = "x".repeat(60_000);
        let (one, another) = (Keys::default(), Keys::default());
        assert_eq!(one.of(&long), one.of(&long));
        assert_ne!(one.of(&long), another.of(&long), "nobody can choose texts whose keys meet");
    }
}
