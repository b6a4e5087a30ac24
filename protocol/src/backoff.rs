//! How long to wait before something that failed is tried again.

use std::time::Duration;

/// Pauses that double with every failure in a row, up to a longest one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
}

/// Beyond it any first pause that is worth one has long become the longest.
const MOST_DOUBLINGS: u32 = 30;

impl Backoff {
    /// From a first pause up to a longest one.
    #[must_use]
    pub const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest }
    }

    /// The pause after so many failures in a row; none after none.
    #[must_use]
    pub fn pause(self, failures: u32) -> Duration {
        let Some(doublings) = failures.checked_sub(1) else { return Duration::ZERO };
        self.first.saturating_mul(1 << doublings.min(MOST_DOUBLINGS)).min(self.longest)
    }

    /// Any part of that pause, so that many that failed together do not come back together. Which part, from 0 to 1, is drawn by the
    /// caller: there is no randomness here.
    #[must_use]
    pub fn jittered(self, failures: u32, part: f64) -> Duration {
        self.pause(failures).mul_f64(part.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACKOFF: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));

    #[test]
    fn pauses_double_up_to_the_longest() {
        let pauses: Vec<u64> = (0..9).map(|failures| BACKOFF.pause(failures).as_secs()).collect();
        assert_eq!(pauses, [0, 1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(BACKOFF.pause(u32::MAX).as_secs(), 60);
        assert_eq!(Backoff::new(Duration::MAX, Duration::MAX).pause(u32::MAX), Duration::MAX);
    }

    #[test]
    fn a_part_of_a_pause_is_never_longer_than_it() {
        assert_eq!(BACKOFF.jittered(3, 0.5), Duration::from_secs(2));
        for part in [0.0, 1.0, -1.0, 2.0, f64::INFINITY] {
            assert!(BACKOFF.jittered(3, part) <= BACKOFF.pause(3), "{part}");
        }
    }
}
