//! Virtual time, chance, and the way of a message from one party to another.

use std::collections::VecDeque;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

/// Virtual time: microseconds since the world began.
pub(crate) type Micros = u64;
/// A millisecond.
pub(crate) const MS: Micros = 1_000;
/// A second.
pub(crate) const SEC: Micros = 1_000_000;
/// What the wall clock shows when the world begins, unix seconds.
pub(crate) const BEGAN: u64 = 1_790_000_000;
/// Later than everything.
pub(crate) const NEVER: Micros = Micros::MAX;

/// Seeded chance: the same seed gives the same world.
pub(crate) struct Dice(SmallRng);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(SmallRng::seed_from_u64(seed))
    }

    /// From `range.0` to `range.1`, both included.
    pub(crate) fn within(&mut self, range: (u64, u64)) -> u64 {
        if range.0 >= range.1 { range.0 } else { self.0.random_range(range.0..=range.1) }
    }

    pub(crate) fn chance(&mut self, p: f64) -> bool {
        p > 0.0 && self.0.random_bool(p)
    }

    pub(crate) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.0.random_range(0..of.len())]
    }
}

/// One direction of a socket: in order, each message late by its own.
pub(crate) struct Link<T> {
    way: (Micros, Micros),
    last: Micros,
    queue: VecDeque<(Micros, T)>,
}

impl<T> Link<T> {
    pub(crate) fn new(way: (Micros, Micros)) -> Self {
        Self { way, last: 0, queue: VecDeque::new() }
    }

    pub(crate) fn push(&mut self, now: Micros, dice: &mut Dice, message: T) {
        self.last = self.last.max(now + dice.within(self.way));
        self.queue.push_back((self.last, message));
    }

    pub(crate) fn next_at(&self) -> Micros {
        self.queue.front().map_or(NEVER, |(at, _)| *at)
    }

    pub(crate) fn pop(&mut self, now: Micros) -> Option<T> {
        if self.next_at() > now {
            return None;
        }
        self.queue.pop_front().map(|(_, message)| message)
    }

    pub(crate) fn clear(&mut self) {
        self.queue.clear();
    }
}
